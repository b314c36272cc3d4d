//! Whatever happens, what a reader has read of a channel is one stretch of it without a gap, or several, between which it was
//! told that something is missing.
//!
//! Readers come, break off and come back with their last position, leave, lose the right and get it again, read slowly or not
//! at all; loops turn when they like; history expires; engines of two processes take their time, and lose what they were to
//! hand over. The channel's own order is known at the end, and every reader's log is held against it.

mod reader;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;

use super::{
    far::{Cluster, Far, Sought, found},
    *,
};
use crate::engine::{Answer, Engine, memory::Memory};
use reader::{Reader, State};

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody publishes in a process.
    Publish(usize),
    /// A reader subscribes, from where it was.
    Connect(usize),
    /// Its connection breaks off: what waits for it is gone.
    Break(usize),
    /// It unsubscribes.
    Leave(usize),
    Revoke(usize),
    Grant(usize),
    /// A loop takes so many publications.
    Turn(usize, usize),
    /// A reader takes so many bytes.
    Read(usize, usize),
    /// What is kept is too old.
    Expire,
    /// Answers and deliveries wait; answers are found out before they do, or after.
    Hold(bool),
    /// So many of them go on.
    Through(usize, usize),
    Release,
    /// What is to be delivered is lost.
    Lose,
}

const READERS: usize = 6;
const LOOPS: usize = 2;

fn step() -> impl Strategy<Value = Step> {
    let reader = 0..READERS;
    prop_oneof![
        8 => (0..2_usize).prop_map(Step::Publish),
        6 => reader.clone().prop_map(Step::Connect),
        2 => reader.clone().prop_map(Step::Break),
        1 => reader.clone().prop_map(Step::Leave),
        1 => reader.clone().prop_map(Step::Revoke),
        2 => reader.clone().prop_map(Step::Grant),
        5 => (0..2 * LOOPS, 1..5_usize).prop_map(|(at, count)| Step::Turn(at, count)),
        5 => (reader, 1..600_usize).prop_map(|(reader, bytes)| Step::Read(reader, bytes)),
        1 => Just(Step::Expire),
        2 => any::<bool>().prop_map(Step::Hold),
        4 => (0..3_usize, 0..4_usize).prop_map(|(answers, count)| Step::Through(answers, count)),
        1 => Just(Step::Release),
        1 => Just(Step::Lose),
    ]
}

type Publishing = Pin<Box<dyn Future<Output = Result<Published, HubError>> + Send>>;

struct World {
    hubs: Vec<Arc<Hub>>,
    cluster: Option<Arc<Cluster>>,
    loops: Vec<Fanout>,
    publishers: Vec<Member>,
    readers: Vec<Reader>,
    /// Each with its number.
    publishing: Vec<(u64, Publishing)>,
    /// In the channel's order at the end.
    published: Vec<(Position, u64)>,
    numbers: u64,
}

impl World {
    /// One process whose channels live in this engine.
    fn alone(engine: Arc<dyn Engine>, size: usize) -> Self {
        Self::of(vec![engine], None, size)
    }

    /// Two processes of a cluster.
    fn far(size: usize) -> Self {
        let cluster = Cluster::new();
        let engine = || Arc::new(Far(cluster.clone())) as Arc<dyn Engine>;
        let engines = vec![engine(), engine()];
        Self::of(engines, Some(cluster), size)
    }

    fn of(engines: Vec<Arc<dyn Engine>>, cluster: Option<Arc<Cluster>>, size: usize) -> Self {
        let (mut hubs, mut loops) = (Vec::new(), Vec::new());
        for engine in engines {
            let (hub, sides) = Hub::with(engine, rules(size), LOOPS);
            hubs.push(hub);
            loops.extend(sides);
        }
        let publish = |hub: &Arc<Hub>| hub.join(user("bob", IN_LOBBY), SocketKey(0), None);
        let publishers = hubs.iter().map(publish).collect();
        let reader = |number: usize| {
            let (at, key) = (number % loops.len(), SocketKey(number as u64 + 1));
            Reader {
                at,
                key,
                member: hubs[at / LOOPS].join(user("alice", IN_LOBBY), key, None),
                outbox: Outbox::default(),
                pace: match number.is_multiple_of(3) {
                    true => Pace::Behind(500),
                    false => Pace::Quick,
                },
                state: State::Idle,
                last: None,
                log: Vec::new(),
            }
        };
        Self {
            readers: (0..READERS).map(reader).collect(),
            publishers,
            hubs,
            cluster,
            loops,
            publishing: Vec::new(),
            published: Vec::new(),
            numbers: 0,
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Publish(process) => self.publish(process),
            Step::Connect(reader) => self.connect(reader),
            Step::Break(reader) => {
                let reader = &mut self.readers[reader];
                reader.member.leave(&mut self.loops[reader.at]);
                reader.outbox = Outbox::default();
                reader.state = State::Idle;
            }
            Step::Leave(reader) => {
                let reader = &mut self.readers[reader];
                if matches!(reader.state, State::Following) {
                    let (fanout, outbox) = (&mut self.loops[reader.at], &mut reader.outbox);
                    let left = reader
                        .member
                        .unsubscribe(fanout, outbox, &name("chat/lobby"));
                    left.unwrap();
                    reader.state = State::Idle;
                }
            }
            Step::Revoke(reader) => self.renew(reader, "{}"),
            Step::Grant(reader) => self.renew(reader, IN_LOBBY),
            Step::Turn(at, count) => self.turn(at, count),
            Step::Read(reader, bytes) => self.readers[reader].read(bytes),
            Step::Expire => {
                for hub in &self.hubs {
                    hub.settle(Instant::now() + Duration::from_secs(61));
                }
            }
            Step::Hold(late) => self.cluster.iter().for_each(|it| it.hold(late)),
            Step::Through(answers, deliveries) => {
                if let Some(cluster) = &self.cluster {
                    cluster.let_through(answers, deliveries);
                }
            }
            Step::Release => self.cluster.iter().for_each(|it| it.release()),
            Step::Lose => {
                if let Some(cluster) = &self.cluster {
                    cluster.lose(&name("chat/lobby"));
                }
            }
        }
        self.go_on();
    }

    fn publish(&mut self, process: usize) {
        let publisher = &self.publishers[process % self.publishers.len()];
        let number = self.numbers;
        self.numbers += 1;
        let data = raw(&number.to_string());
        match publisher.publish(&name("chat/lobby"), &data, None, None) {
            Answer::Now(published) => self.published.push((published.unwrap().position, number)),
            Answer::Later(publishing) => self.publishing.push((number, publishing)),
        }
    }

    fn connect(&mut self, reader: usize) {
        let reader = &mut self.readers[reader];
        if !matches!(reader.state, State::Idle) {
            return;
        }
        let fanout = &mut self.loops[reader.at];
        match reader
            .member
            .subscribe(fanout, &name("chat/lobby"), reader.last)
        {
            Answer::Now(seat) => reader.come(seat, fanout),
            Answer::Later(sought) => reader.state = State::Seeking(sought),
        }
    }

    fn renew(&mut self, reader: usize, claims: &str) {
        let reader = &mut self.readers[reader];
        let (fanout, outbox) = (&mut self.loops[reader.at], &mut reader.outbox);
        let lost = reader.member.renew(fanout, outbox, user("alice", claims));
        if !lost.is_empty() {
            reader.state = State::Idle;
        }
    }

    fn turn(&mut self, at: usize, count: usize) {
        let at = at % self.loops.len();
        let fanout = &mut self.loops[at];
        fanout.collect(count, usize::MAX, &mut Deflater::default());
        for batch in fanout.batches() {
            for follower in fanout.followers(batch) {
                let on = |reader: &&mut Reader| reader.at == at && reader.key == follower.socket;
                let reader = self.readers.iter_mut().find(on).unwrap();
                reader.outbox.add(batch.part_of(follower), reader.pace);
            }
        }
        fanout.clear();
    }

    /// What waited goes on, if it can.
    fn go_on(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        for (number, mut publishing) in std::mem::take(&mut self.publishing) {
            match publishing.as_mut().poll(&mut cx) {
                Poll::Ready(published) => {
                    self.published.push((published.unwrap().position, number));
                }
                Poll::Pending => self.publishing.push((number, publishing)),
            }
        }
        for reader in &mut self.readers {
            let fanout = &mut self.loops[reader.at];
            if let State::Seeking(sought) = &mut reader.state
                && let Some(seat) = found(sought)
            {
                reader.come(seat, fanout);
            }
            // Too slow: the socket closes.
            if reader.outbox.overflowed() {
                reader.member.leave(fanout);
                reader.outbox = Outbox::default();
                reader.state = State::Idle;
            }
        }
    }

    /// Everybody reads everything that there is.
    fn finish(mut self) -> Result<(), String> {
        self.take(Step::Release);
        while !self.publishing.is_empty()
            || self
                .readers
                .iter()
                .any(|it| matches!(it.state, State::Seeking(_)))
        {
            self.go_on();
        }
        for at in 0..self.loops.len() {
            while !self.loops[at].wait(Waker::noop()) {
                self.turn(at, usize::MAX);
            }
        }
        self.go_on();
        for reader in &mut self.readers {
            reader.read(usize::MAX);
        }
        let judged = self.judge();
        for reader in &mut self.readers {
            reader.member.leave(&mut self.loops[reader.at]);
        }
        judged
    }

    fn judge(&self) -> Result<(), String> {
        // Within an epoch by offset; epochs by when they began.
        let mut epochs = Vec::new();
        for (position, _) in &self.published {
            if !epochs.contains(&position.epoch) {
                epochs.push(position.epoch);
            }
        }
        let rank = |epoch: u64| epochs.iter().position(|it| *it == epoch);
        let mut truth = self.published.clone();
        truth.sort_by_key(|(position, _)| (rank(position.epoch), position.offset));
        for (number, reader) in self.readers.iter().enumerate() {
            let judged = reader.judge(&truth);
            judged.map_err(|why| {
                format!("reader {number}: {why} in {:?} of {truth:?}", reader.log)
            })?;
        }
        Ok(())
    }
}

fn run(mut world: World, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        world.take(*step);
    }
    world.finish()
}

/// A last value beside what is read would be no stretch.
fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0_usize), Just(3), Just(1000)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_reader_has_of_a_channel_in_memory_is_whole_or_says_where_it_is_not(
        size in sizes(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let memory = Arc::new(Memory::new(1 << 30));
        prop_assert_eq!(run(World::alone(memory, size), &steps), Ok(()));
    }

    #[test]
    fn what_a_reader_has_of_a_channel_of_two_processes_is_whole_or_says_where_it_is_not(
        size in sizes(),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        prop_assert_eq!(run(World::far(size), &steps), Ok(()));
    }
}

/// The property would notice an engine that is broken.
#[test]
fn a_reader_of_a_broken_engine_does_not_pass_for_one_that_has_all() {
    use crate::engine::contract::broken::{Broken, Fault, Place};
    let mut steps = vec![Step::Connect(0)];
    for _ in 0..4 {
        steps.extend([Step::Publish(0), Step::Turn(0, 1), Step::Read(0, 600)]);
    }
    for fault in [Fault::Loses, Fault::Doubles, Fault::Reorders] {
        let memory = Memory::new(1 << 30);
        let broken = Broken {
            memory,
            fault,
            place: Place::Delivered,
        };
        let judged = run(World::alone(Arc::new(broken), 1000), &steps);
        assert!(judged.is_err(), "{fault:?}");
    }
    let whole = World::alone(Arc::new(Memory::new(1 << 30)), 1000);
    assert_eq!(run(whole, &steps), Ok(()));
}
