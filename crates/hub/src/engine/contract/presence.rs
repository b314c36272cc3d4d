//! Who is present.

use std::{
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use wardwire_protocol::channel::ChannelName;

use super::{Bench, Clause, HOUR, LATE, same, wait};
use crate::engine::{Attendance, Attendant, Change, Present, Watcher};

pub(super) const CLAUSES: &[Clause] = &[
    ("all sockets of one are one member", members),
    ("who is anonymous is counted and never named", anonymous),
    ("to enter or leave twice changes nothing", twice),
    ("who does not stay goes when the lease is over", lease),
    ("all are counted, so many are named", named),
    ("channels know nothing of each other", apart),
    ("a watcher is told of each member once", watched),
    (
        "of many sockets of one at once, one comes first and one goes last",
        at_once,
    ),
];

const LEASE: Duration = Duration::from_secs(60);

fn attendant(socket: u128, from: Option<&str>) -> Attendant {
    Attendant {
        socket,
        from: from.map(Into::into),
        info: from.map(|from| format!("\"{from} {socket}\"").into()),
    }
}

struct Room<'a> {
    bench: &'a Bench<'a>,
    name: ChannelName,
}

impl<'a> Room<'a> {
    fn new(bench: &'a Bench<'a>) -> Result<Self, String> {
        let name = bench.channel()?;
        Ok(Self { bench, name })
    }

    fn enter(&self, socket: u128, from: Option<&str>) -> Result<(bool, usize), String> {
        let presence = self.bench.engine.presence();
        let attendant = attendant(socket, from);
        told(wait(presence.enter(
            &self.name,
            &attendant,
            LEASE,
            self.bench.now(),
        )))
    }

    fn leave(&self, socket: u128, from: Option<&str>) -> Result<(bool, usize), String> {
        let presence = self.bench.engine.presence();
        let attendant = attendant(socket, from);
        told(wait(presence.leave(
            &self.name,
            &attendant,
            self.bench.now(),
        )))
    }

    fn list(&self, most: usize) -> Result<Present, String> {
        let presence = self.bench.engine.presence();
        let listed = wait(presence.list(&self.name, most, self.bench.now()));
        listed.map_err(|error| error.to_string())
    }
}

fn told(answer: Result<Attendance, super::EngineError>) -> Result<(bool, usize), String> {
    let Attendance { changed, count } = answer.map_err(|error| error.to_string())?;
    Ok((changed, count))
}

fn members(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    let (alice, bob) = (Some("alice"), Some("bob"));
    same("bob comes", room.enter(1, bob)?, (true, 1))?;
    same("alice comes", room.enter(2, alice)?, (true, 2))?;
    same("alice comes again", room.enter(3, alice)?, (false, 2))?;
    let info = |text: &str| Some(Arc::from(text));
    let members = vec![
        ("alice".into(), info("\"alice 3\"")),
        ("bob".into(), info("\"bob 1\"")),
    ];
    let all = Present {
        count: 2,
        anonymous: 0,
        members,
    };
    same("who is there", room.list(10)?, all)?;
    same("one of alice goes", room.leave(2, alice)?, (false, 2))?;
    same("alice goes", room.leave(3, alice)?, (true, 1))?;
    same("bob goes", room.leave(1, bob)?, (true, 0))?;
    same("nobody is there", room.list(10)?, Present::default())
}

fn anonymous(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    for socket in 1..=3 {
        same("one comes", room.enter(socket, None)?, (false, 0))?;
    }
    let present = room.list(10)?;
    same(
        "who is there",
        (present.count, present.anonymous, present.members.len()),
        (0, 3, 0),
    )?;
    same("one goes", room.leave(2, None)?, (false, 0))?;
    same("who is left", room.list(10)?.anonymous, 2)
}

fn twice(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    let alice = Some("alice");
    same("nobody leaves", room.leave(1, alice)?, (false, 0))?;
    same("she comes", room.enter(1, alice)?, (true, 1))?;
    same("again", room.enter(1, alice)?, (false, 1))?;
    same("another socket leaves", room.leave(2, alice)?, (false, 1))?;
    same("she goes", room.leave(1, alice)?, (true, 0))?;
    same("again", room.leave(1, alice)?, (false, 0))
}

fn lease(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    let (alice, bob) = (Some("alice"), Some("bob"));
    room.enter(1, alice)?;
    room.enter(2, bob)?;
    bench.subject.pass(LEASE / 2);
    same("alice stays", room.enter(1, alice)?, (false, 2))?;
    bench.subject.pass(LEASE * 3 / 4);
    same("bob has gone", room.list(10)?.count, 1)?;
    same("bob comes back", room.enter(2, bob)?, (true, 2))?;
    bench.subject.pass(2 * LEASE);
    same("all have gone", room.list(10)?, Present::default())
}

fn named(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    for n in 0..200_u128 {
        room.enter(n, Some(&format!("user {n:03}")))?;
    }
    let present = room.list(10)?;
    same(
        "counted and named",
        (present.count, present.members.len()),
        (200, 10),
    )?;
    let names: Vec<&str> = present.members.iter().map(|(name, _)| &**name).collect();
    same("the first", names.first(), Some(&"user 000"))?;
    same(
        "counted alone",
        (room.list(0)?.count, room.list(0)?.members.len()),
        (200, 0),
    )
}

fn apart(bench: &Bench<'_>) -> Result<(), String> {
    let (one, other) = (Room::new(bench)?, Room::new(bench)?);
    one.enter(1, Some("alice"))?;
    same("nobody is there", other.list(10)?, Present::default())?;
    same(
        "she comes there too",
        other.enter(1, Some("alice"))?,
        (true, 1),
    )?;
    same("and goes", other.leave(1, Some("alice"))?, (true, 0))?;
    same("but not here", one.list(10)?.count, 1)
}

/// A watcher that writes down what it is told.
#[derive(Default)]
struct Seen {
    changes: parking_lot::Mutex<Vec<Change>>,
    changed: parking_lot::Condvar,
}

impl Watcher for Seen {
    fn changed(&self, change: &Change) {
        self.changes.lock().push(change.clone());
        self.changed.notify_all();
    }
}

impl Seen {
    /// What was told, as soon as it is so many, or when more is late.
    fn so_many(&self, count: usize) -> Vec<(String, [bool; 2], usize)> {
        let mut changes = self.changes.lock();
        let late = std::time::Instant::now() + LATE;
        while changes.len() < count && !self.changed.wait_until(&mut changes, late).timed_out() {}
        let told = changes.iter();
        told.map(|it| (it.from.to_string(), [it.here, it.stayed], it.count))
            .collect()
    }
}

fn watched(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    let (alice, bob) = (Some("alice"), Some("bob"));
    room.enter(9, bob)?;
    let seen = Arc::<Seen>::default();
    let watcher: Weak<dyn Watcher> = Arc::downgrade(&seen) as _;
    bench.engine.presence().watch(&room.name, watcher);
    room.enter(1, alice)?;
    // To stay changes nothing.
    room.enter(1, alice)?;
    room.enter(2, None)?;
    // Another socket of hers, and so another text beside her. The first stays, and takes back nothing.
    room.enter(3, alice)?;
    room.enter(1, alice)?;
    room.enter(3, alice)?;
    room.leave(1, alice)?;
    room.leave(2, None)?;
    room.leave(3, alice)?;
    room.leave(3, alice)?;
    bench.subject.pass(2 * LEASE);
    room.list(0)?;
    let owed = [
        ("alice", [true, false], 2),
        ("alice", [true, true], 2),
        ("alice", [false, false], 1),
        ("bob", [false, false], 0),
    ];
    let owed: Vec<_> = owed
        .map(|(from, turned, count)| (from.to_owned(), turned, count))
        .into();
    same("what is told", seen.so_many(owed.len()), owed)
}

fn at_once(bench: &Bench<'_>) -> Result<(), String> {
    let room = Room::new(bench)?;
    let alice = Some("alice");
    for comes in [true, false] {
        let step = |socket| match comes {
            true => room.enter(socket, alice),
            false => room.leave(socket, alice),
        };
        let changes = thread::scope(|scope| {
            let threads = [1, 2, 3, 4].map(|socket| scope.spawn(move || step(socket)));
            threads.map(|thread| thread.join())
        });
        let changed = |it: &&Result<_, _>| matches!(it, Ok(Ok((true, _))));
        same(
            "how many change it",
            changes.iter().filter(changed).count(),
            1,
        )?;
    }
    bench.subject.pass(HOUR);
    same("nobody is left", room.list(10)?, Present::default())
}
