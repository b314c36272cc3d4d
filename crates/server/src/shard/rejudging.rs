//! Rounds in which every socket of a shard judges anew what it follows, so many of them a turn.
//!
//! Each revocation may ask for one, and so may each reload, without end. A round that is under way is therefore never begun
//! anew: who asks meanwhile waits for the next, together. So every socket has its turn however many ask, and who asks waits
//! for two rounds at most, the one under way and the next.

use wardwire_hub::fanout::SocketKey;

use super::Rejudged;

/// Which sockets are still to be judged, and who waits until they are.
///
/// INVARIANT: who asks is let go once each socket that was there then has been judged after it, or is gone.
#[derive(Default)]
pub(super) struct Rejudging {
    /// Those to which the round under way has not come yet. One that goes meanwhile is passed over: no key is given twice.
    keys: Vec<SocketKey>,
    /// Who asked before this round began.
    told: Vec<Rejudged>,
    /// Who has asked since. Each is a request of an operator or the backend, or a reload, of which there are so many at once;
    /// one that was given up stays for two rounds at most, as it is to hold all the same.
    next: Vec<Rejudged>,
}

/// Sockets that judge anew what they follow before others have their turn.
pub(super) const BATCH: usize = 512;

impl Rejudging {
    /// Has all be judged that are there when the next round begins.
    pub(super) fn ask(&mut self, told: Rejudged) {
        self.next.push(told);
    }

    /// Whether nobody is to be judged.
    pub(super) fn is_idle(&self) -> bool {
        self.keys.is_empty() && self.next.is_empty()
    }

    /// Takes those whose turn it is, [to be told](Self::judged) what that came to. Where no round is under way and somebody
    /// has asked, one begins, over all.
    pub(super) fn take(&mut self, all: impl FnOnce() -> Vec<SocketKey>) -> Vec<SocketKey> {
        if self.keys.is_empty() && !self.next.is_empty() {
            self.told = std::mem::take(&mut self.next);
            self.keys = all();
        }
        let rest = self.keys.len().saturating_sub(BATCH);
        self.keys.split_off(rest)
    }

    /// Those that were taken have been judged, and had to leave so many channels.
    pub(super) fn judged(&mut self, left: usize) {
        if left > 0 {
            for told in &self.told {
                // It may wait no longer.
                let _ = told.send(left);
            }
        }
        if self.keys.is_empty() {
            self.keys = Vec::new();
            self.told = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel};

    use super::*;

    /// As many as one round takes this number of turns for.
    const ROUND: usize = 3;
    const SOCKETS: usize = (ROUND - 1) * BATCH + 76;

    fn sockets() -> Vec<SocketKey> {
        (0..SOCKETS as u64).map(SocketKey).collect()
    }

    fn ask(rejudging: &mut Rejudging) -> UnboundedReceiver<usize> {
        let (told, left) = unbounded_channel();
        rejudging.ask(told);
        left
    }

    /// What it was told, and whether that is all.
    fn heard(left: &mut UnboundedReceiver<usize>) -> (Vec<usize>, bool) {
        let mut all = Vec::new();
        loop {
            match left.try_recv() {
                Ok(some) => all.push(some),
                Err(error) => return (all, error == TryRecvError::Disconnected),
            }
        }
    }

    #[test]
    fn every_socket_is_reached_and_whoever_asked_is_told_however_many_ask_meanwhile() {
        let (mut rejudging, mut all) = (Rejudging::default(), Vec::new());
        for _ in 0..3 {
            let mut reached = HashSet::new();
            for _ in 0..ROUND {
                all.push(ask(&mut rejudging));
                let some = rejudging.take(sockets);
                assert!(some.len() <= BATCH, "others have their turn");
                reached.extend(some);
                rejudging.judged(0);
            }
            assert_eq!(reached.len(), SOCKETS, "of one round");
        }
        let waits = all.iter_mut().map(|it| !heard(it).1);
        let answered = waits.take_while(|waits| !waits).count();
        // All but those who came after the last round had begun.
        assert_eq!(answered, 2 * ROUND + 1);
    }

    #[test]
    fn who_asks_during_a_round_is_told_what_the_next_came_to() {
        let mut rejudging = Rejudging::default();
        let mut first = ask(&mut rejudging);
        rejudging.take(sockets);
        let (mut second, mut third) = (ask(&mut rejudging), ask(&mut rejudging));
        rejudging.judged(5);
        for left in [7, 0] {
            rejudging.take(sockets);
            rejudging.judged(left);
        }
        assert_eq!(heard(&mut first), (vec![5, 7], true));
        assert_eq!(heard(&mut second), (vec![], false));
        assert!(!rejudging.is_idle());
        for left in [0, 2, 3] {
            rejudging.take(sockets);
            rejudging.judged(left);
        }
        for both in [&mut second, &mut third] {
            assert_eq!(heard(both), (vec![2, 3], true));
        }
        assert!(rejudging.is_idle());
    }

    #[test]
    fn what_was_taken_back_is_judged_also_where_nobody_waits_for_it_any_more() {
        let mut rejudging = Rejudging::default();
        drop(ask(&mut rejudging));
        let reached = (0..ROUND).map(|_| {
            let some = rejudging.take(sockets);
            rejudging.judged(1);
            some.len()
        });
        assert_eq!(reached.sum::<usize>(), SOCKETS);
        assert!(rejudging.is_idle());
    }

    #[test]
    fn where_there_are_no_sockets_all_have_been_judged() {
        let mut rejudging = Rejudging::default();
        assert!(rejudging.is_idle() && rejudging.take(sockets).is_empty());
        let mut only = ask(&mut rejudging);
        assert!(!rejudging.is_idle());
        assert!(rejudging.take(Vec::new).is_empty());
        rejudging.judged(0);
        assert_eq!(heard(&mut only), (vec![], true));
        assert!(rejudging.is_idle());
    }
}
