//! The one thread that writes the log.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Entry, Event, Keep, Shared,
    chain::{Chain, DELETION, HEAD, SEGMENT, TORN, Told, UNSEALED},
    flood::Flood,
    key::SigningKey,
    segment::{Log, Resumed},
    ship::Shipper,
    shortened::shortened,
};

/// An event is on its way to the disk within this.
const GATHER: Duration = Duration::from_millis(2);
const SYNC: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(200);
/// Lines that are remembered.
const RECENT: usize = 1000;
/// Bytes that are gathered before they are written.
const GATHERED: usize = 256 * 1024;
/// After so many lines or so long there is a signed head, unless nothing was written since the last.
pub(super) const HEAD_AFTER: u64 = 10_000;
const HEAD_EVERY: Duration = Duration::from_secs(60);
/// How long the last lines may take to be shipped when the server goes down.
const SHIPPED: Duration = Duration::from_secs(1);

/// Owns the file.
pub(super) struct Writer {
    log: Log,
    chain: Chain,
    shared: Arc<Shared>,
    keep: Keep,
    key: Option<SigningKey>,
    shipper: Option<Shipper>,
    flood: Flood,
    /// Whether clients' addresses are written shortened.
    shorten: bool,
    /// Lines that are not written yet.
    pending: Vec<u8>,
    unsynced: Option<Instant>,
    /// Lines since the last head.
    headless: u64,
    /// None before the first: what a server begins with is signed at once.
    headed: Option<Instant>,
    /// Whether the segment holds something beside its opening.
    is_used: bool,
    is_closed: bool,
}

impl Writer {
    /// A writer whose first lines say what it found.
    pub(super) fn new(
        (log, resumed): (Log, Resumed),
        keep: Keep,
        key: Option<SigningKey>,
        shipper: Option<Shipper>,
        shared: Arc<Shared>,
    ) -> Self {
        let mut writer = Self {
            log,
            chain: resumed.chain.clone(),
            shared,
            keep,
            key,
            shipper,
            flood: Flood::new(Instant::now()),
            shorten: false,
            pending: Vec::new(),
            unsynced: None,
            headless: 0,
            headed: None,
            is_used: !resumed.is_empty,
            is_closed: false,
        };
        writer.open(resumed);
        writer
    }

    /// The same, with clients' addresses as they are, or shortened.
    pub(super) fn shortening(mut self, shorten: bool) -> Self {
        self.shorten = shorten;
        self
    }

    fn open(&mut self, resumed: Resumed) {
        if let Some(digest) = resumed.torn {
            let mut event = Event::new(TORN);
            event.outcome.detail = Some(digest.into());
            self.line(&event);
        }
        let Some(last) = resumed.last else {
            return;
        };
        if resumed.is_empty {
            self.begin();
        }
        if let Some(key) = &self.key
            && !ended_in_order(&last.told, key)
        {
            let mut event = Event::new(UNSEALED);
            event.outcome.detail =
                Some("the log did not end in a head that this key signed at a stop".into());
            self.line(&event);
        }
    }

    pub(super) fn run(mut self, entries: &Receiver<Entry>) {
        while !self.is_closed {
            match entries.recv_timeout(SYNC) {
                Ok(first) => {
                    let mut next = Some(first);
                    while let Some(entry) = next {
                        // What is due by the clock is done before whoever asked is heard again.
                        let asked = matches!(entry, Entry::Flush(_));
                        self.take(entry);
                        if asked || self.pending.len() > GATHERED || self.is_closed {
                            break;
                        }
                        next = entries.try_recv().ok();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.turn();
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
            Entry::Event(mut event) if self.flood.pass(&event) => {
                if self.shorten {
                    event.trail.peer = event.trail.peer.map(shortened);
                }
                self.line(&event);
                if self.keep.is_full(self.size()) {
                    self.rotate();
                }
            }
            Entry::Event(_) => {}
            Entry::Flush(answer) => {
                self.settle();
                let _ = answer.try_send(());
            }
            Entry::Close(answer) => {
                self.close();
                let _ = answer.try_send(());
            }
        }
    }

    /// What is due by the clock.
    fn turn(&mut self) {
        let now = Instant::now();
        if self.flood.is_over(now) {
            self.count_drops();
        }
        let counted = self.flood.turn(now);
        let dropped = self.shipper.as_mut().and_then(Shipper::dropped);
        let lost = self.lost();
        for event in counted.iter().chain(&dropped).chain(&lost) {
            self.line(event);
        }
        let is_due = self.headed.is_none_or(|at| at.elapsed() >= HEAD_EVERY);
        if self.headless > 0 && is_due {
            self.signed_head();
        }
        let is_old = self.keep.age.is_some_and(|age| self.log.is_older(age));
        if is_old && self.is_used {
            self.rotate();
        }
    }

    /// The event that owns up to those which the queue could not take.
    fn lost(&self) -> Option<Event> {
        let count = self.shared.lost.swap(0, Ordering::Relaxed);
        let mut event = Event::new("lost");
        event.outcome.count = Some(count);
        (count > 0).then_some(event)
    }

    fn count_drops(&mut self) {
        for (kind, count) in self.shared.drops.take() {
            self.flood.add(kind, count);
        }
    }

    fn size(&self) -> u64 {
        self.log.size + self.pending.len() as u64
    }

    fn line(&mut self, event: &Event) {
        let start = self.pending.len();
        self.chain.line(event, &mut self.pending);
        self.remember(start);
        self.is_used = true;
        self.headless += 1;
        if self.headless >= HEAD_AFTER {
            self.signed_head();
        }
    }

    /// Without a key a head in between would answer for nothing.
    fn signed_head(&mut self) {
        if self.key.is_some() {
            self.head("interval");
        }
    }

    /// Answers for all before it.
    fn head(&mut self, why: &'static str) {
        let mut event = Event::new(HEAD);
        event.outcome.reason = Some(why.into());
        event.outcome.segment = Some(self.log.name().into());
        let key = self.key.as_ref();
        event.outcome.key = key.map(|key| key.public().id().into());
        let start = self.pending.len();
        self.chain.head(&event, key, &mut self.pending);
        self.remember(start);
        self.headless = 0;
        self.headed = Some(Instant::now());
    }

    fn remember(&self, start: usize) {
        if let Some(recent) = &self.shared.recent {
            let line = self.pending.get(start..).unwrap_or_default();
            let mut recent = recent.lock();
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(String::from_utf8_lossy(line).trim_end().into());
        }
    }

    /// Closes the segment and begins the next, however long that takes: until it is there, nobody new is let in.
    fn rotate(&mut self) {
        self.head("rotation");
        self.put_on_disk();
        while let Err(error) = self.log.next(self.chain.next) {
            self.fails(&error);
        }
        self.begin();
        self.write();
        self.delete_oldest();
        self.is_used = false;
    }

    /// The first line of a segment that is not the first.
    fn begin(&mut self) {
        let mut event = Event::new(SEGMENT);
        event.outcome.segment = Some(self.log.name().into());
        self.line(&event);
    }

    /// Deletes as many segments as there are too many. That stands in the log, and is signed and on disk, before it happens.
    fn delete_oldest(&mut self) {
        let Some(count) = self.keep.segments else {
            return;
        };
        let closed = match self.log.place.segments() {
            Ok(closed) => closed,
            Err(error) => {
                tracing::error!(%error, "old audit segments cannot be listed, and are kept");
                return;
            }
        };
        let too_many = closed.len().saturating_sub(count);
        let begins = closed.iter().skip(1).map(|(first, _)| *first);
        let left: Vec<u64> = begins.chain([self.log.first]).collect();
        let doomed: Vec<_> = closed.iter().zip(left).take(too_many).collect();
        for ((first, _), begins) in &doomed {
            let mut event = Event::new(DELETION);
            event.outcome.segment = Some(self.log.place.name(*first).into());
            event.outcome.begins = Some(*begins);
            self.line(&event);
        }
        if doomed.is_empty() {
            return;
        }
        self.signed_head();
        self.put_on_disk();
        for ((_, path), _) in doomed {
            if let Err(error) = std::fs::remove_file(path) {
                tracing::error!(%error, path = %path.display(), "an old audit segment cannot be deleted");
            }
        }
    }

    /// Puts everything that was recorded on disk.
    fn settle(&mut self) {
        self.count_drops();
        for counted in self.flood.counted() {
            self.line(&counted);
        }
        self.write();
        self.sync();
    }

    /// The last line of a server that goes down in order.
    fn close(&mut self) {
        self.count_drops();
        let counted = self.flood.counted();
        let owed = self.shipper.as_mut().and_then(Shipper::owed);
        let lost = self.lost();
        for event in counted.iter().chain(&owed).chain(&lost) {
            self.line(event);
        }
        self.head("stop");
        self.write();
        self.sync();
        if let Some(shipper) = &self.shipper {
            shipper.wait(SHIPPED);
        }
        self.is_closed = true;
    }

    fn put_on_disk(&mut self) {
        self.write();
        while !self.sync() {
            thread::sleep(RETRY);
        }
    }

    /// Writes what is pending, however long that takes: an event that was recorded is not lost while the server lives.
    fn write(&mut self) {
        let mut lines = std::mem::take(&mut self.pending);
        let mut rest = lines.as_slice();
        while !rest.is_empty() {
            match self.log.append(rest) {
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    self.unsynced.get_or_insert_with(Instant::now);
                    self.shared.failed.store(false, Ordering::Relaxed);
                }
                Err(error) => self.fails(&error),
            }
        }
        if let Some(shipper) = &mut self.shipper {
            shipper.ship(&lines);
        }
        lines.clear();
        self.pending = lines;
    }

    fn fails(&self, error: &std::io::Error) {
        if !self.shared.failed.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the audit log cannot be written: nobody new is let in");
        }
        thread::sleep(RETRY);
    }

    /// What could not be synced is tried again, and holds the door until it is: a write alone proves nothing.
    fn sync(&mut self) -> bool {
        let outcome = self.log.sync();
        match &outcome {
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
        outcome.is_ok()
    }
}

impl Keep {
    fn is_full(&self, size: u64) -> bool {
        self.size.is_some_and(|most| size >= most)
    }
}

/// Whether the last line of a log is one that its server wrote at a stop in order.
fn ended_in_order(last: &Told, key: &SigningKey) -> bool {
    match last {
        Told::Head(head) if head.why == "stop" => head.signed.as_ref().is_some_and(|signed| {
            let public = key.public();
            public.has_signed(signed.text.as_bytes(), &signed.signature)
        }),
        _ => false,
    }
}
