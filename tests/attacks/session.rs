use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use serde_json::{Value, json};

use super::{native, refused};
use crate::harness::{Handshake, PATIENCE, Server, Ws, now};

#[test]
fn attack_076_a_token_that_expires_on_a_live_socket() {
    let server = Server::start();
    let expires = now() + 5;
    let token = server.issuer.token("alice").claim("exp", expires).mint();
    let mut ws = server.open(native(&token));
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    ws.closes(3000, "expired");
    assert!(now() >= expires, "not before its time");
    server.closed(3000, "expired");
}

#[test]
fn attack_076_a_refresh_keeps_it_open() {
    let server = Server::start();
    let (first, second) = (now() + 5, now() + 7);
    let until = |end: u64| server.issuer.token("alice").claim("exp", end).mint();
    let mut ws = server.open(native(&until(first)));
    let answer = ws.ok("refresh", json!({ "token": until(second) }));
    assert_eq!(answer["expires_at"], second);
    ws.closes(3000, "expired");
    assert!(now() >= second, "not before its time");
}

#[test]
fn attack_076_nothing_is_delivered_after_the_end() {
    let server = Server::start();
    let token = server.issuer.token("alice").claim("exp", now() + 5).mint();
    let mut ws = server.open(native(&token));
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let mut bob = server.socket("bob");
    assert_eq!(ws.closed(), (3000, "expired".into()));
    // The Close is not answered, so the connection is still there for a while.
    for n in 0..5 {
        bob.ok("publish", json!({ "channel": "chat/lobby", "data": n }));
    }
    assert_eq!(ws.connection.rest(), 0);
}

#[test]
fn attack_076_a_ticket_lives_no_longer_than_its_token() {
    let server = Server::start();
    let expires = now() + 5;
    let token = server.issuer.token("alice").claim("exp", expires).mint();
    let first = super::ticket(&server, &token, "/native", None);
    let second = super::ticket(&server, &token, "/native", None);
    let mut ws = server.open(Handshake::new("/native").ticket(&first));
    ws.closes(3000, "expired");
    refused(
        &server,
        &Handshake::new("/native").ticket(&second),
        401,
        "token-expired",
    );
}

#[test]
fn attack_076_a_sign_in_that_grows_too_old_for_the_route_on_a_live_socket() {
    let server = Server::start();
    let begun = now();
    let signed_in = |ago: u64| {
        let token = server.issuer.token("alice").claim("acr", "mfa");
        token.claim("auth_time", begun - ago).mint()
    };
    // The token holds for minutes, and the route takes sign-ins of the last hour.
    let mut ws = server.open(Handshake::new("/mfa").bearer(&signed_in(3590)));
    // One that is younger, but not by much, prolongs it by as much.
    let answer = ws.ok("refresh", json!({ "token": signed_in(3588) }));
    let ends = begun + 12;
    assert_eq!(answer["expires_at"], ends, "{answer}");
    ws.closes(3000, "expired");
    assert!(now() >= ends, "not before its time");
}

#[test]
fn attack_077_a_refresh_with_a_proof_too_weak_for_the_route() {
    let server = Server::start();
    let strong = || {
        server
            .issuer
            .token("alice")
            .claim("acr", "mfa")
            .claim("auth_time", now())
    };
    let mut ws =
        server.open(Handshake::new("/mfa").bearer(&strong().claim("exp", now() + 5).mint()));
    let weak = strong().claim("acr", "pwd").mint();
    ws.fails("refresh", json!({ "token": weak }), -32007);
    let old = strong().claim("auth_time", now() - 7200).mint();
    ws.fails("refresh", json!({ "token": old }), -32007);
    ws.closes(3000, "expired");
    server.refused("insufficient-authentication");
}

#[test]
fn attack_077_a_refresh_with_somebody_elses_token() {
    let server = Server::start();
    let token = || server.issuer.token("alice").claim("tenant", "red");
    let others = [
        token().claim("sub", "bob").mint(),
        token().claim("sub", "bob").claim("sid", Value::Null).mint(),
        token().claim("tenant", "blue").mint(),
        token().claim("tenant", Value::Null).mint(),
        token().claim("sid", "another").mint(),
    ];
    for other in others {
        let mut ws = server.open(native(&token().mint()));
        ws.text(&json!({ "jsonrpc": "2.0", "id": 1, "method": "refresh", "params": { "token": other } }).to_string());
        ws.closes(3003, "subject");
        server.refused("other-subject");
        server.assert_unlogged(&[&other]);
    }
}

#[test]
fn attack_077_a_refresh_that_does_not_hold_changes_nothing() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let expired = server.issuer.token("alice").claim("exp", now() - 1).mint();
    ws.fails("refresh", json!({ "token": expired }), -32007);
    ws.fails("refresh", json!({ "token": "x" }), -32007);
    ws.ok("ping", json!({}));
}

#[test]
fn attack_078_revocation_ends_every_matching_socket_and_bars_the_way_back() {
    let kinds = [
        json!({ "issuer": "https://id.test", "token": "t-alice" }),
        json!({ "issuer": "https://id.test", "session": "s-alice" }),
        json!({ "issuer": "https://id.test", "subject": "alice" }),
    ];
    for revocation in kinds {
        let server = Server::start();
        let token = server.issuer.token("alice").mint();
        let mut sockets = [server.open(native(&token)), server.open(native(&token))];
        let mut bob = server.socket("bob");
        let ticket = super::ticket(&server, &token, "/native", None);
        let answer = server.admin("POST", "/revocations", &revocation.to_string());
        assert_eq!(
            (answer.status, &*answer.body),
            (200, r#"{"ended":2}"#),
            "{revocation}"
        );
        for socket in &mut sockets {
            socket.closes(3000, "revoked");
        }
        bob.ok("ping", json!({}));
        refused(&server, &native(&token), 401, "revoked");
        refused(
            &server,
            &Handshake::new("/native").ticket(&ticket),
            401,
            "revoked",
        );
        let event = server.audited(|event| event["event"] == "revocation");
        assert_eq!(event["ended"], 2);
    }
}

fn signs_out(server: &Server, token: &str) {
    let mut connection = server.connect();
    connection.send(
        format!(
            "DELETE /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        .as_bytes(),
    );
    assert_eq!(connection.response().status, 204);
}

#[test]
fn attack_078_signing_out_with_the_token_itself() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let mut ws = server.open(native(&token));
    signs_out(&server, &token);
    ws.closes(3000, "logged-out");
    refused(&server, &native(&token), 401, "revoked");
    let event = server.audited(|event| event["event"] == "sign-out");
    assert_eq!(
        (&event["subject"], &event["ended"]),
        (&json!("alice"), &json!(1))
    );
}

#[test]
fn attack_078_signing_out_with_a_token_that_has_no_name_takes_back_that_one_alone() {
    let server = Server::start();
    let nameless = || {
        let token = server.issuer.token("alice");
        token.claim("jti", Value::Null).claim("sid", Value::Null)
    };
    let cases = [
        // No time tells this one from those that come later.
        (nameless().claim("iat", Value::Null), "red"),
        (nameless(), "blue"),
    ];
    for (token, lamp) in cases {
        let token = token.claim("lamp", lamp);
        let shown = token.mint();
        let mut sockets = [server.open(native(&shown)), server.open(native(&shown))];
        let other = token.claim("lamp", "green").mint();
        let mut others = [server.open(native(&other)), server.socket("alice")];
        signs_out(&server, &shown);
        for socket in &mut sockets {
            socket.closes(3000, "logged-out");
        }
        refused(&server, &native(&shown), 401, "revoked");
        for socket in &mut others {
            socket.ok("ping", json!({}));
        }
        server.open(native(&other)).ok("ping", json!({}));
        server.audited(|event| event["event"] == "sign-out" && event["ended"] == 2);
    }
}

#[test]
fn attack_078_a_refresh_with_what_was_taken_back() {
    let server = Server::start();
    let token = |id: &str| server.issuer.token("alice").claim("jti", id);
    let mut ws = server.open(native(&token("short").claim("exp", now() + 5).mint()));
    let body = json!({ "issuer": "https://id.test", "token": "long" }).to_string();
    assert_eq!(server.admin("POST", "/revocations", &body).status, 200);
    ws.fails("refresh", json!({ "token": token("long").mint() }), -32007);
    ws.closes(3000, "expired");
}

#[test]
fn attack_078_a_refresh_does_not_slip_out_of_its_session() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let without = server.issuer.token("alice").claim("sid", Value::Null);
    ws.ok("refresh", json!({ "token": without.mint() }));
    let body = json!({ "issuer": "https://id.test", "session": "s-alice" }).to_string();
    let answer = server.admin("POST", "/revocations", &body);
    assert_eq!(answer.body, r#"{"ended":1}"#);
    ws.closes(3000, "revoked");
}

/// What some open who try again and again until they are refused: whatever they were let in for before must end with that.
pub(crate) fn crowd(server: &Arc<Server>, handshake: &Handshake) -> Vec<JoinHandle<Vec<Ws>>> {
    let enters = |server: &Server, text: &str| {
        let mut open = Vec::new();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "never refused");
            let mut connection = server.connect();
            connection.send(text.as_bytes());
            match connection.response().status {
                101 => open.push(Ws::new(connection)),
                401 => return open,
                429 => thread::yield_now(),
                other => panic!("{other}"),
            }
        }
    };
    let each = (0..4).map(|_| {
        let (server, text) = (server.clone(), handshake.text());
        thread::spawn(move || enters(&server, &text))
    });
    each.collect()
}

#[test]
fn attack_078_a_revocation_in_the_middle_of_a_crowd_of_handshakes() {
    let server = Arc::new(Server::start());
    let token = server.issuer.token("alice").mint();
    let crowd = crowd(&server, &native(&token));
    server.audited(|event| event["event"] == "admission");
    let body = json!({ "issuer": "https://id.test", "subject": "alice" }).to_string();
    assert_eq!(server.admin("POST", "/revocations", &body).status, 200);
    for opened in crowd {
        for mut socket in opened.join().unwrap() {
            assert_eq!(socket.closed(), (3000, "revoked".into()));
        }
    }
}

#[test]
fn attack_078_what_is_issued_afterwards_counts_again() {
    let server = Server::start();
    let old = server
        .issuer
        .token("alice")
        .claim("iat", now() - 100)
        .mint();
    let new = server.issuer.token("alice").claim("iat", now() - 10).mint();
    let mut sockets = [server.open(native(&old)), server.open(native(&new))];
    let before = now() - 50;
    let body = json!({ "issuer": "https://id.test", "subject": "alice", "issued_before": before });
    let answer = server.admin("POST", "/revocations", &body.to_string());
    assert_eq!(answer.body, r#"{"ended":1}"#);
    sockets[0].closes(3000, "revoked");
    sockets[1].ok("ping", json!({}));
    refused(&server, &native(&old), 401, "revoked");
    server.open(native(&new));
}

#[test]
fn attack_078_a_whole_issuer() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let answer = server.admin("POST", "/revocations", r#"{"issuer":"https://id.test"}"#);
    assert_eq!(answer.body, r#"{"ended":1}"#);
    ws.closes(3000, "revoked");
}

#[test]
fn attack_082_requests_of_foreign_pages() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let evil = super::ask_ticket(&server, &token, "/live", Some("https://evil.test"));
    assert_eq!(evil.status, 403);
    assert_eq!(evil.header("access-control-allow-origin"), "");
    server.refused("origin-not-allowed");
    // A form can send neither this type nor without an Origin.
    let mut connection = server.connect();
    connection.send(b"POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!(connection.response().status, 415);
    let cookie = "A".repeat(43);
    let mut connection = server.connect();
    connection.send(format!("DELETE /.wardwire/session HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-wardwire={cookie}\r\n\r\n").as_bytes());
    assert_eq!(
        connection.response().status,
        403,
        "without an Origin a cookie changes nothing"
    );
    server.assert_unlogged(&[&token, &cookie]);
}

#[test]
fn attack_082_preflights_are_answered_to_allowed_pages_only() {
    let server = Server::start();
    let ask = |origin: &str| {
        let mut connection = server.connect();
        let request = format!(
            "OPTIONS /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
        );
        connection.send(request.as_bytes());
        connection.response()
    };
    let allowed = ask(crate::harness::ORIGIN);
    assert_eq!(allowed.status, 204);
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        crate::harness::ORIGIN
    );
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    assert_eq!(allowed.header("vary"), "Origin");
    let foreign = ask("https://evil.test");
    assert_eq!(
        (
            foreign.status,
            foreign.header("access-control-allow-origin")
        ),
        (403, "")
    );
}

crate::harness::over_http2![
    attack_076_a_token_that_expires_on_a_live_socket,
    attack_076_a_refresh_keeps_it_open,
    attack_076_nothing_is_delivered_after_the_end,
    attack_076_a_ticket_lives_no_longer_than_its_token,
    attack_077_a_refresh_with_a_proof_too_weak_for_the_route,
    attack_077_a_refresh_with_somebody_elses_token,
    attack_077_a_refresh_that_does_not_hold_changes_nothing,
    attack_078_revocation_ends_every_matching_socket_and_bars_the_way_back,
    attack_078_signing_out_with_the_token_itself,
    attack_078_a_refresh_with_what_was_taken_back,
    attack_078_a_refresh_does_not_slip_out_of_its_session,
    attack_078_a_revocation_in_the_middle_of_a_crowd_of_handshakes,
    attack_078_what_is_issued_afterwards_counts_again,
    attack_078_a_whole_issuer,
    attack_082_requests_of_foreign_pages,
    attack_082_preflights_are_answered_to_allowed_pages_only,
];
