//! Engines that are broken on purpose, each in one way.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use parking_lot::Mutex;
use wardwire_protocol::channel::ChannelName;

use crate::engine::{
    Answer, Appended, Durability, Engine, Entry, Keep, Limit, Log, Page, Placed, Position,
    Presence, Range, Reply, Sets, Sink, Snapshot, Stands, memory::Memory,
};

/// What it does to one publication of each channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Loses,
    Doubles,
    Reorders,
}

/// Where it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where it is kept.
    Kept,
    /// On its way to followers.
    Delivered,
    /// In what is read.
    Read,
    /// In the latest values.
    Latest,
}

/// Memory with a fault.
pub(crate) struct Broken {
    pub(crate) memory: Memory,
    pub(crate) fault: Fault,
    pub(crate) place: Place,
}

struct BrokenLog {
    log: Arc<dyn Log>,
    fault: Fault,
    place: Place,
    appends: AtomicUsize,
    /// Answered as if it stood, and appended behind the next.
    held: Mutex<Vec<Entry>>,
    /// Lives as long as the log.
    sink: Mutex<Option<Arc<BrokenSink>>>,
}

struct BrokenSink {
    to: Weak<dyn Sink>,
    fault: Fault,
    deliveries: AtomicUsize,
    held: Mutex<Option<Placed>>,
}

/// The one to which it is done: late enough that there is one before it, and early enough that most questions come to it.
const THIS: usize = 2;

impl Engine for Broken {
    fn durability(&self) -> Durability {
        self.memory.durability()
    }

    fn open(&self, channel: &ChannelName, keep: Keep) -> Arc<dyn Log> {
        Arc::new(BrokenLog {
            log: self.memory.open(channel, keep),
            fault: self.fault,
            place: self.place,
            appends: AtomicUsize::new(0),
            held: Mutex::default(),
            sink: Mutex::default(),
        })
    }

    fn presence(&self) -> &dyn Presence {
        self.memory.presence()
    }

    fn sets(&self) -> &dyn Sets {
        self.memory.sets()
    }

    fn used(&self) -> usize {
        self.memory.used()
    }

    fn sweep(&self, now: Instant) {
        self.memory.sweep(now);
    }
}

impl Fault {
    fn break_list(self, all: &mut Vec<Placed>) {
        if all.len() > THIS {
            match self {
                Self::Loses => drop(all.remove(THIS)),
                Self::Doubles => all.insert(THIS, all[THIS].clone()),
                Self::Reorders => all.swap(THIS, THIS - 1),
            }
        }
    }
}

impl BrokenLog {
    fn break_kept(&self, batch: &[Entry], now: Instant) -> Reply<Stands> {
        if self.appends.fetch_add(1, Ordering::Relaxed) != THIS {
            let answer = self.log.append(batch, now);
            let held = std::mem::take(&mut *self.held.lock());
            if !held.is_empty() {
                self.log.append(&held, now).now().unwrap().unwrap();
            }
            return answer;
        }
        match self.fault {
            // Answered as if it stood.
            Fault::Loses | Fault::Reorders => {
                if self.fault == Fault::Reorders {
                    *self.held.lock() = batch.to_vec();
                }
                let end = self.end(now);
                let next = Appended {
                    position: Position {
                        offset: end.offset + 1,
                        ..end
                    },
                    duplicate: false,
                };
                Answer::Now(Ok(Stands::Several(vec![next; batch.len()])))
            }
            // The first try seemed to fail.
            Fault::Doubles => {
                self.log.append(batch, now).now().unwrap().unwrap();
                let once_more: Vec<Entry> = batch
                    .iter()
                    .map(|entry| Entry {
                        once: None,
                        ..entry.clone()
                    })
                    .collect();
                self.log.append(&once_more, now)
            }
        }
    }

    fn end(&self, now: Instant) -> Position {
        let limit = Limit { count: 0, bytes: 0 };
        let page = self.log.read(Range::Newest, limit, now);
        page.now().unwrap().unwrap().end
    }
}

impl Log for BrokenLog {
    fn follow(&self, sink: Weak<dyn Sink>) {
        if self.place != Place::Delivered {
            return self.log.follow(sink);
        }
        let broken = Arc::new(BrokenSink {
            to: sink,
            fault: self.fault,
            deliveries: AtomicUsize::new(0),
            held: Mutex::default(),
        });
        let weak: Weak<dyn Sink> = Arc::downgrade(&broken) as _;
        self.log.follow(weak);
        *self.sink.lock() = Some(broken);
    }

    fn append(&self, batch: &[Entry], now: Instant) -> Reply<Stands> {
        match self.place {
            Place::Kept => self.break_kept(batch, now),
            _ => self.log.append(batch, now),
        }
    }

    fn read(&self, range: Range, limit: Limit, now: Instant) -> Reply<Page> {
        let (place, fault) = (self.place, self.fault);
        self.log.read(range, limit, now).map(move |page| {
            let mut page = page?;
            if place == Place::Read {
                fault.break_list(&mut page.publications);
            }
            Ok(page)
        })
    }

    fn latest(&self, now: Instant) -> Reply<Snapshot> {
        let (place, fault) = (self.place, self.fault);
        self.log.latest(now).map(move |snapshot| {
            let mut snapshot = snapshot?;
            if place == Place::Latest {
                fault.break_list(&mut snapshot.values);
            }
            Ok(snapshot)
        })
    }

    fn keep(&self, keep: Keep, now: Instant) {
        self.log.keep(keep, now);
    }

    fn holds(&self, now: Instant) -> bool {
        self.log.holds(now)
    }

    fn close(&self, now: Instant) -> bool {
        self.log.close(now)
    }
}

impl Sink for BrokenSink {
    fn is_ready(&self) -> bool {
        true
    }

    fn deliver(&self, next: &Placed) {
        let Some(to) = self.to.upgrade() else {
            return;
        };
        let this = self.deliveries.fetch_add(1, Ordering::Relaxed) == THIS;
        match self.fault {
            Fault::Loses if this => {}
            Fault::Reorders if this => *self.held.lock() = Some(next.clone()),
            Fault::Doubles if this => {
                to.deliver(next);
                to.deliver(next);
            }
            _ => to.deliver(next),
        }
        if !this && let Some(held) = self.held.lock().take() {
            to.deliver(&held);
        }
    }

    fn lost(&self, _: Position) {}

    fn wake(&self) {
        if let Some(to) = self.to.upgrade() {
            to.wake();
        }
    }
}
