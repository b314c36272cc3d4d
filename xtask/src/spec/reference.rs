//! The tables of the configuration's reference, from its JSON Schema. They stand between `<!-- keys: TABLE -->` and
//! `<!-- end -->`; the words around them are written by hand and stay as they are.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Map, Value};

pub(super) const TARGET: &str = "docs/configuration.md";

const BEGIN: &str = "<!-- keys: ";
const END: &str = "<!-- end -->";

/// The reference with its tables as they should be.
pub(super) fn made(root: &Path, schema: &str) -> Result<String, String> {
    let schema: Value = serde_json::from_str(schema).map_err(|error| format!("schema: {error}"))?;
    let target = root.join(TARGET);
    let text =
        fs::read_to_string(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    fill(&text, &schema)
}

fn fill(text: &str, schema: &Value) -> Result<String, String> {
    let mut tables = Vec::new();
    collect(schema, "", &mut tables);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after
            .split_once(" -->\n")
            .ok_or_else(|| format!("{TARGET}: a mark without an end"))?;
        let (_, behind) = after
            .split_once(END)
            .ok_or_else(|| format!("{TARGET}: `keys: {name}` has no {END}"))?;
        let at = tables
            .iter()
            .position(|(known, _)| known == name)
            .ok_or_else(|| format!("{TARGET}: there is no table `{name}`, or it stands twice"))?;
        let (_, table) = tables.swap_remove(at);
        let _ = write!(out, "{before}{BEGIN}{name} -->\n{}{END}", rows(table));
        rest = behind;
    }
    match &*tables {
        [] => Ok(out + rest),
        [(name, _), ..] => Err(format!(
            "{TARGET} has no place for the table `{name}`: write `{BEGIN}{name} -->` and `{END}` where it belongs"
        )),
    }
}

/// Every table by its path. What is a value that may be written as a table, such as a right, is explained by hand.
fn collect<'a>(shape: &'a Value, path: &str, tables: &mut Vec<(String, &'a Value)>) {
    let shape = shape.get("items").unwrap_or(shape);
    let Some(keys) = shape.get("properties").and_then(Value::as_object) else {
        return;
    };
    if !path.is_empty() {
        tables.push((path.to_owned(), shape));
    }
    for (key, value) in keys {
        match path {
            "" => collect(value, key, tables),
            _ => collect(value, &format!("{path}.{key}"), tables),
        }
    }
}

/// What must be there first.
fn rows(table: &Value) -> String {
    let mut out = String::from("| key | type | default | |\n| --- | --- | --- | --- |\n");
    let empty = Map::new();
    let keys = table
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let needed = |key: &str| {
        let all = table.get("required").and_then(Value::as_array);
        all.is_some_and(|all| all.iter().any(|it| it == key))
    };
    let (first, second): (Vec<_>, Vec<_>) = keys.iter().partition(|(key, _)| needed(key));
    for (key, shape) in first.into_iter().chain(second) {
        let default = match needed(key) {
            true => "required".to_owned(),
            false => default(shape),
        };
        let meaning = match needs_restart(table) || needs_restart(shape) {
            true => format!("{} Needs a restart.", meaning(shape)),
            false => meaning(shape),
        };
        let cells = [format!("`{key}`"), kind(shape), default, meaning];
        let cells = cells.map(|cell| cell.replace('|', "\\|"));
        let _ = writeln!(out, "| {} |", cells.join(" | ").replace("  ", " "));
    }
    out
}

/// Whether a reload does not change it.
fn needs_restart(shape: &Value) -> bool {
    shape.get("x-restart") == Some(&Value::Bool(true))
}

/// Type and bounds.
fn kind(shape: &Value) -> String {
    let text = |name: &str| shape.get(name).and_then(Value::as_str);
    let named = text("x-type").map(str::to_owned);
    let kind = named.unwrap_or_else(|| match text("type") {
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("object") => "table".to_owned(),
        Some("array") if shape.pointer("/items/properties").is_some() => "tables".to_owned(),
        Some("array") => "list of strings".to_owned(),
        Some(other) => other.to_owned(),
        None => words(shape)
            .map(|(word, _)| format!("`\"{word}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
    });
    let is_size = text("x-type") == Some("size");
    let bound = |name: &str, own: &str| {
        let number = shape.get(name).and_then(Value::as_u64);
        let number = number.map(|it| if is_size { size(it) } else { it.to_string() });
        number.or_else(|| text(own).map(str::to_owned))
    };
    match (bound("minimum", "x-least"), bound("maximum", "x-most")) {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        (Some(least), None) if least != "0" => format!("{kind}, {least} or more"),
        _ => kind,
    }
}

fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let whole = units
        .into_iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    whole.map_or_else(
        || format!("{bytes}B"),
        |(unit, factor)| format!("{}{unit}", bytes / factor),
    )
}

fn default(shape: &Value) -> String {
    let words = shape.get("x-default").and_then(Value::as_str);
    match (words, shape.get("default")) {
        (Some(words), _) => words.to_owned(),
        // A string, a number, true, false or []: in TOML as in JSON.
        (None, Some(value)) => format!("`{value}`"),
        (None, None) => String::new(),
    }
}

/// What it is for, and what each word means that it takes.
fn meaning(shape: &Value) -> String {
    let text = |shape: &Value| {
        let text = shape.get("description").and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut out = text(shape);
    if shape.get("x-type").is_none() {
        for (word, shape) in words(shape) {
            let _ = write!(out, " `\"{word}\"`: {}", lower(&text(shape)));
        }
    }
    out
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

/// The words that an enumeration takes.
fn words(shape: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let ways = shape.get("oneOf").and_then(Value::as_array);
    ways.into_iter()
        .flatten()
        .filter_map(|way| Some((way.get("const")?.as_str()?, way)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({ "properties": { "a": { "type": "object", "required": ["z"], "properties": {
            "b": { "type": "integer", "minimum": 1, "maximum": 9, "default": 3, "description": "B | C." },
            "z": { "type": "string", "description": "Z." },
        } } } })
    }

    #[test]
    fn a_table_stands_between_its_marks_and_the_words_around_it_stay() {
        let text = "before\n<!-- keys: a -->\nold\n<!-- end -->\nafter\n";
        let made = fill(text, &schema()).unwrap();
        assert!(
            made.starts_with("before\n<!-- keys: a -->\n| key "),
            "{made}"
        );
        assert!(
            made.ends_with("<!-- end -->\nafter\n") && !made.contains("old"),
            "{made}"
        );
        let required = made.find("| `z` | string | required | Z. |").unwrap();
        let optional = made
            .find("| `b` | integer, 1 to 9 | `3` | B \\| C. |")
            .unwrap();
        assert!(required < optional, "{made}");
        assert_eq!(
            fill(&made, &schema()).unwrap(),
            made,
            "again, it is the same"
        );
    }

    /// The committed schema is held against the structs by the server's own tests.
    #[test]
    fn the_reference_is_what_the_schema_makes_of_it() {
        let text = include_str!("../../../docs/configuration.md");
        let schema = include_str!("../../../spec/wardwire.schema.json");
        let made = fill(text, &serde_json::from_str(schema).unwrap()).unwrap();
        for (written, made) in text.lines().zip(made.lines()) {
            assert_eq!(written, made, "stale: run `cargo xtask spec`");
        }
        assert!(text == made, "stale: run `cargo xtask spec`");
    }

    #[test]
    fn a_table_without_a_place_and_a_place_without_a_table_are_told() {
        assert!(fill("nothing", &schema()).is_err());
        let twice = "<!-- keys: a -->\n<!-- end -->\n<!-- keys: a -->\n<!-- end -->\n";
        assert!(fill(twice, &schema()).is_err());
        assert!(fill("<!-- keys: a -->\nno end", &schema()).is_err());
    }
}
