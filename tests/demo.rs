//! `wardwire demo`: its sign-in, what it shows of the audit log, the attacker's page, and that it stays where it belongs.

use serde_json::{Value, json};

use crate::harness::{Connection, Handshake, Response, Server};

const SIGN_IN: &str = "/.wardwire/demo/sign-in";
const SHORT_TOKEN: &str = "/.wardwire/demo/short-token";

fn origin(server: &Server) -> String {
    format!("https://localhost:{}", server.address.port())
}

fn ask(server: &Server, line: &str, fields: &[(&str, &str)], body: &str) -> Response {
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let length = body.len();
    let mut connection = server.connect();
    connection.send(
        format!(
            "{line} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    );
    connection.response()
}

/// Signs in from the demo's own page, with the cookies that the browser has.
fn sign_in(server: &Server, account: &str, cookie: Option<&str>) -> Response {
    let origin = origin(server);
    let mut fields = vec![
        ("Origin", origin.as_str()),
        ("Content-Type", "application/json"),
    ];
    fields.extend(cookie.map(|cookie| ("Cookie", cookie)));
    let body = json!({ "account": account }).to_string();
    ask(server, &format!("POST {SIGN_IN}"), &fields, &body)
}

/// The `name=value` of the session cookie.
fn cookie(response: &Response) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    let (cookie, attributes) = response.header("set-cookie").split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
    cookie.to_owned()
}

fn subject(server: &Server, cookie: &str) -> Result<Value, u16> {
    let response = ask(server, "GET /.wardwire/session", &[("Cookie", cookie)], "");
    match response.status {
        200 => Ok(response.json()["subject"].clone()),
        status => Err(status),
    }
}

#[test]
fn attack_041_a_session_planted_before_a_sign_in() {
    let server = Server::demo();
    let planted = cookie(&sign_in(&server, "mallory", None));
    assert_eq!(subject(&server, &planted), Ok(json!("mallory")));
    let page = Handshake::new("/live")
        .set("Cookie", &planted)
        .origin(&origin(&server));
    let mut socket = server.open(page);
    let alice = cookie(&sign_in(&server, "alice", Some(&planted)));
    assert_ne!(alice, planted);
    assert_eq!(subject(&server, &alice), Ok(json!("alice")));
    assert_eq!(subject(&server, &planted), Err(401));
    socket.closes(3000, "logged-out");
    // Signing in again, and with a session that never was, gives a new one as well.
    let unknown = format!("__Host-wardwire={}", "A".repeat(43));
    for old in [alice.as_str(), unknown.as_str()] {
        let new = cookie(&sign_in(&server, "alice", Some(old)));
        assert!(new != old && new != alice);
    }
    let secret = |cookie: &str| cookie.split_once('=').unwrap().1.to_owned();
    server.assert_unlogged(&[&secret(&planted), &secret(&alice)]);
}

#[test]
fn attack_082_a_sign_in_from_elsewhere() {
    let server = Server::demo();
    let ours = origin(&server);
    let hostile = format!("https://localhost:{}", server.address.port() + 1);
    let body = r#"{"account":"alice"}"#;
    let json = ("Content-Type", "application/json");
    for (fields, status) in [
        (vec![json], 403),
        (vec![json, ("Origin", "https://evil.test")], 403),
        (vec![json, ("Origin", "null")], 403),
        (vec![json, ("Origin", &hostile)], 403),
        (vec![json, ("Origin", "https://localhost")], 403),
        (vec![("Origin", &ours)], 415),
        (vec![("Content-Type", "text/plain"), ("Origin", &ours)], 415),
    ] {
        for endpoint in [SIGN_IN, SHORT_TOKEN, "/.wardwire/demo/expired-token"] {
            let response = ask(&server, &format!("POST {endpoint}"), &fields, body);
            let reads_a_body = endpoint == SIGN_IN || endpoint == SHORT_TOKEN;
            let expected = if reads_a_body || status == 403 {
                status
            } else {
                200
            };
            assert_eq!(response.status, expected, "{endpoint} {fields:?}");
            assert_eq!(response.header("set-cookie"), "");
        }
    }
    let ours = [json, ("Origin", ours.as_str())];
    for body in [
        "",
        "{}",
        r#"{"account":"root"}"#,
        r#"{"account":"feed"}"#,
        r#"{"account":"alice","rooms":["x"]}"#,
    ] {
        for endpoint in [SIGN_IN, SHORT_TOKEN] {
            let response = ask(&server, &format!("POST {endpoint}"), &ours, body);
            assert_eq!(response.status, 400, "{endpoint} {body}");
        }
    }
    assert_eq!(
        ask(&server, &format!("GET {SIGN_IN}"), &ours, "").status,
        405
    );
}

#[test]
fn its_tokens_open_sockets_and_carry_its_rights() {
    let server = Server::demo();
    for (account, rooms, scope) in [
        ("alice", &["lobby", "raw", "staff"][..], true),
        ("bob", &["lobby", "raw"], true),
        ("mallory", &[], false),
    ] {
        let token = sign_in(&server, account, None).json()["access_token"].clone();
        let token = token.as_str().unwrap().to_owned();
        let mut socket = server.open(Handshake::new("/live").bearer(&token));
        let mut may = |channel: &str, expected: bool| {
            let channel = json!({ "channel": channel });
            if expected {
                socket.ok("subscribe", channel);
            } else {
                socket.fails("subscribe", channel, -32001);
            }
        };
        for room in ["lobby", "raw", "staff", "other"] {
            may(&format!("chat/{room}"), rooms.contains(&room));
            may(&format!("chat/{room}/typing"), rooms.contains(&room));
        }
        may("arena/one", scope);
        may("arena/one/coins", scope);
        may(&format!("market/orders/{account}"), scope);
        may("market/orders/feed", false);
        server.assert_unlogged(&[&token]);
    }
}

#[test]
fn the_market_s_feed_publishes_as_nobody_who_can_sign_in() {
    let server = Server::demo();
    let token = sign_in(&server, "alice", None).json()["access_token"].clone();
    let mut socket = server.open(Handshake::new("/live").bearer(token.as_str().unwrap()));
    let price = json!({ "symbol": "ALDA", "price": 1, "change": 0 });
    let forged = json!({ "channel": "market/prices", "data": price });
    socket.fails("publish", forged, -32001);
    let subscribe = json!({ "channel": "market/prices" });
    socket.call_aside("subscribe", subscribe, &mut Vec::new());
    let mut symbols = std::collections::BTreeSet::new();
    while symbols.len() < 50 {
        let published = socket.json()["params"].clone();
        assert_eq!(published["from"], "feed");
        assert!(published["data"]["price"].is_f64() || published["data"]["price"].is_u64());
        symbols.insert(published["data"]["symbol"].to_string());
    }
}

#[test]
fn a_socket_ends_with_the_short_token_it_was_put_on() {
    let server = Server::demo();
    let cookie = cookie(&sign_in(&server, "alice", None));
    let ours = origin(&server);
    let fields = [
        ("Origin", ours.as_str()),
        ("Content-Type", "application/json"),
    ];
    let short = |account: &str| {
        let body = json!({ "account": account }).to_string();
        let answer = ask(&server, &format!("POST {SHORT_TOKEN}"), &fields, &body);
        answer.json()["access_token"].as_str().unwrap().to_owned()
    };
    let page = || Handshake::new("/live").set("Cookie", &cookie).origin(&ours);
    let mut socket = server.open(page());
    socket.ok("refresh", json!({ "token": short("alice") }));
    let mut other = server.open(page());
    let params = json!({ "token": short("bob") });
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "refresh", "params": params });
    other.text(&call.to_string());
    other.closes(3003, "subject");
    socket.closes(3000, "expired");
}

#[test]
fn an_attempt_is_found_in_the_audit_log_by_its_own_name_only() {
    let server = Server::demo();
    let ours = origin(&server);
    let attempt = [
        ("Origin", ours.as_str()),
        ("Content-Type", "application/json"),
        ("Wardwire-Trace", "attempt-0001"),
    ];
    let refused = ask(
        &server,
        "POST /.wardwire/tickets",
        &attempt,
        r#"{"route":"/live"}"#,
    );
    assert_eq!(refused.status, 401);
    server.refused("credential-missing");
    let lookup = |query: &str| {
        let line = format!("GET /.wardwire/demo/audit{query}");
        ask(&server, &line, &[], "").json()
    };
    let found = lookup("?trace=attempt-0001");
    assert_eq!(found[0]["reason"], "credential-missing");
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    for query in [
        "",
        "?trace=",
        "?trace=attempt",
        "?trace=attempt-0002",
        "?trace=%22,%22event%22:%22",
    ] {
        assert_eq!(lookup(query), json!([]), "{query}");
    }
}

#[test]
fn the_attackers_page_lives_on_an_origin_of_its_own() {
    let mut server = Server::demo();
    let ours = server.address;
    server.address.set_port(ours.port() + 1);
    let get = |host: &str, line: &str| {
        let mut connection = Connection::open(&server, "localhost");
        connection.send(format!("{line} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        connection.response()
    };
    let host = format!("127.0.0.1:{}", server.address.port());
    let page = get(&host, "GET /");
    let policy = page.header("content-security-policy");
    assert!(policy.contains(&format!(
        "frame-ancestors https://localhost:{}",
        ours.port()
    )));
    for line in [
        "GET /.wardwire/session",
        "GET /.wardwire/demo/info",
        "POST /",
        "GET /chat",
        "GET /chat.js",
    ] {
        assert_eq!(get(&host, line).status, 404, "{line}");
    }
    assert_eq!(get("evil.test", "GET /").status, 404);
}

#[test]
fn a_production_server_has_neither_the_accounts_nor_the_pages() {
    let server = Server::start();
    for line in [
        "POST /.wardwire/demo/sign-in",
        "POST /.wardwire/demo/expired-token",
        "GET /.wardwire/demo/audit?trace=attempt-0001",
        "GET /",
    ] {
        let fields = [
            ("Origin", crate::harness::ORIGIN),
            ("Content-Type", "application/json"),
        ];
        let response = ask(&server, line, &fields, r#"{"account":"alice"}"#);
        assert_eq!(response.status, 404, "{line}");
    }
}
