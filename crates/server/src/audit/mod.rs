//! The audit log: one JSON line for every admission, refusal, close and revocation, chained by hash.
//!
//! Recording never waits: events go through a bounded queue to one writer thread. When the queue is full or the disk
//! fails, [`Audit::is_healthy`] says so and nobody new is let in until it works again. No event holds a credential.

mod chain;
mod event;
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

use chain::Chain;
pub use event::{Event, Outcome};
pub use verify::{Verdict, verify};

/// A handle to the log. Cloning shares it.
#[derive(Clone)]
pub struct Audit {
    queue: SyncSender<Entry>,
    shared: Arc<Shared>,
}

struct Shared {
    failed: AtomicBool,
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
        let chain = Chain::resume(&file)?;
        let recent = remember.then(|| Mutex::new(VecDeque::new()));
        let shared = Arc::new(Shared {
            failed: false.into(),
            full: false.into(),
            recent,
        });
        let (queue, entries) = sync_channel(QUEUE);
        let writer = Writer {
            file,
            chain,
            shared: shared.clone(),
            pending: Vec::new(),
            unsynced: None,
        };
        thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&entries))?;
        Ok(Self { queue, shared })
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
        !self.shared.failed.load(Ordering::Relaxed) && !self.shared.full.load(Ordering::Relaxed)
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
                    self.write();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.unsynced.is_some_and(|since| since.elapsed() >= SYNC) {
                self.sync();
            }
        }
        self.sync();
    }

    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Event(event) => {
                let line = self.chain.line(&event);
                self.pending.extend_from_slice(line.as_bytes());
                self.pending.push(b'\n');
                if let Some(recent) = &self.shared.recent {
                    let mut recent = recent.lock();
                    if recent.len() == RECENT {
                        recent.pop_front();
                    }
                    recent.push_back(line.into());
                }
            }
            Entry::Flush(answer) => {
                self.write();
                self.sync();
                let _ = answer.try_send(());
            }
        }
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

    fn sync(&mut self) {
        if let Err(error) = self.file.sync_data() {
            tracing::error!(%error, "the audit log cannot be synced");
            self.shared.failed.store(true, Ordering::Relaxed);
        }
        self.unsynced = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("wardwire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path.join("audit.jsonl")
    }

    fn write(path: &Path, count: usize) -> Audit {
        let audit = Audit::open(path, true).unwrap();
        for _ in 0..count {
            audit.record(Event::new("start"));
        }
        audit.flush(Duration::from_secs(10));
        audit
    }

    #[test]
    fn a_chain_is_carried_on_over_restarts_and_verifies() {
        let path = folder("chain");
        drop(write(&path, 3));
        drop(write(&path, 2));
        assert_eq!(verify(&path).unwrap(), Verdict::Whole { lines: 5 });
    }

    #[test]
    fn an_edit_a_gap_and_a_swap_are_found() {
        let path = folder("edits");
        drop(write(&path, 4));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let edited = text.replacen("\"seq\":2", "\"seq\":2 ", 1);
        let gap = [lines[0], lines[2], lines[3]].join("\n") + "\n";
        let swap = [lines[0], lines[2], lines[1], lines[3]].join("\n") + "\n";
        for (text, line) in [(edited, 3), (gap, 2), (swap, 2)] {
            std::fs::write(&path, text).unwrap();
            assert!(
                matches!(verify(&path).unwrap(), Verdict::Broken { line: at, .. } if at == line)
            );
        }
    }

    #[test]
    fn two_servers_never_write_one_log() {
        let path = folder("locked");
        let audit = write(&path, 1);
        let second = Audit::open(&path, false).err().unwrap();
        assert!(second.to_string().contains("another server"), "{second}");
        drop(audit);
        drop(write(&path, 1));
        assert_eq!(verify(&path).unwrap(), Verdict::Whole { lines: 2 });
    }

    #[test]
    fn a_line_torn_by_a_crash_is_told_apart_and_the_chain_goes_on() {
        let path = folder("torn");
        drop(write(&path, 2));
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.truncate(text.len() - 20);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(verify(&path).unwrap(), Verdict::Torn { lines: 1 });
        drop(write(&path, 1));
        assert!(
            matches!(verify(&path).unwrap(), Verdict::Broken { line: 2, .. }),
            "kept as evidence"
        );
    }

    #[test]
    fn peers_text_cannot_break_a_line_or_turn_its_direction() {
        let path = folder("text");
        let audit = Audit::open(&path, true).unwrap();
        let origin = format!("x\r\n\u{1b}[2J\u{202e}\u{2028}{}", "y".repeat(1_000_000));
        let mut event = Event::new("refusal");
        event.trail.origin = Some(origin.into());
        audit.record(event);
        audit.flush(Duration::from_secs(10));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.len() < 1000 && text.lines().count() == 1,
            "{}",
            text.len()
        );
        assert!(text.contains("\\r\\n\\u001b[2J\\u202e\\u2028y"));
        assert!(
            text.bytes()
                .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte))
        );
    }
}
