//! The program that is released: one static file, which tells no path of the machine that built it.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::{
    assets,
    shell::{Failure, Result, cargo, find, output, program, root, run, target},
    tools,
};

/// A C library that can be linked statically. Others than x86-64 are not built.
pub(super) const TRIPLE: &str = "x86_64-unknown-linux-musl";

/// Builds `wardwire` below `into`, with the list of what it was made of inside (`cargo auditable`), and says where it is.
pub(super) fn build(into: &Path, epoch: &str) -> Result<PathBuf> {
    assets::build()?;
    standard_library()?;
    if find("x86_64-linux-musl-gcc").is_none() {
        tools::system("musl-gcc", &["musl-tools"])?;
    }
    let auditable = tools::installed("cargo-auditable")?;
    let paths = [
        (root(), "/wardwire"),
        (cargo_home(), "/cargo"),
        (into.to_owned(), "/target"),
    ];
    let told = |flag: &str| {
        let flags = paths
            .iter()
            .map(|(from, to)| format!("{flag}={}={to}", from.display()));
        flags.collect::<Vec<_>>().join(" ")
    };
    run(program(auditable)
        .args(["auditable", "build", "--release", "--locked"])
        .args(["--package", "wardwire", "--target", TRIPLE, "--target-dir"])
        .arg(into)
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .env("SOURCE_DATE_EPOCH", epoch)
        .env("RUSTFLAGS", told("--remap-path-prefix"))
        .env(
            "CFLAGS_x86_64_unknown_linux_musl",
            told("-ffile-prefix-map"),
        ))?;
    Ok(into.join(TRIPLE).join("release/wardwire"))
}

/// Where it is built if nothing else is said. Its own folder, so that its flags do not make other builds start over.
pub(super) fn folder() -> PathBuf {
    target().join("static")
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

fn standard_library() -> Result<()> {
    let mut rustc = program("rustc");
    rustc.args(["--print", "target-libdir", "--target", TRIPLE]);
    if Path::new(&output(&mut rustc)?).is_dir() {
        return Ok(());
    }
    if find("rustup").is_none() {
        return Err(Failure::Missing(format!(
            "Rust's standard library for {TRIPLE} is not installed"
        )));
    }
    run(program("rustup").args(["target", "add", TRIPLE]))
}

/// What must be true of the file, whoever built it: static and position-independent, no memory that is written and run,
/// stripped, and without a path of this machine.
pub(super) fn inspect(binary: &Path) -> Result<()> {
    tools::system("readelf", &["binutils"])?;
    let readelf = |what: &str| output(program("readelf").args(["--wide", what]).arg(binary));
    let (header, segments) = (readelf("--file-header")?, readelf("--segments")?);
    let (dynamic, sections) = (readelf("--dynamic")?, readelf("--sections")?);
    let has_line = |text: &str, words: &[&str]| {
        text.lines()
            .any(|line| words.iter().all(|word| line.contains(word)))
    };
    let demands = [
        (
            "is position-independent",
            has_line(&header, &["Type:", "DYN"]),
        ),
        ("needs no loader", !has_line(&segments, &["INTERP"])),
        ("needs no library", !has_line(&dynamic, &["(NEEDED)"])),
        (
            "has a stack that is not run",
            has_line(&segments, &["GNU_STACK", " RW "]),
        ),
        (
            "has no segment that is written and run",
            !has_line(&segments, &["LOAD", " RWE "]),
        ),
        (
            "seals its relocations at the start",
            has_line(&segments, &["GNU_RELRO"]) && has_line(&dynamic, &["FLAGS", "NOW"]),
        ),
        ("is stripped", !has_line(&sections, &[".symtab"])),
        (
            "says what it was made of",
            has_line(&sections, &[".dep-v0"]),
        ),
    ];
    let bytes = std::fs::read(binary)?;
    let tells = |path: &Path| {
        let path = path.as_os_str().as_encoded_bytes();
        bytes.windows(path.len()).any(|it| it == path)
    };
    let mut broken: Vec<_> = demands
        .iter()
        .filter(|(_, holds)| !holds)
        .map(|(demand, _)| format!("not true: it {demand}"))
        .collect();
    for path in [root(), cargo_home()] {
        if tells(&path) {
            broken.push(format!("it tells the path {}", path.display()));
        }
    }
    match &*broken {
        [] => {
            for (demand, _) in demands {
                println!("it {demand}");
            }
            println!("it tells no path of this machine");
            Ok(())
        }
        _ => Err(Failure::Broken(format!(
            "{}:\n  {}",
            binary.display(),
            broken.join("\n  ")
        ))),
    }
}

/// Name and version of all that is in it.
pub(super) fn ingredients() -> Result<Vec<(String, String)>> {
    let mut tree = cargo();
    tree.args([
        "tree",
        "--locked",
        "--package",
        "wardwire",
        "--target",
        TRIPLE,
    ])
    .args(["--edges", "normal,no-proc-macro"])
    .args(["--prefix", "none", "--no-dedupe"])
    .args(["--format", "{p}"]);
    let mut found: Vec<(String, String)> = output(&mut tree)?
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, version) = (words.next()?, words.next()?);
            Some((name.to_owned(), version.trim_start_matches('v').to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test is itself such a program: linked to libraries, with its symbols, and full of paths.
    #[test]
    fn a_program_that_needs_a_loader_is_not_released() {
        let refused = inspect(&env::current_exe().unwrap())
            .unwrap_err()
            .to_string();
        for broken in [
            "it needs no loader",
            "it needs no library",
            "it is stripped",
            "it says what it was made of",
            "it tells the path",
        ] {
            assert!(refused.contains(broken), "{broken}: {refused}");
        }
    }
}
