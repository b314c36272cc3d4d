//! An application that has sessions of its own: it is asked who a cookie is (forward authentication).
//!
//! What introspection is for opaque tokens, with the same bounds and the same memory of answers ([`super::introspection`]). What
//! is asked is a GET with the cookies and headers that are listed; what counts as an answer is an object of claims, or that it
//! is nobody.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{
    claims::{date, methods, missing, name, wrong},
    introspection::{Answer, Denied, Introspected, LARGEST, heard, unavailable},
    refuse, strict,
};
use crate::{
    clock::Timestamp,
    fetch::{Fetch, Reply},
    presented::{Presented, Selection},
    principal::{Authentication, Identity, SessionId},
    refusal::{Reason, Refusal},
};

/// How an application is asked.
#[derive(Clone, Debug)]
pub struct ForwardAuthConfig {
    /// What this server calls it: its users are `name:sub`.
    pub name: String,
    /// Where. It is their issuer.
    pub url: String,
    /// What it is shown.
    pub selection: Selection,
    /// How long an answer counts, at most.
    pub cache: Duration,
    /// How often it is asked again about open sockets.
    pub recheck: Duration,
    /// From a question to its answer.
    pub timeout: Duration,
    /// How long a socket lasts, at most.
    pub lifetime: Duration,
}

/// Asks.
///
/// # Errors
/// [`Reason::ProviderUnavailable`] for everything that is no answer.
pub(super) async fn ask(
    config: &ForwardAuthConfig,
    fetch: &dyn Fetch,
    presented: &Presented,
    now: Timestamp,
) -> Result<Answer, Denied> {
    let reply = fetch.get_with(&config.url, &presented.fields()).await;
    read(&heard(reply)?, presented, now).map_err(Denied::from)
}

fn read(reply: &Reply, presented: &Presented, asked: Timestamp) -> Result<Answer, Refusal> {
    match reply.status {
        200 if reply.body.len() > LARGEST => {
            Err(unavailable("the application's answer is too long"))
        }
        200 => {
            let claims = strict::object(&reply.body);
            let mut claims = claims.map_err(|cause| unavailable(format!("the answer: {cause}")))?;
            // By this a revocation finds what was answered.
            claims.insert("jti".to_owned(), (*presented.name()).into());
            Ok(Answer::Active {
                claims: Arc::new(claims),
                asked,
            })
        }
        204 | 401 => Ok(Answer::Inactive),
        status => Err(unavailable(format!("the application answered {status}"))),
    }
}

/// Whom an answer stands for.
///
/// # Errors
/// [`Reason::ProviderUnavailable`] if that cannot be said, [`Reason::TokenExpired`] if it is over.
pub(super) fn judge(
    config: &ForwardAuthConfig,
    claims: Map<String, Value>,
    now: Timestamp,
) -> Result<Identity, Refusal> {
    let identity = identity(config, claims, now);
    let identity =
        identity.map_err(|refusal| unavailable(format!("the answer: {}", refusal.detail)))?;
    match identity.expires_at <= now {
        true => Err(refuse(Reason::TokenExpired)),
        false => Ok(identity),
    }
}

fn identity(
    config: &ForwardAuthConfig,
    mut claims: Map<String, Value>,
    now: Timestamp,
) -> Result<Identity, Refusal> {
    // A token's own words about itself are not an application's about a session.
    for other in ["iss", "aud", "cnf"] {
        if claims.contains_key(other) {
            return Err(wrong(other));
        }
    }
    let subject = name(&mut claims, "sub")?.ok_or_else(|| missing("sub"))?;
    let longest = now.after(config.lifetime);
    let expires = date(&mut claims, "exp")?;
    // Of two clocks one is always behind.
    let begun = |it: Option<Timestamp>| it.map(|at| at.min(now));
    Ok(Identity {
        issuer: config.url.as_str().into(),
        audience: config.name.as_str().into(),
        qualified: Some(format!("{}:{subject}", config.name).into()),
        subject,
        session: name(&mut claims, "sid")?.map(SessionId::new),
        token_id: name(&mut claims, "jti")?,
        bound_to: None,
        introspected: None,
        issued_at: begun(date(&mut claims, "iat")?),
        authentication: Authentication {
            acr: name(&mut claims, "acr")?,
            amr: methods(claims.remove("amr"))?,
            time: begun(date(&mut claims, "auth_time")?),
        },
        expires_at: expires.map_or(longest, |told| told.min(longest)),
        claims,
    })
}

/// What an identity is asked about again by.
pub(super) fn standing(presented: &Presented, asked: Timestamp) -> Introspected {
    Introspected {
        asked,
        token: Some(presented.text().clone()),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn config() -> ForwardAuthConfig {
        ForwardAuthConfig {
            name: "app".into(),
            url: "https://app.example/whoami".into(),
            selection: Selection::new(&["sid".into()], &[]).unwrap(),
            cache: Duration::ZERO,
            recheck: Duration::from_secs(60),
            timeout: Duration::from_secs(3),
            lifetime: Duration::from_secs(3600),
        }
    }

    fn presented() -> Presented {
        let mut headers = HeaderMap::new();
        headers.insert("cookie", HeaderValue::from_static("sid=a"));
        config().selection.find(&headers).unwrap().unwrap()
    }

    fn answered(status: u16, body: &str) -> Result<Option<Identity>, Reason> {
        let body = body.as_bytes().to_vec();
        let answer = read(&Reply { status, body }, &presented(), NOW);
        let judged = answer.and_then(|answer| match answer {
            Answer::Inactive => Ok(None),
            Answer::Active { claims, .. } => {
                judge(&config(), Arc::unwrap_or_clone(claims), NOW).map(Some)
            }
        });
        judged.map_err(|it| it.reason)
    }

    #[test]
    fn an_answer_is_somebody_nobody_or_none_at_all() {
        let alice = answered(
            200,
            r#"{"sub":"alice","sid":"s","jti":"mine","rooms":["a"]}"#,
        );
        let alice = alice.unwrap().unwrap();
        assert_eq!((&*alice.subject, alice.handle()), ("alice", "app:alice"));
        assert_eq!(alice.session, Some(SessionId::new("s")));
        assert_eq!(alice.token_id, Some(presented().name()));
        assert_eq!(alice.claims["rooms"], json!(["a"]));
        for status in [204, 401] {
            assert!(answered(status, "").unwrap().is_none());
        }
        let long = json!({ "sub": "alice", "pad": "x".repeat(LARGEST) }).to_string();
        for (status, body) in [
            (200, ""),
            (200, "{}"),
            (200, r#"["alice"]"#),
            (200, r#"{"sub":7}"#),
            (200, r#"{"sub":""}"#),
            (200, r#"{"sub":null}"#),
            (200, r#"{"sub":"a","sub":"b"}"#),
            (200, r#"{"sub":"a","exp":"soon"}"#),
            (200, r#"{"sub":"a","sid":1}"#),
            (200, r#"{"sub":"a","iss":"https://id.example"}"#),
            (200, r#"{"sub":"a","aud":"app"}"#),
            (200, r#"{"sub":"a","cnf":{}}"#),
            (200, r#"{"sub":"a"} x"#),
            (200, &long),
            (201, r#"{"sub":"a"}"#),
            (302, ""),
            (403, ""),
            (404, ""),
            (500, r#"{"sub":"a"}"#),
        ] {
            let refused = answered(status, body).err();
            assert_eq!(
                refused,
                Some(Reason::ProviderUnavailable),
                "{status} {body}"
            );
        }
    }

    #[test]
    fn it_lasts_no_longer_than_told_and_no_longer_than_configured() {
        let until = |exp: u64| {
            let body = json!({ "sub": "a", "exp": exp }).to_string();
            answered(200, &body).map(|it| it.unwrap().expires_at)
        };
        assert_eq!(until(1_000_010), Ok(Timestamp::from_secs(1_000_010)));
        assert_eq!(until(9_000_000), Ok(Timestamp::from_secs(1_003_600)));
        assert_eq!(until(1_000_000), Err(Reason::TokenExpired));
        let endless = answered(200, r#"{"sub":"a"}"#).unwrap().unwrap();
        assert_eq!(endless.expires_at, Timestamp::from_secs(1_003_600));
        let ahead = answered(200, r#"{"sub":"a","iat":1000002,"auth_time":1000002}"#);
        let ahead = ahead.unwrap().unwrap();
        assert_eq!(ahead.issued_at, Some(NOW));
        assert_eq!(ahead.authentication.time, Some(NOW));
    }
}
