//! Opaque tokens: their issuer is asked what they are (RFC 7662). And sessions of the application, which is asked in the same way.
//!
//! One question about a token is under way at a time, in a task of its own, so that a peer that goes away stops nobody
//! else's. What is answered is kept for a moment ([`answers`]) and judged at each use, so that no token outlives its `exp`
//! there. Strangers can have the issuer asked by inventing tokens: so few are asked about at once.
//!
//! INVARIANT: whatever the issuer does not answer in time, in size and as the RFC has it is no answer, and opens nothing.

mod answers;
mod outage;

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout_at},
};

use self::{
    answers::{Answers, Digest},
    outage::Outage,
};
use super::{
    application::{self, ForwardAuthConfig},
    is_https, refuse, strict,
};
use crate::{
    clock::Timestamp,
    fetch::{Fetch, FetchError, Reply},
    oidc::{ClientAuthentication, Held, Pairs, Proof},
    presented::Presented,
    refusal::{Reason, Refusal},
    revocation::Revocation,
};

/// From the first question to the last answer: shorter than the handshake's deadline, so that a peer is told 503.
const TIME: Duration = Duration::from_secs(6);
/// The largest answer, in bytes: a JWT that says so much would not be taken either.
pub(super) const LARGEST: usize = 16 * 1024;
/// How many tokens are asked about at the same time for handshakes.
const AT_ONCE: usize = 32;
/// And how many may wait for that. More are told to come back.
const WAITING: usize = 1024;
/// And how many of open sockets, beside them.
pub(crate) const AGAIN_AT_ONCE: usize = 16;

/// How an issuer is asked about opaque tokens.
#[derive(Clone, Debug)]
pub struct IntrospectionConfig {
    /// Where: an https URL. None if discovery tells it (RFC 8414 §2).
    pub endpoint: Option<String>,
    /// Who we are there.
    pub client_id: String,
    /// How we prove that. Whoever could ask without proof could try tokens out (RFC 7662 §4).
    pub authentication: ClientAuthentication,
    /// How long an answer counts, at most.
    pub cache: Duration,
    /// How often tokens of open sockets are asked about again. None if not at all.
    pub recheck: Option<Duration>,
}

/// Somebody who is asked.
pub(super) struct Introspection {
    authority: Authority,
    fetch: Arc<dyn Fetch>,
    answers: Mutex<Answers>,
    room: Semaphore,
    /// INVARIANT: no handshake has a place here, so that strangers keep nobody from being asked about open sockets.
    room_again: Semaphore,
    outage: Mutex<Outage>,
}

/// Who is asked, and how.
enum Authority {
    /// An issuer, about an opaque token.
    Issuer {
        issuer: Box<str>,
        config: IntrospectionConfig,
        endpoint: Held<Box<str>>,
    },
    /// The application, about a session of its own.
    Application(ForwardAuthConfig),
}

/// What an issuer says of a token.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// It holds, and these are its claims.
    Active {
        claims: Arc<Map<String, Value>>,
        /// When it was asked.
        asked: Timestamp,
    },
    /// It does not, whatever the reason.
    Inactive,
}

/// Why there is no identity.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub(crate) refusal: Refusal,
    /// Whether whoever vouches said anything at all. What they cannot say of one token they may say of another.
    pub(crate) heard: bool,
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        let heard = true;
        Self { refusal, heard }
    }
}

/// What a question came to; nothing as long as it is under way.
type Flight = watch::Receiver<Option<Result<Answer, Denied>>>;

/// Whom a question is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// A handshake: what is known already will do.
    IfUnknown,
    /// Open sockets.
    Anew,
}

/// What an identity stands on whose token says nothing by itself.
#[derive(Clone)]
pub struct Introspected {
    /// When the issuer was asked.
    pub(crate) asked: Timestamp,
    /// What to ask about again. Kept only where that is configured.
    pub(crate) token: Option<Arc<str>>,
}

/// Without the token.
impl fmt::Debug for Introspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspected")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

impl Introspection {
    pub(super) fn new(issuer: &str, config: IntrospectionConfig, fetch: Arc<dyn Fetch>) -> Self {
        let authority = Authority::Issuer {
            issuer: issuer.into(),
            config,
            endpoint: Held::default(),
        };
        Self::of(authority, fetch)
    }

    pub(super) fn of_application(config: ForwardAuthConfig, fetch: Arc<dyn Fetch>) -> Self {
        Self::of(Authority::Application(config), fetch)
    }

    fn of(authority: Authority, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            authority,
            fetch,
            answers: Mutex::default(),
            room: Semaphore::new(AT_ONCE),
            room_again: Semaphore::new(AGAIN_AT_ONCE),
            outage: Mutex::default(),
        }
    }

    pub(super) fn recheck(&self) -> Option<Duration> {
        match &self.authority {
            Authority::Issuer { config, .. } => config.recheck,
            Authority::Application(config) => Some(config.recheck),
        }
    }

    /// How long an answer counts, and how long one may take.
    fn times(&self) -> (Duration, Duration) {
        match &self.authority {
            Authority::Issuer { config, .. } => (config.cache, TIME),
            Authority::Application(config) => (config.cache, config.timeout),
        }
    }

    /// What the issuer says.
    ///
    /// # Errors
    /// [`Reason::ProviderUnavailable`] if that cannot be had.
    pub(super) async fn answer(
        self: &Arc<Self>,
        token: &str,
        ask: Ask,
        now: Timestamp,
    ) -> Result<Answer, Denied> {
        let key = Digest::of(token);
        let mut flight = {
            let mut answers = self.answers.lock();
            let known = answers.find(&key, Instant::now());
            if let (Some(known), Ask::IfUnknown) = (known, ask) {
                return Ok(known);
            }
            match answers.under_way(&key) {
                Some(flight) => flight,
                None => self.take_off(&mut answers, key, (token, ask), now)?,
            }
        };
        // Ends in an error when the task is gone without a word.
        let landed = flight.wait_for(Option::is_some).await;
        let landed = landed.ok().and_then(|it| it.clone());
        landed.unwrap_or_else(|| Err(silent("the question was lost")))
    }

    /// Forgets what was said of tokens that are taken back.
    pub(super) fn forget(&self, revocation: &Revocation) {
        self.answers.lock().forget(revocation);
    }

    fn take_off(
        self: &Arc<Self>,
        answers: &mut Answers,
        key: Digest,
        (token, ask): (&str, Ask),
        now: Timestamp,
    ) -> Result<Flight, Denied> {
        if ask == Ask::IfUnknown {
            if answers.flights.len() >= WAITING {
                return Err(silent("too many tokens are asked about already"));
            }
            if self.outage.lock().is_on(Instant::now()) {
                return Err(silent("it fails again and again, and has a pause"));
            }
        }
        let (tell, flight) = watch::channel(None);
        let begun = answers.begin(key, flight.clone());
        let (this, token) = (Arc::clone(self), token.to_owned());
        // Counted from when it is asked: an answer was true at some time since.
        let (cache, time) = self.times();
        let (until, deadline) = (Instant::now() + cache, Instant::now() + time);
        tokio::spawn(async move {
            let outcome = this.ask_in_turn(&token, ask, now, deadline).await;
            this.answers.lock().land(key, begun, &outcome, until);
            tell.send_replace(Some(outcome));
        });
        Ok(flight)
    }

    async fn ask_in_turn(
        &self,
        token: &str,
        ask: Ask,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Answer, Denied> {
        let room = match ask {
            Ask::IfUnknown => &self.room,
            Ask::Anew => &self.room_again,
        };
        let place = timeout_at(deadline, room.acquire()).await;
        let _place = place.map_err(|_| silent("too many tokens were asked about before it"))?;
        let asked = timeout_at(deadline, self.ask(token, now)).await;
        let outcome = asked.unwrap_or_else(|_| Err(silent("the answer took too long")));
        self.note(&outcome);
        outcome
    }

    /// An issuer has its own bounds: it is asked about tokens that it issued.
    fn note(&self, outcome: &Result<Answer, Denied>) {
        if matches!(self.authority, Authority::Application(_)) {
            let heard = outcome.as_ref().err().is_none_or(|it| it.heard);
            self.outage.lock().note(heard, Instant::now());
        }
    }

    async fn ask(&self, token: &str, now: Timestamp) -> Result<Answer, Denied> {
        let (issuer, config, held) = match &self.authority {
            Authority::Issuer {
                issuer,
                config,
                endpoint,
            } => (issuer, config, endpoint),
            Authority::Application(config) => {
                let presented = Presented::again(token.into());
                return application::ask(config, &*self.fetch, &presented, now).await;
            }
        };
        let endpoint = match &config.endpoint {
            Some(url) => url.as_str().into(),
            None => {
                let told = held.get(&self.fetch, issuer, endpoint);
                told.await.map_err(|it| silent(it.detail))?.as_ref().clone()
            }
        };
        let proof = Proof {
            issuer,
            client_id: &config.client_id,
            by: &config.authentication,
        };
        // RFC 7662 §2.1. The hint saves the issuer a look, and binds it to nothing.
        let pairs = Pairs::default()
            .with("token", token)
            .with("token_type_hint", "access_token");
        let form = proof.form(pairs, now)?;
        let reply = self.fetch.post(&endpoint, &form).await;
        read(&heard(reply)?, now).map_err(Denied::from)
    }
}

/// Where the issuer's own document says that it is asked.
fn endpoint(document: &[u8], issuer: &str) -> Result<Box<str>, String> {
    let document = strict::object(document)?;
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if text("issuer") != Some(issuer) {
        return Err("it names another issuer".to_owned());
    }
    match text("introspection_endpoint") {
        Some(url) if is_https(url) => Ok(url.into()),
        Some(_) => Err("its introspection_endpoint is not an https URL".to_owned()),
        None => Err("it has no introspection_endpoint".to_owned()),
    }
}

/// RFC 7662 §2.2. Whatever is not an answer to the question leaves it open, and so is the issuer's fault.
fn read(reply: &Reply, asked: Timestamp) -> Result<Answer, Refusal> {
    if reply.body.len() > LARGEST {
        return Err(unavailable("the issuer's answer is too long"));
    }
    let members = strict::object(&reply.body);
    if reply.status != 200 {
        let word = members.as_ref().ok().and_then(|it| it.get("error"));
        let word = word.and_then(Value::as_str);
        let detail = format!("the issuer answered {} {word:?}", reply.status);
        return Err(unavailable(detail));
    }
    let mut members = members.map_err(|cause| unavailable(format!("the answer: {cause}")))?;
    match members.remove("active") {
        Some(Value::Bool(true)) => Ok(Answer::Active {
            claims: Arc::new(members),
            asked,
        }),
        Some(Value::Bool(false)) => Ok(Answer::Inactive),
        _ => Err(unavailable("the answer does not say whether it is active")),
    }
}

/// What came back, unless it says that nobody can be asked now (RFC 6585 §4, RFC 9110 §15.6).
pub(super) fn heard(reply: Result<Reply, FetchError>) -> Result<Reply, Denied> {
    match reply {
        Ok(Reply { status, .. }) if matches!(status, 429 | 502..=504) => {
            Err(silent(format_args!("it answered {status}")))
        }
        Ok(reply) => Ok(reply),
        Err(odd @ (FetchError::Status { .. } | FetchError::TooLarge(_))) => {
            Err(unavailable(odd).into())
        }
        Err(error) => Err(silent(error)),
    }
}

fn silent(detail: impl fmt::Display) -> Denied {
    let (refusal, heard) = (unavailable(detail), false);
    Denied { refusal, heard }
}

pub(super) fn unavailable(detail: impl fmt::Display) -> Refusal {
    let refusal = refuse(Reason::ProviderUnavailable).because(detail);
    refusal.retry_after(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(status: u16, body: &str) -> Result<Answer, Reason> {
        let body = body.as_bytes().to_vec();
        read(&Reply { status, body }, Timestamp::from_secs(0)).map_err(|it| it.reason)
    }

    #[test]
    fn only_true_and_false_are_answers() {
        let whole = r#"{"active":true,"sub":"alice"}"#;
        assert!(
            matches!(answered(200, whole), Ok(Answer::Active { claims, .. }) if claims["sub"] == "alice")
        );
        assert!(matches!(
            answered(200, r#"{"active":false,"sub":"alice"}"#),
            Ok(Answer::Inactive)
        ));
        let long = json!({ "active": true, "pad": "x".repeat(LARGEST) }).to_string();
        for (status, body) in [
            (200, ""),
            (200, "{}"),
            (200, "[true]"),
            (200, r#"{"active":"true"}"#),
            (200, r#"{"active":1}"#),
            (200, r#"{"active":null}"#),
            (200, r#"{"active":false,"active":true}"#),
            (200, r#"{"active":true} "#.repeat(2).as_str()),
            (200, &long),
            (201, whole),
            (204, ""),
            (401, r#"{"error":"invalid_client"}"#),
            (404, whole),
            (500, whole),
        ] {
            assert_eq!(
                answered(status, body).err(),
                Some(Reason::ProviderUnavailable),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn nobody_elses_document_says_where_to_ask() {
        let document = |issuer: &str, endpoint: Value| {
            let document = json!({ "issuer": issuer, "introspection_endpoint": endpoint });
            self::endpoint(document.to_string().as_bytes(), "https://id.example")
        };
        let good = json!("https://id.example/introspect");
        assert_eq!(
            &*document("https://id.example", good.clone()).unwrap(),
            "https://id.example/introspect"
        );
        assert!(document("https://evil.example", good).is_err());
        for url in [
            json!("http://id.example/introspect"),
            json!("https://u@id.example/"),
            Value::Null,
            json!(7),
        ] {
            assert!(
                document("https://id.example", url.clone()).is_err(),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_written_down_of_an_identity_holds_no_token() {
        let held = Introspected {
            asked: Timestamp::from_secs(0),
            token: Some("a-secret".into()),
        };
        assert!(!format!("{held:?}").contains("a-secret"));
    }
}
