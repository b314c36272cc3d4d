//! Our verdict on tokens beside that of `jose`, by which most of those are made that JavaScript makes.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::harness::Setup;

/// Which tokens are made: another number makes others.
const SEED: &str = "1";
const TOKENS: &str = "10000";

#[test]
#[ignore = "takes half a minute: `cargo xtask test clients` runs it"]
fn ten_thousand_tokens_are_judged_as_jose_judges_them() {
    let mut setup = Setup::new();
    judge(&["keys", setup.folder.to_str().unwrap()]);
    setup.issuers = setup.issuers.replace("jwks.json", "keys.json");
    let server = setup.start();
    let port = server.address.port().to_string();
    let said = judge(&[server.folder.to_str().unwrap(), &port, SEED, TOKENS]);
    println!("{said}");
    let said: Value = serde_json::from_str(&said).unwrap();
    let classes: BTreeSet<&str> = said["differences"]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let page = fs::read_to_string(root().join("docs/security/tokens.md")).unwrap();
    let explained = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained = explained.filter_map(|row| Some(row.split_once('`')?.0));
    assert_eq!(explained.collect::<BTreeSet<_>>(), classes);
}

/// What `judge.mjs` says, which has to be content.
fn judge(arguments: &[&str]) -> String {
    let output = Command::new("node")
        .arg("tests/identity/jose/judge.mjs")
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{failed}");
    said
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}
