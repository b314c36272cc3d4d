//! The latest values of a channel.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use super::{Common, log::BYTES};
use crate::engine::{Keep, Latest, Placed};

/// The newest publication of each key, or under no key of all.
pub(super) struct Values {
    /// INVARIANT: each stands here once, and under its key below.
    by_offset: BTreeMap<u64, Value>,
    by_key: HashMap<Option<Box<str>>, u64>,
    bytes: usize,
    /// What was let go of stood here, or before.
    floor: u64,
}

struct Value {
    at: Instant,
    placed: Placed,
}

impl Values {
    /// Those of publications after this offset.
    pub(super) fn after(floor: u64) -> Self {
        Self {
            by_offset: BTreeMap::new(),
            by_key: HashMap::new(),
            bytes: 0,
            floor,
        }
    }

    pub(super) fn put(&mut self, placed: Placed, latest: Latest, common: &Common, now: Instant) {
        let offset = placed.position.offset;
        let key = match latest {
            Latest::Keys => placed.publication.key.clone(),
            _ => None,
        };
        if let Some(before) = self.by_key.insert(key, offset) {
            self.drop_at(before, common);
        }
        if latest != Latest::Keys {
            self.floor = offset.saturating_sub(1);
        }
        let value = Value { at: now, placed };
        common.take(value.size());
        self.bytes += value.size();
        self.by_offset.insert(offset, value);
    }

    /// Those of every key, in the order in which they were published.
    pub(super) fn all(&self) -> Vec<Placed> {
        let values = self.by_offset.values();
        values.map(|value| value.placed.clone()).collect()
    }

    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_offset.is_empty()
    }

    /// Lets go of what was told longest ago: too many, too large, too old, or so many bytes over what all channels may keep
    /// together.
    pub(super) fn trim(&mut self, keep: Keep, common: &Common, now: Instant, mut over: usize) {
        let most = match keep.latest {
            Latest::Nothing => 0,
            Latest::Channel => 1,
            Latest::Keys => Latest::KEYS,
        };
        let ttl = match keep.history.size {
            0 => Latest::TTL,
            _ => keep.history.ttl,
        };
        while let Some((&offset, oldest)) = self.by_offset.first_key_value()
            && (self.by_offset.len() > most
                || self.bytes > BYTES
                || over > 0
                || now.saturating_duration_since(oldest.at) >= ttl)
        {
            // It was put under its key, or under none: what the channel keeps may have changed meanwhile.
            for key in [&oldest.placed.publication.key, &None] {
                if self.by_key.get(key) == Some(&offset) {
                    self.by_key.remove(key);
                }
            }
            self.floor = offset;
            over = over.saturating_sub(self.drop_at(offset, common));
        }
    }

    pub(super) fn clear(&mut self, common: &Common) {
        for offset in std::mem::take(&mut self.by_key).into_values() {
            self.drop_at(offset, common);
        }
    }

    /// Returns how many bytes that frees.
    fn drop_at(&mut self, offset: u64, common: &Common) -> usize {
        let value = self.by_offset.remove(&offset);
        let freed = value.map_or(0, |value| value.size());
        common.give_back(freed);
        self.bytes -= freed;
        freed
    }
}

impl Value {
    /// In bytes, with what it costs to keep it at all, and its key, which stands there twice.
    fn size(&self) -> usize {
        let publication = &self.placed.publication;
        let key = publication.key.as_ref().map_or(0, |key| key.len());
        publication.size() + key + 2 * size_of::<Self>()
    }
}
