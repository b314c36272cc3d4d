//! When a client is told that its socket soon ends, so that it can prove anew in time who it is.

use std::time::Duration;

use wardwire_admission::{
    clock::Timestamp,
    lease::{Lease, LeaseStatus},
};

/// It is told so long before the end, or when half of its time is over.
const LEAD: Duration = Duration::from_secs(30);

/// The end of a lease, of which a client is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) struct Expiry {
    until: Timestamp,
    /// [`Timestamp::NEVER`] once it was told.
    due: Timestamp,
}

impl Expiry {
    pub(in crate::session) fn new(lease: &Lease, now: Timestamp) -> Self {
        match lease.status(now) {
            LeaseStatus::Valid { until } => Self::of(until, now),
            LeaseStatus::Expired | LeaseStatus::Ended(_) => Self::of(Timestamp::NEVER, now),
        }
    }

    fn of(until: Timestamp, now: Timestamp) -> Self {
        if until == Timestamp::NEVER {
            return Self { until, due: until };
        }
        let left = now.until(until);
        let due = now.after(left - LEAD.min(left / 2));
        Self { until, due }
    }

    pub(super) fn due(self) -> Timestamp {
        self.due
    }

    /// After a fresh proof. One that holds no longer than the one before is no news: its end was told, or will be.
    pub(super) fn renewed(self, lease: &Lease, now: Timestamp) -> Self {
        let fresh = Self::new(lease, now);
        if fresh.until == self.until {
            self
        } else {
            fresh
        }
    }

    /// The end, if it is to be told now. By other rules a lease may hold for longer than it did.
    pub(super) fn notice(&mut self, lease: &Lease, now: Timestamp) -> Option<Timestamp> {
        if now < self.due {
            return None;
        }
        *self = self.renewed(lease, now);
        let told = now >= self.due;
        if told {
            self.due = Timestamp::NEVER;
        }
        told.then_some(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_half_a_minute_before_or_when_half_of_a_shorter_time_is_over() {
        let now = Timestamp::from_secs(1000);
        for (until, due) in [(4600, 4570), (1060, 1030), (1050, 1025), (1002, 1001)] {
            let expiry = Expiry::of(Timestamp::from_secs(until), now);
            assert_eq!(expiry.due(), Timestamp::from_secs(due), "{until}");
        }
        let never = Expiry::of(Timestamp::NEVER, now);
        assert_eq!(never.due(), Timestamp::NEVER);
    }
}
