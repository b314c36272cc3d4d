//! Taking something back by hand: what an operator asks for, and an application's backend.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Deserializer, de::Error as _};
use wardwire_admission::{admit::Trail, clock::Timestamp, revocation::Revocation};

use crate::{audit::Event, server::Server};

/// By how much a caller's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(3600);

/// Takes back what a JSON object names, and writes it down. Returns how many sockets that ended, when nothing is delivered any
/// more by what was taken back.
///
/// # Errors
/// What is wrong with what it says, for whoever wrote it. Nothing was taken back.
pub(crate) async fn revoke(
    server: &Server,
    asked: &[u8],
    trail: &Trail,
) -> Result<usize, &'static str> {
    let asked: Asked = serde_json::from_slice(asked).map_err(|_| {
        "write {\"issuer\": ..., \"token\" | \"session\" | \"subject\": ..., \"issued_before\": ...}"
    })?;
    if !server.gate.trusts(&asked.issuer) {
        return Err("no such issuer is trusted; write it exactly as its tokens' `iss` does");
    }
    let revocation = asked.revocation(server.gate.now())?;
    let ended = server.gate.revoke(&revocation);
    server
        .audit
        .record(revoked(trail.clone(), &revocation, ended));
    // No lease stands on a grant: whoever follows something by one asks whether it holds.
    if server.gate.rules().issuers.grant() {
        server.rejudge().await;
    }
    Ok(ended)
}

/// `{"issuer", "token" | "session" | "subject", "issued_before"}`: one of the three, or none for the whole issuer.
///
/// A member that is there says something: a `null` or an empty name, as of a script's unset variable, never widens what
/// is taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(deserialize_with = "name")]
    issuer: Box<str>,
    #[serde(default, deserialize_with = "some_name")]
    token: Option<Box<str>>,
    #[serde(default, deserialize_with = "some_name")]
    session: Option<Box<str>>,
    #[serde(default, deserialize_with = "some_name")]
    subject: Option<Box<str>>,
    /// Seconds since 1970; without it, now.
    #[serde(default, deserialize_with = "some_time")]
    issued_before: Option<u64>,
}

fn name<'de, D: Deserializer<'de>>(source: D) -> Result<Box<str>, D::Error> {
    let name = Box::<str>::deserialize(source)?;
    match name.is_empty() {
        true => Err(D::Error::custom("a name is empty")),
        false => Ok(name),
    }
}

fn some_name<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Box<str>>, D::Error> {
    name(source).map(Some)
}

fn some_time<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(source).map(Some)
}

impl Asked {
    fn revocation(self, now: Timestamp) -> Result<Revocation, &'static str> {
        let Self {
            issuer,
            token,
            session,
            subject,
            issued_before,
        } = self;
        let before = issued_before.map_or(now, Timestamp::from_secs);
        // Milliseconds, most likely: nothing that is issued in the next 50,000 years would count.
        if before > now.after(AHEAD) {
            return Err("issued_before lies ahead; it counts seconds since 1970");
        }
        match (token, session, subject) {
            (Some(id), None, None) if issued_before.is_none() => {
                Ok(Revocation::Token { issuer, id })
            }
            (None, Some(id), None) if issued_before.is_none() => {
                Ok(Revocation::Session { issuer, id })
            }
            (None, None, Some(subject)) => Ok(Revocation::Subject {
                issuer,
                subject,
                issued_before: before,
            }),
            (None, None, None) => Ok(Revocation::Issuer {
                issuer,
                issued_before: before,
            }),
            _ => Err(
                "name one of token, session and subject; issued_before goes with the last, or with none",
            ),
        }
    }
}

fn revoked(trail: Trail, revocation: &Revocation, ended: usize) -> Event {
    let mut event = Event::new("revocation");
    event.trail = trail;
    event.outcome.status = Some(StatusCode::OK.as_u16());
    let (issuer, detail) = match revocation {
        Revocation::Token { issuer, id } => (issuer, format!("token {id}")),
        Revocation::Session { issuer, id } => (issuer, format!("session {id}")),
        Revocation::Subject {
            issuer,
            subject,
            issued_before,
        } => {
            event.trail.subject = Some(subject.clone());
            (issuer, issued(*issued_before))
        }
        Revocation::Issuer {
            issuer,
            issued_before,
        } => (issuer, format!("everything {}", issued(*issued_before))),
    };
    event.trail.issuer = Some(issuer.clone());
    event.outcome.detail = Some(detail.into());
    event.outcome.ended = Some(ended);
    event
}

fn issued(before: Timestamp) -> String {
    format!("issued up to {}", before.as_secs())
}
