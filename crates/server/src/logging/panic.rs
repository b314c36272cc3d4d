//! What is said of a panic: one line, with text that no peer can stretch or steer, and a count for the metrics.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{Write as _, stderr},
    panic::{self, PanicHookInfo},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

/// Bytes of a message. The standard library's own may quote what was being read, such as a text that was cut amid a
/// character.
const LONGEST: usize = 256;
/// How a compact JWS begins, and so a token in whatever is quoted (RFC 7515 §7.1).
const TOKEN: &str = "eyJ";

/// Of the process, as the hook is.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// How many panics there were.
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Has panics told in our words from now on.
pub(super) fn hook() {
    panic::set_hook(Box::new(tell));
}

fn tell(info: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let said = said(info.payload_as_str().unwrap_or("(says nothing)"));
    let location = info.location().map(ToString::to_string);
    let location = location.as_deref().unwrap_or("(nowhere)");
    let current = thread::current();
    let thread = current.name().unwrap_or("(no name)");
    // Only with RUST_BACKTRACE, as it costs a look at the whole binary.
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(said, location, thread, backtrace, "a panic");
    } else {
        // No filter hides it. Where it cannot be written nothing is left to do: a panic in here would end the server.
        let _ = writeln!(stderr(), "a panic at {location} in {thread}: {said}");
    }
}

/// Printable ASCII, cut, and without what looks like a token.
fn said(message: &str) -> String {
    if message.contains(TOKEN) {
        return "(holds a token)".to_owned();
    }
    let plain = |character: char| match character {
        ' '..='~' => vec![character],
        other => other.escape_default().collect(),
    };
    let mut text: String = message.chars().take(LONGEST).flat_map(plain).collect();
    text.truncate(LONGEST);
    text
}
