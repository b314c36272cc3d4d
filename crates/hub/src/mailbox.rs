//! Where threads meet: what other threads have for an event loop, which takes all of it once a turn.

use std::{collections::VecDeque, task::Waker};

use crate::sync::Mutex;

/// A queue with one reader. Posting never waits; the reader is woken only when it sleeps.
///
/// INVARIANT: an item is taken once or, after [`Self::close`], dropped; and a reader that was told by [`Self::wait`] that
/// nothing is there is woken by the next post.
pub struct Mailbox<T> {
    state: Mutex<State<T>>,
    /// The weight beyond which it is full.
    most: usize,
}

struct State<T> {
    items: VecDeque<T>,
    weight: usize,
    sleeping: Option<Waker>,
    closed: bool,
}

impl<T> Mailbox<T> {
    /// An empty mailbox that is full at this weight.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let state = State {
            items: VecDeque::new(),
            weight: 0,
            sleeping: None,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            most,
        }
    }

    /// Whether whoever can wait or refuse should.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.state.lock().weight >= self.most
    }

    /// Leaves an item. Returns the reader if it sleeps, to be woken once the caller holds no lock.
    #[must_use]
    pub fn post(&self, item: T, weight: usize) -> Option<Waker> {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            // Its drop may lock something; this lock is free by now.
            drop(item);
            return None;
        }
        state.items.push_back(item);
        state.weight = state.weight.saturating_add(weight);
        state.sleeping.take()
    }

    /// Takes all there is, in the order in which it was posted.
    pub fn take(&self, into: &mut VecDeque<T>) {
        let mut state = self.state.lock();
        state.weight = 0;
        if into.is_empty() {
            std::mem::swap(&mut state.items, into);
        } else {
            into.append(&mut state.items);
        }
    }

    /// Says whom to wake. False if something is there already: then nobody is woken for it.
    #[must_use]
    pub fn wait(&self, reader: &Waker) -> bool {
        let mut state = self.state.lock();
        if !state.items.is_empty() {
            return false;
        }
        match &mut state.sleeping {
            Some(known) => known.clone_from(reader),
            none => *none = Some(reader.clone()),
        }
        true
    }

    /// Nobody reads any more: what is there and what comes is dropped.
    pub fn close(&self) {
        let left = {
            let mut state = self.state.lock();
            state.closed = true;
            state.sleeping = None;
            std::mem::take(&mut state.items)
        };
        drop(left);
    }
}

#[cfg(not(feature = "loom"))]
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

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn post(mailbox: &Mailbox<u32>, item: u32) {
        if let Some(reader) = mailbox.post(item, 1) {
            reader.wake();
        }
    }

    #[test]
    fn a_sleeper_is_woken_once_for_all_that_comes_before_it_looks() {
        let (mailbox, count) = (Mailbox::new(10), Arc::new(Count::default()));
        let woken = || count.0.load(Ordering::Relaxed);
        post(&mailbox, 1);
        assert_eq!(woken(), 0, "nobody sleeps");
        assert!(
            !mailbox.wait(&count.clone().into()),
            "there is something to take"
        );
        let mut taken = VecDeque::new();
        mailbox.take(&mut taken);
        assert!(mailbox.wait(&count.clone().into()) && mailbox.wait(&count.clone().into()));
        post(&mailbox, 2);
        post(&mailbox, 3);
        assert_eq!(woken(), 1);
        mailbox.take(&mut taken);
        assert_eq!(taken, [1, 2, 3]);
    }

    #[test]
    fn it_is_full_by_weight_until_it_is_emptied() {
        let mailbox = Mailbox::new(2);
        post(&mailbox, 1);
        assert!(!mailbox.is_full());
        post(&mailbox, 2);
        assert!(mailbox.is_full());
        mailbox.take(&mut VecDeque::new());
        assert!(!mailbox.is_full());
    }

    #[test]
    fn nothing_stays_behind_when_nobody_reads_any_more() {
        let (mailbox, held) = (Mailbox::new(9), Arc::new(()));
        let _ = mailbox.post(held.clone(), 1);
        mailbox.close();
        let _ = mailbox.post(held.clone(), 1);
        assert_eq!(Arc::strong_count(&held), 1);
        let mut taken = VecDeque::new();
        mailbox.take(&mut taken);
        assert!(taken.is_empty());
    }
}

#[cfg(feature = "loom")]
#[cfg(test)]
mod interleavings {
    use std::{
        future::poll_fn,
        sync::atomic::{AtomicUsize, Ordering},
        task::Poll,
    };

    use loom::{future::block_on, sync::Arc, thread};

    use super::*;

    fn post(mailbox: &Mailbox<u32>, item: u32) {
        if let Some(reader) = mailbox.post(item, 1) {
            reader.wake();
        }
    }

    /// As a shard does: takes all, and rests only when told that nothing is there.
    fn read(mailbox: &Mailbox<u32>, count: usize) -> Vec<u32> {
        let (mut taken, mut all) = (VecDeque::new(), Vec::new());
        block_on(poll_fn(|cx| {
            loop {
                mailbox.take(&mut taken);
                all.extend(taken.drain(..));
                if all.len() == count {
                    return Poll::Ready(());
                }
                if mailbox.wait(cx.waker()) {
                    return Poll::Pending;
                }
            }
        }));
        all
    }

    /// Each poster leaves so many items; all are read, each poster's in order.
    fn model<const POSTERS: usize>(each: u32) {
        loom::model(move || {
            let mailbox = Arc::new(Mailbox::new(9));
            let mut from = 0;
            let posters = [(); POSTERS].map(|()| {
                from += 10;
                let mailbox = mailbox.clone();
                thread::spawn(move || (from..from + each).for_each(|item| post(&mailbox, item)))
            });
            let all = read(&mailbox, POSTERS * each as usize);
            for from in (1..=POSTERS as u32).map(|poster| poster * 10) {
                let own = all.iter().copied().filter(|item| item / 10 * 10 == from);
                assert!(own.eq(from..from + each), "{all:?}");
            }
            for poster in posters {
                poster.join().unwrap();
            }
        });
    }

    #[test]
    fn interleavings_no_post_is_lost_and_no_sleeper_is_left_asleep() {
        model::<1>(2);
        model::<2>(1);
    }

    /// A socket on its way to a shard that goes down is dropped there or here, once.
    #[test]
    fn interleavings_what_meets_a_closing_mailbox_is_dropped_once() {
        struct Dropped(std::sync::Arc<AtomicUsize>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        loom::model(|| {
            let count = std::sync::Arc::new(AtomicUsize::new(0));
            let mailbox = Arc::new(Mailbox::new(9));
            let poster = {
                let (mailbox, item) = (mailbox.clone(), Dropped(count.clone()));
                thread::spawn(move || drop(mailbox.post(item, 1)))
            };
            let mut taken = VecDeque::new();
            mailbox.take(&mut taken);
            drop(taken);
            mailbox.close();
            poster.join().unwrap();
            assert_eq!(count.load(Ordering::Relaxed), 1);
        });
    }
}
