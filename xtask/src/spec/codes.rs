//! The client's code table, from `spec/codes.toml`.

use std::{fmt::Write as _, fs, path::Path};

use toml::{Table, Value};

pub(super) const TARGET: &str = "packages/client/src/codes.ts";

const HEAD: &str = "\
// Made from spec/codes.toml by `cargo xtask spec`. Edit that file.

/** When to come back after a connection that ended. */
export type Advice = 'at-once' | 'later' | 'after-sign-in' | 'never';

/** What to do after each close code, and after some with a certain word (RFC 6455 §7.4.1, IANA's registry). */
const advice: ReadonlyMap<string, Advice> = new Map<string, Advice>([
";

const MIDDLE: &str = "\
]);

/** What to do after a close with this code and the first word of its reason. */
export function adviceFor(code: number, word: string): Advice {
  return advice.get(`${code} ${word}`) ?? advice.get(String(code)) ?? 'later';
}

/** The server's errors in band: JSON-RPC 2.0 §5.1, and from -32001 on Wardwire's own. */
export const RPC = {
";

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
    let is_bare = |entry: &Table| !entry.contains_key("word");
    let bare: Vec<_> = entries(codes, "close")?
        .filter(|it| is_bare(it))
        .filter_map(|it| it.get("code"))
        .collect();
    let mut last = None;
    for entry in entries(codes, "close")? {
        let (code, advice) = (
            entry.get("code")?.as_integer()?,
            entry.get("advice")?.as_str()?,
        );
        // A code that no entry names without a word is known by its first one.
        if last.replace(code) != Some(code)
            && !is_bare(entry)
            && !bare.contains(&entry.get("code")?)
        {
            let _ = writeln!(out, "  ['{code}', '{advice}'],");
        }
        let word = entry.get("word").and_then(Value::as_str);
        let key = word.map_or_else(|| code.to_string(), |word| format!("{code} {word}"));
        let _ = writeln!(out, "  ['{key}', '{advice}'],");
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

fn entries<'a>(codes: &'a Table, name: &str) -> Option<impl Iterator<Item = &'a Table>> {
    Some(
        codes
            .get(name)?
            .as_array()?
            .iter()
            .filter_map(Value::as_table),
    )
}
