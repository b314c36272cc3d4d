use std::{sync::Arc, thread};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use super::{ask_ticket, live, native, refused, ticket};
use crate::harness::{Handshake, Issuer, ORIGIN, Server, Setup, Token, now};

fn spoilt(server: &Server, token: &Token<'_>, reason: &str) {
    let token = token.mint();
    let response = refused(server, &native(&token), 401, reason);
    assert!(
        response.header("www-authenticate").starts_with("Bearer"),
        "{response:?}"
    );
    server.assert_unlogged(&[&token]);
}

#[test]
fn attack_024_no_algorithm() {
    let server = Server::start();
    let good = server.issuer.token("mallory");
    for alg in ["none", "NoNe", "NONE", ""] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "k1" }).to_string();
        let parts = [
            BASE64.encode(header),
            BASE64.encode(good.claims.to_string()),
        ]
        .join(".");
        refused(
            &server,
            &native(&format!("{parts}.")),
            401,
            "token-algorithm",
        );
        let unsigned = server.issuer.token("mallory").header("alg", alg).mint();
        refused(&server, &native(&unsigned), 401, "token-algorithm");
    }
}

#[test]
fn attack_025_hs256_keyed_with_the_public_key() {
    let mut setup = Setup::new();
    let mut jwk = setup.issuer.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    std::fs::write(
        setup.folder.join("jwks.json"),
        json!({ "keys": [jwk.clone()] }).to_string(),
    )
    .unwrap();
    setup.rest.push('\n');
    let server = setup.start();
    let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": "k1" }).to_string();
    let claims = server.issuer.token("mallory").claims.to_string();
    let signed = [BASE64.encode(header), BASE64.encode(claims)].join(".");
    for key in [jwk.to_string(), jwk["x"].as_str().unwrap().to_owned()] {
        let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &key, jsonwebtoken::Algorithm::HS256);
        refused(
            &server,
            &native(&format!("{signed}.{}", signature.unwrap())),
            401,
            "token-algorithm",
        );
    }
    // The key without `alg` still serves the algorithm it is for.
    server.socket("alice");
}

#[test]
fn attack_026_key_ids_are_only_looked_up() {
    let server = Server::start();
    for kid in [
        "../../etc/passwd",
        "' OR 1=1 --",
        "https://evil.test/key",
        "k1\0",
        "/dev/null",
    ] {
        spoilt(
            &server,
            &server.issuer.token("mallory").header("kid", kid),
            "token-key",
        );
    }
}

#[test]
fn attack_027_keys_inside_the_token_are_ignored() {
    let server = Server::start();
    let evil = Issuer::new("https://id.test");
    let mut own = evil.jwk();
    own["kid"] = "evil".into();
    let token = evil
        .token("mallory")
        .header("kid", "evil")
        .header("jwk", own);
    spoilt(&server, &token, "token-key");
    for name in ["jku", "x5u"] {
        spoilt(
            &server,
            &evil
                .token("mallory")
                .header("kid", "evil")
                .header(name, "https://127.0.0.1:1/k"),
            "token-key",
        );
    }
    // With our own key's name it is our key that decides.
    spoilt(
        &server,
        &evil.token("mallory").header("jwk", evil.jwk()),
        "token-signature",
    );
}

#[test]
fn attack_028_expired_and_not_yet_valid() {
    let server = Server::start();
    let token = |name: &str, at: u64| server.issuer.token("alice").claim(name, at);
    spoilt(&server, &token("exp", now()), "token-expired");
    spoilt(&server, &token("exp", now() - 1), "token-expired");
    spoilt(&server, &token("nbf", now() + 60), "token-not-yet-valid");
    server.open(native(&token("nbf", now() - 1).mint()));
    let expired = token("exp", now() - 1).mint();
    let response = refused(&server, &native(&expired), 401, "token-expired");
    assert_eq!(
        response.json()["code"],
        "expired",
        "a client can tell that a fresh token would do"
    );
}

#[test]
fn attack_029_claims_that_are_wrong_or_missing() {
    let server = Server::start();
    let token = || server.issuer.token("alice");
    spoilt(&server, &token().claim("aud", "other"), "token-audience");
    spoilt(
        &server,
        &token().claim("aud", json!(["wardwire2"])),
        "token-audience",
    );
    for issuer in [
        "https://id.test/",
        "https://id.test.evil.test",
        "https://id.tes",
        "",
    ] {
        spoilt(&server, &token().claim("iss", issuer), "token-issuer");
    }
    spoilt(
        &server,
        &token().claim("aud", Value::Null),
        "token-audience",
    );
    for name in ["exp", "sub"] {
        spoilt(&server, &token().claim(name, Value::Null), "token-claims");
    }
    spoilt(&server, &token().claim("sub", ""), "token-claims");
    spoilt(&server, &token().claim("exp", "tomorrow"), "token-claims");
    server.open(native(
        &token().claim("aud", json!(["other", "wardwire"])).mint(),
    ));
}

#[test]
fn attack_030_critical_extensions() {
    let server = Server::start();
    for crit in [json!(["b64"]), json!(["x"]), json!([])] {
        spoilt(
            &server,
            &server.issuer.token("alice").header("crit", crit),
            "token-critical",
        );
    }
}

#[test]
fn attack_031_other_kinds_of_token() {
    let server = Server::start();
    let token = || server.issuer.token("alice");
    for typ in [
        json!("JWT"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        Value::Null,
    ] {
        spoilt(&server, &token().header("typ", typ), "token-type");
    }
    spoilt(&server, &token().claim("nonce", "n"), "token-type");
    spoilt(&server, &token().claim("at_hash", "h"), "token-type");
    spoilt(&server, &token().claim("events", json!({})), "token-type");
}

#[test]
fn attack_031_members_that_stand_twice() {
    let server = Server::start();
    let claims = server.issuer.token("alice").claims.to_string();
    let twice = format!("{},\"sub\":\"root\"}}", claims.trim_end_matches('}'));
    let header = server.issuer.token("alice").header.to_string();
    let token = server.issuer.sign(&header, &twice);
    refused(&server, &native(&token), 401, "token-malformed");
    let header = header.replacen('{', "{\"alg\":\"ES256\",", 1);
    let token = server.issuer.sign(&header, &claims);
    refused(&server, &native(&token), 401, "token-malformed");
}

#[test]
fn attack_032_a_token_that_is_too_large() {
    let server = Server::start();
    let token = server
        .issuer
        .token("alice")
        .claim("pad", "x".repeat(9000))
        .mint();
    refused(&server, &native(&token), 431, "token-too-large");
}

#[test]
fn attack_034_the_same_key_id_at_two_issuers() {
    let mut setup = Setup::new();
    let other = Issuer::new("https://other.test");
    std::fs::write(setup.folder.join("other.json"), other.jwks().to_string()).unwrap();
    setup.issuers.push_str(
        "name = \"own\"\n[[issuer]]\nissuer = \"https://other.test\"\nname = \"other\"\naudience = \"wardwire\"\njwks_file = \"other.json\"\n",
    );
    let server = setup.start();
    server.open(native(&other.token("alice").mint()));
    server.open(native(&server.issuer.token("alice").mint()));
    spoilt(
        &server,
        &other.token("alice").claim("iss", "https://id.test"),
        "token-signature",
    );
    spoilt(
        &server,
        &server
            .issuer
            .token("alice")
            .claim("iss", "https://other.test"),
        "token-signature",
    );
}

#[test]
fn attack_035_tokens_in_urls() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    for query in [
        format!("access_token={token}"),
        format!("x={token}"),
        "ticket=abc".into(),
        "%74oken=abc".into(),
    ] {
        refused(
            &server,
            &live(&token).line(&format!("GET /live?{query} HTTP/1.1")),
            400,
            "credential-in-url",
        );
    }
    server.assert_unlogged(&[&token, "access_token"]);
}

#[test]
fn attack_036_a_ticket_used_twice() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let ticket = ticket(&server, &token, "/live", Some(ORIGIN));
    let handshake = Handshake::new("/live").origin(ORIGIN).ticket(&ticket);
    let mut connection = server.connect();
    connection.send(handshake.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 101);
    assert_eq!(
        response.header("sec-websocket-protocol"),
        "wardwire.v1",
        "the ticket is not echoed"
    );
    refused(&server, &handshake, 401, "ticket-unknown");
    server.assert_unlogged(&[&ticket, &token]);
}

#[test]
fn attack_036_a_ticket_used_by_many_at_the_same_instant() {
    let server = Arc::new(Server::start());
    let token = server.issuer.token("alice").mint();
    let ticket = ticket(&server, &token, "/live", Some(ORIGIN));
    let text = Handshake::new("/live")
        .origin(ORIGIN)
        .ticket(&ticket)
        .text();
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let (server, text) = (server.clone(), text.clone());
            thread::spawn(move || {
                let mut connection = server.connect();
                connection.send(text.as_bytes());
                connection.response().status
            })
        })
        .collect();
    let mut statuses: Vec<u16> = racers.into_iter().map(|it| it.join().unwrap()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 101);
    assert!(
        statuses[1..].iter().all(|status| *status == 401),
        "{statuses:?}"
    );
}

#[test]
fn attack_037_a_ticket_from_elsewhere() {
    let mut setup = Setup::new();
    let origins = format!("origins = [\"{ORIGIN}\"]");
    setup.rest.push_str("[[route]]\npath = \"/other\"\n");
    let mut config = setup.config();
    config = config.replace(
        &origins,
        "origins = [\"https://app.localhost\", \"https://two.localhost\"]",
    );
    assert!(config.contains("two.localhost"));
    let server = setup.start_with(&config);
    let token = server.issuer.token("alice").mint();
    let fresh = || ticket(&server, &token, "/live", Some(ORIGIN));
    let with = |ticket: &str, path: &str| Handshake::new(path).ticket(ticket);
    refused(
        &server,
        &with(&fresh(), "/live").origin("https://two.localhost"),
        401,
        "ticket-binding",
    );
    refused(
        &server,
        &with(&fresh(), "/other").origin(ORIGIN),
        401,
        "ticket-binding",
    );
    refused(&server, &with(&fresh(), "/native"), 401, "ticket-binding");
    let cookie = format!("__Host-wardwire={}", "A".repeat(43));
    refused(
        &server,
        &with(&fresh(), "/live")
            .origin(ORIGIN)
            .with("Cookie", &cookie),
        401,
        "ticket-binding",
    );
    let invented = "B".repeat(42) + "A";
    refused(
        &server,
        &with(&invented, "/live").origin(ORIGIN),
        401,
        "ticket-unknown",
    );
}

#[test]
fn attack_037_credentials_that_contradict_each_other() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let ticket = ticket(&server, &token, "/live", Some(ORIGIN));
    let cookie = format!("__Host-wardwire={}", "A".repeat(43));
    let conflicts = [
        live(&token).bearer(&token),
        live(&token).ticket(&ticket),
        live(&token).with("Cookie", &cookie),
        Handshake::new("/live")
            .origin(ORIGIN)
            .with("Cookie", &format!("{cookie}; {cookie}")),
    ];
    for handshake in conflicts {
        refused(&server, &handshake, 400, "credential-conflict");
    }
}

#[test]
fn attack_043_a_sign_in_that_is_too_weak_or_too_old() {
    let server = Server::start();
    let token = |acr: &str, age: u64| {
        let token = server
            .issuer
            .token("alice")
            .claim("acr", acr)
            .claim("auth_time", now() - age);
        Handshake::new("/mfa").bearer(&token.mint())
    };
    for handshake in [token("pwd", 10), token("mfa", 7200)] {
        let response = refused(&server, &handshake, 401, "insufficient-authentication");
        assert_eq!(
            response.header("www-authenticate"),
            "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa\", max_age=\"3600\""
        );
    }
    server.open(token("mfa", 10));
    let weak = server.issuer.token("alice").mint();
    assert_eq!(
        ask_ticket(&server, &weak, "/mfa", None).status,
        401,
        "nor is there a ticket for it"
    );
}

crate::harness::over_http2![
    attack_024_no_algorithm,
    attack_025_hs256_keyed_with_the_public_key,
    attack_026_key_ids_are_only_looked_up,
    attack_027_keys_inside_the_token_are_ignored,
    attack_028_expired_and_not_yet_valid,
    attack_029_claims_that_are_wrong_or_missing,
    attack_030_critical_extensions,
    attack_031_other_kinds_of_token,
    attack_031_members_that_stand_twice,
    attack_032_a_token_that_is_too_large,
    attack_034_the_same_key_id_at_two_issuers,
    attack_035_tokens_in_urls,
    attack_036_a_ticket_used_twice,
    attack_036_a_ticket_used_by_many_at_the_same_instant,
    attack_037_a_ticket_from_elsewhere,
    attack_037_credentials_that_contradict_each_other,
    attack_043_a_sign_in_that_is_too_weak_or_too_old,
];
