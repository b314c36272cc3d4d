//! `cargo xtask fuzz`: what no test thought of. Each target's corpus is kept in `fuzz/corpus` and replayed in the tests.

use std::{fs, io, path::Path, process::Command, time::Instant};

use crate::{
    shell::{Failure, Result, program, root, run},
    tools,
};

const TARGETS: [&str; 8] = [
    "shard",
    "frames",
    "negotiation",
    "request_head",
    "token",
    "credential",
    "rpc",
    "config",
];
const USAGE: &str = "usage: cargo xtask fuzz [TARGET..] [--seconds N] [--keep]";

/// What was asked for.
struct Wish {
    targets: Vec<&'static str>,
    /// For each target.
    seconds: u32,
    /// What reaches further than the kept corpus is added to it.
    keep: bool,
}

/// Runs each target that was named, or all, for so many seconds, and prints what `docs/security/fuzzing.md` notes of it.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let wish = read(arguments)?;
    let fuzz = tools::cargo_fuzz()?;
    let mut rows = Vec::new();
    for target in &wish.targets {
        println!("\n== {target}: {} s ==", wish.seconds);
        let begun = Instant::now();
        explore(&fuzz, target, wish.seconds)?;
        let took = begun.elapsed().as_secs();
        let found = if wish.keep {
            keep(&fuzz, target)?
        } else {
            count(&found(target))?
        };
        let keep = if wish.keep { " --keep" } else { "" };
        let by = format!("cargo xtask fuzz {target} --seconds {}{keep}", wish.seconds);
        rows.push(format!("| {target} | {took} s | {found} | none | `{by}` |"));
    }
    println!("\nFor the table in docs/security/fuzzing.md:\n");
    for row in rows {
        println!("{row}");
    }
    Ok(())
}

fn read(arguments: &[String]) -> Result<Wish> {
    let usage = || Failure::Broken(USAGE.into());
    let mut wish = Wish {
        targets: Vec::new(),
        seconds: 60,
        keep: false,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--seconds" => {
                let number = rest.next().and_then(|it| it.parse().ok());
                wish.seconds = number.ok_or_else(usage)?;
            }
            "--keep" => wish.keep = true,
            name => wish
                .targets
                .push(*TARGETS.iter().find(|it| **it == name).ok_or_else(usage)?),
        }
    }
    if wish.targets.is_empty() {
        wish.targets.extend(TARGETS);
    }
    Ok(wish)
}

/// What is found goes into a corpus of this clone's own, so that a run leaves nothing behind among the files that are kept.
fn found(target: &str) -> std::path::PathBuf {
    root().join("fuzz/target/corpus").join(target)
}

fn kept(target: &str) -> std::path::PathBuf {
    root().join("fuzz/corpus").join(target)
}

fn explore(fuzz: &Path, target: &str, seconds: u32) -> Result<()> {
    let found = found(target);
    fs::create_dir_all(&found).map_err(|error| broken(&found, &error))?;
    // There is no unsafe code to sanitise, and an input of 4 KiB is long enough for any bug that a longer one has.
    run(cargo_fuzz(fuzz)
        .args(["run", "--sanitizer", "none", target])
        .args([&found, &kept(target)])
        .args(["--", &format!("-max_total_time={seconds}")])
        .arg("-max_len=4096"))
}

/// Adds to the kept corpus the fewest of the inputs found that together reach all that it does not. How often a line is
/// reached does not count, which keeps hundreds of files where there would be thousands.
fn keep(fuzz: &Path, target: &str) -> Result<usize> {
    run(cargo_fuzz(fuzz)
        .args(["run", "--sanitizer", "none", target])
        .args([&kept(target), &found(target)])
        .args([
            "--",
            "-set_cover_merge=1",
            "-use_counters=0",
            "-max_len=4096",
        ]))?;
    count(&kept(target))
}

fn cargo_fuzz(fuzz: &Path) -> Command {
    let mut command = program(fuzz);
    command
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .current_dir(root());
    command
}

fn count(folder: &Path) -> Result<usize> {
    files(folder).map(|files| files.len())
}

fn files(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    entries.map_err(|error| broken(folder, &error))
}

fn broken(path: &Path, error: &io::Error) -> Failure {
    Failure::Broken(format!("{}: {error}", path.display()))
}
