//! Signing in, and every way in which somebody may tamper with it.

use serde_json::json;

use super::{
    Browser, Provider,
    browser::{ATTEMPT, SESSION, live},
    provider::{CALLBACK, secret_of, with_key},
};
use crate::{
    attacks::refused,
    harness::{ORIGIN, Response, Server, Setup, now},
};

pub(super) const LOGIN: &str = "https://localhost/.wardwire/login";

/// A refusal of an ordinary request, as a browser sees it.
pub(super) fn is_refused(
    server: &Server,
    events: usize,
    response: &Response,
    status: u16,
    reason: &str,
) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.header("content-type"), "application/problem+json");
    assert!(
        !response
            .header("set-cookie")
            .contains(&format!("{SESSION}=")),
        "{response:?}"
    );
    server.refused_since(events, reason);
}

/// The value of a parameter.
pub(super) fn parameter(address: &str, name: &str) -> String {
    let query = address.split_once('?').map_or("", |(_, query)| query);
    let found = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = found.filter(|(known, _)| *known == name);
    let value = found.next().map_or("", |(_, value)| value);
    value.split('#').next().unwrap().to_owned()
}

/// The same address with another value of a parameter, or without it.
fn with(address: &str, name: &str, value: Option<&str>) -> String {
    let (path, query) = address.split_once('?').unwrap();
    let others = query
        .split('&')
        .filter(|pair| !pair.starts_with(&format!("{name}=")));
    let new = value.map(|value| format!("{name}={value}"));
    let pairs: Vec<_> = others.map(str::to_owned).chain(new).collect();
    format!("{path}?{}", pairs.join("&"))
}

#[test]
fn a_browser_signs_in_at_a_real_provider_and_what_that_says_opens_its_socket() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    assert_eq!(browser.sign_in(), format!("{ORIGIN}/chat"));
    let cookies: Vec<_> = browser.cookies.keys().collect();
    assert_eq!(cookies, [SESSION], "the attempt's cookie is gone");
    let who = browser.who().json();
    assert_eq!(
        (&who["issuer"], &who["subject"]),
        (&json!(provider.issuer), &json!("alice"))
    );
    let mut socket = server.open(browser.live());
    socket.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let event = server.audited(|event| event["event"] == "sign-in");
    assert_eq!(
        (&event["issuer"], &event["subject"]),
        (&json!(provider.issuer), &json!("alice"))
    );
    // Rights are asked of the provider's claims.
    let mut other = Browser::of("mallory", &server, &provider);
    other.sign_in();
    let mut socket = server.open(other.live());
    socket.fails("subscribe", json!({ "channel": "chat/lobby" }), -32001);
}

#[test]
fn every_way_of_proving_which_client_it_is_is_taken() {
    for client in ["post", "key", "public"] {
        let setup = with_key();
        let provider = Provider::start(&setup);
        let server = provider.server_as(setup, client, "scopes = [\"profile\", \"email\"]");
        let mut browser = Browser::of("alice", &server, &provider);
        assert_eq!(browser.sign_in(), format!("{ORIGIN}/chat"), "{client}");
        assert_eq!(browser.who().json()["subject"], "alice", "{client}");
    }
}

#[test]
fn a_request_to_a_provider_says_what_ties_the_answer_to_it() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let sent = browser.get(&format!("{LOGIN}?acr_values=mfa&max_age=0"));
    let location = sent.header("location").to_owned();
    assert!(location.starts_with(&format!("{}/auth?", provider.issuer)));
    assert_eq!(parameter(&location, "code_challenge_method"), "S256");
    assert_eq!(parameter(&location, "response_type"), "code");
    assert_eq!(parameter(&location, "scope"), "openid");
    // What a page wants of a sign-in is passed on (RFC 9470 §4).
    assert_eq!(parameter(&location, "acr_values"), "mfa");
    assert_eq!(parameter(&location, "max_age"), "0");
    let again = browser.get(LOGIN);
    for once in ["state", "nonce", "code_challenge"] {
        let (one, other) = (
            parameter(&location, once),
            parameter(again.header("location"), once),
        );
        assert!(one.len() == 43 && one != other, "{once}");
    }
    let cookie = sent.header("set-cookie");
    assert!(cookie.starts_with(ATTEMPT), "{cookie}");
    for attribute in [
        "Path=/",
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
        "Max-Age=600",
    ] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(sent.header("cache-control"), "no-store");
    assert_eq!(sent.header("referrer-policy"), "no-referrer");
}

#[test]
fn a_browser_has_few_attempts_open() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    for _ in 0..20 {
        browser.get(LOGIN);
    }
    assert_eq!(browser.cookies.len(), 8, "{:?}", browser.cookies.keys());
    browser.sign_in();
}

#[test]
fn attempts_leave_room_for_a_handshake_whatever_pages_had_them_begun() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    for _ in 0..20 {
        let far = format!("{LOGIN}?return_to=/%23{}", "a".repeat(1000));
        assert_eq!(browser.get(&far).status, 303);
        let cookies = browser.cookies.iter();
        let bytes: usize = cookies.map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= 6 * 1024, "{bytes}");
    }
    let quotes = format!("{LOGIN}?return_to=/%23{}", "%22".repeat(1000));
    assert_eq!(browser.get(&quotes).status, 400);
    browser.sign_in();
    server.open(browser.live());
}

#[test]
fn no_token_of_the_provider_reaches_the_browser_or_a_log() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let callback = browser.up_to_callback(LOGIN);
    let code = parameter(&callback, "code");
    let attempts: Vec<String> = browser.cookies.values().cloned().collect();
    browser.get(&callback);
    let session = browser.session();
    server.open(browser.live());
    browser.who();
    for answer in &browser.answers {
        let text = format!("{answer:?}");
        assert!(!text.contains("eyJ"), "a JWT: {text}");
    }
    let state = parameter(&callback, "state");
    let client = secret_of();
    server.audited(|event| event["event"] == "sign-in");
    let mut secrets = vec![code.as_str(), &session, &state, &client, "eyJ"];
    secrets.extend(attempts.iter().map(String::as_str));
    server.assert_unlogged(&secrets);
}

#[test]
fn a_sign_in_leads_back_to_a_page_of_ours_and_nowhere_else() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    for elsewhere in [
        "https://evil.example/",
        "//evil.example",
        "/%5Cevil.example",
        "https://app.localhost.evil.example/",
        "https://app.localhost@evil.example/",
        "http://app.localhost/",
        "javascript:alert(1)",
        "https://localhost/",
    ] {
        let events = server.audit().len();
        let response = browser.get(&format!("{LOGIN}?return_to={elsewhere}"));
        is_refused(&server, events, &response, 400, "sign-in-return");
    }
    let home = browser.follow(LOGIN);
    assert_eq!(home.header("location"), format!("{ORIGIN}/"));
}

#[test]
fn a_provider_that_there_is_not_and_parameters_that_there_are_not() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    for (query, reason) in [
        ("provider=other", "sign-in-unknown"),
        ("provider=https://evil.example", "sign-in-unknown"),
        ("redirect_uri=https://evil.example", "bad-body"),
        ("max_age=1&max_age=2", "bad-body"),
    ] {
        let events = server.audit().len();
        let response = browser.get(&format!("{LOGIN}?{query}"));
        is_refused(&server, events, &response, 400, reason);
    }
    assert!(browser.cookies.is_empty());
}

#[test]
fn attack_041_a_session_that_was_planted_before_the_sign_in() {
    let (provider, server) = Provider::and_server();
    let mut mallory = Browser::of("mallory", &server, &provider);
    mallory.sign_in();
    let planted = mallory.session();
    let mut socket = server.open(live(&planted));
    let mut alice = Browser::of("alice", &server, &provider);
    alice.cookies.insert(SESSION.into(), planted.clone());
    alice.sign_in();
    assert_ne!(alice.session(), planted);
    assert_eq!(alice.who().json()["subject"], "alice");
    // What was planted is over, with all that it opened.
    socket.closes(3000, "logged-out");
    refused(&server, &live(&planted), 401, "session-unknown");
    // And so is one's own, each time.
    let before = alice.session();
    alice.sign_in();
    assert_ne!(alice.session(), before);
    refused(&server, &live(&before), 401, "session-unknown");
}

#[test]
fn attack_042_an_answer_to_nothing_that_this_browser_asked() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let good = browser.up_to_callback(LOGIN);
    let other = "A".repeat(43);
    // Of another browser, which is how an attacker signs somebody in as himself.
    let mut victim = Browser::of("mallory", &server, &provider);
    let own = victim.up_to_callback(LOGIN);
    let mine_with_theirs = with(&own, "code", Some(&parameter(&good, "code")));
    for callback in [
        &good,
        &with(&own, "state", Some(&parameter(&good, "state"))),
    ] {
        let events = server.audit().len();
        is_refused(
            &server,
            events,
            &victim.get(callback),
            400,
            "sign-in-unknown",
        );
    }
    // The code of another attempt: PKCE ties it to the other's verifier.
    let events = server.audit().len();
    let response = victim.get(&mine_with_theirs);
    is_refused(&server, events, &response, 400, "sign-in-refused");
    for spoilt in [
        with(&good, "state", Some(&other)),
        with(&good, "state", None),
        with(&good, "state", Some("short")),
        with(&good, "code", None),
        format!("{good}&code=x"),
        format!("{good}&state={other}"),
        format!("{good}&error=access_denied"),
    ] {
        let events = server.audit().len();
        is_refused(
            &server,
            events,
            &browser.get(&spoilt),
            400,
            "sign-in-unknown",
        );
    }
    assert_eq!(victim.session() + &browser.session(), "");
}

#[test]
fn attack_042_an_answer_of_another_issuer() {
    let (provider, server) = Provider::and_server();
    for issuer in [
        Some("https%3A%2F%2Fevil.example"),
        Some(""),
        // It says of itself that it always names itself (RFC 9207 §3), so to be silent is not to be it.
        None,
    ] {
        let mut browser = Browser::of("alice", &server, &provider);
        let good = browser.up_to_callback(LOGIN);
        assert_ne!(parameter(&good, "iss"), "");
        let before = provider.control(&server, &json!({}))["token"].clone();
        let events = server.audit().len();
        let response = browser.get(&with(&good, "iss", issuer));
        is_refused(&server, events, &response, 400, "sign-in-issuer");
        let after = provider.control(&server, &json!({}))["token"].clone();
        assert_eq!(before, after, "no code is shown to anybody");
        // The attempt is over.
        let events = server.audit().len();
        is_refused(&server, events, &browser.get(&good), 400, "sign-in-unknown");
    }
}

/// Two providers and one callback: the answer of one must not be taken for that of another (RFC 9700 §4.4.2).
#[test]
fn attack_042_an_answer_that_could_be_that_of_another_provider() {
    let sign_in = |name: &str, issuer: &str, callback: &str| {
        format!(
            "[[issuer]]\nissuer = \"{issuer}\"\nname = \"{name}\"\nca = \"ca.pem\"\n[issuer.sign_in]\nclient_id = \"public\"\n\
             client_auth = \"none\"\ncallback = \"{callback}\"\n"
        )
    };
    for beside in ["https://other.localhost/.wardwire/callback", CALLBACK] {
        let mut setup = Setup::new();
        let provider = Provider::start(&setup);
        let own = sign_in("own", &provider.issuer, CALLBACK);
        setup.issuers = own + &sign_in("other", "https://other.example", beside);
        let server = setup.start();
        provider.control(&server, &json!({ "silent": true }));
        let mut browser = Browser::of("alice", &server, &provider);
        let good = browser.up_to_callback(&format!("{LOGIN}?provider=own"));
        let shown = || provider.control(&server, &json!({}))["token"].clone();
        let (before, events) = (shown(), server.audit().len());
        let response = browser.get(&with(&good, "iss", None));
        if beside == CALLBACK {
            is_refused(&server, events, &response, 400, "sign-in-issuer");
            assert_eq!(before, shown(), "no code is shown to anybody");
        } else {
            assert_eq!(response.status, 303, "{response:?}");
        }
    }
}

#[test]
fn attack_042_another_nonce_and_another_challenge() {
    let (provider, server) = Provider::and_server();
    for name in ["nonce", "code_challenge"] {
        let mut browser = Browser::of("alice", &server, &provider);
        let sent = browser.get(LOGIN).header("location").to_owned();
        let tampered = with(&sent, name, Some(&"A".repeat(43)));
        let callback = browser.up_to_callback(&tampered);
        let events = server.audit().len();
        let response = browser.get(&callback);
        is_refused(&server, events, &response, 400, "sign-in-refused");
        let event = server.audit().pop().unwrap();
        let detail = event["detail"].as_str().unwrap();
        let expected = match name {
            "nonce" => "another nonce",
            _ => "invalid_grant",
        };
        assert!(detail.contains(expected), "{detail}");
    }
}

#[test]
fn attack_042_a_code_that_is_used_twice() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let callback = browser.up_to_callback(LOGIN);
    let attempts = browser.cookies.clone();
    assert_eq!(browser.get(&callback).status, 303);
    let events = server.audit().len();
    let response = browser.get(&callback);
    is_refused(&server, events, &response, 400, "sign-in-unknown");
    // Nor does it help to have copied the attempt's cookie before: the provider is not even asked.
    let shown = || provider.control(&server, &json!({}))["token"].clone();
    let before = shown();
    let mut thief = Browser::of("alice", &server, &provider);
    thief.cookies = attempts;
    let events = server.audit().len();
    let response = thief.get(&callback);
    is_refused(&server, events, &response, 400, "sign-in-unknown");
    assert_eq!(before, shown(), "the code is shown to nobody");
}

/// Whoever holds the attempt's cookie, and whatever the first answer came to.
#[test]
fn attack_042_the_first_answer_to_an_attempt_is_the_only_one() {
    let (provider, server) = Provider::and_server();
    let shown = || provider.control(&server, &json!({}))["token"].clone();
    for first in ["iss", "error", "code", "broken"] {
        let mut browser = Browser::of("alice", &server, &provider);
        let good = browser.up_to_callback(LOGIN);
        let attempts = browser.cookies.clone();
        let (spoilt, status) = match first {
            "iss" => (with(&good, "iss", Some("https%3A%2F%2Fevil.example")), 400),
            "error" => (
                with(&with(&good, "code", None), "error", Some("access_denied")),
                303,
            ),
            "code" => (with(&good, "code", Some("invented")), 400),
            _ => (good.clone(), 503),
        };
        provider.control(&server, &json!({ "broken": first == "broken" }));
        let events = server.audit().len() as u64;
        assert_eq!(browser.get(&spoilt).status, status, "{first}");
        server.audited(|it| it["event"] == "refusal" && it["seq"].as_u64() >= Some(events));
        provider.control(&server, &json!({ "broken": false }));
        let before = shown();
        browser.cookies = attempts;
        let events = server.audit().len();
        is_refused(&server, events, &browser.get(&good), 400, "sign-in-unknown");
        assert_eq!(before, shown(), "{first}");
    }
}

#[test]
fn a_sign_in_that_is_asked_for_anew_counts_from_when_it_was_asked_for() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let callback = browser.up_to_callback(&format!("{LOGIN}?max_age=0"));
    // The second of `auth_time` is over by the time of the answer.
    let begun = now();
    while now() == begun {}
    assert_eq!(browser.get(&callback).status, 303);
    assert_eq!(browser.who().json()["subject"], "alice");
}

#[test]
fn a_sign_in_that_nobody_wanted_leads_back_with_a_word() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("", &server, &provider);
    let response = browser.follow(&format!("{LOGIN}?return_to=/chat?a=b%23c"));
    assert_eq!(response.status, 303, "{response:?}");
    let expected = format!("{ORIGIN}/chat?a=b&error=access_denied#c");
    assert_eq!(response.header("location"), expected);
    assert!(browser.cookies.is_empty());
    server.refused("sign-in-refused");
}

/// The provider forgets what it was asked for, or somebody on the way to it changed that.
#[test]
fn attack_042_a_sign_in_that_is_less_than_was_asked_for_opens_nothing() {
    for pushed in [false, true] {
        let (provider, server) = Provider::and_server();
        provider.control(&server, &json!({ "pushed": pushed }));
        for (query, user, lacks) in [
            (
                "acr_values=phr+mfa",
                "acr=pwd".to_owned(),
                "acr \"pwd\" in place of \"phr mfa\"",
            ),
            (
                "max_age=60",
                format!("ts={}", now() - 3600),
                "signed in too long ago",
            ),
        ] {
            let mut browser = Browser::of("alice", &server, &provider);
            browser.user = format!("account=alice&{user}");
            browser.sign_in();
            let before = browser.session();
            let mut socket = server.open(browser.live());
            let events = server.audit().len();
            let response = browser.follow(&format!("{LOGIN}?return_to=/vault&{query}"));
            let expected = format!("{ORIGIN}/vault?error=unmet_authentication_requirements");
            assert_eq!(
                (response.status, response.header("location")),
                (303, &*expected),
                "{response:?}"
            );
            let event = server.refused_since(events, "sign-in-refused");
            assert_eq!(event["subject"], "alice");
            let detail = event["detail"].as_str().unwrap();
            assert!(detail.contains(lacks), "{detail}");
            // What was there before stays, and nothing comes to it.
            assert_eq!(browser.session(), before);
            assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), [SESSION]);
            socket.ok("ping", json!({}));
        }
    }
}

#[test]
fn a_sign_in_that_is_what_was_asked_for_opens_a_session() {
    let (provider, server) = Provider::and_server();
    for (query, user) in [
        ("acr_values=phr+mfa", "acr=mfa".to_owned()),
        ("max_age=60", format!("ts={}", now() - 30)),
        // A provider that answers by `amr` alone.
        ("acr_values=mfa", "amr=mfa".to_owned()),
    ] {
        let mut browser = Browser::of("alice", &server, &provider);
        browser.user = format!("account=alice&{user}");
        let response = browser.follow(&format!("{LOGIN}?return_to=/vault&{query}"));
        assert_eq!(response.header("location"), format!("{ORIGIN}/vault"));
        assert_eq!(browser.who().json()["subject"], "alice", "{query}");
    }
}

#[test]
fn attack_040_a_provider_that_is_down() {
    let (mut provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let callback = browser.up_to_callback(LOGIN);
    provider.control(&server, &json!({ "broken": true }));
    let events = server.audit().len();
    let response = browser.get(&callback);
    is_refused(&server, events, &response, 503, "provider-unavailable");
    assert_ne!(response.header("retry-after"), "");
    drop(browser);
    provider.stop();
    let setup = Setup::new();
    let unknown = provider_of_nobody(&provider, setup);
    let mut browser = Browser::of("alice", &unknown, &provider);
    let events = unknown.audit().len();
    let response = browser.get(LOGIN);
    is_refused(&unknown, events, &response, 503, "provider-unavailable");
}

/// What a browser says when it goes somewhere.
const NAVIGATING: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nSec-Fetch-Mode: navigate\r\n";

#[test]
fn people_read_a_page_where_programs_get_a_problem() {
    let (provider, server) = Provider::and_server();
    provider.control(&server, &json!({ "broken": true }));
    let mut browser = Browser::of("alice", &server, &provider);
    let state = "A".repeat(43);
    let marked =
        |path: &str, query: &str| format!("https://localhost{path}?{query}&note=MARK%3Cscript%3E");
    for (method, address, fields, status, reason, login) in [
        (
            "GET",
            marked("/.wardwire/login", "provider=MARK"),
            "",
            400,
            "bad-body",
            true,
        ),
        (
            "GET",
            marked("/.wardwire/callback", &format!("state={state}&code=MARK")),
            "",
            400,
            "sign-in-unknown",
            true,
        ),
        (
            "GET",
            "https://localhost/.wardwire/logout".into(),
            "",
            405,
            "method-not-allowed",
            false,
        ),
        (
            "POST",
            "https://localhost/.wardwire/logout".into(),
            "Content-Type: application/x-www-form-urlencoded\r\n",
            403,
            "origin-missing",
            false,
        ),
        (
            "GET",
            LOGIN.into(),
            "Origin: https://MARK.example\r\n",
            403,
            "origin-not-allowed",
            true,
        ),
    ] {
        let events = server.audit().len();
        let page = browser.ask(method, &address, &format!("{NAVIGATING}{fields}"), "");
        is_a_page(&page, status, login);
        server.refused_since(events, reason);
        for accept in [
            "",
            "Accept: */*\r\n",
            "Accept: application/json, text/html;q=0.9\r\n",
        ] {
            let events = server.audit().len();
            let problem = browser.ask(method, &address, &format!("{accept}{fields}"), "");
            is_refused(&server, events, &problem, status, reason);
        }
    }
    // What is no place for people has none.
    let script = browser.ask(
        "DELETE",
        "https://localhost/.wardwire/session",
        NAVIGATING,
        "",
    );
    assert_eq!(script.header("content-type"), "application/problem+json");
}

#[test]
fn who_comes_back_from_a_provider_that_is_down_reads_so_and_has_no_attempt_left() {
    let (provider, server) = Provider::and_server();
    let mut browser = Browser::of("alice", &server, &provider);
    let callback = browser.up_to_callback(LOGIN);
    provider.control(&server, &json!({ "broken": true }));
    let events = server.audit().len();
    let page = browser.ask("GET", &callback, NAVIGATING, "");
    server.refused_since(events, "provider-unavailable");
    is_a_page(&page, 503, true);
    assert_ne!(page.header("retry-after"), "");
    assert!(!page.body.contains(&parameter(&callback, "code")));
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
}

fn is_a_page(page: &Response, status: u16, has_login: bool) {
    assert_eq!(page.status, status, "{page:?}");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(
        !policy.contains("script") && !policy.contains("unsafe"),
        "{policy}"
    );
    let body = &page.body;
    assert!(
        body.starts_with("<!doctype html>") && body.len() < 2048,
        "{body}"
    );
    assert!(body.contains("did not work</h1>"), "{body}");
    assert_eq!(
        body.contains("href=\"/.wardwire/login\""),
        has_login,
        "{body}"
    );
    for unwanted in ["MARK", "<script", "%3C", "note", "http://", "https://"] {
        assert!(!body.contains(unwanted), "{unwanted}: {body}");
    }
}

/// A server whose provider is gone before it was asked for anything.
fn provider_of_nobody(provider: &Provider, mut setup: Setup) -> Server {
    setup.issuers = format!(
        "[[issuer]]\nissuer = \"{}\"\nca = \"ca.pem\"\n[issuer.sign_in]\nclient_id = \"public\"\nclient_auth = \"none\"\n\
         callback = \"https://localhost/.wardwire/callback\"\n",
        provider.issuer
    );
    setup.start()
}

crate::harness::over_http2![
    a_browser_signs_in_at_a_real_provider_and_what_that_says_opens_its_socket,
    attack_042_an_answer_to_nothing_that_this_browser_asked,
    people_read_a_page_where_programs_get_a_problem,
    who_comes_back_from_a_provider_that_is_down_reads_so_and_has_no_attempt_left,
];
