//! One channel's log in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
    time::Instant,
};

use parking_lot::Mutex;

use super::{Common, latest::Values};
use crate::engine::{
    self, Answer, Appended, EngineError, Entry, Keep, Limit, Page, Placed, Position, Publication,
    Range, Reply, Sink, Snapshot, Stands,
};

pub(super) struct Log {
    common: Arc<Common>,
    state: Mutex<State>,
}

struct State {
    end: Position,
    /// INVARIANT: the newest publications without a gap; the last stands at `end`.
    kept: VecDeque<Kept>,
    bytes: usize,
    keep: Keep,
    values: Option<Box<Values>>,
    sink: Option<Weak<dyn Sink>>,
    closed: bool,
}

struct Kept {
    at: Instant,
    publication: Arc<Publication>,
}

/// The most bytes kept of one channel's history, whatever its size, and of its values.
pub(super) const BYTES: usize = 4 * 1024 * 1024;

impl Log {
    pub(super) fn new(end: Position, keep: Keep, common: Arc<Common>) -> Self {
        let state = State {
            end,
            kept: VecDeque::new(),
            bytes: 0,
            keep,
            values: None,
            sink: None,
            closed: false,
        };
        Self {
            common,
            state: Mutex::new(state),
        }
    }
}

impl engine::Log for Log {
    fn follow(&self, sink: Weak<dyn Sink>) {
        self.state.lock().sink = Some(sink);
    }

    fn append(&self, batch: &[Entry], now: Instant) -> Reply<Stands> {
        let mut state = self.state.lock();
        if state.closed {
            return Answer::Now(Err(EngineError::Closed));
        }
        let sink = state.sink.as_ref().and_then(Weak::upgrade);
        let mut append = |entry| state.append(entry, sink.as_deref(), &self.common, now);
        let appended = match batch {
            [one] => append(one).map(|appended| Stands::One([appended])),
            several => several
                .iter()
                .map(append)
                .collect::<Result<_, _>>()
                .map(Stands::Several),
        };
        drop(state);
        if let Some(sink) = sink {
            sink.wake();
        }
        Answer::Now(appended)
    }

    fn read(&self, range: Range, limit: Limit, now: Instant) -> Reply<Page> {
        let mut state = self.state.lock();
        state.trim(&self.common, now, 0);
        Answer::Now(Ok(state.read(range, limit)))
    }

    fn latest(&self, now: Instant) -> Reply<Snapshot> {
        let mut state = self.state.lock();
        state.trim(&self.common, now, 0);
        let end = state.end;
        let (values, floor) = match &state.values {
            Some(it) => (it.all(), it.floor()),
            None => (Vec::new(), end.offset),
        };
        Answer::Now(Ok(Snapshot { values, floor, end }))
    }

    fn keep(&self, keep: Keep, now: Instant) {
        let mut state = self.state.lock();
        state.keep = keep;
        state.trim(&self.common, now, 0);
    }

    fn holds(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.trim(&self.common, now, 0);
        state.holds()
    }

    fn close(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.trim(&self.common, now, 0);
        state.closed = !state.holds();
        state.closed
    }
}

impl State {
    fn append(
        &mut self,
        entry: &Entry,
        sink: Option<&dyn Sink>,
        common: &Common,
        now: Instant,
    ) -> Result<Appended, EngineError> {
        let position = Position {
            offset: self.end.offset.saturating_add(1),
            ..self.end
        };
        if let Some(once) = entry.once
            && let Some(position) = common.ids.claim(once, position, now)?
        {
            return Ok(Appended {
                position,
                duplicate: true,
            });
        }
        self.end = position;
        let placed = Placed {
            position,
            publication: entry.publication.clone(),
        };
        if let Some(sink) = sink {
            sink.deliver(&placed);
        }
        self.put(placed, common, now);
        Ok(Appended {
            position,
            duplicate: false,
        })
    }

    fn put(&mut self, placed: Placed, common: &Common, now: Instant) {
        if self.keep.latest != engine::Latest::Nothing {
            let values = self.values.get_or_insert_with(|| {
                let before = placed.position.offset.saturating_sub(1);
                Box::new(Values::after(before))
            });
            values.put(placed.clone(), self.keep.latest, common, now);
        }
        if self.keep.history.size > 0 {
            let kept = Kept {
                at: now,
                publication: placed.publication,
            };
            self.bytes += kept.size();
            common.take(kept.size());
            self.kept.push_back(kept);
        } else {
            self.forget(self.kept.len(), common);
        }
        self.trim(common, now, common.over());
    }

    fn read(&self, range: Range, limit: Limit) -> Page {
        let end = self.end;
        // Where in the range it begins and ends, counted from the oldest that is kept.
        let oldest = end.offset - self.kept.len() as u64;
        let place = |offset: u64| usize::try_from(offset.saturating_sub(oldest)).ok();
        let all = self.kept.len();
        let (found, complete) = match range {
            Range::After(it) => match place(it.offset) {
                Some(first) if it.epoch == end.epoch && first <= all => {
                    (first..all, it.offset >= oldest)
                }
                Some(_) if it.epoch != end.epoch => (0..all, false),
                _ => (all..all, false),
            },
            Range::Before(it) if it.epoch != end.epoch => (0..0, false),
            Range::Before(it) => {
                let last = place(it.offset.saturating_sub(1)).unwrap_or(all);
                (0..last.min(all), last <= all)
            }
            Range::Newest => (0..all, true),
        };
        let backwards = !matches!(range, Range::After(_));
        let page = self.take(found.clone(), limit, backwards);
        let more = page.len() < found.len();
        // Going back ends at the beginning, or at what is no longer kept.
        let complete = complete && (!backwards || more || oldest == 0);
        let position = |place: usize| Position {
            offset: oldest + place as u64 + 1,
            ..end
        };
        let publications = page.clone().zip(self.kept.range(page));
        Page {
            publications: publications
                .map(|(place, kept)| Placed {
                    position: position(place),
                    publication: kept.publication.clone(),
                })
                .collect(),
            end,
            more,
            complete,
        }
    }

    /// As much of what was found as the limit lets through, from its beginning or its end.
    fn take(
        &self,
        found: std::ops::Range<usize>,
        limit: Limit,
        backwards: bool,
    ) -> std::ops::Range<usize> {
        let (mut count, mut bytes) = (0, 0);
        let mut fits = |kept: &Kept| {
            bytes += kept.publication.size();
            let fits = count < limit.count && (count == 0 || bytes <= limit.bytes);
            count += usize::from(fits);
            fits
        };
        let kept = self.kept.range(found.clone());
        let taken = match backwards {
            true => kept.rev().take_while(|kept| fits(kept)).count(),
            false => kept.take_while(|kept| fits(kept)).count(),
        };
        match backwards {
            true => found.end - taken..found.end,
            false => found.start..found.start + taken,
        }
    }

    fn holds(&self) -> bool {
        !self.kept.is_empty() || self.values.is_some()
    }

    /// Lets go of the oldest: too many, too large, too old. When the logs together keep too much, each that grows pays with
    /// its own oldest, so that nobody can push out what others keep: only then is anything `over`.
    fn trim(&mut self, common: &Common, now: Instant, mut over: usize) {
        let history = self.keep.history;
        let (mut gone, mut bytes) = (0, self.bytes);
        for oldest in &self.kept {
            let many = self.kept.len() - gone > history.size || bytes > BYTES || over > 0;
            if !many && now.saturating_duration_since(oldest.at) < history.ttl {
                break;
            }
            gone += 1;
            bytes -= oldest.size();
            over = over.saturating_sub(oldest.size());
        }
        self.forget(gone, common);
        if let Some(values) = &mut self.values {
            values.trim(self.keep, common, now, over);
            if values.is_empty() {
                self.values = None;
            }
        }
    }

    /// Lets go of this many of the oldest.
    fn forget(&mut self, count: usize, common: &Common) {
        if count == 0 {
            return;
        }
        let freed: usize = self.kept.drain(..count).map(|kept| kept.size()).sum();
        self.bytes -= freed;
        common.give_back(freed);
        if self.kept.len() < self.kept.capacity() / 4 {
            self.kept.shrink_to(self.kept.len() * 2);
        }
    }
}

impl Kept {
    /// In bytes, with what it costs to keep it at all.
    fn size(&self) -> usize {
        self.publication.size() + size_of::<Self>()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let state = self.state.get_mut();
        state.forget(state.kept.len(), &self.common);
        if let Some(values) = &mut state.values {
            values.clear(&self.common);
        }
    }
}

#[cfg(test)]
mod tests;
