//! ID tokens: what a provider says must be said to us, in answer to us, and now.

use super::*;
use crate::{
    oidc::{ClientAuthentication, Settings, Wish},
    token::{Answered, Expected},
};

const ACCESS: &str = "an access token";

/// Browsers sign in by this callback, as the client "web".
pub(super) fn sign_in_at(callback: &str) -> Settings {
    Settings {
        client_id: "web".into(),
        authentication: ClientAuthentication::None,
        callback: callback.into(),
        scopes: Vec::new(),
        after_logout: None,
        lifetime: DAY,
        idle: DAY,
        sessions: 8,
    }
}

/// Trusts the issuer with this key, at which browsers sign in.
pub(super) fn signing_in(signer: &Signer) -> Issuers {
    trusting_as(IssuerConfig {
        sign_in: Some(sign_in_at("https://app.example/.wardwire/callback")),
        ..config(KeySource::Static(key_set(&[signer])))
    })
}

fn at_hash() -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, ACCESS.as_bytes());
    encode_bytes(&hash.as_ref()[..16])
}

fn encode_bytes(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

async fn judged(
    signer: &Signer,
    typ: Option<&str>,
    changes: Value,
    max_age: Option<u64>,
) -> Result<Identity, Refusal> {
    let wish = Wish { acr: None, max_age };
    match answered(signer, typ, changes, &wish).await? {
        Answered::As(identity) => Ok(identity),
        Answered::Less(_, detail) => panic!("{detail}"),
    }
}

async fn answered(
    signer: &Signer,
    typ: Option<&str>,
    changes: Value,
    wish: &Wish,
) -> Result<Answered, Refusal> {
    let claims = with(json!({
        "aud": "web", "nonce": "n", "at_hash": at_hash(), "sid": "s", "rooms": ["lobby"],
    }));
    let claims = changed(claims, changes);
    let token = signer.sign_under(&typed(signer, typ), &claims);
    let expected = Expected {
        issuer: ISSUER,
        client_id: "web",
        nonce: "n",
        access_token: ACCESS,
        wish,
        // Within the second of which `auth_time` can tell.
        asked: Timestamp::from_millis(NOW * 1000 + 999),
    };
    signing_in(signer).verify_id_token(&token, &expected).await
}

#[tokio::test]
async fn an_id_token_that_answers_us_tells_who_it_is_and_what_their_rights_hang_on() {
    let signer = Signer::new("k", Algorithm::Es256);
    for typ in [None, Some("JWT")] {
        let told = judged(&signer, typ, json!({}), None).await.unwrap();
        assert_eq!((&*told.subject, &*told.audience), ("alice", "web"));
        assert_eq!(told.session.unwrap().as_str(), "s");
        let left: Vec<_> = told.claims.keys().map(String::as_str).collect();
        assert_eq!(
            left,
            ["rooms"],
            "what is the protocol's is no claim of the user's"
        );
    }
    // Beside us only who means us too, and then it must be we who asked.
    for aud in [json!(["web"]), json!(["web", "wardwire"])] {
        let changes = json!({ "aud": aud, "azp": "web" });
        assert!(judged(&signer, None, changes, None).await.is_ok());
    }
    let fresh = json!({ "auth_time": NOW - 60 });
    assert!(judged(&signer, None, fresh, Some(60)).await.is_ok());
    let last = json!({ "iat": NOW - 600 });
    assert!(judged(&signer, None, last, None).await.is_ok());
}

#[tokio::test]
async fn an_id_token_for_somebody_else_of_another_time_or_kind_is_none() {
    let signer = Signer::new("k", Algorithm::Es256);
    for (changes, reason) in [
        (json!({ "aud": "other" }), Reason::TokenAudience),
        (json!({ "aud": null }), Reason::TokenAudience),
        (
            json!({ "aud": ["web", "stranger"], "azp": "web" }),
            Reason::TokenAudience,
        ),
        (json!({ "aud": ["web", "wardwire"] }), Reason::TokenAudience),
        (json!({ "azp": "other" }), Reason::TokenAudience),
        (json!({ "nonce": null }), Reason::TokenClaims),
        (json!({ "nonce": "other" }), Reason::TokenClaims),
        (json!({ "nonce": ["n"] }), Reason::TokenClaims),
        (json!({ "at_hash": "AAAA" }), Reason::TokenClaims),
        (json!({ "exp": NOW }), Reason::TokenExpired),
        (json!({ "exp": null }), Reason::TokenClaims),
        (json!({ "iat": NOW + 1 }), Reason::TokenNotYetValid),
        (json!({ "iat": NOW - 601 }), Reason::TokenExpired),
        (json!({ "iat": null }), Reason::TokenClaims),
        (json!({ "nbf": NOW + 1 }), Reason::TokenNotYetValid),
        (json!({ "auth_time": NOW + 1 }), Reason::TokenNotYetValid),
        (json!({ "sub": null }), Reason::TokenClaims),
        (json!({ "events": {} }), Reason::TokenType),
    ] {
        let refused = judged(&signer, None, changes.clone(), None).await;
        assert_eq!(refused.unwrap_err().reason, reason, "{changes}");
    }
    for typ in ["at+jwt", "logout+jwt"] {
        let refused = judged(&signer, Some(typ), json!({}), None).await;
        assert_eq!(refused.unwrap_err().reason, Reason::TokenType, "{typ}");
    }
}

#[tokio::test]
async fn a_sign_in_is_no_less_than_was_asked_for() {
    let signer = Signer::new("k", Algorithm::Es256);
    let wish = |acr: &str, max_age| Wish {
        acr: (!acr.is_empty()).then(|| acr.into()),
        max_age,
    };
    for (wish, claims) in [
        (wish("", Some(60)), json!({ "auth_time": NOW - 60 })),
        (wish("", Some(0)), json!({ "auth_time": NOW })),
        (wish("mfa", None), json!({ "acr": "mfa" })),
        (wish("phr mfa", None), json!({ "acr": "mfa" })),
        // It does not say; a route asks what it needs.
        (wish("mfa", None), json!({ "amr": ["mfa"] })),
    ] {
        let told = answered(&signer, None, claims.clone(), &wish).await;
        assert!(matches!(told.unwrap(), Answered::As(_)), "{claims}");
    }
    for (wish, claims, says) in [
        (wish("", Some(60)), json!({}), "no auth_time"),
        (
            wish("", Some(60)),
            json!({ "auth_time": NOW - 61 }),
            "signed in too long ago",
        ),
        (
            wish("mfa", Some(60)),
            json!({ "acr": "mfa", "auth_time": NOW - 61 }),
            "signed in too long ago",
        ),
        (
            wish("phr mfa", None),
            json!({ "acr": "pwd" }),
            "acr \"pwd\" in place of \"phr mfa\"",
        ),
        (
            wish("mfa-strong", None),
            json!({ "acr": "mfa" }),
            "acr \"mfa\" in place of \"mfa-strong\"",
        ),
        (
            wish("phr mfa", None),
            json!({ "acr": "phr mfa" }),
            "acr \"phr mfa\" in place of \"phr mfa\"",
        ),
    ] {
        match answered(&signer, None, claims.clone(), &wish)
            .await
            .unwrap()
        {
            Answered::Less(who, detail) => assert_eq!((&*who.subject, &*detail), ("alice", says)),
            Answered::As(_) => panic!("{claims}"),
        }
    }
}
