//! Grants: whose they are, for how long, and what passes for one.

use super::*;
use crate::{
    principal::{Principal, tests::identity},
    refusal::Reason,
    token::grant::LONGEST_GRANT,
};

const APP: &str = "https://app.example";

/// Trusts one issuer for tokens, and this signer's for grants.
fn granting(signer: &Signer, signs: Signs) -> Issuers {
    let users = config(KeySource::Static(key_set(&[&Signer::new(
        "users",
        Algorithm::Es256,
    )])));
    let app = IssuerConfig {
        issuer: APP.to_owned(),
        signs,
        ..config(KeySource::Static(key_set(&[signer])))
    };
    Issuers::new(
        vec![users, app],
        Arc::new(Net::default()),
        Hands::at(NOW * 1000),
    )
    .unwrap()
}

fn grant() -> Value {
    json!({
        "iss": APP, "aud": "wardwire", "sub": "alice", "iat": NOW, "exp": NOW + 300,
        "channels": { "chat/1": ["subscribe"] },
    })
}

fn sealed(signer: &Signer, changes: Value) -> String {
    let header = typed(signer, Some("wardwire-grant+jwt"));
    signer.sign_under(&header, &changed(grant(), changes))
}

fn user(name: &str) -> Principal {
    Principal::User(Arc::new(identity(name)))
}

async fn reason(issuers: &Issuers, grant: &str, holder: &Principal) -> Option<Reason> {
    let told = issuers.verify_grant(grant, holder).await;
    told.err().map(|refusal| refusal.reason)
}

#[tokio::test]
async fn a_grant_counts_for_its_user_until_its_end() {
    let signer = Signer::new("app", Algorithm::Es256);
    let issuers = granting(&signer, Signs::Grants);
    let granted = sealed(&signer, json!({}));
    let grant = issuers
        .verify_grant(&granted, &user("alice"))
        .await
        .unwrap();
    assert_eq!(grant.terms.until, Timestamp::from_secs(NOW + 300));
    assert_eq!(grant.claims["channels"], json!({ "chat/1": ["subscribe"] }));
    for other in [user("bob"), user("Alice"), user(""), Principal::Anonymous] {
        let told = reason(&issuers, &granted, &other).await;
        assert_eq!(told, Some(Reason::TokenClaims));
    }
    let mut called = identity("alice");
    called.qualified = Some("staff:alice".into());
    let called = Principal::User(Arc::new(called));
    assert_eq!(
        reason(&issuers, &granted, &called).await,
        Some(Reason::TokenClaims),
        "a handle is the whole of it"
    );
    let whole = sealed(&signer, json!({ "sub": "staff:alice" }));
    assert_eq!(reason(&issuers, &whole, &called).await, None);
}

#[tokio::test]
async fn a_grant_of_which_anything_is_wrong_gives_nothing() {
    let signer = Signer::new("app", Algorithm::Es256);
    let issuers = granting(&signer, Signs::Grants);
    let longest = LONGEST_GRANT.as_secs();
    for (changes, expected) in [
        (json!({ "iss": ISSUER }), Reason::TokenIssuer),
        (json!({ "iss": null }), Reason::TokenClaims),
        (json!({ "aud": "other" }), Reason::TokenAudience),
        (json!({ "aud": null }), Reason::TokenAudience),
        (json!({ "sub": null }), Reason::TokenClaims),
        (json!({ "sub": ["alice"] }), Reason::TokenClaims),
        (json!({ "exp": null }), Reason::TokenClaims),
        (json!({ "iat": null }), Reason::TokenClaims),
        (json!({ "exp": NOW }), Reason::TokenExpired),
        (json!({ "iat": NOW + 1 }), Reason::TokenNotYetValid),
        (json!({ "nbf": NOW + 1 }), Reason::TokenNotYetValid),
        (json!({ "exp": NOW + longest + 1 }), Reason::TokenLifetime),
        (
            json!({ "iat": NOW - longest, "exp": NOW + 1 }),
            Reason::TokenLifetime,
        ),
        (json!({ "cnf": {} }), Reason::TokenType),
        (json!({ "jti": 7 }), Reason::TokenClaims),
    ] {
        let bad = sealed(&signer, changes.clone());
        let told = reason(&issuers, &bad, &user("alice")).await;
        assert_eq!(told, Some(expected), "{changes}");
    }
    let latest = sealed(&signer, json!({ "exp": NOW + longest }));
    assert_eq!(reason(&issuers, &latest, &user("alice")).await, None);
    let other = Signer::new("app", Algorithm::Es256);
    let told = reason(&issuers, &sealed(&other, json!({})), &user("alice")).await;
    assert_eq!(told, Some(Reason::TokenSignature));
}

#[tokio::test]
async fn a_token_is_no_grant_and_a_grant_no_token() {
    let signer = Signer::new("app", Algorithm::Es256);
    let both = {
        let named = |name: &str, config: IssuerConfig| IssuerConfig {
            name: Some(name.to_owned()),
            ..config
        };
        let app = IssuerConfig {
            issuer: APP.to_owned(),
            signs: Signs::Both,
            ..config(KeySource::Static(key_set(&[&signer])))
        };
        let users = config(KeySource::Static(key_set(&[&signer])));
        let configs = vec![named("app", app), named("users", users)];
        Issuers::new(configs, Arc::new(Net::default()), Hands::at(NOW * 1000)).unwrap()
    };
    for typ in [
        None,
        Some("JWT"),
        Some("at+jwt"),
        Some("logout+jwt"),
        Some("grant+jwt"),
    ] {
        let token = signer.sign_under(&typed(&signer, typ), &grant());
        let told = reason(&both, &token, &user("alice")).await;
        assert_eq!(told, Some(Reason::TokenType), "{typ:?}");
    }
    let granted = sealed(&signer, json!({}));
    let told = both.verify(&granted).await.unwrap_err();
    assert_eq!(told.reason, Reason::TokenType);
    assert_eq!(reason(&both, &granted, &user("alice")).await, None);
}

#[tokio::test]
async fn an_issuer_is_believed_for_what_it_signs_only() {
    let signer = Signer::new("app", Algorithm::Es256);
    let token = signer.sign(&changed(grant(), json!({ "channels": null })));
    let granted = sealed(&signer, json!({}));
    let grants = granting(&signer, Signs::Grants);
    assert_eq!(reason(&grants, &granted, &user("alice")).await, None);
    let told = grants.verify(&token).await.unwrap_err();
    assert_eq!(told.reason, Reason::TokenIssuer);
    assert!(grants.grant() && !trusting(&[&signer]).grant());
    let users = trusting_as(IssuerConfig {
        issuer: APP.to_owned(),
        ..config(KeySource::Static(key_set(&[&signer])))
    });
    let told = reason(&users, &granted, &user("alice")).await;
    assert_eq!(told, Some(Reason::TokenIssuer));
    assert!(users.verify(&token).await.is_ok());
}

#[tokio::test]
async fn what_was_granted_holds_as_long_as_it_would_be_granted() {
    let signer = Signer::new("app", Algorithm::Es256);
    let issuers = granting(&signer, Signs::Grants);
    let granted = sealed(&signer, json!({}));
    let terms = issuers
        .verify_grant(&granted, &user("alice"))
        .await
        .unwrap()
        .terms;
    let now = |change: &dyn Fn(&mut IssuerConfig)| {
        let mut app = IssuerConfig {
            issuer: APP.to_owned(),
            signs: Signs::Grants,
            ..config(KeySource::Static(key_set(&[&signer])))
        };
        change(&mut app);
        issuers
            .succeeded_by(vec![(app, Arc::new(Net::default()))])
            .unwrap()
            .uphold(&terms)
    };
    assert!(now(&|_| {}));
    assert!(!now(&|app| app.signs = Signs::Tokens));
    assert!(!now(&|app| app.issuer = ISSUER.to_owned()));
    assert!(!now(&|app| app.audience = Audience::new(["other"])));
    assert!(!now(&|app| app.max_lifetime = Duration::from_secs(299)));
}

#[test]
fn an_issuer_of_grants_alone_needs_no_name_and_may_have_none() {
    let signer = Signer::new("app", Algorithm::Es256);
    granting(&signer, Signs::Grants);
    let app = IssuerConfig {
        issuer: APP.to_owned(),
        name: Some("app".to_owned()),
        signs: Signs::Grants,
        ..config(KeySource::Static(key_set(&[&signer])))
    };
    let told = Issuers::new(vec![app], Arc::new(Net::default()), Hands::at(NOW * 1000));
    assert_eq!(
        told.err(),
        Some(IssuerConfigError::GrantsOnly(APP.to_owned()))
    );
}
