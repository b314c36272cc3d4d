//! What is spoken on an admitted socket, and what it stands on, until the lease or the peer ends it.
//!
//! [`channels`] speaks `wardwire.v1`, [`rate`] bounds how much a peer may ask. The [`shard`](crate::shard) moves the bytes.

pub(crate) mod channels;
mod rate;

use std::{
    borrow::Cow,
    sync::Arc,
    task::{Context, Waker},
    time::Instant,
};

use wardwire_admission::{
    admit::{Admission, Trail},
    caps::ConnectionSlot,
    clock::Timestamp,
    gate::Gate,
    lease::Lease,
    principal::Principal,
    route::{Route, RouteKind, WARDWIRE_SESSION},
};
use wardwire_hub::{
    fanout::{Fanout, SocketKey},
    outbox::Outbox,
};
use wardwire_protocol::{
    close::{Close, CloseCode},
    connection::Connection,
    deflate::{Deflater, Encoding},
    message::Message,
};

use crate::{audit::Event, metrics::ShardMetrics, server::Server};
use channels::Channels;
use rate::Rate;

/// What a socket stands on, and what is told when it ends.
pub struct Session {
    /// What all share.
    pub server: Arc<Server>,
    /// For how long.
    pub lease: Arc<Lease>,
    /// As it was when the socket came.
    pub route: Arc<Route>,
    /// How messages to the client are deflated, if both ends agreed on that.
    pub encoding: Option<Encoding>,
    /// Bytes queued for it when its peer is slow.
    pub outbox: usize,
    /// Whether it came by its cookie alone, and is to be told whose it is.
    greeted: bool,
    trail: Box<Trail>,
    ending: Option<Ending>,
    slot: Option<ConnectionSlot>,
}

/// How a socket ended, as the audit log is told.
#[derive(Clone, Debug)]
pub struct Ending {
    code: u16,
    reason: Cow<'static, str>,
}

impl Ending {
    /// As a Close said, ours or the peer's.
    #[must_use]
    pub fn of(close: &Close) -> Self {
        Self {
            code: close.code_or_1005(),
            reason: close.reason.clone(),
        }
    }

    /// The connection broke off without a Close (RFC 6455 §7.1.5).
    #[must_use]
    pub fn dropped() -> Self {
        Self {
            code: 1006,
            reason: "dropped".into(),
        }
    }

    /// A fault of ours.
    #[must_use]
    pub fn panicked() -> Self {
        Self {
            code: 1011,
            reason: "panic".into(),
        }
    }
}

impl Session {
    /// The session of a socket that was admitted, and whose it is.
    #[must_use]
    pub fn new(server: Arc<Server>, admission: Admission, trail: Trail) -> (Self, Principal) {
        let encoding = admission.encoding();
        let greeted = admission.offer.offers(WARDWIRE_SESSION);
        let Admission {
            principal,
            lease,
            slot,
            route,
            ..
        } = admission;
        let outbox = server.terms().outbox;
        let session = Self {
            server,
            lease,
            route,
            encoding,
            outbox,
            greeted,
            trail: Box::new(trail),
            ending: None,
            slot: Some(slot),
        };
        (session, principal)
    }

    /// The first reason counts: what follows is only how the peer took it.
    pub fn ending(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }

    /// It never began.
    pub fn failed(mut self, why: &'static str) {
        self.ending(Ending {
            code: 1006,
            reason: why.into(),
        });
    }

    /// Ends it, but for its place among the connections.
    #[must_use]
    pub fn into_slot(mut self) -> Option<ConnectionSlot> {
        self.slot.take()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Ending { code, reason } = self.ending.take().unwrap_or_else(Ending::dropped);
        self.server.metrics.close(code);
        self.server
            .audit
            .record(Event::close(&self.trail, code, &reason));
    }
}

/// What an application may touch while it answers.
pub struct Scope<'a> {
    /// The time of the turn.
    pub now: Instant,
    /// What the socket stands on.
    pub session: &'a Session,
    /// Gives it a turn.
    pub waker: &'a Waker,
    /// Its shard's side of the hub.
    pub fanout: &'a mut Fanout,
    /// What its shard counts.
    pub metrics: &'a ShardMetrics,
    /// What it was not sent yet.
    pub outbox: &'a mut Outbox,
    /// Makes frames.
    pub frames: &'a mut Connection,
    /// Makes them shorter.
    pub deflater: &'a mut Deflater,
    /// Takes them.
    pub out: &'a mut Vec<u8>,
}

impl Scope<'_> {
    fn send(&mut self, message: &Message<'_>) {
        self.frames.send(message, self.deflater, self.out);
    }
}

/// What is spoken on a socket.
pub enum Application {
    /// Every message comes back.
    Echo(Rate),
    /// `wardwire.v1`.
    Channels(Box<Channels>),
}

impl Application {
    /// As the route says.
    #[must_use]
    pub fn new(session: &Session, principal: Principal, key: SocketKey, now: Instant) -> Self {
        let rate = Rate::new(session.route.messages_per_second, now);
        match session.route.kind {
            RouteKind::Echo => Self::Echo(rate),
            RouteKind::Channels => {
                let member = session.server.hub.join(principal, key, session.encoding);
                let member = member.from_address(session.trail.peer);
                let channels = Channels::new(member, rate, now, session.greeted);
                Self::Channels(Box::new(channels))
            }
        }
    }

    /// Whether it has something to say before it is asked.
    #[must_use]
    pub fn begins(&self) -> bool {
        match self {
            Self::Echo(_) => false,
            Self::Channels(channels) => channels.begins(),
        }
    }

    /// Takes a message. Returns what to close with, if that ends it.
    pub fn deliver(&mut self, message: Message<'_>, scope: &mut Scope<'_>) -> Option<Close> {
        scope.metrics.messages_in.add(1);
        #[cfg(test)]
        fault(&message);
        match (self, message) {
            (Self::Echo(rate), message) => {
                if rate.take(scope.now).is_err() {
                    return Some(Close::new(CloseCode::POLICY_VIOLATION, "flood"));
                }
                scope.send(&message);
                None
            }
            (Self::Channels(channels), Message::Text(text)) => channels.read(&text, scope),
            (Self::Channels(_), Message::Binary(_)) => {
                Some(Close::new(CloseCode::UNSUPPORTED_DATA, "text-only"))
            }
        }
    }

    /// Goes on with what waits for others. Returns what to close with, if that ends it.
    pub fn poll(&mut self, cx: &mut Context<'_>, scope: &mut Scope<'_>) -> Option<Close> {
        match self {
            Self::Echo(_) => None,
            Self::Channels(channels) => channels.poll(cx, scope),
        }
    }

    /// Judges by the rules that hold now what it follows, and leaves what it may not. Returns how many channels that were.
    pub fn rejudge(&mut self, fanout: &mut Fanout, outbox: &mut Outbox, gate: &Gate) -> usize {
        match self {
            Self::Echo(_) => 0,
            Self::Channels(channels) => channels.rejudge(fanout, outbox, gate),
        }
    }

    /// What it stands on ends then, as far as is known.
    pub fn lasts_until(&mut self, until: Timestamp, now: Timestamp) {
        if let Self::Channels(channels) = self {
            channels.lasts_until(until, now);
        }
    }

    /// When something that it may do ends by itself, beside its lease, or is to be told of the lease's end.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        match self {
            Self::Echo(_) => Timestamp::NEVER,
            Self::Channels(channels) => channels.due(),
        }
    }

    /// Does no longer what has ended by now, and tells what soon will.
    pub fn expire(&mut self, now: Timestamp, scope: &mut Scope<'_>) {
        if let Self::Channels(channels) = self {
            channels.expire(now, scope);
        }
    }

    /// Follows nothing any more: the socket closes.
    pub fn leave(&mut self, fanout: &mut Fanout) {
        if let Self::Channels(channels) = self {
            channels.leave(fanout);
        }
    }
}

/// A fault of ours, as tests need one: the program has none that can be had on demand.
#[cfg(test)]
pub(crate) const PANIC: &str = "a fault in a socket's turn";

#[cfg(test)]
fn fault(message: &Message<'_>) {
    assert!(*message != Message::Text(PANIC.into()), "{PANIC}");
}
