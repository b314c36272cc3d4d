//! The latest values.

use super::{
    Bench, Clause, HOUR, History, Keep, Kept, Latest, Position, Snapshot, same, texts, wait,
};

pub(super) const CLAUSES: &[Clause] = &[
    ("a channel without values has none", none),
    ("the latest of a channel is its last publication", channel),
    ("the latest of each key, in the order of publication", keys),
    (
        "of too many keys those go that were told longest ago",
        too_many,
    ),
    ("what values say they miss, and no more, is gone", floor),
    ("values last as long as the history, or a day", expiry),
];

fn keeping<'a>(bench: &'a Bench<'a>, size: usize, latest: Latest) -> Result<Kept<'a>, String> {
    bench.keeping(Keep {
        history: History { size, ttl: HOUR },
        latest,
    })
}

fn snapshot(log: &Kept<'_>) -> Result<Snapshot, String> {
    let snapshot = wait(log.log.latest(log.now()));
    snapshot.map_err(|error| error.to_string())
}

fn latest(log: &Kept<'_>) -> Result<(Vec<String>, Position), String> {
    let Snapshot { values, end, .. } = snapshot(log)?;
    Ok((texts(&values), end))
}

fn none(bench: &Bench<'_>) -> Result<(), String> {
    let log = keeping(bench, 100, Latest::Nothing)?;
    let end = log.append("a")?;
    same("values", latest(&log)?, (Vec::new(), end))
}

fn channel(bench: &Bench<'_>) -> Result<(), String> {
    for size in [0, 100] {
        let log = keeping(bench, size, Latest::Channel)?;
        same("at first", latest(&log)?.0, Vec::new())?;
        log.put("a", Some("x"), None)?;
        let end = log.put("b", Some("y"), None)?.position;
        same("values", latest(&log)?, (vec!["b".into()], end))?;
        same(
            "it would be lost",
            log.log.holds(log.now()),
            log.is_memory(),
        )?;
    }
    Ok(())
}

fn keys(bench: &Bench<'_>) -> Result<(), String> {
    let log = keeping(bench, 0, Latest::Keys)?;
    for (data, key) in [
        ("a1", "a"),
        ("b1", "b"),
        ("c1", "c"),
        ("a2", "a"),
        ("b2", "b"),
    ] {
        log.put(data, Some(key), None)?;
    }
    let end = log.put("a3", Some("a"), None)?.position;
    let owed = ["c1", "b2", "a3"].map(str::to_owned).to_vec();
    same("values", latest(&log)?, (owed, end))
}

fn too_many(bench: &Bench<'_>) -> Result<(), String> {
    let log = keeping(bench, 0, Latest::Keys)?;
    for n in 0..Latest::KEYS + 10 {
        let text = n.to_string();
        log.put(&text, Some(&text), None)?;
        if n == 500 {
            log.put("first", Some("0"), None)?;
        }
    }
    let (values, _) = latest(&log)?;
    same("how many", values.len(), Latest::KEYS)?;
    same("the oldest", values.first().map(String::as_str), Some("11"))?;
    same("told again", values.iter().any(|it| it == "first"), true)
}

fn floor(bench: &Bench<'_>) -> Result<(), String> {
    let log = keeping(bench, 0, Latest::Keys)?;
    let first = log.put("first", Some("0"), None)?.position.offset;
    log.put("again", Some("0"), None)?;
    same("with all", snapshot(&log)?.floor < first, true)?;
    let mut offsets = Vec::new();
    for n in 1..Latest::KEYS + 10 {
        let text = n.to_string();
        offsets.push(log.put(&text, Some(&text), None)?.position.offset);
    }
    // Of 1,010 keys the first ten are gone: "0" to "9".
    let (gone, kept) = (offsets.get(8).copied(), offsets.get(9).copied());
    let floor = Some(snapshot(&log)?.floor);
    same("behind what is gone", floor >= gone, true)?;
    same("before what is not", floor < kept, true)?;
    bench.subject.pass(Latest::TTL);
    let Snapshot { floor, end, .. } = snapshot(&log)?;
    same("when all is gone", floor, end.offset)
}

fn expiry(bench: &Bench<'_>) -> Result<(), String> {
    for (size, time) in [(100, HOUR), (0, Latest::TTL)] {
        let log = keeping(bench, size, Latest::Keys)?;
        log.put("a", Some("a"), None)?;
        bench.subject.pass(time / 2);
        log.put("b", Some("b"), None)?;
        bench.subject.pass(time / 2);
        same("the older has gone", latest(&log)?.0, vec!["b".into()])?;
        bench.subject.pass(time / 2);
        same("both have gone", latest(&log)?.0, Vec::new())?;
        same("nothing is held", log.log.holds(log.now()), false)?;
    }
    Ok(())
}
