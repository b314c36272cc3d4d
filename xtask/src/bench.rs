//! `cargo xtask bench`: what is measured, never asserted. `benches/load` does the measuring.

use crate::{
    fixture::build_server,
    shell::{Failure, Result, cargo, program, run, target},
};

/// Builds the server and the load as they are released, and runs one benchmark.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let Some(("idle-memory", options)) = arguments
        .split_first()
        .map(|(it, rest)| (it.as_str(), rest))
    else {
        return Err(Failure::Broken(
            "usage: cargo xtask bench idle-memory [--sockets N]".into(),
        ));
    };
    let server = build_server()?;
    run(cargo().args(["build", "--release", "--package", "wardwire-load"]))?;
    let mut load = program(target().join("release/wardwire-load"));
    run(load
        .args(["idle-memory", "--server"])
        .arg(server)
        .args(options))
}
