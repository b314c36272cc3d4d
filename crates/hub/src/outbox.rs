//! What a socket has yet to be sent: frames by reference, bounded in bytes, one rule when it overflows.

use std::{collections::VecDeque, task::Waker};

use parking_lot::Mutex;
use wardwire_protocol::message::Prepared;

/// The queue between fan-out and one socket. It owns memory only while it holds more than one frame.
pub struct Outbox {
    state: Mutex<State>,
    /// In bytes.
    budget: usize,
}

struct State {
    /// INVARIANT: nothing is in `rest` unless `first` holds something. Mostly one frame waits, and needs no queue.
    first: Option<Queued>,
    rest: VecDeque<Queued>,
    bytes: usize,
    phase: Phase,
    waker: Option<Waker>,
}

/// A frame, and the number of the channel it came through.
struct Queued {
    channel: u64,
    frame: Prepared,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The socket was too slow: it closes with 1013 `slow`, and the client resumes from its last position.
    Overflowed,
    Closed,
}

impl Outbox {
    /// An empty outbox that holds at most `budget` bytes, or one frame that is larger.
    #[must_use]
    pub fn new(budget: usize) -> Self {
        let state = State {
            first: None,
            rest: VecDeque::new(),
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
    ///
    /// Returns who is to be woken, once the caller holds no lock.
    #[must_use]
    pub(crate) fn push(&self, channel: u64, frame: &Prepared) -> Option<Waker> {
        let queued = Queued {
            channel,
            frame: frame.clone(),
        };
        let mut state = self.state.lock();
        if state.phase != Phase::Open {
            return None;
        }
        // A frame that is alone always fits: a large publication must not end those who keep up.
        let after = state.bytes.saturating_add(queued.size());
        if state.first.is_some() && after > self.budget {
            state.end(Phase::Overflowed);
        } else {
            state.bytes = after;
            state.put(queued);
        }
        state.waker.take()
    }

    /// Takes back what came through a channel and was not sent yet.
    pub(crate) fn withdraw(&self, channel: u64) {
        let mut state = self.state.lock();
        let State { first, rest, .. } = &mut *state;
        rest.retain(|queued| queued.channel != channel);
        if first
            .as_ref()
            .is_some_and(|queued| queued.channel == channel)
        {
            *first = rest.pop_front();
        }
        state.bytes = first.iter().chain(rest.iter()).map(Queued::size).sum();
        state.tidy();
    }

    /// Moves frames to `out` until about `limit` bytes were moved.
    pub fn drain(&self, out: &mut Vec<u8>, limit: usize) {
        let mut state = self.state.lock();
        let end = out.len().saturating_add(limit);
        while out.len() < end
            && let Some(queued) = state.take()
        {
            out.extend_from_slice(queued.frame.as_bytes());
        }
        state.tidy();
    }

    /// Wakes this task once when there is something to do.
    pub fn register(&self, waker: &Waker) {
        let mut state = self.state.lock();
        match &mut state.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.state.lock().first.is_none()
    }

    /// Whether the socket was too slow.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.state.lock().phase == Phase::Overflowed
    }

    /// Takes nothing more, and lets go of what it holds.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.end(Phase::Closed);
        state.waker = None;
    }
}

impl State {
    fn put(&mut self, queued: Queued) {
        if self.first.is_none() {
            self.first = Some(queued);
        } else {
            self.rest.push_back(queued);
        }
    }

    fn take(&mut self) -> Option<Queued> {
        let queued = self.first.take()?;
        self.first = self.rest.pop_front();
        self.bytes -= queued.size();
        Some(queued)
    }

    /// Nothing that is empty owns memory.
    fn tidy(&mut self) {
        if self.rest.is_empty() {
            self.rest = VecDeque::new();
        }
    }

    fn end(&mut self, phase: Phase) {
        self.first = None;
        self.rest = VecDeque::new();
        self.bytes = 0;
        self.phase = phase;
    }
}

impl Queued {
    /// In bytes, with what it costs to queue it at all.
    fn size(&self) -> usize {
        self.frame.as_bytes().len() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    const ROOM: usize = size_of::<Queued>();

    fn frame(size: usize) -> Prepared {
        Prepared::binary(&vec![0; size])
    }

    fn push(outbox: &Outbox, frame: &Prepared) {
        if let Some(waker) = outbox.push(0, frame) {
            waker.wake();
        }
    }

    fn drained(outbox: &Outbox, limit: usize) -> Vec<u8> {
        let mut out = Vec::new();
        outbox.drain(&mut out, limit);
        out
    }

    fn holds_nothing(outbox: &Outbox) -> bool {
        let state = outbox.state.lock();
        state.first.is_none() && state.rest.capacity() == 0 && state.bytes == 0
    }

    #[test]
    fn frames_leave_in_order_up_to_the_limit() {
        let outbox = Outbox::new(1000);
        for text in ["a", "b", "c"] {
            push(&outbox, &Prepared::text(text));
        }
        assert_eq!(drained(&outbox, 6), b"\x81\x01a\x81\x01b");
        assert!(!outbox.is_empty());
        assert_eq!(drained(&outbox, 6), b"\x81\x01c");
        assert!(holds_nothing(&outbox));
    }

    #[test]
    fn a_slow_reader_overflows_once_and_holds_nothing_afterwards() {
        let outbox = Outbox::new(100 + 2 * ROOM);
        let shared = frame(50);
        for _ in 0..3 {
            push(&outbox, &shared);
        }
        assert!(outbox.overflowed() && holds_nothing(&outbox));
        push(&outbox, &frame(1));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_reader_that_keeps_up_gets_a_frame_of_any_size() {
        let outbox = Outbox::new(100);
        for _ in 0..3 {
            push(&outbox, &frame(1000));
            assert_eq!(drained(&outbox, 1).len(), 1004);
        }
        assert!(!outbox.overflowed());
    }

    #[test]
    fn what_is_withdrawn_is_not_sent() {
        let outbox = Outbox::new(1000);
        for (channel, text) in [(1, "a"), (2, "b"), (1, "c"), (3, "d"), (1, "e")] {
            let _ = outbox.push(channel, &Prepared::text(text));
        }
        outbox.withdraw(1);
        assert_eq!(drained(&outbox, usize::MAX), b"\x81\x01b\x81\x01d");
        assert!(holds_nothing(&outbox));
        push(&outbox, &frame(1));
        outbox.withdraw(0);
        assert!(holds_nothing(&outbox));
    }

    #[test]
    fn nothing_enters_after_the_end() {
        let outbox = Outbox::new(100);
        push(&outbox, &frame(1));
        outbox.close();
        push(&outbox, &frame(1));
        assert!(holds_nothing(&outbox) && !outbox.overflowed());
    }

    #[test]
    fn a_task_is_woken_once_for_all_that_comes_before_it_looks() {
        #[derive(Default)]
        struct Count(AtomicUsize);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let count = Arc::new(Count::default());
        let woken = || count.0.load(Ordering::Relaxed);
        let outbox = Outbox::new(2 + ROOM);
        outbox.register(&count.clone().into());
        outbox.register(&count.clone().into());
        push(&outbox, &frame(0));
        assert_eq!(woken(), 1);
        push(&outbox, &frame(0));
        assert_eq!(woken(), 1);
        assert!(outbox.overflowed());
        let outbox = Outbox::new(2 + ROOM);
        push(&outbox, &frame(0));
        outbox.register(&count.clone().into());
        push(&outbox, &frame(0));
        assert_eq!(woken(), 2, "an overflow wakes too");
    }
}
