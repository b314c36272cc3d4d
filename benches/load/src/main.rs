//! Loads servers and measures them. `cargo xtask bench` builds everything and runs this; docs/benchmarks.md explains it.
//!
//! [`works`] are what is measured, [`rounds`] compares contestants, [`server`] starts them on a core of their own,
//! [`client`] is the load, in one thread on another core, and [`report`] shows what it came to. [`soak`] measures nothing:
//! it demands that reloads drop nothing.

mod arguments;
mod catalogue;
mod client;
mod dialect;
mod report;
mod rounds;
mod server;
mod soak;
mod statistics;
mod works;

use std::process::ExitCode;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "pinned" => server::become_pinned(rest),
        Some((first, rest)) if first == "soak" => soak::command(rest),
        _ => run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let plan = arguments::Plan::read(arguments)?;
    for rival in &plan.missing {
        eprintln!("{rival} is missing: it was not prepared");
    }
    let machine = report::Machine::here();
    raise_descriptor_limit();
    server::pin(server::LOAD_CORE)?;
    let mut all = Vec::new();
    for work in &plan.works {
        let results = rounds::run(
            &**work,
            &plan.contestants,
            plan.rounds,
            plan.spans,
            &plan.scratch,
        )?;
        report::table::print(&results);
        all.push(results);
        // After each, so that a run that is cut short leaves what it has.
        if let Some(folder) = &plan.out {
            report::write_json(&plan, &machine, &all, folder)?;
        }
    }
    let _ = std::fs::remove_dir_all(&plan.scratch);
    if let Some(folder) = &plan.docs {
        report::write_docs(&plan, &machine, &all, folder)?;
    }
    match all.iter().any(|results| results.ours_failed()) {
        true => Err("Wardwire failed in a round".into()),
        false => Ok(()),
    }
}

/// Every socket is a descriptor.
pub(crate) fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        eprintln!("the limit on open files stays where it is: {error}");
    }
}
