//! What a slow peer has not taken: frames by reference, bounded in bytes, one rule when it overflows.
//!
//! A peer that keeps up never has one: what a turn brings it is sent in that turn.

use std::collections::VecDeque;

use wardwire_protocol::message::Prepared;

use crate::fanout::Part;

/// The frames that wait for one socket. It owns memory only while it holds some.
#[derive(Default)]
pub struct Outbox {
    queue: Option<Box<Queue>>,
    overflowed: bool,
}

#[derive(Default)]
struct Queue {
    frames: VecDeque<Queued>,
    bytes: usize,
}

/// A frame, and the number of the channel it came through.
struct Queued {
    channel: u64,
    frame: Prepared,
}

impl Outbox {
    /// Adds what of a batch is for its socket. The first frame that makes it more than `budget` bytes empties it for
    /// good; a frame that is alone always fits, as a large publication must not end those who keep up.
    pub fn add(&mut self, part: Part<'_>, budget: usize) {
        for delivery in part.deliveries() {
            if self.overflowed {
                return;
            }
            let queued = Queued {
                channel: delivery.channel,
                frame: delivery.frame.clone(),
            };
            let queue = self.queue.get_or_insert_default();
            let grown = queue.bytes.saturating_add(queued.size());
            if grown > budget && !queue.frames.is_empty() {
                self.overflowed = true;
                self.queue = None;
            } else {
                queue.bytes = grown;
                queue.frames.push_back(queued);
            }
        }
    }

    /// Takes back what came through a channel and was not sent yet.
    pub(crate) fn withdraw(&mut self, channel: u64) {
        if let Some(queue) = &mut self.queue {
            queue.frames.retain(|queued| queued.channel != channel);
            queue.bytes = queue.frames.iter().map(Queued::size).sum();
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
            && let Some(queued) = queue.frames.pop_front()
        {
            queue.bytes = queue.bytes.saturating_sub(queued.size());
            out.extend_from_slice(queued.frame.as_bytes());
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
        if self.queue.as_ref().is_some_and(|it| it.frames.is_empty()) {
            self.queue = None;
        }
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
                },
                0,
            );
        }
        batch
    }

    fn add(outbox: &mut Outbox, channel: u64, text: &str) {
        outbox.add(batch(channel, &[&Prepared::text(text)]).whole(), 1000);
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
        outbox.add(batch(0, &[&frame; 2]).whole(), budget);
        assert!(!outbox.overflowed());
        outbox.add(batch(0, &[&frame; 2]).whole(), budget);
        assert!(outbox.overflowed() && outbox.is_empty());
        outbox.add(batch(0, &[&frame]).whole(), budget);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_reader_that_keeps_up_gets_a_frame_of_any_size() {
        let mut outbox = Outbox::default();
        let large = Prepared::binary(&[0; 1000]);
        for _ in 0..3 {
            outbox.add(batch(0, &[&large]).whole(), 100);
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
        outbox.add(batch.part_of(knows), 1000);
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
}
