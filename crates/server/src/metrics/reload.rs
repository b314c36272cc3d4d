//! What is counted of reloads, and when the last one went well.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

use super::family;

/// Reloads so far.
#[derive(Default)]
pub struct Reloads(Mutex<State>);

#[derive(Default)]
struct State {
    reloaded: u64,
    unchanged: u64,
    refused: u64,
    /// Seconds since 1970.
    success: u64,
    failure: u64,
}

impl Reloads {
    /// One more.
    pub fn count(&self, outcome: &str, at: SystemTime) {
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut state = self.0.lock();
        match outcome {
            "refused" => {
                state.refused += 1;
                state.failure = at;
                return;
            }
            "unchanged" => state.unchanged += 1,
            _ => state.reloaded += 1,
        }
        state.success = at;
    }

    pub(super) fn render(&self, out: &mut String) {
        let state = self.0.lock();
        family(
            out,
            "reloads_total",
            "Reloads by what came of them.",
            "counter",
        );
        for (outcome, count) in [
            ("reloaded", state.reloaded),
            ("unchanged", state.unchanged),
            ("refused", state.refused),
        ] {
            let _ = writeln!(
                out,
                "wardwire_reloads_total{{outcome=\"{outcome}\"}} {count}"
            );
        }
        for (name, help, value) in [
            (
                "reload_last_success_timestamp_seconds",
                "When a reload last went well; 0 if none did.",
                state.success,
            ),
            (
                "reload_last_failure_timestamp_seconds",
                "When a reload was last refused; 0 if none was.",
                state.failure,
            ),
        ] {
            family(out, name, help, "gauge");
            let _ = writeln!(out, "wardwire_{name} {value}");
        }
    }
}
