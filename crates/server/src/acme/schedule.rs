//! When a certificate is renewed, and when a failure is tried again. Nothing here asks a clock.

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use super::Validity;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// After the first failure. Let's Encrypt allows five failed validations of a host an hour.
const FIRST: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// The longest that an authority may ask us to wait, and so the longest that it can keep us from asking.
pub(super) const MOST_WAIT: Duration = DAY;

/// When to renew: at two thirds of the lifetime, or where in `window` the authority wants it (RFC 9773 §4.2), if it said so.
/// `chance`, from 0 to 1, spreads those who got their certificates together.
///
/// An authority is believed within bounds: not in the first tenth of the lifetime (at most a day), so that one that is never
/// content does not get an order a minute, and not in its last sixth.
pub(super) fn due(
    validity: &Validity,
    window: Option<&Range<SystemTime>>,
    chance: f64,
) -> SystemTime {
    let lifetime = validity.lifetime();
    let chance = chance.clamp(0.0, 1.0);
    let Some(window) = window else {
        // Earlier, never later.
        return validity.begins + lifetime * 2 / 3 - (lifetime / 30).mul_f64(chance);
    };
    let width = window.end.duration_since(window.start).unwrap_or_default();
    let wanted = window.start.checked_add(width.mul_f64(chance));
    let earliest = validity.begins + (lifetime / 10).min(DAY);
    let latest = validity.begins + lifetime * 5 / 6;
    wanted.unwrap_or(latest).clamp(earliest, latest)
}

/// How long to wait after so many failures one after the other. Doubled each time; a third of what is left of the
/// certificate's validity where that is sooner, so that a short-lived one gets its tries; and never less than the authority
/// asked for.
pub(super) fn patience(
    failures: u32,
    in_use: Option<&Validity>,
    now: SystemTime,
    asked: Option<Duration>,
) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16));
    let doubled = doubled.min(LONGEST);
    let wait = match in_use {
        None => doubled,
        Some(validity) => {
            let least = FIRST.min(validity.lifetime() / 20);
            doubled.min(validity.left(now) / 3).max(least)
        }
    };
    wait.max(asked.unwrap_or_default().min(MOST_WAIT))
}

/// How long to leave the authority alone after it has sent a certificate, however old that is by its dates.
pub(super) fn pause(got: Option<&Validity>, now: SystemTime) -> Duration {
    let left = got.map(|it| it.left(now)).unwrap_or_default();
    (left / 10).clamp(Duration::from_secs(1), DAY)
}

/// How long the authority's wish is good for: what it says, within what RFC 9773 §4.3.2 recommends.
pub(super) fn wish_lasts(said: Duration) -> Duration {
    said.clamp(MINUTE, DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGINS: Duration = Duration::from_secs(1_700_000_000);

    fn days(count: u32) -> Duration {
        DAY * count
    }

    fn at(after: Duration) -> SystemTime {
        SystemTime::UNIX_EPOCH + BEGINS + after
    }

    fn ninety() -> Validity {
        Validity {
            begins: at(Duration::ZERO),
            ends: at(days(90)),
        }
    }

    #[test]
    fn two_thirds_of_the_lifetime_are_the_latest() {
        assert_eq!(due(&ninety(), None, 0.0), at(days(60)));
        assert_eq!(due(&ninety(), None, 1.0), at(days(57)));
    }

    #[test]
    fn an_authority_is_believed_within_bounds() {
        let window = |from, to| at(days(from))..at(days(to));
        let due = |window: Range<SystemTime>, chance| due(&ninety(), Some(&window), chance);
        assert_eq!(due(window(40, 50), 0.5), at(days(45)));
        assert_eq!(
            due(window(0, 0), 0.5),
            at(days(1)),
            "renew it, always, at once"
        );
        assert_eq!(due(window(80, 200), 1.0), at(days(75)), "never renew it");
        assert_eq!(
            due(window(50, 40), 1.0),
            at(days(50)),
            "a window that ends before it begins"
        );
        let far = SystemTime::UNIX_EPOCH..at(days(100_000_000));
        assert!(due(far, 1.0) <= at(days(75)));
    }

    #[test]
    fn failures_are_tried_again_more_and_more_rarely() {
        let wait = |failures| patience(failures, None, at(days(0)), None);
        let minutes = [1, 2, 3, 4, 5, 100].map(|failures| wait(failures).as_secs() / 60);
        assert_eq!(minutes, [5, 10, 20, 40, 80, 360]);
    }

    #[test]
    fn the_authority_may_ask_for_patience_but_not_for_ever() {
        let wait = |asked| patience(1, None, at(days(0)), Some(asked));
        assert_eq!(wait(Duration::from_secs(3600)), Duration::from_secs(3600));
        assert_eq!(wait(Duration::from_secs(1)), FIRST);
        assert_eq!(wait(Duration::MAX), DAY);
    }

    #[test]
    fn a_certificate_that_comes_old_is_not_replaced_at_once() {
        assert_eq!(pause(Some(&ninety()), at(days(89))), days(1) / 10);
        assert_eq!(pause(Some(&ninety()), at(days(10))), days(1));
        assert_eq!(pause(None, at(days(0))), Duration::from_secs(1));
    }

    #[test]
    fn a_certificate_that_is_about_to_end_is_tried_for_more_often() {
        let wait = |validity: &Validity, now| patience(100, Some(validity), now, None);
        assert_eq!(wait(&ninety(), at(days(60))), LONGEST);
        assert_eq!(
            wait(&ninety(), at(days(90) - Duration::from_secs(3600))),
            MINUTE * 20
        );
        assert_eq!(wait(&ninety(), at(days(90))), FIRST);
        let short = Validity {
            begins: at(Duration::ZERO),
            ends: at(Duration::from_secs(20)),
        };
        assert_eq!(
            wait(&short, at(Duration::from_secs(17))),
            Duration::from_secs(1)
        );
    }
}
