//! Whether somebody who was believed would be still, under the rules that there are by now.

use super::*;

#[tokio::test]
async fn only_a_configured_issuer_is_trusted() {
    let issuers = trusting(&[&Signer::new("a", Algorithm::Es256)]);
    assert!(issuers.trust(ISSUER));
    assert!(!issuers.trust("https://other.example"));
}

#[tokio::test]
async fn whoever_no_token_would_stand_for_any_more_is_not_vouched_for() {
    let signer = Signer::new("a", Algorithm::Es256);
    let identity = trusting(&[&signer])
        .verify(&signer.sign(&claims()))
        .await
        .unwrap();
    let judged = |issuers: Issuers| issuers.vouch(&identity).err().map(|it| it.reason);
    assert_eq!(judged(trusting(&[&signer])), None);
    let elsewhere = trusting_as(IssuerConfig {
        issuer: "https://other.example".to_owned(),
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    assert_eq!(judged(elsewhere), Some(Reason::TokenIssuer));
    let other = renamed(&[&signer], "other");
    assert_eq!(judged(other), Some(Reason::TokenAudience));
    let at_most = |seconds: u64| brief(&[&signer], Duration::from_secs(seconds));
    assert_eq!(judged(at_most(300)), None, "it held for 300 seconds");
    assert_eq!(judged(at_most(299)), Some(Reason::TokenLifetime));
}

#[tokio::test]
async fn the_leeway_that_a_token_was_granted_is_not_held_against_it() {
    let signer = Signer::new("a", Algorithm::Es256);
    let lenient = |seconds: u64| {
        trusting_as(IssuerConfig {
            leeway: Duration::from_secs(seconds),
            max_lifetime: Duration::from_secs(300),
            ..config(KeySource::Static(key_set(&[&signer])))
        })
    };
    let identity = lenient(10).verify(&signer.sign(&claims())).await.unwrap();
    assert!(lenient(10).vouch(&identity).is_ok());
    let refused = lenient(9).vouch(&identity).unwrap_err();
    assert_eq!(refused.reason, Reason::TokenLifetime, "less is granted now");
}

#[tokio::test]
async fn an_opaque_token_counts_only_where_its_issuer_is_still_asked_as_often() {
    let signer = Signer::new("a", Algorithm::Es256);
    let asking = |recheck: Option<u64>| {
        trusting_as(IssuerConfig {
            introspection: Some(IntrospectionConfig {
                endpoint: None,
                client_id: "gate".to_owned(),
                authentication: crate::oidc::ClientAuthentication::Post("s".into()),
                cache: Duration::ZERO,
                recheck: recheck.map(Duration::from_secs),
            }),
            ..config(KeySource::Static(key_set(&[&signer])))
        })
    };
    let proved = asking(None).verify(&signer.sign(&claims())).await.unwrap();
    let standing_on = |token: Option<&str>| Identity {
        introspected: Some(Introspected {
            asked: Timestamp::from_secs(NOW),
            token: token.map(Into::into),
        }),
        ..proved.clone()
    };
    let (once, again) = (standing_on(None), standing_on(Some("t")));
    assert!(asking(None).vouch(&once).is_ok() && asking(None).vouch(&again).is_ok());
    assert!(asking(Some(60)).vouch(&again).is_ok());
    let asked_by_nobody = trusting(&[&signer]);
    for refused in [
        asking(Some(60)).vouch(&once),
        asked_by_nobody.vouch(&once),
        asked_by_nobody.vouch(&again),
    ] {
        assert_eq!(refused.unwrap_err().reason, Reason::TokenIssuer);
    }
    assert!(asked_by_nobody.vouch(&proved).is_ok());
}

#[test]
fn an_operator_may_suppose_what_an_issuer_of_users_could_sign() {
    let signer = Signer::new("a", Algorithm::Es256);
    let asked = |issuers: &Issuers, changes: Value| {
        let claims = with(changes).as_object().unwrap().clone();
        let supposed = issuers.suppose(claims);
        let handle = |it: Supposed| it.as_principal().handle().map(str::to_owned);
        supposed.map(handle).map_err(|refusal| refusal.reason)
    };
    let issuers = trusting(&[&signer]);
    assert_eq!(asked(&issuers, json!({})), Ok(Some("alice".to_owned())));
    let none = Err(Reason::TokenIssuer);
    assert_eq!(asked(&issuers, json!({ "iss": null })), none);
    assert_eq!(asked(&issuers, json!({ "iss": KEYS })), none);
    let expired = asked(&issuers, json!({ "exp": NOW }));
    assert_eq!(expired, Err(Reason::TokenExpired));
    let grants = trusting_as(IssuerConfig {
        signs: Signs::Grants,
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    assert_eq!(asked(&grants, json!({})), none);
}

#[tokio::test]
async fn a_token_without_a_name_is_called_by_what_was_signed() {
    let signer = Signer::new("a", Algorithm::Ed25519);
    let issuers = trusting(&[&signer]);
    let named = async |changes: Value| {
        let token = signer.sign(&with(changes));
        let identity = issuers.verify(&token).await.unwrap();
        let (signed, _) = token.rsplit_once('.').unwrap();
        (identity.token_id.unwrap(), signed.to_owned())
    };
    let (name, signed) = named(json!({})).await;
    let digest = digest(&SHA256, signed.as_bytes());
    assert_eq!(*name, format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest)));
    assert_eq!(&*named(json!({ "jti": "t1" })).await.0, "t1");
}
