//! Reading: pages without a gap, which say what is missing.

use std::time::Duration;

use super::{ALL, Bench, Clause, HOUR, Kept, Limit, Position, Range, holds, rises, same, texts};

pub(super) const CLAUSES: &[Clause] = &[
    ("what is read is what was appended, where it was", whole),
    (
        "pages forward make up the whole, and say when there is more",
        forward,
    ),
    (
        "pages backward make up the whole, and say when there is more",
        backward,
    ),
    ("a limit in bytes is kept, but for one that is alone", bytes),
    ("what the retention let go of is told", retention),
    ("what is kept ends with its time", expiry),
    (
        "a position of another epoch, or of the future, is told",
        epochs,
    ),
    ("two lives of a log have two epochs", lives),
    ("a log that keeps nothing still gives positions", nothing),
    (
        "keeping less lets go at once, keeping more goes on from there",
        keep,
    ),
];

fn filled<'a>(bench: &'a Bench<'a>, size: usize, count: usize) -> Result<Kept<'a>, String> {
    let log = bench.log(size, HOUR)?;
    for n in 0..count {
        log.append(&n.to_string())?;
    }
    Ok(log)
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn limit(count: usize) -> Limit {
    Limit { count, ..ALL }
}

fn whole(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let first = log.append("a")?;
    let second = log.append("b")?;
    let page = log.read(Range::Newest, ALL)?;
    let places: Vec<Position> = page.publications.iter().map(|it| it.position).collect();
    same("places", places, vec![first, second])?;
    let from = page.publications.first();
    let from = from.and_then(|it| it.publication.from.as_deref());
    same("whose it is", from, Some("somebody"))?;
    same(
        "the whole",
        (page.complete, page.more, page.end),
        (true, false, second),
    )?;
    let before = log.read(Range::Before(second), ALL)?;
    same(
        "before the second",
        texts(&before.publications),
        vec!["a".into()],
    )?;
    let after = log.read(Range::After(first), ALL)?;
    same(
        "after the first",
        texts(&after.publications),
        vec!["b".into()],
    )?;
    same(
        "after the first, whole",
        (after.complete, after.more),
        (true, false),
    )?;
    let end = log.read(Range::After(second), ALL)?;
    same(
        "after the end",
        (end.publications.len(), end.complete),
        (0, true),
    )
}

fn forward(bench: &Bench<'_>) -> Result<(), String> {
    let log = filled(bench, 100, 25)?;
    let first = log.read(Range::Newest, ALL)?.publications;
    let epoch = log.end()?.epoch;
    let mut at = Position { epoch, offset: 0 };
    let mut found = Vec::new();
    for _ in 0..10 {
        let page = log.read(Range::After(at), limit(10))?;
        holds("a page is complete", page.complete)?;
        holds("a page keeps its limit", page.publications.len() <= 10)?;
        found.extend(page.publications);
        match found.last() {
            Some(last) => at = last.position,
            None => return Err("nothing was found".into()),
        }
        same("more", page.more, found.len() < 25)?;
        if !page.more {
            break;
        }
    }
    same("all", texts(&found), numbers(0..25))?;
    rises(found.iter().map(|it| it.position))?;
    same("at once", texts(&first), numbers(0..25))
}

fn backward(bench: &Bench<'_>) -> Result<(), String> {
    let log = filled(bench, 100, 25)?;
    let mut range = Range::Newest;
    let mut found = Vec::new();
    for _ in 0..10 {
        let mut page = log.read(range, limit(10))?;
        holds("a page is complete", page.complete)?;
        holds("a page keeps its limit", page.publications.len() <= 10)?;
        page.publications.append(&mut found);
        found = page.publications;
        match found.first() {
            Some(first) => range = Range::Before(first.position),
            None => return Err("nothing was found".into()),
        }
        same("more", page.more, found.len() < 25)?;
        if !page.more {
            break;
        }
    }
    same("all", texts(&found), numbers(0..25))
}

fn bytes(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    for n in 0..5 {
        log.append(&n.to_string().repeat(1000))?;
    }
    let start = Position {
        offset: 0,
        ..log.end()?
    };
    for range in [Range::After(start), Range::Newest] {
        let few = Limit {
            count: 100,
            bytes: 3500,
        };
        let page = log.read(range, few)?;
        let sizes = page.publications.iter().map(|it| it.publication.size());
        let size: usize = sizes.sum();
        holds("bytes within the limit", size <= 3500 && size > 1000)?;
        holds("more, and complete", page.more && page.complete)?;
        let none = Limit {
            count: 100,
            bytes: 1,
        };
        same("one is alone", log.read(range, none)?.publications.len(), 1)?;
    }
    Ok(())
}

fn retention(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(3, HOUR)?;
    let mut places = Vec::new();
    for n in 0..5 {
        places.push(log.append(&n.to_string())?);
    }
    let [first, second, third, ..] = places[..] else {
        return Err("five places".into());
    };
    same("what is kept", log.all()?, numbers(2..5))?;
    let page = log.read(Range::After(second), ALL)?;
    same(
        "just whole",
        (texts(&page.publications), page.complete),
        (numbers(2..5), true),
    )?;
    let page = log.read(Range::After(first), ALL)?;
    same(
        "one is missing",
        (texts(&page.publications), page.complete),
        (numbers(2..5), false),
    )?;
    let page = log.read(Range::Newest, ALL)?;
    same(
        "going back ends",
        (page.more, page.complete),
        (false, false),
    )?;
    let page = log.read(Range::Before(third), ALL)?;
    same(
        "nothing before it",
        (page.publications.len(), page.more, page.complete),
        (0, false, false),
    )
}

fn expiry(bench: &Bench<'_>) -> Result<(), String> {
    let ttl = Duration::from_secs(60);
    let log = bench.log(100, ttl)?;
    let first = log.append("a")?;
    bench.subject.pass(Duration::from_secs(40));
    log.append("b")?;
    bench.subject.pass(Duration::from_secs(30));
    same("the older has gone", log.all()?, vec!["b".into()])?;
    let page = log.read(Range::After(first), ALL)?;
    same("nothing is missing after it", page.complete, true)?;
    bench.subject.pass(Duration::from_secs(31));
    same("both have gone", log.all()?.len(), 0)?;
    same(
        "and that is told",
        log.read(Range::After(first), ALL)?.complete,
        false,
    )?;
    let third = log.append("c")?;
    rises([first, third])
}

fn epochs(bench: &Bench<'_>) -> Result<(), String> {
    let log = filled(bench, 100, 3)?;
    let end = log.end()?;
    let other = Position {
        epoch: end.epoch ^ 1,
        ..end
    };
    let future = Position {
        offset: end.offset + 1000,
        ..end
    };
    let far = Position {
        offset: u64::MAX,
        ..end
    };
    for range in [
        Range::After(other),
        Range::Before(other),
        Range::After(future),
        Range::After(far),
    ] {
        let page = log.read(range, ALL)?;
        same(
            &format!("{range:?}"),
            (page.complete, page.end),
            (false, end),
        )?;
    }
    let page = log.read(Range::After(future), ALL)?;
    same("nothing is there", page.publications.len(), 0)
}

/// Where a log ends with the process, each has an epoch of its own; where it lasts, opening it again finds the same.
fn lives(bench: &Bench<'_>) -> Result<(), String> {
    let (one, other) = (filled(bench, 100, 1)?, filled(bench, 100, 1)?);
    holds(
        "two channels' epochs",
        one.end()?.epoch != other.end()?.epoch,
    )?;
    let (name, keep) = (bench.channel()?, super::Keep::default());
    let open = || Kept {
        bench,
        log: bench.engine.open(&name, keep),
    };
    let first = open().append("a")?;
    let second = open().append("b")?;
    match first.epoch == second.epoch {
        true => rises([first, second]),
        false => Ok(()),
    }
}

fn nothing(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(0, Duration::ZERO)?;
    let (first, second) = (log.append("a")?, log.append("b")?);
    rises([first, second])?;
    same("nothing is kept", log.all()?.len(), 0)?;
    let page = log.read(Range::After(first), ALL)?;
    same("and that is told", page.complete, false)?;
    let page = log.read(Range::After(second), ALL)?;
    same("nothing was missed", page.complete, true)?;
    holds("nothing is held", !log.log.holds(log.now()))
}

fn keep(bench: &Bench<'_>) -> Result<(), String> {
    let log = filled(bench, 100, 5)?;
    let fewer = |size| super::Keep {
        history: super::History { size, ttl: HOUR },
        ..super::Keep::default()
    };
    log.log.keep(fewer(2), log.now());
    same("two are left", log.all()?, numbers(3..5))?;
    log.log.keep(fewer(3), log.now());
    log.append("5")?;
    log.append("6")?;
    same("three are kept", log.all()?, numbers(4..7))?;
    log.log.keep(fewer(0), log.now());
    same("none are", log.all()?.len(), 0)
}
