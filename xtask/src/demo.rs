//! `cargo xtask demo`: from a clean clone to a page that signs in.

use std::{
    env,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use crate::{
    assets, fixture,
    shell::{Failure, Result, program, root},
};

/// Builds everything, but for a server that `WARDWIRE_BIN` names, then becomes `wardwire demo`, which prints the address. With `--provider` people sign in at an OpenID
/// provider, which runs and ends with the demo.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    eprintln!("Building the pages ...");
    assets::build()?;
    let server = match env::var_os("WARDWIRE_BIN") {
        Some(binary) => binary.into(),
        None => {
            eprintln!("Building the server ... (a few minutes the first time)");
            fixture::build_server()?
        }
    };
    let provider = |argument: &&String| *argument == "--provider";
    let mut demo = if arguments.iter().any(|it| provider(&it)) {
        let mut node = program("node");
        node.arg("packages/demos/provider/demo.mjs").arg(&server);
        node
    } else {
        let mut own = Command::new(&server);
        own.arg("demo");
        own
    };
    let error = demo
        .args(arguments.iter().filter(|it| !provider(it)))
        .current_dir(root())
        .stdin(Stdio::inherit())
        .exec();
    Err(Failure::Broken(format!(
        "{}: {error}",
        demo.get_program().display()
    )))
}
