//! What a turn brings of one channel, put together once for all who are sent the same bytes.
//!
//! Almost everybody gets a [`Batch`] whole. Who has some of it already, or published some of it and does not want it back, gets
//! [its part](Part).

use std::{collections::HashSet, num::NonZeroU64};

use wardwire_protocol::{deflate::Encoding, message::Prepared};

use crate::fanout::SocketKey;

/// A publication on its way to a loop.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) channel: u64,
    pub(crate) offset: u64,
    pub(crate) frame: Prepared,
    /// Whom it is not brought to.
    pub(crate) except: Option<Origin>,
    /// Of what it is the value, where a newer one takes its place for who has not been sent it.
    pub(crate) key: Option<NonZeroU64>,
}

/// One socket among those of all loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    pub(crate) number: usize,
    pub(crate) socket: SocketKey,
}

/// A socket that follows a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Which.
    pub socket: SocketKey,
    /// The offset that it has: what comes to it lies behind.
    pub(crate) after: u64,
}

/// What a turn brings of one channel to those of one encoding, oldest first.
pub struct Batch {
    channel: u64,
    encoding: Option<Encoding>,
    deliveries: Vec<Delivery>,
    /// All frames together, if there are several.
    joined: Vec<u8>,
    /// Sockets of this loop that published some of it and do not want it back.
    excepted: HashSet<SocketKey>,
}

/// What of a batch is for one socket.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    batch: &'a Batch,
    /// None: all of it.
    of: Option<Follower>,
}

impl Batch {
    pub(crate) fn new(channel: u64, encoding: Option<Encoding>) -> Self {
        Self {
            channel,
            encoding,
            deliveries: Vec::new(),
            joined: Vec::new(),
            excepted: HashSet::new(),
        }
    }

    pub(crate) fn channel(&self) -> u64 {
        self.channel
    }

    pub(crate) fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// Adds what comes next, at the loop of this number.
    pub(crate) fn push(&mut self, mut delivery: Delivery, number: usize) {
        // Keys are each loop's own: another loop's socket of this key is somebody else.
        delivery.except = delivery.except.filter(|origin| origin.number == number);
        if let [first] = &self.deliveries[..] {
            self.joined.extend_from_slice(first.frame.as_bytes());
        }
        if !self.deliveries.is_empty() {
            self.joined.extend_from_slice(delivery.frame.as_bytes());
        }
        self.excepted
            .extend(delivery.except.map(|origin| origin.socket));
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

    /// Whether all of it is for a follower.
    #[must_use]
    pub fn is_whole_for(&self, follower: Follower) -> bool {
        let first = self.deliveries.first();
        first.is_some_and(|first| first.offset > follower.after)
            && !self.excepted.contains(&follower.socket)
    }

    /// All of it.
    #[must_use]
    pub fn whole(&self) -> Part<'_> {
        Part {
            batch: self,
            of: None,
        }
    }

    /// What of it is for a follower.
    #[must_use]
    pub fn part_of(&self, follower: Follower) -> Part<'_> {
        Part {
            batch: self,
            of: Some(follower),
        }
    }
}

impl<'a> Part<'a> {
    pub(crate) fn deliveries(self) -> impl Iterator<Item = &'a Delivery> {
        let Self { batch, of } = self;
        let mine = move |delivery: &&Delivery| of.is_none_or(|it| delivery.is_for(it));
        batch.deliveries.iter().filter(mine)
    }
}

impl Delivery {
    fn is_for(&self, follower: Follower) -> bool {
        let own = self.except.map(|origin| origin.socket);
        self.offset > follower.after && own != Some(follower.socket)
    }
}
