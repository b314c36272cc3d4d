//! What counts once: logout tokens (OpenID Connect Back-Channel Logout §2.6), and the `state` of a sign-in, of which a second
//! answer would have the provider asked once more.

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
};

use parking_lot::Mutex;

use crate::{clock::Timestamp, secret::SecretHash};

/// Something of an issuer.
type Named = (Box<str>, Box<str>);

/// What was used: the ids of logout tokens, and states.
#[derive(Default)]
pub(crate) struct Used {
    pub(super) logout_tokens: Seen<Named>,
    pub(super) states: Seen<SecretHash>,
}

/// What was seen, for as long as it would be taken.
pub(super) struct Seen<T>(Mutex<State<T>>);

struct State<T> {
    known: HashSet<T>,
    /// In the order in which they came.
    ends: VecDeque<(Timestamp, T)>,
}

/// The most that are remembered of a kind. What an old one would do again is a sign-out, or a question that the provider
/// refuses.
const MOST: usize = 100_000;

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self(Mutex::new(State {
            known: HashSet::new(),
            ends: VecDeque::new(),
        }))
    }
}

impl<T: Clone + Eq + Hash> Seen<T> {
    /// Notes one. False if it was noted before.
    pub(super) fn note(&self, one: T, ends: Timestamp, now: Timestamp) -> bool {
        let mut state = self.0.lock();
        let over = |it: &(Timestamp, T)| it.0 <= now;
        while state.ends.front().is_some_and(over) || state.ends.len() >= MOST {
            let Some((_, gone)) = state.ends.pop_front() else {
                break;
            };
            state.known.remove(&gone);
        }
        let new = state.known.insert(one.clone());
        if new {
            state.ends.push_back((ends, one));
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
        assert!(seen.note(("a", "1"), at(10), at(0)));
        assert!(!seen.note(("a", "1"), at(10), at(9)));
        assert!(seen.note(("b", "1"), at(20), at(9)));
        assert!(seen.note(("c", "1"), at(20), at(10)));
        assert_eq!(seen.0.lock().known.len(), 2);
    }

    #[test]
    fn they_are_few() {
        let (seen, never) = (Seen::default(), Timestamp::NEVER);
        for n in 0..=MOST {
            assert!(seen.note(n, never, Timestamp::from_secs(0)));
        }
        assert_eq!(seen.0.lock().known.len(), MOST);
    }
}
