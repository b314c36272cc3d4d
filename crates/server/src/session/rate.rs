//! A token bucket: so many messages a second, with one second's worth saved up.

use std::time::{Duration, Instant};

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

    /// Takes one.
    ///
    /// # Errors
    /// Nothing is left: the time after which there is, if nothing is asked of it until then.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        if self.per_second == 0 {
            return Ok(());
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
                Ok(())
            }
            None => {
                let missing = 1000_u64.saturating_sub(self.saved_thousandths);
                Err(Duration::from_millis(
                    missing.div_ceil(u64::from(self.per_second)),
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_ends_at_one_seconds_worth_and_refills_with_time() {
        let start = Instant::now();
        let mut rate = Rate::new(10, start);
        assert_eq!((0..20).filter(|_| rate.take(start).is_ok()).count(), 10);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..20).filter(|_| rate.take(later).is_ok()).count(), 5);
    }

    #[test]
    fn waiting_longer_saves_no_more_than_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(3, start);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..20).filter(|_| rate.take(later).is_ok()).count(), 3);
    }

    #[test]
    fn zero_means_no_limit() {
        let start = Instant::now();
        let mut rate = Rate::new(0, start);
        assert!((0..100_000).all(|_| rate.take(start).is_ok()));
    }

    #[test]
    fn who_waits_as_long_as_told_gets_one_and_who_waits_less_does_not() {
        for per_second in [1, 3, 7, 50, 999, 5000] {
            let start = Instant::now();
            let mut rate = Rate::new(per_second, start);
            let wait = loop {
                if let Err(wait) = rate.take(start) {
                    break wait;
                }
            };
            let early = start + wait.saturating_sub(Duration::from_millis(1));
            assert!(Rate::clone(&rate).take(early).is_err(), "{per_second}");
            assert_eq!(rate.take(start + wait), Ok(()), "{per_second}");
        }
    }
}
