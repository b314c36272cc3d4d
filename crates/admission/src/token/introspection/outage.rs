//! Whether somebody who fails again and again is asked for now.

use std::time::Duration;

use tokio::time::Instant;

/// After so many failures in a row there is a pause.
const FAILURES: u32 = 32;
/// So long; then one failure more begins the next.
const PAUSE: Duration = Duration::from_secs(1);

/// What the last questions came to.
#[derive(Default)]
pub(super) struct Outage {
    failures: u32,
    until: Option<Instant>,
}

impl Outage {
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    pub(super) fn note(&mut self, answered: bool, now: Instant) {
        if answered {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES {
            self.until = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_begin_a_pause_and_one_answer_ends_it() {
        let (mut outage, now) = (Outage::default(), Instant::now());
        for _ in 0..FAILURES - 1 {
            outage.note(false, now);
        }
        assert!(!outage.is_on(now));
        outage.note(true, now);
        outage.note(false, now);
        assert!(!outage.is_on(now), "not in a row");
        for _ in 1..FAILURES {
            outage.note(false, now);
        }
        assert!(outage.is_on(now));
        let later = now + PAUSE;
        assert!(!outage.is_on(later));
        outage.note(false, later);
        assert!(outage.is_on(later), "the next one failed as well");
        outage.note(true, later);
        assert!(!outage.is_on(later));
    }
}
