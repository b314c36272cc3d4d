//! Joining a channel: reading what was missed and then following, without a gap or a repetition, however long reading takes.
//!
//! Deliveries are kept aside from before the first question. When the answer is there, what was delivered behind its end is
//! put behind it, and the follower stands where deliveries are now. If more was delivered than is kept aside, the rest is
//! read too, so often and no more.

use std::{
    collections::HashSet,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use wardwire_protocol::channel::ChannelName;

use crate::{
    HubError,
    channel::{Channel, Place},
    engine::{EngineError, Latest, Limit, Page, Placed, Position, Range, Reply, Snapshot},
};

/// What a subscription begins with.
#[derive(Debug)]
pub struct Subscribed {
    /// What comes from now on comes after it.
    pub position: Position,
    /// Whether `publications` is everything since the position asked for.
    pub recovered: bool,
    /// What was missed, oldest first, or the latest values.
    pub publications: Vec<Placed>,
    /// The channel keeps the latest of each key: of what was missed, only that is there.
    pub conflated: bool,
    /// There are values of other keys, which were too many or too large.
    pub truncated: bool,
}

/// A subscription under way. Dropped, it was never begun.
pub(crate) struct Joining {
    channel: Arc<Channel>,
    /// The loop's number.
    number: usize,
    latest: Latest,
    /// What is known already of a conflated channel.
    since: Option<Position>,
    /// All that was published after it is found, or a newer value of its key.
    floor: u64,
    want: Want,
    reading: Reading,
    found: Vec<Placed>,
    /// Bytes of them that there may be.
    most: usize,
    rounds: u32,
}

/// What is to stand before what is delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Missed,
    Latest,
    Nothing,
}

/// A place among a channel's followers, for the loop that asked for it. Dropped, it is given up.
///
/// INVARIANT: it is [taken](crate::Member::join) before its loop collects again, as what is delivered from now on is not for
/// anybody yet.
pub struct Seat {
    pub(crate) channel: Arc<Channel>,
    number: usize,
    pub(crate) subscribed: Subscribed,
    /// What comes to the follower lies behind.
    pub(crate) after: u64,
    taken: bool,
}

enum Reading {
    Pages(Reply<Page>),
    Values(Reply<Snapshot>),
    Done,
}

/// How often it goes on to read what was delivered meanwhile.
const ROUNDS: u32 = 8;
/// The most publications that a subscription begins with.
const MISSED: usize = 10_000;

impl Joining {
    /// None if the channel is retired.
    pub(crate) fn new(
        channel: Arc<Channel>,
        number: usize,
        since: Option<Position>,
        latest: Latest,
        most: usize,
    ) -> Option<Self> {
        if !channel.joining() {
            return None;
        }
        let mut new = Self {
            channel,
            number,
            latest,
            since: since.filter(|_| latest == Latest::Keys),
            floor: 0,
            want: Want::Missed,
            reading: Reading::Done,
            found: Vec::new(),
            most,
            rounds: 0,
        };
        match since {
            Some(since) if latest != Latest::Keys => new.read_after(since),
            _ => new.read_latest(),
        }
        Some(new)
    }

    /// The end of what is found now. None if something else is to be read for it.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Position>, EngineError>> {
        match std::mem::replace(&mut self.reading, Reading::Done) {
            Reading::Pages(pages) => match pages.poll(cx) {
                Ok(page) => Poll::Ready(page.map(|page| self.take_page(page))),
                Err(pages) => {
                    self.reading = Reading::Pages(pages);
                    Poll::Pending
                }
            },
            Reading::Values(values) => match values.poll(cx) {
                Ok(values) => Poll::Ready(values.map(|snapshot| {
                    self.found = snapshot.values;
                    self.floor = snapshot.floor;
                    Some(snapshot.end)
                })),
                Err(values) => {
                    self.reading = Reading::Values(values);
                    Poll::Pending
                }
            },
            // It was over; nothing is asked any more.
            Reading::Done => Poll::Ready(Err(EngineError::Unavailable)),
        }
    }

    fn take_page(&mut self, page: Page) -> Option<Position> {
        if self.want == Want::Missed {
            self.found.extend(page.publications);
            if !page.complete || page.more || self.size() > self.most {
                self.read_latest();
                return None;
            }
        }
        Some(page.end)
    }

    fn follow(&mut self, end: Position) -> Option<Seat> {
        let whole = self.want != Want::Nothing;
        let (position, after) = match self.channel.follow(self.number, end, whole) {
            Place::Taken {
                between,
                position,
                after,
            } => {
                self.found.extend(between);
                if self.want == Want::Missed && self.size() > self.most {
                    self.channel.leave(self.number);
                    self.read_latest();
                    return None;
                }
                (position, after)
            }
            Place::Elsewhere { position, after } => {
                self.give_up();
                (position, after)
            }
            Place::Passed => {
                self.again(end);
                return None;
            }
        };
        let subscribed = self.subscribed(position);
        Some(Seat {
            channel: self.channel.clone(),
            number: self.number,
            subscribed,
            after,
            taken: false,
        })
    }

    fn subscribed(&mut self, position: Position) -> Subscribed {
        let mut publications = std::mem::take(&mut self.found);
        let mut recovered = self.want == Want::Missed;
        let mut truncated = false;
        if self.want == Want::Latest {
            let since = self.since.filter(|it| {
                it.epoch == position.epoch && (self.floor..=position.offset).contains(&it.offset)
            });
            if let Some(since) = since {
                publications.retain(|it| it.position.offset > since.offset);
            }
            (publications, truncated) = newest(&publications, self.latest, self.most);
            recovered = since.is_some() && !truncated;
        }
        Subscribed {
            position,
            recovered,
            publications,
            conflated: self.latest == Latest::Keys,
            truncated,
        }
    }

    /// Reads on, as more was delivered behind what was read than is kept aside.
    fn again(&mut self, end: Position) {
        self.rounds += 1;
        match self.want {
            Want::Missed if self.rounds <= ROUNDS => self.read_after(end),
            Want::Latest if self.rounds <= ROUNDS => self.read_latest(),
            _ => {
                self.give_up();
                self.read_end();
            }
        }
    }

    fn give_up(&mut self) {
        self.want = Want::Nothing;
        self.found.clear();
    }

    fn read_after(&mut self, since: Position) {
        let limit = Limit {
            count: MISSED.saturating_sub(self.found.len()),
            bytes: self.most.saturating_sub(self.size()),
        };
        let range = Range::After(since);
        self.reading = Reading::Pages(self.channel.log.read(range, limit, Instant::now()));
    }

    /// What was missed cannot be had, or was not asked for: the latest values can, where the channel keeps them.
    fn read_latest(&mut self) {
        self.give_up();
        if self.latest == Latest::Nothing {
            return self.read_end();
        }
        self.want = Want::Latest;
        self.reading = Reading::Values(self.channel.log.latest(Instant::now()));
    }

    fn read_end(&mut self) {
        let limit = Limit { count: 0, bytes: 0 };
        let end = self.channel.log.read(Range::Newest, limit, Instant::now());
        self.reading = Reading::Pages(end);
    }

    fn size(&self) -> usize {
        let found = self.found.iter();
        found.map(|placed| placed.publication.size()).sum()
    }
}

/// The last value, or that of each key. The newest of them, and true, if all are too many or too large.
fn newest(found: &[Placed], latest: Latest, most: usize) -> (Vec<Placed>, bool) {
    let (mut known, mut bytes) = (HashSet::new(), 0);
    let newest = found.iter().rev().filter(|placed| {
        let key = placed.publication.key.as_deref();
        known.insert(key.filter(|_| latest == Latest::Keys))
    });
    let mut all: Vec<Placed> = newest.cloned().collect();
    let fit = all.iter().take(Latest::KEYS).take_while(|placed| {
        let first = bytes == 0;
        bytes += placed.publication.size();
        first || bytes <= most
    });
    let fit = fit.count();
    let truncated = fit < all.len();
    all.truncate(fit);
    all.reverse();
    (all, truncated)
}

impl Future for Joining {
    type Output = Result<Seat, HubError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match ready!(self.poll_read(cx)) {
                Err(error) => return Poll::Ready(Err(error.into())),
                Ok(None) => {}
                Ok(Some(end)) => {
                    if let Some(seat) = self.follow(end) {
                        return Poll::Ready(Ok(seat));
                    }
                }
            }
        }
    }
}

impl Seat {
    /// Of which channel.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel.name
    }

    /// It is somebody's, who leaves the channel later.
    pub(crate) fn take(mut self) -> (Arc<Channel>, u64, Subscribed) {
        self.taken = true;
        let none = Subscribed {
            publications: Vec::new(),
            ..self.subscribed
        };
        let subscribed = std::mem::replace(&mut self.subscribed, none);
        (self.channel.clone(), self.after, subscribed)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.taken {
            self.channel.leave(self.number);
        }
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.channel.joined();
    }
}
