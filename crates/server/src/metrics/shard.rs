//! What a shard counts. It alone writes, so that counting needs no lock and no locked instruction; a scrape adds the shards
//! up.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// One shard's counters.
#[derive(Default)]
pub struct ShardMetrics {
    /// Messages received.
    pub messages_in: Tally,
    /// Frame bytes sent.
    pub bytes_out: Tally,
    /// Publications accepted.
    pub publications: Tally,
    /// Publications refused as not what the channel takes.
    pub invalid: Tally,
    /// Publications let through that would have been refused, had the channel done more than report.
    pub reported: Tally,
    /// In-band errors answered.
    pub errors: Tally,
    /// Microseconds of a turn in which there was something to do.
    pub turn: Histogram,
    /// Bytes handed to the kernel for one socket at once.
    pub flush: Histogram,
    /// Bytes that waited for a socket when its peer did not take all.
    pub outbox: Histogram,
    /// Connections at the turnstile, in turns that found some.
    pub waiting: Histogram,
}

/// Something that only grows, and that one thread counts.
#[derive(Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// So many more.
    pub fn add(&self, count: u64) {
        self.0
            .store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often something was how large, by powers of two.
#[derive(Default)]
pub struct Histogram {
    buckets: [Tally; BUCKETS],
    sum: Tally,
}

/// The bounds are 1, 2, 4 and so on; the last bucket takes all that is larger.
const BUCKETS: usize = 25;

impl Histogram {
    /// One more of this size.
    pub fn record(&self, size: u64) {
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        let bucket = (bits as usize).min(BUCKETS - 1);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add(1);
        }
        self.sum.add(size);
    }

    /// Several shards' histograms as one, in the text format of Prometheus, in units of `1 / scale`.
    pub(super) fn render<'a>(
        all: impl Iterator<Item = &'a Self> + Clone,
        name: &str,
        scale: f64,
        out: &mut String,
    ) {
        let mut count = 0;
        for at in 0..BUCKETS {
            let each = all.clone().filter_map(|one| one.buckets.get(at));
            count += each.map(Tally::get).sum::<u64>();
            let _ = if at + 1 == BUCKETS {
                writeln!(out, "wardwire_{name}_bucket{{le=\"+Inf\"}} {count}")
            } else {
                let bound = (1_u64 << at) as f64 / scale;
                writeln!(out, "wardwire_{name}_bucket{{le=\"{bound}\"}} {count}")
            };
        }
        let sum = all.map(|one| one.sum.get()).sum::<u64>() as f64 / scale;
        let _ = writeln!(
            out,
            "wardwire_{name}_sum {sum}\nwardwire_{name}_count {count}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_counted_under_the_least_bound_that_holds_it() {
        let (one, other) = (Histogram::default(), Histogram::default());
        for size in [0, 1, 2, 3, 4, 5] {
            one.record(size);
        }
        other.record(u64::MAX / 2);
        let mut text = String::new();
        Histogram::render([&one, &other].into_iter(), "x_seconds", 1000.0, &mut text);
        for line in [
            "wardwire_x_seconds_bucket{le=\"0.001\"} 2",
            "wardwire_x_seconds_bucket{le=\"0.002\"} 3",
            "wardwire_x_seconds_bucket{le=\"0.004\"} 5",
            "wardwire_x_seconds_bucket{le=\"0.008\"} 6",
            "wardwire_x_seconds_bucket{le=\"+Inf\"} 7",
            "wardwire_x_seconds_count 7",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
