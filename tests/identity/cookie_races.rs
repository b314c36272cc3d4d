//! A session's cookie that opens a socket by itself, while the session ends, and where it is not enough.

use std::sync::Arc;

use serde_json::json;

use super::forward_auth::{ask, started, until};
use crate::{
    attacks::{refused, session::crowd},
    harness::{Handshake, ORIGIN, now},
};

const ANEW: &str = "cache = \"0s\"";

fn alone(path: &str, cookie: &str) -> Handshake {
    let handshake = Handshake::new(path).origin(ORIGIN).with("Cookie", cookie);
    handshake.set("Sec-WebSocket-Protocol", "wardwire.v1, wardwire.session")
}

#[test]
fn attack_078_a_session_that_is_taken_back_while_its_cookie_is_asked_about_opens_nothing() {
    let (application, server) = started(ANEW);
    for (cookie, what, id) in [("sid=a", "subject", "alice"), ("sid=b", "session", "bobs")] {
        application.hold(Some("sid="));
        let events = server.audit().len();
        let mut connection = server.connect();
        connection.send(alone("/live", cookie).text().as_bytes());
        until(|| application.asked_about(cookie) == 1);
        let body = json!({ "issuer": application.url(), what: id }).to_string();
        let told = server.admin("POST", "/revocations", &body).json();
        assert_eq!(told, json!({ "ended": 0 }));
        application.hold(None);
        let response = connection.response();
        assert_eq!(response.status, 401, "{response:?}");
        server.refused_since(events, "revoked");
    }
}

#[test]
fn attack_078_a_sign_out_in_the_middle_of_a_crowd_of_handshakes_by_its_cookie() {
    let (_application, server) = started("cache = \"5m\"");
    let server = Arc::new(server);
    let crowd = crowd(&server, &alone("/live", "sid=a"));
    server.audited(|event| event["event"] == "admission");
    let fields = format!("Origin: {ORIGIN}\r\nCookie: sid=a\r\n");
    let out = ask(&server, "DELETE", "/.wardwire/session", &fields, "");
    assert_eq!(out.status, 204, "{out:?}");
    for opened in crowd {
        for mut socket in opened.join().unwrap() {
            assert_eq!(socket.closed(), (3000, "logged-out".into()));
        }
    }
}

#[test]
fn attack_077_a_cookie_alone_steps_up_to_nothing() {
    let (application, server) = started(ANEW);
    let weak = refused(
        &server,
        &alone("/mfa", "sid=a"),
        401,
        "insufficient-authentication",
    );
    let challenge = weak.header("www-authenticate");
    assert!(
        challenge.contains("insufficient_user_authentication") && challenge.contains("mfa"),
        "{challenge}"
    );
    let knows = |acr: &str, signed_in: u64| {
        let claims = json!({ "sub": "alice", "acr": acr, "auth_time": signed_in });
        application.knows("sid=a", &claims);
    };
    for (acr, signed_in) in [("pwd", now()), ("mfa", now() - 3601)] {
        knows(acr, signed_in);
        refused(
            &server,
            &alone("/mfa", "sid=a"),
            401,
            "insufficient-authentication",
        );
    }
    let signed_in = now() - 3593;
    knows("mfa", signed_in);
    let mut alice = server.open(alone("/mfa", "sid=a"));
    assert_eq!(alice.json()["method"], "welcome");
    let expiring = json!({ "expires_at": signed_in + 3600 });
    assert_eq!(alice.json()["params"], expiring);
    alice.closes(3000, "expired");
}

crate::harness::over_http2![attack_077_a_cookie_alone_steps_up_to_nothing];
