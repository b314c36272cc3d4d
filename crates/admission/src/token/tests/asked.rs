//! Opaque tokens: what their issuer answers is judged by the rules of any token, and kept for as long as was said.

use super::*;
use crate::{fetch::Reply, oidc::ClientAuthentication, revocation::Revocation};

const ENDPOINT: &str = "https://id.example/introspect";

fn asking(cache: u64, recheck: Option<u64>) -> IssuerConfig {
    IssuerConfig {
        introspection: Some(IntrospectionConfig {
            endpoint: Some(ENDPOINT.to_owned()),
            client_id: "gate".to_owned(),
            authentication: ClientAuthentication::Post("s".into()),
            cache: Duration::from_secs(cache),
            recheck: recheck.map(Duration::from_secs),
        }),
        ..config(KeySource::Static(key_set(&[&Signer::new(
            "k",
            Algorithm::Es256,
        )])))
    }
}

fn issuers(config: IssuerConfig) -> (Issuers, Arc<Net>) {
    let net = Arc::new(Net::default());
    let issuers = Issuers::new(vec![config], net.clone(), Hands::at(NOW * 1000)).unwrap();
    (issuers, net)
}

/// What an issuer says of a token that holds.
fn active(changes: Value) -> Vec<u8> {
    let said = with(json!({ "active": true, "token_type": "Bearer" }));
    changed(said, changes).to_string().into_bytes()
}

async fn answered(body: Vec<u8>) -> Option<Reason> {
    let (issuers, net) = issuers(asking(0, None));
    net.serve(ENDPOINT, body);
    reason(&issuers, "opaque").await
}

#[tokio::test]
async fn an_answer_is_judged_as_a_token_would_be() {
    for changes in [
        json!({}),
        json!({ "iss": null }),
        json!({ "token_type": "bearer" }),
        json!({ "token_use": "access_token" }),
    ] {
        assert_eq!(answered(active(changes.clone())).await, None, "{changes}");
    }
    for (changes, owed) in [
        (
            json!({ "iss": "https://other.example" }),
            Reason::TokenIssuer,
        ),
        (json!({ "iss": 1 }), Reason::TokenIssuer),
        (json!({ "token_type": "DPoP" }), Reason::TokenType),
        (json!({ "token_type": null }), Reason::TokenType),
        (json!({ "token_type": 1 }), Reason::TokenType),
        (json!({ "token_use": "id_token" }), Reason::TokenType),
        (json!({ "aud": "other" }), Reason::TokenAudience),
        (json!({ "exp": NOW }), Reason::TokenExpired),
        (json!({ "exp": null }), Reason::TokenClaims),
        (json!({ "active": false }), Reason::TokenInactive),
        (json!({ "active": "true" }), Reason::ProviderUnavailable),
        (json!({ "active": null }), Reason::ProviderUnavailable),
    ] {
        assert_eq!(
            answered(active(changes.clone())).await,
            Some(owed),
            "{changes}"
        );
    }
}

#[tokio::test]
async fn an_answer_has_its_length() {
    let padded = |length: usize| {
        let bare = active(json!({ "pad": "" })).len();
        active(json!({ "pad": "x".repeat(length - bare) }))
    };
    assert_eq!(answered(padded(16 * 1024)).await, None);
    let long = answered(padded(16 * 1024 + 1)).await;
    assert_eq!(long, Some(Reason::ProviderUnavailable));
}

/// What looks like a JWT is judged as one, and nobody is asked about it.
#[tokio::test]
async fn only_what_looks_opaque_is_asked_about() {
    let (issuers, net) = issuers(asking(0, None));
    net.serve(ENDPOINT, active(json!({})));
    let asked = async |token: &str| {
        let before = net.fetches();
        let refused = reason(&issuers, token).await;
        (net.fetches() - before, refused)
    };
    for opaque in ["opaque", "a.b.c", "eyJ.b", "eyJ.b.c.d", "a-b._~+/c=="] {
        assert_eq!(asked(opaque).await, (1, None), "{opaque}");
    }
    for jwt in ["eyJ.b.c", "ewo.b.c"] {
        let (count, refused) = asked(jwt).await;
        assert!(count == 0 && refused.is_some(), "{jwt}");
    }
    assert_eq!(asked(&"x".repeat(LONGEST)).await, (1, None));
    let long = asked(&"x".repeat(LONGEST + 1)).await;
    assert_eq!(long, (0, Some(Reason::TokenTooLarge)));
    for odd in ["a b", "a\nb", "a\"b", "=a"] {
        assert_eq!(
            asked(odd).await,
            (0, Some(Reason::TokenMalformed)),
            "{odd:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_counts_as_long_as_was_said_and_no_longer_than_it_holds() {
    for (cache, count) in [(60, 1), (0, 3)] {
        let (issuers, net) = issuers(asking(cache, None));
        net.serve(ENDPOINT, active(json!({})));
        for _ in 0..3 {
            assert_eq!(reason(&issuers, "opaque").await, None);
        }
        assert_eq!(net.fetches(), count);
    }
}

#[tokio::test]
async fn what_is_taken_back_is_asked_about_again() {
    let issuer = || ISSUER.into();
    let subject = |subject: &str| Revocation::Subject {
        issuer: issuer(),
        subject: subject.into(),
        issued_before: Timestamp::from_secs(NOW),
    };
    let session = |id: &str| Revocation::Session {
        issuer: issuer(),
        id: id.into(),
    };
    let token = |id: &str| Revocation::Token {
        issuer: issuer(),
        id: id.into(),
    };
    let other = Revocation::Issuer {
        issuer: "https://other.example".into(),
        issued_before: Timestamp::from_secs(NOW),
    };
    for (revocation, asked) in [
        (subject("alice"), 2),
        (session("s"), 2),
        (token("j"), 2),
        (subject("bob"), 1),
        (session("other"), 1),
        (token("other"), 1),
        (other, 1),
    ] {
        let (issuers, net) = issuers(asking(60, None));
        net.serve(ENDPOINT, active(json!({ "jti": "j", "sid": "s" })));
        assert_eq!(reason(&issuers, "opaque").await, None);
        issuers.forget(&revocation);
        assert_eq!(reason(&issuers, "opaque").await, None);
        assert_eq!(net.fetches(), asked, "{revocation:?}");
    }
}

#[tokio::test]
async fn open_sockets_are_asked_about_where_that_is_wanted() {
    let (asked_again, net) = issuers(asking(60, Some(30)));
    assert_eq!(asked_again.rechecks(), [(ISSUER, Duration::from_secs(30))]);
    net.serve(ENDPOINT, active(json!({ "exp": null })));
    let identity = asked_again.verify("opaque").await.unwrap();
    assert!(
        asked_again
            .verify_anew(ISSUER, &"opaque".into())
            .await
            .is_ok()
    );
    assert_eq!(net.fetches(), 2, "whatever was said before");
    let standing = identity.introspected.unwrap();
    assert_eq!(standing.token.as_deref(), Some("opaque"));
    let shown = format!("{standing:?}");
    assert!(
        shown.contains("asked") && !shown.contains("opaque"),
        "{shown}"
    );
    let (once, net) = issuers(asking(60, None));
    assert_eq!(once.rechecks(), []);
    net.serve(ENDPOINT, active(json!({})));
    let identity = once.verify("opaque").await.unwrap();
    assert!(
        identity.introspected.unwrap().token.is_none(),
        "nobody asks again"
    );
    let (nobody, _) = issuers(config(KeySource::Static(key_set(&[&Signer::new(
        "k",
        Algorithm::Es256,
    )]))));
    assert_eq!(nobody.rechecks(), []);
}

/// What it said an hour ago of where it is asked does, whatever it says now.
#[tokio::test(start_paused = true)]
async fn a_provider_whose_metadata_hangs_is_asked_all_the_same() {
    let mut config = asking(0, None);
    config.introspection.as_mut().unwrap().endpoint = None;
    let (issuers, net) = issuers(config);
    let metadata = location(ISSUER);
    let said = json!({ "issuer": ISSUER, "introspection_endpoint": ENDPOINT });
    net.serve(&metadata, said.to_string().into_bytes());
    net.serve(ENDPOINT, active(json!({})));
    assert_eq!(reason(&issuers, "opaque").await, None);
    tokio::time::advance(Duration::from_secs(2 * 3600)).await;
    net.answers.lock().remove(&metadata);
    net.delay(Duration::from_secs(4));
    let begun = tokio::time::Instant::now();
    let spacing = Duration::from_millis(100);
    for n in 0..100 {
        assert_eq!(reason(&issuers, &format!("opaque-{n}")).await, None);
        tokio::time::sleep(spacing).await;
    }
    assert_eq!(begun.elapsed(), 100 * spacing, "nobody waited");
    let asked = net.asked.lock();
    let fetches = asked.iter().filter(|url| **url == metadata).count();
    assert_eq!(fetches, 3, "once before, and twice with a rest between");
}

#[test]
fn who_is_asked_can_be_asked_safely() {
    let refused = |config: IssuerConfig| {
        let net = Arc::new(Net::default());
        match Issuers::new(vec![config], net, Hands::at(0)) {
            Err(IssuerConfigError::Asking { cause, .. }) => Some(cause),
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        }
    };
    let with = |change: &dyn Fn(&mut IssuerConfig, &mut IntrospectionConfig)| {
        let mut config = asking(0, None);
        let mut asked = config.introspection.take().unwrap();
        change(&mut config, &mut asked);
        config.introspection = Some(asked);
        refused(config)
    };
    assert_eq!(with(&|_, _| ()), None);
    assert_eq!(with(&|_, asked| asked.endpoint = None), None);
    let plain = with(&|_, asked| asked.endpoint = Some("http://id.example".to_owned()));
    assert!(plain.unwrap().contains("https URL"));
    let unnamed = with(&|config, asked| {
        config.issuer = "urn:issuer".to_owned();
        asked.endpoint = None;
    });
    assert!(unnamed.unwrap().contains("name its endpoint"));
    let named = with(&|config, _| config.issuer = "urn:issuer".to_owned());
    assert_eq!(named, None);
    let open = with(&|_, asked| asked.authentication = ClientAuthentication::None);
    assert!(open.unwrap().contains("prove who asks"));
    let two = ["one", "two"].map(|name| IssuerConfig {
        issuer: format!("https://{name}.example"),
        name: Some(name.to_owned()),
        ..asking(0, None)
    });
    let net = Arc::new(Net::default());
    let both = Issuers::new(two.into(), net, Hands::at(0)).err();
    let second = "https://two.example".to_owned();
    assert_eq!(both, Some(IssuerConfigError::Introspection(second)));
}

impl Net {
    /// What a form is answered with: as a document of the same URL.
    pub(super) fn reply(&self, url: &str) -> Result<Reply, FetchError> {
        self.asked.lock().push(url.to_owned());
        let answer = self.answers.lock().get(url).cloned();
        let body = answer.map(|document| document.body);
        body.map(|body| Reply { status: 200, body })
            .ok_or_else(|| FetchError::NotHttps(url.to_owned()))
    }
}

/// An issuer that says nothing.
struct Silent;

impl crate::fetch::Fetch for Silent {
    fn get<'a>(&'a self, _: &'a str) -> crate::fetch::Fetching<'a> {
        Box::pin(std::future::pending())
    }

    fn get_with<'a>(&'a self, _: &'a str, _: &'a http::HeaderMap) -> crate::fetch::Posting<'a> {
        Box::pin(std::future::pending())
    }

    fn post<'a>(&'a self, _: &'a str, _: &'a crate::fetch::Form) -> crate::fetch::Posting<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_questions_wait_and_those_about_open_sockets_beside_them() {
    let issuers = Issuers::new(
        vec![asking(0, Some(60))],
        Arc::new(Silent),
        Hands::at(NOW * 1000),
    );
    let issuers = Arc::new(issuers.unwrap());
    let tokens: Vec<String> = (0..1025).map(|n| format!("token-{n}")).collect();
    let mut asked: Vec<_> = tokens
        .iter()
        .map(|token| Box::pin(issuers.verify(token)))
        .collect();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut refused = Vec::new();
    for (at, question) in asked.iter_mut().enumerate() {
        if question.as_mut().poll(&mut cx).is_ready() {
            refused.push(at);
        }
    }
    assert_eq!(refused, [1024]);
    let open: Arc<str> = "open".into();
    let mut again = Box::pin(issuers.verify_anew("https://id.example", &open));
    assert!(again.as_mut().poll(&mut cx).is_pending());
}
