//! The audit log: one JSON line for every admission, refusal, close and revocation, chained by hash.
//!
//! Recording never waits: events go through a bounded queue to one writer thread. When the queue is full or the disk
//! fails, [`Audit::is_healthy`] says so and nobody new is let in until it works again; so [`flood`] bounds what refusals
//! may write. No event holds a credential.

mod chain;
mod event;
mod flood;
#[cfg(test)]
mod tests;
mod verify;

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use chain::{Chain, TORN};
pub use event::{Event, Outcome};
use flood::Flood;
pub use verify::{Verdict, verify};

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
    recent: Option<Mutex<VecDeque<Arc<str>>>>,
}

enum Entry {
    Event(Box<Event>),
    /// Answered once everything before it is on disk.
    Flush(SyncSender<()>),
}

const QUEUE: usize = 16 * 1024;
const RECENT: usize = 1000;
/// An event is on its way to the disk within this.
const GATHER: Duration = Duration::from_millis(2);
const SYNC: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(200);
/// For a lock, and between two tries.
const PATIENCE: Duration = Duration::from_secs(2);
const LOCKED: Duration = Duration::from_millis(10);

impl Audit {
    /// Opens the log and carries its chain on. With `remember`, the last 1,000 lines can be looked up.
    ///
    /// # Errors
    /// The file cannot be made, read or appended to.
    pub fn open(path: &Path, remember: bool) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        lock(&file)?;
        let (chain, torn) = Chain::resume(&file)?;
        let recent = remember.then(|| Mutex::new(VecDeque::new()));
        let shared = Arc::new(Shared {
            failed: false.into(),
            unsynced: false.into(),
            full: false.into(),
            recent,
        });
        let (queue, entries) = sync_channel(QUEUE);
        let writer = Writer {
            file,
            chain,
            shared: shared.clone(),
            flood: Flood::new(Instant::now()),
            pending: Vec::new(),
            unsynced: None,
        };
        thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&entries))?;
        let audit = Self { queue, shared };
        if let Some(digest) = torn {
            let mut event = Event::new(TORN);
            event.outcome.detail = Some(digest.into());
            audit.record(event);
        }
        Ok(audit)
    }

    /// Records an event, without waiting.
    pub fn record(&self, event: Event) {
        let sent = self.queue.try_send(Entry::Event(Box::new(event)));
        self.shared.full.store(sent.is_err(), Ordering::Relaxed);
    }

    /// Whether events reach the disk. While they do not, nobody new may be let in.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        if self.shared.full.load(Ordering::Relaxed) {
            // Nothing is recorded while nobody is let in, so the queue's end is found by asking.
            let (answer, _) = sync_channel(1);
            let full = matches!(
                self.queue.try_send(Entry::Flush(answer)),
                Err(TrySendError::Full(_))
            );
            self.shared.full.store(full, Ordering::Relaxed);
        }
        let Shared {
            failed,
            unsynced,
            full,
            ..
        } = &*self.shared;
        let is_set = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        !is_set(failed) && !is_set(unsynced) && !is_set(full)
    }

    /// Waits until everything recorded so far is on disk, or `patience` is over.
    pub fn flush(&self, patience: Duration) {
        let until = Instant::now() + patience;
        let (answer, answered) = sync_channel(1);
        let mut entry = Entry::Flush(answer);
        // A full queue before a disk that fails may never take it.
        while let Err(TrySendError::Full(back)) = self.queue.try_send(entry) {
            if Instant::now() >= until {
                return;
            }
            entry = back;
            thread::sleep(LOCKED);
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

/// Two writers would break each other's chain. A server that is just going down is waited for.
///
/// # Errors
/// Another server writes this log.
fn lock(file: &File) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCKED),
            Err(TryLockError::WouldBlock) => {
                let message = "another server writes this audit log; give each its own";
                return Err(io::Error::other(message));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Owns the file.
struct Writer {
    file: File,
    chain: Chain,
    shared: Arc<Shared>,
    flood: Flood,
    /// Lines that are not written yet.
    pending: Vec<u8>,
    unsynced: Option<Instant>,
}

impl Writer {
    fn run(mut self, entries: &Receiver<Entry>) {
        loop {
            match entries.recv_timeout(SYNC) {
                Ok(entry) => {
                    self.take(entry);
                    while let Ok(entry) = entries.try_recv() {
                        self.take(entry);
                        if self.pending.len() > 256 * 1024 {
                            break;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            for counted in self.flood.turn(Instant::now()) {
                self.line(&counted);
            }
            self.write();
            // Meanwhile events gather, and recording one wakes nobody.
            thread::sleep(GATHER);
            if self.unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
                self.sync();
            }
        }
        self.settle();
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Event(event) if self.flood.pass(&event) => self.line(&event),
            Entry::Event(_) => {}
            Entry::Flush(answer) => {
                self.settle();
                let _ = answer.try_send(());
            }
        }
    }

    fn line(&mut self, event: &Event) {
        let start = self.pending.len();
        self.chain.line(event, &mut self.pending);
        if let Some(recent) = &self.shared.recent {
            let line = self.pending.get(start..).unwrap_or_default();
            let mut recent = recent.lock();
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(String::from_utf8_lossy(line).trim_end().into());
        }
    }

    /// Puts everything that was recorded on disk.
    fn settle(&mut self) {
        for counted in self.flood.counted() {
            self.line(&counted);
        }
        self.write();
        self.sync();
    }

    /// Writes what is pending, however long that takes: an event that was recorded is not lost while the server lives.
    fn write(&mut self) {
        while !self.pending.is_empty() {
            match self.file.write(&self.pending) {
                Ok(written) if written > 0 => {
                    self.pending.drain(..written);
                    self.unsynced.get_or_insert_with(Instant::now);
                    self.shared.failed.store(false, Ordering::Relaxed);
                }
                outcome => {
                    if !self.shared.failed.swap(true, Ordering::Relaxed) {
                        tracing::error!(
                            ?outcome,
                            "the audit log cannot be written: nobody new is let in"
                        );
                    }
                    thread::sleep(RETRY);
                }
            }
        }
    }

    /// What could not be synced is tried again, and holds the door until it is: a write alone proves nothing.
    fn sync(&mut self) {
        match self.file.sync_data() {
            Ok(()) => {
                self.unsynced = None;
                self.shared.unsynced.store(false, Ordering::Relaxed);
            }
            Err(error) => {
                self.unsynced = Some(Instant::now());
                if !self.shared.unsynced.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the audit log cannot be synced: nobody new is let in");
                }
            }
        }
    }
}
