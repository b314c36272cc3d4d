use serde_json::json;

use crate::{
    backend,
    harness::{Server, Setup, Ws, secret},
};

/// Sends raw text as the data of a publication and demands that it is refused in band.
fn content_refused(ws: &mut Ws, data: &str) {
    ws.text(&format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"publish","params":{{"channel":"chat/lobby","data":{data}}}}}"#
    ));
    let answer = ws.json();
    assert_eq!(answer["error"]["code"], -32004, "{data}: {answer}");
    assert_eq!(answer["id"], 7, "whose it is, is known: {answer}");
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

/// With a backend that may publish to every room.
fn backed() -> Server {
    let mut setup = Setup::new().limits("messages_per_second = 0\n");
    secret(&setup.folder.join("backend.token"), backend::TOKEN);
    setup.rest += "[backend]\ntoken_files = [\"backend.token\"]\n";
    setup.start()
}

/// Demands that none of these is a channel's name to any method, of a socket or of the backend.
fn no_names(server: &Server, names: &[&str]) {
    for method in ["subscribe", "unsubscribe", "publish", "history", "presence"] {
        let mut ws = server.socket("alice");
        for name in names {
            let params = match method {
                "publish" => json!({ "channel": name, "data": 1 }),
                _ => json!({ "channel": name }),
            };
            let error = ws.call(method, params.clone())["error"].clone();
            assert_eq!(
                error["data"],
                json!({ "word": "channel" }),
                "{method} {name:?}"
            );
            if !method.ends_with("subscribe") {
                let call = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
                let answer =
                    backend::ask(server, &backend::shown(backend::TOKEN), &call.to_string());
                assert_eq!(answer.json()["error"], error, "{method} {name:?}");
            }
        }
    }
}

fn in_lobby(server: &Server) -> Ws {
    let mut ws = server.socket("alice");
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    ws
}

/// A chat whose texts are put into pages.
fn html_chat(channel: &str) -> Server {
    let mut setup = Setup::new().limits("messages_per_second = 0\n");
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "html": { "type": "string", "maxLength": 4000, "x-sanitise": "html", "x-sanitise-allow": "rich" },
            "text": { "type": "string", "maxLength": 20, "x-sanitise": "text" },
            "link": { "type": "string", "x-sanitise": "url" },
        },
    });
    std::fs::write(setup.folder.join("chat.json"), schema.to_string()).unwrap();
    setup.rest += &format!(
        "[[channel]]\nname = \"page/{{room}}\"\nsubscribe = \"authenticated\"\npublish = \"authenticated\"\n{channel}\n"
    );
    setup.start()
}

#[test]
fn attack_063_html_that_would_run() {
    let server = html_chat("schema = \"chat.json\"");
    let mut alice = server.socket("alice");
    alice.ok("subscribe", json!({ "channel": "page/1" }));
    for payload in [
        "<script>alert(1)</script>hi",
        "<img src=x onerror=alert(1)>hi",
        "<svg/onload=alert(1)>hi",
        "<svg><script>alert(1)</script></svg>hi",
        "<a href=\"javascript:alert(1)\">hi</a>",
        "<a href=\"java\tscript:alert(1)\">hi</a>",
        "<a href=\"&#106;avascript&colon;alert(1)\">hi</a>",
        "<math><annotation-xml encoding=\"text/html\"><script>alert(1)</script></annotation-xml></math>hi",
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">hi",
        "<template><script>alert(1)</script></template>hi",
        "<scr<script>ipt>alert(1)</script>hi",
        "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">hi",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>hi",
        "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>hi",
        "<b style=\"background:url(javascript:alert(1))\" id=x class=y>hi</b>",
        "<base href=\"//evil.example\"><link rel=import href=x><meta http-equiv=refresh content=0>hi",
        "&lt;script&gt;alert(1)&lt;/script&gt;hi",
    ] {
        let call = json!({ "channel": "page/1", "data": { "html": payload } });
        let mut aside = Vec::new();
        let answer = alice.call_aside("publish", call, &mut aside);
        assert!(answer.get("result").is_some(), "{payload}: {answer}");
        let publication = aside.pop().unwrap_or_else(|| alice.json());
        let html = publication["params"]["data"]["html"].as_str().unwrap();
        let lower = html.to_lowercase();
        for bad in [
            "<script",
            "<svg",
            "<math",
            "<iframe",
            "<style",
            "<base",
            "<meta",
            "<form",
            "<template",
            "<noscript",
            "style=",
            "id=",
            "class=",
            "href=\"java",
            "href=\"&",
        ] {
            assert!(!lower.contains(bad), "{payload}: {html}");
        }
        // Whatever is left of a handler stands in text or a quoted title, never in a tag of its own.
        assert!(
            !lower.contains("<img src=\"x\" on") && !lower.contains("<img onerror"),
            "{html}"
        );
    }
    let page = |data| json!({ "channel": "page/1", "data": data });
    let refused = alice.call("publish", page(json!({ "link": "javascript:alert(1)" })));
    assert_eq!(
        refused["error"]["data"],
        json!({ "word": "invalid", "pointer": "/link", "keyword": "x-sanitise" })
    );
    let refused = alice.call("publish", page(json!({ "text": "x".repeat(21) })));
    assert_eq!(refused["error"]["code"], -32008);
    assert_eq!(refused["error"]["data"]["keyword"], "maxLength");
}

#[test]
fn a_channel_that_reports_lets_through_and_tells() {
    let server = html_chat("schema = \"chat.json\"\nmode = \"report\"");
    let mut alice = server.socket("alice");
    let data = json!({ "text": "x".repeat(21) });
    alice.ok("publish", json!({ "channel": "page/1", "data": data }));
    let event = server.audited(|event| event["event"] == "report");
    assert_eq!(event["reason"], "invalid");
    assert_eq!(event["detail"], "page/1 maxLength at /text");
}

#[test]
fn a_channel_and_an_identity_have_rates_of_their_own() {
    let server = html_chat("rate = { messages = 2, per = \"1h\" }");
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    let call = json!({ "channel": "page/1", "data": 1 });
    alice.ok("publish", call.clone());
    bob.ok("publish", call.clone());
    let refused = alice.call("publish", call);
    assert_eq!(refused["error"]["code"], -32002);
    let wait = refused["error"]["data"]["retryAfter"].as_f64().unwrap();
    assert!((1.0..=3600.0).contains(&wait), "{wait}");
    alice.ok("publish", json!({ "channel": "page/2", "data": 1 }));

    let server = Setup::new()
        .limits("messages_per_second = 0\nidentity_bytes = 100\n")
        .start();
    let mut sockets = [server.socket("alice"), server.socket("alice")];
    let large = json!({ "channel": "chat/lobby", "data": "x".repeat(30_000) });
    sockets[0].ok("publish", large.clone());
    let refused = sockets[1].call("publish", large.clone());
    assert_eq!(
        refused["error"]["code"], -32002,
        "all sockets of one user together"
    );
    server.socket("bob").ok("publish", large);
}

#[test]
fn what_a_batch_weighs_is_not_forgotten_with_the_first_of_its_calls_that_is_refused() {
    let server = Setup::new()
        .limits("messages_per_second = 0\nidentity_bytes = 40000\n")
        .start();
    let mut alice = server.socket("alice");
    let call = |id: u32, data: &str| {
        let params = json!({ "channel": "chat/lobby", "data": data });
        json!({ "jsonrpc": "2.0", "id": id, "method": "publish", "params": params })
    };
    let large = "x".repeat(30_000);
    alice.ok("publish", json!({ "channel": "chat/lobby", "data": large }));
    alice.text(&json!([call(1, "little"), call(2, &large)]).to_string());
    let answers = alice.json();
    // Refused as one, or, on a machine that took its time until here, taken as one.
    let codes = [&answers[0], &answers[1]].map(|it| it["error"]["code"].as_i64());
    assert_eq!(codes[0], codes[1], "{answers}");
}

#[test]
fn a_binary_channel_takes_base64_and_nothing_else() {
    let server = html_chat("binary = true");
    let mut alice = server.socket("alice");
    alice.ok("subscribe", json!({ "channel": "page/1" }));
    let mut aside = Vec::new();
    let call = json!({ "channel": "page/1", "base64": "AAE=" });
    alice.call_aside("publish", call, &mut aside);
    let publication = aside.pop().unwrap_or_else(|| alice.json());
    assert_eq!(publication["params"]["base64"], "AAE=");
    assert_eq!(publication["params"].get("data"), None);
    alice.fails(
        "publish",
        json!({ "channel": "page/1", "base64": "AAF=" }),
        -32008,
    );
    alice.fails("publish", json!({ "channel": "page/1", "data": 1 }), -32008);
    alice.fails(
        "publish",
        json!({ "channel": "chat/lobby", "base64": "AAE=" }),
        -32008,
    );
    alice.fails(
        "publish",
        json!({ "channel": "page/1", "data": 1, "base64": "AAE=" }),
        -32602,
    );
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
    let server = backed();
    let mut ws = in_lobby(&server);
    content_refused(&mut ws, r#""\ud800""#);
    content_refused(&mut ws, r#""\udc00\ud800""#);
    no_names(
        &server,
        &[
            "chat/a\u{0}b",
            "chat/a\nb",
            "chat/a\u{85}b",
            "chat/\u{202e}evil",
            "chat/a\u{2066}b",
            "chat/\u{200b}",
            "chat/lobby\u{200d}",
            "chat/lobby\u{fe0f}",
            "chat/lobby\u{a0}",
            "chat/lobby\u{e000}",
            "chat/lobby\u{378}",
        ],
    );
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
    let server = backed();
    no_names(
        &server,
        &[
            "chat/../lobby",
            "chat/%2e%2e/x",
            "chat//lobby",
            "/chat/lobby",
            "chat/lobby/",
            "chat/.",
            "..",
            "",
            "chat\\lobby",
        ],
    );
}

#[test]
fn attack_071_patterns_instead_of_names() {
    let server = backed();
    no_names(
        &server,
        &[
            "chat/*",
            "chat/{room}",
            "chat/#",
            "chat/?",
            "*",
            "{any}/{x}",
        ],
    );
}

/// Whose room is `café` is nowhere else for it: not where a name looks like it, nor where it is spelt otherwise.
#[test]
fn attack_072_names_that_look_like_ones_own() {
    let server = backed();
    let rooms = json!(["caf\u{e9}", "caf\u{65}\u{301}x", "lobby"]);
    let token = server.issuer.token("alice").claim("rooms", rooms).mint();
    let mut ws = server.open(crate::harness::Handshake::new("/native").bearer(&token));
    ws.ok("subscribe", json!({ "channel": "chat/caf\u{e9}" }));
    for other in [
        "chat/lo\u{184}by",
        "chat/l\u{43e}bby",
        "chat/\u{ff4c}obby",
        "chat/caf\u{e8}",
        "chat/caf\u{e9}x",
    ] {
        ws.fails("subscribe", json!({ "channel": other }), -32001);
        ws.fails("publish", json!({ "channel": other, "data": 1 }), -32001);
    }
    no_names(
        &server,
        &["chat/cafe\u{301}", "chat/cafe\u{301}x", "chat/\u{212a}"],
    );
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
    let mut aside = Vec::new();
    alice.call_aside("refresh", json!({ "token": lowered }), &mut aside);
    let [told] = &aside[..] else {
        panic!("{aside:?}")
    };
    let why = json!({ "channel": "chat/lobby", "reason": "rights" });
    assert_eq!(
        (&told["method"], &told["params"]),
        (&json!("revoked"), &why)
    );
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
    attack_072_names_that_look_like_ones_own,
    attack_072_rooms_of_others,
    attack_073_publishing_with_the_right_to_follow,
    attack_074_rights_lowered_while_the_socket_is_open,
    attack_075_forbidden_and_absent_look_the_same,
    attack_086_names_and_notifications_of_the_clients_own,
];
