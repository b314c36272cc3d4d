//! An application that has sessions of its own, beside the issuers: whose its users are, and what is asked of it.

use http::HeaderValue;

use super::*;
use crate::principal::tests::identity;

const WHOAMI: &str = "https://app.example/whoami";

fn application() -> ForwardAuthConfig {
    ForwardAuthConfig {
        name: "app".to_owned(),
        url: WHOAMI.to_owned(),
        selection: Selection::new(&["sid".to_owned()], &[]).unwrap(),
        cache: Duration::from_secs(60),
        recheck: Duration::from_secs(30),
        timeout: Duration::from_secs(3),
        lifetime: Duration::from_secs(3600),
    }
}

/// An issuer that is called so.
fn named(name: Option<&str>) -> IssuerConfig {
    IssuerConfig {
        name: name.map(str::to_owned),
        ..config(KeySource::Static(key_set(&[&Signer::new(
            "k",
            Algorithm::Es256,
        )])))
    }
}

fn beside(issuer: IssuerConfig, net: &Arc<Net>) -> Issuers {
    let issuers = Issuers::new(vec![issuer], net.clone(), Hands::at(NOW * 1000)).unwrap();
    issuers
        .with_application(application(), net.clone())
        .unwrap()
}

/// What a browser with a session brings.
fn cookie(issuers: &Issuers) -> Presented {
    let mut headers = HeaderMap::new();
    headers.insert("cookie", HeaderValue::from_static("sid=a"));
    let selection = issuers.selection().unwrap();
    selection.find(&headers).unwrap().unwrap()
}

#[test]
fn nobody_of_an_issuer_passes_for_a_user_of_the_application() {
    let refused = |issuer: IssuerConfig, app: ForwardAuthConfig| {
        let net = Arc::new(Net::default());
        let issuers = Issuers::new(vec![issuer], net.clone(), Hands::at(0)).unwrap();
        issuers.with_application(app, net).err()
    };
    let app = application;
    assert_eq!(refused(named(Some("staff")), app()), None);
    let nameless = IssuerConfigError::Nameless(ISSUER.to_owned());
    assert_eq!(refused(named(None), app()), Some(nameless));
    let grants = IssuerConfig {
        signs: Signs::Grants,
        ..named(None)
    };
    assert_eq!(refused(grants, app()), None, "it has no users");
    let same = IssuerConfigError::SameName("app".to_owned());
    assert_eq!(refused(named(Some("app")), app()), Some(same));
    let itself = ForwardAuthConfig {
        url: ISSUER.to_owned(),
        ..app()
    };
    let twice = IssuerConfigError::Twice(ISSUER.to_owned());
    assert_eq!(refused(named(Some("staff")), itself), Some(twice));
    let odd = ForwardAuthConfig {
        name: "app:".to_owned(),
        ..app()
    };
    let bad = IssuerConfigError::BadName(WHOAMI.to_owned());
    assert_eq!(refused(named(Some("staff")), odd), Some(bad));
}

#[test]
fn the_application_is_trusted_beside_the_issuers() {
    let issuers = beside(named(Some("staff")), &Arc::default());
    assert!(issuers.is_application(WHOAMI) && !issuers.is_application(ISSUER));
    assert!(issuers.trust(WHOAMI) && issuers.trust(ISSUER));
    assert!(!issuers.trust("https://other.example"));
    let alone = trusting(&[&Signer::new("k", Algorithm::Es256)]);
    assert!(!alone.is_application(WHOAMI) && !alone.trust(WHOAMI));
    assert!(alone.selection().is_none());
}

#[tokio::test]
async fn whom_the_application_knows_is_a_user_of_its_own() {
    let net = Net::serving(WHOAMI, br#"{"sub":"alice"}"#.to_vec());
    let issuers = beside(named(Some("staff")), &net);
    let cookie = cookie(&issuers);
    let alice = issuers.ask_application(&cookie).await.unwrap();
    assert_eq!((&*alice.issuer, alice.handle()), (WHOAMI, "app:alice"));
    let standing = alice.introspected.unwrap();
    assert_eq!(standing.token.as_ref(), Some(cookie.text()));
    issuers.ask_application(&cookie).await.unwrap();
    assert_eq!(net.fetches(), 1, "what was said counts for a while");
    issuers.verify_anew(WHOAMI, cookie.text()).await.unwrap();
    assert_eq!(net.fetches(), 2, "whatever was said before");
    net.serve(WHOAMI, Vec::new());
    let nobody = issuers.verify_anew(WHOAMI, cookie.text()).await;
    let reason = nobody.unwrap_err().refusal.reason;
    assert_eq!(reason, Reason::SessionUnknown);
    let alone = trusting(&[&Signer::new("k", Algorithm::Es256)]);
    let refused = alone.ask_application(&cookie).await.unwrap_err();
    assert_eq!(refused.reason, Reason::TokenIssuer);
}

#[tokio::test]
async fn what_the_application_takes_back_is_asked_about_again() {
    let session = |issuer: &str| Revocation::Session {
        issuer: issuer.into(),
        id: "s".into(),
    };
    for (revocation, asked) in [(session(WHOAMI), 2), (session(ISSUER), 1)] {
        let net = Net::serving(WHOAMI, br#"{"sub":"alice","sid":"s"}"#.to_vec());
        let issuers = beside(named(Some("staff")), &net);
        let cookie = cookie(&issuers);
        issuers.ask_application(&cookie).await.unwrap();
        issuers.forget(&revocation);
        issuers.ask_application(&cookie).await.unwrap();
        assert_eq!(net.fetches(), asked, "{revocation:?}");
    }
}

#[test]
fn all_that_vouch_for_open_sockets_are_asked_again() {
    let asked = IssuerConfig {
        introspection: Some(IntrospectionConfig {
            endpoint: None,
            client_id: "gate".to_owned(),
            authentication: crate::oidc::ClientAuthentication::Post("s".into()),
            cache: Duration::ZERO,
            recheck: Some(Duration::from_secs(60)),
        }),
        ..named(Some("staff"))
    };
    let app = (WHOAMI, Duration::from_secs(30));
    let both = [app, (ISSUER, Duration::from_secs(60))];
    assert_eq!(beside(asked, &Arc::default()).rechecks(), both);
    let alone = beside(named(Some("staff")), &Arc::default());
    assert_eq!(alone.rechecks(), [app]);
}

#[test]
fn each_is_vouched_for_by_the_rules_of_whoever_knows_them() {
    let issuers = beside(named(Some("staff")), &Arc::default());
    let judged = |identity: &Identity| issuers.vouch(identity).err().map(|it| it.reason);
    let longest = Timestamp::from_secs(NOW + 3600);
    let known = Identity {
        issuer: WHOAMI.into(),
        audience: "app".into(),
        expires_at: longest,
        ..identity("alice")
    };
    assert_eq!(judged(&known), None);
    let longer = Identity {
        expires_at: longest.after(Duration::from_millis(1)),
        ..known.clone()
    };
    assert_eq!(judged(&longer), Some(Reason::TokenLifetime));
    let renamed = Identity {
        audience: "wardwire".into(),
        ..known
    };
    assert_eq!(judged(&renamed), Some(Reason::TokenAudience));
    // An issuer's may hold for a day here, and by another name.
    let signed = Identity {
        expires_at: longest.after(Duration::from_secs(3600)),
        issued_at: None,
        ..identity("alice")
    };
    assert_eq!(judged(&signed), None);
}
