//! `cargo xtask soak`: what takes its time. docs/testing.md says what must hold.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::{
    assets, blackbox,
    fixture::build_server,
    shell::{Failure, Result, cargo, program, run, target},
};

/// `soak` is a day in ten minutes, which `benches/load` does; `soak client` is our own client behind a hostile network.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    match arguments.split_first() {
        Some((first, options)) if first == "client" => client(options),
        _ => reloads(arguments),
    }
}

/// Builds the server and the load as they are released, and lets one reload every second under the other.
fn reloads(options: &[String]) -> Result<()> {
    let server = build_server()?;
    run(cargo().args(["build", "--release", "--package", "wardwire-load"]))?;
    let mut load = program(target().join("release/wardwire-load"));
    load.arg("soak").arg("--server").arg(server).args(options);
    run(&mut load)
}

/// Five minutes, and other faults each time, if nothing else is said.
fn client(options: &[String]) -> Result<()> {
    let mut seconds = 300;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut seed = now.map_or(1, |it| u64::from(it.subsec_nanos()));
    for pair in options.chunks(2) {
        let number = pair.get(1).and_then(|it| it.parse().ok());
        match (pair.first().map(String::as_str), number) {
            (Some("--seconds"), Some(given)) => seconds = given,
            (Some("--seed"), Some(given)) => seed = given,
            _ => {
                return Err(Failure::Broken(
                    "usage: cargo xtask soak client [--seconds N] [--seed N]".into(),
                ));
            }
        }
    }
    assets::build()?;
    build_server()?;
    blackbox::hostile(&[
        ("HOSTILE_SECONDS", seconds.to_string()),
        ("HOSTILE_SEED", seed.to_string()),
    ])
}
