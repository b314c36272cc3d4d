//! What happens on an admitted socket: frames in, answers and publications out, until the lease or the peer ends it.
//!
//! [`socket`] moves bytes, [`channels`] speaks `wardwire.v1`, [`rate`] bounds how much a peer may ask.

mod channels;
mod rate;
mod socket;

use std::{borrow::Cow, sync::Arc, task::Context, time::Instant};

use wardwire_admission::{
    admit::{Admission, Trail},
    caps::ConnectionSlot,
    clock::Timestamp,
    lease::{Lease, LeaseStatus},
    route::{Route, RouteKind},
};
use wardwire_hub::outbox::Outbox;
use wardwire_protocol::{
    close::{Close, CloseCode},
    connection::Connection,
    message::Message,
};

use crate::{audit::Event, server::Server, tls::Parts};
use channels::Channels;
use rate::Rate;
use socket::Socket;

/// The session of an admitted socket, from its `101` to its end.
pub fn start(server: Arc<Server>, admission: Admission, parts: Parts, trail: Trail) -> Socket {
    let now = Instant::now();
    let Admission {
        principal,
        lease,
        slot,
        route,
        ..
    } = admission;
    let outbox = Arc::new(Outbox::new(server.outbox));
    let rate = Rate::new(route.messages_per_second, now);
    let application = match route.kind {
        RouteKind::Echo => Application::Echo(rate),
        RouteKind::Channels => {
            let member = server.hub.join(principal, outbox.clone());
            Application::Channels(Box::new(Channels::new(member, rate, now)))
        }
    };
    let frames = Connection::server(route.limits.clone(), now);
    let session = Session {
        server,
        lease,
        route,
        trail: Box::new(trail),
        ending: None,
        _slot: slot,
    };
    Socket::new(parts, frames, outbox, application, session)
}

/// What a socket stands on, and what is told when it ends.
struct Session {
    server: Arc<Server>,
    lease: Arc<Lease>,
    /// What a fresh proof has to satisfy too.
    route: Arc<Route>,
    trail: Box<Trail>,
    ending: Option<Ending>,
    _slot: ConnectionSlot,
}

/// How a socket ended, as the audit log is told.
#[derive(Clone, Debug)]
struct Ending {
    code: u16,
    reason: Cow<'static, str>,
}

impl Ending {
    fn of(close: &Close) -> Self {
        Self {
            code: close.code_or_1005(),
            reason: close.reason.clone(),
        }
    }

    /// The connection broke off without a Close (RFC 6455 §7.1.5).
    fn dropped() -> Self {
        Self {
            code: 1006,
            reason: "dropped".into(),
        }
    }
}

impl Session {
    fn now(&self) -> Timestamp {
        self.server.gate.now()
    }

    fn lease_status(&self) -> LeaseStatus {
        self.lease.status(self.now())
    }

    /// The first reason counts: what follows is only how the peer took it.
    fn ending(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let broken = || {
            if std::thread::panicking() {
                Ending {
                    code: 1011,
                    reason: "panic".into(),
                }
            } else {
                Ending::dropped()
            }
        };
        let Ending { code, reason } = self.ending.take().unwrap_or_else(broken);
        self.server.metrics.close(code);
        self.server
            .audit
            .record(Event::close(&self.trail, code, &reason));
    }
}

/// What is spoken on a socket.
enum Application {
    Echo(Rate),
    Channels(Box<Channels>),
}

impl Application {
    /// Takes a message. Returns what to close with, if that ends it.
    fn deliver(
        &mut self,
        message: Message<'_>,
        now: Instant,
        session: &Session,
        frames: &mut Connection,
        out: &mut Vec<u8>,
    ) -> Option<Close> {
        session.server.metrics.messages_in.inc();
        match (self, message) {
            (Self::Echo(rate), message) => {
                if !rate.take(now) {
                    return Some(Close::new(CloseCode::POLICY_VIOLATION, "flood"));
                }
                frames.send(&message, out);
                None
            }
            (Self::Channels(channels), Message::Text(text)) => {
                channels.read(&text, now, session, frames, out)
            }
            (Self::Channels(_), Message::Binary(_)) => {
                Some(Close::new(CloseCode::UNSUPPORTED_DATA, "text-only"))
            }
        }
    }

    /// Goes on with what waits for others. Returns what to close with, if that ends it.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        session: &Session,
        frames: &mut Connection,
        out: &mut Vec<u8>,
    ) -> Option<Close> {
        match self {
            Self::Echo(_) => None,
            Self::Channels(channels) => channels.poll(cx, session, frames, out),
        }
    }

    /// Follows nothing any more: the socket closes.
    fn leave(&mut self) {
        if let Self::Channels(channels) = self {
            channels.leave();
        }
    }
}
