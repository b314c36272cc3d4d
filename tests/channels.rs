//! What users of `wardwire.v1` rely on.

use serde_json::{Value, json};

use crate::harness::{Handshake, ORIGIN, Server};

const LOBBY: &str = "chat/lobby";

fn publish(ws: &mut crate::harness::Ws, data: impl Into<Value>) -> String {
    let answer = ws.ok("publish", json!({ "channel": LOBBY, "data": data.into() }));
    answer["position"].as_str().unwrap().to_owned()
}

#[test]
fn two_users_talk_both_ways() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    alice.ok("subscribe", json!({ "channel": LOBBY }));
    bob.ok("subscribe", json!({ "channel": LOBBY }));
    let position = publish(&mut alice, "hello");
    let heard = bob.json();
    assert_eq!(heard["method"], "publication");
    assert_eq!(
        heard["params"],
        json!({ "channel": LOBBY, "data": "hello", "position": position, "from": "alice" })
    );
    assert_eq!(alice.json(), heard, "a follower hears its own words too");
    publish(&mut bob, "hello yourself");
    assert_eq!(alice.json()["params"]["from"], "bob");
}

#[test]
fn who_returns_gets_what_was_missed_or_is_told_that_it_cannot() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    let first = publish(&mut bob, 1);
    publish(&mut bob, 2);
    let last = publish(&mut bob, 3);
    let mut alice = server.socket("alice");
    let back = alice.ok("subscribe", json!({ "channel": LOBBY, "since": first }));
    assert_eq!(back["recovered"], true);
    assert_eq!(back["position"], last);
    let data: Vec<&Value> = back["publications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["data"])
        .collect();
    assert_eq!(data, [2, 3]);
    alice.ok("unsubscribe", json!({ "channel": LOBBY }));
    let lost = alice.ok("subscribe", json!({ "channel": LOBBY, "since": "1:1" }));
    assert_eq!(
        (&lost["recovered"], &lost["publications"]),
        (&json!(false), &json!([]))
    );
}

#[test]
fn unsubscribing_ends_deliveries_and_twice_is_an_error() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.socket("alice"), server.socket("bob"));
    alice.ok("subscribe", json!({ "channel": LOBBY }));
    alice.fails("subscribe", json!({ "channel": LOBBY }), -32006);
    alice.ok("unsubscribe", json!({ "channel": LOBBY }));
    alice.fails("unsubscribe", json!({ "channel": LOBBY }), -32006);
    publish(&mut bob, 1);
    let mut aside = Vec::new();
    alice.call_aside("ping", json!({}), &mut aside);
    assert!(aside.is_empty());
}

#[test]
fn a_batch_is_answered_as_json_rpc_says() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    ws.text(r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"ping"},{"jsonrpc":"2.0","id":2,"method":"nope"},7]"#);
    let answers = ws.json();
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 3, "the notification has no answer");
    assert_eq!(
        (&answers[0]["id"], &answers[0]["result"]),
        (&json!("a"), &json!({}))
    );
    assert_eq!(
        (&answers[1]["id"], &answers[1]["error"]["code"]),
        (&json!(2), &json!(-32601))
    );
    assert_eq!(
        (&answers[2]["id"], &answers[2]["error"]["code"]),
        (&Value::Null, &json!(-32600))
    );
}

#[test]
fn mistakes_are_named_by_json_rpcs_codes() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for (text, code) in [
        ("{", -32700),
        ("[]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"subscribe"}"#, -32602),
    ] {
        ws.text(text);
        assert_eq!(ws.json()["error"]["code"], code, "{text}");
    }
}

#[test]
fn a_ticket_opens_what_it_was_issued_for() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let mut connection = server.connect();
    let body = r#"{"route":"/live"}"#;
    connection.send(
        format!(
            "POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nOrigin: {ORIGIN}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    );
    let response = connection.response();
    assert_eq!(response.status, 201);
    assert_eq!(response.header("access-control-allow-origin"), ORIGIN);
    assert_eq!(response.header("cache-control"), "no-store");
    let answer = response.json();
    assert_eq!(answer["expires_in"], 30);
    let mut ws = server.open(
        Handshake::new("/live")
            .origin(ORIGIN)
            .ticket(answer["ticket"].as_str().unwrap()),
    );
    ws.ok("subscribe", json!({ "channel": LOBBY }));
}

#[test]
fn a_channels_route_speaks_its_protocol_only() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/native")
        .bearer(&token)
        .set("Sec-WebSocket-Protocol", "graphql-ws");
    let mut connection = server.connect();
    connection.send(handshake.text().as_bytes());
    assert_eq!(connection.response().status, 400);
    server.refused("subprotocol");
}

#[test]
fn large_messages_and_many_in_flight_come_back_whole() {
    let server = Server::start();
    let mut ws = server.echo();
    for size in [0, 1, 125, 126, 16_383, 16_384, 65_535, 65_536] {
        let payload: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        ws.send(0x82, &payload);
        assert_eq!(ws.next().unwrap().payload, payload);
    }
    for n in 0..200_u8 {
        ws.send(0x82, &[n; 100]);
    }
    for n in 0..200_u8 {
        assert_eq!(ws.next().unwrap().payload, [n; 100]);
    }
    ws.send(0x82, &[0; 65_537]);
    assert_eq!(ws.closed(), (1009, "size".into()));
}
