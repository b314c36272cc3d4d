//! `wardwire.v1` as a client in another language meets it.

use serde_json::{Value, json};

use crate::harness::{Server, Setup};

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
