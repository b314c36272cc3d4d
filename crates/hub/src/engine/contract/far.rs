//! An engine that is far away, for tests: several processes have the same channels, and answers and deliveries take as long
//! as a test wants.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
    time::Instant,
};

use parking_lot::Mutex;
use wardwire_protocol::channel::ChannelName;

use crate::engine::{
    Answer, Durability, Engine, Entry, Keep, Limit, Log, Page, Placed, Position, Presence, Range,
    Reply, Sets, Sink, Snapshot, Stands, memory::Memory,
};

/// What all processes share.
pub(crate) struct Cluster {
    memory: Memory,
    logs: Mutex<HashMap<ChannelName, Arc<Shared>>>,
    gate: Arc<Gate>,
}

/// One process's engine.
pub(crate) struct Far(pub(crate) Arc<Cluster>);

/// A channel, as all processes have it.
struct Shared {
    log: Arc<dyn Log>,
    fronts: Mutex<Vec<Weak<Front>>>,
}

/// A channel, as one process has it.
struct Front {
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    sink: Mutex<Option<Weak<dyn Sink>>>,
    /// On its way.
    late: Mutex<VecDeque<Placed>>,
}

/// What is on its way waits here while it is held.
#[derive(Default)]
struct Gate(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    held: bool,
    /// Answers are found out when they are let through, and not when they are asked for.
    late: bool,
    /// How many answers may go.
    passes: usize,
    wakers: Vec<Waker>,
}

impl Cluster {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            memory: Memory::new(1 << 30),
            logs: Mutex::default(),
            gate: Arc::default(),
        })
    }

    /// Nothing goes through until it is let through.
    pub(crate) fn hold(&self, late: bool) {
        let mut gate = self.gate.0.lock();
        (gate.held, gate.late) = (true, late);
    }

    /// Everything goes through again.
    pub(crate) fn release(&self) {
        self.gate.0.lock().held = false;
        self.let_through(0, usize::MAX);
        self.gate.0.lock().passes = 0;
    }

    /// Lets so many answers through, and of each channel and process so many deliveries.
    pub(crate) fn let_through(&self, answers: usize, deliveries: usize) {
        let wakers = {
            let mut gate = self.gate.0.lock();
            gate.passes = answers;
            std::mem::take(&mut gate.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
        let logs: Vec<_> = self.logs.lock().values().cloned().collect();
        for front in logs.iter().flat_map(|shared| shared.fronts()) {
            front.let_through(deliveries);
        }
    }

    /// What came so far of a channel is lost on its way to whoever has not heard it.
    pub(crate) fn lose(&self, channel: &ChannelName) {
        let shared = self.logs.lock().get(channel).cloned();
        for front in shared.iter().flat_map(|shared| shared.fronts()) {
            let last = front.late.lock().drain(..).next_back();
            let sink = front.sink.lock().as_ref().and_then(Weak::upgrade);
            if let (Some(last), Some(sink)) = (last, sink) {
                sink.lost(last.position);
                sink.wake();
            }
        }
    }
}

impl Engine for Far {
    fn durability(&self) -> Durability {
        Durability::Replicated
    }

    fn open(&self, channel: &ChannelName, keep: Keep) -> Arc<dyn Log> {
        let mut logs = self.0.logs.lock();
        let shared = logs.entry(channel.clone()).or_insert_with(|| {
            let shared = Arc::new(Shared {
                log: self.0.memory.open(channel, keep),
                fronts: Mutex::default(),
            });
            let sink: Weak<dyn Sink> = Arc::downgrade(&shared) as _;
            shared.log.follow(sink);
            shared
        });
        Arc::new(Front {
            shared: shared.clone(),
            gate: self.0.gate.clone(),
            sink: Mutex::default(),
            late: Mutex::default(),
        })
        .registered()
    }

    fn presence(&self) -> &dyn Presence {
        self.0.memory.presence()
    }

    fn sets(&self) -> &dyn Sets {
        self.0.memory.sets()
    }

    fn used(&self) -> usize {
        // What is kept is kept elsewhere.
        0
    }

    fn sweep(&self, now: Instant) {
        self.0.memory.sweep(now);
    }
}

impl Shared {
    fn fronts(&self) -> Vec<Arc<Front>> {
        let mut fronts = self.fronts.lock();
        fronts.retain(|front| front.strong_count() > 0);
        fronts.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Sink for Shared {
    fn is_ready(&self) -> bool {
        true
    }

    fn deliver(&self, next: &Placed) {
        for front in self.fronts() {
            front.late.lock().push_back(next.clone());
            if !front.gate.0.lock().held {
                front.let_through(usize::MAX);
            }
        }
    }

    fn lost(&self, _: Position) {}

    fn wake(&self) {}
}

impl Front {
    fn registered(self: Arc<Self>) -> Arc<Self> {
        self.shared.fronts.lock().push(Arc::downgrade(&self));
        self
    }

    fn let_through(&self, count: usize) {
        let sink = self.sink.lock().as_ref().and_then(Weak::upgrade);
        let mut late = self.late.lock();
        for _ in 0..count.min(late.len()) {
            if let (Some(next), Some(sink)) = (late.pop_front(), &sink) {
                sink.deliver(&next);
            }
        }
        drop(late);
        if let Some(sink) = sink {
            sink.wake();
        }
    }

    fn later<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Log) -> Reply<T> + Send + 'static,
    ) -> Reply<T> {
        let log = self.shared.log.clone();
        let ask = move || ask(&*log).now().unwrap();
        let (late, held) = {
            let gate = self.gate.0.lock();
            (gate.late, gate.held)
        };
        let answer: Box<dyn FnOnce() -> Result<T, _> + Send> = match held && late {
            true => Box::new(ask),
            false => {
                let answer = ask();
                Box::new(move || answer)
            }
        };
        Answer::later(Delayed {
            gate: self.gate.clone(),
            asked: false,
            answer: Some(answer),
        })
    }
}

impl Log for Front {
    fn follow(&self, sink: Weak<dyn Sink>) {
        let mut late = self.late.lock();
        late.clear();
        *self.sink.lock() = Some(sink);
    }

    fn append(&self, batch: &[Entry], now: Instant) -> Reply<Stands> {
        let batch = batch.to_vec();
        self.later(move |log| log.append(&batch, now))
    }

    fn read(&self, range: Range, limit: Limit, now: Instant) -> Reply<Page> {
        self.later(move |log| log.read(range, limit, now))
    }

    fn latest(&self, now: Instant) -> Reply<Snapshot> {
        self.later(move |log| log.latest(now))
    }

    fn keep(&self, keep: Keep, now: Instant) {
        self.shared.log.keep(keep, now);
    }

    fn holds(&self, _: Instant) -> bool {
        false
    }

    fn close(&self, _: Instant) -> bool {
        true
    }
}

/// An answer that is never there when it is asked for the first time.
struct Delayed<T> {
    gate: Arc<Gate>,
    asked: bool,
    answer: Option<Box<dyn FnOnce() -> T + Send>>,
}

impl<T> Future for Delayed<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let asked = std::mem::replace(&mut self.asked, true);
        let mut gate = self.gate.0.lock();
        if gate.held && gate.passes == 0 {
            gate.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        gate.passes = gate.passes.saturating_sub(1);
        drop(gate);
        if !asked {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.answer.take().expect("it is asked once")())
    }
}
