//! What a server costs, and what it may cost.

use std::{fs, path::PathBuf, thread, time::Duration};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::Server;

/// The unit of `/proc/PID/stat`, the same on all of Linux's common machines.
const TICK: Duration = Duration::from_millis(10);

impl Server {
    /// The processor time of all its threads so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field is a name in brackets, which may hold spaces.
        let (_, rest) = stat.rsplit_once(") ").unwrap();
        let ticks = rest.split(' ').skip(11).take(2);
        let ticks: u32 = ticks.map(|field| field.parse::<u32>().unwrap()).sum();
        TICK * ticks
    }

    /// Watches for a second and demands that nothing spins: a thread that did would use all of it.
    pub(crate) fn assert_rests(&self) {
        let before = self.cpu();
        thread::sleep(Duration::from_secs(1));
        let used = self.cpu() - before;
        assert!(used < Duration::from_millis(250), "{used:?} in a second");
    }

    /// Lets the server open no descriptor beyond this number, or as many as it likes.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(Some(Pid::from_child(&self.child)), Resource::Nofile, limit).unwrap();
    }

    /// How many descriptors the server has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(self.proc("fd")).unwrap().count()
    }

    /// What the kernel tells of the server.
    pub(crate) fn proc(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.child.id()).into()
    }
}
