//! This process's memory. It answers at once, and ends with the process.
//!
//! A [`Log`] is a channel's, with a lock of its own. What they share is bounded for all of them together: the bytes of what is
//! kept, and the ids of what was published [once](ids).

mod ids;
mod latest;
mod log;
mod presence;
mod sets;

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use wardwire_protocol::channel::ChannelName;

use super::{Durability, Engine, Keep, Position, Presence, Sets};
use ids::Ids;
use log::Log;

/// Everything in this process's memory.
pub struct Memory {
    common: Arc<Common>,
    presence: presence::Attendants,
    sets: sets::Shelves,
}

/// What all logs share.
struct Common {
    used: AtomicUsize,
    /// The most bytes that they keep together.
    most: usize,
    ids: Ids,
}

impl Memory {
    /// Keeps at most so many bytes of all channels together.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self::with_room(most, ROOM)
    }

    /// With so many sockets present in one channel at most.
    pub(crate) fn with_room(most: usize, room: usize) -> Self {
        let common = Common {
            used: AtomicUsize::new(0),
            most,
            ids: Ids::default(),
        };
        Self {
            common: Arc::new(common),
            presence: presence::Attendants::new(room),
            sets: sets::Shelves::default(),
        }
    }
}

/// Sockets present in one channel: some 300 bytes each.
const ROOM: usize = 100_000;

impl Engine for Memory {
    fn durability(&self) -> Durability {
        Durability::Memory
    }

    /// A log that begins. Its epoch is random, so that a position from an earlier life is known as one.
    fn open(&self, _: &ChannelName, keep: Keep) -> Arc<dyn super::Log> {
        let epoch = RandomState::new().hash_one("epoch");
        let end = Position { epoch, offset: 0 };
        Arc::new(Log::new(end, keep, self.common.clone()))
    }

    fn presence(&self) -> &dyn Presence {
        &self.presence
    }

    fn sets(&self) -> &dyn Sets {
        &self.sets
    }

    fn used(&self) -> usize {
        self.common.used()
    }

    fn sweep(&self, now: Instant) {
        self.common.ids.sweep(now);
        self.presence.sweep(now);
        self.sets.sweep(now);
    }
}

impl Common {
    fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// How much more they keep together than they may.
    fn over(&self) -> usize {
        self.used().saturating_sub(self.most)
    }
}
