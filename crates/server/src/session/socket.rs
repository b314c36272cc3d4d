//! One admitted socket: a small future that owns no buffer while it is idle.
//!
//! Each turn it judges its lease, reads what has come into buffers that belong to the thread, answers, takes what the
//! outbox holds, and sends all of it in one write. Reading stops while the peer does not take what was written, so that
//! what a socket can make the server hold is bounded by one turn and its outbox.

use std::{
    cell::RefCell,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use wardwire_admission::lease::{EndReason, LeaseStatus};
use wardwire_hub::outbox::Outbox;
use wardwire_protocol::{
    close::{Close, CloseCode},
    connection::{Action, Connection, Liveness},
};

use super::{Application, Ending, Session};
use crate::tls::{Parts, Records};

/// An upgraded connection, driven until it ends.
pub struct Socket {
    tcp: TcpStream,
    records: Records,
    /// The start of a record of which the end has not come; empty when idle.
    cut: Vec<u8>,
    /// Encrypted bytes the kernel has not taken; empty when idle.
    unsent: Vec<u8>,
    frames: Connection,
    outbox: Arc<Outbox>,
    application: Application,
    session: Session,
    timer: Pin<Box<Sleep>>,
    /// No more is read; what is written is sent if the kernel takes it.
    ended: bool,
}

/// Buffers that belong to the thread, not to a socket. Empty between turns.
struct Scratch {
    incoming: Vec<u8>,
    plain: Vec<u8>,
    frames: Vec<u8>,
    cipher: Vec<u8>,
}

/// Room for one read behind a record cut short.
const INCOMING: usize = 96 * 1024;
/// Rounds of reading and writing before other sockets get their turn.
const ROUNDS: usize = 4;
/// Bytes taken from the outbox in one round.
const DRAIN: usize = 128 * 1024;
/// A thread's buffer that grew beyond this for one message is let go.
const KEEP: usize = 512 * 1024;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        incoming: vec![0; INCOMING],
        plain: Vec::new(),
        frames: Vec::new(),
        cipher: Vec::new(),
    });
}

impl Socket {
    pub(super) fn new(
        parts: Parts,
        frames: Connection,
        outbox: Arc<Outbox>,
        application: Application,
        session: Session,
    ) -> Self {
        let Parts {
            tcp,
            records,
            cut,
            plain: _,
            unsent,
        } = parts;
        let timer = Box::pin(tokio::time::sleep_until(frames.deadline().into()));
        Self {
            tcp,
            records,
            cut,
            unsent,
            frames,
            outbox,
            application,
            session,
            timer,
            ended: false,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<()> {
        self.session.lease.register(cx.waker());
        self.outbox.register(cx.waker());
        for _ in 0..ROUNDS {
            match self.round(cx, scratch) {
                Ok(Round::Again) => {}
                Ok(Round::Quiet) => return self.rest(cx),
                // The end is told when the session is dropped.
                Ok(Round::Ended) | Err(_) => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn round(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> io::Result<Round> {
        let now = Instant::now();
        scratch.frames.clear();
        scratch.cipher.clear();
        self.judge(now, &mut scratch.frames);
        if self.timer.as_mut().poll(cx).is_ready() {
            self.tick(now, &mut scratch.frames);
        }
        let mut read = false;
        if self.unsent.is_empty() || self.send_rest(cx)? {
            read = !self.ended && self.read(cx, now, scratch)?;
            self.go_on(cx, now, &mut scratch.frames);
        }
        self.collect(scratch);
        self.seal(scratch)?;
        let sent = self.send(cx, &scratch.cipher)?;
        if self.ended {
            // A peer that is gone, or has said its last word, gets what the kernel takes at once.
            Ok(Round::Ended)
        } else if read || (sent && !self.outbox.is_empty()) {
            Ok(Round::Again)
        } else {
            Ok(Round::Quiet)
        }
    }

    /// A socket lives no longer than what it was admitted on.
    fn judge(&mut self, now: Instant, out: &mut Vec<u8>) {
        if self.frames.is_closing() {
            return;
        }
        let close = match self.session.lease_status() {
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
        self.close(&close, now, out);
    }

    fn close(&mut self, close: &Close, now: Instant, out: &mut Vec<u8>) {
        self.frames.close(close, now, out);
        self.closing(close);
    }

    /// Our Close is written: nothing else is from now on, and the peer's answer has its time.
    fn closing(&mut self, close: &Close) {
        self.session.ending(Ending::of(close));
        self.outbox.close();
        self.application.leave();
        self.arm();
    }

    /// What waits for others goes on.
    fn go_on(&mut self, cx: &mut Context<'_>, now: Instant, out: &mut Vec<u8>) {
        if self.frames.is_closing() {
            return;
        }
        let Self {
            application,
            session,
            frames,
            ..
        } = self;
        if let Some(close) = application.poll(cx, session, frames, out) {
            self.close(&close, now, out);
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<u8>) {
        let was_open = !self.frames.is_closing();
        match self.frames.tick(now, out) {
            Liveness::Gone(close) => self.end(Ending::of(&close)),
            // A tick closes only a peer that sends its message too slowly.
            Liveness::Alive if was_open && self.frames.is_closing() => {
                self.closing(&Close::new(CloseCode::POLICY_VIOLATION, "slow-message"));
            }
            Liveness::Alive => self.arm(),
        }
    }

    fn end(&mut self, ending: Ending) {
        self.session.ending(ending);
        self.outbox.close();
        self.application.leave();
        self.ended = true;
    }

    /// Reads once and answers. False when nothing has come.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
        scratch: &mut Scratch,
    ) -> io::Result<bool> {
        let held = self.cut.len();
        let Some((front, room)) = scratch.incoming.split_at_mut_checked(held) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        front.copy_from_slice(&self.cut);
        let mut read = ReadBuf::new(room);
        match Pin::new(&mut self.tcp).poll_read(cx, &mut read)? {
            Poll::Pending => return Ok(false),
            Poll::Ready(()) if read.filled().is_empty() => {
                self.end(Ending::dropped());
                return Ok(true);
            }
            Poll::Ready(()) => {}
        }
        let came = held + read.filled().len();
        self.decrypt(came, scratch)?;
        let Scratch { plain, frames, .. } = scratch;
        self.answer(plain, now, frames);
        if self.records.peer_closed() {
            self.end(Ending::dropped());
        }
        Ok(true)
    }

    fn decrypt(&mut self, came: usize, scratch: &mut Scratch) -> io::Result<()> {
        let Scratch {
            incoming,
            plain,
            cipher,
            ..
        } = scratch;
        let incoming = incoming.get_mut(..came).unwrap_or_default();
        plain.clear();
        match self.records.read(incoming, plain, cipher) {
            Ok(done) => {
                self.cut = incoming.get(done..).unwrap_or_default().to_vec();
                Ok(())
            }
            Err(broken) => {
                // One try for the alert.
                let _ = self.tcp.try_write(cipher);
                Err(io::Error::new(io::ErrorKind::InvalidData, broken))
            }
        }
    }

    fn answer(&mut self, plain: &mut [u8], now: Instant, out: &mut Vec<u8>) {
        let mut at = 0;
        while let Some(rest) = plain.get_mut(at..).filter(|rest| !rest.is_empty()) {
            let step = self.frames.receive(rest, now, out);
            at += step.consumed;
            match step.action {
                Action::More => {}
                Action::Deliver(message) => {
                    let Self {
                        application,
                        session,
                        frames,
                        ..
                    } = self;
                    if let Some(close) = application.deliver(message, now, session, frames, out) {
                        self.close(&close, now, out);
                    }
                }
                Action::Closing(close) => self.closing(&close),
                Action::Closed(close) => return self.end(Ending::of(&close)),
            }
        }
    }

    /// Takes what the outbox holds, unless the peer has not taken what it was sent before.
    fn collect(&mut self, scratch: &mut Scratch) {
        if self.unsent.is_empty() && !self.ended && !self.frames.is_closing() {
            self.outbox.drain(&mut scratch.frames, DRAIN);
        }
    }

    fn seal(&mut self, scratch: &mut Scratch) -> io::Result<()> {
        let Scratch { frames, cipher, .. } = scratch;
        if !frames.is_empty() {
            self.session
                .server
                .metrics
                .bytes_out
                .add(frames.len() as u64);
            self.records
                .write(frames, cipher)
                .map_err(io::Error::other)?;
        }
        if self.ended {
            self.records.close(cipher).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Sends what an earlier round could not. True when nothing is left.
    fn send_rest(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let unsent = std::mem::take(&mut self.unsent);
        self.send(cx, &unsent)
    }

    fn send(&mut self, cx: &mut Context<'_>, mut cipher: &[u8]) -> io::Result<bool> {
        while !cipher.is_empty() && self.unsent.is_empty() {
            match Pin::new(&mut self.tcp).poll_write(cx, cipher)? {
                Poll::Ready(sent) => cipher = cipher.get(sent..).unwrap_or_default(),
                Poll::Pending => break,
            }
        }
        self.unsent.extend_from_slice(cipher);
        Ok(self.unsent.is_empty())
    }

    /// Waits: for the peer, the outbox, the lease or the timer.
    fn rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.arm();
        if self.timer.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// The timer is lazy: it moves when it fired or when something is due sooner.
    fn arm(&mut self) {
        let mut due = self.frames.deadline();
        if let LeaseStatus::Valid { until } = self.session.lease_status() {
            due = due.min(Instant::now() + self.session.now().until(until));
        }
        let due = tokio::time::Instant::from_std(due);
        if self.timer.is_elapsed() || due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
    }
}

/// What a round came to.
enum Round {
    Again,
    Quiet,
    Ended,
}

impl Future for Socket {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        SCRATCH.with_borrow_mut(|scratch| {
            let turn = this.turn(cx, scratch);
            scratch.plain.shrink_to(KEEP);
            scratch.frames.shrink_to(KEEP);
            scratch.cipher.shrink_to(KEEP);
            turn
        })
    }
}
