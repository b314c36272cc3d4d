//! The small shared sets.

use std::{sync::Arc, thread, time::Duration};

use super::{Bench, Clause, EngineError, HOUR, holds, same, wait};
use crate::engine::{Claim, Set};

pub(super) const CLAUSES: &[Clause] = &[
    (
        "a claim is the first's, until its time is over or it is taken away",
        claim,
    ),
    ("of many claims at once one is the first", at_once),
    ("a value is found until its time is over", value),
    ("what is removed is removed by one", removed),
    ("sets know nothing of each other", apart),
    ("keys and values too large are refused", large),
    ("a full set refuses and forgets nobody", full),
];

const KEY: &[u8] = b"a key";

fn claimed(bench: &Bench<'_>, set: Set, key: &[u8], lease: Duration) -> Result<Claim, EngineError> {
    wait(bench.engine.sets().claim(set, key, lease, bench.now()))
}

fn put(bench: &Bench<'_>, set: Set, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
    wait(bench.engine.sets().put(set, key, value, HOUR, bench.now()))
}

fn get(bench: &Bench<'_>, set: Set, key: &[u8]) -> Result<Option<Arc<[u8]>>, EngineError> {
    wait(bench.engine.sets().get(set, key, bench.now()))
}

fn remove(bench: &Bench<'_>, set: Set, key: &[u8]) -> Result<Option<Arc<[u8]>>, EngineError> {
    wait(bench.engine.sets().remove(set, key, bench.now()))
}

fn claim(bench: &Bench<'_>) -> Result<(), String> {
    let claim = || claimed(bench, Set::Tickets, KEY, Duration::from_secs(30));
    same("the first", claim(), Ok(Claim::First))?;
    same("the second", claim(), Ok(Claim::Taken))?;
    bench.subject.pass(Duration::from_secs(29));
    same("shortly before", claim(), Ok(Claim::Taken))?;
    bench.subject.pass(Duration::from_secs(2));
    same("afterwards", claim(), Ok(Claim::First))?;
    same(
        "taken away",
        remove(bench, Set::Tickets, KEY).map(|it| it.is_some()),
        Ok(true),
    )?;
    same("and claimed", claim(), Ok(Claim::First))
}

fn at_once(bench: &Bench<'_>) -> Result<(), String> {
    for n in 0..100_u32 {
        let key = n.to_be_bytes();
        let claim = || claimed(bench, Set::Proofs, &key, HOUR);
        let claims = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(claim));
            threads.map(|thread| thread.join())
        });
        let first = |it: &&Result<_, _>| matches!(it, Ok(Ok(Claim::First)));
        same("how many are first", claims.iter().filter(first).count(), 1)?;
    }
    Ok(())
}

fn value(bench: &Bench<'_>) -> Result<(), String> {
    let set = Set::Sessions;
    same("nothing yet", get(bench, set, KEY), Ok(None))?;
    same("put", put(bench, set, KEY, b"one"), Ok(()))?;
    same("found", get(bench, set, KEY), Ok(Some(b"one"[..].into())))?;
    bench.subject.pass(HOUR / 2);
    same("put again", put(bench, set, KEY, b"two"), Ok(()))?;
    bench.subject.pass(HOUR * 3 / 4);
    same(
        "for so long from then",
        get(bench, set, KEY),
        Ok(Some(b"two"[..].into())),
    )?;
    bench.subject.pass(HOUR);
    same("no longer", get(bench, set, KEY), Ok(None))
}

fn removed(bench: &Bench<'_>) -> Result<(), String> {
    for n in 0..100_u32 {
        let key = n.to_be_bytes();
        same("put", put(bench, Set::Tickets, &key, b"it"), Ok(()))?;
        let removals = thread::scope(|scope| {
            let threads = [(); 4].map(|()| scope.spawn(|| remove(bench, Set::Tickets, &key)));
            threads.map(|thread| thread.join())
        });
        let got = |it: &&Result<_, _>| matches!(it, Ok(Ok(Some(_))));
        same("how many get it", removals.iter().filter(got).count(), 1)?;
    }
    Ok(())
}

fn apart(bench: &Bench<'_>) -> Result<(), String> {
    for (set, n) in Set::ALL.into_iter().zip(0_u8..) {
        same("put", put(bench, set, KEY, &[n]), Ok(()))?;
    }
    for (set, n) in Set::ALL.into_iter().zip(0_u8..) {
        same("found", get(bench, set, KEY), Ok(Some([n][..].into())))?;
    }
    same(
        "removed",
        remove(bench, Set::Tickets, KEY).map(|it| it.is_some()),
        Ok(true),
    )?;
    same(
        "of one only",
        get(bench, Set::Sessions, KEY).map(|it| it.is_some()),
        Ok(true),
    )
}

fn large(bench: &Bench<'_>) -> Result<(), String> {
    let set = Set::Sessions;
    let fits = put(bench, set, &[1; Set::KEY], &[1; Set::VALUE]);
    same("just fits", fits, Ok(()))?;
    let key = put(bench, set, &[1; Set::KEY + 1], b"");
    same("a key", key, Err(EngineError::Full))?;
    let value = put(bench, set, KEY, &[1; Set::VALUE + 1]);
    same("a value", value, Err(EngineError::Full))?;
    same(
        "a claim",
        claimed(bench, set, &[1; Set::KEY + 1], HOUR),
        Err(EngineError::Full),
    )
}

fn full(bench: &Bench<'_>) -> Result<(), String> {
    let set = Set::Revocations;
    let key = |n: usize| n.to_be_bytes();
    let fits = (0..=Set::KEYS).position(|n| put(bench, set, &key(n), b"").is_err());
    same("how many fit", fits, Some(Set::KEYS))?;
    let beyond = claimed(bench, set, KEY, HOUR);
    same("a claim beyond", beyond, Err(EngineError::Full))?;
    holds(
        "the first is there",
        get(bench, set, &key(0)) == Ok(Some([][..].into())),
    )?;
    same(
        "one that is there",
        put(bench, set, &key(0), b"new"),
        Ok(()),
    )?;
    same("another set", put(bench, Set::Proofs, KEY, b""), Ok(()))?;
    bench.subject.pass(2 * HOUR);
    same("room again", put(bench, set, KEY, b""), Ok(()))
}
