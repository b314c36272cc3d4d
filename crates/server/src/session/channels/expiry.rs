//! When a client is told that its socket soon ends, so that it can prove anew in time who it is.

use std::time::Duration;

use wardwire_admission::clock::Timestamp;

/// It is told so long before the end, or when half of its time is over.
const LEAD: Duration = Duration::from_secs(30);

/// The end of a lease, of which a client is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Expiry {
    until: Timestamp,
    /// [`Timestamp::NEVER`] once it was told.
    due: Timestamp,
}

impl Expiry {
    /// None that is known.
    pub(super) const NEVER: Self = Self {
        until: Timestamp::NEVER,
        due: Timestamp::NEVER,
    };

    fn of(until: Timestamp, now: Timestamp) -> Self {
        if until == Timestamp::NEVER {
            return Self::NEVER;
        }
        let left = now.until(until);
        let due = now.after(left - LEAD.min(left / 2));
        Self { until, due }
    }

    pub(super) fn due(self) -> Timestamp {
        self.due
    }

    /// Goes by this end from now on. The same as before is no news, by whatever proof: it was told, or will be.
    pub(super) fn lasts_until(&mut self, until: Timestamp, now: Timestamp) {
        if until != self.until {
            *self = Self::of(until, now);
        }
    }

    /// The end, if it is to be told now.
    pub(super) fn notice(&mut self, now: Timestamp) -> Option<Timestamp> {
        let is_due = now >= self.due;
        if is_due {
            self.due = Timestamp::NEVER;
        }
        is_due.then_some(self.until)
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

    #[test]
    fn each_end_is_told_once_however_often_it_is_found() {
        let at = Timestamp::from_secs;
        let mut expiry = Expiry::NEVER;
        expiry.lasts_until(at(1100), at(1000));
        expiry.lasts_until(at(1100), at(1069));
        assert_eq!(expiry.notice(at(1069)), None);
        assert_eq!(expiry.notice(at(1070)), Some(at(1100)));
        expiry.lasts_until(at(1100), at(1071));
        assert_eq!(expiry.notice(at(1099)), None);
        // Nearer or farther.
        for (until, due) in [(1080, 1076), (1300, 1270)] {
            expiry.lasts_until(at(until), at(1072));
            assert_eq!(expiry.due(), at(due));
        }
        expiry.lasts_until(Timestamp::NEVER, at(1073));
        assert_eq!(expiry.notice(at(9999)), None);
    }
}
