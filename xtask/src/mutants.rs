//! `cargo xtask mutants`: breaks one line at a time and asks whether a test notices. Which mutants are no different from
//! what was written is in `.cargo/mutants.toml`.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

use crate::{
    marks,
    shell::{Failure, Result, output, program, root, target},
    tools,
};

const USAGE: &str = "usage: cargo xtask mutants [FILE..]";
const DOCS: &str = "docs/security/mutants.md";
const MARK: &str = "mutants";

/// What stands between a stranger and a socket, and the modules whose tests are to notice.
const FILES: [(&str, &[&str]); 8] = [
    ("crates/admission/src/head.rs", &["head::"]),
    ("crates/admission/src/host.rs", &["host::", "origin::"]),
    ("crates/admission/src/origin.rs", &["origin::"]),
    ("crates/admission/src/ticket.rs", &["ticket::"]),
    ("crates/admission/src/token/", &["token::"]),
    (
        "crates/protocol/src/connection/receive.rs",
        &["connection::"],
    ),
    ("crates/protocol/src/frame.rs", &["frame::", "connection::"]),
    ("crates/protocol/src/handshake.rs", &["handshake::"]),
];

/// What became of the mutants of one file.
#[derive(Default)]
struct Row {
    caught: u32,
    /// The tests did not come to an end, which is noticed too.
    timeout: u32,
    /// What does not compile is no mutant.
    unviable: u32,
    missed: u32,
    seconds: f64,
}

/// Asks about the files that were named, or all, and writes what it came to into the documentation after each. One mutant
/// that no test notices is a failure.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let wanted = wanted(arguments)?;
    let tool = tools::installed("cargo-mutants")?;
    tools::nextest()?;
    let version = output(program(&tool).args(["mutants", "--version"]))?;
    let mut missed = Vec::new();
    for (files, tests) in wanted {
        let (rows, more) = count(&ask(&tool, &files, tests)?);
        write(&rows, &version)?;
        missed.extend(more);
    }
    match &*missed {
        [] => Ok(()),
        names => Err(Failure::Broken(format!(
            "no test notices:\n  {}",
            names.join("\n  ")
        ))),
    }
}

type Wanted = Vec<(String, &'static [&'static str])>;

/// A folder stands for all that is in it, and what is in it has its tests.
fn wanted(arguments: &[String]) -> Result<Wanted> {
    let all = |name: &str| match name.ends_with('/') {
        true => format!("{name}**/*.rs"),
        false => name.to_owned(),
    };
    if arguments.is_empty() {
        return Ok(FILES
            .iter()
            .map(|(name, tests)| (all(name), *tests))
            .collect());
    }
    let known = |argument: &String| {
        let of_it = FILES.iter().find(|(name, _)| {
            argument == name || (name.ends_with('/') && argument.starts_with(name))
        });
        let (_, tests) = of_it.ok_or_else(|| {
            let names = FILES.map(|(name, _)| name).join("\n  ");
            Failure::Broken(format!("{USAGE}\nof:\n  {names}"))
        })?;
        Ok((all(argument), *tests))
    };
    arguments.iter().map(known).collect()
}

/// Runs cargo-mutants, and gives what it says of each mutant.
fn ask(tool: &Path, files: &str, tests: &[&str]) -> Result<Value> {
    let folder = target().join("mutants");
    fs::create_dir_all(&folder)?;
    let package = match files.starts_with("crates/protocol/") {
        true => "wardwire-protocol",
        false => "wardwire-admission",
    };
    let mut mutants = program("nice");
    mutants.arg("-n19").arg(tool).arg("mutants");
    mutants.args(["--package", package, "--file", files]);
    mutants.args(["--jobs", "1", "--no-shuffle", "--colors", "never"]);
    mutants.args(["--test-tool", "nextest", "--output"]);
    mutants.arg(&folder);
    mutants.env("NEXTEST_PROFILE", "mutants");
    // That a property fails is enough; the least input that breaks it nobody will read.
    mutants.env("PROPTEST_MAX_SHRINK_ITERS", "0");
    // Nobody reads their backtraces, and without lines they are built sooner.
    mutants.env("CARGO_PROFILE_DEV_DEBUG", "0");
    // Every run copies the sources to another place; what they depend on stays built.
    mutants.env("CARGO_TARGET_DIR", folder.join("build"));
    // 2: some were missed; 3: some did not end. Both are told by the outcomes, which say of which.
    let status = mutants.arg("--").args(tests).status()?;
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        return Err(Failure::Broken(format!("cargo mutants failed ({status})")));
    }
    read(&folder.join("mutants.out/outcomes.json"))
}

fn read(file: &Path) -> Result<Value> {
    let explain = |error: String| Failure::Broken(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| explain(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| explain(error.to_string()))
}

/// A row for each file, and the mutants that were missed.
fn count(outcomes: &Value) -> (BTreeMap<String, Row>, Vec<String>) {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut missed = Vec::new();
    let list = outcomes.get("outcomes").and_then(Value::as_array);
    for outcome in list.into_iter().flatten() {
        let text = |path: &str| outcome.pointer(path).and_then(Value::as_str);
        // The baseline has no file.
        let Some(file) = text("/scenario/Mutant/file") else {
            continue;
        };
        let row = rows.entry(file.to_owned()).or_default();
        match text("/summary") {
            Some("CaughtMutant") => row.caught += 1,
            Some("Timeout") => row.timeout += 1,
            Some("Unviable") => row.unviable += 1,
            // Whatever else it says, nothing has noticed the mutant.
            _ => {
                row.missed += 1;
                missed.extend(text("/scenario/Mutant/name").map(str::to_owned));
            }
        }
        let phases = outcome.get("phase_results").and_then(Value::as_array);
        let times = phases.into_iter().flatten();
        row.seconds += times
            .filter_map(|it| it.get("duration")?.as_f64())
            .sum::<f64>();
    }
    (rows, missed)
}

/// Rows of files that were not asked about stay as they are.
fn write(rows: &BTreeMap<String, Row>, version: &str) -> Result<()> {
    let docs = root().join(DOCS);
    let text = fs::read_to_string(&docs)?;
    let known = marks::between(&text, MARK).unwrap_or_default();
    marks::write(&docs, MARK, &table(known, rows, version))
}

fn table(known: &str, rows: &BTreeMap<String, Row>, version: &str) -> String {
    let mut lines: BTreeMap<String, String> = BTreeMap::new();
    for line in known.lines() {
        let file = line.strip_prefix("| `").and_then(|it| it.split_once('`'));
        if let Some((file, _)) = file {
            lines.insert(file.to_owned(), line.to_owned());
        }
    }
    for (file, row) in rows {
        lines.insert(file.clone(), line(file, row, version));
    }
    let mut out = String::from(
        "| file | mutants | caught | ended by time | do not compile | missed | took | by |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for line in lines.values() {
        out.push_str(line);
        out.push('\n');
    }
    let column = |at: usize| -> u32 {
        let cells = lines.values().filter_map(|line| line.split('|').nth(at));
        cells.filter_map(|it| it.trim().parse::<u32>().ok()).sum()
    };
    let sums: Vec<_> = (2..=6).map(|at| column(at).to_string()).collect();
    out + &format!("| all | {} | | |\n", sums.join(" | "))
}

fn line(file: &str, row: &Row, version: &str) -> String {
    let Row {
        caught,
        timeout,
        unviable,
        missed,
        seconds,
    } = row;
    let all = caught + timeout + unviable + missed;
    let minutes = (seconds / 60.0).ceil();
    format!(
        "| `{file}` | {all} | {caught} | {timeout} | {unviable} | {missed} | {minutes} min | {version} |"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome(file: &str, summary: &str) -> Value {
        json!({
            "scenario": { "Mutant": { "file": file, "name": format!("{file}: {summary}") } },
            "summary": summary,
            "phase_results": [{ "duration": 30.0 }, { "duration": 15.5 }],
        })
    }

    #[test]
    fn whatever_is_not_known_to_be_noticed_counts_as_missed() {
        let outcomes = json!({ "outcomes": [
            { "scenario": "Baseline", "summary": "Success", "phase_results": [] },
            outcome("a.rs", "CaughtMutant"),
            outcome("a.rs", "Timeout"),
            outcome("a.rs", "Unviable"),
            outcome("a.rs", "MissedMutant"),
            outcome("b.rs", "Failure"),
        ] });
        let (rows, missed) = count(&outcomes);
        assert_eq!(missed, ["a.rs: MissedMutant", "b.rs: Failure"]);
        let made = table("", &rows, "m 1");
        assert!(
            made.contains("| `a.rs` | 4 | 1 | 1 | 1 | 1 | 4 min | m 1 |\n"),
            "{made}"
        );
        assert!(
            made.ends_with("| all | 5 | 1 | 1 | 1 | 2 | | |\n"),
            "{made}"
        );
    }

    #[test]
    fn a_file_is_asked_about_by_the_tests_of_its_part() {
        let one = |name: &str| wanted(&[name.to_owned()]);
        let (files, tests) = one("crates/admission/src/token/jws.rs").unwrap().remove(0);
        assert_eq!(
            (&*files, tests),
            ("crates/admission/src/token/jws.rs", &["token::"][..])
        );
        let (files, _) = one("crates/admission/src/token/").unwrap().remove(0);
        assert_eq!(files, "crates/admission/src/token/**/*.rs");
        assert!(one("crates/admission/src/lease.rs").is_err());
        assert_eq!(wanted(&[]).unwrap().len(), FILES.len());
    }

    #[test]
    fn files_that_were_not_asked_about_keep_their_row() {
        let old = "| `a.rs` | 4 | 4 | 0 | 0 | 0 | 9 min | m 0 |\n| all | 4 | 4 | 0 | 0 | 0 | | |\n";
        let (rows, _) = count(&json!({ "outcomes": [outcome("b.rs", "CaughtMutant")] }));
        let made = table(old, &rows, "m 1");
        assert!(
            made.contains("| `a.rs` | 4 | 4 | 0 | 0 | 0 | 9 min | m 0 |\n"),
            "{made}"
        );
        assert!(made.contains("| all | 5 | 5 | 0 | 0 | 0 | | |\n"), "{made}");
    }
}
