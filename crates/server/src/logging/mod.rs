//! Logs on standard error: pretty on a terminal, JSON otherwise. What peers send goes to the audit log, not here.
//!
//! A [panic](mod@panic) is one line like all others.

mod panic;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal as _, Write as _, stderr};

use tracing_subscriber::EnvFilter;

pub use panic::count as panics;

const VARIABLE: &str = "WARDWIRE_LOG";

/// Starts logging at `WARDWIRE_LOG`, or `info`.
pub fn start() {
    let filter = match std::env::var(VARIABLE) {
        Ok(written) => EnvFilter::try_new(&written).unwrap_or_else(|error| {
            let _ = writeln!(
                stderr(),
                "{VARIABLE} is not a filter, so `info` is taken: {error}"
            );
            EnvFilter::new("info")
        }),
        Err(_) => EnvFilter::new("info"),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // What cannot be written would be told by `eprintln!`, which panics on the same full disk, and aborts within a panic.
        .log_internal_errors(false);
    // A second start, as in a test, keeps the first.
    let _ = if stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().with_ansi(false).try_init()
    };
    panic::hook();
}
