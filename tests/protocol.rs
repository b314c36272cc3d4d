//! `wardwire.v1` as a client in another language meets it.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::harness::{Server, Setup, Ws};

#[test]
fn an_error_says_its_word_to_programs() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let forbidden = json!({ "channel": "chat/private" });
    let error = ws.call("subscribe", forbidden)["error"].clone();
    assert_eq!(error["code"], -32001);
    assert_eq!(error["data"], json!({ "word": "forbidden" }));
    assert!(error["message"].is_string());
    ws.text("{");
    let unreadable = ws.json();
    assert_eq!(unreadable["id"], Value::Null);
    assert_eq!(unreadable["error"]["data"], json!({ "word": "parse" }));
}

#[test]
fn who_is_too_fast_is_told_for_how_long_to_wait() {
    let server = Setup::new().limits("messages_per_second = 2\n").start();
    let mut ws = server.socket("alice");
    let refused = std::iter::repeat_with(|| ws.call("ping", json!({})))
        .take(32)
        .find(|answer| !answer["error"].is_null())
        .expect("more than two a second are not taken");
    let error = &refused["error"];
    assert_eq!(
        (&error["code"], &error["data"]["word"]),
        (&json!(-32002), &json!("rate"))
    );
    let wait = error["data"]["retryAfter"].as_f64().unwrap();
    assert!(
        wait > 0.0 && wait <= 0.5,
        "one comes every half second, not in {wait}"
    );
}

/// Sends 32 calls at once, as many as a client may have under way, and tells for how long to wait, in the server's words.
fn burst(ws: &mut Ws) -> Vec<f64> {
    for id in 0..32 {
        ws.text(&json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string());
    }
    let answers = std::iter::repeat_with(|| ws.json()).take(32);
    answers
        .filter_map(|answer| answer["error"]["data"]["retryAfter"].as_f64())
        .collect()
}

#[test]
fn what_was_under_way_when_a_rate_struck_ends_nobody_who_then_waits() {
    let server = Setup::new().limits("messages_per_second = 1\n").start();
    let mut ws = server.socket("alice");
    for _ in 0..4 {
        let waits = burst(&mut ws);
        // On a machine that took seconds for it, a few are in time.
        assert!(waits.len() > 16, "{waits:?}");
        let told = waits.into_iter().fold(1.0, f64::max);
        thread::sleep(Duration::from_secs_f64(told));
    }
    ws.ok("ping", json!({}));
    let is_rate = |event: &Value| event["reason"] == "rate";
    server.audited(is_rate);
    let written = server.audit().into_iter().filter(is_rate).count();
    assert!(written <= 32, "{written} lines");
}

#[test]
fn who_goes_on_before_the_time_that_was_told_is_ended() {
    let server = Setup::new().limits("messages_per_second = 1\n").start();
    let mut ws = server.socket("alice");
    burst(&mut ws);
    let ping = json!({ "jsonrpc": "2.0", "id": 0, "method": "ping" }).to_string();
    let answered = std::iter::repeat_with(|| {
        ws.text(&ping);
        ws.next().unwrap()
    });
    let close = answered.take(1000).find(|it| it.first == 0x88).unwrap();
    assert_eq!(
        close.payload,
        [&1008_u16.to_be_bytes()[..], b"errors"].concat()
    );
}

#[test]
fn a_batch_with_a_call_that_takes_time_is_answered_at_once_and_whole() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let token = server.issuer.token("alice").mint();
    let batch = json!([
        { "jsonrpc": "2.0", "id": "slow", "method": "refresh", "params": { "token": token } },
        { "jsonrpc": "2.0", "id": "quick", "method": "ping" },
        { "jsonrpc": "2.0", "id": "second", "method": "refresh", "params": { "token": token } },
    ]);
    ws.text(&batch.to_string());
    ws.text(r#"{"jsonrpc":"2.0","id":"alone","method":"ping"}"#);
    let (mut alone, mut answers) = (ws.json(), ws.json());
    if alone.is_array() {
        std::mem::swap(&mut alone, &mut answers);
    }
    assert_eq!(alone["id"], "alone");
    let answers = answers.as_array().unwrap();
    let of = |id: &str| answers.iter().find(|answer| answer["id"] == id).unwrap();
    assert_eq!(answers.len(), 3);
    assert!(of("slow")["result"]["expires_at"].is_u64());
    assert_eq!(of("quick")["result"], json!({}));
    let second = &of("second")["error"]["data"];
    assert_eq!(second["word"], "rate", "one refresh at a time");
}

/// The names of the document's methods: what a client calls, and what it is told.
fn documented() -> (Vec<String>, Vec<String>) {
    let document: Value = serde_json::from_str(include_str!("../spec/openrpc.json")).unwrap();
    let methods = document["methods"].as_array().unwrap();
    let (calls, notices): (Vec<&Value>, Vec<&Value>) = methods
        .iter()
        .partition(|method| method["tags"][0]["$ref"] == "#/components/tags/client");
    let name = |method: &Value| method["name"].as_str().unwrap().to_owned();
    let names = |all: Vec<&Value>| all.into_iter().map(name).collect();
    (names(calls), names(notices))
}

#[test]
fn every_method_of_the_document_is_there_and_what_only_the_server_says_cannot_be_called() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let (calls, notices) = documented();
    assert!(calls.len() >= 5 && !notices.is_empty());
    for method in &calls {
        let answer = ws.call(method, json!({}));
        assert_ne!(answer["error"]["code"], -32601, "{method}");
    }
    for method in notices
        .iter()
        .map(String::as_str)
        .chain(["rpc.discover", "Ping", "ping ", ""])
    {
        ws.fails(method, json!({}), -32601);
    }
}

#[test]
fn parameters_are_by_name() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    ws.fails("subscribe", json!(["free/a"]), -32602);
    ws.fails("publish", json!(["free/a", 1]), -32602);
    ws.ok("subscribe", json!({ "channel": "free/a", "since": null }));
}
