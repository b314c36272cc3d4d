//! `cargo xtask fuzz`: what no test thought of. Each target's corpus is kept in `fuzz/corpus` and replayed in the tests.

use crate::{
    shell::{Failure, Result, program, root, run},
    tools,
};

const TARGETS: [&str; 1] = ["shard"];
const USAGE: &str = "usage: cargo xtask fuzz [TARGET..] [--seconds N]";

/// Runs each target that was named, or all, for so many seconds.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let usage = || Failure::Broken(USAGE.into());
    let (mut targets, mut seconds) = (Vec::new(), 60_u32);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = rest.next().and_then(|it| it.parse().ok());
                seconds = number.ok_or_else(usage)?;
            }
            name => targets.push(*TARGETS.iter().find(|it| **it == name).ok_or_else(usage)?),
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    let fuzz = tools::cargo_fuzz()?;
    for target in targets {
        println!("\n== {target}: {seconds} s ==");
        // There is no unsafe code to sanitise, and a script of 4 KiB is long enough for any bug that a longer one has.
        run(program(&fuzz)
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .args(["run", "--sanitizer", "none", target, "--"])
            .args([format!("-max_total_time={seconds}"), "-max_len=4096".into()])
            .current_dir(root()))?;
    }
    Ok(())
}
