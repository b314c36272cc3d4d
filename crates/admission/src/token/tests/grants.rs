//! Grants: whose they are, for how long, and what passes for one.

use super::*;
use crate::{
    principal::{Principal, SessionId, tests::identity},
    refusal::Reason,
    revocation::{Revocation, Revocations},
    token::grant::LONGEST_GRANT,
};

const APP: &str = "https://app.example";

/// An application whose key is this signer's.
fn app(signer: &Signer, signs: Signs) -> IssuerConfig {
    IssuerConfig {
        issuer: APP.to_owned(),
        signs,
        ..config(KeySource::Static(key_set(&[signer])))
    }
}

/// Trusts one issuer for tokens, and this signer's for grants.
fn granting(signer: &Signer, signs: Signs) -> Issuers {
    let users = config(KeySource::Static(key_set(&[&Signer::new(
        "users",
        Algorithm::Es256,
    )])));
    Issuers::new(
        vec![users, app(signer, signs)],
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
    signer.grant(&changed(grant(), changes))
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
        let users = config(KeySource::Static(key_set(&[&signer])));
        let configs = vec![
            named("app", app(&signer, Signs::Both)),
            named("users", users),
        ];
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
    let users = trusting_as(app(&signer, Signs::Tokens));
    let told = reason(&users, &granted, &user("alice")).await;
    assert_eq!(told, Some(Reason::TokenIssuer));
    assert!(users.verify(&token).await.is_ok());
}

#[tokio::test]
async fn what_was_granted_holds_as_long_as_it_would_be_granted() {
    let signer = Signer::new("app", Algorithm::Es256);
    let clock = Hands::at(NOW * 1000);
    let with = |change: &dyn Fn(&mut IssuerConfig)| {
        let mut app = app(&signer, Signs::Grants);
        app.leeway = Duration::from_secs(10);
        app.audience = Audience::new(["wardwire", "chat"]);
        change(&mut app);
        Issuers::new(vec![app], Arc::new(Net::default()), clock.clone()).unwrap()
    };
    let granted = sealed(&signer, json!({ "aud": ["other", "chat"] }));
    let granted = with(&|_| {}).verify_grant(&granted, &user("alice")).await;
    let terms = granted.unwrap().terms;
    let now = |change: &dyn Fn(&mut IssuerConfig)| with(change).uphold(&terms);
    let longest = |seconds| move |app: &mut IssuerConfig| app.max_lifetime = seconds;
    let second = Duration::from_secs(1);
    assert!(now(&|_| {}));
    assert!(!now(&|app| app.signs = Signs::Tokens));
    assert!(!now(&|app| app.issuer = ISSUER.to_owned()));
    assert!(!now(
        &|app| app.audience = Audience::new(["wardwire", "other"])
    ));
    assert!(now(&|app| app.audience = Audience::new(["chat"])));
    assert!(now(&longest(300 * second)));
    assert!(!now(&longest(299 * second)));
    assert!(!now(&|app| {
        (app.max_lifetime, app.leeway) = (300 * second, 9 * second);
    }));
    // It counts from when it was issued.
    clock.set((NOW + 200) * 1000);
    assert!(now(&longest(300 * second)));
    assert!(!now(&longest(299 * second)));
}

#[tokio::test]
async fn a_grant_holds_strictly_before_its_end_and_not_before_its_beginning() {
    let signer = Signer::new("app", Algorithm::Es256);
    let (late, early) = (Some(Reason::TokenExpired), Some(Reason::TokenNotYetValid));
    let end = (NOW + 300) * 1000;
    for (leeway, begins, now, owed) in [
        (0, "iat", end - 1, None),
        (0, "iat", end, late),
        (10, "iat", end + 9_999, None),
        (10, "iat", end + 10_000, late),
        (0, "iat", NOW * 1000, None),
        (0, "iat", NOW * 1000 - 1, early),
        (0, "nbf", NOW * 1000, None),
        (0, "nbf", NOW * 1000 - 1, early),
        (10, "iat", (NOW - 10) * 1000, None),
        (10, "iat", (NOW - 10) * 1000 - 1, early),
        (10, "nbf", (NOW - 10) * 1000, None),
        (10, "nbf", (NOW - 10) * 1000 - 1, early),
    ] {
        let app = IssuerConfig {
            leeway: Duration::from_secs(leeway),
            ..app(&signer, Signs::Grants)
        };
        let issuers = Issuers::new(vec![app], Arc::new(Net::default()), Hands::at(now)).unwrap();
        let changes = changed(json!({ "iat": NOW - 60 }), json!({ begins: NOW }));
        let granted = issuers
            .verify_grant(&sealed(&signer, changes), &user("alice"))
            .await;
        let case = format!("{leeway} {begins} {now}");
        match owed {
            None => assert_eq!(
                granted.unwrap().terms.until,
                Timestamp::from_secs(NOW + 300 + leeway),
                "{case}"
            ),
            owed => assert_eq!(granted.err().map(|it| it.reason), owed, "{case}"),
        }
    }
}

#[tokio::test]
async fn a_grant_is_no_longer_than_an_hour_nor_than_its_issuers_tokens() {
    let signer = Signer::new("app", Algorithm::Es256);
    let hour = LONGEST_GRANT.as_secs();
    // A clock that may be ahead lengthens neither.
    for (longest, ahead, lasts, holds) in [
        (2 * hour, 0, hour, true),
        (2 * hour, 0, hour + 1, false),
        (2 * hour, 60, hour, true),
        (2 * hour, 60, hour + 1, false),
        (300, 0, 300, true),
        (300, 0, 301, false),
        (300, 60, 300, true),
        (300, 60, 301, false),
        // Nor does it begin when it is shown.
        (300, -200, 100, true),
        (300, -200, 101, false),
        (2 * hour, -200, hour - 200, true),
        (2 * hour, -200, hour - 199, false),
    ] {
        let issuers = trusting_as(IssuerConfig {
            leeway: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(longest),
            ..app(&signer, Signs::Grants)
        });
        let times = json!({ "iat": NOW.saturating_add_signed(ahead), "exp": NOW + lasts });
        let told = reason(&issuers, &sealed(&signer, times), &user("alice")).await;
        let owed = (!holds).then_some(Reason::TokenLifetime);
        assert_eq!(told, owed, "{longest} {ahead} {lasts}");
    }
}

#[tokio::test]
async fn what_a_grant_is_bound_by_is_kept_apart_from_what_it_says() {
    let signer = Signer::new("app", Algorithm::Es256);
    let issuers = granting(&signer, Signs::Grants);
    let granted = sealed(&signer, json!({ "jti": "g1", "nbf": NOW }));
    let granted = issuers.verify_grant(&granted, &user("alice")).await;
    let Grant { claims, terms } = granted.unwrap();
    assert_eq!(claims.keys().collect::<Vec<_>>(), ["channels"]);
    assert_eq!((terms.issuer(), terms.subject()), (APP, "alice"));
    assert_eq!(terms.id(), Some("g1"));
    let unnamed = sealed(&signer, json!({}));
    let unnamed = issuers.verify_grant(&unnamed, &user("alice")).await;
    assert_eq!(unnamed.unwrap().terms.id(), None);
    assert_eq!(terms.issued_at(), Timestamp::from_secs(NOW));
}

#[tokio::test]
async fn a_grant_is_taken_back_as_itself_or_with_what_its_user_was_given() {
    let signer = Signer::new("app", Algorithm::Es256);
    let issuers = granting(&signer, Signs::Grants);
    let mut alice = identity("alice");
    alice.qualified = Some("staff:alice".into());
    alice.token_id = Some("t1".into());
    alice.session = Some(SessionId::new("s1"));
    let granted = sealed(&signer, json!({ "sub": "staff:alice", "jti": "g1" }));
    let holder = Principal::User(Arc::new(alice.clone()));
    let granted = issuers.verify_grant(&granted, &holder).await;
    let terms = granted.unwrap().terms;
    let token = |issuer: &str, id: &str| Revocation::Token {
        issuer: issuer.into(),
        id: id.into(),
    };
    let session = |issuer: &str, id: &str| Revocation::Session {
        issuer: issuer.into(),
        id: id.into(),
    };
    let subject = |issuer: &str, subject: &str, before| Revocation::Subject {
        issuer: issuer.into(),
        subject: subject.into(),
        issued_before: Timestamp::from_secs(before),
    };
    let all = |issuer: &str, before| Revocation::Issuer {
        issuer: issuer.into(),
        issued_before: Timestamp::from_secs(before),
    };
    for (revocation, covers) in [
        (token(APP, "g1"), true),
        (token(APP, "g2"), false),
        (token(APP, "t1"), false),
        (token(ISSUER, "g1"), false),
        // Those end the socket, and with it what it has shown.
        (token(ISSUER, "t1"), false),
        (session(ISSUER, "s1"), false),
        (session(APP, "g1"), false),
        (subject(APP, "staff:alice", NOW), true),
        (subject(APP, "staff:alice", NOW - 1), false),
        (subject(APP, "alice", NOW), false),
        (subject(ISSUER, "alice", NOW), true),
        (subject(ISSUER, "alice", NOW - 1), false),
        (subject(ISSUER, "staff:alice", NOW), false),
        (subject(ISSUER, "bob", NOW), false),
        (all(APP, NOW), true),
        (all(APP, NOW - 1), false),
        (all(ISSUER, NOW), true),
        (all(ISSUER, NOW - 1), false),
        (all("https://other.example", NOW), false),
    ] {
        let set = Revocations::default();
        set.insert(&revocation, Timestamp::NEVER, Timestamp::from_secs(NOW));
        let covered = set.cover_grant(&terms, &alice, Timestamp::from_secs(NOW));
        assert_eq!(covered, covers, "{revocation:?}");
    }
}

#[test]
fn an_issuer_of_grants_alone_needs_no_name_and_may_have_none() {
    let signer = Signer::new("app", Algorithm::Es256);
    granting(&signer, Signs::Grants);
    let app = IssuerConfig {
        name: Some("app".to_owned()),
        ..app(&signer, Signs::Grants)
    };
    let told = Issuers::new(vec![app], Arc::new(Net::default()), Hands::at(NOW * 1000));
    assert_eq!(
        told.err(),
        Some(IssuerConfigError::GrantsOnly(APP.to_owned()))
    );
}
