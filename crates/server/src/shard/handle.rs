//! What other threads, and a shard's own tasks, know of it.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Wake, Waker},
};

use tokio::sync::mpsc::UnboundedSender;
use wardwire_hub::{fanout::SocketKey, mailbox::Mailbox};

use super::{Arrival, Turnstile};
use crate::metrics::ShardMetrics;

/// A shard's letter box, its budget for handshakes, and how much it has to do.
pub struct Handle {
    /// Which of them it is, from 0.
    pub number: usize,
    /// What it counts; nobody else adds to it.
    pub metrics: ShardMetrics,
    /// Its budget for handshakes.
    pub turnstile: Turnstile,
    mailbox: Mailbox<Message>,
    /// Sockets it has or is about to get.
    sockets: AtomicUsize,
    /// Whether it has turned since it was asked to.
    turned: AtomicBool,
}

/// What a shard is told.
pub(super) enum Message {
    /// A socket is its own from now on.
    Adopt(Box<Arrival>),
    /// Something that one of its sockets waits for has come.
    Wake(SocketKey),
    /// The rules of channels have changed: each of its sockets is judged anew.
    Rejudge(Rejudged),
    /// Somebody asks whether it still turns.
    Pulse,
    /// The server goes down.
    Stop,
}

/// Told how many channels sockets had to leave, some at a time. When it is gone, all were judged.
pub type Rejudged = UnboundedSender<usize>;

/// So many sockets more than the emptiest shard has, and a sixteenth, are borne before a new one goes there: moving one
/// costs a little, and a difference of a few is no matter.
const UNEVEN: usize = 16;

impl Handle {
    /// Of shard `number`.
    #[must_use]
    pub fn new(number: usize) -> Arc<Self> {
        Arc::new(Self {
            number,
            metrics: ShardMetrics::default(),
            turnstile: Turnstile::default(),
            // What it holds is bounded by the sockets there are.
            mailbox: Mailbox::new(usize::MAX),
            sockets: AtomicUsize::new(0),
            turned: AtomicBool::new(true),
        })
    }

    /// Gives it a socket.
    pub fn adopt(&self, arrival: Arrival) {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        self.post(Message::Adopt(Box::new(arrival)));
    }

    /// Has every socket judge anew what it follows.
    pub fn rejudge(&self, told: Rejudged) {
        self.post(Message::Rejudge(told));
    }

    /// Lets go of all its sockets and ends.
    pub fn stop(&self) {
        self.post(Message::Stop);
    }

    /// Whether it has turned since this was asked last, and asks anew. One that has not is not asked again.
    #[must_use]
    pub fn pulse(&self) -> bool {
        let turned = self.turned.swap(false, Ordering::Relaxed);
        if turned {
            self.post(Message::Pulse);
        }
        turned
    }

    pub(super) fn turned(&self) {
        self.turned.store(true, Ordering::Relaxed);
    }

    /// How many sockets it has.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, into: &mut VecDeque<Message>) {
        self.mailbox.take(into);
    }

    /// Says whom to wake. False if there is something to do already.
    pub(super) fn wait(&self, shard: &Waker) -> bool {
        self.mailbox.wait(shard) && self.turnstile.rest(shard)
    }

    /// Nobody is adopted any more.
    pub(super) fn close(&self) {
        self.mailbox.close();
    }

    pub(super) fn left(&self) {
        self.sockets.fetch_sub(1, Ordering::Relaxed);
    }

    /// What gives this socket a turn.
    pub(super) fn waker(self: Arc<Self>, socket: SocketKey) -> Waker {
        Arc::new(SocketWaker {
            handle: self,
            socket,
        })
        .into()
    }

    fn post(&self, message: Message) {
        if let Some(reader) = self.mailbox.post(message, 1) {
            reader.wake();
        }
    }
}

/// Where a socket that was accepted here should live: here, unless another shard is much emptier.
#[must_use]
pub fn emptiest<'a>(shards: &'a [Arc<Handle>], here: &'a Arc<Handle>) -> &'a Arc<Handle> {
    let Some(least) = shards.iter().min_by_key(|shard| shard.sockets()) else {
        return here;
    };
    let borne = least.sockets() + least.sockets() / 16 + UNEVEN;
    if here.sockets() > borne { least } else { here }
}

struct SocketWaker {
    handle: Arc<Handle>,
    socket: SocketKey,
}

impl Wake for SocketWaker {
    fn wake(self: Arc<Self>) {
        self.handle.post(Message::Wake(self.socket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_that_does_not_turn_has_no_pulse() {
        let handle = Handle::new(0);
        assert!(handle.pulse(), "it was never asked");
        assert!(!handle.pulse() && !handle.pulse());
        let mut messages = VecDeque::new();
        handle.take(&mut messages);
        assert_eq!(messages.len(), 1, "it is asked once");
        handle.turned();
        assert!(handle.pulse());
    }

    #[test]
    fn a_socket_stays_where_it_came_in_until_that_is_uneven() {
        let shards: Vec<_> = (0..3).map(Handle::new).collect();
        let load = |number: usize, sockets: usize| {
            shards[number].sockets.store(sockets, Ordering::Relaxed);
        };
        let chosen = || emptiest(&shards, &shards[0]).number;
        load(0, UNEVEN);
        assert_eq!(chosen(), 0);
        load(0, UNEVEN + 1);
        load(2, 1);
        assert_eq!(chosen(), 1);
        load(1, 160);
        load(2, 160);
        load(0, 186);
        assert_eq!(chosen(), 0);
        load(0, 187);
        assert_ne!(chosen(), 0);
    }
}
