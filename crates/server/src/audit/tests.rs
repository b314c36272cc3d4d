//! What an edit, a crash or a second server does to a log.

use wardwire_admission::{
    admit::Trail,
    refusal::{Reason, Refusal, Stage},
};

use std::{path::Path, time::SystemTime};

use super::*;

mod property;
mod rotation;
mod shipping;
mod tampering;

/// What is waited for comes, however long that takes; a test that hangs is ended from outside.
const LONG: Duration = Duration::from_secs(3600);

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("wardwire-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path.join("audit.jsonl")
}

fn judged(path: &Path, demands: &Demands) -> Verdict {
    verify(&Files::find(&[path.to_owned()]).unwrap(), demands).unwrap()
}

/// What is whole: lines, and torn ones beside them.
fn whole(path: &Path) -> (u64, u64) {
    match judged(path, &Demands::default()) {
        Verdict::Whole(summary) => (summary.lines, summary.torn),
        other => panic!("{other:?}"),
    }
}

/// The line that does not hold.
fn broken(path: &Path) -> u64 {
    match judged(path, &Demands::default()) {
        Verdict::Broken(fault) => fault.line,
        other => panic!("{other:?}"),
    }
}

/// A log that nobody writes any more, or nobody will soon.
fn opened(settings: Settings) -> Audit {
    settled(&settings.file);
    Audit::open(settings).unwrap()
}

/// Waits for a writer that was dropped or closed: it holds the lock as long as it writes.
fn settled(path: &Path) {
    if let Ok(lock) = std::fs::File::open(path.with_extension("jsonl.lock")) {
        lock.lock().unwrap();
    }
}

fn until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::sleep(CROWDED);
    }
}

fn write(path: &Path, count: usize) -> Audit {
    let audit = opened(Settings::of(path.to_owned()));
    for _ in 0..count {
        audit.record(Event::new("start"));
    }
    audit.flush(LONG);
    audit
}

#[test]
fn a_chain_is_carried_on_over_restarts_and_verifies() {
    let path = folder("chain");
    drop(write(&path, 3));
    drop(write(&path, 2));
    assert_eq!(whole(&path), (5, 0));
}

#[test]
fn an_edit_a_gap_and_a_swap_are_found() {
    let path = folder("edits");
    drop(write(&path, 4));
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let edited = text.replacen("\"seq\":2", "\"seq\":2 ", 1);
    let gap = [lines[0], lines[2], lines[3]].join("\n") + "\n";
    let swap = [lines[0], lines[2], lines[1], lines[3]].join("\n") + "\n";
    for (text, line) in [(edited, 3), (gap, 2), (swap, 2)] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(broken(&path), line);
    }
}

#[test]
fn connections_that_are_dropped_take_few_lines_and_every_one_is_counted() {
    let path = folder("drops");
    let audit = opened(Settings::of(path.clone()));
    let drop_from = |peer: &str, cause| {
        let trail = Trail {
            peer: Some(peer.parse().unwrap()),
            ..Trail::default()
        };
        audit.dropped(cause, &trail);
    };
    for _ in 0..30_000 {
        drop_from("192.0.2.1", Cause::PoolFull);
        assert!(audit.is_healthy(), "what is dropped never fills the queue");
    }
    drop_from("192.0.2.2", Cause::NoDescriptor);
    audit.flush(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    let events = text
        .lines()
        .map(|line| -> serde_json::Value { serde_json::from_str(line).unwrap() });
    let (mut all, mut lines) = (0, 0);
    for event in events.filter(|event| event["reason"] == "pool-full") {
        lines += 1;
        all += match event["event"].as_str() {
            Some("drop") => {
                assert_eq!(event["peer"], "192.0.2.1");
                1
            }
            _ => event["count"].as_u64().unwrap(),
        };
    }
    assert_eq!(all, 30_000);
    assert!(lines < 200, "{lines} lines");
    assert!(text.contains("192.0.2.2") && text.contains("no-descriptor"));
}

#[test]
fn calls_that_fail_never_fill_the_queue_and_every_one_is_counted() {
    let path = folder("calls");
    let audit = opened(Settings::of(path.clone()));
    let trail = Trail::default();
    for _ in 0..200_000 {
        audit.call_refused(&trail, "forbidden", || None);
        assert!(audit.is_healthy(), "everybody's door closes");
    }
    audit.flush(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    let events = text
        .lines()
        .map(|line| -> serde_json::Value { serde_json::from_str(line).unwrap() });
    let calls = events.filter(|event| event["stage"] == "call");
    let count = calls.map(|event| event["count"].as_u64().unwrap_or(1));
    assert_eq!(count.sum::<u64>(), 200_000);
}

#[test]
fn what_is_only_reported_is_counted_as_that_and_hides_no_refusal() {
    let path = folder("reports");
    let audit = opened(Settings::of(path.clone()));
    let trail = Trail::default();
    for _ in 0..20_000 {
        audit.reported(&trail, "invalid", String::new);
    }
    audit.call_refused(&trail, "forbidden", || Some("one of its own".to_owned()));
    audit.flush(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    let events: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let reports = events
        .iter()
        .filter(|event| event["event"] == "report" || event["event"] == "reports");
    let count = reports.map(|event| event["count"].as_u64().unwrap_or(1));
    assert_eq!(count.sum::<u64>(), 20_000);
    assert!(
        events
            .iter()
            .any(|event| event["detail"] == "one of its own")
    );
}

#[test]
fn two_servers_never_write_one_log() {
    let path = folder("locked");
    let audit = write(&path, 1);
    let second = Audit::open(Settings::of(path.clone())).err().unwrap();
    assert!(second.to_string().contains("another server"), "{second}");
    drop(audit);
    drop(write(&path, 1));
    assert_eq!(whole(&path), (2, 0));
}

#[test]
fn a_line_torn_by_a_crash_is_told_apart_and_the_chain_goes_on() {
    let path = folder("torn");
    drop(write(&path, 2));
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.truncate(text.len() - 20);
    std::fs::write(&path, &text).unwrap();
    let verdict = judged(&path, &Demands::default());
    assert!(matches!(verdict, Verdict::Torn(it) if it.lines == 1));
    drop(write(&path, 2));
    assert_eq!(whole(&path), (4, 1), "owned up to");
    drop(write(&path, 1));
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = text.replacen("\"seq\":4", "\"seq\":4 ", 1);
    assert_ne!(text, edited);
    std::fs::write(&path, edited).unwrap();
    assert_eq!(broken(&path), 6, "what stands behind it is judged too");
}

#[test]
fn two_crashes_in_a_row_are_owned_up_to_together() {
    let path = folder("crashes");
    drop(write(&path, 1));
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str("{\"seq\":1,\n{\"seq");
    std::fs::write(&path, text).unwrap();
    drop(write(&path, 1));
    assert_eq!(whole(&path), (3, 1));
}

#[test]
fn nobody_hides_a_line_as_torn() {
    let path = folder("hidden");
    drop(write(&path, 3));
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let inserted = [lines[0], "torn, surely", lines[1], lines[2]].join("\n") + "\n";
    let last = [lines[0], lines[1], lines[2], "torn, surely"].join("\n") + "\n";
    let replaced = [lines[0], "torn, surely", lines[2]].join("\n") + "\n";
    for (text, at) in [(inserted, 2), (last, 4), (replaced, 2)] {
        std::fs::write(&path, text).unwrap();
        assert_eq!(broken(&path), at);
    }
    let endless = "x".repeat(1_000_000);
    std::fs::write(&path, format!("{text}{endless}")).unwrap();
    assert_eq!(broken(&path), 4);
}

#[test]
fn a_torn_line_cannot_be_taken_away() {
    let path = folder("evidence");
    drop(write(&path, 1));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}{{\"seq")).unwrap();
    drop(write(&path, 1));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("{\"seq\n", "", 1)).unwrap();
    assert_eq!(broken(&path), 2);
}

#[test]
fn a_flood_of_refusals_takes_few_lines_and_every_one_is_counted() {
    let path = folder("flood");
    let audit = opened(Settings::of(path.clone()));
    let refusal = Refusal::new(Stage::Tls, Reason::TlsFailed);
    for _ in 0..5000 {
        audit.record(Event::refusal(&Trail::default(), &refusal));
    }
    audit.flush(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let stands_for = |line: &serde_json::Value| line["count"].as_u64().unwrap_or(1);
    assert_eq!(lines.iter().map(stands_for).sum::<u64>(), 5000);
    assert!(lines.len() < 1000, "{}", lines.len());
    drop(audit);
    whole(&path);
}

#[test]
fn peers_text_cannot_break_a_line_or_turn_its_direction() {
    let path = folder("text");
    let audit = opened(Settings::of(path.clone()));
    let origin = format!("x\r\n\u{1b}[2J\u{202e}\u{2028}{}", "y".repeat(1_000_000));
    let mut event = Event::new("refusal");
    event.trail.origin = Some(origin.into());
    audit.record(event);
    audit.flush(LONG);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.len() < 1000 && text.lines().count() == 1,
        "{}",
        text.len()
    );
    assert!(text.contains("\\r\\n\\u001b[2J\\u202e\\u2028y"));
    assert!(
        text.bytes()
            .all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte))
    );
}
