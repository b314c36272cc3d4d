use serde_json::json;

use crate::harness::{Server, Setup, Ws};

/// Sends raw text as the data of a publication and demands that it is refused in band.
fn content_refused(ws: &mut Ws, data: &str) {
    ws.text(&format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"publish","params":{{"channel":"chat/lobby","data":{data}}}}}"#
    ));
    let answer = ws.json();
    assert_eq!(answer["error"]["code"], -32004, "{data}: {answer}");
}

/// Publishes data as it stands, and gives back what a follower is delivered, as it stands.
fn delivered(ws: &mut Ws, data: &str) -> String {
    ws.text(&format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"publish","params":{{"channel":"chat/lobby","data":{data}}}}}"#
    ));
    loop {
        let frame = ws.next().unwrap();
        let text = String::from_utf8(frame.payload).unwrap();
        if text.contains("\"publication\"") {
            let (_, rest) = text.split_once("\"data\":").unwrap();
            return rest.rsplit_once(",\"position\"").unwrap().0.to_owned();
        }
        assert!(!text.contains("error"), "{text}");
    }
}

fn in_lobby(server: &Server) -> Ws {
    let mut ws = server.socket("alice");
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    ws
}

#[test]
fn attack_064_keys_that_reach_into_prototypes() {
    let server = Server::start();
    let mut ws = in_lobby(&server);
    for data in [
        r#"{"__proto__":{"admin":true}}"#,
        r#"{"a":[{"constructor":1}]}"#,
        r#"{"prototype":1}"#,
        r#"{"\u005f_proto__":1}"#,
    ] {
        content_refused(&mut ws, data);
    }
    assert_eq!(delivered(&mut ws, r#""__proto__""#), r#""__proto__""#);
    let mut odd = server.open(
        crate::harness::Handshake::new("/native").bearer(&server.issuer.token("__proto__").mint()),
    );
    odd.ok("subscribe", json!({ "channel": "free/constructor" }));
    odd.ok(
        "publish",
        json!({ "channel": "free/constructor", "data": 1 }),
    );
    assert_eq!(odd.json()["params"]["from"], "__proto__");
}

#[test]
fn attack_065_json_that_readers_read_differently() {
    let server = Server::start();
    let mut ws = in_lobby(&server);
    let deep = "[".repeat(31) + &"]".repeat(31);
    for data in [
        &*deep,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"\u0061":2}"#,
        "9007199254740992",
        "-9007199254740992",
        "1e400",
        "0.12345678901234567890",
    ] {
        content_refused(&mut ws, data);
    }
    for data in [
        "0.1",
        "9007199254740991",
        "[[[[[[[[[[1]]]]]]]]]]",
        "-0.5e-3",
    ] {
        assert_eq!(delivered(&mut ws, data), data);
    }
}

#[test]
fn attack_066_half_surrogates_and_hidden_characters_in_names() {
    let server = Setup::new().limits("messages_per_second = 0\n").start();
    let mut ws = in_lobby(&server);
    content_refused(&mut ws, r#""\ud800""#);
    content_refused(&mut ws, r#""\udc00\ud800""#);
    for name in [
        "chat/a\u{0}b",
        "chat/a\nb",
        "chat/\u{202e}evil",
        "chat/a\u{2066}b",
        "chat/\u{200b}",
    ] {
        ws.fails("subscribe", json!({ "channel": name }), -32005);
    }
}

#[test]
fn attack_067_control_characters_that_reach_a_log() {
    let server = Server::start();
    let subject = "eve\r\n{\"event\":\"admission\"}\u{1b}[2J\u{202e}";
    let token = server.issuer.token("x").claim("sub", subject).mint();
    let _ws = server.open(crate::harness::Handshake::new("/native").bearer(&token));
    server.audited(|event| event["subject"] == subject);
    let short = "\u{1b}]0;x\u{7}\r\n\u{202e}";
    let hidden = short.repeat(200);
    for (token, reason) in [
        (server.issuer.token("x").header("kid", short), "token-key"),
        (
            server.issuer.token("x").header("alg", &*hidden),
            "token-algorithm",
        ),
        (
            server.issuer.token("x").header("typ", &*hidden),
            "token-type",
        ),
        (
            server.issuer.token("x").claim("iss", &*hidden),
            "token-issuer",
        ),
    ] {
        super::refused(&server, &super::native(&token.mint()), 401, reason);
    }
    let long = format!("https://{}", "y".repeat(7000));
    super::refused(
        &server,
        &super::live(&token).origin(&long),
        403,
        "origin-malformed",
    );
    for file in ["audit.jsonl", "server.log"] {
        let text = std::fs::read_to_string(server.folder.join(file)).unwrap();
        assert!(
            text.bytes()
                .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)),
            "{file}"
        );
        assert!(text.lines().all(|line| line.len() < 1500), "{file}");
    }
}

#[test]
fn attack_068_syntax_of_other_languages_is_plain_data() {
    let server = Server::start();
    let mut ws = in_lobby(&server);
    for data in [
        r#""'; DROP TABLE users; --""#,
        r#""$(rm -rf /) `id` && cat /etc/passwd""#,
        r#""{{7*7}} ${7*7} <%= 7*7 %>""#,
        r#"{"text":"<script>alert(1)</script>","n":[1,2.50]}"#,
        r#""a\u0041\n\\""#,
    ] {
        assert_eq!(delivered(&mut ws, data), data, "unchanged to the byte");
    }
}

#[test]
fn attack_070_channel_names_that_are_paths() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for name in [
        "chat/../lobby",
        "chat/%2e%2e/x",
        "chat//lobby",
        "/chat/lobby",
        "chat/lobby/",
        "chat/.",
        "",
        "chat\\lobby",
    ] {
        ws.fails("subscribe", json!({ "channel": name }), -32005);
    }
}

#[test]
fn attack_071_patterns_instead_of_names() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for name in ["chat/*", "chat/{room}", "chat/#", "chat/?", "*"] {
        ws.fails("subscribe", json!({ "channel": name }), -32005);
    }
}

#[test]
fn attack_072_rooms_of_others() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for channel in ["chat/vip", "chat/LOBBY", "chat/lobby2", "chat/lobb"] {
        ws.fails("subscribe", json!({ "channel": channel }), -32001);
        ws.fails("publish", json!({ "channel": channel, "data": 1 }), -32001);
    }
}

#[test]
fn attack_073_publishing_with_the_right_to_follow() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    ws.ok("subscribe", json!({ "channel": "news" }));
    ws.fails("publish", json!({ "channel": "news", "data": 1 }), -32001);
}

#[test]
fn attack_074_rights_lowered_while_the_socket_is_open() {
    let server = Server::start();
    let mut alice = in_lobby(&server);
    let mut bob = server.socket("bob");
    let lowered = server
        .issuer
        .token("alice")
        .claim("rooms", json!([]))
        .mint();
    alice.ok("refresh", json!({ "token": lowered }));
    bob.ok(
        "publish",
        json!({ "channel": "chat/lobby", "data": "secret" }),
    );
    let mut aside = Vec::new();
    alice.call_aside("ping", json!({}), &mut aside);
    assert!(
        aside
            .iter()
            .all(|message| message["method"] != "publication"),
        "{aside:?}"
    );
    alice.fails(
        "publish",
        json!({ "channel": "chat/lobby", "data": 1 }),
        -32001,
    );
}

#[test]
fn attack_075_forbidden_and_absent_look_the_same() {
    let server = Server::start();
    let mut insider = server.open(
        crate::harness::Handshake::new("/native").bearer(
            &server
                .issuer
                .token("bob")
                .claim("rooms", json!(["vip"]))
                .mint(),
        ),
    );
    insider.ok("subscribe", json!({ "channel": "chat/vip" }));
    let mut ws = server.socket("mallory");
    let there = ws.call("subscribe", json!({ "channel": "chat/vip" }));
    let not_there = ws.call("subscribe", json!({ "channel": "chat/none" }));
    let no_rule = ws.call("subscribe", json!({ "channel": "no/such/rule" }));
    assert_eq!(there["error"], not_there["error"]);
    assert_eq!(there["error"], no_rule["error"]);
}

#[test]
fn attack_086_names_and_notifications_of_the_clients_own() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    bob.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let mut mallory = server.socket("mallory");
    mallory.text(r#"{"jsonrpc":"2.0","method":"publication","params":{"channel":"chat/lobby","data":"forged","from":"alice"}}"#);
    mallory.text(r#"{"jsonrpc":"2.0","id":5,"result":{}}"#);
    mallory.ok("publish", json!({ "channel": "chat/lobby", "data": { "from": "alice" }, "from": "alice", "position": "1:1" }));
    let publication = bob.json();
    assert_eq!(publication["params"]["from"], "mallory");
    assert_ne!(publication["params"]["position"], "1:1");
}

crate::harness::over_http2![
    attack_064_keys_that_reach_into_prototypes,
    attack_065_json_that_readers_read_differently,
    attack_066_half_surrogates_and_hidden_characters_in_names,
    attack_067_control_characters_that_reach_a_log,
    attack_068_syntax_of_other_languages_is_plain_data,
    attack_070_channel_names_that_are_paths,
    attack_071_patterns_instead_of_names,
    attack_072_rooms_of_others,
    attack_073_publishing_with_the_right_to_follow,
    attack_074_rights_lowered_while_the_socket_is_open,
    attack_075_forbidden_and_absent_look_the_same,
    attack_086_names_and_notifications_of_the_clients_own,
];
