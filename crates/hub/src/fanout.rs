//! One event loop's side of the hub: which of its sockets follow which channel, and what a turn brings them.
//!
//! A loop owns its side alone; publications reach it through its mailbox, each once and prepared. What a turn brings of one
//! channel is put together once, as a [`Batch`], for all who follow it: once plain, and once for each encoding that some of
//! them agreed on.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    task::Waker,
};

use wardwire_protocol::deflate::{Deflater, Encoding};

use crate::mailbox::Mailbox;

pub(crate) use crate::batch::Delivery;
pub use crate::batch::{Batch, Follower, Origin, Part};

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
    plain: Group,
    /// Those who agreed on an encoding. No group stands here without followers or a batch.
    deflated: Vec<(Encoding, Group)>,
}

/// Followers who are sent the same bytes.
#[derive(Default)]
struct Group {
    /// Each with the offset it has: what comes to it lies behind.
    followers: HashMap<SocketKey, u64>,
    /// Its place among the batches of this turn.
    batch: Option<usize>,
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

    pub(crate) fn origin(&self, socket: SocketKey) -> Origin {
        let number = self.number;
        Origin { number, socket }
    }

    /// Says whom to wake when something comes. False if something is there to collect.
    #[must_use]
    pub fn wait(&self, reader: &Waker) -> bool {
        self.taken.is_empty() && self.mailbox.wait(reader)
    }

    /// False if it follows already.
    pub(crate) fn follow(
        &mut self,
        channel: u64,
        socket: SocketKey,
        encoding: Option<Encoding>,
        after: u64,
    ) -> bool {
        let local = self.channels.entry(channel).or_default();
        let before = local.entry(encoding).followers.insert(socket, after);
        before.is_none()
    }

    /// False if it did not follow.
    pub(crate) fn leave(
        &mut self,
        channel: u64,
        socket: SocketKey,
        encoding: Option<Encoding>,
    ) -> bool {
        let Some(local) = self.channels.get_mut(&channel) else {
            return false;
        };
        let group = local.group_mut(encoding);
        let left = group.is_some_and(|group| group.leave(socket));
        if local.tidy() {
            self.channels.remove(&channel);
        }
        left
    }

    /// Puts together what has come: at most so many publications and about so many bytes, the rest next time. Bytes count
    /// once for each encoding that they are wanted in: each is a deflate.
    pub fn collect(&mut self, messages: usize, bytes: usize, deflater: &mut Deflater) {
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
            let length = delivery.frame.as_bytes().len();
            size += length;
            let Some(local) = self.channels.get_mut(&delivery.channel) else {
                continue;
            };
            for (encoding, group) in &mut local.deflated {
                size += length;
                let frame = delivery.frame.deflated(*encoding, deflater);
                let deflated = Delivery {
                    frame,
                    ..delivery.clone()
                };
                group.push(&mut self.batches, Some(*encoding), deflated, self.number);
            }
            if !local.plain.followers.is_empty() {
                local
                    .plain
                    .push(&mut self.batches, None, delivery, self.number);
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

    /// To whom a batch goes.
    pub fn followers(&self, batch: &Batch) -> impl Iterator<Item = Follower> + use<'_> {
        let local = self.channels.get(&batch.channel());
        let group = local.and_then(|local| local.group(batch.encoding()));
        group.into_iter().flat_map(|group| {
            let followers = group.followers.iter();
            followers.map(|(&socket, &after)| Follower { socket, after })
        })
    }

    /// Lets go of this turn's batches.
    pub fn clear(&mut self) {
        for batch in self.batches.drain(..) {
            let Some(local) = self.channels.get_mut(&batch.channel()) else {
                continue;
            };
            if let Some(group) = local.group_mut(batch.encoding()) {
                group.batch = None;
            }
            if local.tidy() {
                self.channels.remove(&batch.channel());
            }
        }
    }
}

impl Local {
    fn group(&self, encoding: Option<Encoding>) -> Option<&Group> {
        let Some(encoding) = encoding else {
            return Some(&self.plain);
        };
        let groups = &mut self.deflated.iter();
        groups
            .find(|(its, _)| *its == encoding)
            .map(|(_, group)| group)
    }

    fn group_mut(&mut self, encoding: Option<Encoding>) -> Option<&mut Group> {
        let Some(encoding) = encoding else {
            return Some(&mut self.plain);
        };
        let groups = &mut self.deflated.iter_mut();
        groups
            .find(|(its, _)| *its == encoding)
            .map(|(_, group)| group)
    }

    fn entry(&mut self, encoding: Option<Encoding>) -> &mut Group {
        let Some(encoding) = encoding else {
            return &mut self.plain;
        };
        let known = self.deflated.iter().position(|(its, _)| *its == encoding);
        let place = known.unwrap_or(self.deflated.len());
        if known.is_none() {
            self.deflated.push((encoding, Group::default()));
        }
        match self.deflated.get_mut(place) {
            Some((_, group)) => group,
            None => &mut self.plain,
        }
    }

    /// Lets go of groups that nobody is in. True if none is left.
    fn tidy(&mut self) -> bool {
        self.deflated.retain(|(_, group)| !group.is_idle());
        self.deflated.is_empty() && self.plain.is_idle()
    }
}

impl Group {
    fn push(
        &mut self,
        batches: &mut Vec<Batch>,
        encoding: Option<Encoding>,
        delivery: Delivery,
        number: usize,
    ) {
        let place = *self.batch.get_or_insert_with(|| {
            batches.push(Batch::new(delivery.channel, encoding));
            batches.len() - 1
        });
        if let Some(batch) = batches.get_mut(place) {
            batch.push(delivery, number);
        }
    }

    fn leave(&mut self, socket: SocketKey) -> bool {
        let followers = &mut self.followers;
        let left = followers.remove(&socket).is_some();
        if followers.len() < followers.capacity() / 4 {
            followers.shrink_to(followers.len() * 2);
        }
        left
    }

    fn is_idle(&self) -> bool {
        self.followers.is_empty() && self.batch.is_none()
    }
}

/// Room for deliveries that a loop keeps from turn to turn.
const KEEP: usize = 1024;
