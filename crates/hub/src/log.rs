//! What is kept of one channel: publications in order, each with its position.

use std::{
    collections::VecDeque,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Instant,
};

use crate::rights::History;

/// Where a publication stands: `epoch:offset`. An epoch is one life of a channel's log; offsets count from 1 in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    epoch: u64,
    offset: u64,
}

impl Position {
    /// Reads `epoch:offset`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.split_once(':')?;
        let digits = |text: &str, most: usize| (1..=most).contains(&text.len());
        if !digits(epoch, 16) || !digits(offset, 20) || text.contains('+') {
            return None;
        }
        Some(Self {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            offset: offset.parse().ok()?,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{}", self.epoch, self.offset)
    }
}

/// One channel's log in memory.
pub(crate) struct Log {
    end: Position,
    kept: VecDeque<Kept>,
    bytes: usize,
    history: History,
}

struct Kept {
    at: Instant,
    offset: u64,
    publication: Arc<str>,
}

/// The most bytes kept of one channel, whatever its history's size.
const BYTES: usize = 4 * 1024 * 1024;

impl Log {
    pub(crate) fn new(history: History) -> Self {
        let epoch = RandomState::new().hash_one("epoch");
        let end = Position { epoch, offset: 0 };
        Self {
            end,
            kept: VecDeque::new(),
            bytes: 0,
            history,
        }
    }

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

    /// Adds a publication at [`Self::next`].
    pub(crate) fn append(&mut self, publication: Arc<str>, now: Instant) {
        self.end = self.next();
        if self.history.size > 0 {
            self.bytes += publication.len();
            self.kept.push_back(Kept {
                at: now,
                offset: self.end.offset,
                publication,
            });
            self.trim(now);
        }
    }

    /// What came after `since`, if nothing of it is missing and it is at most `most` bytes.
    pub(crate) fn after(
        &mut self,
        since: Position,
        most: usize,
        now: Instant,
    ) -> Option<Vec<Arc<str>>> {
        self.trim(now);
        if since.epoch != self.end.epoch || since.offset > self.end.offset {
            return None;
        }
        let missed = usize::try_from(self.end.offset - since.offset).ok()?;
        let first = self.kept.len().checked_sub(missed)?;
        let found: Vec<_> = self
            .kept
            .range(first..)
            .map(|kept| kept.publication.clone())
            .collect();
        debug_assert!(
            self.kept
                .get(first)
                .is_none_or(|kept| kept.offset == since.offset + 1)
        );
        (found.iter().map(|text| text.len()).sum::<usize>() <= most).then_some(found)
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&mut self, now: Instant) -> bool {
        self.trim(now);
        self.kept.is_empty()
    }

    fn trim(&mut self, now: Instant) {
        while let Some(oldest) = self.kept.front() {
            let over = self.kept.len() > self.history.size || self.bytes > BYTES;
            if !over && now.saturating_duration_since(oldest.at) < self.history.ttl {
                return;
            }
            self.bytes -= oldest.publication.len();
            self.kept.pop_front();
        }
        self.kept = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn log(size: usize) -> Log {
        Log::new(History {
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
        let mut log = log(3);
        for text in ["a", "b", "c", "d"] {
            log.append(text.into(), now);
        }
        assert_eq!(after(&mut log, 4, now).as_deref(), Some(""));
        assert_eq!(after(&mut log, 2, now).as_deref(), Some("cd"));
        assert_eq!(after(&mut log, 1, now).as_deref(), Some("bcd"));
        assert_eq!(after(&mut log, 0, now), None, "a is gone");
        assert_eq!(after(&mut log, 5, now), None, "from the future");
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
        let mut log = log(3);
        log.append("a".into(), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(after(&mut log, 0, later), None);
        assert!(log.is_empty(later) && log.bytes == 0);
    }

    #[test]
    fn positions_survive_their_text() {
        let position = log(1).next();
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for text in [
            "",
            ":",
            "1",
            "1:",
            ":1",
            "x:1",
            "1:x",
            "1:+1",
            "-1:1",
            "1:99999999999999999999999",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
