//! A token bucket: so many messages a second, with one second's worth saved up.

use std::time::Instant;

/// How much of its allowance a socket has left.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    per_second: u32,
    saved_thousandths: u64,
    at: Instant,
}

impl Rate {
    /// `per_second` of nothing means no limit.
    #[must_use]
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second,
            saved_thousandths: u64::from(per_second) * 1000,
            at: now,
        }
    }

    /// Takes one. False when nothing is left.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        let elapsed = now.saturating_duration_since(self.at).as_millis();
        let full = u64::from(self.per_second) * 1000;
        let earned = u64::try_from(elapsed)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(self.per_second));
        if earned > 0 {
            self.saved_thousandths = self.saved_thousandths.saturating_add(earned).min(full);
            self.at = now;
        }
        match self.saved_thousandths.checked_sub(1000) {
            Some(left) => {
                self.saved_thousandths = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_ends_at_one_seconds_worth_and_refills_with_time() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        assert_eq!((0..20).filter(|_| rate.take(start)).count(), 10);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..20).filter(|_| rate.take(later)).count(), 5);
    }

    #[test]
    fn waiting_longer_saves_no_more_than_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(3, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..20).filter(|_| rate.take(later)).count(), 3);
    }

    #[test]
    fn zero_means_no_limit() {
        let start = Instant::now();
        let mut rate = Rate::new(0, start);
        assert!((0..100_000).all(|_| rate.take(start)));
    }
}
