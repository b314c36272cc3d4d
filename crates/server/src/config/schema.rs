//! The JSON Schema (2020-12) of the configuration file, made from the structs in [`file`](super::file), and how it is asked.
//!
//! Editors complete a configuration with it, `docs/configuration.md` gets its tables from it, and the server itself knows
//! from it which keys there are, which of them the environment may set, and within which bounds they have to be.

use std::sync::OnceLock;

use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{RecursiveTransform, Transform},
};
use serde_json::{Map, Value, json};

use super::File;

/// The schema of the whole file.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<File>();
        RecursiveTransform(tidy).transform(&mut schema);
        schema.insert("title".into(), "wardwire.toml".into());
        schema.to_value()
    })
}

/// Makes of what Rust can say what TOML can: there is no null, and a line break in a comment means nothing.
fn tidy(schema: &mut Schema) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::String(text)) = members.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    // The defaults of a table's keys stand with the keys.
    let says_less =
        |it: &Value| it.is_null() || it.is_object() || members.contains_key("x-default");
    if members.get("default").is_some_and(says_less) {
        members.remove("default");
    }
    // The width of Rust's integers says nothing to a reader, and editors do not know it.
    if members
        .get("format")
        .is_some_and(|it| it.as_str().is_some_and(|it| it.starts_with("uint")))
    {
        members.remove("format");
    }
    without_null(members);
    required(members);
}

fn without_null(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|it| it != "null");
        if let [only] = &mut **types {
            let only = only.take();
            members.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(ways)) = members.get_mut("anyOf") {
        ways.retain(|it| it.get("type").is_none_or(|it| it != "null"));
        if let [Value::Object(only)] = &mut **ways {
            let only = std::mem::take(only);
            members.remove("anyOf");
            for (name, value) in only {
                members.entry(name).or_insert(value);
            }
            without_null(members);
        }
    }
}

/// Keys that must be there although their lack can be read, because what is wrong with it is said better later.
fn required(members: &mut Map<String, Value>) {
    let Some(Value::Object(properties)) = members.get_mut("properties") else {
        return;
    };
    let mut names = Vec::new();
    for (name, property) in properties.iter_mut() {
        let Some(property) = property.as_object_mut() else {
            continue;
        };
        if property.remove("x-required").is_some() {
            property.remove("default");
            names.push(Value::from(name.as_str()));
        }
    }
    if !names.is_empty()
        && let Value::Array(all) = members.entry("required").or_insert_with(|| json!([]))
    {
        all.append(&mut names);
    }
}

/// One place of the schema: what may stand there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape<'a>(&'a Value);

impl Shape<'static> {
    /// The file itself.
    pub(super) fn file() -> Self {
        Self(schema())
    }
}

impl<'a> Shape<'a> {
    /// What may stand behind a key of this table, or of each table of this array.
    pub(super) fn key(self, name: &str) -> Option<Self> {
        self.tables()
            .find_map(|table| table.0.get("properties")?.get(name))
            .map(Self)
    }

    /// The keys of this table; none if it is no table.
    pub(super) fn keys(self) -> Vec<&'a str> {
        let properties = |table: Self| table.0.get("properties")?.as_object();
        let mut keys: Vec<_> = self
            .tables()
            .filter_map(properties)
            .flat_map(|properties| properties.keys().map(String::as_str))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Whether it is an array of tables.
    pub(super) fn is_many(self) -> bool {
        self.0
            .get("items")
            .is_some_and(|items| !Self(items).keys().is_empty())
    }

    /// Whether it is an array of values.
    pub(super) fn is_list(self) -> bool {
        self.0.get("items").is_some() && !self.is_many()
    }

    /// Whether a value of this type may stand here (`"integer"`, `"boolean"`, `"string"`).
    pub(super) fn takes(self, kind: &str) -> bool {
        match self.0.get("type") {
            Some(Value::String(own)) => own == kind,
            Some(Value::Array(own)) => own.iter().any(|it| it == kind),
            _ => self.ways().any(|way| way.takes(kind)),
        }
    }

    /// What one of its marks says, such as `x-type` or `minimum`.
    pub(super) fn mark(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// What it names, if it is spoken of elsewhere: only what can hold itself is.
    fn named(self) -> Self {
        let target = self.0.get("$ref").and_then(Value::as_str);
        let found = target.and_then(|target| schema().pointer(target.strip_prefix('#')?));
        found.map_or(self, Shape)
    }

    /// Itself, what its items are, and what else may stand here.
    fn tables(self) -> impl Iterator<Item = Self> {
        let own = self.named();
        let items = own.0.get("items").map(Self).map(Self::named);
        std::iter::once(own)
            .chain(items)
            .flat_map(|it| std::iter::once(it).chain(it.ways()))
    }

    fn ways(self) -> impl Iterator<Item = Self> {
        ["anyOf", "oneOf"]
            .into_iter()
            .filter_map(move |name| self.0.get(name)?.as_array())
            .flatten()
            .map(|way| Self(way).named())
    }
}
