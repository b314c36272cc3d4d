//! Which publications came once already.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use parking_lot::Mutex;

use crate::engine::{EngineError, Once, Position};

/// The ids of all channels, for as long as they are promised.
///
/// What does not fit is refused rather than that a promise is broken: nobody's id is forgotten before its time because others,
/// or the publisher, have many.
#[derive(Default)]
pub(super) struct Ids {
    /// By publisher, so that those who publish at once seldom meet.
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    known: HashMap<[u8; 32], Position>,
    /// Oldest first.
    order: VecDeque<(Instant, Once)>,
    /// How many each publisher has. Nobody stands here with none.
    each: HashMap<u64, usize>,
}

const SHARDS: usize = 8;
/// Ids that are known at once, about: some 150 bytes each.
const ALL: usize = 1 << 19;
/// Of these, those of one publisher: more than fifty a second.
const OWN: usize = 1 << 14;

impl Ids {
    /// Where what has this id stands. None if it is new: then it stands at this position from now on.
    pub(super) fn claim(
        &self,
        once: Once,
        position: Position,
        now: Instant,
    ) -> Result<Option<Position>, EngineError> {
        let number = usize::try_from(once.publisher % SHARDS as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(number) else {
            return Err(EngineError::Full);
        };
        let mut shard = shard.lock();
        shard.expire(now);
        if let Some(position) = shard.known.get(&once.key) {
            return Ok(Some(*position));
        }
        let own = shard.each.get(&once.publisher).copied().unwrap_or_default();
        if own >= shard.own() {
            return Err(EngineError::Full);
        }
        shard.each.insert(once.publisher, own + 1);
        shard.known.insert(once.key, position);
        shard.order.push_back((now, once));
        Ok(None)
    }

    /// Lets go of those whose time is over.
    pub(super) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.expire(now);
            shard.shrink();
        }
    }
}

impl Shard {
    /// How many one publisher may have now. Where it grows tight, a small part of what is free: many who take all they can
    /// leave some to who has none.
    fn own(&self) -> usize {
        let free = (ALL / SHARDS).saturating_sub(self.known.len());
        match free >= ALL / SHARDS / 4 {
            true => OWN,
            false => OWN.min(free / 16),
        }
    }

    fn expire(&mut self, now: Instant) {
        while let Some((at, once)) = self.order.front().copied()
            && now.saturating_duration_since(at) >= Once::WINDOW
        {
            self.order.pop_front();
            self.known.remove(&once.key);
            match self.each.get_mut(&once.publisher) {
                Some(own) if *own > 1 => *own -= 1,
                _ => drop(self.each.remove(&once.publisher)),
            }
        }
    }

    /// Gives back room that a flood has left.
    fn shrink(&mut self) {
        if self.known.len() < self.known.capacity() / 4 {
            self.known.shrink_to(self.known.len() * 2);
            self.order.shrink_to(self.order.len() * 2);
        }
        if self.each.len() < self.each.capacity() / 4 {
            self.each.shrink_to(self.each.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(number: u32, publisher: u64) -> Once {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        Once { key, publisher }
    }

    const AT: Position = Position {
        epoch: 1,
        offset: 1,
    };

    #[test]
    fn a_publisher_with_too_many_ids_is_refused_and_costs_nobody_else_anything() {
        let (ids, now) = (Ids::default(), Instant::now());
        for number in 0..u32::try_from(OWN).unwrap() {
            assert_eq!(ids.claim(once(number, 1), AT, now), Ok(None));
        }
        let beyond = once(u32::MAX, 1);
        assert_eq!(ids.claim(beyond, AT, now), Err(EngineError::Full));
        assert_eq!(ids.claim(once(0, 1), AT, now), Ok(Some(AT)), "its first");
        let other = once(u32::MAX - 1, 1 + SHARDS as u64);
        assert_eq!(ids.claim(other, AT, now), Ok(None), "a neighbour's");
        assert_eq!(ids.claim(once(u32::MAX, 2), AT, now), Ok(None));
        let later = now + Once::WINDOW;
        assert_eq!(ids.claim(beyond, AT, later), Ok(None));
    }

    #[test]
    fn however_many_publishers_take_all_they_can_another_finds_room() {
        let (ids, now) = (Ids::default(), Instant::now());
        let mut numbers = 0..;
        let mut take = |publisher: u64| {
            let id = once(numbers.next().unwrap(), publisher * SHARDS as u64);
            ids.claim(id, AT, now)
        };
        for greedy in 1..=50 {
            while take(greedy).is_ok() {}
        }
        for _ in 0..50 {
            assert_eq!(take(1000), Ok(None));
        }
    }

    #[test]
    fn nothing_stays_of_ids_whose_time_is_over() {
        let (ids, now) = (Ids::default(), Instant::now());
        for number in 0..1000 {
            ids.claim(once(number, u64::from(number)), AT, now).unwrap();
        }
        ids.sweep(now + Once::WINDOW);
        for shard in &ids.shards {
            let shard = shard.lock();
            assert!(shard.known.is_empty() && shard.order.is_empty() && shard.each.is_empty());
            assert!(shard.known.capacity() == 0 && shard.each.capacity() == 0);
        }
    }
}
