//! Results for machines, with every round.

use serde_json::{Value, json};

use super::Machine;
use crate::{
    arguments::Plan,
    rounds::{Results, Rounds, Summary},
    works::Unit,
};

pub(super) fn of(plan: &Plan, machine: &Machine, results: &[Results]) -> Value {
    json!({
        "machine": machine,
        "complete": plan.complete,
        "missing": plan.missing,
        "seconds": plan.spans.measured.as_secs_f64(),
        "works": results.iter().map(work).collect::<Vec<_>>(),
    })
}

fn work(results: &Results) -> Value {
    let summaries = results.summaries();
    let contestants: Vec<Value> = summaries
        .iter()
        .map(|(rounds, summaries)| contestant(rounds, summaries))
        .collect();
    json!({ "work": results.work, "title": results.title, "contestants": contestants })
}

fn contestant(rounds: &Rounds, summaries: &[Summary]) -> Value {
    json!({
        "name": rounds.name,
        "version": rounds.version,
        "failure": rounds.failure,
        "figures": summaries.iter().map(|summary| figure(rounds, summary)).collect::<Vec<_>>(),
    })
}

fn figure(rounds: &Rounds, summary: &Summary) -> Value {
    let each: Vec<Option<f64>> = rounds
        .figures(summary.name)
        .map(|figure| figure.map(|figure| figure.value))
        .collect();
    json!({
        "name": summary.name,
        "unit": match summary.unit {
            Unit::PerCpuSecond => "for each second of the server's processor time",
            Unit::Bytes => "bytes",
            Unit::Microseconds => "microseconds",
            Unit::Nanoseconds => "nanoseconds",
            Unit::PerSecond => "each second",
            Unit::Count => "",
            Unit::Part => "a part",
            Unit::RoundTrips | Unit::MoreRoundTrips => "round trips",
        },
        "value": summary.value,
        "wardwire_is_better_by": summary.ratio,
        "beside": summary.beside.map(|(figure, ratio)| json!({ "figure": figure, "wardwire_is_better_by": ratio })),
        "server_core_busy": summary.busy,
        "server_core_taken_by_others": summary.taken,
        "rounds": each,
    })
}
