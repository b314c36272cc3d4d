//! What an engine holds for one channel has an end.

use super::{Bench, Clause, HOUR, Range, same};

pub(super) const CLAUSES: &[Clause] = &[
    ("nothing of a log is used once it is let go of", given_back),
    ("a history of any size is bounded in bytes", bytes),
];

fn given_back(bench: &Bench<'_>) -> Result<(), String> {
    let before = bench.engine.used();
    let log = bench.log(10_000, HOUR)?;
    for _ in 0..100 {
        log.append(&"x".repeat(1000))?;
    }
    let held = log.log.holds(log.now());
    same(
        "what is held is counted",
        bench.engine.used() > before,
        held,
    )?;
    bench.subject.pass(2 * HOUR);
    same(
        "nothing is held when its time is over",
        log.log.holds(log.now()),
        false,
    )?;
    same("what is used then", bench.engine.used(), before)?;
    log.append("a")?;
    drop(log);
    same("what is used at last", bench.engine.used(), before)
}

fn bytes(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(usize::MAX, HOUR)?;
    let before = bench.engine.used();
    for _ in 0..200 {
        log.append(&"x".repeat(60_000))?;
    }
    let used = bench.engine.used() - before;
    same("memory within 8 MiB", used <= 8 * 1024 * 1024, true)?;
    let page = log.read(Range::Newest, super::ALL)?;
    same(
        "what is missing is told",
        page.complete,
        page.publications.len() == 200,
    )
}
