//! Presence of an engine that is far away: what is asked is done later, and told later still. Whoever asks who is there and
//! hears who comes and goes knows in the end who is there, however late and in whichever order answers come, by the rule that
//! `docs/protocol.md` gives: what was heard while a question was under way counts more than its answer.

use std::{
    collections::{BTreeMap, VecDeque},
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::*;
use crate::engine::{
    Attendance, Attendant, Change, Durability, Engine, EngineError, Log, Presence as Attending,
    Present, Reply, Sets, Watcher,
};

type Asked = Box<dyn FnOnce(&Memory) + Send>;
type Told = Box<dyn FnOnce() + Send>;

/// What is on its way to and from one process, in the order of either.
#[derive(Default)]
struct Line {
    asked: Mutex<VecDeque<Asked>>,
    told: Mutex<VecDeque<Told>>,
    relays: Mutex<Vec<Arc<dyn Watcher>>>,
}

/// One process's engine: its logs are its own, who is present is common.
struct Late {
    logs: Memory,
    line: Arc<Line>,
}

impl Line {
    fn ask(self: &Arc<Self>, asked: impl FnOnce(&Memory, &Arc<Self>) + Send + 'static) {
        let line = self.clone();
        let asked = Box::new(move |common: &Memory| asked(common, &line));
        self.asked.lock().push_back(asked);
    }

    fn tell(&self, told: impl FnOnce() + Send + 'static) {
        self.told.lock().push_back(Box::new(told));
    }

    /// An answer that is there when it was brought back.
    fn question<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&Memory) -> Reply<T> + Send + 'static,
    ) -> Reply<T> {
        let slot = Arc::<Mutex<Option<Result<T, EngineError>>>>::default();
        let brought = slot.clone();
        self.ask(move |common, line| {
            let answer = ask(common).now().unwrap();
            line.tell(move || *brought.lock() = Some(answer));
        });
        Answer::later(std::future::poll_fn(move |_| match slot.lock().take() {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }))
    }

    fn go(&self, common: &Memory, count: usize) {
        for _ in 0..count {
            let Some(next) = self.asked.lock().pop_front() else {
                return;
            };
            next(common);
        }
    }

    fn bring(&self) -> bool {
        let next = self.told.lock().pop_front();
        next.map(|next| next()).is_some()
    }
}

/// Tells a watcher later.
struct Relay {
    line: Arc<Line>,
    watcher: Weak<dyn Watcher>,
}

impl Watcher for Relay {
    fn changed(&self, change: &Change) {
        let (watcher, change) = (self.watcher.clone(), change.clone());
        self.line.tell(move || {
            if let Some(watcher) = watcher.upgrade() {
                watcher.changed(&change);
            }
        });
    }
}

impl Engine for Late {
    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn open(&self, channel: &ChannelName, keep: Keep) -> Arc<dyn Log> {
        self.logs.open(channel, keep)
    }

    fn presence(&self) -> &dyn Attending {
        self
    }

    fn sets(&self) -> &dyn Sets {
        self.logs.sets()
    }

    fn used(&self) -> usize {
        self.logs.used()
    }

    fn sweep(&self, now: Instant) {
        self.logs.sweep(now);
    }
}

impl Attending for Late {
    fn enter(
        &self,
        channel: &ChannelName,
        attendant: &Attendant,
        lease: Duration,
        now: Instant,
    ) -> Reply<Attendance> {
        let (channel, attendant) = (channel.clone(), attendant.clone());
        self.line
            .question(move |common| common.presence().enter(&channel, &attendant, lease, now))
    }

    fn leave(
        &self,
        channel: &ChannelName,
        attendant: &Attendant,
        now: Instant,
    ) -> Reply<Attendance> {
        let (channel, attendant) = (channel.clone(), attendant.clone());
        self.line
            .question(move |common| common.presence().leave(&channel, &attendant, now))
    }

    fn watch(&self, channel: &ChannelName, watcher: Weak<dyn Watcher>) {
        let channel = channel.clone();
        self.line.ask(move |common, line| {
            let line = line.clone();
            let relay: Arc<dyn Watcher> = Arc::new(Relay {
                line: line.clone(),
                watcher,
            });
            common.presence().watch(&channel, Arc::downgrade(&relay));
            line.relays.lock().push(relay);
        });
    }

    fn list(&self, channel: &ChannelName, most: usize, now: Instant) -> Reply<Present> {
        let channel = channel.clone();
        self.line
            .question(move |common| common.presence().list(&channel, most, now))
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// One of the sockets comes with this beside its name, is told of anew, or goes.
    Turn(usize, Option<usize>),
    /// The observer of a process asks who is there.
    Ask(usize),
    /// So many questions of a process arrive.
    Through(usize, usize),
    /// So much of what is told arrives at a process.
    Bring(usize, usize),
    /// One of the answers that a process has, reaches its observer: as late as in a batch that waits for another call.
    Hand(usize, usize),
    /// A second is over in a process.
    Tell(usize),
    /// Everybody says again that they are here.
    Sweep(usize),
}

const SOCKETS: usize = 6;

fn step() -> impl Strategy<Value = Step> {
    let process = 0..2_usize;
    prop_oneof![
        8 => (0..SOCKETS, prop::option::of(0..2_usize)).prop_map(|(at, info)| Step::Turn(at, info)),
        3 => process.clone().prop_map(Step::Ask),
        6 => (process.clone(), 1..4_usize).prop_map(|(at, count)| Step::Through(at, count)),
        6 => (process.clone(), 1..4_usize).prop_map(|(at, count)| Step::Bring(at, count)),
        3 => (process.clone(), 0..4_usize).prop_map(|(at, which)| Step::Hand(at, which)),
        3 => process.clone().prop_map(Step::Tell),
        1 => process.prop_map(Step::Sweep),
    ]
}

type Members = BTreeMap<String, serde_json::Value>;
type Asking = Answer<Result<Present, HubError>>;

/// Who follows, and asks.
struct Observer {
    socket: Socket,
    asking: Vec<(Asking, Heard)>,
    /// Answers that have not reached it.
    answered: Vec<(Present, Heard)>,
    /// Who it thinks is there, once it was answered.
    known: Option<Known>,
}

type Known = (Members, u64);
/// Notices since a question was asked.
type Heard = Vec<serde_json::Value>;

struct Process {
    server: Server,
    line: Arc<Line>,
    side: Fanout,
    observer: Observer,
    now: Instant,
}

struct World {
    common: Memory,
    processes: Vec<Process>,
    /// Each with the process it is in.
    sockets: Vec<(usize, Option<Member>)>,
}

/// Two sockets of each of three, in different processes.
fn claims(at: usize, info: usize) -> Principal {
    let name = ["x", "y", "z"][at % 3];
    user(name, &format!(r#"{{"rooms":["lobby"],"name":"{info}"}}"#))
}

impl Process {
    fn new() -> Self {
        let line = Arc::<Line>::default();
        let engine = Late {
            logs: Memory::new(1 << 20),
            line: line.clone(),
        };
        let (hub, sides) = Hub::with(Arc::new(engine), told_rules(), 2);
        let mut server = Server { hub, sides };
        let side = server.sides.pop().unwrap();
        let socket = follower(&mut server, "observer", "o");
        let observer = Observer {
            socket,
            asking: Vec::new(),
            answered: Vec::new(),
            known: None,
        };
        Self {
            server,
            line,
            side,
            observer,
            now: Instant::now(),
        }
    }

    fn bring(&mut self, count: usize) -> bool {
        (0..count).all(|_| {
            let brought = self.line.bring();
            self.observer.look();
            brought
        })
    }

    fn tell(&mut self) {
        self.now += EVERY;
        self.server.hub.tell(self.now);
        self.observer.hear();
    }
}

fn known(present: &Present) -> Known {
    let info = |info: &Option<Arc<str>>| serde_json::from_str(info.as_deref().unwrap()).unwrap();
    let each = present.members.iter();
    let members = each.map(|(from, it)| (from.to_string(), info(it)));
    (members.collect(), present.count as u64)
}

impl Observer {
    /// Notices answers that are there.
    fn look(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        for (asking, heard) in std::mem::take(&mut self.asking) {
            match asking.poll(&mut cx) {
                Err(later) => self.asking.push((later, heard)),
                Ok(present) => self.answered.push((present.unwrap(), heard)),
            }
        }
    }

    fn take(&mut self, which: usize) {
        if which < self.answered.len() {
            let (present, heard) = self.answered.remove(which);
            let mut known = known(&present);
            heard.iter().for_each(|notice| apply(&mut known, notice));
            self.known = Some(known);
        }
    }

    fn hear(&mut self) {
        for notice in received(&mut self.socket) {
            if let Some(known) = &mut self.known {
                apply(known, &notice);
            }
            let asking = self.asking.iter_mut().map(|(_, heard)| heard);
            let answered = self.answered.iter_mut().map(|(_, heard)| heard);
            asking
                .chain(answered)
                .for_each(|heard| heard.push(notice.clone()));
        }
    }
}

fn apply((members, count): &mut Known, notice: &serde_json::Value) {
    *count = notice["params"]["count"].as_u64().unwrap();
    for member in notice["params"]["members"].as_array().unwrap() {
        let from = member["from"].as_str().unwrap().to_owned();
        match notice["method"] == "joined" {
            true => members.insert(from, member["info"].clone()),
            false => members.remove(&from),
        };
    }
}

impl World {
    fn new() -> Self {
        Self {
            common: Memory::new(1 << 20),
            processes: vec![Process::new(), Process::new()],
            sockets: (0..SOCKETS).map(|at| (at / 3, None)).collect(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Turn(at, info) => self.turn(at, info),
            Step::Ask(at) => {
                let observer = &mut self.processes[at].observer;
                let asking = observer.socket.member.presence(&name("chat/lobby"), 100);
                observer.asking.push((asking, Vec::new()));
                // It may be answered already.
                observer.look();
            }
            Step::Through(at, count) => self.processes[at].line.go(&self.common, count),
            Step::Bring(at, count) => {
                self.processes[at].bring(count);
            }
            Step::Hand(at, which) => self.processes[at].observer.take(which),
            Step::Tell(at) => self.processes[at].tell(),
            Step::Sweep(at) => self.processes[at].server.hub.sweep(Instant::now()),
        }
    }

    fn turn(&mut self, at: usize, info: Option<usize>) {
        let (process, member) = &mut self.sockets[at];
        let Process { server, side, .. } = &mut self.processes[*process];
        match (info, &mut *member) {
            (None, _) => {
                if let Some(mut member) = member.take() {
                    member.leave(side);
                }
            }
            (Some(info), Some(member)) => {
                let lost = member.renew(side, &mut Outbox::default(), claims(at, info));
                assert!(lost.is_empty());
            }
            (Some(info), None) => {
                let key = SocketKey(100 + at as u64);
                let mut new = server.hub.join(claims(at, info), key, None);
                let seat = new.subscribe(side, &name("chat/lobby"), None);
                new.join(seat.now().unwrap().unwrap(), side).unwrap();
                *member = Some(new);
            }
        }
    }

    /// Everything arrives, and is told.
    fn finish(mut self) -> Result<(), String> {
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for process in &mut self.processes {
                process.line.go(&self.common, usize::MAX);
                while process.bring(1) {
                    goes_on = true;
                }
            }
        }
        let listed = self
            .common
            .presence()
            .list(&name("chat/lobby"), 100, Instant::now());
        let truth = known(&listed.now().unwrap().unwrap());
        let mut judged = Ok(());
        for process in &mut self.processes {
            process.tell();
            while !process.observer.answered.is_empty() {
                process.observer.take(0);
            }
            if let Some(known) = &process.observer.known
                && *known != truth
            {
                judged = Err(format!("{known:?} for {truth:?}"));
            }
        }
        for (process, member) in &mut self.sockets {
            if let Some(member) = member {
                member.leave(&mut self.processes[*process].side);
            }
        }
        judged
    }
}

fn run(steps: &[Step]) -> Result<(), String> {
    let mut world = World::new();
    steps.iter().for_each(|step| world.take(*step));
    world.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn who_asked_and_then_hears_knows_in_the_end_who_is_there(
        steps in prop::collection::vec(step(), 0..100),
    ) {
        prop_assert_eq!(run(&steps), Ok(()));
    }
}
