//! Appending: one order, and once what is to be once.

use std::thread;

use super::{
    ALL, Bench, Clause, EngineError, HOUR, Once, Position, Range, Stands, entry, holds, once,
    rises, same, wait,
};

pub(super) const CLAUSES: &[Clause] = &[
    ("positions rise from the first append on", positions),
    (
        "a batch is answered entry by entry and keeps its order",
        batch,
    ),
    (
        "appends stand in the order of their calls, whenever they are answered",
        unanswered,
    ),
    (
        "what many append at once stands once each, each publisher's own in order",
        many,
    ),
    (
        "an id is published once, and its repetition is told where",
        repeated,
    ),
    ("of one id at the same instant, one is published", at_once),
    (
        "an id is known for its window and is new afterwards",
        window,
    ),
    ("ids of others are other ids", others),
    ("a log that is closed takes nothing and says so", closed),
];

fn positions(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let before = log.end()?;
    let appended: Result<Vec<Position>, String> = ["a", "b", "c"]
        .into_iter()
        .map(|it| log.append(it))
        .collect();
    let appended = appended?;
    let last = appended.last().copied();
    rises([before].into_iter().chain(appended))?;
    same("the end", Some(log.end()?), last)
}

fn batch(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let known = once(1);
    let batch = [
        entry("a", None, None)?,
        entry("b", None, Some(known))?,
        entry("again", None, Some(known))?,
        entry("c", None, None)?,
    ];
    let appended = wait(log.log.append(&batch, log.now())).map_err(|error| error.to_string())?;
    let duplicates: Vec<bool> = appended.iter().map(|it| it.duplicate).collect();
    same("duplicates", duplicates, vec![false, false, true, false])?;
    let places: Vec<Position> = appended.iter().map(|it| it.position).collect();
    same("the repetition's place", places.get(2), places.get(1))?;
    let page = log.read(Range::Newest, ALL)?;
    let kept: Vec<Position> = page.publications.iter().map(|it| it.position).collect();
    let stands: Vec<Position> = [0, 1, 3]
        .iter()
        .filter_map(|&n| places.get(n).copied())
        .collect();
    same("where they stand", kept, stands)?;
    same(
        "an empty batch",
        wait(log.log.append(&[], log.now())),
        Ok(Stands::Several(Vec::new())),
    )?;
    same(
        "data",
        log.all()?,
        ["a", "b", "c"].map(str::to_owned).to_vec(),
    )
}

fn unanswered(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let mut answers = Vec::new();
    for n in 0..20 {
        let entry = entry(&n.to_string(), None, None)?;
        answers.push(log.log.append(&[entry], log.now()));
    }
    // The last is waited for first.
    for answer in answers.into_iter().rev() {
        wait(answer).map_err(|error| error.to_string())?;
    }
    let said: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    same("data", log.all()?, said)
}

/// What each of four says in one channel at once.
fn many(bench: &Bench<'_>) -> Result<(), String> {
    const EACH: usize = 200;
    let log = bench.log(10_000, HOUR)?;
    let appended: Vec<Result<Vec<Position>, String>> = thread::scope(|scope| {
        let log = &log;
        let threads = [0, 1, 2, 3].map(|who| {
            scope.spawn(move || {
                (0..EACH)
                    .map(|n| log.append(&format!("{who} {n}")))
                    .collect()
            })
        });
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|it| it.unwrap_or_else(|_| Err("a panic".into())))
            .collect()
    });
    let mut places = Vec::new();
    for own in appended {
        let own = own?;
        rises(own.clone())?;
        places.extend(own);
    }
    places.sort_by_key(|position| position.offset);
    rises(places.clone())?;
    let kept = log.read(Range::Newest, ALL)?.publications;
    same("how many stand", kept.len(), 4 * EACH)?;
    let stands: Vec<Position> = kept.iter().map(|it| it.position).collect();
    same("where they stand", stands, places)?;
    let all = super::texts(&kept);
    for who in 0..4 {
        let own = all.iter().filter(|it| it.starts_with(&format!("{who} ")));
        let said = (0..EACH).map(|n| format!("{who} {n}"));
        holds("each publisher's own in order", own.cloned().eq(said))?;
    }
    Ok(())
}

fn repeated(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let id = once(1);
    let first = log.put("a", None, Some(id))?;
    log.append("b")?;
    let again = log.put("something else", None, Some(id))?;
    same("the first", first.duplicate, false)?;
    same(
        "the repetition",
        (again.duplicate, again.position),
        (true, first.position),
    )?;
    same("data", log.all()?, ["a", "b"].map(str::to_owned).to_vec())
}

fn at_once(bench: &Bench<'_>) -> Result<(), String> {
    for _ in 0..50 {
        let (log, id) = (bench.log(100, HOUR)?, once(1));
        let put = || log.put("a", None, Some(id));
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(put);
            (
                put(),
                other.join().unwrap_or_else(|_| Err("a panic".into())),
            )
        });
        let (one, other) = (one?, other?);
        holds(
            "one of both is the duplicate",
            one.duplicate != other.duplicate,
        )?;
        same("both positions", one.position, other.position)?;
        same("how many stand", log.all()?.len(), 1)?;
    }
    Ok(())
}

fn window(bench: &Bench<'_>) -> Result<(), String> {
    let (log, id) = (bench.log(100, HOUR)?, once(1));
    let first = log.put("a", None, Some(id))?;
    bench
        .subject
        .pass(Once::WINDOW - std::time::Duration::from_secs(1));
    let known = log.put("a", None, Some(id))?;
    same(
        "within its window",
        (known.duplicate, known.position),
        (true, first.position),
    )?;
    bench.subject.pass(std::time::Duration::from_secs(2));
    same("after it", log.put("a", None, Some(id))?.duplicate, false)
}

fn others(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let (one, other) = (once(1), once(2));
    let close = Once {
        key: {
            let mut key = one.key;
            key.reverse();
            key
        },
        ..one
    };
    for id in [one, other, close] {
        same("a new id", log.put("a", None, Some(id))?.duplicate, false)?;
    }
    Ok(())
}

fn closed(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    log.append("a")?;
    if log.log.holds(log.now()) {
        same(
            "a log that holds something",
            log.log.close(log.now()),
            false,
        )?;
        log.append("b")?;
        return same("data", log.all()?, ["a", "b"].map(str::to_owned).to_vec());
    }
    // Nothing is lost with it: it may take appends all the same, as another process does.
    holds("a log that holds nothing closes", log.log.close(log.now()))?;
    match wait(log.log.append(&[entry("b", None, None)?], log.now())) {
        Err(EngineError::Closed) | Ok(_) => Ok(()),
        Err(other) => Err(other.to_string()),
    }
}
