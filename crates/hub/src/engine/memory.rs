//! Publications in memory, bounded for each channel and for all of them together.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use super::Position;
use crate::rights::History;

/// What all logs share: the bytes they may keep together.
#[derive(Clone)]
pub(crate) struct Memory {
    used: Arc<AtomicUsize>,
    most: usize,
}

/// One channel's log.
pub(crate) struct Log {
    end: Position,
    /// INVARIANT: the newest publications without a gap; the last stands at `end`.
    kept: VecDeque<Kept>,
    bytes: usize,
    history: History,
    memory: Memory,
}

struct Kept {
    at: Instant,
    publication: Arc<str>,
}

/// The most bytes kept of one channel, whatever its history's size.
const BYTES: usize = 4 * 1024 * 1024;

impl Memory {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            used: Arc::default(),
            most,
        }
    }

    /// A log that begins. Its epoch is random, so that a position from an earlier life is known as one.
    pub(crate) fn open(&self, history: History) -> Log {
        let epoch = RandomState::new().hash_one("epoch");
        Log {
            end: Position { epoch, offset: 0 },
            kept: VecDeque::new(),
            bytes: 0,
            history,
            memory: self.clone(),
        }
    }

    /// Bytes kept in all logs.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Log {
    /// The position of the newest publication.
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// The position that the next publication will have.
    pub(crate) fn next(&self) -> Position {
        Position {
            offset: self.end.offset.saturating_add(1),
            ..self.end
        }
    }

    /// Keeps so much from now on, and lets go of what is more.
    pub(crate) fn keep(&mut self, history: History, now: Instant) {
        self.history = history;
        self.trim(now);
    }

    /// Whether anything is ever kept.
    pub(crate) fn keeps(&self) -> bool {
        self.history.size > 0
    }

    /// Goes on to [`Self::next`] with a publication that is not kept.
    pub(crate) fn pass(&mut self) {
        self.end = self.next();
        self.forget(self.kept.len());
    }

    /// Adds a publication at [`Self::next`].
    pub(crate) fn append(&mut self, publication: Arc<str>, now: Instant) {
        self.end = self.next();
        let kept = Kept {
            at: now,
            publication,
        };
        self.bytes += kept.size();
        self.memory.used.fetch_add(kept.size(), Ordering::Relaxed);
        self.kept.push_back(kept);
        self.trim(now);
    }

    /// What came after `since`, if nothing of it is missing and it is at most `most` bytes.
    pub(crate) fn after(
        &mut self,
        since: Position,
        most: usize,
        now: Instant,
    ) -> Option<Vec<Arc<str>>> {
        self.trim(now);
        if since.epoch != self.end.epoch {
            return None;
        }
        let missed = usize::try_from(self.end.offset.checked_sub(since.offset)?).ok()?;
        let first = self.kept.len().checked_sub(missed)?;
        let found = || self.kept.range(first..).map(|kept| &kept.publication);
        let bytes: usize = found().map(|publication| publication.len()).sum();
        (bytes <= most).then(|| found().cloned().collect())
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&mut self, now: Instant) -> bool {
        self.trim(now);
        self.kept.is_empty()
    }

    /// Lets go of the oldest: too many, too large, too old. When the logs together keep too much, each that grows pays with
    /// its own oldest, so that nobody can push out what others keep.
    fn trim(&mut self, now: Instant) {
        let mut over = self.memory.used().saturating_sub(self.memory.most);
        let (mut gone, mut bytes) = (0, self.bytes);
        for oldest in &self.kept {
            let many = self.kept.len() - gone > self.history.size || bytes > BYTES || over > 0;
            if !many && now.saturating_duration_since(oldest.at) < self.history.ttl {
                break;
            }
            gone += 1;
            bytes -= oldest.size();
            over = over.saturating_sub(oldest.size());
        }
        self.forget(gone);
    }

    /// Lets go of this many of the oldest.
    fn forget(&mut self, count: usize) {
        let freed: usize = self.kept.drain(..count).map(|kept| kept.size()).sum();
        self.bytes -= freed;
        self.memory.used.fetch_sub(freed, Ordering::Relaxed);
        if self.kept.len() < self.kept.capacity() / 4 {
            self.kept.shrink_to(self.kept.len() * 2);
        }
    }
}

impl Kept {
    /// In bytes, with what it costs to keep it at all.
    fn size(&self) -> usize {
        self.publication.len() + size_of::<Self>() + 2 * size_of::<usize>()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.forget(self.kept.len());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn log(memory: &Memory, size: usize) -> Log {
        memory.open(History {
            size,
            ttl: Duration::from_secs(60),
        })
    }

    fn after(log: &mut Log, offset: u64, now: Instant) -> Option<String> {
        let since = Position {
            offset,
            ..log.end()
        };
        log.after(since, 1000, now).map(|found| found.concat())
    }

    #[test]
    fn what_was_missed_comes_whole_or_not_at_all() {
        let now = Instant::now();
        let mut log = log(&Memory::new(1000), 3);
        for text in ["a", "b", "c", "d"] {
            log.append(text.into(), now);
        }
        assert_eq!(after(&mut log, 4, now).as_deref(), Some(""));
        assert_eq!(after(&mut log, 2, now).as_deref(), Some("cd"));
        assert_eq!(after(&mut log, 1, now).as_deref(), Some("bcd"));
        assert_eq!(after(&mut log, 0, now), None, "a is gone");
        assert_eq!(after(&mut log, 5, now), None, "from the future");
        assert_eq!(after(&mut log, u64::MAX, now), None, "from a far future");
        let other = Position {
            epoch: log.end().epoch ^ 1,
            offset: 4,
        };
        assert_eq!(log.after(other, 1000, now), None, "another life");
        let all = Position {
            offset: 1,
            ..log.end()
        };
        assert_eq!(log.after(all, 2, now), None, "more than is sent at once");
    }

    #[test]
    fn what_is_kept_ends_with_its_time() {
        let now = Instant::now();
        let memory = Memory::new(1000);
        let mut log = log(&memory, 3);
        log.append("a".into(), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(after(&mut log, 0, later), None);
        assert_eq!(
            after(&mut log, 1, later).as_deref(),
            Some(""),
            "nothing was missed"
        );
        assert!(log.is_empty(later));
        assert_eq!((log.bytes, memory.used()), (0, 0));
    }

    #[test]
    fn without_history_only_the_count_goes_on() {
        let now = Instant::now();
        let mut log = log(&Memory::new(1000), 0);
        assert!(!log.keeps());
        log.pass();
        assert_eq!(log.end().offset, 1);
        assert_eq!(after(&mut log, 1, now).as_deref(), Some(""));
        assert_eq!(after(&mut log, 0, now), None);
    }

    #[test]
    fn one_channel_keeps_no_more_than_its_bytes() {
        let now = Instant::now();
        let memory = Memory::new(usize::MAX);
        let mut log = log(&memory, usize::MAX);
        let large: Arc<str> = "x".repeat(BYTES / 4).into();
        for _ in 0..10 {
            log.append(large.clone(), now);
        }
        assert_eq!(log.kept.len(), 3);
        assert!(log.bytes <= BYTES && log.bytes == memory.used());
    }

    #[test]
    fn a_channel_that_grows_beyond_what_all_may_keep_pays_itself() {
        let now = Instant::now();
        let memory = Memory::new(1000);
        let (mut modest, mut greedy) = (log(&memory, 100), log(&memory, 100));
        modest.append("a".into(), now);
        for _ in 0..50 {
            greedy.append("x".repeat(100).into(), now);
            assert!(memory.used() <= 1000);
        }
        greedy.append("y".repeat(2000).into(), now);
        assert_eq!(
            after(&mut greedy, 50, now),
            None,
            "too large for everybody together"
        );
        assert_eq!(after(&mut greedy, 51, now).as_deref(), Some(""));
        assert_eq!(after(&mut modest, 0, now).as_deref(), Some("a"));
        drop((modest, greedy));
        assert_eq!(memory.used(), 0);
    }
}
