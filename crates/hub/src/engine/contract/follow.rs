//! Following: everything, once, in the log's one order, and together with reading without a gap.

use std::thread;

use super::{ALL, Bench, Clause, HOUR, Kept, Range, rises, same, texts};

pub(super) const CLAUSES: &[Clause] = &[
    ("a follower hears everything once and in order", everything),
    (
        "what many append at once is heard in the order in which it is kept",
        many,
    ),
    (
        "what was read and what is heard after it is the whole",
        joined,
    ),
    ("a duplicate is not heard again", duplicate),
    ("a follower that is gone costs nothing", gone),
    (
        "also what another process appends is heard, and in one order by both",
        beside,
    ),
];

fn everything(bench: &Bench<'_>) -> Result<(), String> {
    for size in [0, 100] {
        let log = bench.log(size, HOUR)?;
        let heard = log.follow();
        let mut places = Vec::new();
        for n in 0..50 {
            places.push(log.append(&n.to_string())?);
        }
        let heard = heard.up_to(log.end()?);
        same(
            "where",
            heard.iter().map(|it| it.position).collect(),
            places,
        )?;
        let said: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        same("what", texts(&heard), said)?;
    }
    Ok(())
}

fn publish(log: &Kept<'_>, count: usize) -> Result<(), String> {
    thread::scope(|scope| {
        let threads = [0, 1, 2, 3].map(|who| {
            scope.spawn(move || -> Result<(), String> {
                for n in 0..count {
                    log.append(&format!("{who} {n}"))?;
                }
                Ok(())
            })
        });
        let mut joined = threads.into_iter().map(|thread| thread.join());
        joined.try_for_each(|it| it.unwrap_or_else(|_| Err("a panic".into())))
    })
}

fn many(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(10_000, HOUR)?;
    let heard = log.follow();
    publish(&log, 200)?;
    let heard = heard.up_to(log.end()?);
    rises(heard.iter().map(|it| it.position))?;
    same("as it is kept", texts(&heard), log.all()?)
}

/// A follower begins while others publish: what it reads and what it hears behind that is all there is.
fn joined(bench: &Bench<'_>) -> Result<(), String> {
    for _ in 0..20 {
        let log = bench.log(10_000, HOUR)?;
        let (published, begun) = thread::scope(|scope| {
            let publishing = scope.spawn(|| publish(&log, 50));
            let heard = log.follow();
            let page = log.read(Range::Newest, ALL);
            let published = publishing.join().unwrap_or_else(|_| Err("a panic".into()));
            (published, page.map(|page| (heard, page)))
        });
        published?;
        let (heard, page) = begun?;
        let (mut all, end) = (page.publications, log.end()?);
        if end != page.end {
            let heard = heard.up_to(end).into_iter();
            all.extend(heard.filter(|it| it.position.offset > page.end.offset));
        }
        same("read and heard", texts(&all), log.all()?)?;
    }
    Ok(())
}

fn duplicate(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    let heard = log.follow();
    let id = super::once(1);
    for _ in 0..3 {
        log.put("a", None, Some(id))?;
    }
    log.append("b")?;
    let heard = heard.up_to(log.end()?);
    same("what is heard", texts(&heard), vec!["a".into(), "b".into()])
}

fn gone(bench: &Bench<'_>) -> Result<(), String> {
    let log = bench.log(100, HOUR)?;
    drop(log.follow());
    log.append("a")?;
    let heard = log.follow();
    log.append("b")?;
    same(
        "the next one hears",
        texts(&heard.up_to(log.end()?)),
        vec!["b".into()],
    )
}

fn beside(bench: &Bench<'_>) -> Result<(), String> {
    let Some(other) = bench.subject.beside(&bench.engine) else {
        return Ok(());
    };
    let keep = super::Keep {
        history: super::History {
            size: 1000,
            ttl: HOUR,
        },
        ..super::Keep::default()
    };
    let name = bench.channel()?;
    let [one, two] = [&bench.engine, &other].map(|engine| Kept {
        bench,
        log: engine.open(&name, keep),
    });
    let both = [one.follow(), two.follow()];
    thread::scope(|scope| {
        let threads = [&one, &two].map(|log| scope.spawn(|| publish(log, 50)));
        let mut joined = threads.into_iter().map(|thread| thread.join());
        joined.try_for_each(|it| it.unwrap_or_else(|_| Err("a panic".into())))
    })?;
    let end = one.end()?;
    let [heard, other] = both.map(|heard| texts(&heard.up_to(end)));
    same("how many are heard", heard.len(), 400)?;
    same("by the one and by the other", heard, other)?;
    let id = super::once(1);
    let (first, again) = (one.put("a", None, Some(id))?, two.put("a", None, Some(id))?);
    same(
        "an id of both",
        (again.duplicate, again.position),
        (true, first.position),
    )
}
