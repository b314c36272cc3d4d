//! TypeScript's types of what is said, from `spec/openrpc.json`. They say what the protocol promises; what a server really
//! said is read by hand.

use std::fmt::Write as _;

use super::openrpc::{Document, Kind, Member, Shape, pascal};

pub(super) const TARGET: &str = "packages/client/src/protocol.ts";

const HEAD: &str = "\
// Made from spec/openrpc.json by `cargo xtask spec`. Edit that file.

";

/// The file.
pub(super) fn made(document: &Document) -> String {
    let mut out = HEAD.to_owned();
    for named in &document.named {
        let kind = kind(&named.kind);
        let _ = writeln!(
            out,
            "{}export type {} = {kind};\n",
            comment("", &named.meaning),
            named.name
        );
    }
    for shape in &document.shapes {
        interface(&mut out, &shape.name, &shape.meaning, &shape.members);
    }
    let mut calls = String::new();
    for call in &document.calls {
        let Shape { name, summary, .. } = &call.params;
        let (params, result) = (
            format!("{}Params", pascal(name)),
            format!("{}Result", pascal(name)),
        );
        let nothing = "Readonly<Record<string, never>>";
        let takes = match call.params.members.is_empty() {
            true => nothing,
            false => {
                interface(
                    &mut out,
                    &params,
                    &format!("What `{name}` takes."),
                    &call.params.members,
                );
                &params
            }
        };
        let gives = match &call.result {
            None => nothing,
            Some(shape) => {
                interface(
                    &mut out,
                    &result,
                    &format!("What `{name}` comes to."),
                    &shape.members,
                );
                &result
            }
        };
        let comment = comment("  ", summary);
        let _ = writeln!(
            calls,
            "{comment}  readonly {name}: {{ readonly params: {takes}; readonly result: {gives} }};"
        );
    }
    let mut notices = String::new();
    for Shape {
        name,
        summary,
        members,
        ..
    } in &document.notices
    {
        let notice = format!("{}Notice", pascal(name));
        interface(&mut out, &notice, summary, members);
        let _ = writeln!(
            notices,
            "{}  readonly {name}: {notice};",
            comment("  ", summary)
        );
    }
    let _ = write!(
        out,
        "/** What a client may call. */\nexport interface Calls {{\n{calls}}}\n\n\
         /** What the server says unasked. */\nexport interface Notices {{\n{notices}}}\n"
    );
    out
}

fn interface(out: &mut String, name: &str, meaning: &str, members: &[Member]) {
    let _ = writeln!(out, "{}export interface {name} {{", comment("", meaning));
    for Member {
        name,
        meaning,
        required,
        kind: it,
    } in members
    {
        let mark = if *required { "" } else { "?" };
        let kind = kind(it);
        let _ = writeln!(
            out,
            "{}  readonly {name}{mark}: {kind};",
            comment("  ", meaning)
        );
    }
    out.push_str("}\n\n");
}

fn comment(indent: &str, meaning: &str) -> String {
    format!("{indent}/** {} */\n", meaning.replace("*/", "*\\/"))
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Text => "string".into(),
        Kind::Words(words) => {
            let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            words.join(" | ")
        }
        Kind::TextOrNull => "string | null".into(),
        Kind::Integer | Kind::Number => "number".into(),
        Kind::Flag => "boolean".into(),
        Kind::True => "true".into(),
        Kind::Any => "unknown".into(),
        Kind::Map => "Readonly<Record<string, unknown>>".into(),
        Kind::List(of) => format!("readonly {}[]", self::kind(of)),
        Kind::Shape(name) | Kind::Named(name, _) => name.clone(),
    }
}
