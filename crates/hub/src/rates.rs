//! How much somebody may do, or how much a channel takes, all their sockets together.
//!
//! A place in time stands for each, up to which it has spent its allowance (GCRA, as ATM Forum TM 4.0 calls it): two numbers,
//! and no entry at all for those who spent nothing of late. Shards have locks of their own, so that loops seldom meet.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// So much in a time, all of which may be had at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Messages; none is no limit.
    pub messages: Option<u32>,
    /// Bytes; none is no limit. [Taken](Rates::take), something that is larger alone fits where nothing was spent.
    pub bytes: Option<u64>,
    /// The time. 1 ms to 1 h.
    pub per: Duration,
}

/// No limit.
impl Default for Rate {
    fn default() -> Self {
        Self {
            messages: None,
            bytes: None,
            per: Duration::from_secs(1),
        }
    }
}

/// What was spent, by whom.
pub struct Rates {
    began: Instant,
    state: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

#[derive(Default)]
struct Shard {
    spent: HashMap<u64, Spent>,
    /// When it may be looked through again, in nanoseconds since the beginning.
    again: u64,
}

/// Up to when the allowances are spent, in nanoseconds since the beginning.
#[derive(Clone, Copy, Default)]
struct Spent {
    messages: u64,
    bytes: u64,
}

/// Between two looks through a shard that is full, in nanoseconds: who fills it must not make every message look.
const PAUSE: u64 = 100_000_000;
const SHARDS: usize = 64;
/// Entries of one shard. Beyond it those who have spent nothing of late are let go of; while nobody is, whoever is new waits.
const MOST: usize = 16_384;

impl Default for Rates {
    fn default() -> Self {
        Self::new(Instant::now())
    }
}

impl Rates {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            state: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// What stands for somebody, by a hash of which nobody can find collisions.
    pub fn key(&self, who: impl Hash) -> u64 {
        self.state.hash_one(who)
    }

    /// Takes a message of so many bytes, or nothing.
    ///
    /// # Errors
    /// It is too much: the time after which it is not, if nothing is asked of it until then.
    pub fn take(&self, key: u64, rate: &Rate, bytes: usize, now: Instant) -> Result<(), Duration> {
        if rate.messages.is_none() && rate.bytes.is_none() {
            return Ok(());
        }
        let per = nanos(rate.per).max(1);
        let now = nanos(now.saturating_duration_since(self.began));
        let at = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(at) else {
            return Err(rate.per);
        };
        let mut shard = shard.lock();
        let before = shard.spent.get(&key).copied().unwrap_or_default();
        let messages = spend(before.messages, rate.messages.map(u64::from), 1, per, now)?;
        let bytes = spend(before.bytes, rate.bytes, bytes as u64, per, now)?;
        if shard.spent.len() >= MOST && !shard.spent.contains_key(&key) {
            if now >= shard.again {
                shard.again = now.saturating_add(PAUSE);
                shard.let_go(now);
            }
            if shard.spent.len() >= MOST {
                return Err(rate.per);
            }
        }
        shard.spent.insert(key, Spent { messages, bytes });
        Ok(())
    }

    /// How many have spent something, or had.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().spent.len())
            .sum()
    }

    /// Whether nobody has.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets go of those who have spent nothing of late.
    pub fn sweep(&self, now: Instant) {
        let now = nanos(now.saturating_duration_since(self.began));
        for shard in &self.shards {
            shard.lock().let_go(now);
        }
    }
}

impl Shard {
    fn let_go(&mut self, now: u64) {
        let spent = &mut self.spent;
        spent.retain(|_, spent| spent.messages > now || spent.bytes > now);
        if spent.len() < spent.capacity() / 4 {
            spent.shrink_to(spent.len() * 2);
        }
    }
}

/// Up to when an allowance is spent with so much more of it.
fn spend(before: u64, most: Option<u64>, count: u64, per: u64, now: u64) -> Result<u64, Duration> {
    let Some(most) = most else {
        return Ok(0);
    };
    let price = u128::from(count) * u128::from(per) / u128::from(most.max(1));
    let price = u64::try_from(price).unwrap_or(u64::MAX);
    let after = before.max(now).saturating_add(price);
    let full = now.saturating_add(per);
    match after <= full || before <= now {
        true => Ok(after),
        // What is larger than all of it waits until nothing is spent.
        false => Err(Duration::from_nanos((after - full).min(before - now))),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        messages: Some(10),
        bytes: Some(1000),
        per: Duration::from_secs(1),
    };

    #[test]
    fn an_allowance_is_had_at_once_and_comes_back_with_time() {
        let start = Instant::now();
        let rates = Rates::new(start);
        let taken = |at: Instant| {
            (0..100)
                .filter(|_| rates.take(1, &RATE, 1, at).is_ok())
                .count()
        };
        assert_eq!(taken(start), 10);
        assert_eq!(taken(start + Duration::from_millis(500)), 5);
        assert_eq!(
            taken(start + Duration::from_secs(3600)),
            10,
            "no more is saved up"
        );
        assert!(
            rates.take(2, &RATE, 1, start).is_ok(),
            "others have their own"
        );
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_through() {
        let start = Instant::now();
        let rates = Rates::new(start);
        assert_eq!(rates.take(1, &RATE, 900, start), Ok(()));
        let wait = rates.take(1, &RATE, 300, start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(200));
        let almost = start + wait - Duration::from_millis(1);
        assert!(rates.take(1, &RATE, 300, almost).is_err());
        assert_eq!(rates.take(1, &RATE, 300, start + wait), Ok(()));
    }

    #[test]
    fn what_is_larger_than_the_allowance_fits_alone_and_is_paid_for() {
        let start = Instant::now();
        let rates = Rates::new(start);
        assert_eq!(rates.take(1, &RATE, 5000, start), Ok(()));
        let wait = rates.take(1, &RATE, 5000, start).unwrap_err();
        assert_eq!(wait, Duration::from_secs(5));
        assert_eq!(rates.take(1, &RATE, 5000, start + wait), Ok(()));
    }

    #[test]
    fn a_refused_message_costs_nothing() {
        let start = Instant::now();
        let rates = Rates::new(start);
        assert_eq!(rates.take(1, &RATE, 1000, start), Ok(()));
        for _ in 0..100 {
            assert!(rates.take(1, &RATE, 10, start).is_err());
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(
            (0..20)
                .filter(|_| rates.take(1, &RATE, 1, later).is_ok())
                .count(),
            10
        );
    }

    #[test]
    fn those_who_spent_nothing_of_late_take_no_room() {
        let start = Instant::now();
        let rates = Rates::new(start);
        let more = (MOST * SHARDS * 2) as u64;
        let taken = (0..more).filter(|key| rates.take(*key, &RATE, 1, start).is_ok());
        assert_eq!(taken.count(), MOST * SHARDS);
        let later = start + Duration::from_secs(2);
        assert!(rates.take(more, &RATE, 1, later).is_ok());
        rates.sweep(later);
        assert_eq!(rates.len(), 1);
    }
}
