//! What is written down of those who are in: calls that are refused, proofs that are renewed, tickets, and the operator.

use serde_json::{Value, json};

use crate::{
    attacks,
    harness::{Handshake, Server},
};

/// What looks like a token and is short enough for a channel's name.
const SHORT: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

/// The events of this name, once everything before them is on disk.
fn events(server: &Server, name: &str) -> Vec<Value> {
    server.admin_raw("GET", "/settled", "", "");
    server.audited(|event| event["path"] == "/settled");
    let all = server.audit().into_iter();
    all.filter(|event| event["event"] == name).collect()
}

#[test]
fn a_call_that_is_refused_is_written_down_and_one_that_is_allowed_is_not() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let mut ws = server.socket("alice");
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    ws.ok("publish", json!({ "channel": "chat/lobby", "data": 1 }));
    ws.fails("subscribe", json!({ "channel": "chat/private" }), -32001);
    let said = json!({ "channel": "news", "data": "not to be written down" });
    ws.fails("publish", said, -32001);
    let named = |channel: &str| json!({ "channel": channel });
    ws.fails("subscribe", named("chat/../private"), -32005);
    ws.fails("unsubscribe", named("news"), -32006);
    let long = json!({ "channel": format!("chat/{token}"), "data": 1 });
    ws.fails("publish", long, -32005);
    ws.fails("subscribe", named(&format!("chat/{SHORT}")), -32001);
    ws.fails(&token, json!({}), -32601);
    ws.fails("subscribe", json!({ "token": token }), -32602);
    ws.text(&format!("{{\"token\":\"{token}\""));
    assert_eq!(ws.json()["error"]["code"], -32700);
    let refusals = events(&server, "refusal");
    let refusals = refusals.iter().filter(|event| event["stage"] == "call");
    let words: Vec<_> = refusals
        .clone()
        .map(|event| (event["reason"].as_str().unwrap(), event["detail"].as_str()))
        .collect();
    assert_eq!(
        words,
        [
            ("forbidden", Some("subscribe chat/private")),
            ("forbidden", Some("publish news")),
            ("channel", Some("subscribe")),
            ("subscription", Some("unsubscribe news")),
            ("channel", Some("publish")),
            ("forbidden", Some("subscribe (holds a token)")),
            ("method", None),
            ("params", Some("subscribe")),
            ("parse", None),
        ]
    );
    for refusal in refusals {
        assert_eq!(refusal["subject"], "alice");
        assert_eq!(refusal["path"], "/native");
    }
    server.assert_unlogged(&[&token, SHORT, "not to be written down"]);
}

#[test]
fn a_socket_that_probes_is_ended_before_it_fills_the_log() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let call = |n: u32| json!({ "jsonrpc": "2.0", "id": n, "method": "subscribe", "params": { "channel": format!("chat/{n}") } });
    // One batch reaches the bound, the next goes beyond it, and whatever comes then is read by nobody.
    for _ in 0..4 {
        ws.text(&json!((0..32).map(call).collect::<Vec<_>>()).to_string());
    }
    ws.closes(1008, "errors");
    let refusals = events(&server, "refusal");
    let calls = refusals.iter().filter(|event| event["stage"] == "call");
    assert_eq!(calls.count(), 64);
}

#[test]
fn each_ticket_and_each_fresh_proof_is_written_down() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let ticket = attacks::ticket(&server, &token, "/native", None);
    let event = server.audited(|event| event["event"] == "ticket");
    assert_eq!(event["subject"], "alice");
    assert_eq!(event["detail"], "/native");
    assert_eq!(event["credential"], "bearer");
    assert_eq!(event["status"], 201);
    let mut ws = server.open(Handshake::new("/native").ticket(&ticket));
    ws.ok("refresh", json!({ "token": token }));
    let event = server.audited(|event| event["event"] == "refresh");
    assert_eq!(event["subject"], "alice");
    assert_eq!(event["issuer"], "https://id.test");
    assert_eq!(event["credential"], "bearer", "and not what it came with");
    server.assert_unlogged(&[&token, &ticket]);
}

#[test]
fn it_is_written_down_by_what_kind_of_credential_somebody_came() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let ticket = attacks::ticket(&server, &token, "/native", None);
    server.socket("bob");
    server.open(Handshake::new("/native").ticket(&ticket));
    server.echo();
    attacks::refused(
        &server,
        &Handshake::new("/native").bearer("no.such.token"),
        401,
        "token-malformed",
    );
    let kinds = |name| -> Vec<Value> {
        let events = events(&server, name).into_iter();
        let ours = events.filter(|event| event["stage"] != "admin");
        ours.map(|event| event["credential"].clone()).collect()
    };
    assert_eq!(
        kinds("admission"),
        [json!("bearer"), json!("ticket"), Value::Null]
    );
    assert_eq!(kinds("refusal"), ["bearer"]);
}

#[test]
fn every_call_of_an_operator_is_written_down() {
    let server = Server::start();
    server.socket("alice");
    server.admin("GET", "/metrics", "");
    server.admin("DELETE", "/nope", "");
    server.admin("MAKE-UP", "/nope", "");
    server.admin("POST", "/revocations", "{}");
    server.admin("POST", "/reload", "");
    let body = r#"{"issuer":"https://id.test","subject":"nobody"}"#;
    server.admin("POST", "/revocations", body);
    let revocation = server.audited(|event| event["event"] == "revocation");
    assert_eq!(revocation["peer"], "127.0.0.1");
    assert_eq!(revocation["ended"], 0);
    assert_eq!(revocation["status"], 200);
    let calls = events(&server, "admin-call");
    let calls: Vec<_> = calls
        .iter()
        .map(|event| {
            assert_eq!(event["peer"], "127.0.0.1");
            let text = |member: &str| event[member].as_str().unwrap();
            (
                text("detail"),
                text("path"),
                event["status"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        calls,
        [
            ("GET", "/metrics", 200),
            ("DELETE", "/nope", 404),
            ("another method", "/nope", 404),
            ("POST", "/revocations", 400),
            ("POST", "/reload", 200),
        ]
    );
    server.assert_unlogged(&[&server.admin_token]);
}
