//! Behind a balancer that speaks the PROXY protocol.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Shutdown, TcpStream},
};

use serde_json::Value;

use crate::harness::{Connection, Handshake, Server, Setup, Ws, tcp, tcp_from, tls};

/// The tests are the balancer, from this address alone.
fn behind_a_balancer() -> Setup {
    Setup::new().server("proxy_protocol = { from = [\"127.0.0.1\"] }")
}

fn v1(client: &str) -> Vec<u8> {
    let protocol = if client.contains(':') { "TCP6" } else { "TCP4" };
    let here = if client.contains(':') {
        "::1"
    } else {
        "127.0.0.1"
    };
    format!("PROXY {protocol} {client} {here} 40000 443\r\n").into_bytes()
}

fn v2(client: &str) -> Vec<u8> {
    let (family, addresses) = match client.parse().unwrap() {
        IpAddr::V4(it) => (0x11, [&it.octets()[..], &[127, 0, 0, 1]].concat()),
        IpAddr::V6(it) => (0x21, [&it.octets()[..], &[0; 16]].concat()),
    };
    // An authority, as some balancers add it.
    let extension = b"\x02\x00\x09localhost";
    binary(
        0x21,
        family,
        &[&addresses[..], &[0x9C, 0x40, 1, 0xBB], extension].concat(),
    )
}

fn binary(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    [signature, &[command, family][..], &length, body].concat()
}

/// A connection that the balancer introduces with these bytes.
fn introduced(server: &Server, header: &[u8]) -> Connection {
    let mut tcp = tcp(server.address);
    tcp.write_all(header).unwrap();
    Connection::through(tcp, tls(server), "localhost")
}

fn echo(server: &Server, header: &[u8]) -> Ws {
    let mut connection = introduced(server, header);
    let handshake = Handshake::new("/echo").without("Sec-WebSocket-Protocol");
    connection.send(handshake.text().as_bytes());
    assert_eq!(connection.response().status, 101);
    Ws::new(connection)
}

/// That the server hangs up without a word, having refused for this reason.
fn dropped(server: &Server, tcp: &mut TcpStream, events: usize, reason: &str) -> Value {
    let mut said = Vec::new();
    // A reset is as good as an end.
    let _ = tcp.read_to_end(&mut said);
    assert_eq!(said, b"", "the server said something");
    server.refused_since(events, reason)
}

fn peers(server: &Server) -> Vec<String> {
    let named = |event: Value| event["peer"].as_str().map(str::to_owned);
    server.audit().into_iter().filter_map(named).collect()
}

#[test]
fn the_client_that_the_balancer_names_is_the_one_that_is_written_down() {
    let server = behind_a_balancer().start();
    for (client, header) in [
        ("203.0.113.9", v1("203.0.113.9")),
        ("203.0.113.10", v2("203.0.113.10")),
        ("2001:db8::9", v1("2001:db8::9")),
        ("2001:db8::10", v2("2001:db8::10")),
        ("203.0.113.11", v2("::ffff:203.0.113.11")),
    ] {
        let mut ws = echo(&server, &header);
        ws.text("hi");
        assert_eq!(ws.next().unwrap().payload, b"hi");
        let named = |event: &Value| event["event"] == "admission" && event["peer"] == client;
        let event = server.audited(named);
        assert_eq!(event["balancer"], "127.0.0.1", "{event}");
    }
}

#[test]
fn a_header_may_come_byte_by_byte_or_together_with_what_follows_it() {
    let server = behind_a_balancer().start();
    for header in [v1("203.0.113.9"), v2("203.0.113.9")] {
        let mut tcp = tcp(server.address);
        for byte in &header {
            tcp.write_all(&[*byte]).unwrap();
        }
        let mut connection = Connection::through(tcp, tls(&server), "localhost");
        connection.send(Handshake::new("/native").text().as_bytes());
        assert_eq!(connection.response().status, 401);
        // The hello in the same segment as the header.
        let held = Together {
            tcp: tcp_from([127, 0, 0, 1], server.address),
            first: header,
        };
        let name = "localhost".to_owned().try_into().unwrap();
        let config = std::sync::Arc::new(tls(&server));
        let session = rustls::ClientConnection::new(config, name).unwrap();
        let mut connection = Connection::on(rustls::StreamOwned::new(session, held));
        connection.send(Handshake::new("/native").text().as_bytes());
        assert_eq!(connection.response().status, 401);
    }
}

/// Sends its first bytes with those that follow, in one write.
struct Together {
    tcp: TcpStream,
    first: Vec<u8>,
}

impl std::io::Read for Together {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.tcp.read(buf)
    }
}

impl std::io::Write for Together {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let first = std::mem::take(&mut self.first);
        self.tcp.write_all(&[&first, buf].concat())?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.tcp.flush()
    }
}

#[test]
fn a_header_cut_at_any_byte_is_a_drop() {
    let server = behind_a_balancer().start();
    let mut drops = 0;
    for header in [v1("203.0.113.9"), v2("203.0.113.9"), v2("2001:db8::9")] {
        for cut in 0..header.len() {
            let mut tcp = tcp(server.address);
            tcp.write_all(&header[..cut]).unwrap();
            tcp.shutdown(Shutdown::Write).unwrap();
            let mut said = Vec::new();
            let _ = tcp.read_to_end(&mut said);
            assert_eq!(said, b"", "cut at {cut}");
            drops += 1;
        }
    }
    // So many are alike that the log counts some of them.
    let written = || {
        let events = server
            .audit()
            .into_iter()
            .filter(|it| it["reason"] == "proxy-header");
        events
            .map(|it| it["count"].as_u64().unwrap_or(1))
            .sum::<u64>()
    };
    server.audited(|_| written() == drops);
    let event = server.refused("proxy-header");
    assert_eq!(event["stage"], "proxy");
    assert_eq!(event["detail"], "the connection ended before its header");
    assert_eq!(event["peer"], "127.0.0.1");
    assert!(!peers(&server).contains(&"203.0.113.9".to_owned()));
}

#[test]
fn a_header_that_never_ends_is_dropped_at_the_deadline_of_the_handshake() {
    let server = behind_a_balancer().limits("handshake = \"1s\"\n").start();
    for header in [v1("203.0.113.9"), v2("203.0.113.9"), Vec::new()] {
        let events = server.audit().len();
        let mut tcp = tcp(server.address);
        for byte in header.iter().take(header.len().saturating_sub(1)) {
            tcp.write_all(&[*byte]).unwrap();
        }
        let event = dropped(&server, &mut tcp, events, "proxy-header");
        assert_eq!(event["detail"], "not finished in time");
    }
}

#[test]
fn what_is_no_header_is_dropped_at_once() {
    let server = behind_a_balancer().start();
    let mut absurd = v2("203.0.113.9");
    absurd.truncate(16);
    absurd[14..].copy_from_slice(&[0xFF, 0xFF]);
    for (bytes, detail) in [
        (&b"\x16\x03\x01\x02"[..], "no PROXY protocol header"),
        (b"GET / HTTP/1.1\r\n", "no PROXY protocol header"),
        (&absurd, "a header of over 2048 bytes"),
        (
            &[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(),
            "a line of over 107 bytes",
        ),
        (
            b"PROXY TCP4 203.0.113.9 127.0.0.1 1 2 3\r\n",
            "not two ports behind the addresses",
        ),
        (
            &binary(0x22, 0x11, &[0; 12]),
            "an unknown version or command",
        ),
        (
            &binary(0x21, 0x31, &[0; 216]),
            "a client that did not come by TCP over IP",
        ),
    ] {
        let events = server.audit().len();
        let mut tcp = tcp(server.address);
        tcp.write_all(bytes).unwrap();
        let event = dropped(&server, &mut tcp, events, "proxy-header");
        assert_eq!(event["detail"], detail);
    }
}

#[test]
fn nobody_but_the_balancer_may_connect_or_name_a_client() {
    let server = behind_a_balancer().start();
    for header in [v1("203.0.113.9"), v2("203.0.113.9"), Vec::new()] {
        let events = server.audit().len();
        let mut tcp = tcp_from([127, 0, 0, 2], server.address);
        let _ = tcp.write_all(&header);
        let event = dropped(&server, &mut tcp, events, "proxy-untrusted");
        assert_eq!(
            (&event["stage"], &event["peer"]),
            (&"proxy".into(), &"127.0.0.2".into())
        );
    }
    assert!(!peers(&server).contains(&"203.0.113.9".to_owned()));
}

#[test]
fn without_a_balancer_in_the_configuration_a_header_is_not_read() {
    let server = Server::start();
    let events = server.audit().len();
    let mut connection = introduced(&server, &v1("203.0.113.9"));
    connection.send(b"");
    assert!(connection.take(1).is_none());
    let event = server.refused_since(events, "tls-failed");
    assert_eq!(event["peer"], "127.0.0.1");
}

#[test]
fn caps_count_the_client_and_never_the_balancer() {
    let server = behind_a_balancer()
        .limits("connections_per_ip = 2\n")
        .start();
    let _open = [
        echo(&server, &v1("203.0.113.9")),
        echo(&server, &v2("203.0.113.9")),
    ];
    let mut third = introduced(&server, &v1("203.0.113.9"));
    third.send(Handshake::new("/echo").text().as_bytes());
    assert_eq!(third.response().status, 429);
    let event = server.refused("too-many-from-address");
    assert_eq!(event["peer"], "203.0.113.9");
    // As many others as there are come from the same balancer.
    let _others: Vec<Ws> = (0..20)
        .map(|n| echo(&server, &v2(&format!("198.51.100.{n}"))))
        .collect();
    // And the addresses of one IPv6 network are one client.
    let _home = [
        echo(&server, &v2("2001:db8::1")),
        echo(&server, &v2("2001:db8::2")),
    ];
    let mut third = introduced(&server, &v1("2001:db8::3"));
    third.send(Handshake::new("/echo").text().as_bytes());
    assert_eq!(third.response().status, 429);
}

#[test]
fn a_drop_says_which_balancer_brought_it() {
    let server = behind_a_balancer()
        .limits("unadmitted = 40\nconnections_per_ip = 10000\n")
        .start();
    let _crowd: Vec<TcpStream> = (0..500).map(|_| tcp(server.address)).collect();
    let event = server.audited(|event| event["event"] == "drop");
    assert_eq!(event["reason"], "pool-full");
    assert_eq!(event["balancer"], "127.0.0.1");
}

#[test]
fn a_balancer_that_speaks_for_itself_is_the_peer() {
    let server = behind_a_balancer().start();
    for header in [
        b"PROXY UNKNOWN\r\n".to_vec(),
        b"PROXY UNKNOWN 203.0.113.9 127.0.0.1 1 2\r\n".to_vec(),
        binary(0x20, 0x00, b""),
        binary(0x20, 0x11, &[203, 0, 113, 9, 127, 0, 0, 1, 0, 1, 0, 2]),
    ] {
        let events = server.audit().len();
        let mut connection = introduced(&server, &header);
        connection.send(Handshake::new("/native").text().as_bytes());
        assert_eq!(connection.response().status, 401);
        let event = server.refused_since(events, "credential-missing");
        assert_eq!(event["peer"], "127.0.0.1");
    }
}

#[test]
fn what_a_client_writes_into_its_own_head_is_still_not_believed() {
    let server = behind_a_balancer().start();
    let mut connection = introduced(&server, &v2("203.0.113.9"));
    let handshake = Handshake::new("/native")
        .with("X-Forwarded-For", "198.51.100.1")
        .with("Forwarded", "for=198.51.100.1");
    connection.send(handshake.text().as_bytes());
    assert_eq!(connection.response().status, 401);
    assert_eq!(server.refused("credential-missing")["peer"], "203.0.113.9");
}

#[test]
fn a_second_header_is_no_tls() {
    let server = behind_a_balancer().start();
    for second in [v1("198.51.100.1"), v2("198.51.100.1")] {
        let events = server.audit().len();
        let mut tcp = tcp(server.address);
        tcp.write_all(&[v1("203.0.113.9"), second].concat())
            .unwrap();
        // TLS answers with an alert, and that is all.
        let _ = tcp.read_to_end(&mut Vec::new());
        let event = server.refused_since(events, "tls-failed");
        assert_eq!(event["peer"], "203.0.113.9");
    }
}

#[test]
fn ipv4_in_the_clothes_of_ipv6_is_the_same_balancer_and_the_same_client() {
    let setup = behind_a_balancer().limits("connections_per_ip = 1\n");
    let config = setup.config().replacen("\"127.0.0.1:0\"", "\"[::]:0\"", 1);
    assert!(config.contains("[::]:0"));
    let mut server = setup.start_with(&config);
    // The kernel tells of this peer as ::ffff:127.0.0.1.
    server.address.set_ip([127, 0, 0, 1].into());
    let _open = echo(&server, &v1("203.0.113.9"));
    let mut dressed = introduced(&server, &v2("::ffff:203.0.113.9"));
    dressed.send(Handshake::new("/echo").text().as_bytes());
    assert_eq!(dressed.response().status, 429);
    let event = server.refused("too-many-from-address");
    assert_eq!(event["peer"], "203.0.113.9");
    // Another address of the machine is none of the balancers, in whatever clothes it comes.
    let events = server.audit().len();
    let mut stranger = tcp_from([127, 0, 0, 2], server.address);
    let _ = stranger.write_all(&v1("203.0.113.9"));
    let event = dropped(&server, &mut stranger, events, "proxy-untrusted");
    assert_eq!(event["peer"], "127.0.0.2");
}

#[test]
fn a_balancer_that_has_said_nothing_yet_locks_out_none_of_its_clients() {
    let server = behind_a_balancer()
        .limits("connections_per_ip = 2\n")
        .start();
    let _silent: Vec<TcpStream> = (0..9).map(|_| tcp(server.address)).collect();
    server.until_metric("wardwire_connections_unadmitted", 9);
    echo(&server, &v1("203.0.113.9"));
}
