//! Logout tokens: what ends a session must be meant for us, be one, and hold.

use super::{id_token::signing_in, *};

async fn judged(
    typ: Option<&str>,
    changes: Value,
) -> Result<crate::token::logout::LogoutToken, Refusal> {
    let signer = Signer::new("k", Algorithm::Es256);
    let claims = json!({
        "iss": ISSUER, "aud": "web", "iat": NOW, "exp": NOW + 120, "jti": "j", "sub": "alice", "sid": "s",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let claims = changed(claims, changes);
    let token = signer.sign_under(&typed(&signer, typ), &claims);
    signing_in(&signer).verify_logout_token(&token).await
}

#[tokio::test]
async fn a_logout_token_says_whose_sessions_end() {
    for typ in [
        Some("logout+jwt"),
        Some("application/logout+jwt"),
        Some("JWT"),
        None,
    ] {
        let told = judged(typ, json!({})).await.unwrap();
        assert_eq!((&*told.issuer, &*told.id), (ISSUER, "j"));
        let whose = (told.subject.as_deref(), told.session.as_deref());
        assert_eq!(whose, (Some("alice"), Some("s")));
        assert_eq!(told.ends, Timestamp::from_secs(NOW + 120));
    }
    for changes in [
        json!({ "aud": ["other", "web"] }),
        json!({ "sub": null }),
        json!({ "sid": null }),
        json!({ "exp": NOW + 1 }),
        json!({ "iat": NOW - 60 }),
        json!({ "exp": NOW + DAY.as_secs() }),
    ] {
        let told = judged(Some("logout+jwt"), changes.clone()).await;
        assert!(told.is_ok(), "{changes}: {told:?}");
    }
}

#[tokio::test]
async fn what_is_no_logout_token_of_ours_ends_nothing() {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    for (changes, reason) in [
        (json!({ "aud": "other" }), Reason::TokenAudience),
        (json!({ "aud": ["other"] }), Reason::TokenAudience),
        (json!({ "aud": [] }), Reason::TokenAudience),
        (json!({ "aud": null }), Reason::TokenAudience),
        (json!({ "aud": { "web": 1 } }), Reason::TokenAudience),
        // As an access token means us, and no sign-in does.
        (json!({ "aud": "wardwire" }), Reason::TokenAudience),
        (json!({ "iat": null }), Reason::TokenClaims),
        (json!({ "exp": null }), Reason::TokenClaims),
        (json!({ "exp": NOW }), Reason::TokenExpired),
        (json!({ "exp": NOW - 1 }), Reason::TokenExpired),
        (json!({ "iat": NOW + 1 }), Reason::TokenNotYetValid),
        (
            json!({ "exp": NOW + DAY.as_secs() + 1 }),
            Reason::TokenLifetime,
        ),
        (json!({ "sub": null, "sid": null }), Reason::TokenClaims),
        (json!({ "jti": null }), Reason::TokenClaims),
        (json!({ "events": null }), Reason::TokenType),
        (json!({ "events": {} }), Reason::TokenType),
        (json!({ "events": { EVENT: true } }), Reason::TokenType),
        (json!({ "events": [EVENT] }), Reason::TokenType),
        (json!({ "nonce": "n" }), Reason::TokenType),
    ] {
        let refused = judged(Some("logout+jwt"), changes.clone()).await;
        assert_eq!(refused.unwrap_err().reason, reason, "{changes}");
    }
    for typ in ["at+jwt", "wardwire-grant+jwt", ""] {
        let refused = judged(Some(typ), json!({})).await;
        assert_eq!(refused.unwrap_err().reason, Reason::TokenType, "{typ}");
    }
}

#[tokio::test]
async fn where_nobody_signs_in_nobody_signs_out() {
    let signer = Signer::new("k", Algorithm::Es256);
    let header = json!({ "alg": "ES256", "kid": "k", "typ": "logout+jwt" });
    let token = signer.sign_under(&header, &claims());
    let refused = trusting(&[&signer]).verify_logout_token(&token).await;
    assert_eq!(refused.unwrap_err().reason, Reason::TokenAudience);
}
