//! `cargo xtask spec`: writes what has its source elsewhere. With `--check`, only says what is stale.
//!
//! - the client's code table, from `spec/codes.toml`;
//! - the JSON Schema of the configuration, `spec/wardwire.schema.json`, from the server's own structs;
//! - the tables of `docs/configuration.md`, from that schema.

mod codes;
mod reference;

use std::{fs, path::Path};

use crate::shell::{Failure, Result, cargo, output};

const SCHEMA: &str = "spec/wardwire.schema.json";

/// Writes all of it, or says what is stale.
pub(crate) fn generate(root: &Path, check: bool) -> Result<()> {
    let schema = schema()?;
    let reference = reference::made(root, &schema).map_err(Failure::Broken)?;
    let codes = codes::made(root).map_err(Failure::Broken)?;
    let all = [
        (codes::TARGET, codes),
        (SCHEMA, schema),
        (reference::TARGET, reference),
    ];
    let mut stale = Vec::new();
    for (name, made) in all {
        let target = root.join(name);
        if fs::read_to_string(&target).is_ok_and(|known| known == made) {
            continue;
        }
        if check {
            stale.push(name);
        } else {
            let explain = |error| Failure::Broken(format!("{}: {error}", target.display()));
            fs::write(&target, made).map_err(explain)?;
        }
    }
    match &*stale {
        [] => Ok(()),
        names => Err(Failure::Broken(format!(
            "stale: {}. Run `cargo xtask spec`.",
            names.join(", ")
        ))),
    }
}

/// What this tree's server takes for a configuration.
fn schema() -> Result<String> {
    let mut server = cargo();
    server.args(["run", "--quiet", "-p", "wardwire", "--", "schema"]);
    Ok(output(&mut server)? + "\n")
}
