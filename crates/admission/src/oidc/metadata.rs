//! What a provider says of itself (OpenID Connect Discovery §3, RFC 8414), as far as a sign-in or an introspection needs it.
//!
//! It is fetched when the first of them asks, one fetch at a time, in a task of its own, so that whoever goes away stops nobody
//! else's. It is fresh for an hour; after that it is fetched again beside those who ask, whom the old one serves for a day.
//! After a fetch that failed there is none for five seconds, so that a crowd does not queue at a provider that is down.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    fetch::{Document, Fetch},
    refusal::{Reason, Refusal, Stage},
    token::{is_https, location, strict},
};

/// How long it is fresh, how long it serves, and how long a failure stands.
const FRESH: Duration = Duration::from_secs(3600);
const LONGEST_STALE: Duration = Duration::from_secs(24 * 3600);
const RETRY: Duration = Duration::from_secs(5);
/// The longest fetch: shorter than whoever has nothing else waits.
const LONGEST_FETCH: Duration = Duration::from_secs(5);

/// Where a provider is asked for what. Every URL is https.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) authorization: Box<str>,
    pub(super) token: Box<str>,
    /// Where requests are left before browsers come (RFC 9126 §5).
    pub(super) pushed: Option<Box<str>>,
    /// RP-Initiated Logout §2.1.
    pub(super) end_session: Option<Box<str>>,
    /// Whether every authorization response says whom it is from (RFC 9207 §3).
    pub(super) names_itself: bool,
}

/// What is read of it, kept.
pub(crate) struct Held<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    /// With when it was asked for.
    known: Option<(Arc<T>, Instant)>,
    /// Why the last fetch brought nothing, and since when that is known.
    failed: Option<(String, Instant)>,
    flight: Option<Flight>,
}

/// A fetch under way. It is over when its sender is gone, however that came about.
type Flight = watch::Receiver<()>;

/// What is made of what an issuer says.
type Read<T> = fn(&[u8], &str) -> Result<T, String>;

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State {
            known: None,
            failed: None,
            flight: None,
        })))
    }
}

impl<T: Send + Sync + 'static> Held<T> {
    /// What `read` makes of what the issuer says.
    ///
    /// # Errors
    /// [`Reason::ProviderUnavailable`] if that cannot be had.
    pub(crate) async fn get(
        &self,
        fetch: &Arc<dyn Fetch>,
        issuer: &str,
        read: Read<T>,
    ) -> Result<Arc<T>, Refusal> {
        let flight = {
            let (mut state, now) = (self.0.lock(), Instant::now());
            if let Some(fresh) = state.known_for_less_than(FRESH, now) {
                return Ok(fresh);
            }
            let flight = match state.under_way() {
                None if !state.rests(now) => Some(self.take_off(&mut state, fetch, issuer, read)),
                flight => flight,
            };
            if let Some(stale) = state.known_for_less_than(LONGEST_STALE, now) {
                return Ok(stale);
            }
            flight
        };
        if let Some(mut flight) = flight {
            // Ends in an error when the sender goes, which is what we wait for.
            let _ = flight.changed().await;
        }
        let (state, now) = (self.0.lock(), Instant::now());
        let known = state.known_for_less_than(LONGEST_STALE, now);
        known.ok_or_else(|| state.refusal())
    }

    fn take_off(
        &self,
        state: &mut State<T>,
        fetch: &Arc<dyn Fetch>,
        issuer: &str,
        read: Read<T>,
    ) -> Flight {
        let (under_way, flight) = watch::channel(());
        state.flight = Some(flight.clone());
        let (held, fetch, issuer) = (self.0.clone(), fetch.clone(), issuer.to_owned());
        tokio::spawn(async move {
            let asked = Instant::now();
            let outcome = fetched(&*fetch, &issuer, read).await;
            held.lock().land(outcome, asked);
            drop(under_way);
        });
        flight
    }
}

impl<T> State<T> {
    fn known_for_less_than(&self, age: Duration, now: Instant) -> Option<Arc<T>> {
        let (known, since) = self.known.as_ref()?;
        (now.saturating_duration_since(*since) < age).then(|| known.clone())
    }

    /// Whether it is too soon for another fetch.
    fn rests(&self, now: Instant) -> bool {
        let failed = self.failed.as_ref();
        failed.is_some_and(|(_, since)| now.saturating_duration_since(*since) < RETRY)
    }

    fn under_way(&self) -> Option<Flight> {
        let flight = self.flight.as_ref()?;
        flight.has_changed().is_ok().then(|| flight.clone())
    }

    fn land(&mut self, outcome: Result<T, String>, asked: Instant) {
        match outcome {
            Ok(fresh) => {
                self.known = Some((Arc::new(fresh), asked));
                self.failed = None;
            }
            Err(cause) => {
                tracing::warn!(%cause, "a provider's metadata could not be fetched");
                // From now on: the fetch itself may have taken as long.
                self.failed = Some((cause, Instant::now()));
            }
        }
    }

    fn refusal(&self) -> Refusal {
        let failed = self.failed.as_ref().map(|(cause, _)| cause.as_str());
        let refusal = Refusal::new(Stage::Identity, Reason::ProviderUnavailable);
        refusal
            .because(failed.unwrap_or("the fetch was lost"))
            .retry_after(RETRY)
    }
}

async fn fetched<T>(fetch: &dyn Fetch, issuer: &str, read: Read<T>) -> Result<T, String> {
    let url = location(issuer);
    let asked = timeout(LONGEST_FETCH, fetch.get(&url)).await;
    let asked = asked.map_err(|_| format!("{url} took too long"))?;
    let Document { body, .. } = asked.map_err(|error| error.to_string())?;
    read(&body, issuer).map_err(|cause| format!("{url}: {cause}"))
}

pub(super) fn read(body: &[u8], issuer: &str) -> Result<Metadata, String> {
    let document = strict::object(body)?;
    let text = |name: &str| document.get(name).and_then(|value| value.as_str());
    // §4.3: a document that names somebody else may have been put there by somebody else.
    if text("issuer") != Some(issuer) {
        return Err("it names another issuer".to_owned());
    }
    let https = |name: &str| match text(name) {
        Some(url) if is_https(url) => Ok(Some(Box::<str>::from(url))),
        Some(_) => Err(format!("its {name} is not an https URL")),
        None => Ok(None),
    };
    let needed = |name: &str| https(name)?.ok_or_else(|| format!("it has no {name}"));
    let methods = document.get("code_challenge_methods_supported");
    let lists = |list: &serde_json::Value| {
        let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().any(|method| method == "S256")
    };
    // RFC 9700 §2.1.1: whether it knows PKCE has to be found out; many say nothing and take it all the same.
    if methods.is_some_and(|list| !lists(list)) {
        return Err("it does not take PKCE by S256".to_owned());
    }
    let names_itself = document.get("authorization_response_iss_parameter_supported");
    Ok(Metadata {
        authorization: needed("authorization_endpoint")?,
        token: needed("token_endpoint")?,
        pushed: https("pushed_authorization_request_endpoint")?,
        end_session: https("end_session_endpoint")?,
        names_itself: names_itself.is_some_and(|it| it == &serde_json::Value::Bool(true)),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use http::HeaderMap;
    use serde_json::{Value, json};
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::fetch::{Fetching, Form, Posting};

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);

    /// A provider that says how often it was asked, or hangs.
    #[derive(Default)]
    struct Provider {
        asked: AtomicUsize,
        hangs: AtomicBool,
    }

    impl Provider {
        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }

        fn hang(&self, hangs: bool) {
            self.hangs.store(hangs, Ordering::SeqCst);
        }
    }

    impl Fetch for Provider {
        fn get<'a>(&'a self, _: &'a str) -> Fetching<'a> {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            if self.hangs.load(Ordering::SeqCst) {
                return Box::pin(std::future::pending());
            }
            let body = asked.to_string().into_bytes();
            let max_age = None;
            Box::pin(async move { Ok(Document { body, max_age }) })
        }

        fn get_with<'a>(&'a self, _: &'a str, _: &'a HeaderMap) -> Posting<'a> {
            unreachable!("nobody asks for more")
        }

        fn post<'a>(&'a self, _: &'a str, _: &'a Form) -> Posting<'a> {
            unreachable!("nobody posts to it")
        }
    }

    /// A provider, and which of its answers is held.
    #[derive(Default)]
    struct World {
        provider: Arc<Provider>,
        held: Held<String>,
    }

    impl World {
        async fn get(&self) -> Result<String, Reason> {
            let fetch: Arc<dyn Fetch> = self.provider.clone();
            let text: Read<String> = |body, _| Ok(String::from_utf8_lossy(body).into_owned());
            let held = self.held.get(&fetch, "https://id.example", text).await;
            held.map(|it| it.to_string()).map_err(|it| it.reason)
        }

        /// The same, which has to come without waiting.
        async fn get_at_once(&self) -> Result<String, Reason> {
            let answer = timeout(Duration::from_millis(1), self.get()).await;
            answer.expect("nobody waits")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_answer_serves_at_once_while_the_provider_hangs() {
        let world = World::default();
        let provider = &world.provider;
        assert_eq!(world.get_at_once().await, Ok("1".into()));
        advance(2 * HOUR).await;
        provider.hang(true);
        for _ in 0..40 {
            assert_eq!(world.get_at_once().await, Ok("1".into()));
            advance(SECOND / 10).await;
        }
        assert_eq!(provider.asked(), 2, "one fetch, beside those who ask");
        provider.hang(false);
        sleep(2 * SECOND).await;
        assert_eq!(world.get_at_once().await, Ok("1".into()));
        sleep(2 * SECOND).await;
        assert_eq!(provider.asked(), 2, "it rests");
        sleep(3 * SECOND).await;
        assert_eq!(world.get_at_once().await, Ok("1".into()));
        sleep(SECOND).await;
        assert_eq!(world.get_at_once().await, Ok("3".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_day_an_old_answer_serves_no_longer() {
        let world = World::default();
        assert_eq!(world.get_at_once().await, Ok("1".into()));
        world.provider.hang(true);
        advance(24 * HOUR - SECOND).await;
        assert_eq!(world.get_at_once().await, Ok("1".into()));
        advance(SECOND).await;
        assert_eq!(world.get().await, Err(Reason::ProviderUnavailable));
        let refused = world.get_at_once().await;
        assert_eq!(refused, Err(Reason::ProviderUnavailable), "it rests");
        assert_eq!(world.provider.asked(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_away_takes_neither_the_fetch_along_nor_the_rest_after_it() {
        let world = World::default();
        let begun = Instant::now();
        world.provider.hang(true);
        for _ in 0..4 {
            assert!(timeout(SECOND, world.get()).await.is_err());
        }
        assert_eq!(world.provider.asked(), 1);
        assert_eq!(world.get().await, Err(Reason::ProviderUnavailable));
        assert_eq!(begun.elapsed(), LONGEST_FETCH, "with the one fetch");
        world.provider.hang(false);
        sleep(RETRY - SECOND).await;
        let refused = world.get_at_once().await;
        assert_eq!(refused, Err(Reason::ProviderUnavailable));
        sleep(SECOND).await;
        assert_eq!(world.get().await, Ok("2".into()));
    }

    fn asked(change: impl FnOnce(&mut Value)) -> Result<Metadata, String> {
        let mut document = json!({
            "issuer": "https://id.example",
            "authorization_endpoint": "https://id.example/auth",
            "token_endpoint": "https://id.example/token",
            "code_challenge_methods_supported": ["plain", "S256"],
        });
        change(&mut document);
        read(document.to_string().as_bytes(), "https://id.example")
    }

    #[test]
    fn what_a_sign_in_needs_is_read() {
        let metadata = asked(|_| {}).unwrap();
        assert_eq!(&*metadata.token, "https://id.example/token");
        assert!(metadata.end_session.is_none() && !metadata.names_itself);
        let named =
            |it: &mut Value| it["authorization_response_iss_parameter_supported"] = true.into();
        assert!(asked(named).unwrap().names_itself);
    }

    #[test]
    fn another_issuer_an_open_line_and_a_flow_without_pkce_are_refused() {
        for (name, value) in [
            ("issuer", json!("https://id.example/")),
            ("issuer", Value::Null),
            ("token_endpoint", json!("http://id.example/token")),
            ("token_endpoint", Value::Null),
            (
                "authorization_endpoint",
                json!("https://user@id.example/auth"),
            ),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("end_session_endpoint", json!("ftp://id.example")),
            (
                "pushed_authorization_request_endpoint",
                json!("http://id.example/par"),
            ),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            assert!(
                asked(|it| it[name] = value.clone()).is_err(),
                "{name} {value}"
            );
        }
    }
}
