//! `cargo xtask soak`: a day in ten minutes. `benches/load` does it; docs/testing.md says what must hold.

use crate::{
    fixture::build_server,
    shell::{Result, cargo, program, run, target},
};

/// Builds the server and the load as they are released, and lets one reload every second under the other.
pub(crate) fn command(options: &[String]) -> Result<()> {
    let server = build_server()?;
    run(cargo().args(["build", "--release", "--package", "wardwire-load"]))?;
    let mut load = program(target().join("release/wardwire-load"));
    load.arg("soak").arg("--server").arg(server).args(options);
    run(&mut load)
}
