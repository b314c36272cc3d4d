//! A budget for handshakes: so many costly steps a turn, the oldest connection's first, so that a storm of newcomers slows
//! down newcomers and not the sockets that are open.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;

/// Lets costly steps through: a TLS handshake, an admission.
#[derive(Default)]
pub struct Turnstile {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Steps that may still be taken in this turn.
    left: usize,
    /// By the connection's number: the oldest is the first.
    waiting: BTreeMap<u64, Waiting>,
    /// The shard, when it rests.
    shard: Option<Waker>,
}

struct Waiting {
    task: Waker,
    called: bool,
}

/// Steps a turn. Each takes some 50 to 100 µs, as long as 20 sends; a turn without other work takes a few, so that
/// newcomers lose little where nobody else wants the core.
const STEPS: usize = 2;

impl Turnstile {
    /// Waits for its place in the order of connections.
    #[must_use]
    pub fn enter(&self, connection: u64) -> Enter<'_> {
        Enter {
            turnstile: self,
            connection,
        }
    }

    /// Begins a turn: calls the oldest. Returns how many waited.
    pub(super) fn refill(&self) -> usize {
        let mut called = Vec::new();
        let count = {
            let mut state = self.state.lock();
            state.shard = None;
            state.left = STEPS;
            let State { left, waiting, .. } = &mut *state;
            for waiting in waiting.values_mut().filter(|it| !it.called).take(STEPS) {
                waiting.called = true;
                *left -= 1;
                called.push(waiting.task.clone());
            }
            waiting.len()
        };
        called.into_iter().for_each(Waker::wake);
        count
    }

    /// Whom to wake when somebody has to wait. False if somebody waits already.
    pub(super) fn rest(&self, shard: &Waker) -> bool {
        let mut state = self.state.lock();
        if !state.waiting.is_empty() {
            return false;
        }
        state.shard = Some(shard.clone());
        true
    }
}

/// A step about to be taken.
pub struct Enter<'a> {
    turnstile: &'a Turnstile,
    connection: u64,
}

impl Future for Enter<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shard = {
            let mut state = self.turnstile.state.lock();
            if let Some(waiting) = state.waiting.get_mut(&self.connection) {
                if !waiting.called {
                    waiting.task.clone_from(cx.waker());
                    return Poll::Pending;
                }
                state.waiting.remove(&self.connection);
                return Poll::Ready(());
            }
            if state.left > 0 && state.waiting.is_empty() {
                state.left -= 1;
                return Poll::Ready(());
            }
            let waiting = Waiting {
                task: cx.waker().clone(),
                called: false,
            };
            state.waiting.insert(self.connection, waiting);
            state.shard.take()
        };
        if let Some(shard) = shard {
            shard.wake();
        }
        Poll::Pending
    }
}

impl Drop for Enter<'_> {
    fn drop(&mut self) {
        self.turnstile.state.lock().waiting.remove(&self.connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(enter: &mut Enter<'_>) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(enter).poll(&mut cx).is_ready()
    }

    #[test]
    fn the_oldest_go_first_and_so_many_a_turn() {
        let turnstile = Turnstile::default();
        turnstile.refill();
        let mut all: Vec<_> = (0..3 * STEPS as u64)
            .rev()
            .map(|number| turnstile.enter(number))
            .collect();
        let passed = |all: &mut Vec<Enter<'_>>| {
            let mut passed = Vec::new();
            all.retain_mut(|enter| {
                let through = poll(enter);
                if through {
                    passed.push(enter.connection);
                }
                !through
            });
            passed.sort_unstable();
            passed
        };
        let first = passed(&mut all);
        assert_eq!(first.len(), STEPS, "the budget of this turn");
        assert!(passed(&mut all).is_empty() && !turnstile.rest(Waker::noop()));
        turnstile.refill();
        assert_eq!(passed(&mut all), (0..STEPS as u64).collect::<Vec<_>>());
        turnstile.refill();
        assert_eq!(passed(&mut all).len(), STEPS);
        assert!(turnstile.rest(Waker::noop()));
    }

    #[test]
    fn who_gives_up_waits_no_more() {
        let turnstile = Turnstile::default();
        let mut enter = turnstile.enter(1);
        assert!(!poll(&mut enter) && !turnstile.rest(Waker::noop()));
        drop(enter);
        assert!(turnstile.rest(Waker::noop()));
    }
}
