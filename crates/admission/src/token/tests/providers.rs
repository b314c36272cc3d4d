//! Where browsers sign in, if there are several.

use super::{id_token::sign_in_at, *};

fn several(callbacks: &[(&'static str, &str)]) -> Issuers {
    let config = |&(name, callback): &(&'static str, &str)| IssuerConfig {
        issuer: format!("https://{name}.example"),
        name: Some(name.to_owned()),
        signs: Signs::default(),
        sign_in: (!callback.is_empty()).then(|| sign_in_at(callback)),
        ..config(KeySource::Static(key_set(&[&Signer::new(
            "k",
            Algorithm::Es256,
        )])))
    };
    let all = callbacks.iter().map(config).collect();
    Issuers::new(all, Arc::new(Net::default()), Hands::at(0)).unwrap()
}

const HERE: &str = "https://app.example/.wardwire/callback";
const THERE: &str = "https://there.example/.wardwire/callback";

fn provider(issuers: &Issuers, named: Option<&str>) -> Option<String> {
    let found = issuers.provider(named);
    found.map(|(issuer, _)| issuer.to_owned())
}

#[test]
fn a_provider_is_found_by_its_name_its_issuer_or_by_being_alone() {
    let alone = several(&[("one", HERE), ("two", "")]);
    let one = Some("https://one.example".to_owned());
    for named in [None, Some("one"), Some("https://one.example")] {
        assert_eq!(provider(&alone, named), one, "{named:?}");
    }
    for named in ["two", "https://two.example", "three", ""] {
        assert_eq!(provider(&alone, Some(named)), None, "{named:?}");
    }
    let both = several(&[("one", HERE), ("two", HERE)]);
    assert_eq!(provider(&both, None), None, "which?");
    assert!(alone.has_one_provider() && !both.has_one_provider());
    assert_eq!(provider(&both, Some("one")), one);
    let two = Some("https://two.example".to_owned());
    assert_eq!(provider(&both, Some("https://two.example")), two);
}

#[test]
fn providers_that_send_browsers_to_one_place_are_known() {
    for (other, shares) in [(HERE, true), (THERE, false), ("", false)] {
        let issuers = several(&[("one", HERE), ("two", other)]);
        let (_, client) = issuers.provider(Some("one")).unwrap();
        assert_eq!(issuers.shares_callback(client), shares, "{other}");
    }
}

#[tokio::test]
async fn a_client_can_be_tried_where_there_is_one() {
    let issuers = several(&[("one", HERE), ("two", "")]);
    assert!(issuers.try_client("https://one.example").await.is_some());
    assert!(issuers.try_client("https://two.example").await.is_none());
    assert!(issuers.try_client("https://three.example").await.is_none());
}

#[tokio::test]
async fn who_signed_in_is_vouched_for_as_long_as_they_would_be_let_in_as_that_client() {
    let signer = Signer::new("a", Algorithm::Es256);
    let token = signer.sign(&claims());
    let mut identity = trusting(&[&signer]).verify(&token).await.unwrap();
    identity.audience = "web".into();
    let issuers = super::id_token::signing_in(&signer);
    assert!(issuers.vouch(&identity).is_ok());
    identity.audience = "other".into();
    let refused = issuers.vouch(&identity).unwrap_err();
    assert_eq!(refused.reason, Reason::TokenAudience);
}
