//! What a provider says of itself (OpenID Connect Discovery §3, RFC 8414), as far as a sign-in or an introspection needs it.
//!
//! It is fetched when the first of them asks, one fetch at a time, kept for an hour, and used for a day while it cannot be
//! fetched again. After a fetch that failed there is none for five seconds, so that a crowd does not queue at a provider
//! that is down.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::Instant};

use crate::{
    fetch::{Document, Fetch},
    refusal::{Reason, Refusal, Stage},
    token::{is_https, location, strict},
};

/// How long it is fresh, how long it serves, and how long a failure stands.
const FRESH: Duration = Duration::from_secs(3600);
const LONGEST_STALE: Duration = Duration::from_secs(24 * 3600);
const RETRY: Duration = Duration::from_secs(5);

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
pub(crate) struct Held<T>(Mutex<State<T>>);

struct State<T> {
    known: Option<(Arc<T>, Instant)>,
    failed: Option<(String, Instant)>,
}

impl<T> Default for Held<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            known: None,
            failed: None,
        }))
    }
}

impl<T> Held<T> {
    /// What `read` makes of what the issuer says.
    ///
    /// # Errors
    /// [`Reason::ProviderUnavailable`] if that cannot be had.
    pub(crate) async fn get(
        &self,
        fetch: &dyn Fetch,
        issuer: &str,
        read: impl Fn(&[u8], &str) -> Result<T, String>,
    ) -> Result<Arc<T>, Refusal> {
        let mut state = self.0.lock().await;
        let now = Instant::now();
        let age = |since: Instant| now.saturating_duration_since(since);
        if let Some((known, since)) = &state.known
            && age(*since) < FRESH
        {
            return Ok(known.clone());
        }
        let resting = state.failed.as_ref().filter(|it| age(it.1) < RETRY);
        let outcome = match resting {
            Some((cause, _)) => Err(cause.clone()),
            None => fetched(fetch, issuer, read).await,
        };
        match outcome {
            Ok(fresh) => {
                let fresh = Arc::new(fresh);
                state.known = Some((fresh.clone(), now));
                state.failed = None;
                Ok(fresh)
            }
            Err(cause) => {
                if resting.is_none() {
                    tracing::warn!(%cause, "a provider's metadata could not be fetched");
                    // From now on: the fetch itself may have taken as long.
                    state.failed = Some((cause.clone(), Instant::now()));
                }
                let stale = state.known.as_ref().filter(|it| age(it.1) < LONGEST_STALE);
                stale.map(|(known, _)| known.clone()).ok_or_else(|| {
                    let refusal = Refusal::new(Stage::Identity, Reason::ProviderUnavailable);
                    refusal.because(cause).retry_after(RETRY)
                })
            }
        }
    }
}

async fn fetched<T>(
    fetch: &dyn Fetch,
    issuer: &str,
    read: impl Fn(&[u8], &str) -> Result<T, String>,
) -> Result<T, String> {
    let url = location(issuer);
    let Document { body, .. } = fetch.get(&url).await.map_err(|error| error.to_string())?;
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
    use serde_json::{Value, json};

    use super::*;

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
