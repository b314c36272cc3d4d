//! `wardwire.v1`: JSON-RPC 2.0 calls on channels.

use std::{
    borrow::Cow,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wardwire_admission::{
    admit::{Trail, loggable},
    gate::{RefreshError, Renewed},
    principal::Principal,
};
use wardwire_hub::{HubError, Member, Position, fanout::Fanout, outbox::Outbox};
use wardwire_protocol::{
    channel::ChannelName,
    close::{Close, CloseCode},
    json::JsonError,
    message::Message,
    rpc::{self, Call, Entry, Incoming, RpcError, Unreadable},
};

use super::{Rate, Scope, Session};
use crate::audit::Event;

/// One socket's conversation.
pub struct Channels {
    member: Member,
    rate: Rate,
    errors: Errors,
    /// Bytes of missed publications that may still be answered in this turn.
    room: usize,
    refreshing: Option<Refreshing>,
}

/// A refresh under way. One at a time: it may fetch keys.
struct Refreshing {
    id: Box<RawValue>,
    future: Pin<Box<dyn Future<Output = Result<Renewed, RefreshError>> + Send>>,
}

/// Errors in band are patient with mistakes, not with probing.
struct Errors {
    count: u32,
    since: Instant,
}

/// What one read may make us answer in missed publications, give or take one channel's.
const RECOVERY: usize = 512 * 1024;
const ERRORS: u32 = 32;
const ERRORS_WITHIN: Duration = Duration::from_secs(60);

/// What a call comes to.
type Outcome = Result<Box<RawValue>, RpcError>;

#[derive(Deserialize)]
struct ChannelParams {
    channel: String,
}

#[derive(Deserialize)]
struct SubscribeParams {
    channel: String,
    #[serde(default)]
    since: Option<String>,
}

#[derive(Deserialize)]
struct PublishParams<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct RefreshParams {
    token: String,
}

#[derive(Serialize)]
struct Subscribed<'a> {
    channel: &'a str,
    position: String,
    recovered: bool,
    publications: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct Published {
    position: String,
}

#[derive(Serialize)]
struct Refreshed {
    expires_at: u64,
}

#[derive(Serialize)]
struct Empty {}

impl Channels {
    pub(super) fn new(member: Member, rate: Rate, now: Instant) -> Self {
        let errors = Errors {
            count: 0,
            since: now,
        };
        Self {
            member,
            rate,
            errors,
            room: 0,
            refreshing: None,
        }
    }

    pub(super) fn leave(&mut self, fanout: &mut Fanout) {
        self.member.leave(fanout);
        self.refreshing = None;
    }

    pub(super) fn rejudge(&mut self, fanout: &mut Fanout, outbox: &mut Outbox) -> usize {
        self.member.rejudge(fanout, outbox).len()
    }

    /// Reads a message and answers it.
    pub(super) fn read(&mut self, text: &str, scope: &mut Scope<'_>) -> Option<Close> {
        let before = self.errors.count;
        self.room = RECOVERY.saturating_sub(scope.out.len());
        let answer = match rpc::read(text) {
            Ok(Incoming::One(entry)) => self.entry(entry, scope),
            Ok(Incoming::Batch(entries)) => {
                let answers: Vec<String> = entries
                    .into_iter()
                    .filter_map(|entry| self.entry(entry, scope))
                    .collect();
                (!answers.is_empty()).then(|| format!("[{}]", answers.join(",")))
            }
            Err(unreadable) => Some(self.fail(None, reason(unreadable), scope)),
        };
        if let Some(answer) = answer {
            scope.send(&Message::Text(answer.into()));
        }
        let errors = self.errors.count.saturating_sub(before);
        scope.metrics.errors.add(u64::from(errors));
        (self.errors.count > ERRORS).then(|| Close::new(CloseCode::POLICY_VIOLATION, "errors"))
    }

    /// Goes on with a refresh.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, scope: &mut Scope<'_>) -> Option<Close> {
        let refreshing = self.refreshing.as_mut()?;
        let Poll::Ready(outcome) = refreshing.future.as_mut().poll(cx) else {
            return None;
        };
        let Refreshing { id, .. } = self.refreshing.take()?;
        let Session { server, trail, .. } = scope.session;
        let answer = match outcome {
            Ok(Renewed { identity, until }) => {
                let principal = Principal::User(identity);
                let expires_at = until.as_secs();
                self.member.renew(scope.fanout, scope.outbox, principal);
                let by_token = Trail {
                    credential: Some("bearer"),
                    ..Trail::clone(trail)
                };
                server.audit.record(Event::refresh(&by_token));
                rpc::result(&id, Refreshed { expires_at })
            }
            Err(RefreshError::Refused(refusal)) => {
                server.refused(trail, &refusal);
                self.errors.add(scope.now);
                rpc::error(Some(&id), RpcError::TOKEN)
            }
            Err(RefreshError::OtherSubject) => {
                server.audit.record(Event::other_subject(trail));
                return Some(Close::new(CloseCode::FORBIDDEN, "subject"));
            }
        };
        scope.send(&Message::Text(answer.into()));
        None
    }

    fn entry(&mut self, entry: Entry<'_>, scope: &mut Scope<'_>) -> Option<String> {
        let now = scope.now;
        let call = match entry {
            // No answer, but no free ride either.
            Entry::Ignored => {
                if !self.rate.take(now) {
                    self.errors.add(now);
                }
                return None;
            }
            Entry::Invalid => return Some(self.fail(None, RpcError::REQUEST, scope)),
            Entry::Call(call) => call,
        };
        if !self.rate.take(now) {
            return Some(self.fail(Some(&call), RpcError::RATE, scope));
        }
        if call.method == "refresh" {
            return match self.refresh(&call, scope) {
                Ok(()) => None,
                Err(error) => Some(self.fail(Some(&call), error, scope)),
            };
        }
        Some(match self.call(&call, scope) {
            Ok(result) => rpc::result(call.id, result),
            Err(error) => self.fail(Some(&call), error, scope),
        })
    }

    fn call(&mut self, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
        match &*call.method {
            "subscribe" => self.subscribe(call, scope.fanout),
            "unsubscribe" => {
                let ChannelParams { channel } = params(call)?;
                self.member
                    .unsubscribe(scope.fanout, scope.outbox, &name(&channel)?)
                    .map_err(refused)?;
                answer(&Empty {})
            }
            "publish" => {
                let PublishParams { channel, data } = params(call)?;
                let position = self
                    .member
                    .publish(&name(&channel)?, data)
                    .map_err(refused)?;
                scope.metrics.publications.add(1);
                answer(&Published {
                    position: position.to_string(),
                })
            }
            "ping" => answer(&Empty {}),
            _ => Err(RpcError::METHOD),
        }
    }

    fn subscribe(&mut self, call: &Call<'_>, fanout: &mut Fanout) -> Outcome {
        let SubscribeParams { channel, since } = params(call)?;
        let since = match since {
            Some(text) => Some(Position::parse(&text).ok_or(RpcError::PARAMS)?),
            None => None,
        };
        let name = name(&channel)?;
        // Who asks for much at once is told that it cannot be had, and can ask for the rest channel by channel.
        let since = since.filter(|_| self.room > 0);
        let subscribed = self
            .member
            .subscribe(fanout, &name, since)
            .map_err(refused)?;
        let bytes: usize = subscribed.publications.iter().map(|text| text.len()).sum();
        self.room = self.room.saturating_sub(bytes);
        let raw = |text: &Arc<str>| RawValue::from_string(text.to_string()).ok();
        answer(&Subscribed {
            channel: name.as_str(),
            position: subscribed.position.to_string(),
            recovered: subscribed.recovered,
            publications: subscribed.publications.iter().filter_map(raw).collect(),
        })
    }

    fn refresh(&mut self, call: &Call<'_>, scope: &Scope<'_>) -> Result<(), RpcError> {
        let RefreshParams { token } = params(call)?;
        if self.refreshing.is_some() {
            return Err(RpcError::RATE);
        }
        let Session { server, lease, .. } = scope.session;
        let (server, lease) = (server.clone(), lease.clone());
        let future = Box::pin(async move { server.gate.refresh(&lease, &token).await });
        self.refreshing = Some(Refreshing {
            id: call.id.to_owned(),
            future,
        });
        // It is begun in a turn of its own.
        scope.waker.wake_by_ref();
        Ok(())
    }

    /// Answers with an error, and writes it down: what a socket may have of them in a minute is bounded.
    fn fail(&mut self, call: Option<&Call<'_>>, error: RpcError, scope: &Scope<'_>) -> String {
        self.errors.add(scope.now);
        let Session { server, trail, .. } = scope.session;
        let about = || call.and_then(attempt);
        server.audit.call_refused(trail, error.word, about);
        rpc::error(call.map(|call| call.id), error)
    }
}

impl Errors {
    fn add(&mut self, now: Instant) {
        if now.saturating_duration_since(self.since) > ERRORS_WITHIN {
            *self = Self {
                count: 0,
                since: now,
            };
        }
        self.count = self.count.saturating_add(1);
    }
}

/// What a call that failed was about: the method and the channel, as far as both can be names. What else the call holds is
/// the peer's own text, and may be a message or a token.
fn attempt(call: &Call<'_>) -> Option<String> {
    let method = ["subscribe", "unsubscribe", "publish", "refresh"]
        .into_iter()
        .find(|method| *method == call.method)?;
    let named = params::<ChannelParams>(call).ok();
    let channel = named.and_then(|it| ChannelName::parse(&it.channel).ok());
    Some(match &channel {
        Some(channel) => format!("{method} {}", loggable(channel.as_str())),
        None => method.to_owned(),
    })
}

fn params<'a, T: Deserialize<'a>>(call: &Call<'a>) -> Result<T, RpcError> {
    let params = call.params.ok_or(RpcError::PARAMS)?;
    serde_json::from_str(params.get()).map_err(|_| RpcError::PARAMS)
}

fn name(text: &str) -> Result<ChannelName, RpcError> {
    ChannelName::parse(text).map_err(|_| RpcError::CHANNEL)
}

fn answer(value: &impl Serialize) -> Outcome {
    // Structs of texts, numbers and raw JSON always serialise.
    serde_json::value::to_raw_value(value).map_err(|_| RpcError::CONTENT)
}

fn refused(error: HubError) -> RpcError {
    match error {
        HubError::Forbidden => RpcError::FORBIDDEN,
        HubError::Limit => RpcError::LIMIT,
        HubError::Subscription => RpcError::SUBSCRIPTION,
        HubError::Busy => RpcError::RATE,
    }
}

fn reason(unreadable: Unreadable) -> RpcError {
    match unreadable {
        Unreadable::Batch => RpcError::REQUEST,
        Unreadable::Json(JsonError::Syntax(_)) => RpcError::PARSE,
        Unreadable::Json(_) => RpcError::CONTENT,
    }
}
