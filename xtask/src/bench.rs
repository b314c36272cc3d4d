//! `cargo xtask bench`: what is measured, never asserted. `benches/load` does the measuring.

use std::path::Path;

use crate::{
    fixture::build_server,
    shell::{Failure, Result, cargo, program, run, target},
};

/// Builds the server and the load as they are released, and measures what is asked for.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    let Some((name, options)) = arguments.split_first() else {
        return Err(Failure::Broken(
            "usage: cargo xtask bench quick|NAME [--against PATH] [--rounds N] [--seconds S]"
                .into(),
        ));
    };
    let server = build_server()?;
    run(cargo().args(["build", "--release", "--package", "wardwire-load"]))?;
    let mut load = program(target().join("release/wardwire-load"));
    load.arg(name).arg("--server").arg(server);
    for option in options {
        // Paths are the caller's, and the load runs in the repository.
        match Path::new(option).canonicalize() {
            Ok(path) if option.contains('/') => load.arg(path),
            _ => load.arg(option),
        };
    }
    run(&mut load)
}
