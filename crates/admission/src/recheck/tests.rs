//! When issuers are asked again, and how long sockets may wait for the answer.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::{
    caps::{CapLimits, Caps},
    fetch::{Fetch, FetchError, Fetching, Form, Posting, Reply},
    gate::GateConfig,
    host::Hosts,
    lease::{Lease, LeaseStatus, entrance},
    oidc::ClientAuthentication,
    origin::AllowedOrigins,
    principal::Principal,
    proxy::Balancers,
    route::Routes,
    token::{
        Algorithm, Audience, IntrospectionConfig, IssuerConfig, Issuers, KeySource, Profile,
        tests::{Hands, NOW},
    },
};

const EVERY: u64 = 60;

/// An issuer that holds every token for good but those that were taken back, and counts who asks.
#[derive(Default)]
struct Asked {
    taken_back: Mutex<HashSet<String>>,
    down: Mutex<bool>,
    questions: Mutex<HashMap<String, usize>>,
}

impl Fetch for Asked {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }

    fn get_with<'a>(&'a self, url: &'a str, _: &'a HeaderMap) -> Posting<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }

    fn post<'a>(&'a self, url: &'a str, form: &'a Form) -> Posting<'a> {
        let token = form.body.split(['=', '&']).nth(1).unwrap().to_owned();
        *self
            .questions
            .lock()
            .unwrap()
            .entry(token.clone())
            .or_default() += 1;
        let answer = match *self.down.lock().unwrap() {
            true => Err(FetchError::NotHttps(url.to_owned())),
            false => {
                let active = !self.taken_back.lock().unwrap().contains(&token);
                let body = json!({
                    "active": active, "aud": "wardwire", "sub": token, "iat": NOW, "exp": NOW + 3600,
                    "token_type": "Bearer",
                });
                let body = body.to_string().into_bytes();
                Ok(Reply { status: 200, body })
            }
        };
        Box::pin(async { answer })
    }
}

impl Asked {
    fn questions(&self) -> usize {
        self.questions.lock().unwrap().values().sum()
    }
}

struct World {
    asked: Arc<Asked>,
    clock: Arc<Hands>,
    gate: Gate,
    known: Rechecks,
}

impl World {
    fn new() -> Self {
        let (asked, clock) = (Arc::new(Asked::default()), Hands::at(NOW * 1000));
        let config = IssuerConfig {
            issuer: "https://id.example".to_owned(),
            name: None,
            signs: crate::token::Signs::default(),
            audience: Audience::new(["wardwire"]),
            profile: Profile::Rfc9068,
            algorithms: vec![Algorithm::Es256],
            keys: KeySource::Discovery,
            leeway: Duration::ZERO,
            max_lifetime: Duration::from_secs(24 * 3600),
            sign_in: None,
            introspection: Some(IntrospectionConfig {
                endpoint: Some("https://id.example/ask".to_owned()),
                client_id: "gate".to_owned(),
                authentication: ClientAuthentication::Basic("s".into()),
                cache: Duration::from_secs(300),
                recheck: Some(Duration::from_secs(EVERY)),
            }),
        };
        let rules = Rules {
            hosts: Hosts::default(),
            origins: AllowedOrigins::Listed(Vec::new()),
            routes: Routes::new([]),
            issuers: Issuers::new(vec![config], asked.clone(), clock.clone()).unwrap(),
            balancers: Balancers::default(),
            certificates: None,
        };
        let gate = Gate::new(GateConfig {
            rules,
            caps: Caps::new(CapLimits {
                per_ip: 0,
                per_subject: 0,
                unadmitted: 9,
                sessions: 0,
            }),
            clock: clock.clone(),
        });
        Self {
            asked,
            clock,
            gate,
            known: Rechecks::default(),
        }
    }

    /// A socket that was opened with this token.
    async fn open(&self, token: &str) -> Arc<Lease> {
        let identity = self.gate.rules().issuers.verify(token).await.unwrap();
        let until = identity.expires_at;
        let principal = Principal::User(Arc::new(identity));
        self.gate.begin_lease(principal, until, entrance()).unwrap()
    }

    async fn at(&mut self, seconds: u64) -> Vec<Lapsed> {
        self.clock.set((NOW + seconds) * 1000);
        self.gate.recheck(&mut self.known).await
    }

    fn is_open(&self, lease: &Lease) -> bool {
        matches!(lease.status(self.gate.now()), LeaseStatus::Valid { .. })
    }
}

#[tokio::test]
async fn an_issuer_is_asked_when_it_is_time_and_what_it_says_counts_at_once() {
    let mut world = World::new();
    let (alices, other) = (world.open("alice").await, world.open("alice").await);
    let bobs = world.open("bob").await;
    assert!(world.at(EVERY - 1).await.is_empty());
    assert_eq!(world.asked.questions(), 2, "of each token once so far");
    assert!(world.at(EVERY).await.is_empty());
    assert_eq!(world.asked.questions(), 4, "and of each once more");
    assert!(world.at(EVERY + 1).await.is_empty());
    assert_eq!(world.asked.questions(), 4);
    world
        .asked
        .taken_back
        .lock()
        .unwrap()
        .insert("alice".into());
    let lapsed = world.at(2 * EVERY).await;
    assert_eq!(lapsed.len(), 1);
    assert_eq!(
        (&*lapsed[0].identity.subject, lapsed[0].ended),
        ("alice", 2)
    );
    assert_eq!(lapsed[0].refusal.reason, Reason::TokenInactive);
    assert!(!world.is_open(&alices) && !world.is_open(&other) && world.is_open(&bobs));
    assert!(
        world.at(2 * EVERY + 1).await.is_empty(),
        "it has no socket any more"
    );
}

#[tokio::test]
async fn an_issuer_that_is_down_is_asked_again_until_sockets_are_in_doubt() {
    let mut world = World::new();
    let lease = world.open("alice").await;
    *world.asked.down.lock().unwrap() = true;
    assert!(world.at(EVERY).await.is_empty());
    assert!(world.at(2 * EVERY - 1).await.is_empty() && world.is_open(&lease));
    assert_eq!(world.asked.questions(), 3);
    *world.asked.down.lock().unwrap() = false;
    assert!(world.at(2 * EVERY - 1).await.is_empty());
    *world.asked.down.lock().unwrap() = true;
    assert!(
        world.at(4 * EVERY - 2).await.is_empty(),
        "counted from the last answer"
    );
    let lapsed = world.at(4 * EVERY - 1).await;
    assert_eq!(lapsed[0].refusal.reason, Reason::ProviderUnavailable);
    assert!(!world.is_open(&lease));
}

#[tokio::test]
async fn an_issuer_that_is_down_is_asked_about_few_and_ends_all_the_same() {
    let mut world = World::new();
    let mut leases = Vec::new();
    for n in 0..3 * AT_ONCE {
        leases.push(world.open(&format!("user-{n}")).await);
    }
    let before = world.asked.questions();
    *world.asked.down.lock().unwrap() = true;
    assert!(world.at(EVERY).await.is_empty());
    assert_eq!(world.asked.questions() - before, AT_ONCE);
    assert_eq!(world.at(2 * EVERY).await.len(), leases.len());
    assert!(leases.iter().all(|lease| !world.is_open(lease)));
}
