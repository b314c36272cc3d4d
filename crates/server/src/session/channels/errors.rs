//! Calls that fail: answered, counted and written down. Errors in band are patient with mistakes, not with probing.
//!
//! Who is too fast learns of it a round trip late, and has calls under way until then: so many of them count as one. Further
//! ones do not, so that who goes on all the same is closed.

use std::time::{Duration, Instant};

use wardwire_admission::admit::loggable;
use wardwire_hub::{HubError, content::Violation};
use wardwire_protocol::{
    close::{Close, CloseCode},
    rpc::{self, Call, RpcError, Unreadable},
};

use super::{Channels, calls};
use crate::session::{Scope, Session};

/// How often a socket failed of late.
pub(super) struct Errors {
    count: u32,
    since: Instant,
    burst: Burst,
}

/// Calls that were too fast, and count as one.
struct Burst {
    /// Until then. Further ones count as one anew.
    until: Instant,
    /// How many more of them.
    left: u32,
}

/// More of them [within this time](WITHIN) show intent.
const ERRORS: u32 = 32;
const WITHIN: Duration = Duration::from_secs(60);
/// How many calls a client may have under way when one of them is too fast: as many as may wait, or stand in a batch.
const UNDER_WAY: u32 = 32;
/// What is told to them may take so long to come to their client.
const ROUND_TRIP: Duration = Duration::from_secs(1);

impl Errors {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            count: 0,
            since: now,
            burst: Burst {
                until: now,
                left: 0,
            },
        }
    }

    /// Whether it counts, and not as one with others.
    fn add(&mut self, error: &RpcError, now: Instant) -> bool {
        if error
            .retry_after()
            .is_some_and(|wait| self.burst.add(wait, now))
        {
            return false;
        }
        if now.saturating_duration_since(self.since) > WITHIN {
            self.count = 0;
            self.since = now;
        }
        self.count = self.count.saturating_add(1);
        true
    }

    /// What to close with, once it was too often.
    pub(super) fn verdict(&self) -> Option<Close> {
        (self.count > ERRORS).then(|| Close::new(CloseCode::POLICY_VIOLATION, "errors"))
    }
}

impl Burst {
    /// Whether one that is told to wait so long is one of these. With the first of them they begin.
    fn add(&mut self, wait: Duration, now: Instant) -> bool {
        let until = now + wait.clamp(ROUND_TRIP, WITHIN);
        if now >= self.until {
            let left = UNDER_WAY - 1;
            *self = Self { until, left };
            return false;
        }
        // Who is told of several times to wait, as there are several rates, obeys the shortest.
        self.until = self.until.min(until);
        let is_one = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_one
    }
}

impl Channels {
    /// Answers with an error.
    pub(super) fn fail(
        &mut self,
        call: Option<&Call<'_>>,
        error: &RpcError,
        scope: &Scope<'_>,
    ) -> String {
        self.note(error, scope, || call.and_then(attempt));
        rpc::error(call.map(|call| call.id), error)
    }

    /// Counts that a call failed, and writes down what counts: what a socket may have of that in a minute is bounded.
    pub(super) fn note(
        &mut self,
        error: &RpcError,
        scope: &Scope<'_>,
        about: impl FnOnce() -> Option<String>,
    ) {
        if self.count_error(error, scope) {
            let Session { server, trail, .. } = scope.session;
            server.audit.call_refused(trail, error.word, about);
        }
    }

    /// Counts a call that failed and is written down elsewhere, or not at all. Returns whether it counts by itself.
    pub(super) fn count_error(&mut self, error: &RpcError, scope: &Scope<'_>) -> bool {
        scope.metrics.errors.add(1);
        self.errors.add(error, scope.now)
    }
}

/// What a call that failed was about: the method and the channel, as far as both can be names. What else the call holds is
/// the peer's own text, and may be a message or a token.
pub(crate) fn attempt(call: &Call<'_>) -> Option<String> {
    let method = calls::method(&call.method)?.name;
    Some(match calls::channel(call) {
        Some(channel) => format!("{method} {}", loggable(channel.as_str())),
        None => method.to_owned(),
    })
}

/// What a call that the hub refused is told.
pub(crate) fn refused(error: HubError) -> RpcError {
    match error {
        HubError::Forbidden => RpcError::FORBIDDEN,
        HubError::Limit => RpcError::LIMIT,
        HubError::Subscription => RpcError::SUBSCRIPTION,
        HubError::Busy => RpcError::RATE,
        HubError::Rate(wait) => RpcError::RATE.after(wait),
        HubError::TooLarge => RpcError::TOO_LARGE,
        HubError::Invalid(Violation { pointer, keyword }) => {
            RpcError::INVALID.at(&pointer).by(keyword)
        }
    }
}

/// What a message is told that is not taken, and the call that it would have been, if that is known.
pub(crate) fn unreadable(unreadable: Unreadable<'_>) -> (Option<Call<'_>>, RpcError) {
    match unreadable {
        Unreadable::Batch => (None, RpcError::REQUEST),
        Unreadable::Syntax => (None, RpcError::PARSE),
        Unreadable::Content { error, call } => {
            let told = RpcError::CONTENT.by(error.rule.keyword());
            let place = error.pointer.strip_prefix("/params/data");
            match place.filter(|it| it.is_empty() || it.starts_with('/')) {
                Some(place) => (call, told.at(place)),
                None => (call, told),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(10);

    /// How many of so many calls, one after the other with so much time between them, count.
    fn counted(
        errors: &mut Errors,
        calls: u32,
        at: Instant,
        every: Duration,
        wait: Duration,
    ) -> u32 {
        let error = RpcError::RATE.after(wait);
        let count = (0..calls)
            .filter(|n| errors.add(&error, at + every * *n))
            .count();
        u32::try_from(count).unwrap()
    }

    #[test]
    fn what_was_under_way_counts_as_one_and_what_comes_on_top_counts() {
        let start = Instant::now();
        for wait in [SHORT, LONG] {
            let mut errors = Errors::new(start);
            let spread = Duration::from_millis(10);
            assert_eq!(counted(&mut errors, 32, start, spread, wait), 1);
            assert_eq!(counted(&mut errors, 31, start, spread, wait), 31);
            assert!(errors.verdict().is_none());
            assert_eq!(counted(&mut errors, 1, start, spread, wait), 1);
            assert!(errors.verdict().is_some());
        }
    }

    #[test]
    fn who_waits_as_told_may_come_again_and_who_comes_sooner_may_not() {
        let start = Instant::now();
        for (wait, waits) in [(SHORT, ROUND_TRIP), (LONG, LONG), (WITHIN * 60, WITHIN)] {
            let mut errors = Errors::new(start);
            assert_eq!(counted(&mut errors, 32, start, Duration::ZERO, wait), 1);
            let again = start + waits;
            let early = again - Duration::from_millis(1);
            assert_eq!(counted(&mut errors, 1, early, Duration::ZERO, wait), 1);
            assert_eq!(counted(&mut errors, 32, again, Duration::ZERO, wait), 1);
        }
    }

    #[test]
    fn who_obeys_the_shorter_of_two_times_waits_as_told() {
        let start = Instant::now();
        let mut errors = Errors::new(start);
        assert_eq!(counted(&mut errors, 1, start, Duration::ZERO, LONG), 1);
        assert_eq!(counted(&mut errors, 31, start, Duration::ZERO, SHORT), 0);
        let again = start + ROUND_TRIP;
        assert_eq!(counted(&mut errors, 32, again, Duration::ZERO, SHORT), 1);
    }

    #[test]
    fn who_never_stops_is_closed_however_fast() {
        let start = Instant::now();
        for every in [1, 20, 500, 1500].map(Duration::from_millis) {
            let mut errors = Errors::new(start);
            let minute = u32::try_from(WITHIN.as_millis() / every.as_millis()).unwrap();
            counted(&mut errors, minute, start, every, SHORT);
            assert!(errors.verdict().is_some(), "{every:?}");
        }
    }

    #[test]
    fn other_errors_count_each() {
        let now = Instant::now();
        let mut errors = Errors::new(now);
        assert_eq!(counted(&mut errors, 1, now, Duration::ZERO, LONG), 1);
        assert!((0..31).all(|_| errors.add(&RpcError::FORBIDDEN, now)));
        assert!(errors.verdict().is_none());
        assert!(errors.add(&RpcError::FORBIDDEN, now));
        assert!(errors.verdict().is_some());
    }
}
