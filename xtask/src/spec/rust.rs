//! Rust's types of what is said, from `spec/openrpc.json`. Parameters borrow from the message that they stand in.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use super::openrpc::{Call, Document, Kind, Member, Shape, pascal};

pub(super) const TARGET: &str = "crates/protocol/src/rpc/wire.rs";

const HEAD: &str = "\
//! What is said in `wardwire.v1`. Made from spec/openrpc.json by `cargo xtask spec`. Edit that file.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use super::{Parameter, Parameters, optional};

";

/// What is written down once and said often: lists hold it as it was written.
const WRITTEN: &[&str] = &["Publication"];

/// The file.
pub(super) fn made(root: &Path, document: &Document) -> Result<String, String> {
    let names: Vec<String> = document
        .calls
        .iter()
        .map(|it| format!("{:?}", it.params.name))
        .collect();
    let mut out = HEAD.to_owned();
    let _ = writeln!(
        out,
        "/// What a client may call.\npub const METHODS: [&str; {}] = [{}];\n",
        names.len(),
        names.join(", ")
    );
    for Call { params, result, .. } in &document.calls {
        if !params.members.is_empty() {
            incoming(&mut out, params);
        }
        if let Some(result) = result {
            let name = format!("{}Result", pascal(&result.name));
            outgoing(
                &mut out,
                &name,
                &format!("What `{}` comes to.", result.name),
                result,
            );
        }
    }
    for notice in &document.notices {
        let name = format!("{}Notice", pascal(&notice.name));
        outgoing(&mut out, &name, &notice.summary, notice);
    }
    for shape in &document.shapes {
        outgoing(&mut out, &shape.name, &shape.meaning, shape);
    }
    format(root, &out)
}

fn incoming(out: &mut String, shape: &Shape) {
    let _ = writeln!(
        out,
        "/// What `{}` takes.\n#[derive(Deserialize)]\npub struct {}Params{} {{",
        shape.name,
        pascal(&shape.name),
        lifetime(shape)
    );
    for member in &shape.members {
        field(out, member, &taken(member));
    }
    let _ = writeln!(
        out,
        "}}\n\nimpl<'a> Parameters<'a> for {}Params{} {{\nconst ALL: &'static [Parameter] = &[",
        pascal(&shape.name),
        lifetime(shape)
    );
    for member in &shape.members {
        let _ = writeln!(out, "{},", parameter(member));
    }
    out.push_str("];\n}\n\n");
}

fn outgoing(out: &mut String, name: &str, meaning: &str, shape: &Shape) {
    let _ = writeln!(
        out,
        "/// {meaning}\n#[derive(Serialize)]\npub struct {name}{} {{",
        lifetime(shape)
    );
    let mut words = String::new();
    for member in &shape.members {
        let kind = given(&member.kind, name, member, &mut words);
        match (&member.kind, member.required) {
            (Kind::True, _) => {
                let skip = "#[serde(skip_serializing_if = \"std::ops::Not::not\")]";
                field(
                    out,
                    member,
                    &format!("{skip}\npub {}: bool", snake(&member.name)),
                );
            }
            (_, true) => field(out, member, &format!("pub {}: {kind}", snake(&member.name))),
            (_, false) => {
                let skip = "#[serde(skip_serializing_if = \"Option::is_none\")]";
                let name = snake(&member.name);
                field(out, member, &format!("{skip}\npub {name}: Option<{kind}>"));
            }
        }
    }
    let _ = writeln!(out, "}}\n\n{words}");
}

fn field(out: &mut String, member: &Member, declared: &str) {
    let _ = writeln!(out, "/// {}", member.meaning);
    if snake(&member.name) != member.name {
        let _ = writeln!(out, "#[serde(rename = {:?})]", member.name);
    }
    let _ = writeln!(out, "{declared},");
}

/// A member of what is read.
fn taken(member: &Member) -> String {
    let name = snake(&member.name);
    let kind = plain(&member.kind);
    match (kind, member.required) {
        (Kind::Text, true) => format!("#[serde(borrow)]\npub {name}: Cow<'a, str>"),
        (Kind::Text, false) => optional("text", &format!("{name}: Option<Cow<'a, str>>")),
        (Kind::Any, true) => format!("#[serde(borrow)]\npub {name}: &'a RawValue"),
        (Kind::Any, false) => optional("raw", &format!("{name}: Option<&'a RawValue>")),
        (Kind::Flag, true) => format!("pub {name}: bool"),
        // Where it is not said, it is not so.
        (Kind::Flag, false) => format!("#[serde(default)]\npub {name}: bool"),
        (kind, required) => {
            let kind = match kind {
                Kind::Integer => "u64",
                Kind::Number => "f64",
                // The compiler tells.
                _ => "NotKnownHere",
            };
            match required {
                true => format!("pub {name}: {kind}"),
                false => format!("#[serde(default)]\npub {name}: Option<{kind}>"),
            }
        }
    }
}

/// What fits it, as [`taken`] has it.
fn parameter(member: &Member) -> String {
    let kind = match plain(&member.kind) {
        Kind::Text => "String",
        Kind::Any => "IgnoredAny",
        Kind::Flag => "bool",
        Kind::Integer => "u64",
        Kind::Number => "f64",
        // The compiler tells.
        _ => "NotKnownHere",
    };
    let name = &member.name;
    match (kind, member.required) {
        (_, true) => format!("Parameter::required::<{kind}>({name:?})"),
        ("bool" | "IgnoredAny", false) => format!("Parameter::optional::<{kind}>({name:?})"),
        (_, false) => format!("Parameter::optional::<Option<{kind}>>({name:?})"),
    }
}

fn optional(with: &str, declared: &str) -> String {
    format!("#[serde(borrow, default, deserialize_with = \"optional::{with}\")]\npub {declared}")
}

/// The type of a member of what is written; `words` gets that of an enumeration.
fn given(kind: &Kind, owner: &str, member: &Member, words: &mut String) -> String {
    match plain(kind) {
        Kind::Text => "Cow<'a, str>".into(),
        Kind::TextOrNull => "Option<Cow<'a, str>>".into(),
        Kind::Integer => "u64".into(),
        Kind::Number => "f64".into(),
        Kind::Flag | Kind::True => "bool".into(),
        Kind::Any | Kind::Map => "&'a RawValue".into(),
        Kind::List(of) => match &**of {
            Kind::Shape(name) if WRITTEN.contains(&name.as_str()) => "Vec<&'a RawValue>".into(),
            of => format!("Vec<{}>", given(of, owner, member, words)),
        },
        Kind::Shape(name) => format!("{name}<'a>"),
        Kind::Words(all) => {
            let name = format!("{owner}{}", pascal(&member.name));
            let _ = writeln!(
                words,
                "/// {}\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]\n#[serde(rename_all = \"kebab-case\")]\npub enum {name} {{",
                member.meaning
            );
            for word in all {
                let _ = writeln!(words, "/// `{word}`\n{},", pascal(word));
            }
            words.push_str("}\n\n");
            name
        }
        Kind::Named(..) => String::new(),
    }
}

/// What a named type is.
fn plain(kind: &Kind) -> &Kind {
    match kind {
        Kind::Named(_, kind) => plain(kind),
        kind => kind,
    }
}

fn lifetime(shape: &Shape) -> &'static str {
    fn borrows(kind: &Kind) -> bool {
        match plain(kind) {
            Kind::List(of) => borrows(of),
            kind => !matches!(
                kind,
                Kind::Integer | Kind::Number | Kind::Flag | Kind::True | Kind::Words(_)
            ),
        }
    }
    match shape.members.iter().any(|member| borrows(&member.kind)) {
        true => "<'a>",
        false => "",
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// As `cargo fmt` leaves it.
fn format(root: &Path, text: &str) -> Result<String, String> {
    let explain = |error: std::io::Error| format!("rustfmt: {error}");
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(explain)?;
    if let Some(mut input) = rustfmt.stdin.take() {
        input.write_all(text.as_bytes()).map_err(explain)?;
    }
    let said = rustfmt.wait_with_output().map_err(explain)?;
    match said.status.success() {
        true => String::from_utf8(said.stdout).map_err(|error| error.to_string()),
        false => Err(format!("rustfmt did not take what was made:\n{text}")),
    }
}
