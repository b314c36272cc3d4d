//! Signing out: at the page, and at the provider behind the browser's back.

use serde_json::{Value, json};

use super::{
    Browser, Provider,
    browser::{SESSION, live},
    provider::GOODBYE,
};
use crate::{
    attacks::refused,
    harness::{Handshake, ORIGIN, Response, Server, Setup, now},
};

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";
pub(super) const LOGOUT: &str = "/.wardwire/logout";

/// Posts a logout token as a provider does.
fn told(server: &Server, body: &str) -> Response {
    let mut connection = server.connect();
    let length = body.len();
    let request = format!(
        "POST /.wardwire/backchannel-logout HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    connection.send(request.as_bytes());
    connection.response()
}

/// A logout token that would be taken.
fn good(provider: &Provider, subject: &str) -> Value {
    json!({
        "iss": provider.issuer, "aud": "basic", "sub": subject, "iat": now(), "exp": now() + 120,
        "jti": format!("logout-{subject}"),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    })
}

pub(super) fn ticket(browser: &mut Browser<'_>) -> String {
    let response = browser.post("/.wardwire/tickets", JSON, r#"{"route":"/live"}"#);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["ticket"].as_str().unwrap().to_owned()
}

#[test]
fn a_sign_out_at_the_provider_ends_both_tabs_at_once_and_nobody_elses() {
    let (provider, server) = Provider::and_server();
    let mut alice = Browser::of("alice", &server, &provider);
    alice.sign_in();
    let mut elsewhere = Browser::of("alice", &server, &provider);
    elsewhere.sign_in();
    let mut bob = Browser::of("bob", &server, &provider);
    bob.sign_in();
    let unused = ticket(&mut alice);
    let mut tabs = [server.open(alice.live()), server.open(alice.live())];
    let mut others = [server.open(elsewhere.live()), server.open(bob.live())];
    let before = alice.live();
    let there = format!("{}/session/end", provider.issuer);
    let out = alice.sign_out_there(&there);
    assert!(out.status == 200 || out.status == 303, "{out:?}");
    for tab in &mut tabs {
        tab.closes(3000, "logged-out");
    }
    for other in &mut others {
        other.ok("ping", json!({}));
    }
    let event = server.audited(|event| event["event"] == "back-channel-logout");
    assert_eq!(
        (&event["issuer"], &event["ended"]),
        (&json!(provider.issuer), &json!(2))
    );
    refused(&server, &before, 401, "session-unknown");
    let by_ticket = Handshake::new("/live").origin(ORIGIN).ticket(&unused);
    refused(&server, &by_ticket, 401, "revoked");
    // The next sign-in counts again.
    alice.sign_in();
    server.open(alice.live()).ok("ping", json!({}));
}

#[test]
fn a_page_signs_out_here_and_then_at_the_provider() {
    let (provider, server) = Provider::and_server();
    for media in [FORM, JSON] {
        let mut browser = Browser::of("alice", &server, &provider);
        browser.sign_in();
        let mut socket = server.open(browser.live());
        let before = browser.live();
        let body = if media == JSON {
            r#"{"state":"back"}"#
        } else {
            ""
        };
        let out = browser.post(LOGOUT, media, body);
        let there = match media {
            JSON => {
                assert_eq!(
                    (out.status, &out.json()["ended"]),
                    (200, &json!(1)),
                    "{out:?}"
                );
                out.json()["continue"].as_str().unwrap().to_owned()
            }
            _ => {
                assert_eq!(out.status, 303, "{out:?}");
                out.header("location").to_owned()
            }
        };
        assert_eq!(out.header("cache-control"), "no-store");
        assert!(
            browser.cookies.is_empty(),
            "the session's cookie is forgotten"
        );
        socket.closes(3000, "logged-out");
        refused(&server, &before, 401, "session-unknown");
        assert!(there.starts_with(&format!("{}/session/end?client_id=basic", provider.issuer)));
        // A page is shown no token.
        assert_eq!(there.contains("id_token_hint="), media == FORM, "{there}");
        let back = browser.sign_out_there(&there);
        let state = if media == JSON { "?state=back" } else { "" };
        assert_eq!(
            back.header("location"),
            format!("{GOODBYE}{state}"),
            "{back:?}"
        );
        // Once more there is nothing to sign out of, and that is no fault.
        let again = browser.post(LOGOUT, JSON, "{}");
        assert_eq!(again.json(), json!({ "ended": 0, "continue": null }));
    }
}

#[test]
fn a_provider_that_is_down_keeps_nobody_signed_in() {
    let (mut provider, server) = Provider::and_server();
    let session = {
        let mut browser = Browser::of("alice", &server, &provider);
        browser.sign_in();
        browser.session()
    };
    provider.stop();
    let mut browser = Browser::of("alice", &server, &provider);
    browser.cookies.insert(SESSION.into(), session.clone());
    assert_eq!(browser.post(LOGOUT, JSON, "{}").status, 200);
    refused(&server, &live(&session), 401, "session-unknown");
}

#[test]
fn attack_082_a_foreign_page_signs_nobody_out() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    browser.sign_in();
    let mut socket = server.open(browser.live());
    let address = format!("https://localhost{LOGOUT}");
    for origin in ["", "Origin: https://evil.example\r\n", "Origin: null\r\n"] {
        for media in [FORM, JSON] {
            let fields = format!("{origin}Content-Type: {media}\r\n");
            let response = browser.ask("POST", &address, &fields, "{}");
            assert_eq!(response.status, 403, "{origin} {response:?}");
        }
    }
    for other in [("GET", 405), ("DELETE", 405)] {
        let fields = format!("Origin: {ORIGIN}\r\n");
        assert_eq!(browser.ask(other.0, &address, &fields, "").status, other.1);
    }
    socket.ok("ping", json!({}));
    assert_eq!(browser.who().json()["subject"], "alice");
}

#[test]
fn a_logout_token_without_a_session_ends_all_of_its_subject() {
    let (provider, server) = Provider::and_server();
    let mut browsers = ["alice", "alice", "bob"].map(|user| Browser::of(user, &server, &provider));
    let mut sockets: Vec<_> = browsers
        .iter_mut()
        .map(|browser| {
            browser.sign_in();
            server.open(browser.live())
        })
        .collect();
    let token = provider.sign(
        &server,
        &json!({ "typ": "logout+jwt" }),
        &good(&provider, "alice"),
        "",
    );
    let response = told(&server, &format!("logout_token={token}"));
    assert_eq!((response.status, response.body.as_str()), (200, ""));
    assert_eq!(response.header("cache-control"), "no-store");
    let mut of_bob = sockets.pop().unwrap();
    for socket in &mut sockets {
        socket.closes(3000, "logged-out");
    }
    of_bob.ok("ping", json!({}));
    for browser in browsers.iter().take(2) {
        refused(&server, &browser.live(), 401, "session-unknown");
    }
    let [alice, ..] = &mut browsers;
    alice.sign_in();
    server.open(alice.live()).ok("ping", json!({}));
}

#[test]
fn a_logout_token_with_a_session_ends_those_that_may_be_of_it() {
    let setup = Setup::new();
    let provider = Provider::start(&setup);
    let server = provider.server_as(setup, "nameless", "");
    let mut browsers = ["alice", "bob"].map(|user| Browser::of(user, &server, &provider));
    let [mut alice, mut bob] = browsers.each_mut().map(|browser| {
        browser.sign_in();
        server.open(browser.live())
    });
    let mut claims = good(&provider, "alice");
    claims["aud"] = json!("nameless");
    claims["sid"] = json!("a session that its ID tokens do not name");
    let token = provider.sign(&server, &json!({ "typ": "logout+jwt" }), &claims, "");
    assert_eq!(told(&server, &format!("logout_token={token}")).status, 200);
    alice.closes(3000, "logged-out");
    bob.ok("ping", json!({}));
    refused(&server, &browsers[0].live(), 401, "session-unknown");
}

#[test]
fn attack_079_a_logout_token_that_does_not_hold() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    browser.sign_in();
    let mut socket = server.open(browser.live());
    let typ = json!({ "typ": "logout+jwt" });
    let spoilt = |change: &dyn Fn(&mut Value)| {
        let mut claims = good(&provider, "alice");
        change(&mut claims);
        provider.sign(&server, &typ, &claims, "")
    };
    let without = |name: &str| spoilt(&|claims| drop(claims.as_object_mut().unwrap().remove(name)));
    let set = |name: &str, value: Value| spoilt(&|claims| claims[name] = value.clone());
    let untouched = good(&provider, "alice");
    let whole = provider.sign(&server, &typ, &untouched, "");
    let (head, _) = whole.rsplit_once('.').unwrap();
    let event = "http://schemas.openid.net/event/backchannel-logout";
    let tokens = [
        // Forged.
        provider.sign(&server, &typ, &untouched, "stranger"),
        format!("{head}."),
        format!("{head}.{}", "A".repeat(86)),
        server.issuer.token("alice").mint(),
        // Of another kind.
        provider.sign(&server, &json!({ "typ": "at+jwt" }), &untouched, ""),
        set("nonce", json!("n")),
        without("events"),
        set("events", json!({ "https://example.com/other": {} })),
        set("events", json!({ event: [] })),
        set("events", json!([event])),
        // For another, by another.
        set("aud", json!("other")),
        set("aud", json!([])),
        without("aud"),
        set("iss", json!("https://evil.example")),
        // Of another time.
        set("exp", json!(now() - 1)),
        set("iat", json!(now() + 3600)),
        set("exp", json!(now() + 40 * 24 * 3600)),
        without("exp"),
        without("iat"),
        without("jti"),
        // About nobody.
        without("sub"),
        set("sub", json!("")),
        set("sub", json!(["alice"])),
        "not.a.token".to_owned(),
        String::new(),
    ];
    for token in tokens {
        let events = server.audit().len();
        let response = told(&server, &format!("logout_token={token}"));
        assert_eq!(response.status, 400, "{token} {response:?}");
        assert_eq!(response.header("cache-control"), "no-store");
        server.refused_since(events, "logout-token");
    }
    for body in [
        "",
        "logout_token",
        "token=x",
        &format!("logout_token={whole}&logout_token={whole}"),
    ] {
        assert_eq!(told(&server, body).status, 400, "{body}");
    }
    socket.ok("ping", json!({}));
    // Nothing but what was changed was wrong with them, and it counts once.
    let body = format!("logout_token={whole}");
    assert_eq!(told(&server, &body).status, 200);
    socket.closes(3000, "logged-out");
    browser.sign_in();
    let mut socket = server.open(browser.live());
    let events = server.audit().len();
    assert_eq!(told(&server, &body).status, 400);
    server.refused_since(events, "logout-token");
    socket.ok("ping", json!({}));
}

#[test]
fn attack_031_tokens_of_a_sign_in_open_nothing_by_themselves() {
    let (provider, server) = Provider::and_server();
    let mut claims = good(&provider, "alice");
    for (typ, change) in [
        (json!({ "typ": "logout+jwt" }), json!({})),
        (
            json!({ "typ": "JWT" }),
            json!({ "nonce": "n", "events": null }),
        ),
        (json!({}), json!({ "nonce": "n", "events": null })),
        (
            json!({ "typ": "at+jwt" }),
            json!({ "nonce": "n", "events": null }),
        ),
        // Whom it is for is a client, not a resource.
        (
            json!({ "typ": "at+jwt" }),
            json!({ "nonce": null, "events": null }),
        ),
    ] {
        for (name, value) in change.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let token = provider.sign(&server, &typ, &claims, "");
        let response = {
            let mut connection = server.connect();
            let handshake = Handshake::new("/native").bearer(&token);
            connection.send(handshake.text().as_bytes());
            connection.response()
        };
        assert_eq!(response.status, 401, "{typ} {response:?}");
    }
}

#[test]
fn a_sign_out_over_the_session_endpoint_ends_it_too() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    browser.sign_in();
    let mut socket = server.open(browser.live());
    let fields = format!("Origin: {ORIGIN}\r\n");
    let address = "https://localhost/.wardwire/session";
    assert_eq!(browser.ask("DELETE", address, &fields, "").status, 204);
    socket.closes(3000, "logged-out");
    assert_eq!(browser.who().status, 401);
}
