//! Whoever is connected is told in time that what their socket stands on ends.

use serde_json::{Value, json};

use crate::{
    attacks::native,
    harness::{Handshake, Server, now},
};

fn expiring(end: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "expiring", "params": { "expires_at": end } })
}

#[test]
fn a_client_is_told_once_of_each_proof_that_it_ends() {
    let server = Server::start();
    let token = |end: u64| server.issuer.token("alice").claim("exp", end).mint();
    let first = now() + 6;
    let mut ws = server.open(native(&token(first)));
    assert_eq!(ws.json(), expiring(first));
    assert!(now() < first, "in time");

    let mut aside = Vec::new();
    let same = json!({ "token": token(first) });
    ws.call_aside("refresh", same, &mut aside);
    let second = first + 3;
    ws.call_aside("refresh", json!({ "token": token(second) }), &mut aside);
    assert_eq!(aside, [] as [Value; 0], "the end of the first was told");
    assert_eq!(ws.json(), expiring(second));
    assert_eq!(ws.next().unwrap().first, 0x88, "and once");
}

#[test]
fn who_is_told_is_brought_what_is_published_until_the_end() {
    let server = Server::start();
    let end = now() + 6;
    let token = server.issuer.token("alice").claim("exp", end).mint();
    let mut ws = server.open(native(&token));
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let mut bob = server.socket("bob");
    assert_eq!(ws.json(), expiring(end));
    // It goes on meanwhile.
    bob.ok("publish", json!({ "channel": "chat/lobby", "data": 1 }));
    assert_eq!(ws.json()["params"]["data"], 1);
    ws.closes(3000, "expired");
}

#[test]
fn a_client_is_told_also_of_an_end_that_a_reload_brings_nearer() {
    let server = Server::start();
    let signed_in = now() - 3000;
    let token = server.issuer.token("alice").claim("acr", "mfa");
    let token = token.claim("auth_time", signed_in).mint();
    let mut ws = server.open(Handshake::new("/mfa").bearer(&token));
    ws.ok("ping", json!({}));
    let end = now() + 4;
    let age = format!("max_age = \"{}s\"", end - signed_in);
    server.edit("max_age = \"1h\"", &age);
    server.reloaded();
    assert_eq!(ws.json(), expiring(end));
    assert!(now() < end, "in time");
    assert_eq!(ws.next().unwrap().first, 0x88, "and once");
}

crate::harness::over_http2![a_client_is_told_once_of_each_proof_that_it_ends];
