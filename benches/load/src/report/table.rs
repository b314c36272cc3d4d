//! A table for the terminal.

use crate::{
    rounds::{Results, Summary},
    works::Unit,
};

/// Below this the server waited for the load, and the figure flatters it.
pub(crate) const BUSY: f64 = 0.90;

/// Above this the machine was not ours.
pub(crate) const TAKEN: f64 = 0.02;

pub(crate) fn print(results: &Results) {
    println!("{}  [{}]", results.title, results.work);
    for (contestant, summaries) in results.summaries() {
        for summary in &summaries {
            println!("{}", row(&contestant.name, summary));
        }
        if let Some(failure) = &contestant.failure {
            let failed = contestant.rounds.iter().filter(|it| it.is_none()).count();
            println!(
                "  {:<40} failed in {failed} rounds: {failure}",
                contestant.name
            );
        }
    }
    println!();
}

fn row(contestant: &str, summary: &Summary) -> String {
    let name = match summary.name {
        "" => contestant.to_owned(),
        name => format!("{contestant}, {name}"),
    };
    let value = &summary.value;
    let shown = |number| amount(number, summary.unit);
    let mut row = format!("  {name:<40} {:>11}", shown(value.median));
    if value.rounds > 1 {
        row += &format!(
            "  ({} .. {}, half in {} .. {}, {} rounds)",
            shown(value.least),
            shown(value.most),
            shown(value.lower),
            shown(value.upper),
            value.rounds
        );
    }
    if let Some(ratio) = &summary.ratio {
        row += &format!("  Wardwire is better by {:.2}", ratio.median);
        if ratio.rounds > 1 {
            row += &format!(" ({:.2} .. {:.2})", ratio.least, ratio.most);
        }
    }
    if let Some((ours, beside)) = &summary.beside {
        row += &format!(", {ours} by {:.2}", beside.median);
    }
    if let Some(busy) = &summary.busy {
        row += &format!("  core {:.0}% busy", busy.median * 100.0);
        if busy.median < BUSY {
            row += " (LOW: the load is the slower side)";
        }
    }
    if let Some(taken) = summary.taken.filter(|taken| taken.median > TAKEN) {
        row += &format!(", {:.0}% by others", taken.median * 100.0);
    }
    row
}

/// A number with its unit, in three digits or so.
pub(crate) fn amount(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerCpuSecond | Unit::PerSecond => format!("{}/s", short(value)),
        Unit::Bytes => format!("{value:.0} B"),
        Unit::Nanoseconds => format!("{value:.0} ns"),
        Unit::Microseconds => format!("{value:.0} µs"),
        Unit::Count => format!("{value:.0}"),
        Unit::Part | Unit::RoundTrips | Unit::MoreRoundTrips => format!("{value:.2}"),
    }
}

fn short(value: f64) -> String {
    match value {
        million if million >= 1e6 => format!("{:.2}M", million / 1e6),
        many if many >= 1e5 => format!("{:.0}k", many / 1e3),
        many if many >= 1e3 => format!("{:.1}k", many / 1e3),
        few => format!("{few:.0}"),
    }
}
