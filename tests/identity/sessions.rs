//! All of a user's sessions: ended at once, and how many there are.

use serde_json::{Value, json};

use super::{
    Browser, Provider,
    browser::{SESSION, live},
    sign_in::{LOGIN, is_refused},
    sign_out::{FORM, JSON, LOGOUT, ticket},
};
use crate::{
    attacks::{native, refused},
    harness::{Handshake, ORIGIN, Setup, now},
};

#[test]
fn a_user_signs_out_everywhere_and_nobody_else_is_signed_out() {
    for (media, body) in [
        (FORM, "csrf=x&everywhere=true"),
        (JSON, r#"{"everywhere":true}"#),
    ] {
        let (provider, server) = Provider::and_server();
        let browsers = ["alice", "alice", "bob"].map(|user| Browser::of(user, &server, &provider));
        let [mut here, mut there, mut bob] = browsers.map(|mut browser| {
            browser.sign_in();
            browser
        });
        let mut ending = [
            server.open(here.live()),
            server.open(there.live()),
            server.open(there.live()),
        ];
        let mut stays = server.open(bob.live());
        let unused = ticket(&mut there);
        let out = here.post(LOGOUT, media, body);
        let onward = match media {
            JSON => {
                let answer = out.json();
                assert_eq!(
                    (&answer["ended"], &answer["sessions"]),
                    (&json!(3), &json!(2)),
                    "{out:?}"
                );
                answer["continue"].as_str().unwrap().to_owned()
            }
            _ => out.header("location").to_owned(),
        };
        assert!(onward.starts_with(&provider.issuer), "{out:?}");
        for socket in &mut ending {
            socket.closes(3000, "logged-out");
        }
        let event = server.audited(|event| event["event"] == "sign-out");
        assert_eq!(
            (&event["subject"], &event["ended"], &event["detail"]),
            (
                &json!("alice"),
                &json!(3),
                &json!("everywhere; sessions: 2")
            )
        );
        refused(&server, &there.live(), 401, "session-unknown");
        let by_ticket = Handshake::new("/live").origin(ORIGIN).ticket(&unused);
        refused(&server, &by_ticket, 401, "revoked");
        stays.ok("ping", json!({}));
        assert_eq!(bob.who().status, 200);
        // The next sign-in counts again.
        there.sign_in();
        server.open(there.live()).ok("ping", json!({}));
    }
}

#[test]
fn signing_out_everywhere_ends_what_access_tokens_opened_too() {
    let setup = Setup::new();
    let provider = Provider::start(&setup);
    let server = provider.server_and_audience(setup, "basic", "");
    let access = |subject: &str| {
        let claims: Value = json!({
            "iss": provider.issuer, "aud": "wardwire", "sub": subject, "iat": now(), "exp": now() + 300, "jti": subject,
        });
        provider.sign(&server, &json!({ "typ": "at+jwt" }), &claims, "")
    };
    let (alices, bobs) = (access("alice"), access("bob"));
    let mut browser = Browser::of("alice", &server, &provider);
    browser.sign_in();
    let (mut program, mut other) = (server.open(native(&alices)), server.open(native(&bobs)));
    let out = browser.post(LOGOUT, JSON, r#"{"everywhere":true}"#);
    assert_eq!(
        (&out.json()["ended"], &out.json()["sessions"]),
        (&json!(1), &json!(1))
    );
    program.closes(3000, "logged-out");
    refused(&server, &native(&alices), 401, "revoked");
    other.ok("ping", json!({}));
}

#[test]
fn attack_082_a_foreign_page_signs_nobody_out_everywhere() {
    let (provider, server) = Provider::and_server();
    let browsers = ["alice", "alice"].map(|user| Browser::of(user, &server, &provider));
    let [mut here, there] = browsers.map(|mut browser| {
        browser.sign_in();
        browser
    });
    let mut socket = server.open(there.live());
    let address = format!("https://localhost{LOGOUT}");
    for origin in ["", "Origin: https://evil.example\r\n", "Origin: null\r\n"] {
        for (media, body) in [(FORM, "everywhere=true"), (JSON, r#"{"everywhere":true}"#)] {
            let fields = format!("{origin}Content-Type: {media}\r\n");
            assert_eq!(here.ask("POST", &address, &fields, body).status, 403);
        }
    }
    for (media, body) in [
        (FORM, "everywhere=yes"),
        (FORM, "everywhere"),
        (FORM, "everywhere=true&everywhere=true"),
        (FORM, "everywhere=%ff"),
        (JSON, r#"{"everywhere":"true"}"#),
        (JSON, r#"{"everywhere":1}"#),
        (JSON, r#"{"all":true}"#),
    ] {
        assert_eq!(here.post(LOGOUT, media, body).status, 400, "{body}");
    }
    socket.ok("ping", json!({}));
    assert_eq!(here.who().status, 200);
}

/// What has ended says nothing about others any more.
#[test]
fn only_a_session_that_holds_ends_the_others() {
    let (provider, server) = Provider::and_server();
    let browsers = ["alice", "alice"].map(|user| Browser::of(user, &server, &provider));
    let [mut gone, mut stays] = browsers.map(|mut browser| {
        browser.sign_in();
        browser
    });
    let mut socket = server.open(stays.live());
    let ended = gone.session();
    assert_eq!(gone.post(LOGOUT, JSON, "{}").status, 200);
    for (cookie, reason) in [
        (Some(ended), "session-unknown"),
        (None, "credential-missing"),
    ] {
        gone.cookies.clear();
        gone.cookies
            .extend(cookie.map(|it| (SESSION.to_owned(), it)));
        let events = server.audit().len();
        let out = gone.post(LOGOUT, JSON, r#"{"everywhere":true}"#);
        assert_eq!(out.status, 401, "{out:?}");
        server.refused_since(events, reason);
    }
    socket.ok("ping", json!({}));
    assert_eq!(stays.who().status, 200);
}

#[test]
fn one_session_more_than_a_user_may_have_ends_the_oldest() {
    let setup = Setup::new();
    let provider = Provider::start(&setup);
    let server = provider.server_as(setup, "basic", "sessions = 2");
    let signed_in = |user: &str| {
        let mut browser = Browser::of(user, &server, &provider);
        browser.sign_in();
        browser
    };
    let (mut first, mut bob) = (signed_in("alice"), signed_in("bob"));
    let second = signed_in("alice");
    let (mut oldest, mut newer) = (server.open(first.live()), server.open(second.live()));
    let unused = ticket(&mut first);
    // In the place of the one that this browser had, so that nobody else's ends.
    let mut third = second;
    third.sign_in();
    newer.closes(3000, "logged-out");
    oldest.ok("ping", json!({}));
    let fourth = signed_in("alice");
    oldest.closes(3000, "logged-out");
    let ended = "older sessions ended: 1";
    let event = server.audited(|event| event["event"] == "sign-in" && event["detail"] == ended);
    assert_eq!(
        (&event["subject"], &event["ended"]),
        (&json!("alice"), &json!(1))
    );
    refused(&server, &live(&first.session()), 401, "session-unknown");
    let by_ticket = Handshake::new("/live").origin(ORIGIN).ticket(&unused);
    refused(&server, &by_ticket, 401, "revoked");
    for browser in [&third, &fourth] {
        server.open(browser.live()).ok("ping", json!({}));
    }
    assert_eq!(bob.who().json()["subject"], "bob");
}

#[test]
fn attack_060_one_account_that_takes_every_session_locks_nobody_out_and_ends_nobody_elses() {
    let mut setup = Setup::new();
    setup.limits = "sessions = 10".into();
    let provider = Provider::start(&setup);
    let server = provider.server_as(setup, "basic", "");
    let signed_in = |user: &str| {
        let mut browser = Browser::of(user, &server, &provider);
        browser.sign_in();
        browser
    };
    let mut bob = signed_in("bob");
    let mallorys: Vec<_> = (0..9).map(|_| signed_in("mallory")).collect();
    let open = |browser: &Browser<'_>| server.open(browser.live());
    let (mut bobs, mut first, mut second) = (open(&bob), open(&mallorys[0]), open(&mallorys[1]));
    assert_eq!(server.metric("wardwire_sessions_open"), 10);
    // One more of its own ends its own oldest.
    signed_in("mallory");
    first.closes(3000, "logged-out");
    // Somebody else's has the room of whoever has most.
    let mut carol = signed_in("carol");
    second.closes(3000, "logged-out");
    let event = server.audited(|event| event["event"] == "eviction");
    assert_eq!(
        (&event["subject"], &event["ended"]),
        (&json!("mallory"), &json!(1))
    );
    refused(&server, &mallorys[1].live(), 401, "session-unknown");
    // Nobody has many any more, so nobody gives way.
    let mut dave = Browser::of("dave", &server, &provider);
    let events = server.audit().len();
    let response = dave.follow(LOGIN);
    is_refused(&server, events, &response, 503, "too-many-sessions");
    assert_ne!(response.header("retry-after"), "");
    bobs.ok("ping", json!({}));
    for browser in [&mut bob, &mut carol] {
        assert_eq!(browser.who().status, 200);
    }
    assert_eq!(carol.post(LOGOUT, JSON, "{}").status, 200);
    dave.sign_in();
    assert_eq!(server.metric("wardwire_sessions_open"), 10);
}
