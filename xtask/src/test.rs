//! `cargo xtask test`: every test, each step after the other, and a sum at the end that hides nothing.

use std::{
    env,
    process::{Command, ExitCode},
    time::Instant,
};

use crate::{
    assets,
    autobahn::Extent,
    blackbox, fixture,
    shell::{Failure, Result, cargo, program, program_beside, run},
    tools,
};

/// One step.
struct Step {
    /// What it is called on the command line.
    name: &'static str,
    title: &'static str,
    /// Whether it needs the release server.
    black_box: bool,
    run: fn(&[String]) -> Result<()>,
}

const STEPS: [Step; 10] = [
    Step {
        name: "rust",
        title: "Rust tests",
        black_box: false,
        run: rust,
    },
    Step {
        name: "docs",
        title: "Examples in the documentation",
        black_box: false,
        run: |_| docs(),
    },
    Step {
        name: "interleavings",
        title: "Interleavings of threads (loom)",
        black_box: false,
        run: |_| interleavings(),
    },
    Step {
        name: "typescript",
        title: "TypeScript tests",
        black_box: false,
        run: |_| typescript(),
    },
    Step {
        name: "balancers",
        title: "Behind HAProxy and nginx",
        black_box: false,
        run: |_| balancers(),
    },
    Step {
        name: "acme",
        title: "Certificates from an authority (Pebble)",
        black_box: false,
        run: |_| acme(),
    },
    Step {
        name: "conformance",
        title: "Conformance (Autobahn|Testsuite)",
        black_box: true,
        run: |_| blackbox::conformance(Extent::Fast),
    },
    Step {
        name: "clients",
        title: "Foreign clients",
        black_box: true,
        run: |_| clients(),
    },
    Step {
        name: "tls",
        title: "TLS",
        black_box: true,
        run: |_| blackbox::tls(),
    },
    Step {
        name: "browser",
        title: "Browser",
        black_box: true,
        run: |_| blackbox::browser(),
    },
];

/// What became of a step.
enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

/// Runs the steps that were asked for.
pub(crate) fn command(arguments: &[String]) -> ExitCode {
    if let Some(unknown) = arguments
        .iter()
        .find(|it| it.starts_with('-') && *it != "--quick")
    {
        eprintln!("`cargo xtask test` does not know {unknown}; see `cargo xtask --help`.");
        return ExitCode::from(2);
    }
    let (steps, filters) = choose(arguments);
    let started = Instant::now();
    let results = run_all(&steps, &filters);
    sum_up(&results, started)
}

/// The steps, and the filters of the Rust tests.
fn choose(arguments: &[String]) -> (Vec<&'static Step>, Vec<String>) {
    let quick = arguments.iter().any(|it| it == "--quick");
    let words = arguments.iter().filter(|it| !it.starts_with('-'));
    let (named, filters): (Vec<&String>, Vec<&String>) =
        words.partition(|word| STEPS.iter().any(|step| step.name == *word));
    let chosen = |step: &&Step| {
        if quick {
            step.name == "rust" || step.name == "typescript"
        } else if named.is_empty() && filters.is_empty() {
            true
        } else {
            named.iter().any(|it| *it == step.name) || (!filters.is_empty() && step.name == "rust")
        }
    };
    (
        STEPS.iter().filter(chosen).collect(),
        filters.into_iter().cloned().collect(),
    )
}

fn run_all(steps: &[&'static Step], filters: &[String]) -> Vec<(&'static str, Outcome, u64)> {
    let mut results = Vec::new();
    let mut built: Option<std::result::Result<(), String>> = None;
    for step in steps {
        println!("\n== {} ==", step.title);
        let started = Instant::now();
        let outcome = if step.black_box {
            let built = built.get_or_insert_with(|| build().map_err(|failure| failure.to_string()));
            match built {
                Ok(()) => outcome((step.run)(filters)),
                Err(why) => Outcome::NotRun(format!("nothing to test: {why}")),
            }
        } else {
            outcome((step.run)(filters))
        };
        let seconds = started.elapsed().as_secs();
        println!("-- {}: {} ({seconds} s)", step.title, outcome.word());
        results.push((step.title, outcome, seconds));
    }
    results
}

fn outcome(result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Passed,
        Err(Failure::Broken(why)) => Outcome::Failed(why),
        Err(Failure::Missing(why)) => Outcome::NotRun(why),
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::NotRun(_) => "NOT RUN",
        }
    }
}

/// Says what became of each step. What did not run is a failure where nobody looks (`CI=true`).
fn sum_up(results: &[(&'static str, Outcome, u64)], started: Instant) -> ExitCode {
    let continuous = env::var("CI").is_ok_and(|it| it == "true");
    println!("\n== Sum, after {} s ==", started.elapsed().as_secs());
    for (title, outcome, seconds) in results {
        println!("{:8} {seconds:5} s  {title}", outcome.word());
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed(why) | Outcome::NotRun(why) => {
                for line in why.lines() {
                    println!("                    {line}");
                }
            }
        }
    }
    let count = |test: fn(&Outcome) -> bool| results.iter().filter(|it| test(&it.1)).count();
    let passed = count(|it| matches!(it, Outcome::Passed));
    let failed = count(|it| matches!(it, Outcome::Failed(_)));
    let not_run = count(|it| matches!(it, Outcome::NotRun(_)));
    if not_run > 0 {
        let verdict = if continuous {
            "; with CI=true that is a failure"
        } else {
            ""
        };
        println!("\n{not_run} of the steps could NOT RUN{verdict}.");
    }
    let failed = if continuous { failed + not_run } else { failed };
    println!("\n{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn rust(filters: &[String]) -> Result<()> {
    let nextest = tools::nextest()?;
    assets::build()?;
    let mut command = program(nextest);
    command
        .args(["nextest", "run", "--workspace", "--no-fail-fast"])
        .args(filters);
    if !filters.is_empty() {
        command.arg("--no-tests=pass");
    }
    run(&mut command)
}

fn docs() -> Result<()> {
    run(cargo().args(["test", "--quiet", "--doc", "--workspace"]))
}

/// loom runs each test once for every way in which its threads can take turns.
fn interleavings() -> Result<()> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--lib"]);
    for package in ["wardwire-admission", "wardwire-hub"] {
        let feature = format!("{package}/loom");
        command.args(["--package", package, "--features", &feature]);
    }
    run(command.arg("interleavings"))
}

/// The client, its React hooks and the backend's package on each Node that they are for, and the demos.
fn typescript() -> Result<()> {
    assets::build()?;
    for (version, folder) in tools::client_nodes()? {
        println!("\n-- on Node {version} --");
        run(program_beside(&folder, "npm").args([
            "test",
            "--silent",
            "--workspace=packages/client",
            "--workspace=packages/react",
            "--workspace=packages/server",
        ]))?;
    }
    run(program("npm").args([
        "test",
        "--silent",
        "--workspace=packages/demos",
        "--workspace=packages/reference",
    ]))
}

/// What the catalogue of attacks asks of TLS itself, which a balancer has ended, and of those who have not agreed on it.
const OF_TLS: &str = "test(attack_014) + test(tls_hello) + test(attack_061)";
/// What it asks of a head's own bytes, where a balancer reads them and writes others.
const OF_HEADS: &str = "test(/attack_(001|002|003|004|006|009|010|012)/)";

/// What it asks of bytes that come at one moment, which only the balancer knows.
const OF_TIMING: &str = "test(while_the_gate_is_still_asking)";

/// What it asks of clients that name no server in TLS, which nginx would pass on by that name.
const OF_NAMELESS: &str = "test(without_a_name_in_tls)";

/// What it asks over HTTP/2, which is spoken only where TLS ends at the server.
const OVER_HTTP2: &str = "test(/http2::/)";

/// The balancers' own tests, which `rust` ignores as they need them, and the catalogue of attacks behind each.
fn balancers() -> Result<()> {
    tools::balancers()?;
    ignored("network::balancers")?;
    for (behind, but) in [
        ("haproxy-tcp", format!("{OF_TLS} + {OF_TIMING}")),
        ("haproxy-http", format!("{OF_TLS} + {OF_HEADS}")),
        ("nginx-http", format!("{OF_TLS} + {OF_HEADS}")),
        (
            "nginx-stream",
            format!("{OF_TLS} + {OF_TIMING} + {OF_NAMELESS}"),
        ),
    ] {
        println!("\n-- attacks behind {behind} --");
        let filter = format!("test(/^attacks::.*::attack_/) - ({but} + {OVER_HTTP2})");
        run(tests()?
            .args(["--test=blackbox", "--filterset", &filter])
            .env("TESTED_BEHIND", behind))?;
    }
    Ok(())
}

/// Ignored by `rust`, as they need an authority.
fn acme() -> Result<()> {
    tools::authority()?;
    ignored("acme::")
}

/// Other people's clients, and what another verifier says of 10,000 tokens, which takes too long for `rust`.
fn clients() -> Result<()> {
    let entered = blackbox::clients();
    entered.and(ignored("identity::jose"))
}

/// The black-box tests with this in their names that are ignored otherwise.
fn ignored(names: &str) -> Result<()> {
    run(tests()?.args(["--run-ignored=only", names]))
}

fn tests() -> Result<Command> {
    let nextest = tools::nextest()?;
    assets::build()?;
    let mut command = program(&nextest);
    command.args(["nextest", "run", "--package=wardwire", "--no-fail-fast"]);
    Ok(command)
}

fn build() -> Result<()> {
    assets::build()?;
    fixture::build_server().map(|_| ())
}
