//! What the audit log is told, and how it is written down.

use std::{net::IpAddr, time::SystemTime};

use http::StatusCode;
use serde::Serialize;
use wardwire_admission::{
    admit::Trail, certificate::ClientCertificate, gate::GaveWay, refusal::Refusal,
};

use super::{chain::Hash, drops::Cause, flood::Kind, time};

/// One event. It takes no credential and no message body.
pub struct Event {
    name: &'static str,
    at: SystemTime,
    /// What is known of the request or socket.
    pub trail: Trail,
    /// How it came out.
    pub outcome: Outcome,
}

/// How an event came out.
#[derive(Default)]
pub struct Outcome {
    /// The stage that refused.
    pub stage: Option<&'static str>,
    /// The precise reason.
    pub reason: Option<Box<str>>,
    /// More of it.
    pub detail: Option<Box<str>>,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// The close code of the socket.
    pub code: Option<u16>,
    /// How many sockets it ended.
    pub ended: Option<usize>,
    /// How many events it stands for, or lines.
    pub count: Option<u64>,
    /// The segment of the log that it is about.
    pub(super) segment: Option<Box<str>>,
    /// The first line that is left.
    pub(super) begins: Option<u64>,
    /// The key that signs it.
    pub(super) key: Option<Box<str>>,
}

/// The longest text of a peer that is written down, in bytes.
const TEXT: usize = 256;

impl Event {
    /// An event of this name, now.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            at: SystemTime::now(),
            trail: Trail::default(),
            outcome: Outcome::default(),
        }
    }

    /// The same, about this request or socket.
    #[must_use]
    pub fn about(mut self, trail: &Trail) -> Self {
        self.trail = trail.clone();
        self
    }

    /// Somebody was let in.
    #[must_use]
    pub fn admission(trail: &Trail, status: StatusCode) -> Self {
        let mut event = Self::new("admission").about(trail);
        event.outcome.status = Some(status.as_u16());
        event
    }

    /// Somebody was not let in.
    #[must_use]
    pub fn refusal(trail: &Trail, refusal: &Refusal) -> Self {
        let mut event = Self::new("refusal").about(trail);
        event.outcome = Outcome {
            stage: Some(refusal.stage.as_str()),
            reason: Some(refusal.reason.code().into()),
            detail: (!refusal.detail.is_empty()).then(|| refusal.detail.as_str().into()),
            status: Some(refusal.reason.status().as_u16()),
            ..Outcome::default()
        };
        event
    }

    /// A call on a live socket was refused; `detail` names the channel, never what was to be said there.
    #[must_use]
    pub fn call_refused(trail: &Trail, word: &'static str, detail: Option<String>) -> Self {
        let mut event = Self::new("refusal").about(trail);
        event.outcome.stage = Some("call");
        event.outcome.reason = Some(word.into());
        event.outcome.detail = detail.map(Into::into);
        event
    }

    /// A publication was let through that its channel would refuse if it did more than report; `detail` names the channel,
    /// the rule and the place, never what was said.
    #[must_use]
    pub fn reported(trail: &Trail, word: &'static str, detail: String) -> Self {
        let mut event = Self::new("report").about(trail);
        event.outcome.stage = Some("publish");
        event.outcome.reason = Some(word.into());
        event.outcome.detail = Some(detail.into());
        event
    }

    /// A live socket had to leave a channel, which `detail` names.
    #[must_use]
    pub fn unsubscribed(trail: &Trail, reason: &'static str, channel: String) -> Self {
        let mut event = Self::new("right-lost").about(trail);
        event.outcome.stage = Some("subscribe");
        event.outcome.reason = Some(reason.into());
        event.outcome.detail = Some(channel.into());
        event
    }

    /// A live socket stands on a fresh token.
    #[must_use]
    pub fn refresh(trail: &Trail) -> Self {
        Self::new("refresh").about(trail)
    }

    /// Somebody was handed a ticket for a route.
    #[must_use]
    pub fn ticket(trail: &Trail, route: &str) -> Self {
        let mut event = Self::new("ticket").about(trail);
        event.outcome.detail = Some(route.into());
        event.outcome.status = Some(201);
        event
    }

    /// A session ended to make room for somebody else's.
    #[must_use]
    pub fn eviction(gave_way: &GaveWay) -> Self {
        let mut event = Self::new("eviction");
        event.trail.issuer = Some(gave_way.identity.issuer.clone());
        event.trail.subject = Some(gave_way.identity.subject.clone());
        event.outcome.ended = Some(gave_way.ended);
        event
    }

    /// An operator who showed the token asked for something.
    #[must_use]
    pub fn admin_call(trail: &Trail, method: &str, status: u16) -> Self {
        let mut event = Self::new("admin-call").about(trail);
        event.outcome.detail = Some(method.into());
        event.outcome.status = Some(status);
        event
    }

    /// So many more of a kind than are written one by one.
    pub(super) fn counted(kind: Kind, count: u64) -> Self {
        let mut event = Self::new(kind.counted);
        event.outcome = Outcome {
            stage: kind.stage,
            reason: kind.reason,
            count: Some(count),
            ..Outcome::default()
        };
        event
    }

    /// What kind of event this is and of whom, if a peer can have as many of it as it likes. None for those of which each
    /// is written.
    pub(super) fn flooding(&self) -> Option<(Kind, Option<IpAddr>)> {
        let counted = match self.name {
            "drop" => "drops",
            "refusal" => "refusals",
            "refresh" => "refreshes",
            "report" => "reports",
            "ticket" => "tickets",
            "admin-call" => "admin-calls",
            _ => return None,
        };
        let kind = Kind {
            counted,
            stage: self.outcome.stage,
            reason: self.outcome.reason.clone(),
        };
        Some((kind, self.trail.peer))
    }

    /// A connection was hung up on without an answer.
    #[must_use]
    pub fn dropped(trail: &Trail, cause: Cause) -> Self {
        let mut event = Self::new("drop").about(trail);
        event.outcome.stage = Some("accept");
        event.outcome.reason = Some(cause.as_str().into());
        event
    }

    /// A socket ended.
    #[must_use]
    pub fn close(trail: &Trail, code: u16, reason: &str) -> Self {
        let mut event = Self::new("close").about(trail);
        event.outcome.code = Some(code);
        event.outcome.reason = (!reason.is_empty()).then(|| reason.into());
        event
    }

    /// A socket was shown somebody else's token.
    #[must_use]
    pub fn other_subject(trail: &Trail) -> Self {
        let mut event = Self::new("refusal").about(trail);
        event.outcome.stage = Some("refresh");
        event.outcome.reason = Some("other-subject".into());
        event
    }

    /// Writes the event's line, without its hash.
    pub(super) fn line(&self, seq: u64, prev: &Hash, out: &mut Vec<u8>) {
        let Self {
            name,
            at,
            trail,
            outcome,
        } = self;
        let time = time::write(*at);
        let line = Line {
            seq,
            time: time.as_str(),
            event: name,
            connection: (trail.connection > 0).then_some(trail.connection),
            stream: trail.stream,
            peer: trail.peer,
            balancer: trail.balancer,
            path: cut(&trail.path),
            origin: cut(&trail.origin),
            credential: trail.credential,
            issuer: cut(&trail.issuer),
            subject: cut(&trail.subject),
            trace: cut(&trail.trace),
            certificate: trail.certificate.as_deref().map(Certificate::of),
            stage: outcome.stage,
            reason: cut(&outcome.reason),
            detail: cut(&outcome.detail),
            status: outcome.status,
            code: outcome.code,
            ended: outcome.ended,
            count: outcome.count,
            segment: outcome.segment.as_deref(),
            begins: outcome.begins,
            key: outcome.key.as_deref(),
            prev: prev.as_str(),
        };
        // A struct of texts and numbers always serialises, and memory takes it.
        let _ = serde_json::to_writer(out, &line);
    }
}

/// A line's members in their order. The hash is appended behind `prev`.
#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: &'a str,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    balancer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    begins: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    prev: &'a str,
}

/// Which certificate a client showed. Its texts are its authority's, or, where it was refused, anybody's.
#[derive(Serialize)]
struct Certificate<'a> {
    sha256: String,
    serial: &'a str,
    subject: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    names: &'a [Box<str>],
}

impl<'a> Certificate<'a> {
    fn of(certificate: &'a ClientCertificate) -> Self {
        Self {
            sha256: certificate.thumbprint.to_string(),
            serial: &certificate.serial,
            subject: &certificate.subject,
            names: &certificate.names,
        }
    }
}

fn cut(text: &Option<Box<str>>) -> Option<&str> {
    let text = text.as_deref()?;
    text.get(..text.floor_char_boundary(TEXT))
}
