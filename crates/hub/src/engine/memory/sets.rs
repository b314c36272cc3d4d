//! The small shared sets in memory.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::engine::{Answer, Claim, EngineError, Reply, Set, Sets};

/// All sets, each with a lock of its own.
#[derive(Default)]
pub(super) struct Shelves {
    tickets: Mutex<Shelf>,
    proofs: Mutex<Shelf>,
    revocations: Mutex<Shelf>,
    sessions: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    entries: HashMap<Arc<[u8]>, Held>,
    /// INVARIANT: each entry by its end.
    ends: BTreeSet<(Instant, Arc<[u8]>)>,
}

struct Held {
    until: Instant,
    value: Arc<[u8]>,
}

impl Shelves {
    fn of(&self, set: Set) -> &Mutex<Shelf> {
        match set {
            Set::Tickets => &self.tickets,
            Set::Proofs => &self.proofs,
            Set::Revocations => &self.revocations,
            Set::Sessions => &self.sessions,
        }
    }

    pub(super) fn sweep(&self, now: Instant) {
        for set in Set::ALL {
            let mut shelf = self.of(set).lock();
            shelf.expire(now);
            if shelf.entries.len() < shelf.entries.capacity() / 4 {
                let room = shelf.entries.len() * 2;
                shelf.entries.shrink_to(room);
            }
        }
    }
}

impl Sets for Shelves {
    fn claim(&self, set: Set, key: &[u8], lease: Duration, now: Instant) -> Reply<Claim> {
        let mut shelf = self.of(set).lock();
        shelf.expire(now);
        if shelf.entries.contains_key(key) {
            return Answer::Now(Ok(Claim::Taken));
        }
        let put = shelf.put(key, &[], lease, now);
        Answer::Now(put.map(|()| Claim::First))
    }

    fn put(&self, set: Set, key: &[u8], value: &[u8], lease: Duration, now: Instant) -> Reply<()> {
        let mut shelf = self.of(set).lock();
        shelf.expire(now);
        Answer::Now(shelf.put(key, value, lease, now))
    }

    fn get(&self, set: Set, key: &[u8], now: Instant) -> Reply<Option<Arc<[u8]>>> {
        let mut shelf = self.of(set).lock();
        shelf.expire(now);
        let found = shelf.entries.get(key).map(|held| held.value.clone());
        Answer::Now(Ok(found))
    }

    fn remove(&self, set: Set, key: &[u8], now: Instant) -> Reply<Option<Arc<[u8]>>> {
        let mut shelf = self.of(set).lock();
        shelf.expire(now);
        Answer::Now(Ok(shelf.remove(key)))
    }
}

impl Shelf {
    fn put(
        &mut self,
        key: &[u8],
        value: &[u8],
        lease: Duration,
        now: Instant,
    ) -> Result<(), EngineError> {
        let known = self.entries.contains_key(key);
        let fits = key.len() <= Set::KEY && value.len() <= Set::VALUE;
        let until = now.checked_add(lease);
        let Some(until) = until.filter(|_| fits && (known || self.entries.len() < Set::KEYS))
        else {
            return Err(EngineError::Full);
        };
        self.remove(key);
        if lease.is_zero() {
            return Ok(());
        }
        let key: Arc<[u8]> = key.into();
        self.ends.insert((until, key.clone()));
        let value = value.into();
        self.entries.insert(key, Held { until, value });
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Option<Arc<[u8]>> {
        let (key, held) = self.entries.remove_entry(key)?;
        self.ends.remove(&(held.until, key));
        Some(held.value)
    }

    fn expire(&mut self, now: Instant) {
        while let Some((until, _)) = self.ends.first()
            && *until <= now
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.entries.remove(&key);
        }
    }
}
