//! The application's own backend, which says things by HTTPS.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{ORIGIN, Response, Server, Setup, now, secret};

pub(crate) const TOKEN: &str = "fedcba9876543210fedcba9876543210";

/// With channels that the backend may, and may not, publish to.
fn setup() -> Setup {
    let mut setup = Setup::new().server("watch = false");
    secret(&setup.folder.join("backend.token"), TOKEN);
    let schema = r#"{"type":"object","required":["text"],"properties":{"text":{"type":"string","x-sanitise":"html"}}}"#;
    fs::write(setup.folder.join("notice.json"), schema).unwrap();
    setup.rest += "\
        [backend]\ntoken_files = [\"backend.token\"]\n\
        [[channel]]\nname = \"notices/{user}\"\nsubscribe = { claim = \"sub\", equals = \"{user}\" }\n\
        publish = \"server\"\nschema = \"notice.json\"\nhistory = { size = 10, ttl = \"1h\", read = \"server\" }\n\
        [[channel]]\nname = \"log\"\npublish = \"server\"\nhistory = { size = 10, ttl = \"1h\", read = \"server\" }\n\
        [[channel]]\nname = \"prices\"\nsubscribe = \"anyone\"\npublish = { any = [\"server\", { scope = \"prices\" }] }\n";
    setup
}

pub(crate) fn ask(server: &Server, fields: &str, body: &str) -> Response {
    let mut connection = server.connect();
    let length = body.len();
    let request = format!(
        "POST /.wardwire/backend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         {fields}Content-Length: {length}\r\n\r\n{body}"
    );
    connection.send(request.as_bytes());
    connection.response()
}

pub(crate) fn shown(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// What a backend that proves itself is answered.
fn says(server: &Server, body: &Value) -> Value {
    let response = ask(server, &shown(TOKEN), &body.to_string());
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("cache-control"), "no-store");
    response.json()
}

fn call(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn ok(server: &Server, method: &str, params: &Value) -> Value {
    let answer = says(server, &call(method, params));
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

fn fails(server: &Server, method: &str, params: &Value) -> Value {
    let answer = says(server, &call(method, params));
    assert!(answer.get("result").is_none(), "{answer}");
    answer["error"].clone()
}

#[test]
fn what_the_backend_says_reaches_who_may_hear_it_from_nobody_and_sanitised() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    alice.ok("subscribe", json!({ "channel": "notices/alice" }));
    let notice = json!({ "channel": "notices/alice", "data": { "text": "<b onclick=x()>hi</b>" }, "id": "n1" });
    let said = ok(&server, "publish", &notice);
    let heard = alice.json();
    assert_eq!(heard["method"], "publication");
    let params = &heard["params"];
    assert_eq!(params["data"], json!({ "text": "<b>hi</b>" }));
    assert_eq!(
        (&params["from"], &params["id"]),
        (&Value::Null, &json!("n1"))
    );
    assert_eq!(params["position"], said["position"]);
    let again = ok(&server, "publish", &notice);
    assert_eq!(
        again,
        json!({ "position": said["position"], "duplicate": true }),
        "whichever request brings an id"
    );
    let page = ok(&server, "history", &json!({ "channel": "notices/alice" }));
    assert_eq!(page["publications"].as_array().unwrap().len(), 1);
    assert_eq!(page["position"], said["position"]);
    assert!(server.metric("wardwire_publications_total") >= 1);
}

#[test]
fn it_has_the_rights_that_are_written_down_and_no_others() {
    let server = setup().start();
    let say = |channel: &str| json!({ "channel": channel, "data": { "text": "x" } });
    ok(&server, "publish", &say("prices"));
    for channel in ["chat/lobby", "free/x", "news", "nowhere"] {
        let error = fails(&server, "publish", &say(channel));
        assert_eq!(error["code"], -32001, "{channel}");
        let error = fails(&server, "history", &json!({ "channel": channel }));
        assert_eq!(error["code"], -32001, "{channel}");
    }
    let event = server.audited(|event| event["stage"] == "call");
    assert_eq!(event["credential"], "backend");
    assert_eq!(event["reason"], "forbidden");
    assert_eq!(event["detail"], "publish chat/lobby");
    let error = fails(
        &server,
        "publish",
        &json!({ "channel": "notices/alice", "data": { "text": 1 } }),
    );
    assert_eq!(error["code"], -32008);
    assert_eq!(error["data"]["pointer"], "/text");
    // What is the backend's is no socket's, whatever its token says.
    let mut alice = server.socket("alice");
    alice.fails("publish", say("notices/alice"), -32001);
    alice.fails("history", json!({ "channel": "notices/alice" }), -32001);
}

#[test]
fn a_batch_is_done_in_its_order_and_answered_in_one() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    alice.ok("subscribe", json!({ "channel": "prices" }));
    let mut calls: Vec<Value> = (0..31)
        .map(|n| json!({ "jsonrpc": "2.0", "id": n, "method": "publish", "params": { "channel": "prices", "data": n } }))
        .collect();
    calls.push(json!({ "jsonrpc": "2.0", "method": "publish", "params": { "channel": "prices", "data": "a notification is not done" } }));
    let answers = says(&server, &json!(calls));
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 31);
    for (n, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], n);
        assert_eq!(alice.json()["params"]["data"], n);
    }
    let silent = json!({ "jsonrpc": "2.0", "method": "publish", "params": {} });
    assert_eq!(ask(&server, &shown(TOKEN), &silent.to_string()).status, 204);
    calls.push(calls[0].clone());
    assert_eq!(says(&server, &json!(calls))["error"]["code"], -32600);
    assert_eq!(says(&server, &json!([1]))[0]["error"]["code"], -32600);
    let broken = ask(&server, &shown(TOKEN), "{");
    assert_eq!(
        (broken.status, &broken.json()["error"]["code"]),
        (200, &json!(-32700))
    );
    for (method, params, code) in [
        ("subscribe", json!({ "channel": "prices" }), -32601),
        (
            "publish",
            json!({ "channel": "prices", "data": 1, "noEcho": true }),
            -32602,
        ),
        (
            "publish",
            json!({ "channel": "prices", "data": 1, "base64": "AA==" }),
            -32602,
        ),
        ("publish", json!({ "channel": "a//b", "data": 1 }), -32005),
        ("publish", json!(["prices", 1]), -32602),
        (
            "revoke",
            json!({ "issuer": "https://elsewhere.test" }),
            -32602,
        ),
    ] {
        assert_eq!(
            fails(&server, method, &params)["code"],
            code,
            "{method} {params}"
        );
    }
    // It is told of the first that does not fit, of a wrong issuer no more than that something does not.
    for (method, params, place) in [
        (
            "publish",
            json!({ "channel": "prices", "data": 1, "noEcho": true }),
            "/noEcho",
        ),
        (
            "history",
            json!({ "channel": "prices", "limit": "secret" }),
            "/limit",
        ),
        ("presence", json!({}), "/channel"),
        ("revoke", json!({ "issuer": "https://elsewhere.test" }), ""),
        ("revoke", json!(null), ""),
    ] {
        let told = json!({ "word": "params", "pointer": place });
        assert_eq!(fails(&server, method, &params)["data"], told);
    }
}

#[test]
fn a_batch_is_answered_with_so_much_history_and_no_more() {
    let server = setup().start();
    let long = json!({ "channel": "log", "data": "x".repeat(100 * 1024) });
    ok(&server, "publish", &long);
    let asked = json!([(); 32].map(|()| call("history", &json!({ "channel": "log" }))));
    let answers = says(&server, &asked);
    let pages = answers.as_array().unwrap().iter().map(|it| &it["result"]);
    let (full, empty): (Vec<_>, Vec<_>) =
        pages.partition(|page| page["publications"][0]["data"] == long["data"]);
    // The last of them goes over 512 KiB.
    assert_eq!((full.len(), empty.len()), (6, 26));
    for page in empty {
        assert_eq!(
            (&page["publications"], &page["more"]),
            (&json!([]), &json!(true))
        );
    }
}

#[test]
fn a_batch_names_who_is_there_however_often_it_asks() {
    let mut setup = setup();
    setup.rest += "[[channel]]\nname = \"hall\"\nsubscribe = \"anyone\"\npresence = true\n";
    let server = setup.start();
    let mut alice = server.socket("alice");
    alice.ok("subscribe", json!({ "channel": "hall" }));
    let asked = json!([(); 32].map(|()| call("presence", &json!({ "channel": "hall" }))));
    for answer in says(&server, &asked).as_array().unwrap() {
        assert_eq!(answer["result"]["members"], json!([{ "from": "alice" }]));
    }
}

#[test]
fn it_takes_back_what_the_operator_could() {
    let server = setup().start();
    let mut alice = server.socket("alice");
    let mut bob = server.socket("bob");
    let asked = json!({ "issuer": "https://id.test", "subject": "alice", "issued_before": now() });
    assert_eq!(ok(&server, "revoke", &asked), json!({ "ended": 1 }));
    alice.closes(3000, "revoked");
    bob.ok("ping", json!({}));
    let event = server.audited(|event| event["event"] == "revocation");
    assert_eq!(
        (&event["credential"], &event["subject"]),
        (&json!("backend"), &json!("alice"))
    );
}

#[test]
fn nobody_else_is_heard_and_nothing_they_send_is_read() {
    let server = setup().start();
    let say = call("publish", &json!({ "channel": "prices", "data": 1 })).to_string();
    let own = server.issuer.token("alice").mint();
    for fields in [
        String::new(),
        shown(""),
        shown("wrong"),
        shown(&TOKEN[1..]),
        shown(&format!("{TOKEN}0")),
        shown(&server.admin_token),
        shown(&own),
        format!("{}{}", shown(TOKEN), shown(TOKEN)),
        format!("Authorization: Basic {TOKEN}\r\n"),
        "Cookie: __Host-wardwire=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n".to_owned(),
    ] {
        let response = ask(&server, &fields, &say);
        assert_eq!(response.status, 401, "{fields}");
        assert!(response.header("www-authenticate").starts_with("Bearer"));
    }
    for page in [
        format!("Origin: {ORIGIN}\r\n"),
        "Sec-Fetch-Site: same-origin\r\n".to_owned(),
        "Sec-Fetch-Site: cross-site\r\n".to_owned(),
    ] {
        let response = ask(&server, &format!("{}{page}", shown(TOKEN)), &say);
        assert_eq!(response.status, 403, "{page}");
        assert_eq!(response.header("access-control-allow-origin"), "");
    }
    assert_eq!(server.metric("wardwire_publications_total"), 0);
    server.assert_unlogged(&[TOKEN]);
    let without = Server::start();
    assert_eq!(ask(&without, &shown(TOKEN), &say).status, 404);
    assert_eq!(
        ask(&without, &shown(&without.admin_token), &say).status,
        404
    );
}

#[test]
fn what_it_says_is_bounded() {
    let server = setup().start();
    let whole = |length: usize| {
        let empty = call("publish", &json!({ "channel": "prices", "data": "" })).to_string();
        let data = "x".repeat(length - empty.len());
        call("publish", &json!({ "channel": "prices", "data": data })).to_string()
    };
    let response = ask(&server, &shown(TOKEN), &whole(256 * 1024));
    assert_eq!(response.status, 200);
    assert!(response.json().get("error").is_none(), "{response:?}");
    assert_eq!(
        ask(&server, &shown(TOKEN), &whole(256 * 1024 + 1)).status,
        413
    );
    let get = format!(
        "GET /.wardwire/backend HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
        shown(TOKEN)
    );
    let mut connection = server.connect();
    connection.send(get.as_bytes());
    let response = connection.response();
    assert_eq!((response.status, response.header("allow")), (405, "POST"));
    let form = "Content-Type: text/plain\r\n";
    let mut connection = server.connect();
    let request = format!(
        "POST /.wardwire/backend HTTP/1.1\r\nHost: localhost\r\n{form}{}Content-Length: 2\r\n\r\n{{}}",
        shown(TOKEN)
    );
    connection.send(request.as_bytes());
    assert_eq!(connection.response().status, 415);
}

/// Nothing of a stranger's body is waited for, nor is more than 16 KiB taken for another target.
#[test]
fn what_it_is_told_counts_before_what_it_sends() {
    let server = setup().start();
    for (target, fields, length, status) in [
        ("/.wardwire/backend", String::new(), 200_000, 401),
        ("/.wardwire/backend", shown(TOKEN), 262_145, 413),
        ("/.wardwire/backend?x", shown(TOKEN), 16_385, 413),
        ("/.wardwire/tickets", shown(TOKEN), 16_385, 413),
    ] {
        let mut connection = server.connect();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.send(request.as_bytes());
        assert_eq!(connection.response().status, status, "{target} {length}");
    }
}

#[test]
fn a_token_gives_way_to_another_without_a_restart() {
    let server = setup().start();
    let next = "0".repeat(32);
    secret(&server.folder.join("next.token"), &next);
    let say = call("publish", &json!({ "channel": "prices", "data": 1 })).to_string();
    let status = |token: &str| ask(&server, &shown(token), &say).status;
    assert_eq!((status(TOKEN), status(&next)), (200, 401));
    server.edit("[\"backend.token\"]", "[\"backend.token\", \"next.token\"]");
    assert_eq!(server.reloaded()["changed"], json!(["backend.token_files"]));
    assert_eq!((status(TOKEN), status(&next)), (200, 200));
    server.edit("\"backend.token\", ", "");
    server.reloaded();
    assert_eq!((status(TOKEN), status(&next)), (401, 200));
}

crate::harness::over_http2![
    what_the_backend_says_reaches_who_may_hear_it_from_nobody_and_sanitised,
    it_has_the_rights_that_are_written_down_and_no_others,
    a_batch_is_done_in_its_order_and_answered_in_one,
    nobody_else_is_heard_and_nothing_they_send_is_read,
    what_it_says_is_bounded,
];
