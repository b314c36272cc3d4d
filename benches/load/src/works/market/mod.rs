//! Prices: readers who keep up and readers who do not, through a channel that keeps the newest of each key for the slow,
//! and through one that keeps everything for them.

mod floor;

use std::time::{Duration, Instant};

use super::{Figure, Spans, Unit, Work, entrance, idle_memory::settled, in_turns, part};
use crate::{
    Failure,
    client::{Entrance, Group, Path},
    dialect::Dialect,
    server::Running,
    statistics::quantile,
};
use floor::{Floor, Told};

pub(crate) struct Market {
    /// One in ten is slow.
    pub(crate) readers: usize,
    /// How long prices come.
    pub(crate) span: Duration,
}

const INSTRUMENTS: usize = 50;
/// Prices of all come together, so often in a second.
const TICKS: u32 = 20;
/// What one channel's figures are called, in the order of [`Cost::figures`].
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
        cost.figures(side, told, &floor)
    }
}

/// `{data}` is which one, in two digits.
const PRICE: &str = r#"{"s":"instrument-{data}","bid":101.25,"ask":101.27,"bidSize":1200,"askSize":900,"last":101.26}"#;

/// Of a day: seconds by the clock, of the server's processor, and bytes that half of it left with the server.
struct Cost {
    seconds: f64,
    used: f64,
    memory: f64,
}

impl Cost {
    /// Beside what was `told` until then, what the floor was told afterwards is what was left to read.
    fn figures(&self, side: &Side, told: Told, floor: &Floor) -> Result<Vec<Figure>, Failure> {
        let slow = floor.slow_ones() as f64;
        let [p50, p99] = late(told.late)?;
        let [slow_p50, slow_p99] = late(told.slow_late)?;
        let deliveries = told.deliveries as f64;
        let values = [
            (deliveries / self.used, Unit::PerCpuSecond),
            (self.used * 1e9 / deliveries, Unit::Nanoseconds),
            (deliveries / self.seconds, Unit::PerSecond),
            (p50, Unit::Microseconds),
            (p99, Unit::Microseconds),
            (slow_p50, Unit::Microseconds),
            (slow_p99, Unit::Microseconds),
            (self.memory / slow, Unit::Bytes),
            (
                told.to_slow as f64 / slow / told.published as f64,
                Unit::Part,
            ),
            (told.left_out as f64, Unit::Count),
            (floor.told.to_slow as f64 / slow, Unit::Count),
            (floor.stale() as f64, Unit::Count),
            (floor.gone() as f64, Unit::Count),
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

/// p50 and p99.
fn late(mut late: Vec<f64>) -> Result<[f64; 2], Failure> {
    late.sort_by(f64::total_cmp);
    let at = |part| quantile(&late, part).ok_or("nothing was delivered");
    Ok([at(0.5)?, at(0.99)?])
}
