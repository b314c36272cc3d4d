//! Keys that live elsewhere: fetched with restraint, kept while the issuer is down, given up when it takes them back.

use tokio::{task::JoinSet, time::advance};

use super::*;

fn remote(net: &Arc<Net>) -> Arc<Issuers> {
    let config = config(KeySource::Url(KEYS.to_owned()));
    Arc::new(Issuers::new(vec![config], net.clone(), Hands::at(NOW * 1000)).unwrap())
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

/// Signed with a key id that no set has.
fn of_unknown_key(signer: &Signer, number: usize) -> String {
    let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": format!("unknown-{number}")});
    signer.sign_under(&header, &claims())
}

#[tokio::test(start_paused = true)]
async fn attack_033_unknown_keys_cause_one_fetch_a_minute() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let issuers = remote(&net);
    for number in 0..10_000 {
        let token = of_unknown_key(&signer, number % 50);
        assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenKey));
    }
    assert_eq!(net.fetches(), 1);
    assert_eq!(reason(&issuers, &signer.sign(&claims())).await, None);
    advance(minute()).await;
    for number in 0..100 {
        let token = of_unknown_key(&signer, number);
        assert_eq!(reason(&issuers, &token).await, Some(Reason::TokenKey));
    }
    assert_eq!(net.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_held_outlive_other_rules_that_find_them_in_the_same_way() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    assert_eq!(reason(&issuers, &token).await, None);
    let url = |url: &str| config(KeySource::Url(url.to_owned()));
    let way: Arc<dyn Fetch> = net.clone();
    // The same object is the same way, as the one before was made of it.
    let same = issuers
        .succeeded_by(vec![(url(KEYS), way.clone())])
        .unwrap();
    let again = same.succeeded_by(vec![(url(KEYS), way.clone())]).unwrap();
    assert_eq!(reason(&again, &token).await, None);
    let held = net.fetches();
    let elsewhere = "https://id.example/others";
    net.serve(elsewhere, key_set(&[&Signer::new("a", Algorithm::Es256)]));
    let moved = again.succeeded_by(vec![(url(elsewhere), way)]).unwrap();
    assert_eq!(reason(&moved, &token).await, Some(Reason::TokenSignature));
    let other: Arc<dyn Fetch> = Net::serving(KEYS, key_set(&[&signer]));
    let other = again.succeeded_by(vec![(url(KEYS), other)]).unwrap();
    assert_eq!(reason(&other, &token).await, None);
    assert_eq!((held, net.fetches()), (1, 2), "another way brings its own");
}

#[tokio::test(start_paused = true)]
async fn tokens_that_come_together_wait_for_one_fetch() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    net.delay(Duration::from_secs(1));
    let issuers = remote(&net);
    let mut waiting = JoinSet::new();
    for _ in 0..100 {
        let (issuers, token) = (issuers.clone(), signer.sign(&claims()));
        waiting.spawn(async move { reason(&issuers, &token).await });
    }
    assert!(waiting.join_all().await.iter().all(Option::is_none));
    assert_eq!(net.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_away_stops_nobody_elses_fetch() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    net.delay(Duration::from_secs(1));
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    let first = tokio::time::timeout(Duration::from_millis(500), issuers.verify(&token)).await;
    assert!(first.is_err());
    assert_eq!(reason(&issuers, &token).await, None);
    assert_eq!(net.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn attack_080_a_removed_key_stops_being_accepted() {
    let (old, new) = (
        Signer::new("old", Algorithm::Es256),
        Signer::new("new", Algorithm::Es256),
    );
    let net = Net::serving(KEYS, key_set(&[&old]));
    let issuers = remote(&net);
    assert_eq!(reason(&issuers, &old.sign(&claims())).await, None);
    net.serve(KEYS, key_set(&[&new]));
    assert_eq!(reason(&issuers, &old.sign(&claims())).await, None);
    advance(5 * minute()).await;
    assert_eq!(
        reason(&issuers, &old.sign(&claims())).await,
        Some(Reason::TokenKey)
    );
    assert_eq!(reason(&issuers, &new.sign(&claims())).await, None);
    assert_eq!(net.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_set_is_fresh_as_long_as_it_says_within_bounds() {
    let signer = Signer::new("a", Algorithm::Es256);
    for (max_age, fresh) in [(0, 60), (59, 60), (600, 600), (86_400, 3600)] {
        let net = Net::serving(KEYS, key_set(&[&signer]));
        let max_age = Some(Duration::from_secs(max_age));
        net.answers.lock().get_mut(KEYS).unwrap().max_age = max_age;
        let issuers = remote(&net);
        let token = signer.sign(&claims());
        assert_eq!(reason(&issuers, &token).await, None);
        advance(Duration::from_secs(fresh - 1)).await;
        assert_eq!(reason(&issuers, &token).await, None);
        assert_eq!(net.fetches(), 1, "{max_age:?}");
        advance(Duration::from_secs(1)).await;
        assert_eq!(reason(&issuers, &token).await, None);
        assert_eq!(net.fetches(), 2, "{max_age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn attack_040_without_keys_nobody_gets_in_until_they_are_there() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Arc::new(Net::default());
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    let refused = issuers.verify(&token).await.unwrap_err();
    assert_eq!(refused.reason, Reason::KeysUnavailable);
    assert_eq!(refused.retry_after, Some(Duration::from_secs(5)));
    net.serve(KEYS, key_set(&[&signer]));
    assert_eq!(
        reason(&issuers, &token).await,
        Some(Reason::KeysUnavailable)
    );
    assert_eq!(net.fetches(), 1);
    advance(Duration::from_secs(5)).await;
    assert_eq!(reason(&issuers, &token).await, None);
}

#[tokio::test(start_paused = true)]
async fn attack_040_a_failing_issuer_is_asked_less_and_less() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Arc::new(Net::default());
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    for _ in 0..600 {
        assert_eq!(
            reason(&issuers, &token).await,
            Some(Reason::KeysUnavailable)
        );
        advance(Duration::from_secs(1)).await;
    }
    // At 0, 5, 15, 35, 75 and then every 60 seconds.
    assert_eq!(net.fetches(), 13);
}

#[tokio::test(start_paused = true)]
async fn attack_040_held_keys_serve_for_a_day_while_the_issuer_is_down() {
    let (signer, new) = (
        Signer::new("a", Algorithm::Es256),
        Signer::new("b", Algorithm::Es256),
    );
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    assert_eq!(reason(&issuers, &token).await, None);
    net.cut();
    for hours in [1, 22] {
        advance(Duration::from_secs(hours * 3600)).await;
        assert_eq!(reason(&issuers, &token).await, None);
        let unknown = reason(&issuers, &new.sign(&claims())).await;
        assert_eq!(unknown, Some(Reason::KeysUnavailable));
    }
    advance(Duration::from_secs(3600)).await;
    assert_eq!(
        reason(&issuers, &token).await,
        Some(Reason::KeysUnavailable)
    );
}

#[tokio::test(start_paused = true)]
async fn attack_040_an_issuer_that_never_answers_holds_nobody_up_for_long() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    net.delay(Duration::from_secs(3600));
    let begun = tokio::time::Instant::now();
    assert_eq!(
        reason(&issuers, &token).await,
        Some(Reason::KeysUnavailable)
    );
    assert!(begun.elapsed() <= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn an_old_key_does_not_wait_long_for_its_successor() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    assert_eq!(reason(&issuers, &token).await, None);
    advance(5 * minute()).await;
    net.delay(Duration::from_secs(5));
    let begun = tokio::time::Instant::now();
    assert_eq!(reason(&issuers, &token).await, None);
    assert!(begun.elapsed() <= Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn nonsense_does_not_replace_a_key_set_but_an_empty_one_does() {
    let signer = Signer::new("a", Algorithm::Es256);
    let net = Net::serving(KEYS, key_set(&[&signer]));
    let issuers = remote(&net);
    let token = signer.sign(&claims());
    assert_eq!(reason(&issuers, &token).await, None);
    for (document, expected) in [
        ("<html>maintenance</html>", None),
        (r#"{"keys":[],"keys":[]}"#, None),
        (r#"{"keys":[]}"#, Some(Reason::TokenKey)),
    ] {
        net.serve(KEYS, document.into());
        advance(5 * minute()).await;
        assert_eq!(reason(&issuers, &token).await, expected, "{document}");
    }
}

#[tokio::test(start_paused = true)]
async fn discovery_finds_the_keys_of_exactly_this_issuer() {
    let signer = Signer::new("a", Algorithm::Es256);
    for (issuer, document, found) in [
        (ISSUER, json!({"issuer": ISSUER, "jwks_uri": KEYS}), true),
        (
            "https://id.example/",
            json!({"issuer": "https://id.example/", "jwks_uri": KEYS}),
            true,
        ),
        (
            ISSUER,
            json!({"issuer": "https://id.example/", "jwks_uri": KEYS}),
            false,
        ),
        (
            ISSUER,
            json!({"issuer": "https://evil.test", "jwks_uri": KEYS}),
            false,
        ),
        (ISSUER, json!({"jwks_uri": KEYS}), false),
        (
            ISSUER,
            json!({"issuer": ISSUER, "jwks_uri": "http://id.example/keys"}),
            false,
        ),
        (ISSUER, json!({"issuer": ISSUER, "jwks_uri": 1}), false),
        (ISSUER, json!({"issuer": ISSUER}), false),
    ] {
        let net = Net::serving(KEYS, key_set(&[&signer]));
        net.serve("http://id.example/keys", key_set(&[&signer]));
        let location = "https://id.example/.well-known/openid-configuration";
        net.serve(location, document.to_string().into_bytes());
        let config = IssuerConfig {
            issuer: issuer.to_owned(),
            ..config(KeySource::Discovery)
        };
        let issuers = Issuers::new(vec![config], net.clone(), Hands::at(NOW * 1000)).unwrap();
        let token = signer.sign(&with(json!({ "iss": issuer })));
        let expected = (!found).then_some(Reason::KeysUnavailable);
        assert_eq!(reason(&issuers, &token).await, expected, "{document}");
        assert_eq!(net.fetches(), if found { 2 } else { 1 });
    }
}
