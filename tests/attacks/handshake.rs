use super::{keys, live, native, refused, refused_bytes};
use crate::harness::{Connection, Handshake, ORIGIN, Over, Server, Setup, frame};

fn post(fields: &str) -> String {
    format!("POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")
}

#[test]
fn attack_001_ambiguous_lengths_and_folded_lines() {
    let server = Server::start();
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: 4\r\nX-Folded: a\r\n b\r\n",
    ] {
        refused_bytes(&server, post(fields).as_bytes(), 400, "malformed-head");
    }
}

#[test]
fn attack_001_also_on_the_second_request_of_a_connection() {
    let server = Server::start();
    let mut connection = server.connect();
    let token = server.issuer.token("alice").mint();
    let good = format!(
        "GET /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.send(good.as_bytes());
    assert_eq!(connection.response().status, 200);
    let bad = post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n");
    connection.send(bad.as_bytes());
    assert_eq!(connection.response().status, 400);
    assert_eq!(connection.rest(), 0);
    server.refused("malformed-head");
}

#[test]
fn attack_002_transfer_encodings() {
    let server = Server::start();
    for coding in [
        "chunked",
        "gzip",
        "identity",
        "xchunked",
        "chunked, chunked",
    ] {
        let request = post(&format!("Transfer-Encoding: {coding}\r\n"));
        refused_bytes(&server, request.as_bytes(), 501, "transfer-encoding");
    }
}

#[test]
fn attack_003_a_handshake_with_a_body() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let handshake = native(&token).with("Content-Length", "5");
    refused_bytes(
        &server,
        format!("{}hello", handshake.text()).as_bytes(),
        400,
        "upgrade-with-body",
    );
}

#[test]
fn attack_004_bytes_behind_the_handshake() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let early = crate::harness::frame(0x81, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    let bytes = [native(&token).text().as_bytes(), &early].concat();
    refused_bytes(&server, &bytes, 400, "upgrade-with-body");
    assert!(
        server
            .audit()
            .iter()
            .all(|event| event["event"] != "admission")
    );
}

#[test]
fn attack_004_bytes_while_the_gate_is_still_asking() {
    let (server, issuer) = keys::start();
    issuer.serve_keys(&server.issuer.jwks());
    issuer.hold();
    let token = server.issuer.token("alice").mint();
    let mut connection = server.connect();
    connection.send(native(&token).text().as_bytes());
    issuer.wait_for(1);
    connection.send(&frame(
        0x81,
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
    ));
    issuer.release();
    assert!(connection.try_response().is_none(), "there is no 101");
    server.closed(1006, "the 101 was not written");
    // What was taken for it is given back.
    assert_eq!(server.metric("wardwire_sockets_open"), 0);
}

#[test]
fn attack_005_heads_and_targets_that_are_too_large() {
    let server = Server::start();
    let large = Handshake::new("/native").with("X", &"x".repeat(17 * 1024));
    refused(&server, &large, 431, "head-too-large");
    let many = (0..101).fold(Handshake::new("/native"), |it, n| {
        it.with(&format!("X-{n}"), "x")
    });
    refused(&server, &many, 431, "head-too-large");
    let long = Handshake::new(&format!("/{}", "x".repeat(8 * 1024)));
    refused(&server, &long, 414, "target-too-long");
}

#[test]
fn attack_006_a_head_that_never_ends() {
    let server = Setup::new().limits("handshake = \"1s\"\n").start();
    let mut other = server.echo();
    let mut connection = server.connect();
    // One byte after another, and the last one never.
    for byte in Handshake::new("/native").text().bytes().take(150) {
        connection.send(&[byte]);
        other.send(0x82, b"still here");
        assert_eq!(other.next().unwrap().payload, b"still here");
    }
    assert_eq!(connection.response().status, 408);
    assert_eq!(connection.rest(), 0);
    server.refused("handshake-timeout");
    other.send(0x82, b"still here");
    assert_eq!(other.next().unwrap().payload, b"still here");
}

#[test]
fn attack_006_a_body_that_never_ends() {
    let server = Setup::new().limits("handshake = \"1s\"\n").start();
    let mut connection = server.connect();
    connection.send(post("Content-Type: application/json\r\nContent-Length: 100\r\n").as_bytes());
    connection.send(b"{\"route\":");
    assert_eq!(connection.response().status, 408);
    assert_eq!(connection.rest(), 0);
    server.refused("handshake-timeout");
}

#[test]
fn attack_006_a_connection_that_asks_for_nothing_more() {
    let server = Setup::new().limits("handshake = \"1s\"\n").start();
    let token = server.issuer.token("alice").mint();
    let mut connection = server.connect();
    let ask = format!(
        "GET /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.send(ask.as_bytes());
    assert_eq!(connection.response().status, 200);
    assert_eq!(connection.rest(), 0, "it is dropped");
}

#[test]
fn attack_006_a_tls_hello_that_never_ends() {
    let server = Setup::new().limits("handshake = \"1s\"\n").start();
    let mut silent = Connection::plain(server.address);
    silent.send(&[22, 3, 1, 0, 200, 1]);
    assert_eq!(silent.rest(), 0);
    let event = server.refused("tls-failed");
    assert_eq!(event["stage"], "tls");
}

#[test]
fn attack_007_versions_other_than_13() {
    let server = Server::start();
    for version in ["8", "0", "14", "13, 8", ""] {
        let handshake = Handshake::new("/echo").set("Sec-WebSocket-Version", version);
        let response = refused(&server, &handshake, 426, "bad-version");
        assert_eq!(response.header("sec-websocket-version"), "13");
    }
}

#[test]
fn attack_008_keys_that_are_no_keys() {
    let server = Server::start();
    let good = Handshake::new("/echo");
    refused(
        &server,
        &good.clone().without("Sec-WebSocket-Key"),
        400,
        "bad-handshake",
    );
    refused(
        &server,
        &good
            .clone()
            .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        400,
        "bad-handshake",
    );
    for key in [
        "",
        "c2hvcnQ=",
        "dGhlIHNhbXBsZSBub25jZSE=",
        "!!!!!!!!!!!!!!!!!!!!!!==",
        "dGhlIHNhbXBsZSBub25jZR==",
    ] {
        refused(
            &server,
            &good.clone().set("Sec-WebSocket-Key", key),
            400,
            "bad-handshake",
        );
    }
}

#[test]
fn attack_009_control_characters_in_heads() {
    let server = Server::start();
    for head in [
        "GET /echo HTTP/1.1\nHost: localhost\n\n",
        "GET /echo HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: localhost\r\nX: a\rb\r\n\r\n",
        "GET /echo HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
    ] {
        refused_bytes(&server, head.as_bytes(), 400, "malformed-head");
    }
}

#[test]
fn attack_010_hosts_that_are_missing_doubled_or_foreign() {
    let server = Server::start();
    let good = Handshake::new("/echo");
    refused(&server, &good.clone().without("Host"), 400, "bad-host");
    refused(
        &server,
        &good.clone().with("Host", "localhost"),
        400,
        "bad-host",
    );
    for host in [
        "",
        "local host",
        "localhost:http",
        "user@localhost",
        "localhost:99999",
    ] {
        refused(&server, &good.clone().set("Host", host), 400, "bad-host");
    }
    refused(
        &server,
        &good.clone().set("Host", "evil.test"),
        421,
        "misdirected",
    );
    // Ours, but not the name TLS was agreed for; a balancer that ended TLS does not say for which it was.
    if server.behind.is_none() {
        refused(
            &server,
            &good.set("Host", "other.localhost"),
            421,
            "misdirected",
        );
    }
}

#[test]
fn attack_011_methods_that_open_no_sockets() {
    let server = Server::start();
    for method in ["POST", "TRACE", "PUT", "HEAD"] {
        let handshake = Handshake::new("/echo").line(&format!("{method} /echo HTTP/1.1"));
        let mut connection = server.connect();
        connection.send(handshake.text().as_bytes());
        let status = connection
            .take(12)
            .map(|head| String::from_utf8(head).unwrap());
        assert_eq!(status.as_deref(), Some("HTTP/1.1 405"), "{method}");
        server.refused("method-not-allowed");
    }
    let mut connection = server.connect();
    connection.send(b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(connection.response().status >= 400);
}

#[test]
fn attack_012_an_upgrade_that_connection_does_not_name() {
    let server = Server::start();
    let good = Handshake::new("/echo");
    refused(
        &server,
        &good.clone().without("Connection"),
        400,
        "bad-handshake",
    );
    refused(
        &server,
        &good.clone().set("Connection", "keep-alive"),
        400,
        "bad-handshake",
    );
    refused(&server, &good.set("Upgrade", "h2c"), 400, "bad-handshake");
}

#[test]
fn attack_013_forwarded_and_identity_headers_are_not_believed() {
    let server = Setup::new()
        .limits(&format!(
            "connections_per_ip = {}\n",
            2 * Over::chosen().places()
        ))
        .start();
    let claims = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("Forwarded", "for=203.0.113.9;host=evil.test"),
        ("X-Forwarded-Host", "evil.test"),
        ("X-Forwarded-Proto", "http"),
        ("X-Real-IP", "203.0.113.9"),
        ("X-User", "root"),
        ("X_User", "root"),
        ("X-Forwarded-User", "root"),
    ];
    let claim = |handshake: Handshake| {
        claims
            .iter()
            .fold(handshake, |it, (name, value)| it.with(name, value))
    };
    // On a server of its own: a refused connection counts until it is closed.
    refused(
        &Server::start(),
        &claim(Handshake::new("/native")),
        401,
        "credential-missing",
    );
    let _first = server.open(claim(
        Handshake::new("/echo").without("Sec-WebSocket-Protocol"),
    ));
    let _second = server.open(claim(
        Handshake::new("/echo").without("Sec-WebSocket-Protocol"),
    ));
    // A third from this address, whatever address it claims.
    refused(
        &server,
        &claim(Handshake::new("/echo")),
        429,
        "too-many-from-address",
    );
    assert!(
        server
            .audit()
            .iter()
            .all(|event| event["subject"].is_null())
    );
    assert!(
        server
            .audit()
            .iter()
            .all(|event| event["peer"].is_null() || event["peer"] == "127.0.0.1")
    );
}

#[test]
fn attack_014_old_versions_of_tls() {
    let server = Server::start();
    for version in [1, 2] {
        // A hello of TLS 1.0 or 1.1 with one of its suites and no extensions.
        let mut hello = vec![3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0x00, 0x2F, 1, 0]);
        let length = u8::try_from(hello.len()).unwrap();
        let record = [&[22, 3, 1, 0, length + 4, 1, 0, 0, length], &hello[..]].concat();
        let mut connection = Connection::plain(server.address);
        connection.send(&record);
        let alert = connection.take(7).expect("an alert");
        assert_eq!((alert[0], alert[5]), (21, 2), "a fatal alert: {alert:?}");
        server.refused("tls-failed");
    }
}

#[test]
fn attack_014_what_is_still_good() {
    let server = Server::start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(crate::harness::roots(&server))
            .with_no_client_auth();
        let mut connection = Connection::over(&server, config, "localhost");
        connection.send(Handshake::new("/echo").text().as_bytes());
        assert_eq!(connection.response().status, 101, "{version:?}");
    }
    // Plain HTTP is not even answered as such.
    let mut plain = Connection::plain(server.address);
    plain.send(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = plain.take(1).expect("an alert");
    assert_eq!(answer, [21]);
    server.refused("tls-failed");
}

#[test]
fn attack_014_early_data_is_not_offered() {
    let server = Server::start();
    let mut config = crate::harness::tls(&server);
    config.enable_early_data = true;
    let config = std::sync::Arc::new(config);
    for _ in 0..2 {
        let name = "localhost".try_into().unwrap();
        let mut session = rustls::ClientConnection::new(config.clone(), name).unwrap();
        assert!(session.early_data().is_none(), "no ticket allows it");
        let mut tcp = crate::harness::tcp(server.address);
        while session.is_handshaking() {
            session.complete_io(&mut tcp).unwrap();
        }
        // A ticket would come right behind the handshake, before any answer.
        let mut stream = rustls::Stream::new(&mut session, &mut tcp);
        let request = Handshake::new("/nowhere").text();
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        std::io::Read::read_exact(&mut stream, &mut [0; 12]).unwrap();
        assert_eq!(session.tls13_tickets_received(), 0);
        let group = session.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(
            group,
            rustls::NamedGroup::X25519MLKEM768,
            "post-quantum is preferred"
        );
    }
}

#[test]
fn attack_023_a_rebound_name_is_not_ours() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let rebound = live(&token).set("Host", "rebound.evil.test").origin(ORIGIN);
    refused(&server, &rebound, 421, "misdirected");
}

#[test]
fn attack_023_without_a_name_in_tls_the_host_is_judged_alone() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    for (host, status) in [
        ("rebound.evil.test", 421),
        ("127.0.0.1", 101),
        ("localhost", 101),
    ] {
        let mut nameless = Connection::open(&server, "127.0.0.1");
        let handshake = live(&token).set("Host", host);
        nameless.send(handshake.text().as_bytes());
        assert_eq!(nameless.response().status, status, "{host}");
    }
}

crate::harness::over_http2![
    attack_003_a_handshake_with_a_body,
    attack_005_heads_and_targets_that_are_too_large,
    attack_006_a_connection_that_asks_for_nothing_more,
    attack_007_versions_other_than_13,
    attack_011_methods_that_open_no_sockets,
    attack_013_forwarded_and_identity_headers_are_not_believed,
    attack_023_a_rebound_name_is_not_ours,
    attack_023_without_a_name_in_tls_the_host_is_judged_alone,
];
