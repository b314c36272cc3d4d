//! What the audit log is told, and how it is written down.

use std::{
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use wardwire_admission::{admit::Trail, refusal::Refusal};

use super::{chain::Hash, flood::Kind};

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
    /// How many refusals it stands for.
    pub count: Option<u64>,
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
    pub fn admission(trail: &Trail) -> Self {
        let mut event = Self::new("admission").about(trail);
        event.outcome.status = Some(101);
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

    /// So many more of a kind were refused than are written one by one.
    pub(super) fn refusals((stage, reason): Kind, count: u64) -> Self {
        let mut event = Self::new("refusals");
        event.outcome = Outcome {
            stage: Some(stage),
            reason: Some(reason),
            count: Some(count),
            ..Outcome::default()
        };
        event
    }

    /// What kind of refusal this is, and of whom. None if it is none.
    pub(super) fn refused(&self) -> Option<(Kind, Option<IpAddr>)> {
        let Outcome { stage, reason, .. } = &self.outcome;
        let kind = (
            stage.unwrap_or_default(),
            reason.clone().unwrap_or_default(),
        );
        (self.name == "refusal").then_some((kind, self.trail.peer))
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
        let time = rfc3339(*at);
        let line = Line {
            seq,
            time: time.as_str(),
            event: name,
            connection: (trail.connection > 0).then_some(trail.connection),
            peer: trail.peer,
            path: cut(&trail.path),
            origin: cut(&trail.origin),
            issuer: cut(&trail.issuer),
            subject: cut(&trail.subject),
            trace: cut(&trail.trace),
            stage: outcome.stage,
            reason: cut(&outcome.reason),
            detail: cut(&outcome.detail),
            status: outcome.status,
            code: outcome.code,
            ended: outcome.ended,
            count: outcome.count,
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
    peer: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
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
    prev: &'a str,
}

fn cut(text: &Option<Box<str>>) -> Option<&str> {
    let text = text.as_deref()?;
    text.get(..text.floor_char_boundary(TEXT))
}

/// `2026-01-31T23:59:59.999Z` (RFC 3339 §5.6).
struct Time([u8; 24]);

impl Time {
    fn as_str(&self) -> &str {
        // Its characters are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn rfc3339(at: SystemTime) -> Time {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    for (end, value) in [
        (4, year),
        (7, month),
        (10, day),
        (13, second / 3600),
        (16, second / 60 % 60),
        (19, second % 60),
        (23, since.subsec_millis().into()),
    ] {
        digits(text.get_mut(..end).unwrap_or_default(), value);
    }
    Time(text)
}

/// Puts a number's decimal digits over the zeros at the end of a text.
fn digits(text: &mut [u8], mut value: u64) {
    for place in text.iter_mut().rev().take_while(|it| it.is_ascii_digit()) {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// The Gregorian date of a day since 1970: eras of 400 years that begin on 1 March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339_says() {
        let at = |seconds: u64| {
            let time = rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
            time.as_str().to_owned()
        };
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.000Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.000Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.000Z");
    }
}
