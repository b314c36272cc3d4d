//! Prices: readers who keep up and readers who do not, through a channel that keeps the newest of each key for the slow,
//! and through one that keeps everything for them.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use memchr::memmem::{self, Finder};

use super::{
    Figure, Spans, Unit, Work, call, entrance, idle_memory::settled, in_turns, latency::offset,
    part,
};
use crate::{
    Failure,
    client::{Entrance, Group, Message, Path, Purpose, Stage, Swarm, frame, must_be_open},
    dialect::Dialect,
    server::Running,
    statistics::quantile,
};

pub(crate) struct Market {
    /// One in ten is slow.
    pub(crate) readers: usize,
    /// How long prices come.
    pub(crate) span: Duration,
}

const INSTRUMENTS: usize = 50;
/// Prices of all come together, so often in a second.
const TICKS: u32 = 20;
/// A slow reader looks at its socket once in so many ticks, and its kernel holds little.
const SELDOM: usize = 4;
/// Of so many deliveries to those who keep up, the lateness of one is noted. Not a divisor of [`INSTRUMENTS`].
const SAMPLED: u64 = 7;

/// What one channel's figures are called, in the order of [`Told::figures`].
struct Side {
    channel: &'static str,
    names: [&'static str; 13],
}

const CONFLATED: Side = Side {
    channel: "market/r",
    names: [
        "conflated: deliveries",
        "conflated: of the server's processor, each",
        "conflated: deliveries by the clock",
        "conflated: late by, p50",
        "conflated: late by, p99",
        "conflated: to the slow late by, p50",
        "conflated: to the slow late by, p99",
        "conflated: for each slow reader, half-way",
        "conflated: part that the slow got",
        "conflated: not told to who keeps up",
        "conflated: left to read at the end, each",
        "conflated: without the newest of each",
        "conflated: let go",
    ],
};

const WHOLE: Side = Side {
    channel: "quotes/r",
    names: [
        "everything: deliveries",
        "everything: of the server's processor, each",
        "everything: deliveries by the clock",
        "everything: late by, p50",
        "everything: late by, p99",
        "everything: to the slow late by, p50",
        "everything: to the slow late by, p99",
        "everything: for each slow reader, half-way",
        "everything: part that the slow got",
        "everything: not told to who keeps up",
        "everything: left to read at the end, each",
        "everything: without the newest of each",
        "everything: let go",
    ],
};

impl Work for Market {
    fn name(&self) -> String {
        format!("market-{}", self.readers)
    }

    fn title(&self) -> String {
        format!(
            "{INSTRUMENTS} prices {TICKS} times a second to {} readers, {} of them slow",
            self.readers,
            self.readers / 10
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let [conflated, whole] = in_turns(
            spans,
            || self.day(server, &CONFLATED),
            || self.day(server, &WHOLE),
        )?;
        let both = conflated.first().zip(whole.first());
        let (ours, of) = both.ok_or("nothing was measured")?;
        let share = part("conflated, of everything: deliveries", ours, of);
        Ok([conflated, whole]
            .into_iter()
            .flatten()
            .chain([share])
            .collect())
    }
}

impl Market {
    /// From the first price to the last, and until everybody has read what there is.
    fn day(&self, server: &Running, side: &Side) -> Result<Vec<Figure>, Failure> {
        let mut fast = entrance(server, Group::X25519)?;
        fast.dialect = Dialect::in_channel(side.channel, PRICE);
        let slow = Entrance {
            path: Path::Narrow,
            ..fast.clone()
        };
        let mut floor = Floor::open(&fast, &slow, self.readers)?;
        let empty = settled(server)? as f64;
        floor.trade(Duration::from_millis(500))?;
        floor.told = Told::default();
        let (before, begun) = (server.usage()?, Instant::now());
        floor.trade(self.span / 2)?;
        let more = server.memory()? as f64 - empty;
        floor.trade(self.span / 2)?;
        let seconds = begun.elapsed().as_secs_f64();
        let used = server.usage()?.since(&before).on_core;
        let told = std::mem::take(&mut floor.told);
        floor.close()?;
        let cost = Cost {
            seconds,
            used,
            memory: more,
        };
        floor.figures(side, told, &cost)
    }
}

/// `{data}` is which one, in two digits.
const PRICE: &str = r#"{"s":"instrument-{data}","bid":101.25,"ask":101.27,"bidSize":1200,"askSize":900,"last":101.26}"#;

/// Readers, the slow behind the others, and who publishes.
struct Floor {
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
    told: Told,
}

/// What one reader has read.
#[derive(Clone)]
struct Tape {
    /// The offset of the last publication, and of the last of each instrument.
    last: u64,
    newest: [u64; INSTRUMENTS],
    gone: bool,
    /// Everything up to the end has come.
    finished: bool,
}

/// What is counted in a span.
#[derive(Default)]
struct Told {
    deliveries: u64,
    to_slow: u64,
    published: u64,
    /// That were published and not told to those who keep up.
    left_out: u64,
    /// Microseconds.
    late: Vec<f64>,
    slow_late: Vec<f64>,
}

/// Of a day: seconds by the clock, of the server's processor, and bytes that half of it left with the server.
struct Cost {
    seconds: f64,
    used: f64,
    memory: f64,
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
        let Some(offset) = offset(message) else {
            tape.finished = true;
            return Ok(());
        };
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
    fn open(fast: &Entrance, slow: &Entrance, readers: usize) -> Result<Self, Failure> {
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
            finished: false,
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
    fn trade(&mut self, span: Duration) -> Result<(), Failure> {
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

    /// Nothing more comes, and everybody reads.
    fn close(&mut self) -> Result<(), Failure> {
        self.watch(|it| it.taken < it.ticks.len() * INSTRUMENTS)?;
        // What was asked for last is answered behind everything else.
        let ping = call("ping", "{}");
        for index in self.readers.clone() {
            self.read(index)?;
            if let Ok((socket, scratch)) = self.swarm.socket(index) {
                socket.frames.keeps = true;
                socket.send(scratch, &ping)?;
            }
        }
        self.watch(|it| it.tape.iter().any(|tape| !tape.gone && !tape.finished))
    }

    fn watch(&mut self, waits: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        while waits(self) {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("not everything was answered for 20 seconds".into());
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

    fn figures(self, side: &Side, told: Told, cost: &Cost) -> Result<Vec<Figure>, Failure> {
        let Self {
            told: at_the_end,
            tape,
            ticks,
            readers,
            slow,
            ..
        } = self;
        let slow_ones = (readers.end - slow).max(1) as f64;
        let end = (ticks.len() * INSTRUMENTS) as u64;
        let stale = tape.iter().filter(|tape| {
            let newest = (1..=INSTRUMENTS as u64).map(|it| end - INSTRUMENTS as u64 + it);
            !tape.gone && !newest.eq(tape.newest)
        });
        let all = told.published as f64 * slow_ones;
        let late = |mut late: Vec<f64>| {
            late.sort_by(f64::total_cmp);
            let at = |part| quantile(&late, part).ok_or("nothing was delivered");
            Ok::<_, Failure>([at(0.5)?, at(0.99)?])
        };
        let [p50, p99] = late(told.late)?;
        let [slow_p50, slow_p99] = late(told.slow_late)?;
        let deliveries = told.deliveries as f64;
        let values = [
            (deliveries / cost.used, Unit::PerCpuSecond),
            (cost.used * 1e9 / deliveries, Unit::Nanoseconds),
            (deliveries / cost.seconds, Unit::PerSecond),
            (p50, Unit::Microseconds),
            (p99, Unit::Microseconds),
            (slow_p50, Unit::Microseconds),
            (slow_p99, Unit::Microseconds),
            (cost.memory / slow_ones, Unit::Bytes),
            (told.to_slow as f64 / all, Unit::Part),
            (told.left_out as f64, Unit::Count),
            (at_the_end.to_slow as f64 / slow_ones, Unit::Count),
            (stale.count() as f64, Unit::Count),
            (tape.iter().filter(|it| it.gone).count() as f64, Unit::Count),
        ];
        let named = side.names.into_iter().zip(values);
        Ok(named
            .map(|(name, (value, unit))| Figure {
                name,
                value,
                unit,
                core: None,
            })
            .collect())
    }
}
