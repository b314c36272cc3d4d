use parking_lot::Mutex;

use super::{
    broken::{Broken, Fault, Place},
    far::{Cluster, Far},
    *,
};
use crate::engine::memory::Memory;

/// Engines that are made like this, which are told the time.
struct Made<F> {
    make: F,
    now: Mutex<Instant>,
}

impl<F> Made<F> {
    fn by(make: F) -> Self {
        let now = Mutex::new(Instant::now());
        Self { make, now }
    }
}

impl<F: Fn() -> Arc<dyn Engine> + Sync> Subject for Made<F> {
    fn engine(&self) -> Arc<dyn Engine> {
        (self.make)()
    }

    fn beside(&self, _: &Arc<dyn Engine>) -> Option<Arc<dyn Engine>> {
        None
    }

    fn now(&self) -> Instant {
        *self.now.lock()
    }

    fn pass(&self, time: Duration) {
        *self.now.lock() += time;
    }
}

/// Several processes' engines of one cluster.
struct Processes(Mutex<Arc<Cluster>>, Mutex<Instant>);

impl Subject for Processes {
    fn engine(&self) -> Arc<dyn Engine> {
        let mut cluster = self.0.lock();
        *cluster = Cluster::new();
        Arc::new(Far(cluster.clone()))
    }

    fn beside(&self, _: &Arc<dyn Engine>) -> Option<Arc<dyn Engine>> {
        Some(Arc::new(Far(self.0.lock().clone())))
    }

    fn now(&self) -> Instant {
        *self.1.lock()
    }

    fn pass(&self, time: Duration) {
        *self.1.lock() += time;
    }
}

#[test]
fn memory_keeps_what_every_engine_owes() {
    let memory = Made::by(|| Arc::new(Memory::new(1 << 28)) as Arc<dyn Engine>);
    assert_eq!(breaches(&memory), []);
}

#[test]
fn an_engine_of_several_processes_that_takes_its_time_can_keep_it_too() {
    let processes = Processes(Mutex::new(Cluster::new()), Mutex::new(Instant::now()));
    assert_eq!(breaches(&processes), []);
}

/// What the suite says of an engine with one fault.
fn noticed(fault: Fault, place: Place) -> Vec<&'static str> {
    let broken = Made::by(move || {
        let memory = Memory::new(1 << 28);
        Arc::new(Broken {
            memory,
            fault,
            place,
        }) as Arc<dyn Engine>
    });
    let breaches = breaches(&broken);
    breaches.into_iter().map(|breach| breach.owed).collect()
}

const HEARS: &str = "a follower hears everything once and in order";
const STANDS: &str = "what many append at once stands once each, each publisher's own in order";
const CALLS: &str = "appends stand in the order of their calls, whenever they are answered";
const LATEST: &str = "the latest of each key, in the order of publication";
const READS: &str = "pages forward make up the whole, and say when there is more";

#[test]
fn an_engine_that_loses_one_is_noticed() {
    assert!(noticed(Fault::Loses, Place::Kept).contains(&STANDS));
    assert!(noticed(Fault::Loses, Place::Delivered).contains(&HEARS));
    assert!(noticed(Fault::Loses, Place::Read).contains(&READS));
}

#[test]
fn an_engine_that_breaks_the_latest_of_its_keys_is_noticed() {
    for fault in [Fault::Loses, Fault::Doubles, Fault::Reorders] {
        assert!(noticed(fault, Place::Latest).contains(&LATEST), "{fault:?}");
    }
}

#[test]
fn an_engine_that_doubles_one_is_noticed() {
    assert!(noticed(Fault::Doubles, Place::Kept).contains(&STANDS));
    assert!(noticed(Fault::Doubles, Place::Delivered).contains(&HEARS));
    assert!(noticed(Fault::Doubles, Place::Read).contains(&READS));
}

#[test]
fn an_engine_that_reorders_two_is_noticed() {
    assert!(noticed(Fault::Reorders, Place::Kept).contains(&CALLS));
    assert!(noticed(Fault::Reorders, Place::Delivered).contains(&HEARS));
    assert!(noticed(Fault::Reorders, Place::Read).contains(&READS));
}
