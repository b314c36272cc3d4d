//! Attacks on real browser sessions: the demo has the sign-in that opens them.

use serde_json::json;

use super::refused;
use crate::harness::{Handshake, Response, Server, Ws};

/// A signed-in browser.
struct Browser {
    /// The cookie's value.
    cookie: String,
    token: String,
}

fn ask(server: &Server, method: &str, path: &str, fields: &str, body: &str) -> Response {
    let mut connection = server.connect();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
    );
    connection.send(request.as_bytes());
    connection.response()
}

fn from_page(server: &Server, cookie: &str) -> String {
    let origin = server.own_origin();
    format!("Origin: {origin}\r\nCookie: __Host-wardwire={cookie}\r\n")
}

fn sign_in(server: &Server, account: &str) -> Browser {
    let fields = format!("Origin: {}\r\n", server.own_origin());
    let body = json!({ "account": account }).to_string();
    let response = ask(server, "POST", "/.wardwire/demo/sign-in", &fields, &body);
    assert_eq!(response.status, 200, "{response:?}");
    let set = response.header("set-cookie");
    let (cookie, _) = set
        .strip_prefix("__Host-wardwire=")
        .unwrap()
        .split_once(';')
        .unwrap();
    Browser {
        cookie: cookie.into(),
        token: response.json()["access_token"].as_str().unwrap().into(),
    }
}

fn live(server: &Server, cookie: &str) -> Handshake {
    Handshake::new("/live")
        .origin(&server.own_origin())
        .with("Cookie", &format!("__Host-wardwire={cookie}"))
}

/// The same, which says that it stands on the cookie and on nothing else.
fn alone(handshake: Handshake) -> Handshake {
    offering(handshake, "wardwire.v1, wardwire.session")
}

fn offering(handshake: Handshake, subprotocols: &str) -> Handshake {
    handshake.set("Sec-WebSocket-Protocol", subprotocols)
}

fn whoami(server: &Server, cookie: &str) -> Response {
    let fields = from_page(server, cookie);
    ask(server, "GET", "/.wardwire/session", &fields, "")
}

fn ticket(server: &Server, cookie: &str) -> String {
    let fields = from_page(server, cookie);
    let response = ask(
        server,
        "POST",
        "/.wardwire/tickets",
        &fields,
        r#"{"route":"/live"}"#,
    );
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["ticket"].as_str().unwrap().to_owned()
}

#[test]
fn attack_022_a_real_cookie_from_every_page_but_ours() {
    let server = Server::demo();
    let cookie = sign_in(&server, "alice").cookie;
    let port = server.address.port();
    server.open(live(&server, &cookie));
    for (origin, reason) in [
        (
            format!("https://localhost:{}", port + 1),
            "origin-not-allowed",
        ),
        (
            format!("https://127.0.0.1:{}", port + 1),
            "origin-not-allowed",
        ),
        (
            format!("https://sub.localhost:{port}"),
            "origin-not-allowed",
        ),
        (format!("http://localhost:{port}"), "origin-not-allowed"),
        ("null".into(), "origin-malformed"),
    ] {
        for of in [live(&server, &cookie), alone(live(&server, &cookie))] {
            refused(&server, &of.origin(&origin), 403, reason);
        }
    }
    for of in [live(&server, &cookie), alone(live(&server, &cookie))] {
        let twice = of.clone().with("Origin", &server.own_origin());
        refused(&server, &twice, 403, "origin-malformed");
        refused(&server, &of.without("Origin"), 403, "origin-missing");
    }
}

#[test]
fn attack_022_a_real_cookie_alone_opens_its_users_socket_and_speaks_the_protocol() {
    let server = Server::demo();
    for name in ["alice", "bob"] {
        let cookie = sign_in(&server, name).cookie;
        for offered in [
            "wardwire.v1, wardwire.session",
            "wardwire.session, wardwire.v1",
        ] {
            let mut connection = server.connect();
            let handshake = offering(live(&server, &cookie), offered);
            connection.send(handshake.text().as_bytes());
            let response = connection.response();
            assert_eq!(response.status, 101, "{response:?}");
            assert_eq!(response.header("sec-websocket-protocol"), "wardwire.v1");
            let told = Ws::new(connection).json();
            assert_eq!(told["method"], "welcome");
            assert_eq!(told["params"]["handle"], name);
        }
        let nothing_else = offering(live(&server, &cookie), "wardwire.session");
        refused(&server, &nothing_else, 400, "subprotocol");
    }
}

#[test]
fn attack_021_a_real_cookie_by_another_name_or_beside_another_proof() {
    let server = Server::demo();
    let Browser { cookie, token } = sign_in(&server, "alice");
    // Others that a sibling or a page without TLS could have written (RFC 6265bis §4.1.3).
    for name in [
        "wardwire",
        "__Secure-wardwire",
        "__host-wardwire",
        "__Host-Wardwire",
    ] {
        let planted = live(&server, "").set("Cookie", &format!("{name}={cookie}"));
        refused(&server, &alone(planted), 401, "credential-missing");
    }
    let other = sign_in(&server, "bob").cookie;
    for twice in [&cookie, &other] {
        let both = format!("__Host-wardwire={cookie}; __Host-wardwire={twice}");
        let both = alone(live(&server, "").set("Cookie", &both));
        refused(&server, &both, 400, "credential-conflict");
    }
    let by_token = alone(live(&server, &cookie).bearer(&token));
    refused(&server, &by_token, 400, "credential-conflict");
    let ticket = ticket(&server, &cookie);
    let offered = format!("wardwire.v1, wardwire.session, wardwire.ticket.{ticket}");
    let by_ticket = offering(live(&server, &cookie), &offered);
    refused(&server, &by_ticket, 401, "credential-missing");
    let without = by_ticket.without("Cookie");
    refused(&server, &without, 401, "credential-missing");
}

#[test]
fn attack_037_a_ticket_of_another_session() {
    let server = Server::demo();
    let (alice, bob) = (sign_in(&server, "alice"), sign_in(&server, "bob"));
    let stolen = ticket(&server, &alice.cookie);
    let with = |cookie: &str, ticket: &str| live(&server, cookie).ticket(ticket);
    refused(&server, &with(&bob.cookie, &stolen), 401, "ticket-binding");
    // It was seen elsewhere, so it opens nothing any more.
    refused(
        &server,
        &with(&alice.cookie, &stolen),
        401,
        "ticket-unknown",
    );
    // The same user's other browser is another session too.
    let other = sign_in(&server, "alice");
    let fresh = ticket(&server, &alice.cookie);
    refused(&server, &with(&other.cookie, &fresh), 401, "ticket-binding");
    let fresh = ticket(&server, &alice.cookie);
    server.open(with(&alice.cookie, &fresh));
}

#[test]
fn attack_078_a_sign_out_ends_all_that_the_session_opened() {
    let server = Server::demo();
    let alice = sign_in(&server, "alice");
    let elsewhere = sign_in(&server, "alice");
    let native = || Handshake::new("/live").bearer(&alice.token);
    let by_ticket = ticket(&server, &alice.cookie);
    let unused = ticket(&server, &alice.cookie);
    let mut sockets = [
        server.open(live(&server, &alice.cookie)),
        server.open(live(&server, &alice.cookie).ticket(&by_ticket)),
        server.open(native()),
        server.open(alone(live(&server, &alice.cookie))),
    ];
    let mut other = server.open(live(&server, &elsewhere.cookie));
    let fields = from_page(&server, &alice.cookie);
    let response = ask(&server, "DELETE", "/.wardwire/session", &fields, "");
    assert_eq!(response.status, 204);
    assert!(response.header("set-cookie").contains("Max-Age=0"));
    let [_, _, _, by_cookie] = &mut sockets;
    assert_eq!(by_cookie.json()["method"], "welcome");
    for socket in &mut sockets {
        socket.closes(3000, "logged-out");
    }
    other.ok("ping", json!({}));
    let event = server.audited(|event| event["event"] == "sign-out");
    assert_eq!(
        (&event["subject"], &event["ended"]),
        (&json!("alice"), &json!(4))
    );
    for of in [
        live(&server, &alice.cookie),
        alone(live(&server, &alice.cookie)),
    ] {
        refused(&server, &of, 401, "session-unknown");
    }
    refused(&server, &native(), 401, "revoked");
    let ticket_alone = Handshake::new("/live")
        .origin(&server.own_origin())
        .ticket(&unused);
    refused(&server, &ticket_alone, 401, "revoked");
    // Once more changes nothing.
    assert_eq!(
        ask(&server, "DELETE", "/.wardwire/session", &fields, "").status,
        401
    );
}

#[test]
fn attack_082_foreign_pages_with_the_real_cookie() {
    let server = Server::demo();
    let alice = sign_in(&server, "alice");
    let cookie = format!("Cookie: __Host-wardwire={}\r\n", alice.cookie);
    let port = server.address.port() + 1;
    let mut ws = server.open(live(&server, &alice.cookie));
    for origin in [
        format!("Origin: https://localhost:{port}\r\n"),
        "Origin: null\r\n".into(),
        String::new(),
    ] {
        let fields = format!("{origin}{cookie}");
        let sign_in = r#"{"account":"mallory"}"#;
        let attempts = [
            ("POST", "/.wardwire/demo/sign-in", sign_in),
            ("DELETE", "/.wardwire/session", ""),
            ("POST", "/.wardwire/tickets", r#"{"route":"/live"}"#),
        ];
        for (method, path, body) in attempts {
            let response = ask(&server, method, path, &fields, body);
            assert_eq!(response.status, 403, "{method} {path} {origin}");
            assert_eq!(response.header("set-cookie"), "");
            assert_eq!(response.header("access-control-allow-origin"), "");
        }
    }
    ws.ok("ping", json!({}));
    assert_eq!(whoami(&server, &alice.cookie).json()["subject"], "alice");
}

crate::harness::over_http2![
    attack_022_a_real_cookie_from_every_page_but_ours,
    attack_022_a_real_cookie_alone_opens_its_users_socket_and_speaks_the_protocol,
    attack_021_a_real_cookie_by_another_name_or_beside_another_proof,
    attack_037_a_ticket_of_another_session,
    attack_078_a_sign_out_ends_all_that_the_session_opened,
    attack_082_foreign_pages_with_the_real_cookie,
];
