use std::io::{Read as _, Write as _};

use crate::harness::{Connection, Server, tcp};

#[test]
fn attack_081_admin_calls_without_the_token() {
    let server = Server::start();
    for fields in [
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer wrong\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Basic YTpi\r\n",
    ] {
        for (method, path) in [
            ("GET", "/metrics"),
            ("POST", "/revocations"),
            ("GET", "/nope"),
        ] {
            let response = server.admin_raw(method, path, fields, "{}");
            assert_eq!(response.status, 401, "{fields:?} {path}");
            assert_eq!(response.header("www-authenticate"), "Bearer");
        }
    }
    server.admin_raw("GET", "/last", "", "");
    server.audited(|event| event["path"] == "/last");
    let refusals = server
        .audit()
        .into_iter()
        .filter(|event| event["stage"] == "admin" && event["status"] == 401)
        .count();
    assert_eq!(refusals, 16, "each is written down");
    assert_eq!(server.admin("GET", "/metrics", "").status, 200);
}

#[test]
fn attack_081_nothing_of_it_is_on_the_public_listener() {
    let server = Server::start();
    for path in ["/metrics", "/revocations", "/health/live", "/health/ready"] {
        let mut connection = server.connect();
        let token = &server.admin_token;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        connection.send(request.as_bytes());
        assert_eq!(connection.response().status, 404, "{path}");
    }
}

#[test]
fn attack_081_connections_that_ask_nothing_are_few_and_end() {
    let server = Server::start();
    let mut silent: Vec<_> = (0..32).map(|_| Connection::plain(server.admin)).collect();
    let mut one_more = tcp(server.admin);
    let _ = one_more.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut said = Vec::new();
    let _ = one_more.read_to_end(&mut said);
    assert_eq!(said, b"", "no place, no answer");
    server.echo();
    // Each of them ends by itself, and its place is another's.
    assert!(silent.iter_mut().all(|it| it.rest() == 0));
    assert_eq!(server.admin("GET", "/metrics", "").status, 200);
}

#[test]
fn attack_081_a_body_is_read_so_far_and_no_further() {
    let server = Server::start();
    let body = |pad: usize| {
        let subject = "x".repeat(pad);
        format!(r#"{{"issuer":"https://id.test","subject":"{subject}"}}"#)
    };
    let rest = body(0).len();
    let fits = server.admin("POST", "/revocations", &body(16 * 1024 - rest));
    let larger = server.admin("POST", "/revocations", &body(16 * 1024 - rest + 1));
    assert_eq!(
        (fits.status, larger.status),
        (200, 400),
        "{fits:?} {larger:?}"
    );
}

#[test]
fn attack_081_pages_and_rebound_names_have_no_business_here() {
    let server = Server::start();
    let token = &server.admin_token;
    let ask = |host: &str, fields: &str| {
        let mut connection = crate::harness::Connection::plain(server.admin);
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{fields}\r\n"
        );
        connection.send(request.as_bytes());
        connection.response().status
    };
    assert_eq!(ask("localhost", ""), 200);
    assert_eq!(ask("127.0.0.1:9090", ""), 200);
    assert_eq!(ask("rebound.evil.test", ""), 421);
    assert_eq!(ask("localhost\r\nHost: rebound.evil.test", ""), 421);
    assert_eq!(ask("localhost", "Origin: https://localhost\r\n"), 403);
    assert_eq!(ask("localhost", "Sec-Fetch-Site: cross-site\r\n"), 403);
    assert_eq!(ask("localhost", "Sec-Fetch-Site: none\r\n"), 200);
}

#[test]
fn health_needs_no_token_and_tells_nothing() {
    let server = Server::start();
    assert_eq!(server.admin_raw("GET", "/health/live", "", "").body, "ok\n");
    assert_eq!(
        server.admin_raw("GET", "/health/ready", "", "").body,
        "ok\n"
    );
}

#[test]
fn a_revocation_that_is_not_understood_changes_nothing() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for body in [
        "",
        "{}",
        r#"{"issuer":"https://id.test","user":"alice"}"#,
        r#"{"issuer":"https://id.test","token":"a","subject":"b"}"#,
        r#"{"issuer":"https://id.test","subject":null}"#,
        r#"{"issuer":"https://id.test","subject":""}"#,
        r#"{"issuer":"https://id.test","token":null}"#,
        r#"{"issuer":"https://id.test","subject":"alice","issued_before":null}"#,
        r#"{"issuer":"https://id.test","token":"a","issued_before":1}"#,
        r#"{"issuer":"https://id.test","subject":"alice","issued_before":1800000000000}"#,
        r#"{"issuer":"https://id.test/","subject":"alice"}"#,
        r#"{"issuer":"https://id.test","issuer":"https://id.test"}"#,
        &format!(r#"{{"issuer":"{}"}}"#, "x".repeat(20_000)),
    ] {
        assert_eq!(
            server.admin("POST", "/revocations", body).status,
            400,
            "{body}"
        );
    }
    server.admin_raw("GET", "/last", "", "");
    server.audited(|event| event["path"] == "/last");
    let written = server.audit();
    assert!(written.iter().all(|event| event["event"] != "revocation"));
    ws.ok("ping", serde_json::json!({}));
}

#[test]
fn a_revocation_is_written_down_with_what_it_took_back() {
    let server = Server::start();
    let body = r#"{"issuer":"https://id.test","token":"t-1"}"#;
    assert_eq!(server.admin("POST", "/revocations", body).status, 200);
    let event = server.audited(|event| event["event"] == "revocation");
    assert_eq!(event["issuer"], "https://id.test");
    assert_eq!(event["detail"], "token t-1");
    assert_eq!(event["ended"], 0);
}

crate::harness::over_http2![attack_081_nothing_of_it_is_on_the_public_listener,];
