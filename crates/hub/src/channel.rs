//! One channel, as this process knows it: its log, who follows it here, and where the two meet.
//!
//! The engine gives the channel its order and hands each publication over, to be encoded once and left for every loop with
//! followers. Followers come in between two publications, under the lock that both take.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU64,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::Instant,
};

use parking_lot::Mutex;
use wardwire_protocol::{
    channel::ChannelName,
    message::Prepared,
    rpc::{self, wire::LaggedNotice},
};

use crate::{
    audience::Audience,
    engine::{Keep, Log, Placed, Position, Sink},
    fanout::{Delivery, Origin},
    mailbox::Mailbox,
};

pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    /// Tells its frames from others'; never used again.
    pub(crate) number: u64,
    pub(crate) log: Arc<dyn Log>,
    loops: Arc<Loops>,
    state: Mutex<State>,
    /// Somebody is to be woken.
    waking: AtomicBool,
    /// Who is here, where that is told.
    audience: OnceLock<Arc<Audience>>,
}

/// The loops of this process.
pub(crate) struct Loops {
    /// Tells it from other processes.
    pub(crate) process: u64,
    /// One for each loop.
    pub(crate) mailboxes: Box<[Arc<Mailbox<Delivery>>]>,
    /// Makes numbers of keys, of which nobody finds two alike.
    pub(crate) keys: RandomState,
}

struct State {
    /// How many of each loop's sockets follow it.
    followers: Box<[u32]>,
    order: Option<Order>,
    /// What was delivered lately, while somebody joins.
    recent: Option<Box<Recent>>,
    /// Readers to be woken when no lock is held.
    woken: Vec<Waker>,
    /// Taken off the map: whoever still holds it looks the name up again.
    retired: bool,
}

/// What followers compare, as positions of two epochs cannot be: it rises by each delivery, also from one epoch to the next.
struct Order {
    epoch: u64,
    /// The place at which the epoch begins.
    base: u64,
    /// The offset of the last delivery.
    delivered: u64,
    /// No follower has more than this.
    top: u64,
}

/// The last deliveries without a gap.
#[derive(Default)]
struct Recent {
    /// How many wait for it.
    joining: usize,
    /// All that were delivered after this are here.
    floor: Option<Position>,
    deliveries: VecDeque<Placed>,
    bytes: usize,
}

/// Deliveries kept for those who join, and their bytes.
const RECENT: (usize, usize) = (1024, 256 * 1024);

/// What came of taking a place among the followers.
pub(crate) enum Place {
    /// Behind this: what was read, and these.
    Taken {
        between: Vec<Placed>,
        position: Position,
        /// What comes to the follower lies behind.
        after: u64,
    },
    /// The log begins anew: what was read belongs to another life than what is delivered.
    Elsewhere { position: Position, after: u64 },
    /// More was delivered since than is known here.
    Passed,
}

impl Channel {
    pub(crate) fn new(
        name: ChannelName,
        number: u64,
        log: Arc<dyn Log>,
        loops: Arc<Loops>,
    ) -> Self {
        let state = State {
            followers: vec![0; loops.mailboxes.len()].into(),
            order: None,
            recent: None,
            woken: Vec::new(),
            retired: false,
        };
        Self {
            name,
            number,
            log,
            loops,
            state: Mutex::new(state),
            waking: AtomicBool::new(false),
            audience: OnceLock::new(),
        }
    }

    /// Who is here, if that was ever told.
    pub(crate) fn audience(&self) -> Option<&Arc<Audience>> {
        self.audience.get()
    }

    /// Who is here.
    pub(crate) fn audience_or(&self, make: impl FnOnce() -> Arc<Audience>) -> &Arc<Audience> {
        self.audience.get_or_init(make)
    }

    /// Keeps what is delivered from now on for somebody who joins, until as often [`Self::joined`]. False if retired.
    pub(crate) fn joining(&self) -> bool {
        let mut state = self.state.lock();
        if state.retired {
            return false;
        }
        let floor = state.order.as_ref().map(Order::position);
        let recent = state.recent.get_or_insert_default();
        if recent.joining == 0 {
            recent.floor = floor;
        }
        recent.joining += 1;
        true
    }

    pub(crate) fn joined(&self) {
        let mut state = self.state.lock();
        if let Some(recent) = &mut state.recent {
            recent.joining -= 1;
            if recent.joining == 0 {
                state.recent = None;
            }
        }
    }

    /// Adds a follower of this loop, who has read up to `end` since it began [joining](Self::joining) and wants what came
    /// after it. Under the lock of deliveries, so that nothing is missed and nothing comes twice.
    pub(crate) fn follow(&self, number: usize, end: Position, whole: bool) -> Place {
        let mut state = self.state.lock();
        let State { order, recent, .. } = &mut *state;
        let order = order.get_or_insert(Order {
            epoch: end.epoch,
            base: 0,
            delivered: 0,
            top: end.offset,
        });
        let place = if order.epoch != end.epoch {
            Place::Elsewhere {
                position: order.position(),
                after: order.top,
            }
        } else if order.delivered <= end.offset || !whole {
            let offset = end.offset.max(order.delivered);
            let after = order.base.saturating_add(offset);
            order.top = order.top.max(after);
            Place::Taken {
                between: Vec::new(),
                position: Position { offset, ..end },
                after,
            }
        } else {
            let known = recent.as_ref().and_then(|recent| recent.after(end));
            match known {
                Some(between) => Place::Taken {
                    between,
                    position: order.position(),
                    after: order.top,
                },
                None => Place::Passed,
            }
        };
        if !matches!(place, Place::Passed)
            && let Some(count) = state.followers.get_mut(number)
        {
            *count += 1;
        }
        place
    }

    /// Removes a follower of this loop.
    pub(crate) fn leave(&self, number: usize) {
        let mut state = self.state.lock();
        if let Some(count) = state.followers.get_mut(number) {
            *count = count.saturating_sub(1);
        }
    }

    /// Keeps so much from now on, and lets go of what is more.
    pub(crate) fn keep(&self, keep: Keep, now: Instant) {
        self.log.keep(keep, now);
    }

    /// Whether nobody follows it and nothing would be lost with it.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let idle = self.state.lock().is_idle();
        idle && !self.log.holds(now)
    }

    /// Retires the channel if it is idle. Called only by who takes it off the map, so that nobody finds a retired one there.
    pub(crate) fn retire(&self, now: Instant) -> bool {
        {
            let mut state = self.state.lock();
            state.retired = state.is_idle();
            if !state.retired {
                return false;
            }
        }
        // Nobody comes in any more. The log's lock is never taken under this one: deliveries take them the other way round.
        let closed = self.log.close(now);
        self.state.lock().retired = closed;
        closed
    }

    fn post(
        &self,
        state: &mut State,
        offset: u64,
        (except, key): (Option<Origin>, Option<NonZeroU64>),
        frame: impl FnOnce() -> Prepared,
    ) {
        let State {
            followers, woken, ..
        } = state;
        let (mut frame, mut encoded) = (Some(frame), None);
        for (count, mailbox) in followers.iter().zip(&self.loops.mailboxes) {
            if *count == 0 {
                continue;
            }
            if let Some(frame) = frame.take() {
                encoded = Some(frame());
            }
            let Some(frame) = &encoded else {
                continue;
            };
            let weight = frame.as_bytes().len() + size_of::<Delivery>();
            let delivery = Delivery {
                channel: self.number,
                offset,
                frame: frame.clone(),
                except,
                key,
            };
            woken.extend(mailbox.post(delivery, weight));
        }
        if !woken.is_empty() {
            self.waking.store(true, Ordering::Relaxed);
        }
    }
}

impl Sink for Channel {
    /// Whether every loop with followers can take more.
    fn is_ready(&self) -> bool {
        let state = self.state.lock();
        let mut each = state.followers.iter().zip(&self.loops.mailboxes);
        !each.any(|(count, mailbox)| *count > 0 && mailbox.is_full())
    }

    fn deliver(&self, next: &Placed) {
        let mut state = self.state.lock();
        let offset = state.moved_to(next.position);
        if let Some(recent) = &mut state.recent {
            recent.push(next);
        }
        let except = next.publication.except;
        let except = except.filter(|it| it.process == self.loops.process);
        let except = except.map(|it| it.origin);
        let key = next.publication.key.as_ref();
        let key = key.and_then(|key| NonZeroU64::new(self.loops.keys.hash_one(key)));
        self.post(&mut state, offset, (except, key), || {
            let publication = next.notice(&self.name);
            Prepared::text(&rpc::notification("publication", publication))
        });
    }

    fn lost(&self, up_to: Position) {
        let mut state = self.state.lock();
        let offset = state.moved_to(up_to);
        if let Some(recent) = &mut state.recent {
            recent.deliveries.clear();
            recent.bytes = 0;
            recent.floor = Some(up_to);
        }
        self.post(&mut state, offset, (None, None), || {
            let lagged = LaggedNotice {
                channel: self.name.as_str().into(),
                position: up_to.to_string().into(),
            };
            Prepared::text(&rpc::notification("lagged", lagged))
        });
    }

    fn wake(&self) {
        if self.waking.swap(false, Ordering::Relaxed) {
            // Whom it wakes would wait for the lock.
            let woken = std::mem::take(&mut self.state.lock().woken);
            woken.into_iter().for_each(Waker::wake);
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.recent.is_none() && self.followers.iter().all(|&count| count == 0)
    }

    /// What followers compare of a position that comes next.
    fn moved_to(&mut self, position: Position) -> u64 {
        let Position { epoch, offset } = position;
        let order = self.order.get_or_insert(Order {
            epoch,
            base: 0,
            delivered: 0,
            top: 0,
        });
        if order.epoch != epoch {
            *order = Order {
                epoch,
                base: order.top,
                delivered: 0,
                top: order.top,
            };
        }
        order.delivered = offset;
        let place = order.base.saturating_add(offset);
        order.top = order.top.max(place);
        place
    }
}

impl Order {
    fn position(&self) -> Position {
        Position {
            epoch: self.epoch,
            offset: self.delivered,
        }
    }
}

impl Recent {
    fn push(&mut self, next: &Placed) {
        self.bytes += next.publication.size();
        self.deliveries.push_back(next.clone());
        let (count, bytes) = RECENT;
        while (self.deliveries.len() > count || self.bytes > bytes)
            && let Some(oldest) = self.deliveries.pop_front()
        {
            self.bytes -= oldest.publication.size();
            self.floor = Some(oldest.position);
        }
    }

    /// Everything after a position of the present epoch. None if not all of it is here.
    fn after(&self, end: Position) -> Option<Vec<Placed>> {
        let reaches = self
            .floor
            .is_none_or(|floor| floor.epoch == end.epoch && floor.offset <= end.offset);
        let behind = self.deliveries.iter().filter(|placed| {
            placed.position.epoch == end.epoch && placed.position.offset > end.offset
        });
        reaches.then(|| behind.cloned().collect())
    }
}
