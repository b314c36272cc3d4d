//! One event loop's side of the hub: which of its sockets follow which channel, and what a turn brings them.
//!
//! A loop owns its side alone; publications reach it through its mailbox, each once and prepared. What a turn brings of one
//! channel is put together once, as a [`Batch`], for all who follow it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::Waker,
};

use wardwire_protocol::message::Prepared;

use crate::mailbox::Mailbox;

/// A loop's own name for one of its sockets; it is never given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketKey(pub u64);

/// One loop's followers.
pub struct Fanout {
    /// Which of the hub's loops it is.
    number: usize,
    mailbox: Arc<Mailbox<Delivery>>,
    /// By the channel's number. No channel stands here without followers.
    channels: HashMap<u64, Local>,
    /// Taken from the mailbox and not yet in a batch.
    taken: VecDeque<Delivery>,
    batches: Vec<Batch>,
}

/// A channel as one loop knows it.
#[derive(Default)]
struct Local {
    /// Each with the offset it has: what comes to it lies behind.
    followers: HashMap<SocketKey, u64>,
    /// Its place among the batches of this turn.
    batch: Option<usize>,
}

/// A publication on its way to a loop.
pub(crate) struct Delivery {
    pub(crate) channel: u64,
    pub(crate) offset: u64,
    pub(crate) frame: Prepared,
}

/// What a turn brings of one channel, oldest first.
pub struct Batch {
    channel: u64,
    deliveries: Vec<Delivery>,
    /// All frames together, if there are several.
    joined: Vec<u8>,
}

impl Fanout {
    pub(crate) fn new(number: usize, mailbox: Arc<Mailbox<Delivery>>) -> Self {
        Self {
            number,
            mailbox,
            channels: HashMap::new(),
            taken: VecDeque::new(),
            batches: Vec::new(),
        }
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Says whom to wake when something comes. False if something is there to collect.
    #[must_use]
    pub fn wait(&self, reader: &Waker) -> bool {
        self.taken.is_empty() && self.mailbox.wait(reader)
    }

    pub(crate) fn follow(&mut self, channel: u64, socket: SocketKey, after: u64) {
        let local = self.channels.entry(channel).or_default();
        local.followers.insert(socket, after);
    }

    pub(crate) fn leave(&mut self, channel: u64, socket: SocketKey) {
        let Some(local) = self.channels.get_mut(&channel) else {
            return;
        };
        let followers = &mut local.followers;
        followers.remove(&socket);
        if followers.is_empty() && local.batch.is_none() {
            self.channels.remove(&channel);
        } else if followers.len() < followers.capacity() / 4 {
            followers.shrink_to(followers.len() * 2);
        }
    }

    /// Puts together what has come: at most so many publications and about so many bytes, the rest next time.
    pub fn collect(&mut self, messages: usize, bytes: usize) {
        self.clear();
        if self.taken.is_empty() {
            self.mailbox.take(&mut self.taken);
        }
        let mut size = 0;
        for _ in 0..messages {
            if size >= bytes {
                break;
            }
            let Some(delivery) = self.taken.pop_front() else {
                break;
            };
            size += delivery.frame.as_bytes().len();
            let Some(local) = self.channels.get_mut(&delivery.channel) else {
                continue;
            };
            let place = *local.batch.get_or_insert_with(|| {
                self.batches.push(Batch::new(delivery.channel));
                self.batches.len() - 1
            });
            if let Some(batch) = self.batches.get_mut(place) {
                batch.push(delivery);
            }
        }
        if self.taken.is_empty() {
            self.taken.shrink_to(KEEP);
        }
    }

    /// Whether there is more to collect than the last time took.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.taken.is_empty()
    }

    /// The batches of this turn.
    #[must_use]
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// Who follows a batch's channel, each with the offset behind which it has nothing yet.
    pub fn followers(&self, batch: &Batch) -> impl Iterator<Item = (SocketKey, u64)> + use<'_> {
        let local = self.channels.get(&batch.channel);
        local.into_iter().flat_map(|local| {
            local
                .followers
                .iter()
                .map(|(socket, after)| (*socket, *after))
        })
    }

    /// Lets go of this turn's batches.
    pub fn clear(&mut self) {
        for batch in self.batches.drain(..) {
            let Some(local) = self.channels.get_mut(&batch.channel) else {
                continue;
            };
            local.batch = None;
            if local.followers.is_empty() {
                self.channels.remove(&batch.channel);
            }
        }
    }
}

/// Room for deliveries that a loop keeps from turn to turn.
const KEEP: usize = 1024;

impl Batch {
    pub(crate) fn new(channel: u64) -> Self {
        Self {
            channel,
            deliveries: Vec::new(),
            joined: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        if let [first] = &self.deliveries[..] {
            self.joined.extend_from_slice(first.frame.as_bytes());
        }
        if !self.deliveries.is_empty() {
            self.joined.extend_from_slice(delivery.frame.as_bytes());
        }
        self.deliveries.push(delivery);
    }

    /// Its frames, one behind the other.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.deliveries[..] {
            [only] => only.frame.as_bytes(),
            _ => &self.joined,
        }
    }

    /// Whether all of it lies behind this offset.
    #[must_use]
    pub fn begins_after(&self, offset: u64) -> bool {
        self.deliveries
            .first()
            .is_some_and(|first| first.offset > offset)
    }

    pub(crate) fn after(&self, offset: u64) -> impl Iterator<Item = &Delivery> {
        self.deliveries
            .iter()
            .filter(move |delivery| delivery.offset > offset)
    }
}
