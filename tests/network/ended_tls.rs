//! Behind a balancer that ends TLS.

use std::io::{Read as _, Write as _};

use serde_json::json;

use crate::harness::{Connection, Handshake, ORIGIN, Server, Setup, Ws, frame, tcp, tcp_from};

const CERTIFICATE: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
/// The tests are the balancer, from this address alone. Beside it there are two more on the way.
const ENDED: &str =
    "hosts = [\"localhost\"]\ntls = { terminated_by = [\"127.0.0.1\", \"10.0.0.0/24\"] }";

fn start(setup: Setup) -> Server {
    let config = setup.config().replace(CERTIFICATE, ENDED);
    assert!(config.contains(ENDED));
    setup.start_with(&config)
}

/// What the balancer adds to a client's request.
fn of(client: &str, handshake: Handshake) -> Handshake {
    handshake
        .with("X-Forwarded-For", client)
        .with("X-Forwarded-Proto", "https")
}

fn anonymous() -> Handshake {
    Handshake::new("/echo").without("Sec-WebSocket-Protocol")
}

fn open(server: &Server, handshake: &Handshake) -> Ws {
    let mut connection = Connection::plain(server.address);
    connection.send(handshake.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 101, "{response:?}");
    Ws::new(connection)
}

/// Makes an attempt and demands its refusal, with the address that is held responsible.
fn refused(server: &Server, handshake: &Handshake, status: u16, reason: &str, peer: &str) {
    let events = server.audit().len();
    let mut connection = Connection::plain(server.address);
    connection.send(handshake.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, status, "{response:?}");
    assert!(response.body.len() < 200, "{response:?}");
    assert_eq!(connection.rest(), 0, "the connection is closed");
    let event = server.refused_since(events, reason);
    assert_eq!(
        (&event["status"], &event["peer"], &event["balancer"]),
        (&status.into(), &peer.into(), &"127.0.0.1".into()),
        "{event}"
    );
}

#[test]
fn sockets_live_behind_a_balancer_as_they_do_under_tls() {
    let server = start(Setup::new());
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/live").origin(ORIGIN).bearer(&token);
    let mut alice = open(&server, &of("203.0.113.9", handshake));
    let admission = server.audited(|event| event["event"] == "admission");
    assert_eq!(
        (&admission["peer"], &admission["subject"]),
        (&"203.0.113.9".into(), &"alice".into())
    );
    alice.ok("subscribe", json!({ "channel": "chat/lobby" }));
    alice.ok("publish", json!({ "channel": "chat/lobby", "data": "hi" }));
    let mut echo = open(&server, &of("2001:db8::9", anonymous()));
    // A message as large as one may be, and a frame cut in the middle.
    let large = vec![b'x'; 64 * 1024];
    echo.send(0x82, &large);
    assert_eq!(echo.next().unwrap().payload, large);
    let bytes = frame(0x82, b"cut");
    echo.connection.send(&bytes[..5]);
    echo.connection.send(&bytes[5..]);
    assert_eq!(echo.next().unwrap().payload, b"cut");
    echo.send(0x88, &1000_u16.to_be_bytes());
    assert_eq!(echo.closed().0, 1000);
    assert_eq!(
        echo.connection.rest(),
        0,
        "the end of the connection follows"
    );
    server.terminate();
    loop {
        let frame = alice.frame().unwrap();
        if frame.first == 0x88 {
            assert_eq!(frame.payload[..2], 1012_u16.to_be_bytes());
            break;
        }
    }
}

#[test]
fn nobody_but_the_balancer_is_served_in_the_clear() {
    let server = start(Setup::new());
    for bytes in [
        of("203.0.113.9", anonymous()).text().into_bytes(),
        Vec::new(),
    ] {
        let events = server.audit().len();
        let mut tcp = tcp_from([127, 0, 0, 2], server.address);
        let _ = tcp.write_all(&bytes);
        let mut said = Vec::new();
        let _ = tcp.read_to_end(&mut said);
        assert_eq!(said, b"", "not a byte");
        let event = server.refused_since(events, "proxy-untrusted");
        assert_eq!(
            (&event["stage"], &event["peer"]),
            (&"proxy".into(), &"127.0.0.2".into())
        );
    }
    assert_eq!(server.metric("wardwire_admissions_total"), 0);
}

#[test]
fn of_the_addresses_in_a_request_the_balancers_own_word_counts() {
    let server = start(Setup::new());
    for (lines, client) in [
        (&["203.0.113.1"][..], "203.0.113.1"),
        (&["198.51.100.1, 203.0.113.2"], "203.0.113.2"),
        (&["198.51.100.1", "203.0.113.3"], "203.0.113.3"),
        (&["127.0.0.1, 10.0.0.7, 203.0.113.4"], "203.0.113.4"),
        (&["198.51.100.1, 203.0.113.5, 10.0.0.7"], "203.0.113.5"),
        (
            &["198.51.100.1, 203.0.113.6", "10.0.0.7, 127.0.0.1"],
            "203.0.113.6",
        ),
        (&["'; DROP TABLE users, 203.0.113.7:40000"], "203.0.113.7"),
        (&["198.51.100.1, [2001:db8::8]:40000"], "2001:db8::8"),
    ] {
        let handshake = Handshake::new("/native").with("X-Forwarded-Proto", "https");
        let named = ["X-Real-IP", "Forwarded", "X-Client-IP"];
        let handshake = named
            .iter()
            .fold(handshake, |it, name| it.with(name, "198.51.100.2"));
        let handshake = lines
            .iter()
            .fold(handshake, |it, line| it.with("X-Forwarded-For", line));
        refused(&server, &handshake, 401, "credential-missing", client);
    }
}

#[test]
fn a_request_from_nobody_knows_whom_is_refused() {
    let server = start(Setup::new());
    for line in [
        "",
        "unknown",
        "198.51.100.1, _hidden",
        "198.51.100.1, lb.example.com, 10.0.0.7",
    ] {
        refused(
            &server,
            &of(line, anonymous()),
            400,
            "forwarded-for",
            "127.0.0.1",
        );
    }
    let silent = anonymous().with("X-Forwarded-Proto", "https");
    refused(&server, &silent, 400, "forwarded-for", "127.0.0.1");
    let other = silent.with("Forwarded", "for=203.0.113.9;proto=https");
    refused(&server, &other, 400, "forwarded-for", "127.0.0.1");
}

#[test]
fn a_client_that_did_not_come_over_tls_is_refused() {
    let server = start(Setup::new());
    let token = server.issuer.token("alice").mint();
    let handshake = || {
        let handshake = Handshake::new("/native").bearer(&token);
        handshake.with("X-Forwarded-For", "203.0.113.9")
    };
    refused(&server, &handshake(), 403, "not-over-tls", "203.0.113.9");
    for value in ["http", "ws", "", "https, http", "https,https", "on"] {
        let handshake = handshake().with("X-Forwarded-Proto", value);
        refused(&server, &handshake, 403, "not-over-tls", "203.0.113.9");
    }
    for (first, second) in [("https", "http"), ("http", "https"), ("https", "https")] {
        let handshake = handshake()
            .with("X-Forwarded-Proto", first)
            .with("X-Forwarded-Proto", second);
        refused(&server, &handshake, 403, "not-over-tls", "203.0.113.9");
    }
    let other = handshake()
        .with("X-Forwarded-Ssl", "on")
        .with("Forwarded", "proto=https");
    refused(&server, &other, 403, "not-over-tls", "203.0.113.9");
    assert_eq!(server.metric("wardwire_admissions_total"), 0);
}

#[test]
fn tickets_are_not_handed_out_in_the_clear_either() {
    let server = start(Setup::new());
    let token = server.issuer.token("alice").mint();
    let body = json!({ "route": "/native" }).to_string();
    let ask = |fields: &str| {
        let mut connection = Connection::plain(server.address);
        let length = body.len();
        let request = format!(
            "POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        );
        connection.send(request.as_bytes());
        connection.response()
    };
    let client = "X-Forwarded-For: 203.0.113.9\r\n";
    assert_eq!(
        ask(&format!("{client}X-Forwarded-Proto: http\r\n")).status,
        403
    );
    assert_eq!(ask("X-Forwarded-Proto: https\r\n").status, 400);
    let issued = ask(&format!("{client}X-Forwarded-Proto: https\r\n"));
    assert_eq!(issued.status, 201);
    let ticket = issued.json()["ticket"].as_str().unwrap().to_owned();
    open(
        &server,
        &of("203.0.113.9", Handshake::new("/native").ticket(&ticket)),
    );
    server.assert_unlogged(&[&token, &ticket]);
}

#[test]
fn caps_count_clients_and_never_the_balancer() {
    let server = start(Setup::new().limits("connections_per_ip = 2\n"));
    let _open = [
        open(&server, &of("203.0.113.9", anonymous())),
        open(&server, &of("198.51.100.1, 203.0.113.9", anonymous())),
    ];
    let third = of("203.0.113.9", anonymous());
    refused(&server, &third, 429, "too-many-from-address", "203.0.113.9");
    // A client that makes up addresses is still the same client.
    let made_up = of("192.0.2.77, 203.0.113.9", anonymous());
    refused(
        &server,
        &made_up,
        429,
        "too-many-from-address",
        "203.0.113.9",
    );
    let _others: Vec<Ws> = (0..20)
        .map(|n| open(&server, &of(&format!("198.51.100.{n}"), anonymous())))
        .collect();
}

#[test]
fn one_connection_may_carry_requests_of_many_clients() {
    let server = start(Setup::new().limits("connections_per_ip = 1\n"));
    let mut connection = Connection::plain(server.address);
    let token = server.issuer.token("alice").mint();
    let mut ask = |client: &str| {
        let request = format!(
            "GET /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             X-Forwarded-For: {client}\r\nX-Forwarded-Proto: https\r\n\r\n"
        );
        connection.send(request.as_bytes());
        connection.response().status
    };
    for client in [
        "203.0.113.1",
        "203.0.113.2",
        "203.0.113.1",
        "203.0.113.1",
        "203.0.113.3",
    ] {
        assert_eq!(ask(client), 200, "{client}");
    }
    // Whom the last request was not from has their place back.
    let _one = open(&server, &of("203.0.113.1", anonymous()));
    let _two = open(&server, &of("203.0.113.2", anonymous()));
    assert_eq!(ask("203.0.113.1"), 429);
}

#[test]
fn everything_else_is_asked_as_ever() {
    let server = start(Setup::new());
    let ask = |handshake: Handshake, status, reason| {
        refused(
            &server,
            &of("203.0.113.9", handshake),
            status,
            reason,
            "203.0.113.9",
        );
    };
    ask(anonymous().set("Host", "evil.test"), 421, "misdirected");
    let host = Handshake::new("/native").set("Host", "evil.test");
    ask(
        host.with("X-Forwarded-Host", "localhost"),
        421,
        "misdirected",
    );
    ask(
        anonymous().origin("https://evil.test"),
        403,
        "origin-not-allowed",
    );
    ask(Handshake::new("/live"), 403, "origin-missing");
    ask(Handshake::new("/native"), 401, "credential-missing");
    ask(
        Handshake::new("/native").line("POST /native HTTP/1.1"),
        405,
        "method-not-allowed",
    );
    // The strict reader stands in front, whoever brings the bytes.
    let both = anonymous()
        .with("Transfer-Encoding", "chunked")
        .with("Content-Length", "4");
    refused(
        &server,
        &of("203.0.113.9", both),
        400,
        "malformed-head",
        "127.0.0.1",
    );
    let events = server.audit().len();
    let mut tls = tcp(server.address);
    tls.write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        .unwrap();
    let mut said = Vec::new();
    let _ = tls.read_to_end(&mut said);
    assert!(said.starts_with(b"HTTP/1.1 400 "), "{said:?}");
    server.refused_since(events, "malformed-head");
}

#[test]
fn bytes_behind_the_handshake_are_nobodys_frames() {
    let server = start(Setup::new());
    let early = frame(0x81, b"early");
    let events = server.audit().len();
    let mut connection = Connection::plain(server.address);
    connection.send(&[of("203.0.113.9", anonymous()).text().as_bytes(), &early].concat());
    assert_eq!(connection.response().status, 400);
    server.refused_since(events, "upgrade-with-body");
}

#[test]
fn a_reader_that_stops_reading_costs_no_more_than_its_budget() {
    let limits = "outbox = \"64KiB\"\nmessages_per_second = 0\nconnections_per_subject = 1000\n";
    let server = start(Setup::new().limits(limits));
    let token = server.issuer.token("alice").mint();
    let native = || of("203.0.113.9", Handshake::new("/native").bearer(&token));
    let mut slow = open(&server, &native());
    slow.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let mut publisher = open(&server, &native());
    let data = "x".repeat(50_000);
    while server.audit().iter().all(|event| event["reason"] != "slow") {
        publisher.ok("publish", json!({ "channel": "chat/lobby", "data": data }));
    }
    server.closed(1013, "slow");
}

/// A version 2 header with what it says about TLS.
fn header(client: [u8; 4], over_tls: Option<bool>) -> Vec<u8> {
    let mut body = [&client[..], &[127, 0, 0, 1, 0x9C, 0x40, 1, 0xBB]].concat();
    if let Some(over_tls) = over_tls {
        body.extend([0x20, 0, 5, u8::from(over_tls), 0, 0, 0, 0]);
    }
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11"[..], &length, &body].concat()
}

#[test]
fn a_balancer_that_knows_no_http_says_it_by_the_proxy_protocol() {
    let server = start(Setup::new().server("proxy_protocol = { from = [\"127.0.0.1\"] }"));
    let attempt = |header: &[u8], handshake: &Handshake| {
        let mut connection = Connection::plain(server.address);
        connection.send(&[header, handshake.text().as_bytes()].concat());
        connection.response().status
    };
    // Whatever the client writes, as such a balancer passes it on.
    let lies = of("198.51.100.1", anonymous());
    for handshake in [&anonymous(), &lies] {
        assert_eq!(
            attempt(&header([203, 0, 113, 9], Some(true)), handshake),
            101
        );
        let events = server.audit().len();
        assert_eq!(
            attempt(&header([203, 0, 113, 9], Some(false)), handshake),
            403
        );
        let event = server.refused_since(events, "not-over-tls");
        assert_eq!(event["peer"], "203.0.113.9");
    }
    assert!(
        server
            .audit()
            .iter()
            .all(|event| event["peer"] != "198.51.100.1")
    );
    let events = server.audit().len();
    let mut bare = tcp(server.address);
    bare.write_all(lies.text().as_bytes()).unwrap();
    let _ = bare.read_to_end(&mut Vec::new());
    server.refused_since(events, "proxy-header");
}

#[test]
fn what_a_header_leaves_unsaid_about_tls_its_client_cannot_say() {
    let server = start(Setup::new().server("proxy_protocol = { from = [\"127.0.0.1\"] }"));
    // A balancer that knows no HTTP passes on whatever the client wrote.
    let lies = of("198.51.100.1", anonymous()).text();
    let v1 = b"PROXY TCP4 203.0.113.9 127.0.0.1 40000 443\r\n".to_vec();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
    for (header, peer) in [
        (header([203, 0, 113, 9], None), "203.0.113.9"),
        (v1, "203.0.113.9"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (local, "127.0.0.1"),
    ] {
        let events = server.audit().len();
        let mut connection = Connection::plain(server.address);
        connection.send(&[&header, lies.as_bytes()].concat());
        assert_eq!(connection.response().status, 403, "{header:?}");
        let event = server.refused_since(events, "not-over-tls");
        assert_eq!(event["peer"], peer, "{header:?}");
    }
}

#[test]
fn a_second_header_is_nothing_that_a_client_can_bring() {
    let server = start(Setup::new().server("proxy_protocol = { from = [\"127.0.0.1\"] }"));
    let first = header([203, 0, 113, 9], Some(true));
    for second in [
        header([198, 51, 100, 1], Some(true)),
        b"PROXY TCP4 198.51.100.1 127.0.0.1 1 2\r\n".to_vec(),
    ] {
        let events = server.audit().len();
        let mut connection = Connection::plain(server.address);
        connection.send(&[&first, &second, anonymous().text().as_bytes()].concat());
        assert_eq!(connection.response().status, 400);
        let event = server.refused_since(events, "malformed-head");
        assert_eq!(event["peer"], "203.0.113.9");
    }
}
