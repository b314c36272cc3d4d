//! `wardwire.session`: who comes by a session's cookie and nothing else is told first whose the socket is, and never is nobody.

use serde_json::json;

use super::forward_auth::{page, started};
use crate::{
    attacks::refused,
    harness::{Handshake, ORIGIN, Ws},
};

const KEPT: &str = "cache = \"5m\"";

fn offering(handshake: Handshake, subprotocols: &str) -> Handshake {
    handshake.set("Sec-WebSocket-Protocol", subprotocols)
}

fn alone(handshake: Handshake) -> Handshake {
    offering(handshake, "wardwire.v1, wardwire.session")
}

/// What it is told before it is answered.
fn told(socket: &mut Ws) -> Vec<serde_json::Value> {
    let mut told = Vec::new();
    socket.call_aside("ping", json!({}), &mut told);
    told
}

#[test]
fn who_comes_by_a_cookie_alone_is_told_first_whose_the_socket_is() {
    let (_application, server) = started(KEPT);
    let welcome = |handle: &str| json!({ "jsonrpc": "2.0", "method": "welcome", "params": { "handle": handle } });
    // Unasked, and once.
    let mut alice = server.open(alone(page("sid=a")));
    assert_eq!(alice.json(), welcome("app:alice"));
    assert_eq!(told(&mut alice), [] as [serde_json::Value; 0]);
    // Also before the answer to what came with the handshake.
    let mut bob = server.open(alone(page("sid=b")));
    assert_eq!(told(&mut bob), [welcome("app:bob")]);
}

#[test]
fn who_did_not_ask_is_told_nothing() {
    let (_application, server) = started(KEPT);
    for mut socket in [
        server.open(page("sid=a")),
        server.open(Handshake::new("/native").bearer(&server.issuer.token("alice").mint())),
    ] {
        assert_eq!(told(&mut socket), [] as [serde_json::Value; 0]);
    }
    // An echo says nothing by itself.
    let echo = Handshake::new("/echo").origin(ORIGIN);
    let echo = offering(
        echo.with("Cookie", "sid=a"),
        "wardwire.raw, wardwire.session",
    );
    let mut echo = server.open(echo);
    echo.text("one");
    assert_eq!(echo.next().unwrap().payload, b"one");
}

#[test]
fn attack_021_a_socket_that_should_stand_on_a_cookie_stands_on_nothing_else() {
    let (_application, server) = started(KEPT);
    let anonymous = offering(Handshake::new("/echo").origin(ORIGIN), "wardwire.raw");
    server.open(anonymous.clone());
    let nobody = offering(anonymous, "wardwire.raw, wardwire.session");
    refused(&server, &nobody, 401, "credential-missing");
    let gone = nobody.with("Cookie", "sid=c");
    refused(&server, &gone, 401, "session-unknown");
    let token = server.issuer.token("alice").mint();
    let native = alone(Handshake::new("/native")).bearer(&token);
    refused(&server, &native, 401, "credential-missing");
    let ticket = "A".repeat(43);
    let both = format!("wardwire.v1, wardwire.session, wardwire.ticket.{ticket}");
    refused(
        &server,
        &offering(page("sid=a"), &both),
        401,
        "credential-missing",
    );
    let elsewhere = alone(page("sid=a")).origin("https://evil.example");
    refused(&server, &elsewhere, 403, "origin-not-allowed");
    let nowhere = alone(page("sid=a")).without("Origin");
    refused(&server, &nowhere, 403, "origin-missing");
}

crate::harness::over_http2![
    who_comes_by_a_cookie_alone_is_told_first_whose_the_socket_is,
    who_did_not_ask_is_told_nothing,
    attack_021_a_socket_that_should_stand_on_a_cookie_stands_on_nothing_else,
];
