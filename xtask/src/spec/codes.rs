//! The client's code table, from `spec/codes.toml`.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use toml::{Table, Value};

pub(super) const TARGET: &str = "packages/client/src/codes.ts";

const HEAD: &str = "\
// Made from spec/codes.toml by `cargo xtask spec`. Edit that file.

/** When to come back after a connection that ended. */
export type Advice = 'at-once' | 'later' | 'after-sign-in' | 'never';

/** What to do after a close code, and after some with a certain word (RFC 6455 §7.4.1, IANA's registry), where it is not `later`. */
const advice: { readonly [codeAndWord: string]: Advice | undefined } = {
";

const MIDDLE: &str = "\
};

/** What to do after a close with this code and the first word of its reason. */
export function adviceFor(code: number, word: string): Advice {
  return advice[`${code} ${word}`] ?? advice[code] ?? 'later';
}

/** The server's errors in band: JSON-RPC 2.0 §5.1, and from -32001 on Wardwire's own. */
export const RPC = {
";

/// What is done after a code that the client's table does not have.
const FALLBACK: &str = "later";

/// The table as TypeScript.
pub(super) fn made(root: &Path) -> Result<String, String> {
    let source = root.join("spec/codes.toml");
    let explain = |error: &dyn std::fmt::Display| format!("{}: {error}", source.display());
    let text = fs::read_to_string(&source).map_err(|error| explain(&error))?;
    let codes: Table = text.parse().map_err(|error| explain(&error))?;
    typescript(&codes).ok_or_else(|| "spec/codes.toml: an entry lacks a member".to_owned())
}

fn typescript(codes: &Table) -> Option<String> {
    let mut out = HEAD.to_owned();
    for (key, advice) in said(codes)? {
        let quote = if key.contains(' ') { "'" } else { "" };
        let _ = writeln!(out, "  {quote}{key}{quote}: '{advice}',");
    }
    out.push_str(MIDDLE);
    for entry in entries(codes, "rpc")? {
        let (code, name) = (
            entry.get("code")?.as_integer()?,
            entry.get("name")?.as_str()?,
        );
        let _ = writeln!(
            out,
            "  /** {} */\n  {name}: {code},",
            entry.get("meaning")?.as_str()?
        );
    }
    out.push_str("} as const;\n");
    Some(out)
}

/// What must be said for every code and word to get its advice: what falls back on another entry or on "later" is left out,
/// as every page carries this table.
fn said(codes: &Table) -> Option<Vec<(String, &str)>> {
    let mut bare: BTreeMap<i64, &str> = BTreeMap::new();
    for worded in [false, true] {
        for entry in entries(codes, "close")?.filter(|it| it.contains_key("word") == worded) {
            // A code that no entry names without a word is known by its first one.
            bare.entry(entry.get("code")?.as_integer()?)
                .or_insert(entry.get("advice")?.as_str()?);
        }
    }
    let mut said: Vec<_> = bare
        .iter()
        .filter(|(_, advice)| **advice != FALLBACK)
        .map(|(code, advice)| (code.to_string(), *advice))
        .collect();
    for entry in entries(codes, "close")? {
        let (code, advice) = (
            entry.get("code")?.as_integer()?,
            entry.get("advice")?.as_str()?,
        );
        let word = entry.get("word").and_then(Value::as_str);
        if let Some(word) = word.filter(|_| bare.get(&code) != Some(&advice)) {
            said.push((format!("{code} {word}"), advice));
        }
    }
    Some(said)
}

fn entries<'a>(codes: &'a Table, name: &str) -> Option<impl Iterator<Item = &'a Table>> {
    Some(
        codes
            .get(name)?
            .as_array()?
            .iter()
            .filter_map(Value::as_table),
    )
}
