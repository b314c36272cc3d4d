//! One core for each side, so that neither takes the other's time.

use std::{os::unix::process::CommandExt as _, process::Command};

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Failure;

/// Binds this thread, and all it will start, to a core.
pub(crate) fn pin(core: usize) -> Result<(), Failure> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|error| format!("core {core} cannot be had: {error}; two are needed").into())
}

/// `wardwire-load pinned CORE PROGRAM [ARGUMENTS]`: becomes the program, on that core. Bound before it begins, it cannot
/// count more cores than it has.
pub(crate) fn become_pinned(arguments: &[String]) -> Result<(), Failure> {
    let [core, program, rest @ ..] = arguments else {
        return Err("usage: wardwire-load pinned CORE PROGRAM [ARGUMENTS]".into());
    };
    pin(core.parse()?)?;
    Err(Command::new(program).args(rest).exec().into())
}
