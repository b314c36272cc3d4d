//! An issuer's keys as they are held: fetched when first needed, kept, and fetched again with restraint.
//!
//! One fetch at a time runs, in a task of its own, so that a peer that goes away stops nobody else's. Whatever arrives,
//! a minute lies between two fetches; only while no keys are held at all is a failed one repeated sooner (5 s, doubled up
//! to that minute). A set is fresh for as long as its `max-age` says, within a minute and an hour. When it cannot be
//! fetched again it serves for a day.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    IssuerConfig, IssuerConfigError, KeySource, discovery,
    keys::{Key, KeySet, Wanted},
    refuse,
};
use crate::{
    fetch::{Document, Fetch},
    refusal::{Reason, Refusal},
};

/// Between two fetches.
const INTERVAL: Duration = Duration::from_secs(60);
/// After the first fetch that failed while no keys are held.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// How long a set is fresh if nothing says otherwise, and the bounds of what may be said.
const FRESH: Duration = Duration::from_secs(300);
const SHORTEST_FRESH: Duration = INTERVAL;
const LONGEST_FRESH: Duration = Duration::from_secs(3600);
/// How long an old set serves while no new one can be had.
const LONGEST_STALE: Duration = Duration::from_secs(24 * 3600);
/// The longest fetch, discovery included: shorter than the handshake's deadline, so that a peer is told 503.
const LONGEST_FETCH: Duration = Duration::from_secs(6);
/// How long a token waits for a fetch when an old key is at hand.
const PATIENCE: Duration = Duration::from_secs(2);

/// The keys of one issuer.
pub(super) enum KeyRing {
    /// Given once and for all.
    Fixed(KeySet),
    /// Fetched.
    Remote(Arc<Remote>),
}

/// Keys that live elsewhere.
pub(super) struct Remote {
    issuer: Box<str>,
    /// The key set's URL; none if discovery has to tell it.
    url: Option<Box<str>>,
    fetch: Arc<dyn Fetch>,
    held: Mutex<Held>,
}

struct Held {
    set: Option<FetchedSet>,
    /// Why the last fetch brought nothing.
    failure: Option<String>,
    /// Not before this instant is there another fetch.
    next: Instant,
    /// The wait after the next failure without keys.
    retry: Duration,
    flight: Option<Flight>,
}

struct FetchedSet {
    keys: KeySet,
    fresh_until: Instant,
    serves_until: Instant,
}

/// A fetch under way. It is over when its sender is gone, however that came about.
type Flight = watch::Receiver<()>;

impl KeyRing {
    pub(super) fn new(
        config: &IssuerConfig,
        fetch: Arc<dyn Fetch>,
        before: Option<&Self>,
    ) -> Result<Self, IssuerConfigError> {
        let url = match &config.keys {
            KeySource::Static(document) => return Self::fixed(config, document),
            KeySource::Url(url) => Some(url.as_str()),
            KeySource::Discovery => None,
        };
        let asked = url.unwrap_or(&config.issuer);
        if !discovery::is_https(asked) {
            return Err(IssuerConfigError::NotHttps {
                issuer: config.issuer.clone(),
                url: asked.to_owned(),
            });
        }
        if let Some(Self::Remote(known)) = before
            && known.is_at(&config.issuer, url, &fetch)
        {
            return Ok(Self::Remote(known.clone()));
        }
        Ok(Self::Remote(Arc::new(Remote {
            issuer: config.issuer.as_str().into(),
            url: url.map(Into::into),
            fetch,
            held: Mutex::new(Held::nothing()),
        })))
    }

    fn fixed(config: &IssuerConfig, document: &[u8]) -> Result<Self, IssuerConfigError> {
        let unusable = |cause: String| IssuerConfigError::Keys {
            issuer: config.issuer.clone(),
            cause,
        };
        let keys = KeySet::parse(document).map_err(unusable)?;
        if keys.is_empty() {
            return Err(unusable(
                "it has no public key that may verify a signature".to_owned(),
            ));
        }
        Ok(Self::Fixed(keys))
    }

    /// The key a token asks for.
    ///
    /// # Errors
    /// [`Reason::TokenKey`] if the issuer has no such key, [`Reason::KeysUnavailable`] if that cannot be told.
    pub(super) async fn find(&self, wanted: Wanted<'_>) -> Result<Arc<Key>, Refusal> {
        match self {
            Self::Fixed(keys) => keys.find(wanted).ok_or_else(|| unknown(wanted)),
            Self::Remote(remote) => remote.find(wanted).await,
        }
    }
}

impl Remote {
    /// Whether these are the keys that would be found there.
    fn is_at(&self, issuer: &str, url: Option<&str>, fetch: &Arc<dyn Fetch>) -> bool {
        *self.issuer == *issuer && self.url.as_deref() == url && Arc::ptr_eq(&self.fetch, fetch)
    }

    async fn find(self: &Arc<Self>, wanted: Wanted<'_>) -> Result<Arc<Key>, Refusal> {
        let flight = {
            let (mut held, now) = (self.held.lock(), Instant::now());
            let old = held.find(wanted, now);
            if let (Some(key), true) = (&old, held.is_fresh(now)) {
                return Ok(Arc::clone(key));
            }
            let patience = if old.is_some() {
                PATIENCE
            } else {
                LONGEST_FETCH
            };
            let flight = held.under_way().or_else(|| self.take_off(&mut held, now));
            flight.map(|flight| (flight, patience))
        };
        if let Some((mut flight, patience)) = flight {
            // Ends in an error when the sender goes, which is what we wait for; too slow a fetch leaves what is held.
            let _ = timeout(patience, flight.changed()).await;
        }
        let (held, now) = (self.held.lock(), Instant::now());
        held.find(wanted, now)
            .ok_or_else(|| held.refusal(wanted, now))
    }

    /// Starts a fetch, unless it is too soon.
    fn take_off(self: &Arc<Self>, held: &mut Held, now: Instant) -> Option<Flight> {
        if now < held.next {
            return None;
        }
        held.next = now + INTERVAL;
        let (under_way, flight) = watch::channel(());
        held.flight = Some(flight.clone());
        let remote = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = timeout(LONGEST_FETCH, remote.fetch())
                .await
                .unwrap_or_else(|_| Err("the key set took too long".to_owned()));
            remote.held.lock().land(outcome, Instant::now());
            drop(under_way);
        });
        Some(flight)
    }

    async fn fetch(&self) -> Result<(KeySet, Option<Duration>), String> {
        let url = match &self.url {
            Some(url) => url.to_string(),
            None => discovery::key_location(&*self.fetch, &self.issuer).await?,
        };
        let Document { body, max_age } = self
            .fetch
            .get(&url)
            .await
            .map_err(|error| error.to_string())?;
        let keys = KeySet::parse(&body).map_err(|cause| format!("{url}: {cause}"))?;
        Ok((keys, max_age))
    }
}

impl Held {
    fn nothing() -> Self {
        Self {
            set: None,
            failure: None,
            next: Instant::now(),
            retry: FIRST_RETRY,
            flight: None,
        }
    }

    fn is_fresh(&self, now: Instant) -> bool {
        self.set.as_ref().is_some_and(|set| now < set.fresh_until)
    }

    fn find(&self, wanted: Wanted<'_>, now: Instant) -> Option<Arc<Key>> {
        let set = self.set.as_ref().filter(|set| now < set.serves_until)?;
        set.keys.find(wanted)
    }

    fn under_way(&self) -> Option<Flight> {
        let flight = self.flight.as_ref()?;
        flight.has_changed().is_ok().then(|| flight.clone())
    }

    fn land(&mut self, outcome: Result<(KeySet, Option<Duration>), String>, now: Instant) {
        match outcome {
            Ok((keys, max_age)) => {
                let fresh = max_age
                    .unwrap_or(FRESH)
                    .clamp(SHORTEST_FRESH, LONGEST_FRESH);
                self.set = Some(FetchedSet {
                    keys,
                    fresh_until: now + fresh,
                    serves_until: now + LONGEST_STALE,
                });
                self.failure = None;
                self.retry = FIRST_RETRY;
            }
            Err(cause) => {
                tracing::warn!(%cause, "an issuer's keys could not be fetched");
                self.failure = Some(cause);
                if self.set.is_none() {
                    self.next = now + self.retry;
                    self.retry = (self.retry * 2).min(INTERVAL);
                }
            }
        }
    }

    /// Why there is no such key: if the last fetch failed, nobody can tell whether there is one.
    fn refusal(&self, wanted: Wanted<'_>, now: Instant) -> Refusal {
        let failure = match (&self.failure, &self.set) {
            (Some(failure), _) => failure.as_str(),
            (None, Some(set)) if now < set.serves_until => return unknown(wanted),
            (None, _) => "the key set is not there yet",
        };
        let wait = self.next.saturating_duration_since(now);
        refuse(Reason::KeysUnavailable)
            .because(failure)
            .retry_after(wait.max(Duration::from_secs(1)))
    }
}

fn unknown(wanted: Wanted<'_>) -> Refusal {
    let Wanted { id, algorithm } = wanted;
    refuse(Reason::TokenKey).because(match id {
        Some(id) => format!("no {algorithm} key with id {id:?}"),
        None => format!("the token names no key, and not exactly one is for {algorithm}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Algorithm;

    /// Such as when its fetch has not come back, neither well nor ill.
    #[test]
    fn a_set_that_is_too_old_to_serve_does_not_tell_which_keys_there_are() {
        let ends = Instant::now() + LONGEST_STALE;
        let held = Held {
            set: Some(FetchedSet {
                keys: KeySet::parse(br#"{"keys":[]}"#).unwrap(),
                fresh_until: ends,
                serves_until: ends,
            }),
            ..Held::nothing()
        };
        let wanted = Wanted {
            id: Some("a"),
            algorithm: Algorithm::Es256,
        };
        let reason = |now: Instant| held.refusal(wanted, now).reason;
        assert_eq!(reason(ends - Duration::from_millis(1)), Reason::TokenKey);
        assert_eq!(reason(ends), Reason::KeysUnavailable);
    }
}
