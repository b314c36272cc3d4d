//! What a process and those that it started use: `/proc`, so that no server has to tell.

use std::{collections::HashMap, fs};

use crate::Failure;

/// Processor time at one moment.
pub(crate) struct Usage {
    /// utime and stime of all processes, with threads that have ended, in hundredths of a second.
    ticks: u64,
    /// By thread; only of threads that live.
    threads: HashMap<u32, Clock>,
}

/// Nanoseconds, as `schedstat` tells them.
#[derive(Clone, Copy, Default)]
struct Clock {
    on_core: u64,
    /// Ready to run, while the core was somebody else's.
    waiting: u64,
}

/// What was used in between.
#[derive(Clone, Copy)]
pub(crate) struct Used {
    /// Seconds on a core.
    pub(crate) on_core: f64,
    /// Seconds in which other programs had the core that this one wanted.
    pub(crate) waiting: f64,
}

/// USER_HZ, which is 100 on every Linux.
const TICKS: f64 = 100.0;

impl Usage {
    pub(crate) fn of(process: u32) -> Result<Self, Failure> {
        let mut usage = Self {
            ticks: 0,
            threads: HashMap::new(),
        };
        for process in tree(process) {
            usage.ticks += ticks(process).ok_or("the server has ended")?;
            for thread in numbers(&format!("/proc/{process}/task")) {
                let clock = clock(process, thread);
                usage.threads.extend(clock.map(|clock| (thread, clock)));
            }
        }
        Ok(usage)
    }

    /// What was used since `earlier`. The threads' own clocks are exact and the ticks are complete: where a thread has
    /// ended in between, the ticks tell more.
    pub(crate) fn since(&self, earlier: &Self) -> Used {
        let sum = |time: fn(&Clock) -> u64| {
            let spans = self.threads.iter().map(|(thread, clock)| {
                let before = earlier.threads.get(thread).map_or(0, time);
                time(clock).saturating_sub(before)
            });
            spans.sum::<u64>() as f64 / 1e9
        };
        let complete = self.ticks.saturating_sub(earlier.ticks + 2) as f64 / TICKS;
        Used {
            on_core: sum(|clock| clock.on_core).max(complete),
            waiting: sum(|clock| clock.waiting),
        }
    }
}

fn clock(process: u32, thread: u32) -> Option<Clock> {
    let told = fs::read_to_string(format!("/proc/{process}/task/{thread}/schedstat")).ok()?;
    let mut times = told.split(' ');
    Some(Clock {
        on_core: times.next()?.parse().ok()?,
        waiting: times.next()?.parse().ok()?,
    })
}

/// utime and stime.
fn ticks(process: u32) -> Option<u64> {
    let fields = fields(process)?;
    let mut times = fields.split(' ').skip(11);
    let user: u64 = times.next()?.parse().ok()?;
    let system: u64 = times.next()?.parse().ok()?;
    Some(user + system)
}

/// A process and all below it, parents first.
pub(crate) fn tree(process: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = numbers("/proc")
        .into_iter()
        .filter_map(|process| Some((process, parent(process)?)))
        .collect();
    let mut found = vec![process];
    let mut next = 0;
    while let Some(above) = found.get(next).copied() {
        next += 1;
        let below = parents.iter().filter(|(_, parent)| *parent == above);
        found.extend(below.map(|(process, _)| *process));
    }
    found
}

fn parent(process: u32) -> Option<u32> {
    fields(process)?.split(' ').nth(1)?.parse().ok()
}

/// `/proc/PID/stat` behind the name, which may hold spaces and brackets (proc(5)).
fn fields(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
}

fn numbers(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Anonymous memory of a process and all below it, in bytes. One that has ended and waits for its parent has none.
pub(crate) fn memory(process: u32) -> Result<u64, Failure> {
    let mut sum = 0;
    for one in tree(process) {
        let rollup = match fs::read_to_string(format!("/proc/{one}/smaps_rollup")) {
            Err(_) if one != process => continue,
            rollup => rollup?,
        };
        let line = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Anonymous:"));
        let kib: u64 = line
            .ok_or("no Anonymous line in smaps_rollup")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        sum += kib * 1024;
    }
    Ok(sum)
}
