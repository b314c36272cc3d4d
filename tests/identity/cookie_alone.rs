//! `wardwire.session`: who comes by a session's cookie and nothing else is told first whose the socket is, and never is nobody.

use serde_json::json;

use super::{
    Browser, Provider,
    browser::{SESSION, live},
    forward_auth::{page, started},
    sign_in::LOGIN,
};
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

#[test]
fn a_cookie_alone_is_as_strong_as_the_sign_in_behind_it_and_ends_with_the_session() {
    let (provider, server) = Provider::and_server();
    let cookie = |query: &str, user: &str| {
        let mut browser = Browser::of("alice", &server, &provider);
        browser.user = user.to_owned();
        browser.follow(&format!("{LOGIN}?return_to=/chat{query}"));
        browser.session()
    };
    let weak = cookie("", "account=alice");
    let strong = cookie("&acr_values=mfa&max_age=3600", "account=alice&acr=mfa");
    let bob = cookie("", "account=bob");
    let vault = |cookie: &str| {
        let handshake = Handshake::new("/mfa").origin(ORIGIN);
        alone(handshake.with("Cookie", &format!("{SESSION}={cookie}")))
    };
    let response = refused(&server, &vault(&weak), 401, "insufficient-authentication");
    let demanded = response.header("www-authenticate");
    assert!(demanded.contains("acr_values=\"mfa\""), "{demanded}");
    let mut sockets = [
        server.open(vault(&strong)),
        server.open(alone(live(&weak))),
        server.open(alone(live(&bob))),
    ];
    for (socket, handle) in sockets.iter_mut().zip(["alice", "alice", "bob"]) {
        assert_eq!(socket.json()["params"]["handle"], handle);
    }
    let revocation = json!({ "issuer": provider.issuer, "subject": "alice" });
    let answer = server.admin("POST", "/revocations", &revocation.to_string());
    assert_eq!(answer.body, r#"{"ended":2}"#);
    let [vaults, lives, bobs] = &mut sockets;
    vaults.closes(3000, "revoked");
    lives.closes(3000, "revoked");
    bobs.ok("ping", json!({}));
    refused(&server, &vault(&strong), 401, "revoked");
    refused(&server, &alone(live(&weak)), 401, "revoked");
}

crate::harness::over_http2![
    who_comes_by_a_cookie_alone_is_told_first_whose_the_socket_is,
    who_did_not_ask_is_told_nothing,
    attack_021_a_socket_that_should_stand_on_a_cookie_stands_on_nothing_else,
];
