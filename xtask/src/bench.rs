//! `cargo xtask bench`: what is measured, never asserted. `benches/load` does the measuring; docs/benchmarks.md explains it.

use std::path::PathBuf;

use crate::{
    assets,
    fixture::build_server,
    shell::{Failure, Result, cargo, program, root, run, target},
    tools,
};

const HELP: &str = "\
cargo xtask bench                   everything, against every rival, and writes docs/benchmarks.md (about 20 minutes)
cargo xtask bench quick             Wardwire alone: echo and fan-out, 1 and 16 in flight, and handshakes (half a minute)
cargo xtask bench NAME              one work, or all whose names begin so, against every rival
cargo xtask bench channels          what channels cost, and taking users back; writes docs/benchmarks.md (8 minutes)
cargo xtask bench opening           round trips until a socket is open in Chromium; writes docs/benchmarks.md (6 minutes)
cargo xtask bench prepare           installs and builds the rivals, and measures nothing
cargo xtask bench instructions      what a message costs in instructions (its own command)

  --against PATH    also measure another build of wardwire, in the same rounds
  --rivals a,b      only these rivals; `none` for none
  --sockets N       so many sockets (connections, for churn)
  --rounds N        5 for everything, else 3
  --seconds S       of each measurement, 1 by default

Works: echo-BYTES-SOCKETS-INFLIGHT (64, 1024, 65536; 100, 1000; 1, 16), browser-64-100 (echo to Chromium),
fan-out-1000-INFLIGHT, handshake, handshake-mlkem, idle-memory, idle-memory-crowding, churn, latency, storm-h2,
fan-out-guarded, market, memory-subscriptions, recovery, presence, revocation, opening.

Two cores are needed: the server runs on the first, the load on the second. Results are printed, and written with every
round to target/bench/NAME.json.
";

/// Builds the server, the load and what they are measured against as they are released, and measures.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let (name, options) = match arguments.split_first() {
        Some((first, _)) if matches!(first.as_str(), "help" | "--help" | "-h") => {
            print!("{HELP}");
            return Ok(());
        }
        Some((first, _)) if first == "prepare" => return prepare(&[]),
        Some((first, rest)) if !first.starts_with("--") => (first.as_str(), rest),
        _ => ("all", arguments),
    };
    let server = build_server()?;
    run(cargo().args(["build", "--release", "--package", "wardwire-load"]))?;
    let mut load = program(target().join("release/wardwire-load"));
    load.arg(name).arg("--server").arg(server);
    load.arg("--out").arg(target().join("bench"));
    load.arg("--docs").arg(root().join("docs"));
    if name == "all" || name.starts_with("browser") {
        assets::packages()?;
        tools::browser()?;
    }
    if name == "opening" {
        // The pages are given the client as it is published.
        assets::build()?;
        tools::browser()?;
    }
    if name == "all" || name.starts_with("storm") {
        tools::h2load()?;
    }
    let rivals = value(options, "--rivals");
    // The first is meant to be quick; in the other, no rival has a client.
    if name != "quick" && name != "opening" && rivals != Some("none") {
        // No other has a part in what channels cost.
        let needed = (name == "channels").then_some("sockudo,socket.io,nats");
        let named = rivals.or(needed);
        let named: Vec<_> = named.iter().flat_map(|it| it.split(',')).collect();
        if let Err(failure) = prepare(&named) {
            eprintln!("{failure}; the others are measured");
        }
        load.arg("--list")
            .arg(root().join("benches/rivals/rivals.toml"));
    }
    for pair in options.chunks(2) {
        match pair {
            // The caller's path, while the load runs in the repository.
            [flag, path] if flag == "--against" => load.arg(flag).arg(absolute(path)?),
            [flag, none] if flag == "--rivals" && none == "none" => &mut load,
            pair => load.args(pair),
        };
    }
    run(&mut load)
}

fn value<'a>(options: &'a [String], name: &str) -> Option<&'a str> {
    let mut pairs = options.chunks(2);
    pairs.find_map(|pair| match pair {
        [flag, value] if flag == name => Some(value.as_str()),
        _ => None,
    })
}

fn absolute(path: &str) -> Result<PathBuf> {
    PathBuf::from(path)
        .canonicalize()
        .map_err(|error| Failure::Broken(format!("{path}: {error}")))
}

/// What two of the rivals are built with. Centrifuge's own are only in Go's registry; Debian has old ones of all.
const SYSTEM: [(&str, &str, &[&str]); 2] = [
    ("sockudo", "protoc", &["protobuf-compiler"]),
    (
        "centrifuge",
        "go",
        &[
            "golang-go",
            "golang-github-centrifugal-centrifuge-dev",
            "golang-github-centrifugal-protocol-dev",
            "golang-github-igm-sockjs-go-dev",
            "golang-github-fzambia-eagle-dev",
            "golang-github-mna-redisc-dev",
        ],
    ),
];

/// Installs and builds these rivals, or all. Those that cannot be had are named, and missing from what is measured.
fn prepare(named: &[&str]) -> Result<()> {
    tools::node()?;
    for (rival, program, packages) in SYSTEM {
        if (named.is_empty() || named.contains(&rival))
            && let Err(failure) = tools::system(program, packages)
        {
            eprintln!("{rival}: {failure}");
        }
    }
    eprintln!("Preparing the rivals ... (a few minutes the first time)");
    run(program(root().join("benches/rivals/prepare")).args(named))
}
