//! Where prices are published and read, and what is noted of each reader.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use memchr::memmem::{self, Finder};

use super::{INSTRUMENTS, TICKS};
use crate::{
    Failure,
    client::{Entrance, Message, Purpose, Stage, Swarm, frame, must_be_open},
    works::latency::offset,
};

/// A slow reader looks at its socket once in so many ticks, and its kernel holds little.
const SELDOM: usize = 4;
/// Of so many deliveries to those who keep up, the lateness of one is noted. Not a divisor of [`INSTRUMENTS`].
const SAMPLED: u64 = 7;

/// Readers, the slow behind the others, and who publishes.
pub(super) struct Floor {
    swarm: Swarm,
    readers: Range<usize>,
    /// Where the slow begin.
    slow: usize,
    publisher: usize,
    tick: Vec<u8>,
    keys: Vec<Finder<'static>>,
    /// When each tick was published, from the first on.
    ticks: Vec<Instant>,
    /// Publications that were answered.
    taken: usize,
    tape: Vec<Tape>,
    pub(super) told: Told,
}

/// What one reader has read.
#[derive(Clone)]
struct Tape {
    /// The offset of the last publication, and of the last of each instrument.
    last: u64,
    newest: [u64; INSTRUMENTS],
    gone: bool,
}

/// What is counted in a span.
#[derive(Default)]
pub(super) struct Told {
    pub(super) deliveries: u64,
    pub(super) to_slow: u64,
    pub(super) published: u64,
    /// That were published and not told to those who keep up.
    pub(super) left_out: u64,
    /// Microseconds.
    pub(super) late: Vec<f64>,
    pub(super) slow_late: Vec<f64>,
}

impl Told {
    /// Notes what came to a reader.
    fn read(
        &mut self,
        tape: &mut Tape,
        message: &Message<'_>,
        is_slow: bool,
        (now, ticks): (Instant, &[Instant]),
        keys: &[Finder<'static>],
    ) -> Result<(), &'static str> {
        if message.opcode >= 8 {
            return Ok(());
        }
        let offset = offset(message).ok_or("something that is no price")?;
        let number = offset.saturating_sub(1);
        let instrument = (number % INSTRUMENTS as u64) as usize;
        if offset <= tape.last {
            return Err("a price came behind a newer one");
        }
        if !is_slow {
            self.left_out += number - tape.last;
        }
        tape.last = offset;
        *tape
            .newest
            .get_mut(instrument)
            .ok_or("no such instrument")? = offset;
        self.deliveries += 1;
        self.to_slow += u64::from(is_slow);
        if !is_slow && !self.deliveries.is_multiple_of(SAMPLED) {
            return Ok(());
        }
        let key = keys.get(instrument).ok_or("no such instrument")?;
        if key.find(message.payload).is_none() {
            return Err("a price is not of the instrument that was published");
        }
        let at = ticks.get((number / INSTRUMENTS as u64) as usize);
        let at = at.ok_or("a price that was not published")?;
        let late = now.duration_since(*at).as_secs_f64() * 1e6;
        match is_slow {
            true => self.slow_late.push(late),
            false => self.late.push(late),
        }
        Ok(())
    }
}

impl Floor {
    pub(super) fn open(fast: &Entrance, slow: &Entrance, readers: usize) -> Result<Self, Failure> {
        let mut swarm = Swarm::new()?;
        let first = fast.open(&mut swarm, Purpose::Follow, readers - readers / 10)?;
        let last = slow.open(&mut swarm, Purpose::Follow, readers / 10)?;
        let publisher = fast.open(&mut swarm, Purpose::Publish, 1)?.start;
        swarm.socket(publisher)?.0.frames.keeps = true;
        let numbers = || (0..INSTRUMENTS).map(|it| format!("{it:02}"));
        let publications = numbers().map(|it| fast.dialect.publish.replace("{data}", &it));
        let tape = Tape {
            last: 0,
            newest: [0; INSTRUMENTS],
            gone: false,
        };
        Ok(Self {
            tick: publications
                .flat_map(|text| frame(fast.opcode(), text.as_bytes()))
                .collect(),
            keys: numbers()
                .map(|it| Finder::new(&format!("instrument-{it}\"")).into_owned())
                .collect(),
            swarm,
            readers: first.start..last.end,
            slow: last.start,
            publisher,
            ticks: Vec::new(),
            taken: 0,
            tape: vec![tape; readers],
            told: Told::default(),
        })
    }

    /// Publishes for so long.
    pub(super) fn trade(&mut self, span: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut next = begun;
        while begun.elapsed() < span {
            if Instant::now() >= next {
                next += Duration::from_secs(1) / TICKS;
                self.ticks.push(Instant::now());
                self.told.published += INSTRUMENTS as u64;
                let (socket, scratch) = self.swarm.socket(self.publisher)?;
                socket.send(scratch, &self.tick)?;
                let turn = self.ticks.len() % SELDOM;
                for index in (self.slow..self.readers.end).filter(|it| it % SELDOM == turn) {
                    self.read(index)?;
                }
            }
            // The kernel's timer is coarse; the last millisecond is polled.
            let rest = next.saturating_duration_since(Instant::now());
            let ready = self
                .swarm
                .wait(rest.saturating_sub(Duration::from_millis(1)))?;
            for index in &ready {
                if !(self.slow..self.readers.end).contains(index) {
                    self.read(*index)?;
                }
            }
            self.swarm.done(ready);
        }
        Ok(())
    }

    /// Nothing more comes, and everybody reads up to the last price, of which there is none newer: answers may overtake it.
    pub(super) fn close(&mut self) -> Result<(), Failure> {
        self.watch(|it| it.taken < it.ticks.len() * INSTRUMENTS)?;
        for index in self.readers.clone() {
            self.read(index)?;
        }
        self.watch(|it| {
            it.tape
                .iter()
                .any(|tape| !tape.gone && tape.last < it.end())
        })
    }

    /// The offset of the last price.
    fn end(&self) -> u64 {
        (self.ticks.len() * INSTRUMENTS) as u64
    }

    fn watch(&mut self, waits: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        while waits(self) {
            if begun.elapsed() > Duration::from_secs(60) {
                return Err("not everything was answered for a minute".into());
            }
            let ready = self.swarm.wait(Duration::from_secs(1))?;
            for index in &ready {
                self.read(*index)?;
            }
            self.swarm.done(ready);
        }
        Ok(())
    }

    /// Reads what there is.
    fn read(&mut self, index: usize) -> Result<(), Failure> {
        let Ok((socket, scratch)) = self.swarm.socket(index) else {
            return Ok(());
        };
        let place = index.checked_sub(self.readers.start);
        let Some(tape) = place.and_then(|place| self.tape.get_mut(place)) else {
            let mut refused = false;
            let stage = socket.ready(scratch, |message| {
                self.taken += 1;
                refused |= memmem::find(message.payload, br#""error""#).is_some();
            })?;
            must_be_open(stage)?;
            return match refused {
                true => Err("a price was refused".into()),
                false => Ok(()),
            };
        };
        let (now, is_slow) = (Instant::now(), index >= self.slow);
        let mut wrong = None;
        let stage = socket.ready(scratch, |message| {
            let read = self
                .told
                .read(tape, &message, is_slow, (now, &self.ticks), &self.keys);
            wrong = wrong.or(read.err());
        });
        if let Some(wrong) = wrong {
            return Err(wrong.into());
        }
        match stage {
            Ok(Stage::Open) => Ok(()),
            _ if is_slow => {
                tape.gone = true;
                self.swarm.remove(index);
                Ok(())
            }
            stage => must_be_open(stage?),
        }
    }

    pub(super) fn slow_ones(&self) -> usize {
        self.readers.end - self.slow
    }

    /// Readers who have not got the last price of each instrument, of those who were not let go.
    pub(super) fn stale(&self) -> usize {
        let newest = || self.end() - INSTRUMENTS as u64 + 1..=self.end();
        let open = self.tape.iter().filter(|it| !it.gone);
        open.filter(|it| !newest().eq(it.newest)).count()
    }

    /// Readers that the server let go.
    pub(super) fn gone(&self) -> usize {
        self.tape.iter().filter(|it| it.gone).count()
    }
}
