//! `cargo xtask figures LOG`: what a run of `.ci/run` came to, written into `docs/testing.md`: how many tests of which kind
//! passed, and how long each stage took. Whatever was counted was run; a log of a run that failed is not taken.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use crate::{
    fuzz, marks,
    shell::{Failure, Result, root},
};

const USAGE: &str = "usage: .ci/run 2>&1 | tee LOG; cargo xtask figures LOG";
const DOCS: &str = "docs/testing.md";

/// Reads the log and writes both tables.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let [log] = arguments else {
        return Err(Failure::Broken(USAGE.into()));
    };
    let explain = |error| Failure::Broken(format!("{log}: {error}"));
    let bytes = fs::read(Path::new(log)).map_err(explain)?;
    let log = String::from_utf8_lossy(&bytes);
    let run = Run::read(&log).map_err(Failure::Broken)?;
    let docs = root().join(DOCS);
    marks::write(&docs, "kinds", &run.kinds(fuzz::kept_inputs()?))?;
    marks::write(&docs, "stages", &run.stages())
}

/// One run of `.ci/run`.
#[derive(Default)]
struct Run {
    /// Stages, and those of `cargo xtask test` below theirs, with the seconds that they took.
    stages: Vec<(String, u64)>,
    all: u64,
    /// How many passed, by kind.
    passed: BTreeMap<Kind, u64>,
}

/// Kinds, in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Unit,
    Attack,
    Operation,
    Document,
    Replayed,
    Example,
    Interleaving,
    TypeScript,
    Balancers,
    Conformance,
    Clients,
    Tls,
    Browser,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Unit,
        Self::Attack,
        Self::Operation,
        Self::Document,
        Self::Replayed,
        Self::Example,
        Self::Interleaving,
        Self::TypeScript,
        Self::Balancers,
        Self::Conformance,
        Self::Clients,
        Self::Tls,
        Self::Browser,
    ];

    /// What a test of Rust is, by its binary and name.
    fn of_rust(binary: &str, name: &str) -> Self {
        match binary {
            "wardwire::blackbox" if name.starts_with("attacks::") => Self::Attack,
            "wardwire::blackbox" => Self::Operation,
            "wardwire::documents" => Self::Document,
            "wardwire-properties::corpora" => Self::Replayed,
            _ => Self::Unit,
        }
    }

    /// What is counted by the closing lines of a stage.
    fn of_stage(title: &str) -> Option<Self> {
        Some(match title {
            "Examples in the documentation" => Self::Example,
            "Interleavings of threads (loom)" => Self::Interleaving,
            "TypeScript tests" => Self::TypeScript,
            "Behind HAProxy and nginx" => Self::Balancers,
            "Conformance (Autobahn|Testsuite)" => Self::Conformance,
            "Foreign clients" => Self::Clients,
            "TLS" => Self::Tls,
            "Browser" => Self::Browser,
            _ => return None,
        })
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unit => (
                "units and properties",
                "beside the code, in `crates/*` and `xtask`",
            ),
            Self::Attack => ("attacks over real sockets", "`tests/attacks`"),
            Self::Operation => (
                "channels, configuration, network and operation over real sockets",
                "`tests`",
            ),
            Self::Document => ("documents that say what is so", "`crates/server/tests`"),
            Self::Replayed => ("properties over the fuzzers' corpora", "`tests/properties`"),
            Self::Example => ("examples in the documentation", "`crates/*`"),
            Self::Interleaving => (
                "interleavings of threads",
                "modules named so, in `crates/admission` and `crates/hub`",
            ),
            Self::TypeScript => ("client and demo page", "`packages/*/test`"),
            Self::Balancers => (
                "behind HAProxy and nginx, attacks once more among them",
                "`tests/network/balancers.rs`, `tests/attacks`",
            ),
            Self::Conformance => ("cases of Autobahn\\|Testsuite", "`tests/conformance`"),
            Self::Clients => ("other people's clients", "`tests/clients`"),
            Self::Tls => ("TLS, beside sslyze", "`tests/tls`"),
            Self::Browser => ("in a real browser", "`tests/browser`"),
        }
    }
}

impl Run {
    fn read(log: &str) -> std::result::Result<Self, String> {
        let mut run = Self::default();
        let mut stage = None;
        for line in log.lines() {
            if let Some(title) = line
                .strip_prefix("== ")
                .and_then(|it| it.strip_suffix(" =="))
            {
                stage = Kind::of_stage(title);
            }
            run.time(line);
            if let Some((kind, number)) = of_rust(line, stage).or_else(|| counted(stage?, line)) {
                *run.passed.entry(kind).or_default() += number;
            }
        }
        match Kind::ALL.iter().find(|kind| !run.passed.contains_key(kind)) {
            _ if run.all == 0 => Err("the log does not end with `All of it passed`".into()),
            Some(kind) => Err(format!("the log tells nothing of {}", kind.words().0)),
            None => Ok(run),
        }
    }

    fn time(&mut self, line: &str) {
        let seconds = |it: &str| it.split(' ').next()?.parse().ok();
        let outer = line
            .strip_prefix("=== ")
            .and_then(|it| it.split_once(": passed ("));
        let inner = line
            .strip_prefix("-- ")
            .and_then(|it| it.split_once(": passed ("));
        if let Some((title, took)) = outer {
            let took = seconds(took).unwrap_or_default();
            self.stages.push((format!("**{title}**"), took));
        } else if let Some((title, took)) = inner {
            let took = seconds(took).unwrap_or_default();
            self.stages.push((title.to_owned(), took));
        } else if let Some(all) = line.strip_prefix("All of it passed after ") {
            self.all = seconds(all).unwrap_or_default();
        }
    }

    fn kinds(&self, kept: usize) -> String {
        let mut out = String::from("\n| kind | where | passed |\n| --- | --- | --- |\n");
        for kind in Kind::ALL {
            let (what, place) = kind.words();
            let passed = self.passed.get(&kind).copied().unwrap_or_default();
            let _ = writeln!(out, "| {what} | {place} | {passed} |");
        }
        let all: u64 = self.passed.values().sum();
        let _ = write!(
            out,
            "| all | | {all} |\n\nA property counts as one, though it is asked about hundreds of inputs; the corpora hold {kept}.\n\n"
        );
        out
    }

    fn stages(&self) -> String {
        let mut out = String::from("\n| stage of `.ci/run` | took |\n| --- | --- |\n");
        for (title, took) in &self.stages {
            let _ = writeln!(out, "| {} | {took} s |", title.replace('|', "\\|"));
        }
        let _ = write!(out, "| **all** | {} s |\n\n", self.all);
        out
    }
}

/// A line of nextest: `PASS [ 0.012s] ( 1/710) wardwire-admission origin::tests::...`. Behind balancers, attacks are tests
/// of another kind than on their own.
fn of_rust(line: &str, stage: Option<Kind>) -> Option<(Kind, u64)> {
    let after = line.trim_start().strip_prefix("PASS [")?;
    let after = after.split_once(") ")?.1;
    let (binary, name) = after.split_once(' ')?;
    let behind = stage.filter(|it| *it == Kind::Balancers);
    Some((behind.unwrap_or_else(|| Kind::of_rust(binary, name)), 1))
}

/// The closing lines of other runners: node's, cargo's, unittest's, and ours of Autobahn.
fn counted(kind: Kind, line: &str) -> Option<(Kind, u64)> {
    let number = |it: &str| it.split(' ').next()?.parse().ok();
    let node = || {
        number(
            line.strip_prefix("# pass ")
                .or(line.strip_prefix("ℹ pass "))?,
        )
    };
    let cargo = || number(line.strip_prefix("test result: ok. ")?);
    let unittest = || number(line.strip_prefix("Ran ")?);
    let autobahn = || {
        number(
            line.strip_prefix("Autobahn|Testsuite over wss")?
                .split_once(": ")?
                .1,
        )
    };
    let number = match kind {
        Kind::Conformance => autobahn()?,
        Kind::Example | Kind::Interleaving => cargo()?,
        _ => node().or_else(unittest)?,
    };
    Some((kind, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
=== Formatting ===
=== Formatting: passed (1 s) ===
=== Tests ===
== Rust tests ==
    Starting 5 tests across 12 binaries (1 tests skipped)
        PASS [   0.012s] (  1/5) wardwire audit::flood::tests::hides_nobody
        PASS [   0.012s] (  2/5) wardwire::blackbox attacks::origin::no_other_page
        PASS [   0.012s] (  3/5) wardwire::blackbox channels::a_message_arrives
        PASS [   0.012s] (  4/5) wardwire::documents every_reason_is_explained
        PASS [   0.012s] (  5/5) wardwire-properties::corpora frames
-- Rust tests: passed (213 s)
== Examples in the documentation ==
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
== Interleavings of threads (loom) ==
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 114 filtered out; finished in 0.00s
== TypeScript tests ==
# tests 33
# pass 33
# pass 5
== Behind HAProxy and nginx ==
        PASS [   0.222s] (1/1) wardwire::blackbox network::balancers::haproxy
        PASS [   0.222s] (1/1) wardwire::blackbox attacks::origin::no_other_page
== Conformance (Autobahn|Testsuite) ==
Recorded vectors of Autobahn|Testsuite over wss: 247 cases, 0 failures
Autobahn|Testsuite over wss: 337 cases: 3 INFORMATIONAL, 334 OK
Autobahn|Testsuite over wss, SecureWebSocket on Node 22: 313 cases: 3 INFORMATIONAL, 310 OK
== Foreign clients ==
ℹ pass 11
Ran 14 tests in 0.630s
== TLS ==
ℹ pass 1
== Browser ==
# pass 9
-- Browser: passed (13 s)
=== Tests: passed (608 s) ===

All of it passed after 1016 s.
";

    #[test]
    fn every_kind_is_counted_by_what_passed() {
        let run = Run::read(LOG).unwrap();
        let counts: Vec<u64> = Kind::ALL.iter().map(|kind| run.passed[kind]).collect();
        assert_eq!(counts, [1, 1, 1, 1, 1, 2, 3, 38, 2, 650, 25, 1, 9]);
        assert!(run.kinds(7).contains("| all | | 735 |\n"));
    }

    #[test]
    fn every_stage_has_its_time() {
        let made = Run::read(LOG).unwrap().stages();
        assert!(
            made.contains("| **Formatting** | 1 s |\n| Rust tests | 213 s |\n"),
            "{made}"
        );
        assert!(
            made.contains("| **Tests** | 608 s |\n| **all** | 1016 s |\n"),
            "{made}"
        );
    }

    #[test]
    fn a_run_that_failed_or_left_something_out_is_not_taken() {
        let (failed, _) = LOG.split_once("\nAll of it").unwrap();
        assert!(Run::read(failed).is_err());
        let alone = [
            "ℹ pass 1\n",
            "# pass 9\n",
            "Autobahn|Testsuite over wss: 337 cases: 3 INFORMATIONAL, 334 OK\n\
             Autobahn|Testsuite over wss, SecureWebSocket on Node 22: 313 cases: 3 INFORMATIONAL, 310 OK\n",
            "        PASS [   0.012s] (  2/5) wardwire::blackbox attacks::origin::no_other_page\n",
        ];
        for line in alone {
            assert!(Run::read(&LOG.replacen(line, "", 1)).is_err(), "{line}");
        }
    }
}
