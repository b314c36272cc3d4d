//! The plain port beside the real one.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    thread,
};

use crate::harness::{Connection, Handshake, Response, Server, Setup, tcp, tcp_from};

fn start(lines: &str) -> (Server, SocketAddr) {
    start_with(lines, "handshake = \"1s\"\n")
}

/// One that waits for as long as a test takes.
fn start_patient() -> (Server, SocketAddr) {
    start_with("", "handshake = \"60s\"\n")
}

fn start_with(lines: &str, limits: &str) -> (Server, SocketAddr) {
    let server = Setup::new()
        .server(&format!("redirect = \"127.0.0.1:0\"\n{lines}"))
        .limits(limits)
        .start();
    let plain = server.redirect.unwrap();
    (server, plain)
}

/// Asks once; the connection must be closed behind the answer.
fn ask(plain: SocketAddr, request: &str) -> Response {
    let mut connection = Connection::plain(plain);
    connection.send(request.as_bytes());
    let response = connection.response();
    assert_eq!(response.header("connection"), "close", "{response:?}");
    assert_eq!(connection.rest(), 0, "{response:?}");
    for never in ["set-cookie", "strict-transport-security", "upgrade"] {
        assert_eq!(response.header(never), "", "{never}");
    }
    response
}

fn get(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: __Host-wardwire=abc\r\n\r\n")
}

/// Demands a refusal, and an event with the precise reason.
fn refused(server: &Server, request: &str, status: u16, reason: &str) -> Response {
    let events = server.audit().len();
    let response = ask(server.redirect.unwrap(), request);
    assert_eq!(response.status, status, "{request:?}");
    assert_eq!(response.header("location"), "");
    let event = server.refused_since(events, reason);
    assert_eq!(
        (&event["stage"], &event["status"]),
        (&"redirect".into(), &status.into())
    );
    response
}

#[test]
fn browsers_are_sent_to_https_with_path_and_query() {
    let (server, plain) = start("");
    let port = server.address.port();
    for (host, target, location) in [
        ("localhost", "/", format!("https://localhost:{port}/")),
        (
            "LocalHost.:80",
            "/a/b",
            format!("https://localhost:{port}/a/b"),
        ),
        (
            "other.localhost",
            "/a?b=c&d=%20%2F",
            format!("https://other.localhost:{port}/a?b=c&d=%20%2F"),
        ),
        (
            "localhost",
            "//evil.test/x",
            format!("https://localhost:{port}//evil.test/x"),
        ),
        ("127.0.0.1", "/?a", format!("https://127.0.0.1:{port}/?a")),
    ] {
        for method in ["GET", "HEAD"] {
            let response = ask(plain, &get(host, target).replace("GET", method));
            assert_eq!(response.status, 308);
            assert_eq!(response.header("location"), location);
            assert_eq!(response.body, "");
        }
    }
    assert!(
        server
            .audit()
            .iter()
            .all(|event| event["event"] != "refusal")
    );
}

#[test]
fn the_port_can_be_another_than_the_one_it_listens_on() {
    let (_server, plain) = start("redirect_port = 443");
    let response = ask(plain, &get("localhost", "/"));
    assert_eq!(response.header("location"), "https://localhost/");
    let (_server, plain) = start("hosts = [\"::1\"]\nredirect_port = 8443");
    let response = ask(plain, &get("[::1]", "/"));
    assert_eq!(response.header("location"), "https://[::1]:8443/");
}

#[test]
fn a_stranger_is_sent_nowhere() {
    let (server, _) = start("");
    for host in ["evil.test", "localhost.evil.test", "10.0.0.1"] {
        refused(&server, &get(host, "/"), 421, "misdirected");
    }
    for host in [
        "",
        "a b",
        "localhost/",
        "localhost:x",
        "[::1",
        "user@localhost",
    ] {
        refused(&server, &get(host, "/"), 400, "bad-host");
    }
}

#[test]
fn nothing_but_get_and_head_is_answered() {
    let (server, _) = start("");
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get",
    ] {
        let request = get("localhost", "/").replacen("GET", method, 1);
        let response = refused(&server, &request, 405, "method-not-allowed");
        assert_eq!(response.header("allow"), "GET, HEAD");
    }
    let with_body = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
    refused(&server, with_body, 405, "method-not-allowed");
    for target in [
        "http://localhost/",
        "https://evil.test/",
        "*",
        "localhost:443",
        "a",
    ] {
        refused(&server, &get("localhost", target), 400, "malformed-head");
    }
}

#[test]
fn heads_are_read_as_strictly_as_everywhere() {
    let (server, _) = start("");
    for fields in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n",
        "X: a\r\n b\r\n",
        "X: a\nY: b\r\n",
        "X: a\0b\r\n",
    ] {
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        refused(&server, &request, 400, "malformed-head");
    }
    refused(&server, "GET / HTTP/1.1\r\n\r\n", 400, "bad-host");
    refused(
        &server,
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
        400,
        "bad-host",
    );
    let many = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        "X: y\r\n".repeat(101)
    );
    refused(&server, &many, 431, "head-too-large");
    refused(
        &server,
        &get("localhost", &format!("/{}", "x".repeat(8192))),
        414,
        "target-too-long",
    );
}

#[test]
fn it_never_upgrades_and_answers_once() {
    let (server, plain) = start("");
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/native").bearer(&token).text();
    assert_eq!(ask(plain, &handshake).status, 308);
    // A second request on the connection is not answered: `ask` reads to the end.
    let twice = get("localhost", "/").repeat(2);
    assert_eq!(ask(plain, &twice).status, 308);
    assert_eq!(server.metric("wardwire_admissions_total"), 0);
}

#[test]
fn a_token_in_a_url_reaches_no_log() {
    let (server, plain) = start("");
    let token = server.issuer.token("alice").mint();
    let response = ask(
        plain,
        &get("localhost", &format!("/live?access_token={token}")),
    );
    assert_eq!(response.status, 308);
    refused(
        &server,
        &get("evil.test", &format!("/live?access_token={token}")),
        421,
        "misdirected",
    );
    refused(
        &server,
        &get("evil.test", &format!("/live/{token}")),
        421,
        "misdirected",
    );
    assert_eq!(server.refused("misdirected")["path"], "/live");
    server.assert_unlogged(&[&token]);
}

#[test]
fn a_head_that_never_ends_is_answered_at_the_deadline() {
    let (server, plain) = start("");
    let events = server.audit().len();
    let mut connection = Connection::plain(plain);
    for byte in get("localhost", "/").bytes().take(20) {
        connection.send(&[byte]);
    }
    assert_eq!(connection.response().status, 408);
    assert_eq!(connection.rest(), 0);
    server.refused_since(events, "handshake-timeout");
    // Who says nothing is told nothing, and nothing is written down about them.
    let events = server.audit().len();
    let mut silent = tcp(plain);
    let mut said = Vec::new();
    assert_eq!(silent.read_to_end(&mut said).unwrap(), 0);
    assert_eq!(server.audit().len(), events);
}

#[test]
fn a_head_cut_at_any_byte_is_no_request() {
    let (_server, plain) = start("");
    let request = get("localhost", "/");
    for cut in 0..request.len() {
        let mut tcp = tcp(plain);
        tcp.write_all(&request.as_bytes()[..cut]).unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        let mut said = Vec::new();
        let _ = tcp.read_to_end(&mut said);
        assert_eq!(said, b"", "cut at {cut}");
    }
}

#[test]
fn one_address_cannot_take_all_of_it() {
    let (server, plain) = start_patient();
    let held: Vec<_> = (0..32).map(|_| tcp(plain)).collect();
    let dropped = || server.metric("wardwire_connections_dropped_total");
    let mut one_more = tcp(plain);
    let _ = one_more.write_all(get("localhost", "/").as_bytes());
    let mut said = Vec::new();
    let _ = one_more.read_to_end(&mut said);
    assert_eq!((said, dropped()), (Vec::new(), 1));
    let mut other = Connection::on(tcp_from([127, 0, 0, 2], plain));
    other.send(get("localhost", "/").as_bytes());
    assert_eq!(other.response().status, 308);
    // And the real port is as open as ever.
    server.echo();
    drop(held);
}

#[test]
fn many_addresses_together_take_so_much_of_it_and_no_more() {
    let (server, plain) = start_patient();
    let held: Vec<_> = (0..256_u32)
        .map(|number| tcp_from([127, 0, 1, u8::try_from(1 + number / 32).unwrap()], plain))
        .collect();
    let mut one_more = tcp_from([127, 0, 0, 2], plain);
    let _ = one_more.write_all(get("localhost", "/").as_bytes());
    let mut said = Vec::new();
    let _ = one_more.read_to_end(&mut said);
    let dropped = server.metric("wardwire_connections_dropped_total");
    assert_eq!((said, dropped), (Vec::new(), 1));
    server.echo();
    drop(held);
    let is_let_in = || {
        let mut visitor = Connection::on(tcp_from([127, 0, 0, 2], plain));
        visitor.try_send(get("localhost", "/").as_bytes()) && visitor.try_response().is_some()
    };
    while !is_let_in() {
        thread::yield_now();
    }
}

#[test]
fn a_number_in_the_audit_log_names_one_connection_whichever_port_it_came_to() {
    let (server, plain) = start("");
    let misdirected = || ask(plain, &get("evil.test", "/")).status;
    assert_eq!(misdirected(), 421);
    let mut secure = server.connect();
    secure.send(b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n");
    assert_eq!(secure.response().status, 421);
    assert_eq!(misdirected(), 421);
    server.audited(|event| event["reason"] == "misdirected" && event["connection"] == 3);
    let events = server.audit();
    let numbers: Vec<u64> = events
        .iter()
        .filter_map(|event| event["connection"].as_u64())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}
