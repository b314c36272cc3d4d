//! When issuers are asked again, and how long sockets may wait for the answer.

use std::{
    collections::{HashMap, HashSet},
    future::pending,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use serde_json::json;

use super::*;
use crate::{
    caps::{CapLimits, Caps},
    clock::Clock,
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
        tests::NOW,
    },
};

const EVERY: u64 = 60;

/// An issuer that holds every token for good but those that were taken back, and remembers who asks.
#[derive(Default)]
struct Asked {
    taken_back: Mutex<HashSet<String>>,
    down: Mutex<bool>,
    /// Of which tokens it says nothing: those that begin so.
    mute: Mutex<Option<&'static str>>,
    /// How long each answer takes.
    takes: Mutex<Duration>,
    /// When it was asked what it answered last, by token.
    answered: Mutex<HashMap<String, Instant>>,
    questions: AtomicUsize,
}

/// The clock that tests let run by waiting.
struct Running(Instant);

impl Clock for Running {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW).after(self.0.elapsed())
    }
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
        self.questions.fetch_add(1, Ordering::Relaxed);
        let asked = Instant::now();
        Box::pin(async move {
            let mute = self
                .mute
                .lock()
                .unwrap()
                .is_some_and(|it| token.starts_with(it));
            if mute {
                pending::<()>().await;
            }
            let takes = *self.takes.lock().unwrap();
            tokio::time::sleep(takes).await;
            if *self.down.lock().unwrap() {
                return Err(FetchError::NotHttps(url.to_owned()));
            }
            let active = !self.taken_back.lock().unwrap().contains(&token);
            let body = json!({
                "active": active, "aud": "wardwire", "sub": token.split('-').next(), "iat": NOW, "exp": NOW + 3600,
                "token_type": "Bearer",
            });
            let body = body.to_string().into_bytes();
            self.answered.lock().unwrap().insert(token, asked);
            Ok(Reply { status: 200, body })
        })
    }
}

impl Asked {
    fn questions(&self) -> usize {
        self.questions.load(Ordering::Relaxed)
    }

    fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }

    fn set_mute(&self, beginning: &'static str) {
        *self.mute.lock().unwrap() = Some(beginning);
    }
}

struct World {
    asked: Arc<Asked>,
    began: Instant,
    gate: Gate,
    known: Rechecks,
}

impl World {
    fn new() -> Self {
        let (asked, began) = (Arc::new(Asked::default()), Instant::now());
        let clock = Arc::new(Running(began));
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
            began,
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

    /// Looks and asks until so many seconds after the start, and says who ended.
    async fn until(&mut self, seconds: u64) -> Vec<Lapsed> {
        let mut ended = Vec::new();
        while self.began.elapsed() < Duration::from_secs(seconds) {
            let told = |lapsed| ended.push(lapsed);
            self.gate.recheck(&mut self.known, told).await;
        }
        ended
    }

    fn is_open(&self, lease: &Lease) -> bool {
        matches!(lease.status(self.gate.now()), LeaseStatus::Valid { .. })
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_is_asked_when_it_is_time_and_what_it_says_counts_at_once() {
    let mut world = World::new();
    let (alices, other) = (world.open("alice").await, world.open("alice").await);
    let bobs = world.open("bob").await;
    assert!(world.until(EVERY - 5).await.is_empty());
    assert_eq!(world.asked.questions(), 2, "of each token once so far");
    assert!(world.until(EVERY + 5).await.is_empty());
    assert_eq!(world.asked.questions(), 4, "and of each once more");
    assert!(world.until(EVERY + 10).await.is_empty());
    assert_eq!(world.asked.questions(), 4);
    let taken_back = &world.asked.taken_back;
    taken_back.lock().unwrap().insert("alice".into());
    let lapsed = world.until(2 * EVERY + 5).await;
    assert_eq!(lapsed.len(), 1);
    assert_eq!(
        (&*lapsed[0].identity.subject, lapsed[0].ended),
        ("alice", 2)
    );
    assert_eq!(lapsed[0].refusal.reason, Reason::TokenInactive);
    assert!(!world.is_open(&alices) && !world.is_open(&other) && world.is_open(&bobs));
    assert!(
        world.until(2 * EVERY + 10).await.is_empty(),
        "it has no socket any more"
    );
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_asked_again_until_sockets_are_in_doubt() {
    let mut world = World::new();
    let lease = world.open("alice").await;
    world.asked.set_down(true);
    assert!(world.until(EVERY + EVERY / 2).await.is_empty() && world.is_open(&lease));
    assert!(world.asked.questions() > 4);
    world.asked.set_down(false);
    assert!(world.until(EVERY + EVERY / 2 + 5).await.is_empty());
    world.asked.set_down(true);
    assert!(
        world.until(3 * EVERY).await.is_empty(),
        "counted from the last answer"
    );
    let lapsed = world.until(3 * EVERY + EVERY / 2 + 5).await;
    assert_eq!(lapsed[0].refusal.reason, Reason::ProviderUnavailable);
    assert!(!world.is_open(&lease));
}

#[tokio::test(start_paused = true)]
async fn who_was_in_doubt_comes_back_as_soon_as_no_ticket_of_before_lives() {
    let mut world = World::new();
    let lease = world.open("alice").await;
    world.asked.set_down(true);
    assert_eq!(world.until(2 * EVERY).await.len(), 1);
    let revoked = world.gate.check_revoked(&lease.principal());
    assert_eq!(revoked.unwrap_err().reason, Reason::Revoked);
    tokio::time::advance(ticket::LIFETIME).await;
    assert!(world.gate.check_revoked(&lease.principal()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_asked_about_few_and_ends_all_the_same() {
    let mut world = World::new();
    let mut leases = Vec::new();
    for n in 0..3 * AT_ONCE {
        leases.push(world.open(&format!("user{n}")).await);
    }
    let before = world.asked.questions();
    world.asked.set_down(true);
    assert!(world.until(EVERY + 5).await.is_empty());
    assert_eq!(world.asked.questions() - before, AT_ONCE);
    assert_eq!(world.until(2 * EVERY).await.len(), leases.len());
    assert!(leases.iter().all(|lease| !world.is_open(lease)));
}

#[tokio::test(start_paused = true)]
async fn however_slow_answers_are_nobody_stays_longer_by_one_than_told() {
    let mut world = World::new();
    let mut leases = Vec::new();
    for n in 0..50 * AT_ONCE {
        let token = format!("user{n}");
        leases.push((world.open(&token).await, token));
    }
    let slow = Duration::from_secs(5);
    *world.asked.takes.lock().unwrap() = slow;
    let longest = 2 * Duration::from_secs(EVERY) + slow;
    for look in 1..60 {
        world.until(look * 5).await;
        leases.retain(|(lease, _)| world.is_open(lease));
        let answered = world.asked.answered.lock().unwrap();
        let oldest = leases.iter().map(|(_, token)| answered[token].elapsed());
        assert!(oldest.max().unwrap() <= longest);
    }
    // Of those that could be asked about in time none has ended.
    let patience = PATIENCE * Duration::from_secs(EVERY) / LOOKS;
    let answers = patience.as_secs() / slow.as_secs() * AT_ONCE as u64;
    assert_eq!(leases.len() as u64, answers);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_behind_anothers_many_that_are_not_answered() {
    let mut world = World::new();
    let mut mallorys = Vec::new();
    for n in 0..10 * AT_ONCE {
        mallorys.push(world.open(&format!("mallory-{n}")).await);
    }
    let alices = world.open("alice").await;
    world.asked.set_mute("mallory");
    let lapsed = world.until(5 * EVERY).await;
    assert_eq!(lapsed.len(), mallorys.len());
    assert!(world.is_open(&alices));
}
