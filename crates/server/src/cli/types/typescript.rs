//! JSON Schema as TypeScript. A type is never narrower than its schema for a reader: what TypeScript cannot say (lengths,
//! patterns, conditions) is left out. One thing it says beyond: an object's members are those that are named, unless the
//! schema speaks of others, so that a misspelt one does not compile.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt::Write as _,
};

use serde_json::{Map, Value};
use wardwire_hub::content::pointer::of_reference;

/// Types with names, which are declared beside what uses them.
#[derive(Default)]
pub(super) struct Declared {
    names: HashSet<String>,
    text: String,
}

impl Declared {
    /// Declares what a schema describes. Returns its name.
    pub(super) fn root(&mut self, channel: &str, schema: Value) -> String {
        let name = self.name(&pascal(channel));
        let mut file = SchemaFile {
            declared: self,
            root: &schema,
            known: BTreeMap::from([(String::new(), name.clone())]),
            open: VecDeque::from([String::new()]),
            base: name.clone(),
        };
        while let Some(pointer) = file.open.pop_front() {
            file.declare(&pointer);
        }
        name
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// This name, or the first like it that is free.
    fn name(&mut self, wanted: &str) -> String {
        let numbered = (2..).map(|n: usize| format!("{wanted}{n}"));
        let mut all = std::iter::once(wanted.to_owned()).chain(numbered);
        let free = all.find(|name| !self.names.contains(name));
        let free = free.unwrap_or_default();
        self.names.insert(free.clone());
        free
    }
}

/// One schema file: what it refers to in itself gets a name each.
struct SchemaFile<'a> {
    declared: &'a mut Declared,
    root: &'a Value,
    /// By JSON Pointer.
    known: BTreeMap<String, String>,
    /// Not declared yet.
    open: VecDeque<String>,
    base: String,
}

/// A type as it is written, and whether it has to stand in parentheses beside others.
struct Type {
    text: String,
    joined: bool,
}

impl Type {
    fn single(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            joined: false,
        }
    }

    fn of(mut parts: Vec<Self>, between: &str, none: &str) -> Self {
        let mut seen = HashSet::new();
        parts.retain(|part| seen.insert(part.text.clone()));
        match parts.len() {
            0 => Self::single(none),
            1 => parts.remove(0),
            _ => {
                let parts: Vec<String> = parts.into_iter().map(Self::closed).collect();
                Self {
                    text: parts.join(between),
                    joined: true,
                }
            }
        }
    }

    /// One of these.
    fn union(parts: Vec<Self>) -> Self {
        if parts.iter().any(|part| part.text == UNKNOWN) {
            return Self::single(UNKNOWN);
        }
        Self::of(parts, " | ", "never")
    }

    /// All of these at once.
    fn intersection(mut parts: Vec<Self>) -> Self {
        parts.retain(|part| part.text != UNKNOWN);
        Self::of(parts, " & ", UNKNOWN)
    }

    fn closed(self) -> String {
        match self.joined {
            true => format!("({})", self.text),
            false => self.text,
        }
    }
}

const UNKNOWN: &str = "unknown";

impl SchemaFile<'_> {
    fn declare(&mut self, pointer: &str) {
        let root = self.root;
        let (Some(schema), Some(name)) = (root.pointer(pointer), self.known.get(pointer)) else {
            return;
        };
        let name = name.clone();
        let text = self.of(schema, 0).text;
        let about = about(schema, 0);
        let _ = writeln!(self.declared.text, "\n{about}export type {name} = {text};");
    }

    /// The type of a schema that begins in this column.
    fn of(&mut self, schema: &Value, column: usize) -> Type {
        let schema = match schema {
            Value::Object(schema) => schema,
            Value::Bool(false) => return Type::single("never"),
            _ => return Type::single(UNKNOWN),
        };
        let mut parts = vec![self.itself(schema, column)];
        if let Some(Value::String(to)) = schema.get("$ref") {
            parts.push(Type::single(self.reference(to)));
        }
        if let Some(Value::Array(all)) = schema.get("allOf") {
            parts.extend(all.iter().map(|it| self.of(it, column)));
        }
        for any in ["anyOf", "oneOf"] {
            if let Some(Value::Array(all)) = schema.get(any) {
                let each = all.iter().map(|it| self.of(it, column)).collect();
                parts.push(Type::union(each));
            }
        }
        Type::intersection(parts)
    }

    /// What it says by its own values and types. Without a `type` nothing is known of what has another.
    fn itself(&mut self, schema: &Map<String, Value>, column: usize) -> Type {
        if let Some(value) = schema.get("const") {
            return Type::single(literal(value));
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            let values = values.iter().map(|it| Type::single(literal(it)));
            return Type::union(values.collect());
        }
        let types = match schema.get("type") {
            Some(Value::Array(types)) => types.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => return Type::single(UNKNOWN),
        };
        let types = types.iter().map(|it| match it.as_str() {
            Some("object") => Type::single(self.object(schema, column)),
            Some("array") => Type::single(self.array(schema, column)),
            Some("integer" | "number") => Type::single("number"),
            Some(other @ ("string" | "boolean" | "null")) => Type::single(other),
            _ => Type::single(UNKNOWN),
        });
        Type::union(types.collect())
    }

    fn object(&mut self, schema: &Map<String, Value>, column: usize) -> String {
        let none = Map::new();
        let named = schema.get("properties").and_then(Value::as_object);
        let named = named.unwrap_or(&none);
        let required: Vec<&str> = match schema.get("required") {
            Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let (inner, mut lines) = (column + 2, String::new());
        let space = " ".repeat(inner);
        for (name, value) in named {
            let mark = match required.contains(&name.as_str()) {
                true => "",
                false => "?",
            };
            let (about, data) = (about(value, inner), self.of(value, inner).text);
            let name = key(name);
            let _ = writeln!(lines, "{about}{space}readonly {name}{mark}: {data};");
        }
        for name in required.iter().filter(|name| !named.contains_key(**name)) {
            let name = key(name);
            let _ = writeln!(lines, "{space}readonly {name}: unknown;");
        }
        if let Some(others) = self.others(schema, lines.is_empty(), inner) {
            let _ = writeln!(lines, "{space}readonly [name: string]: {others};");
        }
        match lines.is_empty() {
            true => "Readonly<Record<string, never>>".to_owned(),
            false => format!("{{\n{lines}{}}}", " ".repeat(column)),
        }
    }

    /// What members without a name of their own hold, if there may be some.
    fn others(
        &mut self,
        schema: &Map<String, Value>,
        alone: bool,
        column: usize,
    ) -> Option<String> {
        let by_pattern = schema.contains_key("patternProperties");
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) if !by_pattern => None,
            Some(others) if alone && !by_pattern => Some(self.of(others, column).text),
            None if !alone && !by_pattern => None,
            // One type for all has to fit those with names, too.
            _ => Some(UNKNOWN.to_owned()),
        }
    }

    fn array(&mut self, schema: &Map<String, Value>, column: usize) -> String {
        let items = schema.get("items");
        let rest = items.map_or_else(|| Type::single(UNKNOWN), |it| self.of(it, column));
        let Some(Value::Array(first)) = schema.get("prefixItems") else {
            return format!("readonly {}[]", rest.closed());
        };
        let least = schema.get("minItems").and_then(Value::as_u64);
        let least = least.and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
        let mut places: Vec<String> = Vec::new();
        for (place, item) in first.iter().enumerate() {
            let data = self.of(item, column).closed();
            places.push(match place < least {
                true => data,
                false => format!("{data}?"),
            });
        }
        if items != Some(&Value::Bool(false)) {
            places.push(format!("...{}[]", rest.closed()));
        }
        format!("readonly [{}]", places.join(", "))
    }

    /// The name of what a `$ref` leads to. Load has seen that it leads to a schema of the same file.
    fn reference(&mut self, to: &str) -> String {
        let Some(pointer) = of_reference(to) else {
            return UNKNOWN.to_owned();
        };
        if let Some(name) = self.known.get(&pointer) {
            return name.clone();
        }
        let last = pointer.rsplit('/').next().unwrap_or_default();
        let name = self
            .declared
            .name(&format!("{}{}", self.base, pascal(last)));
        self.known.insert(pointer.clone(), name.clone());
        self.open.push_back(pointer);
        name
    }
}

/// The one value that is meant.
fn literal(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(literal).collect();
            format!("readonly [{}]", items.join(", "))
        }
        Value::Object(members) if members.is_empty() => "Readonly<Record<string, never>>".into(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("readonly {}: {}", key(name), literal(value))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{ {} }}", members.join("; "))
        }
        plain => plain.to_string(),
    }
}

/// A member's name, in quotes where it needs some.
pub(super) fn key(name: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '$';
    match name.chars().all(plain) && !name.starts_with(|it: char| it.is_ascii_digit()) {
        true if !name.is_empty() => name.to_owned(),
        _ => Value::from(name).to_string(),
    }
}

/// `chat/{room}` as `ChatRoom`.
fn pascal(name: &str) -> String {
    let words = name.split(|it: char| !it.is_ascii_alphanumeric());
    let mut all = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        all.push_str(&first.to_ascii_uppercase());
        all.push_str(rest);
    }
    match all.starts_with(|it: char| it.is_ascii_alphabetic()) {
        true => all,
        false => format!("Data{all}"),
    }
}

/// What a schema says of itself to people.
fn about(schema: &Value, column: usize) -> String {
    let said = ["title", "description"].map(|it| schema.get(it).and_then(Value::as_str));
    let said: Vec<&str> = said.into_iter().flatten().collect();
    comment(&said.join("\n"), column)
}

/// A comment that nothing in it can end.
pub(super) fn comment(text: &str, column: usize) -> String {
    let space = " ".repeat(column);
    let text = text.replace("*/", "*\\/");
    let is_end = |it: char| matches!(it, '\n' | '\r' | '\u{2028}' | '\u{2029}');
    let lines: Vec<&str> = text.split(is_end).map(str::trim).collect();
    match &lines[..] {
        [""] => String::new(),
        [one] => format!("{space}/** {one} */\n"),
        all => {
            let line = |it: &&str| format!("{space} * {it}").trim_end().to_owned() + "\n";
            let all: String = all.iter().map(line).collect();
            format!("{space}/**\n{all}{space} */\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn declared(schema: Value) -> String {
        let mut declared = Declared::default();
        assert_eq!(declared.root("a", schema), "A");
        declared.into_text()
    }

    /// The type alone, on one line.
    fn type_of(schema: Value) -> String {
        let text = declared(schema);
        let text = text.trim().strip_prefix("export type A = ").unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_type_is_as_narrow_as_what_the_schema_is_sure_of() {
        for (schema, expected) in [
            (json!(true), "unknown;"),
            (json!(false), "never;"),
            (json!({ "maxLength": 3 }), "unknown;"),
            (json!({ "properties": { "a": false } }), "unknown;"),
            (
                json!({ "const": { "a": [1, "x"] } }),
                r#"{ readonly a: readonly [1, "x"] };"#,
            ),
            (json!({ "type": ["integer", "number"] }), "number;"),
            (
                json!({ "anyOf": [{ "type": "string" }, { "pattern": "x" }] }),
                "unknown;",
            ),
            (
                json!({ "allOf": [{ "oneOf": [{ "type": "string" }, { "type": "null" }] }, { "not": {} }], "type": "array" }),
                "readonly unknown[] & (string | null);",
            ),
            (
                json!({ "type": "object", "additionalProperties": false }),
                "Readonly<Record<string, never>>;",
            ),
            (
                json!({ "type": "object", "required": ["b"], "properties": { "a": { "type": "null" } }, "additionalProperties": { "type": "string" } }),
                "{ readonly a?: null; readonly b: unknown; readonly [name: string]: unknown; };",
            ),
            (
                json!({ "type": "array", "prefixItems": [{ "enum": [1, 2] }], "items": { "type": "string" } }),
                "readonly [(1 | 2)?, ...string[]];",
            ),
        ] {
            assert_eq!(type_of(schema.clone()), expected, "{schema}");
        }
    }

    #[test]
    fn nothing_that_a_schema_says_becomes_code() {
        let text = declared(json!({
            "description": "ends */ here\u{2028}and\ngoes on",
            "type": "object",
            "properties": { "\"]: any; x": { "const": "\"; alert(1) //" }, "1a": true, "": true },
        }));
        let expected = r#"
/**
 * ends *\/ here
 * and
 * goes on
 */
export type A = {
  readonly ""?: unknown;
  readonly "\"]: any; x"?: "\"; alert(1) //";
  readonly "1a"?: unknown;
};
"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn each_of_several_of_one_name_has_its_own() {
        let text = declared(json!({
            "type": "array",
            "items": { "anyOf": [{ "$ref": "#/$defs/a" }, { "$ref": "#/$defs/b/properties/a" }, { "$ref": "#" }] },
            "$defs": { "a": { "type": "string" }, "b": { "properties": { "a": { "type": "number" } } } },
        }));
        let expected = "\nexport type A = readonly (AA | AA2 | A)[];\n\nexport type AA = string;\n\nexport type AA2 = number;\n";
        assert_eq!(text, expected);
        let mut both = Declared::default();
        for name in ["chat/{a}", "chat/a", "7/\u{e4}"] {
            both.root(name, json!(true));
        }
        let text = both.into_text();
        for name in ["ChatA ", "ChatA2 ", "Data7 "] {
            assert!(text.contains(&format!("type {name}")), "{text}");
        }
    }
}
