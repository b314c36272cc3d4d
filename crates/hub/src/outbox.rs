//! What a socket has yet to be sent: frames by reference, bounded in bytes, one rule when it overflows.

use std::{collections::VecDeque, task::Waker};

use parking_lot::Mutex;
use wardwire_protocol::message::Prepared;

/// The queue between fan-out and one socket. It owns memory only while it holds something.
pub struct Outbox {
    state: Mutex<State>,
    /// In bytes.
    budget: usize,
}

struct State {
    frames: VecDeque<Prepared>,
    bytes: usize,
    phase: Phase,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The socket was too slow: it closes with 1013 `slow`, and the client resumes from its last position.
    Overflowed,
    Closed,
}

impl Outbox {
    /// An empty outbox that holds at most `budget` bytes.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        let state = State {
            frames: VecDeque::new(),
            bytes: 0,
            phase: Phase::Open,
            waker: None,
        };
        Self {
            state: Mutex::new(state),
            budget,
        }
    }

    /// Adds a frame, unless the outbox is closed. The first that does not fit empties it for good.
    pub fn push(&self, frame: &Prepared) {
        let waker = {
            let mut state = self.state.lock();
            if state.phase != Phase::Open {
                return;
            }
            let size = frame.as_bytes().len();
            if state.bytes.saturating_add(size) > self.budget {
                state.end(Phase::Overflowed);
            } else {
                state.bytes += size;
                state.frames.push_back(frame.clone());
            }
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Moves frames to `out` until about `limit` bytes were moved.
    pub fn drain(&self, out: &mut Vec<u8>, limit: usize) {
        let mut state = self.state.lock();
        let mut moved = 0;
        while moved < limit
            && let Some(frame) = state.frames.pop_front()
        {
            out.extend_from_slice(frame.as_bytes());
            moved += frame.as_bytes().len();
        }
        state.bytes -= moved;
        if state.frames.is_empty() {
            state.frames = VecDeque::new();
        }
    }

    /// Wakes this task once when there is something to do.
    pub fn register(&self, waker: &Waker) {
        let mut state = self.state.lock();
        if !state
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            state.waker = Some(waker.clone());
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state.lock().frames.is_empty()
    }

    /// Whether the socket was too slow.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.state.lock().phase == Phase::Overflowed
    }

    /// Takes nothing more, and lets go of what it holds.
    pub fn close(&self) {
        self.state.lock().end(Phase::Closed);
    }
}

impl State {
    fn end(&mut self, phase: Phase) {
        self.frames = VecDeque::new();
        self.bytes = 0;
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(size: usize) -> Prepared {
        Prepared::binary(&vec![0; size])
    }

    #[test]
    fn frames_leave_in_order_up_to_the_limit() {
        let outbox = Outbox::new(1000);
        for text in ["a", "b", "c"] {
            outbox.push(&Prepared::text(text));
        }
        let mut out = Vec::new();
        outbox.drain(&mut out, 6);
        assert_eq!(out, b"\x81\x01a\x81\x01b");
        outbox.drain(&mut out, 6);
        assert!(out.ends_with(b"c") && outbox.is_empty());
    }

    #[test]
    fn a_slow_reader_overflows_once_and_holds_nothing_afterwards() {
        let outbox = Outbox::new(100);
        outbox.push(&frame(60));
        outbox.push(&frame(60));
        assert!(outbox.overflowed() && outbox.is_empty());
        outbox.push(&frame(1));
        assert!(outbox.is_empty());
        assert_eq!(outbox.state.lock().frames.capacity(), 0);
    }

    #[test]
    fn nothing_enters_after_the_end() {
        let outbox = Outbox::new(100);
        outbox.close();
        outbox.push(&frame(1));
        assert!(outbox.is_empty() && !outbox.overflowed());
    }
}
