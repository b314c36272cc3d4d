//! `cargo xtask spec`: writes what has its source elsewhere. With `--check`, only says what is stale.
//!
//! - the client's code table, from `spec/codes.toml`;
//! - Rust's and TypeScript's types of `wardwire.v1`, from `spec/openrpc.json`;
//! - the JSON Schema of the configuration, `spec/wardwire.schema.json`, from the server's own structs;
//! - the tables of `docs/configuration.md`, from that schema.

mod codes;
mod openrpc;
mod reference;
mod rust;
mod typescript;

use std::{fs, path::Path};

use crate::shell::{Failure, Result, cargo, output};

const SCHEMA: &str = "spec/wardwire.schema.json";

/// Writes all of it, or says what is stale.
pub(crate) fn generate(root: &Path, check: bool) -> Result<()> {
    let protocol = openrpc::read(root).map_err(Failure::Broken)?;
    let wire = rust::made(root, &protocol).map_err(Failure::Broken)?;
    let mut stale = Vec::new();
    // First, as the server that tells its schema is built from it.
    put(root, rust::TARGET, &wire, check, &mut stale)?;
    let schema = schema()?;
    let reference = reference::made(root, &schema).map_err(Failure::Broken)?;
    let codes = codes::made(root).map_err(Failure::Broken)?;
    for (name, made) in [
        (codes::TARGET, codes),
        (typescript::TARGET, typescript::made(&protocol)),
        (SCHEMA, schema),
        (reference::TARGET, reference),
    ] {
        put(root, name, &made, check, &mut stale)?;
    }
    match &*stale {
        [] => Ok(()),
        names => Err(Failure::Broken(format!(
            "stale: {}. Run `cargo xtask spec`.",
            names.join(", ")
        ))),
    }
}

/// Writes a file, or notes that it is stale.
fn put(
    root: &Path,
    name: &'static str,
    made: &str,
    check: bool,
    stale: &mut Vec<&'static str>,
) -> Result<()> {
    let target = root.join(name);
    if fs::read_to_string(&target).is_ok_and(|known| known == made) {
        return Ok(());
    }
    if check {
        stale.push(name);
        return Ok(());
    }
    let explain = |error| Failure::Broken(format!("{}: {error}", target.display()));
    fs::write(&target, made).map_err(explain)
}

/// What this tree's server takes for a configuration.
fn schema() -> Result<String> {
    let mut server = cargo();
    server.args(["run", "--quiet", "-p", "wardwire", "--", "schema"]);
    Ok(output(&mut server)? + "\n")
}
