//! Tokens that the issuer has signed, and what they say.

use super::*;
use crate::{certificate::Thumbprint, principal::SessionId};

#[tokio::test]
async fn every_algorithm_verifies_what_it_signed() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new("a", *algorithm);
        let identity = trusting(&[&signer]).verify(&signer.sign(&claims())).await;
        assert_eq!(&*identity.unwrap().subject, "alice", "{algorithm}");
    }
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_does_not_use_is_refused() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting_as(IssuerConfig {
        algorithms: vec![Algorithm::EdDsa, Algorithm::Rs256],
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    let token = signer.sign(&claims());
    assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenAlgorithm));
}

#[tokio::test]
async fn what_is_said_of_the_user_becomes_the_identity() {
    let signer = Signer::new("a", Algorithm::Es256);
    let told = with(json!({
        "sid": "s1", "jti": "t1", "acr": "mfa", "amr": ["pwd", {"method": "otp", "timestamp": NOW - 9}],
        "auth_time": NOW - 9,
        "nbf": NOW, "rooms": ["lobby"], "client_id": "web", "__proto__": {"admin": true},
    }));
    let identity = trusting(&[&signer])
        .verify(&signer.sign(&told))
        .await
        .unwrap();
    assert_eq!((&*identity.issuer, &*identity.subject), (ISSUER, "alice"));
    assert_eq!(identity.session, Some(SessionId::new("s1")));
    assert_eq!(identity.token_id.as_deref(), Some("t1"));
    assert_eq!(identity.authentication.acr.as_deref(), Some("mfa"));
    assert_eq!(identity.authentication.amr, ["pwd".into(), "otp".into()]);
    assert_eq!(
        identity.authentication.time,
        Some(Timestamp::from_secs(NOW - 9))
    );
    assert_eq!(identity.issued_at, Some(Timestamp::from_secs(NOW)));
    assert_eq!(identity.expires_at, Timestamp::from_secs(NOW + 300));
    let rest = json!({"rooms": ["lobby"], "client_id": "web", "__proto__": {"admin": true}});
    assert_eq!(Value::Object(identity.claims), rest);
}

#[tokio::test]
async fn a_token_that_would_hold_for_too_long_is_refused() {
    let signer = Signer::new("a", Algorithm::Es256);
    let day = DAY.as_secs();
    for (iat, exp, holds) in [
        (json!(NOW), NOW + day, true),
        (json!(NOW), NOW + day + 1, false),
        // Half its life is over, and it is still as long as it was.
        (json!(NOW - day), NOW + 1, false),
        (json!(NOW - day + 1), NOW + 1, true),
        (Value::Null, NOW + day, true),
        (Value::Null, NOW + day + 1, false),
    ] {
        let token = signer.sign(&with(json!({ "iat": iat, "exp": exp })));
        let expected = (!holds).then_some(Reason::TokenLifetime);
        let outcome = reason(&trusting(&[&signer]), &token).await;
        assert_eq!(outcome, expected, "{iat} {exp}");
    }
    // A clock that may be ahead does not lengthen it.
    let issuers = trusting_as(IssuerConfig {
        leeway: Duration::from_secs(60),
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    let ahead = signer.sign(&with(json!({ "iat": NOW + 60, "exp": NOW + 60 + day })));
    assert_eq!(reason(&issuers, &ahead).await, Some(Reason::TokenLifetime));
}

#[tokio::test]
async fn attack_028_a_token_holds_strictly_before_exp() {
    let signer = Signer::new("a", Algorithm::Es256);
    for (leeway, exp, now, holds) in [
        (0, json!(1000), 999_999, true),
        (0, json!(1000), 1_000_000, false),
        (0, json!(1000), 1_001_000, false),
        (0, json!(1000.5), 1_000_499, true),
        (0, json!(1000.5), 1_000_500, false),
        (10, json!(1000), 1_009_999, true),
        (10, json!(1000), 1_010_000, false),
    ] {
        let config = IssuerConfig {
            leeway: Duration::from_secs(leeway),
            ..config(KeySource::Static(key_set(&[&signer])))
        };
        let issuers = Issuers::new(vec![config], Arc::new(Net::default()), Hands::at(now)).unwrap();
        let token = signer.sign(&with(json!({"exp": exp, "iat": null})));
        let judged = issuers.verify(&token).await;
        if holds {
            let end = exp.as_f64().unwrap() * 1000.0 + leeway as f64 * 1000.0;
            assert_eq!(judged.unwrap().expires_at.as_millis(), end as u64);
        } else {
            assert_eq!(
                judged.unwrap_err().reason,
                Reason::TokenExpired,
                "{exp} at {now}"
            );
        }
    }
}

#[tokio::test]
async fn attack_028_a_token_does_not_hold_before_nbf_iat_or_auth_time() {
    let signer = Signer::new("a", Algorithm::Es256);
    for claim in ["nbf", "iat", "auth_time"] {
        for (leeway, start, holds) in [(0, 0, true), (0, 1, false), (5, 5, true), (5, 6, false)] {
            let issuers = trusting_as(IssuerConfig {
                leeway: Duration::from_secs(leeway),
                ..config(KeySource::Static(key_set(&[&signer])))
            });
            let token = signer.sign(&with(json!({ claim: NOW + start })));
            let expected = (!holds).then_some(Reason::TokenNotYetValid);
            assert_eq!(
                reason(&issuers, &token).await,
                expected,
                "{claim} {leeway} {start}"
            );
        }
    }
}

#[tokio::test]
async fn attack_029_required_claims_are_there_and_what_they_should_be() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    for changes in [
        json!({"exp": null}),
        json!({"sub": null}),
        json!({"iss": null}),
        json!({"iss": [ISSUER]}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "x".repeat(256)}),
        json!({"exp": (NOW + 300).to_string()}),
        json!({"exp": -1}),
        json!({"exp": 1e300}),
        json!({"exp": 253_402_300_800_u64}),
        json!({"exp": true}),
        json!({"nbf": "0"}),
        json!({"iat": -1}),
        json!({"jti": 1}),
        json!({"sid": ""}),
        json!({"acr": ["mfa"]}),
        json!({"amr": "otp"}),
        json!({"amr": [1]}),
        json!({"amr": [{}]}),
        json!({"amr": [{"method": 1}]}),
        json!({"amr": vec!["x"; 33]}),
        json!({"auth_time": "now"}),
        json!({"aud": 1}),
        json!({"aud": ["wardwire", 1]}),
    ] {
        let token = signer.sign(&with(changes.clone()));
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::TokenClaims),
            "{changes}"
        );
    }
}

/// What is exactly as long, as many or as late as may be is taken.
#[tokio::test]
async fn claims_are_taken_up_to_their_bounds() {
    let signer = Signer::new("a".repeat(256).leak(), Algorithm::Es256);
    let issuers = trusting_as(IssuerConfig {
        max_lifetime: Duration::from_secs(253_402_300_799),
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    for changes in [
        json!({"sub": "x".repeat(255)}),
        json!({"amr": vec!["x"; 32]}),
        json!({"exp": 253_402_300_799_u64}),
        json!({"nbf": NOW, "iat": NOW}),
    ] {
        let token = signer.sign(&with(changes.clone()));
        assert_eq!(reason(&issuers, &token).await, None, "{changes}");
    }
}

#[tokio::test]
async fn attack_029_the_audience_is_ours() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting_as(IssuerConfig {
        audience: Audience::new(["wardwire", "https://ws.example"]),
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    for aud in [
        json!("wardwire"),
        json!(["other", "https://ws.example"]),
        json!(["wardwire"]),
    ] {
        let token = signer.sign(&with(json!({ "aud": aud })));
        assert_eq!(reason(&issuers, &token).await, None, "{aud}");
    }
    for aud in [
        Value::Null,
        json!("other"),
        json!(""),
        json!("Wardwire"),
        json!("wardwire "),
        json!("wardwire https://ws.example"),
        json!([]),
        json!(["other"]),
    ] {
        let token = signer.sign(&with(json!({ "aud": aud })));
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::TokenAudience),
            "{aud}"
        );
    }
}

#[tokio::test]
async fn attack_029_the_issuer_is_ours_to_the_last_byte() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    for iss in [
        "https://id.example.evil.test",
        "https://id.example/",
        "https://id.exampl",
        "HTTPS://id.example",
        "https://id.example ",
        "",
    ] {
        let token = signer.sign(&with(json!({ "iss": iss })));
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::TokenIssuer),
            "{iss:?}"
        );
    }
}

#[tokio::test]
async fn attack_031_only_access_tokens_admit() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    for (typ, taken) in [
        (json!("at+jwt"), true),
        (json!("AT+JWT"), true),
        (json!("application/at+jwt"), true),
        (json!("JWT"), false),
        (json!("logout+jwt"), false),
        (json!("dpop+jwt"), false),
        (json!("at+jwt "), false),
        (json!(""), false),
    ] {
        let header = json!({"alg": "ES256", "kid": "a", "typ": typ});
        let expected = (!taken).then_some(Reason::TokenType);
        let token = signer.sign_under(&header, &claims());
        assert_eq!(reason(&issuers, &token).await, expected, "{typ}");
    }
    let untyped = signer.sign_under(&json!({"alg": "ES256", "kid": "a"}), &claims());
    assert_eq!(reason(&issuers, &untyped).await, Some(Reason::TokenType));
}

#[tokio::test]
async fn attack_031_id_tokens_logout_tokens_and_bound_tokens_are_refused_under_any_type() {
    let signer = Signer::new("a", Algorithm::Es256);
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    for issuers in [trusting(&[&signer]), plain_jwt(&signer)] {
        for changes in [
            json!({"nonce": "n"}),
            json!({"at_hash": "h"}),
            json!({ "events": logout }),
            json!({"cnf": {"jkt": "thumbprint"}}),
            json!({"cnf": {"jkt": "thumbprint", "x5t#S256": THUMBPRINT}}),
            json!({"cnf": {}}),
            json!({"cnf": THUMBPRINT}),
        ] {
            let mut told = with(changes.clone());
            told["azp"] = json!("web");
            let token = signer.sign(&told);
            assert_eq!(
                reason(&issuers, &token).await,
                Some(Reason::TokenType),
                "{changes}"
            );
        }
    }
}

/// base64url of a SHA-256.
const THUMBPRINT: &str = "ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs";

#[tokio::test]
async fn a_binding_to_a_client_certificate_is_read_or_the_token_is_refused() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = trusting(&[&signer]);
    let bound = |thumbprint: Value| with(json!({"cnf": {"x5t#S256": thumbprint}}));
    let identity = issuers
        .verify(&signer.sign(&bound(json!(THUMBPRINT))))
        .await;
    let identity = identity.unwrap();
    assert_eq!(identity.bound_to, Some(Thumbprint::of(b"a")));
    assert!(!identity.claims.contains_key("cnf"), "no right hangs on it");
    for thumbprint in [
        json!(""),
        json!("abc"),
        json!(7),
        json!(null),
        json!([THUMBPRINT]),
    ] {
        let token = signer.sign(&bound(thumbprint.clone()));
        let expected = Some(Reason::TokenClaims);
        assert_eq!(reason(&issuers, &token).await, expected, "{thumbprint}");
    }
}

fn plain_jwt(signer: &Signer) -> Issuers {
    trusting_as(IssuerConfig {
        profile: Profile::Jwt(Discriminator {
            claim: "azp".to_owned(),
            equals: "web".to_owned(),
        }),
        ..config(KeySource::Static(key_set(&[signer])))
    })
}

#[tokio::test]
async fn a_plain_jwt_needs_the_claim_that_tells_it_apart() {
    let signer = Signer::new("a", Algorithm::Es256);
    let issuers = plain_jwt(&signer);
    for typ in [
        json!({}),
        json!({"typ": "JWT"}),
        json!({"typ": "jwt"}),
        json!({"typ": "at+jwt"}),
    ] {
        let mut header = typ.clone();
        header["alg"] = json!("ES256");
        for (azp, expected) in [
            (json!("web"), None),
            (json!("app"), Some(Reason::TokenType)),
            (json!(["web"]), Some(Reason::TokenType)),
            (Value::Null, Some(Reason::TokenType)),
        ] {
            let token = signer.sign_under(&header, &with(json!({ "azp": azp })));
            assert_eq!(reason(&issuers, &token).await, expected, "{typ} {azp}");
        }
    }
    for typ in ["logout+jwt", "secevent+jwt", "id+jwt"] {
        let header = json!({"alg": "ES256", "typ": typ});
        let token = signer.sign_under(&header, &with(json!({"azp": "web"})));
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::TokenType),
            "{typ}"
        );
    }
}
