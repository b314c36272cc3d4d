//! The sockets of a shard, each under a key that is never given to another, with what is looked at for many of them at once
//! kept side by side.

use std::time::{Duration, Instant};

use slab::Slab;
use wardwire_hub::fanout::SocketKey;

use super::{lingering::Lingering, socket::Socket};

#[derive(Default)]
pub(super) struct Sockets {
    slab: Slab<Entry>,
    /// How many there ever were. A key is this and the place.
    ever: u32,
}

pub(super) struct Entry {
    pub(super) tenant: Tenant,
    /// What this turn's publications bring it.
    pub(super) noted: Noted,
    /// When something may be due; never too late.
    pub(super) due: Instant,
    birth: u32,
}

pub(super) enum Tenant {
    Open(Box<Socket>),
    Lingering(Box<Lingering>),
}

/// What a turn brings a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Noted {
    #[default]
    Nothing,
    /// The batch at this place, whole.
    Batch(usize),
    /// What its outbox holds.
    Outbox,
}

/// Later than anything that is waited for.
const FAR: Duration = Duration::from_secs(24 * 3600);

impl Sockets {
    /// Takes somebody in, due at once.
    pub(super) fn insert(
        &mut self,
        make: impl FnOnce(SocketKey) -> Tenant,
        now: Instant,
    ) -> SocketKey {
        self.ever = self.ever.wrapping_add(1);
        let vacant = self.slab.vacant_entry();
        let key = key(vacant.key(), self.ever);
        vacant.insert(Entry {
            tenant: make(key),
            noted: Noted::Nothing,
            due: now,
            birth: self.ever,
        });
        key
    }

    pub(super) fn get_mut(&mut self, key: SocketKey) -> Option<&mut Entry> {
        let (place, birth) = parts(key);
        self.slab
            .get_mut(place)
            .filter(|entry| entry.birth == birth)
    }

    pub(super) fn open(&mut self, key: SocketKey) -> Option<(&mut Socket, &mut Noted)> {
        let entry = self.get_mut(key)?;
        match &mut entry.tenant {
            Tenant::Open(socket) => Some((socket, &mut entry.noted)),
            Tenant::Lingering(_) => None,
        }
    }

    /// The key of whoever is at this place.
    pub(super) fn at(&self, place: usize) -> Option<SocketKey> {
        self.slab.get(place).map(|entry| key(place, entry.birth))
    }

    pub(super) fn remove(&mut self, key: SocketKey) -> Option<Tenant> {
        self.get_mut(key)?;
        Some(self.slab.remove(parts(key).0).tenant)
    }

    pub(super) fn keys(&self) -> Vec<SocketKey> {
        let each = self.slab.iter();
        each.map(|(place, entry)| key(place, entry.birth)).collect()
    }

    /// Those for which something may be due, and when it is for the first of the others.
    pub(super) fn due(&mut self, now: Instant) -> (Vec<SocketKey>, Instant) {
        let (mut due, mut next) = (Vec::new(), now + FAR);
        // A crowd that has left leaves its room.
        if self.slab.len() < self.slab.capacity() / 4 {
            self.slab.shrink_to_fit();
        }
        for (place, entry) in &mut self.slab {
            if entry.due <= now {
                entry.due = now + FAR;
                due.push(key(place, entry.birth));
            } else {
                next = next.min(entry.due);
            }
        }
        (due, next)
    }
}

fn key(place: usize, birth: u32) -> SocketKey {
    SocketKey((u64::from(birth) << 32) | place as u64)
}

/// Where in the slab it is.
pub(super) fn place(key: SocketKey) -> usize {
    parts(key).0
}

fn parts(SocketKey(key): SocketKey) -> (usize, u32) {
    ((key & 0xFFFF_FFFF) as usize, (key >> 32) as u32)
}
