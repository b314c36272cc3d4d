//! Calls that fail: answered, counted and written down. Errors in band are patient with mistakes, not with probing.

use std::time::{Duration, Instant};

use wardwire_admission::admit::loggable;
use wardwire_hub::{HubError, content::Violation};
use wardwire_protocol::{
    channel::ChannelName,
    close::{Close, CloseCode},
    rpc::{self, Call, RpcError, Unreadable},
};

use super::{
    Channels,
    calls::{self, ChannelParams},
};
use crate::session::{Scope, Session};

/// How often a socket failed of late.
pub(super) struct Errors {
    count: u32,
    since: Instant,
}

/// More of them [within this time](WITHIN) show intent.
const ERRORS: u32 = 32;
const WITHIN: Duration = Duration::from_secs(60);

impl Errors {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            count: 0,
            since: now,
        }
    }

    fn add(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) > WITHIN {
            *self = Self::new(now);
        }
        self.count = self.count.saturating_add(1);
    }

    /// What to close with, once it was too often.
    pub(super) fn verdict(&self) -> Option<Close> {
        (self.count > ERRORS).then(|| Close::new(CloseCode::POLICY_VIOLATION, "errors"))
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

    /// Writes down that a call failed, and counts it: what a socket may have of them in a minute is bounded.
    pub(super) fn note(
        &mut self,
        error: &RpcError,
        scope: &Scope<'_>,
        about: impl FnOnce() -> Option<String>,
    ) {
        let Session { server, trail, .. } = scope.session;
        server.audit.call_refused(trail, error.word, about);
        self.count_error(scope);
    }

    /// Counts a call that failed and is written down elsewhere, or not at all.
    pub(super) fn count_error(&mut self, scope: &Scope<'_>) {
        self.errors.add(scope.now);
        scope.metrics.errors.add(1);
    }
}

/// What a call that failed was about: the method and the channel, as far as both can be names. What else the call holds is
/// the peer's own text, and may be a message or a token.
pub(crate) fn attempt(call: &Call<'_>) -> Option<String> {
    let method = calls::method(&call.method)?.name;
    let named = calls::params::<ChannelParams>(call).ok();
    let channel = named.and_then(|it| ChannelName::parse(&it.channel).ok());
    Some(match &channel {
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
