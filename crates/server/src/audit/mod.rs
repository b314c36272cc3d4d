//! The audit log: one JSON line for every admission, refusal, close and revocation, chained by hash.
//!
//! Recording never waits: events go through a bounded queue to one writer thread. When the queue is full or the disk
//! fails, [`Audit::is_healthy`] says so and nobody new is let in until it works again; so [`flood`] bounds what refusals
//! may write, and [`drops`] counts those who do not even get one. No event holds a credential.
//!
//! [`chain`] joins lines, [`segment`] knows the files, [`writer`] writes and rotates them and signs heads with a [`key`],
//! [`ship`] sends lines elsewhere, and [`verify`](mod@verify) judges what became of
//! a log whose [`files`] it is given.

mod chain;
mod drops;
mod event;
mod files;
mod flood;
mod key;
mod segment;
mod ship;
mod shortened;
#[cfg(test)]
mod tests;
mod time;
mod verify;
mod writer;

use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use wardwire_admission::admit::Trail;

pub use drops::Cause;
use drops::Drops;
pub use event::{Event, Outcome};
pub use files::{Files, verify_running};
pub use key::{KeyError, PublicKey, SigningKey};
use segment::Log;
pub use ship::Ship;
use ship::{Shipper, Shipping};
pub use verify::{Demands, Fault, Noted, Summary, Verdict, verify};
use writer::Writer;

/// How a log is kept.
pub struct Settings {
    /// The file that is written.
    pub file: PathBuf,
    /// When it is closed as a segment, and how many of those are kept.
    pub keep: Keep,
    /// Signs heads.
    pub key: Option<SigningKey>,
    /// Where each line goes beside.
    pub ship: Option<Ship>,
    /// Whether nobody new is let in while lines cannot be shipped.
    pub ship_required: bool,
    /// Whether clients' addresses are written shortened.
    pub shorten: bool,
    /// Whether the last 1,000 lines can be looked up.
    pub remember: bool,
}

/// When a segment is closed, and how many are kept. Nothing set is one file for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// Bytes after which it is closed.
    pub size: Option<u64>,
    /// The age of its first line at which it is closed.
    pub age: Option<Duration>,
    /// Closed segments beyond so many are deleted, the oldest first.
    pub segments: Option<usize>,
}

impl Settings {
    /// A log in one file, unsigned and shipped nowhere.
    #[must_use]
    pub fn of(file: PathBuf) -> Self {
        Self {
            file,
            keep: Keep::default(),
            key: None,
            ship: None,
            ship_required: false,
            shorten: false,
            remember: false,
        }
    }
}

/// A handle to the log. Cloning shares it.
#[derive(Clone)]
pub struct Audit {
    queue: SyncSender<Entry>,
    shared: Arc<Shared>,
}

struct Shared {
    failed: AtomicBool,
    unsynced: AtomicBool,
    full: AtomicBool,
    /// Events that the queue could not take and the log has yet to own up to.
    lost: AtomicU64,
    drops: Drops,
    recent: Option<Mutex<VecDeque<Arc<str>>>>,
    shipping: Option<Arc<Shipping>>,
    ship_required: bool,
}

enum Entry {
    Event(Box<Event>),
    /// Answered once everything before it is on disk.
    Flush(SyncSender<()>),
    /// The same, after a head that is the last line.
    Close(SyncSender<()>),
}

const QUEUE: usize = 16 * 1024;
/// Between two tries to say something to a writer whose queue is full.
const CROWDED: Duration = Duration::from_millis(10);

impl Audit {
    /// Opens the log and carries its chain on.
    ///
    /// # Errors
    /// A file cannot be made, read or appended to, or is no audit log; another server writes it; a descriptor to ship to was
    /// not handed down.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let Settings {
            file,
            keep,
            key,
            ship,
            ship_required,
            shorten,
            remember,
        } = settings;
        // First, as the log could take the number of a descriptor that was not handed down.
        let shipper = ship.as_ref().map(Shipper::start).transpose()?;
        let opened = Log::open(&file)?;
        let shared = Arc::new(Shared {
            failed: false.into(),
            unsynced: false.into(),
            full: false.into(),
            lost: 0.into(),
            drops: Drops::default(),
            recent: remember.then(|| Mutex::new(VecDeque::new())),
            shipping: shipper.as_ref().map(Shipper::state),
            ship_required,
        });
        let (queue, entries) = sync_channel(QUEUE);
        let writer = Writer::new(opened, keep, key, shipper, shared.clone()).shortening(shorten);
        thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&entries))?;
        Ok(Self { queue, shared })
    }

    /// Records an event, without waiting. What the queue cannot take is counted, and the log says how many it lacks.
    pub fn record(&self, event: Event) {
        let sent = self.queue.try_send(Entry::Event(Box::new(event)));
        if sent.is_err() {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.shared.full.store(sent.is_err(), Ordering::Relaxed);
    }

    /// Records that a connection was hung up on without an answer, as far as that can be had for nothing.
    pub fn dropped(&self, cause: Cause, trail: &Trail) {
        if self.shared.drops.add(cause) {
            self.record(Event::dropped(trail, cause));
        }
    }

    /// Records that a call on a live socket failed, and what it was about, in the same way: as many sockets as there may be
    /// can each have some of them at once, and must not fill the queue together.
    pub fn call_refused(
        &self,
        trail: &Trail,
        word: &'static str,
        detail: impl FnOnce() -> Option<String>,
    ) {
        if self.shared.drops.add_call() {
            self.record(Event::call_refused(trail, word, detail()));
        }
    }

    /// Writes down what was let through only because its channel reports.
    pub fn reported(&self, trail: &Trail, word: &'static str, detail: impl FnOnce() -> String) {
        if self.shared.drops.add_report() {
            self.record(Event::reported(trail, word, detail()));
        }
    }

    /// Writes down that a socket had to leave a channel.
    pub fn unsubscribed(
        &self,
        trail: &Trail,
        reason: &'static str,
        channel: impl FnOnce() -> String,
    ) {
        if self.shared.drops.add_loss() {
            self.record(Event::unsubscribed(trail, reason, channel()));
        }
    }

    /// Whether events reach the disk. While they do not, nobody new may be let in.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        if self.shared.full.load(Ordering::Relaxed) {
            // Nothing is recorded while nobody is let in, so the queue's end is found by asking.
            let (answer, _) = sync_channel(1);
            let full = self.queue.try_send(Entry::Flush(answer)).is_err();
            self.shared.full.store(full, Ordering::Relaxed);
        }
        let Shared {
            failed,
            unsynced,
            full,
            ..
        } = &*self.shared;
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        let is_shipped = !self.shared.ship_required || self.is_shipping();
        !is_set(failed) && !is_set(unsynced) && !is_set(full) && is_shipped
    }

    /// Whether lines arrive where they are shipped to, if anywhere.
    #[must_use]
    pub fn is_shipping(&self) -> bool {
        let shipping = self.shared.shipping.as_ref();
        shipping.is_none_or(|shipping| shipping.is_well())
    }

    /// Lines that could not be shipped and stand in the file only.
    #[must_use]
    pub fn unshipped(&self) -> u64 {
        let shipping = self.shared.shipping.as_ref();
        shipping.map_or(0, |shipping| shipping.dropped())
    }

    /// Waits until everything recorded so far is on disk, or `patience` is over.
    pub fn flush(&self, patience: Duration) {
        self.ask(Entry::Flush, patience);
    }

    /// Ends the log with a head, which says that nothing was to follow. What is recorded after it is lost. Gives up when
    /// `patience` is over.
    pub fn close(&self, patience: Duration) {
        self.ask(Entry::Close, patience);
    }

    fn ask(&self, question: fn(SyncSender<()>) -> Entry, patience: Duration) {
        let until = Instant::now() + patience;
        let (answer, answered) = sync_channel(1);
        let mut entry = question(answer);
        // A full queue before a disk that fails may never take it.
        while let Err(TrySendError::Full(back)) = self.queue.try_send(entry) {
            if Instant::now() >= until {
                return;
            }
            entry = back;
            thread::sleep(CROWDED);
        }
        let _ = answered.recv_timeout(until.saturating_duration_since(Instant::now()));
    }

    /// The remembered lines of the attempt that named itself `trace`, oldest first.
    #[must_use]
    pub fn of_trace(&self, trace: &str) -> Vec<Arc<str>> {
        let needle = format!("\"trace\":\"{trace}\"");
        let Some(recent) = &self.shared.recent else {
            return Vec::new();
        };
        recent
            .lock()
            .iter()
            .filter(|line| line.contains(&needle))
            .cloned()
            .collect()
    }
}
