//! Requests that are left at the provider before the browser comes (RFC 9126).

use serde_json::json;

use super::{
    Browser, Provider,
    provider::with_key,
    sign_in::{LOGIN, is_refused, parameter},
};
use crate::harness::{ORIGIN, Server, Setup};

fn pushing(client: &str) -> (Provider, Server) {
    let setup = match client {
        "key" => with_key(),
        _ => Setup::new(),
    };
    let provider = Provider::start(&setup);
    let server = provider.server_as(setup, client, "");
    provider.control(&server, &json!({ "pushed": true }));
    (provider, server)
}

#[test]
fn what_is_asked_goes_past_the_browser_whoever_this_server_is() {
    for client in ["basic", "post", "key", "public"] {
        let (provider, server) = pushing(client);
        let mut browser = Browser::of("alice", &server, &provider);
        let sent = browser.get(&format!("{LOGIN}?return_to=/chat&acr_values=mfa&max_age=0"));
        let location = sent.header("location").to_owned();
        let (place, query) = location.split_once('?').unwrap();
        assert_eq!(place, format!("{}/auth", provider.issuer));
        let names: Vec<_> = query
            .split('&')
            .map(|it| it.split('=').next().unwrap())
            .collect();
        assert_eq!(names, ["client_id", "request_uri"], "{location}");
        assert_eq!(parameter(&location, "client_id"), client);
        browser.user = "account=alice&acr=mfa&amr=otp".to_owned();
        let response = browser.follow(&location);
        assert_eq!(
            (response.status, response.header("location")),
            (303, &*format!("{ORIGIN}/chat")),
            "{response:?}"
        );
        assert_eq!(browser.who().json()["subject"], "alice");
        assert_eq!(provider.control(&server, &json!({}))["pushed"], 1);
    }
}

#[test]
fn attack_042_a_request_that_was_left_is_not_changed_on_its_way() {
    let (provider, server) = pushing("basic");
    let mut browser = Browser::of("alice", &server, &provider);
    let location = browser.get(LOGIN).header("location").to_owned();
    let other = "A".repeat(43);
    let tampered = format!(
        "{location}&nonce={other}&code_challenge={other}&state={other}&scope=openid+email&redirect_uri=https%3A%2F%2Fevil.example%2F"
    );
    let callback = browser.up_to_callback(&tampered);
    assert_ne!(parameter(&callback, "state"), other);
    assert_eq!(browser.get(&callback).status, 303);
    assert_eq!(browser.who().json()["subject"], "alice");
}

#[test]
fn attack_040_a_request_that_cannot_be_left_is_not_made_in_the_open() {
    let (mut provider, server) = pushing("basic");
    let known = Browser::of("alice", &server, &provider).get(LOGIN);
    assert_eq!(known.status, 303);
    provider.control(&server, &json!({ "broken": true }));
    let refused = |browser: &mut Browser<'_>| {
        let events = server.audit().len();
        let response = browser.get(LOGIN);
        is_refused(&server, events, &response, 503, "provider-unavailable");
        assert_eq!(response.header("location"), "");
        assert_ne!(response.header("retry-after"), "");
    };
    refused(&mut Browser::of("alice", &server, &provider));
    provider.stop();
    refused(&mut Browser::of("alice", &server, &provider));
}
