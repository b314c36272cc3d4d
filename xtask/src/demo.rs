//! `cargo xtask demo`: from a clean clone to a page that signs in.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::{
    assets, fixture,
    shell::{Failure, Result, root},
};

/// Builds everything, then becomes `wardwire demo`, which prints the address.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    eprintln!("Building the pages ...");
    assets::build()?;
    eprintln!("Building the server ... (a few minutes the first time)");
    let server = fixture::build_server()?;
    let error = Command::new(&server)
        .arg("demo")
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::inherit())
        .exec();
    Err(Failure::Broken(format!("{}: {error}", server.display())))
}
