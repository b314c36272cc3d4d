//! `cargo xtask fuzz`: what no test thought of. Each target's corpus is kept in `fuzz/corpus` and replayed in the tests.

use std::{fs, io, path::Path, process::Command, time::Instant};

use crate::{
    marks,
    shell::{Failure, Result, program, root, run},
    tools,
};

const TARGETS: [&str; 10] = [
    "shard",
    "frames",
    "deflate",
    "negotiation",
    "request_head",
    "http2",
    "token",
    "credential",
    "rpc",
    "config",
];
const DOCS: &str = "docs/security/fuzzing.md";
const MARK: &str = "hours";
const USAGE: &str = "usage: cargo xtask fuzz [TARGET..] [--seconds N] [--keep]";

/// What was asked for.
struct Wish {
    targets: Vec<&'static str>,
    /// For each target.
    seconds: u32,
    /// What reaches further than the kept corpus is added to it.
    keep: bool,
}

/// Runs each target that was named, or all, for so many seconds, and adds what they ran to `docs/security/fuzzing.md`.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let wish = read(arguments)?;
    let fuzz = tools::cargo_fuzz()?;
    for target in &wish.targets {
        build(&fuzz, target)?;
        println!("\n== {target}: {} s ==", wish.seconds);
        let begun = Instant::now();
        explore(&fuzz, target, wish.seconds)?;
        let took = begun.elapsed().as_secs();
        if wish.keep {
            keep(&fuzz, target)?;
        }
        note(target, took)?;
        println!(
            "{target}: {took} s without a finding, {} inputs kept",
            count(&kept(target))?
        );
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

/// What building takes is no fuzzing.
fn build(fuzz: &Path, target: &str) -> Result<()> {
    run(cargo_fuzz(fuzz).args(["build", "--sanitizer", "none", target]))
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
fn keep(fuzz: &Path, target: &str) -> Result<()> {
    run(cargo_fuzz(fuzz)
        .args(["run", "--sanitizer", "none", target])
        .args([&kept(target), &found(target)])
        .args([
            "--",
            "-set_cover_merge=1",
            "-use_counters=0",
            "-max_len=4096",
        ]))
}

fn cargo_fuzz(fuzz: &Path) -> Command {
    let mut command = program(fuzz);
    command
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .current_dir(root());
    command
}

/// How many inputs are kept, of all targets.
pub(crate) fn kept_inputs() -> Result<usize> {
    TARGETS.iter().map(|target| count(&kept(target))).sum()
}

fn count(folder: &Path) -> Result<usize> {
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
    let entries = entries.map_err(|error| broken(folder, &error))?;
    Ok(entries.len())
}

/// Adds a run without a finding to the table; one with a finding does not come here.
fn note(target: &str, seconds: u64) -> Result<()> {
    let docs = root().join(DOCS);
    let text = fs::read_to_string(&docs).map_err(|error| broken(&docs, &error))?;
    let known = marks::between(&text, MARK).unwrap_or_default();
    let kept = |target: &str| count(&kept(target)).unwrap_or_default();
    marks::write(&docs, MARK, &table(known, target, seconds, kept))
}

/// The table `known` after one more run of `target`.
fn table(known: &str, target: &str, seconds: u64, kept: impl Fn(&str) -> usize) -> String {
    let mut out = String::from(
        "\n| target | runs | in all | longest | kept |\n| --- | --- | --- | --- | --- |\n",
    );
    for it in TARGETS {
        let begins = format!("| {it} |");
        let row = known.lines().find_map(|line| line.strip_prefix(&begins));
        let numbers: Vec<u64> = row
            .into_iter()
            .flat_map(|row| row.split('|'))
            .filter_map(|cell| cell.trim().trim_end_matches(" s").parse().ok())
            .collect();
        let (mut runs, mut all, mut longest) = match &*numbers {
            [runs, all, longest, ..] => (*runs, *all, *longest),
            _ => (0, 0, 0),
        };
        if it == target {
            (runs, all, longest) = (runs + 1, all + seconds, longest.max(seconds));
        }
        let kept = kept(it);
        out += &format!("| {it} | {runs} | {all} s | {longest} s | {kept} |\n");
    }
    out + "\n"
}

fn broken(path: &Path, error: &io::Error) -> Failure {
    Failure::Broken(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_run_is_added_to_what_its_target_has_run() {
        let first = table("", "frames", 60, |_| 7);
        assert!(
            first.contains("| frames | 1 | 60 s | 60 s | 7 |\n"),
            "{first}"
        );
        assert!(first.contains("| shard | 0 | 0 s | 0 s | 7 |\n"), "{first}");
        let second = table(&first, "frames", 20, |_| 9);
        assert!(
            second.contains("| frames | 2 | 80 s | 60 s | 9 |\n"),
            "{second}"
        );
        assert_eq!(
            table(&second, "shard", 5, |_| 9)
                .matches("| frames | 2 |")
                .count(),
            1
        );
    }
}
