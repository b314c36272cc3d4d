//! `wardwire.v1`: JSON-RPC 2.0 calls on channels.
//!
//! A message is read into calls, each of which [`calls`] knows by its method. What cannot be answered at once is
//! [`pending`]; what fails is counted by [`errors`].

pub(crate) mod calls;
pub(crate) mod errors;
mod expiry;
mod pending;

use std::{task::Context, time::Instant};

use wardwire_admission::{
    admit::loggable, clock::Timestamp, gate::Gate, lease::LeaseStatus, principal::Principal,
};
use wardwire_hub::{Member, fanout::Fanout, outbox::Outbox};
use wardwire_protocol::{
    channel::ChannelName,
    close::Close,
    message::Message,
    rpc::{
        self, Call, Entry, Incoming, RpcError,
        wire::{ExpiringNotice, RevokedNotice, RevokedNoticeReason, WelcomeNotice},
    },
};

use super::{Rate, Scope, Session};
use calls::Reply;
use errors::{Errors, unreadable};
use expiry::Expiry;
use pending::{Answered, Conclusion, Pending, Place};

/// One socket's conversation.
pub struct Channels {
    member: Member,
    rate: Rate,
    errors: Errors,
    pending: Pending,
    expiry: Expiry,
    /// Whether it is yet to be told whose it is.
    greets: bool,
    /// What it may not follow any more, and why. It was not told of it yet.
    lost: Vec<(ChannelName, RevokedNoticeReason)>,
    /// Bytes of missed publications that may still be answered in this turn.
    room: usize,
    /// Bytes of the message that is being read, not yet spent by its first call.
    length: usize,
}

/// What one read may make us answer in missed publications, give or take one channel's.
const RECOVERY: usize = 512 * 1024;

impl Channels {
    pub(super) fn new(member: Member, rate: Rate, now: Instant, greets: bool) -> Self {
        Self {
            member,
            rate,
            errors: Errors::new(now),
            pending: Pending::default(),
            expiry: Expiry::NEVER,
            greets,
            lost: Vec::new(),
            room: 0,
            length: 0,
        }
    }

    pub(super) fn begins(&self) -> bool {
        self.greets
    }

    /// INVARIANT: the first that a socket is told which asked for it, as its client goes by it before anything else.
    fn greet(&mut self, scope: &mut Scope<'_>) {
        if std::mem::take(&mut self.greets) {
            let handle = self.member.handle().unwrap_or_default().into();
            let notice = rpc::notification("welcome", WelcomeNotice { handle });
            scope.send(&Message::Text(notice.into()));
        }
    }

    pub(super) fn leave(&mut self, fanout: &mut Fanout) {
        self.member.leave(fanout);
        self.pending = Pending::default();
    }

    /// It is told of what it leaves in its next turn.
    pub(super) fn rejudge(
        &mut self,
        fanout: &mut Fanout,
        outbox: &mut Outbox,
        gate: &Gate,
    ) -> usize {
        let uphold = |terms: &_, holder: &_| gate.upholds(terms, holder);
        let lost = self.member.rejudge(fanout, outbox, uphold);
        let count = lost.len();
        self.lose(lost, RevokedNoticeReason::Rights);
        count
    }

    /// When something of what it was granted ends, or it is to be told that its lease does.
    pub(super) fn due(&self) -> Timestamp {
        self.member.granted_until().min(self.expiry.due())
    }

    /// Its lease ends then, as far as is known.
    pub(super) fn lasts_until(&mut self, until: Timestamp, now: Timestamp) {
        self.expiry.lasts_until(until, now);
    }

    /// Leaves what it follows by grants that have ended, and tells of a lease that soon will.
    pub(super) fn expire(&mut self, now: Timestamp, scope: &mut Scope<'_>) {
        self.greet(scope);
        if let Some(until) = self.expiry.notice(now) {
            let expires_at = until.as_secs();
            let notice = rpc::notification("expiring", ExpiringNotice { expires_at });
            scope.send(&Message::Text(notice.into()));
        }
        let lost = self.member.expire(scope.fanout, scope.outbox, now);
        self.lose(lost, RevokedNoticeReason::Expired);
        self.tell_lost(scope);
    }

    /// Stands on what was proved anew, and leaves what that gives no right to.
    fn renew(&mut self, principal: Principal, scope: &mut Scope<'_>) {
        let now = scope.session.server.gate.now();
        if let LeaseStatus::Valid { until } = scope.session.lease.status(now) {
            self.lasts_until(until, now);
        }
        let lost = self.member.renew(scope.fanout, scope.outbox, principal);
        self.lose(lost, RevokedNoticeReason::Rights);
        self.tell_lost(scope);
    }

    fn lose(&mut self, lost: Vec<ChannelName>, reason: RevokedNoticeReason) {
        let member = &self.member;
        self.pending
            .retract(|action, name| member.may(action, name).is_ok());
        self.lost.extend(lost.into_iter().map(|it| (it, reason)));
    }

    fn tell_lost(&mut self, scope: &mut Scope<'_>) {
        for (channel, reason) in std::mem::take(&mut self.lost) {
            let Session { server, trail, .. } = scope.session;
            let word = match reason {
                RevokedNoticeReason::Rights => "rights",
                RevokedNoticeReason::Expired => "expired",
            };
            server
                .audit
                .unsubscribed(trail, word, || loggable(channel.as_str()).to_owned());
            let notice = RevokedNotice {
                channel: channel.as_str().into(),
                reason,
            };
            let notice = rpc::notification("revoked", notice);
            scope.send(&Message::Text(notice.into()));
        }
    }

    /// Reads a message and answers it, or what of it can be answered at once.
    pub(super) fn read(&mut self, text: &str, scope: &mut Scope<'_>) -> Option<Close> {
        self.greet(scope);
        self.tell_lost(scope);
        self.length = text.len();
        self.make_room(scope);
        let answer = match rpc::read(text) {
            Ok(Incoming::One(entry)) => self.entry(entry, None, scope).map(|it| it.text),
            Ok(Incoming::Batch(entries)) => {
                let number = self.pending.number();
                let answers = entries
                    .into_iter()
                    .filter_map(|entry| self.entry(entry, Some(number), scope))
                    .collect();
                self.pending.begin(number, answers)
            }
            Err(why) => {
                let (call, error) = unreadable(why);
                Some(self.fail(call.as_ref(), &error, scope))
            }
        };
        if let Some(answer) = answer {
            scope.send(&Message::Text(answer.into()));
        }
        self.errors.verdict()
    }

    /// Says anew how much may be answered, beside what is not sent yet.
    fn make_room(&mut self, scope: &Scope<'_>) {
        let unsent = scope.out.len().saturating_add(self.pending.held());
        self.room = RECOVERY.saturating_sub(unsent);
    }

    /// Goes on with what waits.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, scope: &mut Scope<'_>) -> Option<Close> {
        self.greet(scope);
        self.tell_lost(scope);
        for (mut place, finish) in self.pending.ready(cx) {
            // Many may have been asked while there was room for one.
            self.make_room(scope);
            let answer = match finish(self, scope) {
                Conclusion::Result(result) => rpc::result(&place.id, result),
                Conclusion::Error(error) => {
                    place.reads = None;
                    rpc::error(Some(&place.id), &error)
                }
                Conclusion::Later(later) => {
                    self.pending.put_off(place, later);
                    scope.waker.wake_by_ref();
                    continue;
                }
                Conclusion::Close(close) => return Some(close),
            };
            let member = &self.member;
            let may = |action, name: &_| member.may(action, name).is_ok();
            if let Some(message) = self.pending.settle(place, answer, may) {
                scope.send(&Message::Text(message.into()));
            }
        }
        self.errors.verdict()
    }

    /// The answer to an element of a message, if it has one and has it at once.
    fn entry(
        &mut self,
        entry: Entry<'_>,
        batch: Option<u32>,
        scope: &mut Scope<'_>,
    ) -> Option<Answered> {
        let call = match entry {
            // No answer, but no free ride either.
            Entry::Ignored => {
                if let Err(error) = self.spend(scope.now) {
                    self.count_error(&error, scope);
                }
                return None;
            }
            Entry::Invalid => return Some(self.fail(None, &RpcError::REQUEST, scope).into()),
            Entry::Call(call) => call,
        };
        match self.call(&call, batch, scope) {
            Ok(answer) => answer,
            Err(error) => Some(self.fail(Some(&call), &error, scope).into()),
        }
    }

    /// Takes a call, and the first of a message its bytes, from what this socket may ask and what its identity may.
    fn spend(&mut self, now: Instant) -> Result<(), RpcError> {
        let taken = self.rate.take(now);
        let spent = taken.and_then(|()| self.member.spend(self.length, now));
        spent.map_err(|wait| RpcError::RATE.after(wait))?;
        self.length = 0;
        Ok(())
    }

    fn call(
        &mut self,
        call: &Call<'_>,
        batch: Option<u32>,
        scope: &mut Scope<'_>,
    ) -> Result<Option<Answered>, RpcError> {
        self.spend(scope.now)?;
        let method = calls::method(&call.method).ok_or(RpcError::METHOD)?;
        if method.waits && self.pending.is_full() {
            return Err(RpcError::RATE);
        }
        let place = || Place {
            method: method.name,
            id: call.id.to_owned(),
            batch,
            reads: method
                .reads
                .and_then(|action| Some((action, calls::channel(call)?))),
        };
        match (method.call)(self, call, scope)? {
            Reply::Now(result) => Ok(Some(Answered {
                text: rpc::result(call.id, result),
                place: batch.map(|_| place()),
            })),
            Reply::Later(later) => {
                self.pending.put_off(place(), later);
                // It is begun in a turn of its own.
                scope.waker.wake_by_ref();
                Ok(None)
            }
        }
    }
}
