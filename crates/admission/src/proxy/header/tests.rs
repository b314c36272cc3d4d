use proptest::prelude::*;

use super::*;

/// A version 2 header.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&V2[..], &[command, family], &length, body].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

const FOUR: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0xDC, 0x04, 0x01, 0xBB];

/// Two IPv6 addresses and ports.
fn six(source: Ipv6Addr) -> Vec<u8> {
    [
        &source.octets()[..],
        &[0; 15],
        &[1],
        &[0xDC, 0x04, 0x01, 0xBB],
    ]
    .concat()
}

fn client(bytes: &[u8]) -> Option<String> {
    match parse(bytes).unwrap().unwrap().source {
        Source::Client(address) => Some(address.to_string()),
        Source::Balancer => None,
    }
}

/// The detail of a refusal.
fn refused(bytes: &[u8]) -> String {
    let refusal = parse(bytes).expect_err(&String::from_utf8_lossy(bytes));
    assert_eq!(
        (refusal.stage, refusal.reason),
        (Stage::Proxy, Reason::ProxyHeader)
    );
    refusal.detail
}

#[test]
fn a_line_names_the_client() {
    let says = |line: &str| client(format!("{line}\r\nrest").as_bytes());
    let four = says("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443");
    assert_eq!(four.as_deref(), Some("192.0.2.1"));
    let six = says("PROXY TCP6 2001:db8::1 2001:db8::2 65535 0");
    assert_eq!(six.as_deref(), Some("2001:db8::1"));
    let mapped = says("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 1 2");
    assert_eq!(mapped.as_deref(), Some("192.0.2.1"), "IPv4 is IPv4");
    assert_eq!(says("PROXY UNKNOWN"), None);
    assert_eq!(says("PROXY UNKNOWN ffff::1 whatever it says"), None);
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE - 16));
    assert_eq!(parse(longest.as_bytes()).unwrap().unwrap().length, LINE);
}

#[test]
fn a_line_follows_the_specification_to_the_letter() {
    for (line, why) in [
        ("PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n", "two ports"),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 9\r\n",
            "two ports",
        ),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 \r\n",
            "two ports",
        ),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.1 056324 443\r\n",
            "two ports",
        ),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.1 65536 443\r\n",
            "two ports",
        ),
        ("PROXY TCP4 192.0.2.1 198.51.100.1 +1 443\r\n", "two ports"),
        ("PROXY TCP4 192.0.2.1 198.51.100.1  443\r\n", "two ports"),
        ("PROXY TCP4  192.0.2.1 198.51.100.1 1 443\r\n", "an address"),
        ("PROXY TCP4 192.0.2.01 198.51.100.1 1 443\r\n", "an address"),
        ("PROXY TCP4 2001:db8::1 2001:db8::2 1 443\r\n", "an address"),
        ("PROXY TCP6 192.0.2.1 198.51.100.1 1 443\r\n", "an address"),
        ("PROXY TCP6 fe80::1%eth0 fe80::2 1 443\r\n", "an address"),
        ("PROXY TCP4 192.0.2.1 example.com 1 443\r\n", "an address"),
        ("PROXY TCP4\r\n", "an address"),
        ("PROXY UDP4 192.0.2.1 198.51.100.1 1 443\r\n", "a protocol"),
        ("PROXY tcp4 192.0.2.1 198.51.100.1 1 443\r\n", "a protocol"),
        ("PROXY UNKNOWNS\r\n", "a protocol"),
        ("PROXY \r\n", "a protocol"),
        (
            "PROXY TCP4 192.0.2.1 198.51.100.1 1 443\n",
            "a bare CR or LF",
        ),
        ("PROXY UNKNOWN \rx\r\n", "a bare CR or LF"),
        ("PROXY UNKNOWN \rx", "a bare CR"),
    ] {
        assert!(refused(line.as_bytes()).contains(why), "{line:?}");
    }
    let long = format!("PROXY UNKNOWN {}", "x".repeat(LINE));
    assert!(refused(long.as_bytes()).contains("107"));
    assert!(refused(format!("{long}\r\n").as_bytes()).contains("107"));
    assert!(refused(b"PROXY UNKNOWN \xFF\r\n").contains("ASCII"));
}

#[test]
fn a_binary_header_names_the_client() {
    assert_eq!(client(&v2(0x21, 0x11, &FOUR)).as_deref(), Some("192.0.2.1"));
    let source = "2001:db8::1".parse().unwrap();
    assert_eq!(
        client(&v2(0x21, 0x21, &six(source))).as_deref(),
        Some("2001:db8::1")
    );
    let mapped = "::ffff:192.0.2.1".parse().unwrap();
    assert_eq!(
        client(&v2(0x21, 0x21, &six(mapped))).as_deref(),
        Some("192.0.2.1")
    );
}

#[test]
fn what_a_local_header_says_is_skipped() {
    for body in [&b""[..], &FOUR, b"\xFF\xFF\xFF nonsense"] {
        for family in [0x00, 0x11, 0xFF] {
            let header = parse(&v2(0x20, family, body)).unwrap().unwrap();
            assert_eq!(header.source, Source::Balancer);
            assert_eq!(header.length, FIXED + body.len());
        }
    }
}

#[test]
fn a_binary_header_follows_the_specification_to_the_letter() {
    for command in [0x00, 0x01, 0x11, 0x22, 0x2F, 0x31] {
        assert!(refused(&v2(command, 0x11, &FOUR)).contains("version or command"));
    }
    for family in [0x00, 0x01, 0x10, 0x12, 0x13, 0x20, 0x22, 0x31, 0x32, 0x41] {
        assert!(refused(&v2(0x21, family, &[0; 216])).contains("TCP over IP"));
    }
    assert!(refused(&v2(0x21, 0x11, &FOUR[..11])).contains("too short"));
    assert!(refused(&v2(0x21, 0x21, &[0; 35])).contains("too short"));
    let mut signature = v2(0x21, 0x11, &FOUR);
    signature[11] = b'\r';
    assert!(refused(&signature).contains("no PROXY protocol header"));
}

#[test]
fn an_absurd_length_is_refused_before_anything_of_it_has_come() {
    let mut header = v2(0x21, 0x11, b"");
    header[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    assert!(refused(&header).contains("2048"));
    let most = tlv(0x04, &vec![0; LONGEST - FIXED - FOUR.len() - 3]);
    let header = v2(0x21, 0x11, &[&FOUR[..], &most].concat());
    assert_eq!(parse(&header).unwrap().unwrap().length, LONGEST);
}

#[test]
fn what_is_said_about_tls_is_read_and_other_words_are_skipped() {
    let says = |extensions: &[u8]| {
        let header = v2(0x21, 0x11, &[&FOUR[..], extensions].concat());
        parse(&header).map(|it| it.unwrap().over_tls)
    };
    let version = tlv(0x21, b"TLSv1.3");
    let ssl = |flags: u8| tlv(TYPE_SSL, &[&[flags, 0, 0, 0, 0], &version[..]].concat());
    assert_eq!(says(b""), Ok(None));
    assert_eq!(says(&tlv(0x02, b"example.com")), Ok(None));
    assert_eq!(
        says(&[tlv(0x02, b"a"), ssl(0x07), tlv(0xEA, b"x")].concat()),
        Ok(Some(true))
    );
    assert_eq!(
        says(&ssl(0x06)),
        Ok(Some(false)),
        "a certificate alone is no TLS"
    );
    for wrong in [
        &b"\x01"[..],
        &b"\x01\x00"[..],
        &b"\x01\x00\x02a"[..],
        &tlv(TYPE_SSL, &[1, 0, 0, 0]),
        &[ssl(1), ssl(1)].concat(),
    ] {
        assert!(says(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_is_no_header_is_refused_at_its_first_strange_byte() {
    for bytes in [
        &b"\x16\x03\x01"[..],
        b"GET ",
        b"PROXX",
        b"proxy",
        b"\r\nGET",
        b"\0",
    ] {
        assert!(
            refused(bytes).contains("no PROXY protocol header"),
            "{bytes:?}"
        );
    }
}

fn good() -> impl Strategy<Value = (Vec<u8>, Header)> {
    let header = |length, source, over_tls| Header {
        length,
        source,
        over_tls,
    };
    let line = (any::<IpAddr>(), any::<u16>()).prop_map(move |(address, port)| {
        let protocol = if address.is_ipv4() { "TCP4" } else { "TCP6" };
        let line = format!("PROXY {protocol} {address} {address} {port} 443\r\n");
        let source = Source::Client(address.to_canonical());
        let length = line.len();
        (line.into_bytes(), header(length, source, None))
    });
    let kinds = any::<u8>().prop_filter("TLS is the last", |kind| *kind != TYPE_SSL);
    let value = prop::collection::vec(any::<u8>(), 0..64);
    let extensions = prop::collection::vec((kinds, value), 0..4);
    let ssl = prop::option::of(any::<u8>());
    let binary = (any::<IpAddr>(), extensions, ssl).prop_map(move |(address, extensions, ssl)| {
        let (family, mut body) = match address {
            IpAddr::V4(it) => (0x11, [&it.octets()[..], &[0; 8]].concat()),
            IpAddr::V6(it) => (0x21, six(it)),
        };
        for (kind, value) in extensions {
            body.extend(tlv(kind, &value));
        }
        if let Some(flags) = ssl {
            body.extend(tlv(TYPE_SSL, &[flags, 0, 0, 0, 0]));
        }
        let source = Source::Client(address.to_canonical());
        let over_tls = ssl.map(|flags| flags & CLIENT_SSL != 0);
        let length = FIXED + body.len();
        (v2(0x21, family, &body), header(length, source, over_tls))
    });
    prop_oneof![line, binary]
}

proptest! {
    #[test]
    fn a_good_header_is_read_whole_and_never_refused_while_it_arrives(
        (bytes, header) in good(), rest: Vec<u8>,
    ) {
        for cut in 0..bytes.len() {
            prop_assert_eq!(parse(&bytes[..cut]), Ok(None));
        }
        prop_assert_eq!(parse(&[&bytes[..], &rest].concat()), Ok(Some(header)));
    }

    #[test]
    fn no_bytes_make_it_panic_or_wait_beyond_the_longest_header(
        bytes: Vec<u8>, tail: Vec<u8>, command: u8, family: u8,
    ) {
        for begin in [&b""[..], V1, b"PROXY TCP4 ", V2, &v2(command, family, &bytes)] {
            let all = [begin, &bytes, &tail].concat();
            let outcome = parse(&all);
            if let Ok(Some(header)) = &outcome {
                prop_assert!(header.length <= all.len().min(LONGEST));
            }
            let padded = [&all[..], &[b'x'; LONGEST]].concat();
            prop_assert!(parse(&padded) != Ok(None));
        }
    }
}
