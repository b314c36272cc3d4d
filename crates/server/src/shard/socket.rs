//! One admitted socket: keys, frames, an application, and no buffer while it is idle.
//!
//! Each turn it judges its lease, reads what has come into the shard's buffers, answers, takes what publications brought,
//! and sends all of it in one write. Reading stops while the peer does not take what was written, so that what a socket
//! can make the server hold is bounded by one turn and its outbox.

use std::{
    io::{self, Read as _, Write as _},
    net::Shutdown,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use mio::net::TcpStream;
use wardwire_admission::{
    caps::ConnectionSlot,
    lease::{EndReason, LeaseStatus},
    principal::Principal,
};
use wardwire_hub::{
    fanout::{Batch, Fanout, SocketKey},
    outbox::Outbox,
};
use wardwire_protocol::{
    close::{Close, CloseCode},
    connection::{Action, Connection, Liveness},
};

use super::{Turn, readiness::Cue, sockets::Noted};
use crate::{
    session::{Application, Ending, Scope, Session},
    tls::{Parts, Records},
};

/// A socket on its way from the `101` to a shard.
pub struct Arrival {
    /// What it stands on.
    pub session: Session,
    /// Whose it is.
    pub principal: Principal,
    /// Its connection.
    pub parts: Parts,
}

/// An upgraded connection, driven until it ends.
pub(super) struct Socket {
    tcp: TcpStream,
    records: Records,
    frames: Connection,
    outbox: Outbox,
    application: Application,
    session: Session,
    waker: Waker,
    held: Option<Box<Held>>,
    cue: Cues,
}

/// What an idle socket does not have.
#[derive(Default)]
struct Held {
    /// The start of a record of which the end has not come.
    cut: Vec<u8>,
    /// Encrypted bytes the kernel has not taken.
    unsent: Vec<u8>,
}

/// What is there to be done.
#[derive(Default)]
struct Cues {
    readable: bool,
    /// The peer has said its last: what is read until then may come short.
    last: bool,
    writable: bool,
    woken: bool,
    /// No more is read; what is written is sent if the kernel takes it.
    ended: Option<Departure>,
}

/// How a connection is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Departure {
    /// Both have said Close: what the peer still sends is read and dropped, so that a reset does not overtake our Close.
    Lingering,
    /// The peer is gone, or has had its time.
    Now,
}

/// Buffers that belong to the shard, not to a socket. Empty between turns.
pub(super) struct Buffers {
    incoming: Vec<u8>,
    plain: Vec<u8>,
    frames: Vec<u8>,
    cipher: Vec<u8>,
}

/// What a turn came to.
pub(super) enum Outcome {
    /// It waits; something may be due then.
    Rest(Instant),
    /// There is more to do at once.
    Again,
    /// It was closed in order, and [`Socket::linger`]s.
    Closed,
    Ended,
}

/// A connection that was closed in order, until the peer hangs up too.
pub(super) struct Lingering {
    tcp: TcpStream,
    _slot: Option<ConnectionSlot>,
    until: Instant,
    left: usize,
}

/// Room for one read behind a record cut short: a message of 64 KiB comes in one.
const INCOMING: usize = 128 * 1024;
/// Bytes taken from the outbox in one turn.
const DRAIN: usize = 128 * 1024;
/// A buffer that grew beyond this for one message is let go.
const KEEP: usize = 512 * 1024;
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            incoming: vec![0; INCOMING],
            plain: Vec::new(),
            frames: Vec::new(),
            cipher: Vec::new(),
        }
    }

    fn clear(&mut self) {
        for buffer in [&mut self.plain, &mut self.frames, &mut self.cipher] {
            buffer.clear();
            buffer.shrink_to(KEEP);
        }
    }
}

impl Socket {
    pub(super) fn new(arrival: Arrival, key: SocketKey, waker: Waker, now: Instant) -> Self {
        let Arrival {
            session,
            principal,
            parts,
        } = arrival;
        let Parts {
            tcp,
            records,
            cut,
            plain: _,
            unsent,
        } = parts;
        session.lease.register(&waker);
        let held = Held { cut, unsent };
        Self {
            tcp: TcpStream::from_std(tcp),
            records,
            frames: Connection::server(session.route.limits.clone(), now),
            outbox: Outbox::default(),
            application: Application::new(&session, principal, key, now),
            session,
            waker,
            held: (!held.is_empty()).then(|| Box::new(held)),
            cue: Cues::default(),
        }
    }

    pub(super) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// It can be read or written.
    pub(super) fn ready(&mut self, cue: Cue) {
        self.cue.readable |= cue.readable;
        self.cue.last |= cue.ended;
        self.cue.writable |= cue.writable;
    }

    /// Something that it waits for has come.
    pub(super) fn woken(&mut self) {
        self.cue.woken = true;
    }

    /// Follows nothing any more.
    pub(super) fn leave(&mut self, fanout: &mut Fanout) {
        self.application.leave(fanout);
    }

    /// Its turn ended in a panic.
    pub(super) fn panicked(&mut self) {
        self.session.ending(Ending::panicked());
    }

    /// Whether what it was sent has not been taken yet.
    pub(super) fn is_blocked(&self) -> bool {
        self.held
            .as_ref()
            .is_some_and(|held| !held.unsent.is_empty())
    }

    /// Keeps what a batch brings after this offset, to be sent in its turn.
    pub(super) fn note(&mut self, batch: &Batch, after: u64) {
        if !self.frames.is_closing() {
            // Who keeps up is bounded by what a turn brings.
            let budget = match self.is_blocked() {
                true => self.session.server.outbox,
                false => usize::MAX,
            };
            self.outbox.add(batch, after, budget);
        }
    }

    /// Does what is to be done, with the batch at this place among it.
    pub(super) fn turn(&mut self, noted: Noted, turn: &mut Turn<'_>) -> Outcome {
        turn.buffers.clear();
        let more = match self.round(noted, turn) {
            Ok(more) => more,
            Err(_) => return Outcome::Ended,
        };
        match self.cue.ended {
            None if more => Outcome::Again,
            None => Outcome::Rest(self.due(turn)),
            Some(Departure::Lingering) => Outcome::Closed,
            Some(Departure::Now) => Outcome::Ended,
        }
    }

    fn round(&mut self, noted: Noted, turn: &mut Turn<'_>) -> io::Result<bool> {
        let now = turn.now;
        if std::mem::take(&mut self.cue.writable) && self.is_blocked() {
            self.send_rest()?;
        }
        self.judge(turn);
        if now >= self.frames.deadline() {
            self.tick(turn);
        }
        if let Noted::Batch(place) = noted
            && self.bring(place, turn)?
        {
            return Ok(false);
        }
        if std::mem::take(&mut self.cue.woken) {
            self.go_on(turn);
        }
        if self.cue.readable && !self.is_blocked() && self.cue.ended.is_none() {
            self.read(turn)?;
        }
        if !self.is_blocked() && self.cue.ended.is_none() && !self.frames.is_closing() {
            self.outbox.drain(&mut turn.buffers.frames, DRAIN);
        }
        self.seal(turn)?;
        self.send(turn)?;
        Ok(!self.is_blocked() && (self.cue.readable || !self.outbox.is_empty()))
    }

    /// Takes a batch. True if that was all there is to do: then it went straight from the batch into one record.
    fn bring(&mut self, place: usize, turn: &mut Turn<'_>) -> io::Result<bool> {
        let Some(batch) = turn.fanout.batches().get(place) else {
            return Ok(false);
        };
        let alone = self.outbox.is_empty()
            && !self.is_blocked()
            && !self.cue.readable
            && !self.cue.woken
            && !self.frames.is_closing()
            && turn.buffers.frames.is_empty()
            && batch.as_bytes().len() <= DRAIN;
        if !alone {
            self.note(batch, 0);
            return Ok(false);
        }
        let frames = batch.as_bytes();
        turn.handle.metrics.bytes_out.add(frames.len() as u64);
        self.records
            .write(frames, &mut turn.buffers.cipher)
            .map_err(io::Error::other)?;
        self.send(turn)?;
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
            LeaseStatus::Valid { .. } => return,
            LeaseStatus::Expired => Close::new(CloseCode::UNAUTHORIZED, "expired"),
            LeaseStatus::Ended(EndReason::Revoked) => {
                Close::new(CloseCode::UNAUTHORIZED, "revoked")
            }
            LeaseStatus::Ended(EndReason::LoggedOut) => {
                Close::new(CloseCode::UNAUTHORIZED, "logged-out")
            }
            LeaseStatus::Ended(EndReason::Restart) => {
                Close::new(CloseCode::SERVICE_RESTART, "restart")
            }
        };
        self.close(&close, turn);
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
        self.cue.ended = Some(departure);
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
        let held = match &mut self.held {
            Some(held) => std::mem::take(&mut held.cut),
            None => Vec::new(),
        };
        let Some((front, room)) = turn.buffers.incoming.split_at_mut_checked(held.len()) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        front.copy_from_slice(&held);
        let came = match self.tcp.read(room) {
            Ok(0) => {
                self.end(Ending::dropped(), Departure::Now, turn.fanout);
                return Ok(());
            }
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.cue.readable = false;
                0
            }
            Err(error) => return Err(error),
        };
        // As much as was asked for: more may be there. Less: nothing is, until readiness says so again.
        self.cue.readable &= came == room.len() || self.cue.last;
        if came == 0 {
            self.hold_cut(held);
            return Ok(());
        }
        self.decrypt(held.len() + came, turn)?;
        self.answer(turn);
        if self.records.peer_closed() {
            self.end(Ending::dropped(), Departure::Now, turn.fanout);
        }
        Ok(())
    }

    fn decrypt(&mut self, came: usize, turn: &mut Turn<'_>) -> io::Result<()> {
        let Buffers {
            incoming,
            plain,
            cipher,
            ..
        } = &mut *turn.buffers;
        let incoming = incoming.get_mut(..came).unwrap_or_default();
        match self.records.read(incoming, plain, cipher) {
            Ok(done) => {
                self.hold_cut(incoming.get(done..).unwrap_or_default().to_vec());
                Ok(())
            }
            Err(broken) => {
                // One try for the alert.
                let _ = self.tcp.write(cipher);
                Err(io::Error::new(io::ErrorKind::InvalidData, broken))
            }
        }
    }

    fn answer(&mut self, turn: &mut Turn<'_>) {
        // Taken out and put back, as what answers it writes into the other buffers.
        let mut plain = std::mem::take(&mut turn.buffers.plain);
        self.answer_all(&mut plain, turn);
        plain.clear();
        turn.buffers.plain = plain;
    }

    fn answer_all(&mut self, plain: &mut [u8], turn: &mut Turn<'_>) {
        let mut at = 0;
        while let Some(rest) = plain.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let step = self
                .frames
                .receive(rest, turn.now, &mut turn.buffers.frames);
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
                    return self.end(Ending::of(&close), Departure::Lingering, turn.fanout);
                }
            }
        }
    }

    fn seal(&mut self, turn: &mut Turn<'_>) -> io::Result<()> {
        let Buffers { frames, cipher, .. } = &mut *turn.buffers;
        if !frames.is_empty() {
            turn.handle.metrics.bytes_out.add(frames.len() as u64);
            self.records
                .write(frames, cipher)
                .map_err(io::Error::other)?;
        }
        if self.cue.ended.is_some() {
            self.records.close(cipher).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Sends what an earlier turn could not.
    fn send_rest(&mut self) -> io::Result<()> {
        let Some(held) = &mut self.held else {
            return Ok(());
        };
        let sent = send(&mut self.tcp, &held.unsent)?;
        held.unsent.drain(..sent);
        // What stays is a part of what was there: its room is given back as it empties.
        held.unsent.shrink_to(held.unsent.len() * 2);
        self.tidy();
        Ok(())
    }

    /// Sends what this turn has written, behind what earlier ones could not.
    fn send(&mut self, turn: &mut Turn<'_>) -> io::Result<()> {
        let cipher = &turn.buffers.cipher[..];
        if cipher.is_empty() {
            return Ok(());
        }
        let sent = match self.is_blocked() {
            true => 0,
            false => send(&mut self.tcp, cipher)?,
        };
        turn.handle.metrics.flush.record(cipher.len() as u64);
        if let Some(left) = cipher.get(sent..).filter(|left| !left.is_empty()) {
            turn.handle
                .metrics
                .outbox
                .record(self.outbox.bytes() as u64 + left.len() as u64);
            let held = self.held.get_or_insert_default();
            held.unsent.extend_from_slice(left);
        }
        Ok(())
    }

    fn hold_cut(&mut self, cut: Vec<u8>) {
        if !cut.is_empty() {
            self.held.get_or_insert_default().cut = cut;
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        if self.held.as_ref().is_some_and(|held| held.is_empty()) {
            self.held = None;
        }
    }

    /// When something may be due, however little happens until then.
    fn due(&self, turn: &Turn<'_>) -> Instant {
        let due = self.frames.deadline();
        match self.session.lease.status(turn.wall) {
            LeaseStatus::Valid { until } if !self.frames.is_closing() => {
                due.min(turn.now + turn.wall.until(until))
            }
            _ => due,
        }
    }

    /// Says that nothing more is sent, and waits for the peer to say the same.
    pub(super) fn linger(self, now: Instant) -> Option<Lingering> {
        let Self { tcp, session, .. } = self;
        // What cannot be shut down is gone.
        tcp.shutdown(Shutdown::Write).ok()?;
        Some(Lingering {
            tcp,
            until: now + LINGER,
            left: LINGER_BYTES,
            _slot: session.into_slot(),
        })
    }
}

impl Lingering {
    pub(super) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// Drops what has come.
    pub(super) fn turn(&mut self, turn: &mut Turn<'_>) -> Outcome {
        while turn.now < self.until && self.left > 0 {
            match self.tcp.read(&mut turn.buffers.incoming) {
                Ok(0) => break,
                Ok(came) => self.left = self.left.saturating_sub(came),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Outcome::Rest(self.until);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Outcome::Ended
    }
}

/// Writes until the kernel takes no more. Returns how much it took.
fn send(tcp: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match tcp.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

impl Held {
    fn is_empty(&self) -> bool {
        self.cut.is_empty() && self.unsent.is_empty()
    }
}
