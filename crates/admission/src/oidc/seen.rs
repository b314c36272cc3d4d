//! Logout tokens that were used. Each counts once (OpenID Connect Back-Channel Logout §2.6).

use std::collections::{HashSet, VecDeque};

use parking_lot::Mutex;

use crate::clock::Timestamp;

/// The ids that were seen, for as long as their tokens would be taken.
#[derive(Default)]
pub(crate) struct Seen(Mutex<State>);

#[derive(Default)]
struct State {
    ids: HashSet<Named>,
    /// In the order in which they came.
    ends: VecDeque<(Timestamp, Named)>,
}

/// Something of an issuer.
type Named = (Box<str>, Box<str>);

/// The most that are remembered. Only issuers that are trusted can add one, and what an old one would do again is a sign-out.
const MOST: usize = 100_000;

impl Seen {
    /// Notes an id. False if it was noted before.
    pub(super) fn note(&self, issuer: &str, id: &str, ends: Timestamp, now: Timestamp) -> bool {
        let mut state = self.0.lock();
        let over = |it: &(Timestamp, Named)| it.0 <= now;
        while state.ends.front().is_some_and(over) || state.ends.len() >= MOST {
            let Some((_, gone)) = state.ends.pop_front() else {
                break;
            };
            state.ids.remove(&gone);
        }
        let named: Named = (issuer.into(), id.into());
        let new = state.ids.insert(named.clone());
        if new {
            state.ends.push_back((ends, named));
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_counts_once_for_each_issuer_and_is_forgotten_with_its_token() {
        let (seen, at) = (Seen::default(), Timestamp::from_secs);
        assert!(seen.note("a", "1", at(10), at(0)));
        assert!(!seen.note("a", "1", at(10), at(9)));
        assert!(seen.note("b", "1", at(20), at(9)));
        assert!(seen.note("c", "1", at(20), at(10)));
        assert_eq!(seen.0.lock().ids.len(), 2);
    }

    #[test]
    fn they_are_few() {
        let (seen, never) = (Seen::default(), Timestamp::NEVER);
        for n in 0..=MOST {
            assert!(seen.note("a", &n.to_string(), never, Timestamp::from_secs(0)));
        }
        assert_eq!(seen.0.lock().ids.len(), MOST);
    }
}
