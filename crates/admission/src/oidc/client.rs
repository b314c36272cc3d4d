//! One provider's client: the URLs that browsers are sent to, and the exchange of a code for tokens.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::{sync::Semaphore, time::timeout};

use super::{
    attempt::Attempt,
    form::Pairs,
    metadata::{self, Held, Metadata},
    proof::Proof,
    settings::{ClientAuthentication, Settings},
};
use crate::{
    clock::Timestamp,
    fetch::{Fetch, Reply},
    refusal::{Reason, Refusal, Stage},
    secret::Secret,
    token::strict,
};

/// From the first question to the last answer, so that a browser is told 503 before its request's own time is over.
pub(super) const TIME: Duration = Duration::from_secs(7);
/// How many requests are left at the provider at the same time.
const PUSHING: usize = 32;
/// The longest name of a request that was left there; a URL has to hold it.
const LONGEST_REQUEST: usize = 1024;
/// An ID token up to this size goes along when a browser signs out; a URL with a longer one would not arrive.
const LONGEST_HINT: usize = 4096;

/// A client of one provider.
pub struct Client {
    issuer: Box<str>,
    settings: Settings,
    fetch: Arc<dyn Fetch>,
    metadata: Held<Metadata>,
    pushing: Semaphore,
}

/// What a route or a page wants of a sign-in (RFC 9470 §4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Wish {
    /// `acr_values`.
    pub acr: Option<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<u64>,
}

/// Whether a provider takes us for the client that we say we are.
#[derive(Debug)]
pub enum Known {
    /// It does.
    Yes,
    /// It does not, for what it says.
    No(String),
    /// It could not be asked, or says something else.
    Unclear(String),
}

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id: String,
    pub(super) access: String,
}

impl Client {
    pub(crate) fn new(issuer: &str, settings: Settings, fetch: Arc<dyn Fetch>) -> Self {
        Self {
            issuer: issuer.into(),
            settings,
            fetch,
            metadata: Held::default(),
            pushing: Semaphore::new(PUSHING),
        }
    }

    /// Whether this is the client that these would make.
    pub(crate) fn is(&self, settings: &Settings, fetch: &Arc<dyn Fetch>) -> bool {
        self.settings == *settings && Arc::ptr_eq(&self.fetch, fetch)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    fn proof(&self) -> Proof<'_> {
        Proof {
            issuer: &self.issuer,
            client_id: &self.settings.client_id,
            by: &self.settings.authentication,
        }
    }

    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, Refusal> {
        let asked = self.metadata.get(&self.fetch, &self.issuer, metadata::read);
        timeout(TIME, asked)
            .await
            .unwrap_or_else(|_| Err(unavailable("the provider's metadata took too long")))
    }

    /// Where a browser signs in. What is asked goes there by the browser (OpenID Connect Core §3.1.2.1), or, where the provider
    /// takes it beforehand, past the browser, which then cannot change it (RFC 9126).
    ///
    /// # Errors
    /// The provider does not take it: what it says of a request is never worked around by asking in the open.
    pub(super) async fn authorization(
        &self,
        metadata: &Metadata,
        attempt: &Attempt,
        state: &Secret,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let request = self.request(attempt, state);
        let id = &self.settings.client_id;
        let query = match &metadata.pushed {
            None => request.with("client_id", id),
            Some(place) => {
                let asked = timeout(TIME, self.push(place, request, now)).await;
                let late = |_| unavailable("the request took too long to be left there");
                let uri = asked.map_err(late)??;
                Pairs::default()
                    .with("client_id", id)
                    .with("request_uri", &uri)
            }
        };
        Ok(joined(&metadata.authorization, query))
    }

    /// All that is asked, but who asks.
    fn request(&self, attempt: &Attempt, state: &Secret) -> Pairs {
        let mut scope = "openid".to_owned();
        for more in self.settings.scopes.iter().filter(|it| *it != "openid") {
            scope.push(' ');
            scope.push_str(more);
        }
        let challenge = digest(&SHA256, attempt.verifier.as_bytes());
        let mut query = Pairs::default()
            .with("response_type", "code")
            .with("response_mode", "query")
            .with("redirect_uri", &self.settings.callback)
            .with("scope", &scope)
            .with("state", &state.reveal())
            .with("nonce", &attempt.nonce)
            .with("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .with("code_challenge_method", "S256");
        if let Some(acr) = &attempt.wish.acr {
            query = query.with("acr_values", acr);
        }
        if let Some(age) = attempt.wish.max_age {
            query = query.with("max_age", &age.to_string());
        }
        query
    }

    /// Leaves a request at the provider (RFC 9126 §2.1). Strangers can have that done, so few are left at once.
    async fn push(&self, place: &str, request: Pairs, now: Timestamp) -> Result<String, Refusal> {
        let _room = self.pushing.acquire().await.map_err(unavailable)?;
        let request = match self.settings.authentication {
            // In the header alone it would not stand in the request.
            ClientAuthentication::Basic(_) => request.with("client_id", &self.settings.client_id),
            _ => request,
        };
        let form = self.proof().form(request, now)?;
        let reply = self.fetch.post(place, &form).await.map_err(unavailable)?;
        pushed(&reply)
    }

    /// Exchanges a code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    ///
    /// # Errors
    /// [`Reason::SignInRefused`] if the provider does not take the code, [`Reason::ProviderUnavailable`] for whatever else
    /// it answers.
    pub(super) async fn exchange(
        &self,
        metadata: &Metadata,
        code: &str,
        attempt: &Attempt,
        now: Timestamp,
    ) -> Result<Tokens, Refusal> {
        let pairs = Pairs::default()
            .with("grant_type", "authorization_code")
            .with("code", code)
            .with("redirect_uri", &self.settings.callback)
            .with("code_verifier", &attempt.verifier);
        let form = self.proof().form(pairs, now)?;
        let asked = timeout(TIME, self.fetch.post(&metadata.token, &form)).await;
        let asked = asked.map_err(|_| unavailable("the token endpoint took too long"))?;
        let reply = asked.map_err(unavailable)?;
        tokens(&reply)
    }

    /// Asks with a code that nobody has: who is not known is told so before the code is looked at (RFC 6749 §5.2).
    pub(crate) async fn try_itself(&self, now: Timestamp) -> Known {
        let invented = || Secret::random().map(|it| it.reveal());
        let asked = async {
            let metadata = self.metadata().await?;
            let (code, verifier) = (
                invented().map_err(unavailable)?,
                invented().map_err(unavailable)?,
            );
            let pairs = Pairs::default()
                .with("grant_type", "authorization_code")
                .with("code", &code)
                .with("redirect_uri", &self.settings.callback)
                .with("code_verifier", &verifier);
            let form = self.proof().form(pairs, now)?;
            let reply = self.fetch.post(&metadata.token, &form).await;
            reply.map_err(unavailable)
        };
        let reply = match timeout(TIME, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(refusal)) => return Known::Unclear(refusal.detail),
            Err(_) => return Known::Unclear("it took too long".to_owned()),
        };
        let answer = strict::object(&reply.body).unwrap_or_default();
        let said = format!("{} {:?}", reply.status, text(&answer, "error"));
        match (reply.status, text(&answer, "error")) {
            (_, Some("invalid_grant")) => Known::Yes,
            (401, _) | (_, Some("invalid_client" | "unauthorized_client")) => Known::No(said),
            _ => Known::Unclear(said),
        }
    }

    /// Where a browser signs out (RP-Initiated Logout §2), if the provider has such a place.
    pub(super) fn end_session(
        &self,
        metadata: &Metadata,
        hint: Option<&str>,
        state: Option<&str>,
    ) -> Option<String> {
        let place = metadata.end_session.as_deref()?;
        let mut query = Pairs::default().with("client_id", &self.settings.client_id);
        if let Some(id_token) = hint.filter(|it| it.len() <= LONGEST_HINT) {
            query = query.with("id_token_hint", id_token);
        }
        if let Some(after) = &self.settings.after_logout {
            query = query.with("post_logout_redirect_uri", after);
            if let Some(state) = state {
                query = query.with("state", state);
            }
        }
        Some(joined(place, query))
    }
}

/// An endpoint may have a query of its own, which stays (RFC 6749 §3.1).
fn joined(place: &str, query: Pairs) -> String {
    let mark = if place.contains('?') { '&' } else { '?' };
    format!("{place}{mark}{}", query.into_text())
}

/// RFC 9126 §2.2; the refusals of §2.3.
fn pushed(reply: &Reply) -> Result<String, Refusal> {
    let answer = strict::object(&reply.body);
    if !matches!(reply.status, 200 | 201) {
        let word = answer.as_ref().ok().and_then(|it| text(it, "error"));
        let detail = format!("the request was answered {} {word:?}", reply.status);
        return Err(match (reply.status, word) {
            // Such as what a page wishes of a sign-in; and it is this server that is not known.
            (400, Some(word)) if word != "invalid_client" => refused(detail),
            _ => unavailable(detail),
        });
    }
    let answer = answer.map_err(|cause| unavailable(format!("the request: {cause}")))?;
    let shown = |uri: &&str| {
        (1..=LONGEST_REQUEST).contains(&uri.len()) && uri.bytes().all(|it| it.is_ascii_graphic())
    };
    let uri = text(&answer, "request_uri").filter(shown);
    let uri = uri.ok_or_else(|| unavailable("no request_uri was given"))?;
    Ok(uri.to_owned())
}

/// RFC 6749 §5.1, OpenID Connect Core §3.1.3.3; the refusals of §5.2.
fn tokens(reply: &Reply) -> Result<Tokens, Refusal> {
    let answer = strict::object(&reply.body);
    if reply.status != 200 {
        let word = answer.as_ref().ok().and_then(|it| text(it, "error"));
        let detail = format!("the token endpoint answered {} {word:?}", reply.status);
        return Err(match word {
            Some("invalid_grant") => refused(detail),
            _ => unavailable(detail),
        });
    }
    let answer = answer.map_err(|cause| unavailable(format!("the tokens: {cause}")))?;
    let kind = text(&answer, "token_type").unwrap_or_default();
    if !kind.eq_ignore_ascii_case("bearer") {
        return Err(unavailable("the access token is not of the type Bearer"));
    }
    let named = |name: &str| {
        let found = text(&answer, name).filter(|text| !text.is_empty());
        found
            .map(str::to_owned)
            .ok_or_else(|| unavailable(format!("no {name} was given")))
    };
    Ok(Tokens {
        id: named("id_token")?,
        access: named("access_token")?,
    })
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

fn refused(detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Stage::Identity, Reason::SignInRefused).because(detail)
}

fn unavailable(detail: impl std::fmt::Display) -> Refusal {
    let refusal = Refusal::new(Stage::Identity, Reason::ProviderUnavailable).because(detail);
    refusal.retry_after(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(status: u16, body: &Value) -> Result<String, Reason> {
        let body = body.to_string().into_bytes();
        let tokens = tokens(&Reply { status, body });
        tokens.map(|it| it.id + &it.access).map_err(|it| it.reason)
    }

    #[test]
    fn only_a_whole_answer_is_taken() {
        let whole = json!({"token_type": "bearer", "id_token": "i", "access_token": "a"});
        assert_eq!(answered(200, &whole), Ok("ia".into()));
        for (name, value) in [
            ("token_type", json!("DPoP")),
            ("token_type", Value::Null),
            ("id_token", Value::Null),
            ("id_token", json!("")),
            ("access_token", json!(7)),
        ] {
            let mut spoilt = whole.clone();
            spoilt[name] = value;
            assert_eq!(
                answered(200, &spoilt),
                Err(Reason::ProviderUnavailable),
                "{spoilt}"
            );
        }
        assert!(answered(201, &whole).is_err() && answered(200, &json!([])).is_err());
    }

    #[test]
    fn a_request_is_left_or_it_is_not_and_then_nobody_is_sent_with_it() {
        let left = |status: u16, body: Value| {
            let body = body.to_string().into_bytes();
            pushed(&Reply { status, body }).map_err(|it| it.reason)
        };
        let whole = json!({"request_uri": "urn:x:1", "expires_in": 60});
        assert_eq!(left(201, whole.clone()), Ok("urn:x:1".into()));
        assert_eq!(left(200, whole.clone()), Ok("urn:x:1".into()));
        let refused = json!({"error": "invalid_request"});
        assert_eq!(left(400, refused.clone()), Err(Reason::SignInRefused));
        for (status, body) in [
            (201, json!({})),
            (201, json!({"request_uri": ""})),
            (201, json!({"request_uri": 7})),
            (201, json!({"request_uri": "urn:x y"})),
            (201, json!({"request_uri": "x".repeat(LONGEST_REQUEST + 1)})),
            (202, whole.clone()),
            (400, whole),
            (400, json!({"error": "invalid_client"})),
            (401, json!({"error": "invalid_client"})),
            (500, refused),
        ] {
            let unavailable = Err(Reason::ProviderUnavailable);
            assert_eq!(left(status, body.clone()), unavailable, "{status} {body}");
        }
    }

    #[test]
    fn a_code_that_is_not_taken_is_the_browsers_fault_and_all_else_the_providers() {
        let with = |error: &str| json!({ "error": error });
        assert_eq!(
            answered(400, &with("invalid_grant")),
            Err(Reason::SignInRefused)
        );
        for (status, body) in [
            (401, with("invalid_client")),
            (400, with("unauthorized_client")),
            (500, with("")),
            (502, json!("<html>")),
        ] {
            assert_eq!(
                answered(status, &body),
                Err(Reason::ProviderUnavailable),
                "{body}"
            );
        }
    }
}
