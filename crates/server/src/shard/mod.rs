//! One loop a core: each thread has a shard of the sockets, and nobody else touches them.
//!
//! A shard is the main future of its thread's runtime. Accepting, TLS handshakes, HTTP and admission are ordinary tasks
//! beside it; an admitted socket moves into its slab and is driven by readiness ([`readiness`]). In one turn it takes what
//! other threads left for it, answers what its sockets read, each in one write, and brings the turn's publications to
//! their followers, each in one TLS record and one `send`. Buffers belong to the shard, not to sockets.
//!
//! What other threads know of it is its [`Handle`].

mod handle;
mod lingering;
mod link;
mod readiness;
mod rejudging;
#[cfg(any(test, feature = "simulation"))]
#[allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::new_without_default,
    reason = "a test's own code"
)]
pub mod simulation;
mod socket;
mod sockets;
mod turnstile;

use std::{
    collections::VecDeque,
    future::{Future as _, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::time::Sleep;
use wardwire_admission::clock::Timestamp;
use wardwire_hub::fanout::{Fanout, SocketKey};

pub use handle::{Handle, Rejudged, emptiest};
pub use socket::{Arrival, Carrier};
pub use turnstile::Turnstile;

use crate::server::Server;
use handle::Message;
use link::{Buffers, Link};
use readiness::{Cue, Readiness};
use rejudging::Rejudging;
use socket::{Outcome, Socket};
use sockets::{Noted, Sockets, Tenant};

/// What a thread owns alone.
pub struct Shard {
    server: Arc<Server>,
    handle: Arc<Handle>,
    fanout: Fanout,
    readiness: Readiness,
    sockets: Sockets,
    buffers: Buffers,
    /// What other threads left and was not looked at yet.
    messages: VecDeque<Message>,
    cues: Vec<Cue>,
    /// Sockets that have more to do than one turn lets them.
    again: Vec<SocketKey>,
    /// Some of these are sent what came before, and take it: nothing new is brought until they have it, as none of it counts
    /// against their outboxes.
    sending: bool,
    /// Sockets to which this turn's batches go; the first `flushed` of them have had theirs.
    flushing: Vec<SocketKey>,
    flushed: usize,
    /// When something may be due for the first of the sockets, and when that was last looked at.
    due: Instant,
    swept: Instant,
    /// Sockets that are to judge anew what they follow, and who waits for that.
    rejudging: Rejudging,
    timer: Pin<Box<Sleep>>,
    stopped: bool,
}

/// The time of a turn, and what of the shard a socket may touch in it.
struct Turn<'a> {
    /// For what is measured.
    now: Instant,
    /// For what is dated.
    wall: Timestamp,
    fanout: &'a mut Fanout,
    handle: &'a Handle,
    buffers: &'a mut Buffers,
}

/// The time of a turn.
#[derive(Clone, Copy)]
struct Time {
    now: Instant,
    wall: Timestamp,
}

/// Publications of one turn, and their bytes; the rest waits for the next.
const COLLECT: (usize, usize) = (1024, 256 * 1024);
/// Sockets that get their publications before others are read from again.
const FLUSH: usize = 512;
/// Messages of other threads taken in one turn: a thousand revocations do not hold up everybody else.
const MESSAGES: usize = 32;
/// Time-outs are as coarse as this.
const SWEEP: Duration = Duration::from_millis(50);
/// Longer than anything that is waited for.
const LONG: Duration = Duration::from_secs(3600);

impl Shard {
    /// An empty shard, within its thread's runtime.
    ///
    /// # Errors
    /// As the system does not let it wait for sockets.
    pub fn new(server: Arc<Server>, handle: Arc<Handle>, fanout: Fanout) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            server,
            handle,
            fanout,
            readiness: Readiness::new()?,
            sockets: Sockets::default(),
            buffers: Buffers::new(),
            messages: VecDeque::new(),
            cues: Vec::new(),
            again: Vec::new(),
            sending: false,
            flushing: Vec::new(),
            flushed: 0,
            due: now + LONG,
            swept: now,
            rejudging: Rejudging::default(),
            timer: Box::pin(tokio::time::sleep(LONG)),
            stopped: false,
        })
    }

    /// Turns until it is told to stop. What lives then is dropped.
    ///
    /// # Errors
    /// As the system no longer tells which sockets are ready.
    pub async fn run(mut self) -> io::Result<()> {
        while !self.stopped {
            let more = self.turn()?;
            // Nobody wakes a shard that rests although it was told to stop.
            if more || self.stopped {
                tokio::task::yield_now().await;
            } else {
                self.rest().await?;
            }
        }
        self.handle.close();
        for key in self.sockets.keys() {
            self.remove(key);
        }
        Ok(())
    }

    /// True if there is more to do at once.
    fn turn(&mut self) -> io::Result<bool> {
        let time = Time {
            now: Instant::now(),
            wall: self.server.gate.now(),
        };
        let waiting = self.handle.turnstile.refill();
        let mut busy = self.mail(time);
        let mut again = std::mem::take(&mut self.again);
        busy |= !again.is_empty();
        self.sending = false;
        for key in again.drain(..) {
            self.drive(key, time);
        }
        let mut cues = std::mem::take(&mut self.cues);
        let more_ready = self.readiness.poll(&mut cues)?;
        busy |= !cues.is_empty();
        for cue in cues.drain(..) {
            self.ready(cue, time);
        }
        self.cues = cues;
        busy |= self.flush(time);
        busy |= self.rejudge(time);
        if time.now >= self.due.max(self.swept + SWEEP) {
            self.sweep(time);
        }
        let metrics = &self.handle.metrics;
        if busy {
            metrics
                .turn
                .record(u64::try_from(time.now.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        if waiting > 0 {
            metrics.waiting.record(waiting as u64);
        }
        // Who was called at the turnstile runs before the next turn.
        Ok(waiting > 0
            || more_ready
            || !self.again.is_empty()
            || !self.messages.is_empty()
            || !self.flushing.is_empty()
            || !self.rejudging.is_idle()
            || self.fanout.has_more())
    }

    /// Takes what other threads left. True if there was something.
    fn mail(&mut self, time: Time) -> bool {
        if self.messages.is_empty() {
            self.handle.take(&mut self.messages);
        }
        let some = !self.messages.is_empty();
        for _ in 0..MESSAGES {
            match self.messages.pop_front() {
                Some(Message::Adopt(arrival)) => self.adopt(*arrival, time),
                Some(Message::Wake(key)) => self.wake(key, time),
                Some(Message::Rejudge(told)) => self.rejudging.ask(told),
                Some(Message::Pulse) => self.handle.turned(),
                Some(Message::Stop) => self.stopped = true,
                None => break,
            }
        }
        some
    }

    fn wake(&mut self, key: SocketKey, time: Time) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        if let Tenant::Open(socket) = &mut entry.tenant {
            socket.woken();
        }
        self.drive(key, time);
    }

    fn adopt(&mut self, arrival: Arrival, time: Time) {
        let Arrival {
            session,
            principal,
            carrier,
        } = arrival;
        let readiness = &self.readiness;
        let mut waiting = Ok(());
        let make = |key| {
            let waker = self.handle.clone().waker(key);
            let mut link = Link::adopt(carrier);
            waiting = readiness.register(link.transport(), key, &waker);
            let socket = Socket::new(link, session, principal, (key, waker), time.now);
            Tenant::Open(Box::new(socket))
        };
        let key = self.sockets.insert(make, time.now);
        match waiting {
            Ok(()) => self.drive(key, time),
            Err(error) => {
                tracing::warn!(%error, "a socket cannot be waited for");
                self.remove(key);
            }
        }
    }

    fn ready(&mut self, cue: Cue, time: Time) {
        let Some(key) = self.sockets.at(cue.place) else {
            return;
        };
        if let Some((socket, _)) = self.sockets.open(key) {
            socket.ready(cue);
        }
        self.drive(key, time);
    }

    /// Gives a socket its turn. A panic in it costs this socket alone.
    fn drive(&mut self, key: SocketKey, time: Time) {
        let Some(entry) = self.sockets.get_mut(key) else {
            return;
        };
        let mut turn = Turn {
            now: time.now,
            wall: time.wall,
            fanout: &mut self.fanout,
            handle: &self.handle,
            buffers: &mut self.buffers,
        };
        let noted = std::mem::take(&mut entry.noted);
        let tenant = &mut entry.tenant;
        let outcome = catch_unwind(AssertUnwindSafe(|| match tenant {
            Tenant::Open(socket) => socket.turn(noted, &mut turn),
            Tenant::Lingering(lingering) => lingering.turn(&mut turn),
        }));
        match outcome {
            Ok(Outcome::Rest(due)) => {
                entry.due = entry.due.min(due);
                self.due = self.due.min(due);
            }
            Ok(Outcome::Again) => self.again.push(key),
            Ok(Outcome::Sending) => {
                self.sending = true;
                self.again.push(key);
            }
            Ok(Outcome::Closed) => self.linger(key, time),
            Ok(Outcome::Ended) => drop(self.remove(key)),
            Err(_) => {
                if let Tenant::Open(socket) = tenant {
                    socket.panicked();
                }
                self.remove(key);
            }
        }
    }

    fn remove(&mut self, key: SocketKey) -> Option<Tenant> {
        let mut tenant = self.sockets.remove(key)?;
        if let Tenant::Open(socket) = &mut tenant {
            socket.leave(&mut self.fanout);
            self.handle.left();
        }
        Some(tenant)
    }

    /// Lets the peer of a socket that was closed in order hang up first.
    fn linger(&mut self, key: SocketKey, time: Time) {
        let Some(Tenant::Open(socket)) = self.remove(key) else {
            return;
        };
        let Some(mut lingering) = socket.linger(time.now) else {
            return;
        };
        let (readiness, handle) = (&self.readiness, &self.handle);
        let make = |key| {
            // Without it, it goes when its time is over.
            let waker = handle.clone().waker(key);
            let _ = readiness.move_to(lingering.transport(), key, &waker);
            Tenant::Lingering(Box::new(lingering))
        };
        let key = self.sockets.insert(make, time.now);
        self.again.push(key);
    }

    /// Brings publications to those who follow, so many at a time. True if there was something to bring.
    fn flush(&mut self, time: Time) -> bool {
        if self.flushing.is_empty() && !self.sending {
            self.collect();
        }
        let until = self.flushing.len().min(self.flushed + FLUSH);
        let some = self.flushed < until;
        for place in self.flushed..until {
            if let Some(&key) = self.flushing.get(place) {
                self.bring(key, time);
            }
        }
        self.flushed = until;
        if self.flushed == self.flushing.len() {
            self.flushing.clear();
            self.flushed = 0;
            self.fanout.clear();
        }
        some
    }

    /// Brings a socket what it is noted for. It may have had that with an answer, or be gone.
    fn bring(&mut self, key: SocketKey, time: Time) {
        let noted = self.sockets.open(key).map(|(_, noted)| *noted);
        if noted.unwrap_or_default() != Noted::Nothing {
            self.drive(key, time);
        }
    }

    /// Has some sockets judge anew what they follow. True if that was asked for.
    fn rejudge(&mut self, time: Time) -> bool {
        if self.rejudging.is_idle() {
            return false;
        }
        let mut left = 0;
        for key in self.rejudging.take(|| self.sockets.keys()) {
            // What it is noted for goes out first: it was published to it while it might follow.
            self.bring(key, time);
            left += self.judge(key);
        }
        self.rejudging.judged(left);
        true
    }

    /// Has a socket judge anew what it follows. Returns how many channels it had to leave. A panic in it costs this socket alone.
    fn judge(&mut self, key: SocketKey) -> usize {
        let (sockets, fanout) = (&mut self.sockets, &mut self.fanout);
        let Some((socket, _)) = sockets.open(key) else {
            return 0;
        };
        match catch_unwind(AssertUnwindSafe(|| socket.rejudge(fanout))) {
            Ok(0) => 0,
            Ok(left) => {
                socket.woken();
                self.again.push(key);
                left
            }
            Err(_) => {
                socket.panicked();
                self.remove(key);
                0
            }
        }
    }

    /// Notes against each follower what this turn brings it.
    fn collect(&mut self) {
        let (messages, bytes) = COLLECT;
        self.fanout
            .collect(messages, bytes, &mut self.buffers.deflater);
        let batches = self.fanout.batches();
        for (place, batch) in batches.iter().enumerate() {
            for follower in self.fanout.followers(batch) {
                let Some((socket, noted)) = self.sockets.open(follower.socket) else {
                    continue;
                };
                let part = batch.part_of(follower);
                match *noted {
                    Noted::Nothing if batch.is_whole_for(follower) => *noted = Noted::Batch(place),
                    Noted::Nothing => {
                        socket.note(part);
                        *noted = Noted::Outbox;
                    }
                    Noted::Batch(first) => {
                        if let Some(first) = batches.get(first) {
                            socket.note(first.whole());
                        }
                        socket.note(part);
                        *noted = Noted::Outbox;
                        continue;
                    }
                    Noted::Outbox => {
                        socket.note(part);
                        continue;
                    }
                }
                self.flushing.push(follower.socket);
            }
        }
    }

    fn sweep(&mut self, time: Time) {
        let (due, next) = self.sockets.due(time.now);
        self.swept = time.now;
        self.due = next;
        for key in due {
            self.drive(key, time);
        }
    }

    /// Waits for a socket, for other threads, for somebody at the turnstile, or for something to be due.
    async fn rest(&mut self) -> io::Result<()> {
        let due = tokio::time::Instant::from_std(self.due.max(self.swept + SWEEP));
        // Setting it costs more than looking once too often.
        if self.timer.is_elapsed() || due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        let mut told = false;
        poll_fn(|cx| {
            if !std::mem::replace(&mut told, true) {
                self.readiness.told(cx);
            }
            self.poll_rest(cx)
        })
        .await
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let quiet = self.handle.wait(cx.waker()) && self.fanout.wait(cx.waker());
        if !quiet || self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.readiness.poll_ready(cx)
    }
}

#[cfg(test)]
mod tests;
