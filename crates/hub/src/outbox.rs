//! What a slow peer has not taken: frames by reference, bounded in bytes, one rule when it overflows, and where a
//! channel keeps the latest of each key, nothing that a newer one has taken the place of.
//!
//! A peer that keeps up never has one: what a turn brings it is sent in that turn.

use std::{
    collections::{HashMap, VecDeque},
    num::NonZeroU64,
};

use wardwire_protocol::message::Prepared;

use crate::fanout::Part;

/// The frames that wait for one socket. It owns memory only while it holds some.
#[derive(Default)]
pub struct Outbox {
    queue: Option<Box<Queue>>,
    overflowed: bool,
}

/// Whether a peer takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It does, so that everything is for it, of any size: it is bounded by what a turn brings.
    Quick,
    /// It has not yet: so many bytes may wait, beside those that came while it did.
    Behind(usize),
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Queued>,
    bytes: usize,
    /// INVARIANT: no more than `bytes`. Of these, at most what came while the peer was quick.
    free: usize,
    /// The number of the first; the others follow it.
    first: u64,
    /// Those before this number leave as they are, so that what changes all the time is sent too.
    settled: u64,
    /// The newest of each channel's keys among those that are not settled.
    newest: HashMap<(u64, NonZeroU64), u64>,
    /// Places that a newer frame has left empty.
    empty: usize,
}

/// A frame, and the number of the channel it came through.
struct Queued {
    channel: u64,
    /// None in a place that was left empty.
    frame: Option<Prepared>,
}

/// So many places may be empty, and as many as are not.
const EMPTY: usize = 64;

impl Outbox {
    /// Adds what of a batch is for its socket. Of one key the newest takes the place of one that is not about to be sent, behind
    /// all others: what is sent is in order. Who is quick gets everything. The first frame that makes it too many bytes empties it
    /// for good; a frame that is alone always fits, as a large publication must not end those who keep up.
    pub fn add(&mut self, part: Part<'_>, pace: Pace) {
        for delivery in part.deliveries() {
            if self.overflowed {
                return;
            }
            let queue = self.queue.get_or_insert_default();
            if let (Some(key), Pace::Behind(_)) = (delivery.key, pace) {
                queue.supersede((delivery.channel, key));
            }
            let queued = Queued {
                channel: delivery.channel,
                frame: Some(delivery.frame.clone()),
            };
            let grown = queue.bytes.saturating_add(queued.size());
            let fits = match pace {
                Pace::Quick => true,
                Pace::Behind(budget) => grown - queue.free <= budget || queue.bytes == 0,
            };
            if !fits {
                self.overflowed = true;
                self.queue = None;
                return;
            }
            queue.bytes = grown;
            queue.frames.push_back(queued);
            if pace == Pace::Quick {
                queue.free = grown;
            }
        }
    }

    /// Takes back what came through a channel and was not sent yet.
    pub(crate) fn withdraw(&mut self, channel: u64) {
        if let Some(queue) = &mut self.queue {
            for queued in &mut queue.frames {
                if queued.channel == channel {
                    queue.bytes = queue.bytes.saturating_sub(queued.size());
                    queue.empty += usize::from(queued.frame.take().is_some());
                }
            }
            queue.free = queue.free.min(queue.bytes);
            queue.newest.retain(|(of, _), _| *of != channel);
            queue.compact();
        }
        self.tidy();
    }

    /// Moves frames to `out` until about `limit` bytes were moved.
    pub fn drain(&mut self, out: &mut Vec<u8>, limit: usize) {
        let Some(queue) = &mut self.queue else {
            return;
        };
        let end = out.len().saturating_add(limit);
        while out.len() < end
            && let Some(frame) = queue.pop()
        {
            out.extend_from_slice(frame.as_bytes());
        }
        self.tidy();
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_none()
    }

    /// How many bytes wait, with what it costs to queue them.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Whether the peer was too slow: the socket closes with 1013 `slow`, and the client resumes from its last position.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// Lets go of what it holds: nothing is sent after a Close.
    pub fn clear(&mut self) {
        self.queue = None;
    }

    fn tidy(&mut self) {
        if self.queue.as_ref().is_some_and(|it| it.bytes == 0) {
            self.queue = None;
        }
    }
}

impl Queue {
    /// Leaves the place of this key empty, unless what stands there is about to be sent, for the frame that comes next.
    fn supersede(&mut self, key: (u64, NonZeroU64)) {
        let next = self.first + self.frames.len() as u64;
        let older = self.newest.insert(key, next);
        let place = older.and_then(|older| usize::try_from(older.checked_sub(self.first)?).ok());
        if let Some(queued) = place.and_then(|place| self.frames.get_mut(place)) {
            self.bytes = self.bytes.saturating_sub(queued.size());
            self.free = self.free.min(self.bytes);
            self.empty += usize::from(queued.frame.take().is_some());
        }
        if self.empty > EMPTY && self.empty > self.frames.len() / 2 {
            self.compact();
            let next = self.first + self.frames.len() as u64;
            self.newest.insert(key, next);
        }
    }

    /// The next frame to be sent.
    fn pop(&mut self) -> Option<Prepared> {
        loop {
            if self.first >= self.settled {
                self.settled = self.first + self.frames.len() as u64;
                self.newest = HashMap::new();
            }
            let queued = self.frames.pop_front()?;
            self.first += 1;
            let size = queued.size();
            match queued.frame {
                Some(frame) => {
                    self.bytes = self.bytes.saturating_sub(size);
                    self.free = self.free.saturating_sub(size);
                    return Some(frame);
                }
                None => self.empty -= 1,
            }
        }
    }

    /// Closes the places that are empty.
    fn compact(&mut self) {
        let mut moved = HashMap::new();
        let (mut next, mut settled) = (self.first, self.first);
        for (number, queued) in (self.first..).zip(&self.frames) {
            moved.insert(number, next);
            next += u64::from(queued.frame.is_some());
            if number < self.settled {
                settled = next;
            }
        }
        self.newest.retain(|_, number| match moved.get(number) {
            Some(to) => {
                *number = *to;
                true
            }
            None => false,
        });
        self.frames.retain(|queued| queued.frame.is_some());
        self.settled = settled;
        self.empty = 0;
    }
}

impl Queued {
    /// In bytes, with what it costs to queue it at all; nothing, where its place is empty.
    fn size(&self) -> usize {
        let frame = self.frame.as_ref();
        frame.map_or(0, |frame| frame.as_bytes().len() + size_of::<Self>())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fanout::{Batch, Delivery, Follower, SocketKey};

    const ROOM: usize = size_of::<Queued>();

    fn batch(channel: u64, frames: &[&Prepared]) -> Batch {
        let mut batch = Batch::new(channel, None);
        for (frame, offset) in frames.iter().zip(1..) {
            batch.push(
                Delivery {
                    channel,
                    offset,
                    frame: (*frame).clone(),
                    except: None,
                    key: None,
                },
                0,
            );
        }
        batch
    }

    fn add(outbox: &mut Outbox, channel: u64, text: &str) {
        outbox.add(
            batch(channel, &[&Prepared::text(text)]).whole(),
            Pace::Behind(1000),
        );
    }

    fn drained(outbox: &mut Outbox, limit: usize) -> Vec<u8> {
        let mut out = Vec::new();
        outbox.drain(&mut out, limit);
        out
    }

    #[test]
    fn frames_leave_in_order_up_to_the_limit() {
        let mut outbox = Outbox::default();
        for text in ["a", "b", "c"] {
            add(&mut outbox, 0, text);
        }
        assert_eq!(drained(&mut outbox, 6), b"\x81\x01a\x81\x01b");
        assert_eq!(outbox.bytes(), 3 + ROOM);
        assert_eq!(drained(&mut outbox, 6), b"\x81\x01c");
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }

    #[test]
    fn a_slow_reader_overflows_once_and_holds_nothing_afterwards() {
        let mut outbox = Outbox::default();
        let frame = Prepared::binary(&[0; 50]);
        let budget = 2 * (52 + ROOM);
        outbox.add(batch(0, &[&frame; 2]).whole(), Pace::Behind(budget));
        assert!(!outbox.overflowed());
        outbox.add(batch(0, &[&frame; 2]).whole(), Pace::Behind(budget));
        assert!(outbox.overflowed() && outbox.is_empty());
        outbox.add(batch(0, &[&frame]).whole(), Pace::Behind(budget));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_reader_that_keeps_up_gets_a_frame_of_any_size() {
        let mut outbox = Outbox::default();
        let large = Prepared::binary(&[0; 1000]);
        for _ in 0..3 {
            outbox.add(batch(0, &[&large]).whole(), Pace::Behind(100));
            assert_eq!(drained(&mut outbox, 1).len(), 1004);
        }
        assert!(!outbox.overflowed());
    }

    #[test]
    fn what_lies_before_a_followers_offset_is_not_for_it() {
        let mut outbox = Outbox::default();
        let texts = ["a", "b", "c"].map(Prepared::text);
        let batch = batch(0, &[&texts[0], &texts[1], &texts[2]]);
        let [new, knows] = [0, 1].map(|after| Follower {
            socket: SocketKey(1),
            after,
        });
        assert!(batch.is_whole_for(new) && !batch.is_whole_for(knows));
        outbox.add(batch.part_of(knows), Pace::Behind(1000));
        assert_eq!(drained(&mut outbox, 100), b"\x81\x01b\x81\x01c");
        assert_eq!(batch.as_bytes(), b"\x81\x01a\x81\x01b\x81\x01c");
    }

    #[test]
    fn what_is_withdrawn_is_not_sent() {
        let mut outbox = Outbox::default();
        for (channel, text) in [(1, "a"), (2, "b"), (1, "c"), (3, "d"), (1, "e")] {
            add(&mut outbox, channel, text);
        }
        outbox.withdraw(1);
        assert_eq!(drained(&mut outbox, 100), b"\x81\x01b\x81\x01d");
        add(&mut outbox, 4, "x");
        outbox.withdraw(4);
        assert!(outbox.is_empty());
    }

    /// Deliveries of one channel: each a key, or none, and a text.
    fn keyed(all: &[(u64, &str)]) -> Batch {
        let mut batch = Batch::new(0, None);
        for &(key, text) in all {
            let delivery = Delivery {
                channel: 0,
                offset: 1,
                frame: Prepared::text(text),
                except: None,
                key: NonZeroU64::new(key),
            };
            batch.push(delivery, 0);
        }
        batch
    }

    fn texts(bytes: &[u8]) -> Vec<String> {
        let mut rest = bytes;
        let mut texts = Vec::new();
        while let [0x81, length, behind @ ..] = rest {
            let (text, behind) = behind.split_at(usize::from(*length));
            texts.push(String::from_utf8(text.to_vec()).unwrap());
            rest = behind;
        }
        texts
    }

    #[test]
    fn of_a_key_the_newest_is_sent_behind_what_was_there() {
        let mut outbox = Outbox::default();
        let all = [
            (1, "a1"),
            (2, "b1"),
            (0, "x"),
            (1, "a2"),
            (1, "a3"),
            (2, "b2"),
        ];
        outbox.add(keyed(&all).whole(), Pace::Behind(1000));
        assert_eq!(outbox.bytes(), 3 * (4 + ROOM) - 1);
        assert_eq!(texts(&drained(&mut outbox, 1000)), ["x", "a3", "b2"]);
        assert!(outbox.is_empty() && outbox.bytes() == 0);
    }

    #[test]
    fn what_is_about_to_be_sent_stays_however_often_it_changes() {
        let mut outbox = Outbox::default();
        outbox.add(keyed(&[(1, "a1"), (2, "b1")]).whole(), Pace::Behind(1000));
        assert_eq!(texts(&drained(&mut outbox, 1)), ["a1"]);
        for text in ["b2", "b3", "b4"] {
            outbox.add(keyed(&[(2, text)]).whole(), Pace::Behind(1000));
        }
        assert_eq!(texts(&drained(&mut outbox, 1000)), ["b1", "b4"]);
    }

    #[test]
    fn a_reader_who_does_not_read_holds_no_more_than_a_frame_of_each_key() {
        let mut outbox = Outbox::default();
        for n in 0..10_000 {
            outbox.add(
                keyed(&[(1 + n % 10, "value")]).whole(),
                Pace::Behind(10 * (7 + ROOM)),
            );
        }
        assert!(!outbox.overflowed());
        let queue = outbox.queue.as_ref().unwrap();
        assert!(queue.frames.len() <= 2 * EMPTY, "{}", queue.frames.len());
        outbox.withdraw(0);
        assert!(outbox.is_empty());
    }

    #[test]
    fn who_keeps_up_has_everything_and_what_comes_when_it_is_behind_gives_way() {
        let mut outbox = Outbox::default();
        outbox.add(
            keyed(&[(1, "a1"), (1, "a2"), (2, "b1")]).whole(),
            Pace::Quick,
        );
        for text in ["a3", "a4", "a5"] {
            outbox.add(keyed(&[(1, text)]).whole(), Pace::Behind(1000));
        }
        let sent = texts(&drained(&mut outbox, 1000));
        assert_eq!(sent, ["a1", "a2", "b1", "a5"]);
    }

    #[test]
    fn what_came_in_a_burst_does_not_end_who_kept_up() {
        let mut outbox = Outbox::default();
        let budget = ROOM + 3;
        for _ in 0..100 {
            outbox.add(keyed(&[(0, "a")]).whole(), Pace::Quick);
        }
        outbox.add(keyed(&[(0, "b")]).whole(), Pace::Behind(budget));
        assert!(!outbox.overflowed());
        assert_eq!(drained(&mut outbox, 3 * 50).len(), 3 * 50);
        outbox.add(keyed(&[(0, "c")]).whole(), Pace::Behind(budget));
        assert!(outbox.overflowed(), "what was sent is no room for others");
    }

    #[test]
    fn what_gives_way_is_no_room_for_what_is_smaller() {
        let mut outbox = Outbox::default();
        let behind = Pace::Behind(1000);
        outbox.add(keyed(&[(0, "x"), (0, "y")]).whole(), behind);
        assert_eq!(texts(&drained(&mut outbox, 1)), ["x"]);
        outbox.add(keyed(&[(1, "a long value")]).whole(), behind);
        outbox.add(keyed(&[(0, "z")]).whole(), Pace::Quick);
        outbox.add(keyed(&[(1, "a2")]).whole(), behind);
        assert!(!outbox.overflowed());
        assert_eq!(texts(&drained(&mut outbox, 1000)), ["y", "z", "a2"]);
    }

    proptest! {
        /// However a slow reader reads, what it is sent is in order, and in the end it has the newest of each key and all that
        /// has none.
        #[test]
        fn the_newest_of_each_key_arrives_in_order(
            steps in proptest::collection::vec((0_u64..6, 0_usize..60, 0_u8..8), 1..400),
        ) {
            let mut outbox = Outbox::default();
            let (mut owed, mut sent) = (HashMap::new(), Vec::new());
            let mut unkeyed = Vec::new();
            for (n, &(key, limit, often)) in steps.iter().enumerate() {
                let pace = if often % 2 == 1 { Pace::Quick } else { Pace::Behind(usize::MAX) };
                outbox.add(keyed(&[(key, &format!("{key} {n}"))]).whole(), pace);
                match key {
                    0 => unkeyed.push(n),
                    _ => drop(owed.insert(key, n)),
                }
                if often == 0 {
                    sent.extend(texts(&drained(&mut outbox, limit)));
                }
                if n % 97 == 96 {
                    // Another channel goes, which was never here.
                    outbox.withdraw(9);
                }
            }
            sent.extend(texts(&drained(&mut outbox, usize::MAX)));
            prop_assert!(outbox.is_empty() && outbox.bytes() == 0);
            let read = |text: &String| {
                let (key, n) = text.split_once(' ').unwrap();
                (key.parse::<u64>().unwrap(), n.parse::<usize>().unwrap())
            };
            let sent: Vec<(u64, usize)> = sent.iter().map(read).collect();
            prop_assert!(sent.is_sorted_by_key(|&(_, n)| n));
            let of_none: Vec<usize> = sent.iter().filter(|it| it.0 == 0).map(|it| it.1).collect();
            prop_assert_eq!(of_none, unkeyed);
            let last: HashMap<u64, usize> = sent.into_iter().filter(|it| it.0 != 0).collect();
            prop_assert_eq!(last, owed);
        }
    }
}
