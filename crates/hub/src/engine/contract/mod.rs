//! What every engine owes, as a suite that any can be put to.
//!
//! [`breaches`] asks an engine everything and tells what it does not keep; an engine that keeps all of it has none. It asks by
//! the traits alone, so it is the same for one that answers at once and for one that takes its time. That the suite notices
//! what it is for is shown by engines that are broken on purpose.

mod append;
mod bounds;
#[cfg(test)]
pub(crate) mod broken;
#[cfg(test)]
pub(crate) mod far;
mod follow;
mod latest;
mod presence;
mod read;
mod sets;
#[cfg(test)]
mod tests;
mod wait;

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use wardwire_protocol::channel::ChannelName;

use super::{
    Appended, Content, Durability, Engine, EngineError, Entry, Keep, Latest, Limit, Log, Once,
    Page, Placed, Position, Publication, Range, Sink, Snapshot, Stands,
};
use crate::rights::History;
use wait::wait;

/// Where the suite gets what it asks.
pub trait Subject: Sync {
    /// A fresh engine with nothing in it, or at least with none of the channels of earlier ones.
    fn engine(&self) -> Arc<dyn Engine>;

    /// Another process's engine of the same publications. None where there can be none.
    fn beside(&self, engine: &Arc<dyn Engine>) -> Option<Arc<dyn Engine>>;

    /// The time that engines are told.
    fn now(&self) -> Instant;

    /// Lets time pass: an engine with a clock of its own is waited for.
    fn pass(&self, time: Duration);
}

/// Something that an engine does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What every engine owes.
    pub owed: &'static str,
    /// What this one did.
    pub was: String,
}

/// What an engine owes, and how it is asked.
type Clause = (&'static str, fn(&Bench<'_>) -> Result<(), String>);

/// Asks everything. Returns what is not kept.
#[must_use]
pub fn breaches(subject: &dyn Subject) -> Vec<Breach> {
    let parts = [
        append::CLAUSES,
        read::CLAUSES,
        follow::CLAUSES,
        latest::CLAUSES,
        bounds::CLAUSES,
        sets::CLAUSES,
        presence::CLAUSES,
    ];
    let clauses = parts.into_iter().flatten();
    let asked = clauses.map(|(owed, ask)| (owed, ask(&Bench::new(subject))));
    asked
        .filter_map(|(owed, kept)| kept.err().map(|was| Breach { owed, was }))
        .collect()
}

/// One engine under question.
struct Bench<'a> {
    subject: &'a dyn Subject,
    engine: Arc<dyn Engine>,
}

/// As much as these questions need.
const HOUR: Duration = Duration::from_secs(3600);
const ALL: Limit = Limit {
    count: 100_000,
    bytes: usize::MAX,
};

impl<'a> Bench<'a> {
    fn new(subject: &'a dyn Subject) -> Self {
        let engine = subject.engine();
        Self { subject, engine }
    }

    /// A channel that no other question has had.
    fn channel(&self) -> Result<ChannelName, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("contract/{}/{number}", std::process::id());
        ChannelName::parse(&name).map_err(|error| error.to_string())
    }

    /// The log of a channel of its own, which keeps so many for so long.
    fn log(&self, size: usize, ttl: Duration) -> Result<Kept<'_>, String> {
        self.keeping(Keep {
            history: History { size, ttl },
            latest: Latest::Nothing,
        })
    }

    fn keeping(&self, keep: Keep) -> Result<Kept<'_>, String> {
        let log = self.engine.open(&self.channel()?, keep);
        Ok(Kept { bench: self, log })
    }

    fn now(&self) -> Instant {
        self.subject.now()
    }
}

/// A log under question.
struct Kept<'a> {
    bench: &'a Bench<'a>,
    log: Arc<dyn Log>,
}

impl Kept<'_> {
    fn now(&self) -> Instant {
        self.bench.now()
    }

    fn append(&self, data: &str) -> Result<Position, String> {
        Ok(self.put(data, None, None)?.position)
    }

    fn put(&self, data: &str, key: Option<&str>, once: Option<Once>) -> Result<Appended, String> {
        let appended = wait(self.log.append(&[entry(data, key, once)?], self.now()));
        match &appended.map_err(|error| error.to_string())?[..] {
            [one] => Ok(*one),
            other => Err(format!("{} answers for one entry", other.len())),
        }
    }

    fn read(&self, range: Range, limit: Limit) -> Result<Page, String> {
        wait(self.log.read(range, limit, self.now())).map_err(|error| error.to_string())
    }

    /// Whether what it keeps ends with it.
    fn is_memory(&self) -> bool {
        self.bench.engine.durability() == Durability::Memory
    }

    /// The data of all that is kept.
    fn all(&self) -> Result<Vec<String>, String> {
        Ok(texts(&self.read(Range::Newest, ALL)?.publications))
    }

    fn end(&self) -> Result<Position, String> {
        Ok(self.read(Range::Newest, ALL)?.end)
    }

    fn follow(&self) -> Arc<Heard> {
        let heard = Arc::<Heard>::default();
        let sink: Weak<dyn Sink> = Arc::downgrade(&heard) as _;
        self.log.follow(sink);
        heard
    }
}

/// A follower that writes down what it is told.
#[derive(Default)]
struct Heard {
    deliveries: parking_lot::Mutex<Vec<Placed>>,
    changed: parking_lot::Condvar,
}

impl Heard {
    /// What was delivered, as soon as it reaches this position, or when it is late.
    fn up_to(&self, end: Position) -> Vec<Placed> {
        let mut deliveries = self.deliveries.lock();
        let late = Instant::now() + LATE;
        let reaches = |deliveries: &[Placed]| deliveries.iter().any(|it| it.position == end);
        while !reaches(&deliveries) && !self.changed.wait_until(&mut deliveries, late).timed_out() {
        }
        deliveries.clone()
    }
}

/// A delivery that takes longer is lost.
const LATE: Duration = Duration::from_secs(5);

impl Sink for Heard {
    fn is_ready(&self) -> bool {
        true
    }

    fn deliver(&self, next: &Placed) {
        self.deliveries.lock().push(next.clone());
        self.changed.notify_all();
    }

    fn lost(&self, _: Position) {}

    fn wake(&self) {}
}

fn entry(data: &str, key: Option<&str>, once: Option<Once>) -> Result<Entry, String> {
    let data = serde_json::value::to_raw_value(data).map_err(|error| error.to_string())?;
    let publication = Publication {
        content: Content::Data(data),
        from: Some("somebody".into()),
        id: None,
        key: key.map(Into::into),
        except: None,
    };
    Ok(Entry {
        publication: Arc::new(publication),
        once,
    })
}

/// An id that nobody else has.
fn once(publisher: u64) -> Once {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut key = [0; 32];
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let process = std::process::id().to_be_bytes();
    for (to, from) in key.iter_mut().zip(number.into_iter().chain(process)) {
        *to = from;
    }
    Once { key, publisher }
}

fn text(content: &Content) -> String {
    serde_json::from_str(content.as_str()).unwrap_or_default()
}

fn texts(publications: &[Placed]) -> Vec<String> {
    let each = publications.iter();
    each.map(|placed| text(&placed.publication.content))
        .collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, was: T, owed: T) -> Result<(), String> {
    match was == owed {
        true => Ok(()),
        false => Err(format!("{what}: {was:?} and not {owed:?}")),
    }
}

fn holds(what: &str, holds: bool) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(what.to_owned()),
    }
}

/// Whether each stands behind the one before it, in one epoch.
fn rises(positions: impl IntoIterator<Item = Position>) -> Result<(), String> {
    let positions: Vec<Position> = positions.into_iter().collect();
    let pairs = positions.iter().zip(positions.iter().skip(1));
    for (before, next) in pairs {
        let behind = before.epoch == next.epoch && before.offset < next.offset;
        holds(&format!("{next} comes after {before}"), behind)?;
    }
    Ok(())
}
