//! One admitted socket: keys, frames, an application, and no buffer while it is idle.
//!
//! Each turn it judges its lease, reads what has come into the shard's buffers, answers, takes what publications brought,
//! and sends all of it in one write. Reading stops while the peer does not take what was written, so that what a socket
//! can make the server hold is bounded by one turn and its outbox.

use std::{
    io,
    task::{Context, Waker},
    time::Instant,
};

use wardwire_admission::{
    lease::{EndReason, LeaseStatus},
    principal::Principal,
};
use wardwire_hub::{
    fanout::{Fanout, Part, SocketKey},
    outbox::{Outbox, Pace},
};
use wardwire_protocol::{
    close::{Close, CloseCode},
    connection::{Action, Connection, Liveness},
    deflate::Inflater,
};

use super::{
    Turn,
    lingering::Lingering,
    link::{Buffers, Came, Line, Link, Transport},
    readiness::Cue,
    sockets::Noted,
};
use crate::{
    http2::Stream,
    session::{Application, Ending, Scope, Session},
    tls::Parts,
};

/// A socket on its way from the `101` to a shard.
pub struct Arrival {
    /// What it stands on.
    pub session: Session,
    /// Whose it is.
    pub principal: Principal,
    /// What carries it.
    pub carrier: Carrier,
}

/// What carries a socket.
#[allow(
    clippy::large_enum_variant,
    reason = "an arrival is boxed as a whole, and most are the large ones"
)]
pub enum Carrier {
    /// A connection of its own.
    Tcp(Parts),
    /// A stream of an HTTP/2 connection.
    Stream(Box<Stream>),
}

/// An upgraded connection, driven until it ends.
pub(super) struct Socket<T = Line> {
    link: Link<T>,
    frames: Connection,
    outbox: Outbox,
    application: Application,
    session: Session,
    waker: Waker,
    /// Something that it waits for has come.
    woken: bool,
    /// No more is read; what is written is sent if the kernel takes it.
    ended: Option<Departure>,
}

/// How a connection is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    /// Both have said Close: it [lingers](super::lingering).
    InOrder,
    /// The peer is gone, or has had its time.
    Now,
}

/// What a turn came to.
pub(super) enum Outcome {
    /// It waits; something may be due then.
    Rest(Instant),
    /// There is more to do at once.
    Again,
    /// There is more to send, which its peer would take at once.
    Sending,
    /// It was closed in order, and [`Socket::linger`]s.
    Closed,
    Ended,
}

/// Bytes taken from the outbox in one turn, at least a frame: few records, as those that a slow peer does not take are a copy
/// of its own.
const DRAIN: usize = 16 * 1024;

impl<T: Transport> Socket<T> {
    pub(super) fn new(
        link: Link<T>,
        session: Session,
        principal: Principal,
        (key, waker): (SocketKey, Waker),
        now: Instant,
    ) -> Self {
        session.lease.register(&waker);
        let application = Application::new(&session, principal, key, now);
        Self {
            link,
            frames: Connection::server(session.route.limits.clone(), now)
                .deflating(session.encoding),
            outbox: Outbox::default(),
            woken: application.begins(),
            application,
            session,
            waker,
            ended: None,
        }
    }

    /// It can be read or written.
    pub(super) fn ready(&mut self, cue: Cue) {
        self.link.ready(cue);
    }

    /// Something that it waits for has come.
    pub(super) fn woken(&mut self) {
        self.woken = true;
        self.link.woken();
    }

    /// Follows nothing any more.
    pub(super) fn leave(&mut self, fanout: &mut Fanout) {
        self.application.leave(fanout);
    }

    /// Leaves what it may not follow by the rules that hold now. Returns how many channels that were.
    pub(super) fn rejudge(&mut self, fanout: &mut Fanout) -> usize {
        let gate = &self.session.server.gate;
        self.application.rejudge(fanout, &mut self.outbox, gate)
    }

    /// Its turn ended in a panic.
    pub(super) fn panicked(&mut self) {
        self.session.ending(Ending::panicked());
    }

    /// Keeps what a batch brings it, to be sent in its turn.
    pub(super) fn note(&mut self, part: Part<'_>) {
        if !self.frames.is_closing() {
            let pace = match self.link.is_blocked() {
                true => Pace::Behind(self.session.outbox),
                false => Pace::Quick,
            };
            self.outbox.add(part, pace);
        }
    }

    /// Does what is to be done, with the batch at this place among it.
    pub(super) fn turn(&mut self, noted: Noted, turn: &mut Turn<'_>) -> Outcome {
        turn.buffers.clear();
        if self.round(noted, turn).is_err() {
            return Outcome::Ended;
        }
        match self.ended {
            None if !self.outbox.is_empty() && !self.link.is_blocked() => Outcome::Sending,
            None if self.link.is_readable() => Outcome::Again,
            None => Outcome::Rest(self.due(turn)),
            Some(Departure::InOrder) => Outcome::Closed,
            Some(Departure::Now) => Outcome::Ended,
        }
    }

    fn round(&mut self, noted: Noted, turn: &mut Turn<'_>) -> io::Result<()> {
        self.link.send_rest()?;
        self.judge(turn);
        let noted = self.expire(noted, turn);
        if turn.now >= self.frames.deadline() {
            self.tick(turn);
        }
        if let Noted::Batch(place) = noted
            && self.bring(place, turn)?
        {
            return Ok(());
        }
        if std::mem::take(&mut self.woken) {
            self.go_on(turn);
        }
        if self.ended.is_none() && self.link.is_readable() {
            self.read(turn)?;
        }
        if !self.frames.is_closing() && !self.link.is_blocked() {
            self.outbox.drain(&mut turn.buffers.frames, DRAIN);
        }
        self.send(turn)
    }

    /// Takes a batch. True if that was all there is to do: then it went straight from the batch into one record.
    fn bring(&mut self, place: usize, turn: &mut Turn<'_>) -> io::Result<bool> {
        let Some(batch) = turn.fanout.batches().get(place) else {
            return Ok(false);
        };
        let frames = batch.as_bytes();
        let alone = self.outbox.is_empty()
            && !self.link.is_blocked()
            && !self.link.is_readable()
            && !self.woken
            && !self.frames.is_closing()
            && turn.buffers.frames.is_empty()
            && frames.len() <= DRAIN;
        if !alone {
            self.note(batch.whole());
            return Ok(false);
        }
        let metrics = &turn.handle.metrics;
        metrics.bytes_out.add(frames.len() as u64);
        self.link.seal(frames, &mut turn.buffers.cipher)?;
        self.link.send(&turn.buffers.cipher, metrics)?;
        Ok(true)
    }

    /// A socket lives no longer than what it was admitted on.
    fn judge(&mut self, turn: &mut Turn<'_>) {
        if self.frames.is_closing() {
            return;
        }
        let close = match self.session.lease.status(turn.wall) {
            LeaseStatus::Valid { .. } if self.outbox.overflowed() => {
                Close::new(CloseCode::TRY_AGAIN_LATER, "slow")
            }
            // By other rules it may end sooner or later than it did.
            LeaseStatus::Valid { until } => return self.application.lasts_until(until, turn.wall),
            LeaseStatus::Expired => Close::new(CloseCode::UNAUTHORIZED, "expired"),
            LeaseStatus::Ended(EndReason::Revoked) => {
                Close::new(CloseCode::UNAUTHORIZED, "revoked")
            }
            LeaseStatus::Ended(EndReason::LoggedOut) => {
                Close::new(CloseCode::UNAUTHORIZED, "logged-out")
            }
            LeaseStatus::Ended(EndReason::Forbidden) => {
                Close::new(CloseCode::FORBIDDEN, "forbidden")
            }
            LeaseStatus::Ended(EndReason::Restart) => {
                Close::new(CloseCode::SERVICE_RESTART, "restart")
            }
        };
        self.close(&close, turn);
    }

    /// Nor does it follow a channel for longer than that was granted, and it is told in time when it ends. Returns what is still
    /// noted for it.
    fn expire(&mut self, noted: Noted, turn: &mut Turn<'_>) -> Noted {
        if self.application.due() > turn.wall || self.frames.is_closing() {
            return noted;
        }
        // What came through such a channel meanwhile is taken back from the outbox, and so goes there.
        if let Noted::Batch(place) = noted
            && let Some(batch) = turn.fanout.batches().get(place)
        {
            self.note(batch.whole());
        }
        let wall = turn.wall;
        let (application, mut scope) = self.scope(turn);
        application.expire(wall, &mut scope);
        Noted::Outbox
    }

    fn close(&mut self, close: &Close, turn: &mut Turn<'_>) {
        self.frames.close(close, turn.now, &mut turn.buffers.frames);
        self.closing(close, turn.fanout);
    }

    /// Our Close is written: nothing else is from now on, and the peer's answer has its time.
    fn closing(&mut self, close: &Close, fanout: &mut Fanout) {
        self.session.ending(Ending::of(close));
        self.outbox.clear();
        self.application.leave(fanout);
    }

    fn end(&mut self, ending: Ending, departure: Departure, fanout: &mut Fanout) {
        self.session.ending(ending);
        self.outbox.clear();
        self.application.leave(fanout);
        self.ended = Some(departure);
    }

    /// What waits for others goes on.
    fn go_on(&mut self, turn: &mut Turn<'_>) {
        if self.frames.is_closing() {
            return;
        }
        let waker = self.waker.clone();
        let (application, mut scope) = self.scope(turn);
        if let Some(close) = application.poll(&mut Context::from_waker(&waker), &mut scope) {
            self.close(&close, turn);
        }
    }

    fn scope<'a>(&'a mut self, turn: &'a mut Turn<'_>) -> (&'a mut Application, Scope<'a>) {
        let scope = Scope {
            now: turn.now,
            session: &self.session,
            waker: &self.waker,
            fanout: turn.fanout,
            metrics: &turn.handle.metrics,
            outbox: &mut self.outbox,
            frames: &mut self.frames,
            deflater: &mut turn.buffers.deflater,
            out: &mut turn.buffers.frames,
        };
        (&mut self.application, scope)
    }

    fn tick(&mut self, turn: &mut Turn<'_>) {
        let was_open = !self.frames.is_closing();
        match self.frames.tick(turn.now, &mut turn.buffers.frames) {
            Liveness::Gone(close) => self.end(Ending::of(&close), Departure::Now, turn.fanout),
            // A tick closes only a peer that sends its message too slowly.
            Liveness::Alive if was_open && self.frames.is_closing() => {
                let slow = Close::new(CloseCode::POLICY_VIOLATION, "slow-message");
                self.closing(&slow, turn.fanout);
            }
            Liveness::Alive => {}
        }
    }

    /// Reads once and answers.
    fn read(&mut self, turn: &mut Turn<'_>) -> io::Result<()> {
        let came = self.link.read(turn.buffers)?;
        if came == Came::Something {
            self.answer(turn);
        }
        if came == Came::End || self.link.peer_closed() {
            self.end(Ending::dropped(), Departure::Now, turn.fanout);
        }
        Ok(())
    }

    fn answer(&mut self, turn: &mut Turn<'_>) {
        // Taken out and put back, as what answers it writes into the other buffers.
        let mut plain = std::mem::take(&mut turn.buffers.plain);
        let mut inflater = std::mem::take(&mut turn.buffers.inflater);
        self.answer_all(&mut plain, &mut inflater, turn);
        plain.clear();
        turn.buffers.plain = plain;
        turn.buffers.inflater = inflater;
    }

    fn answer_all(&mut self, plain: &mut [u8], inflater: &mut Inflater, turn: &mut Turn<'_>) {
        let mut at = 0;
        while let Some(rest) = plain.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let step = self
                .frames
                .receive(rest, turn.now, inflater, &mut turn.buffers.frames);
            at += step.consumed;
            match step.action {
                Action::More => {}
                Action::Deliver(message) => {
                    let (application, mut scope) = self.scope(turn);
                    if let Some(close) = application.deliver(message, &mut scope) {
                        self.close(&close, turn);
                    }
                }
                Action::Closing(close) => self.closing(&close, turn.fanout),
                Action::Closed(close) => {
                    return self.end(Ending::of(&close), Departure::InOrder, turn.fanout);
                }
            }
        }
    }

    /// Sends what this turn has written.
    fn send(&mut self, turn: &mut Turn<'_>) -> io::Result<()> {
        let metrics = &turn.handle.metrics;
        let Buffers { frames, cipher, .. } = &mut *turn.buffers;
        metrics.bytes_out.add(frames.len() as u64);
        self.link.seal(frames, cipher)?;
        if self.ended.is_some() {
            self.link.seal_end(cipher)?;
        }
        self.link.send(cipher, metrics)
    }

    /// When something may be due, however little happens until then.
    fn due(&self, turn: &Turn<'_>) -> Instant {
        let due = self.frames.deadline();
        match self.session.lease.status(turn.wall) {
            LeaseStatus::Valid { until } if !self.frames.is_closing() => {
                let until = until.min(self.application.due());
                due.min(turn.now + turn.wall.until(until))
            }
            _ => due,
        }
    }

    /// Waits for the peer to hang up too. None if it did.
    pub(super) fn linger(self, now: Instant) -> Option<Lingering<T>> {
        let (transport, unsent) = self.link.into_parts();
        Lingering::new(transport, unsent, self.session.into_slot(), now)
    }
}
