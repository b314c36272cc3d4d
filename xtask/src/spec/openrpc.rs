//! What `spec/openrpc.json` says, as far as types and tables are made of it: methods, notifications and the shapes of what
//! they carry. A schema that is more than this knows is an error, so that nothing of it gets lost on the way.

use std::{fs, path::Path};

use serde_json::{Map, Value};

const SOURCE: &str = "spec/openrpc.json";

/// The document.
#[derive(Default)]
pub(super) struct Document {
    /// What a client may call.
    pub(super) calls: Vec<Call>,
    /// What the server says unasked.
    pub(super) notices: Vec<Shape>,
    /// Objects that several of them hold.
    pub(super) shapes: Vec<Shape>,
    /// Other types with a name.
    pub(super) named: Vec<Named>,
}

pub(super) struct Call {
    pub(super) params: Shape,
    /// None where the answer says nothing but that it was done.
    pub(super) result: Option<Shape>,
}

/// An object.
pub(super) struct Shape {
    /// As it stands on the wire, or the name of a component.
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) meaning: String,
    /// What must be there first.
    pub(super) members: Vec<Member>,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) meaning: String,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

pub(super) struct Named {
    pub(super) name: String,
    pub(super) meaning: String,
    pub(super) kind: Kind,
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// One of these texts.
    Words(Vec<String>),
    /// A text, or `null`.
    TextOrNull,
    Integer,
    Number,
    Flag,
    /// `true`, or it is not there.
    True,
    /// Any JSON.
    Any,
    /// An object by names that nobody knows before.
    Map,
    List(Box<Kind>),
    /// An object by the name of its component.
    Shape(String),
    /// Another type by the name of its component, and what it is.
    Named(String, Box<Kind>),
}

type Result<T> = std::result::Result<T, String>;

pub(super) fn read(root: &Path) -> Result<Document> {
    let text = fs::read_to_string(root.join(SOURCE)).map_err(|it| format!("{SOURCE}: {it}"))?;
    parse(&text)
}

pub(super) fn parse(text: &str) -> Result<Document> {
    let value: Value = serde_json::from_str(text).map_err(|it| format!("{SOURCE}: {it}"))?;
    let source = Source(&value);
    source.document().map_err(|it| format!("{SOURCE}: {it}"))
}

struct Source<'a>(&'a Value);

impl Source<'_> {
    fn document(&self) -> Result<Document> {
        let mut document = Document::default();
        for (name, schema) in self.components("schemas")? {
            match self.kind(schema)? {
                Kind::Shape(_) => document.shapes.push(self.object(name, schema)?),
                kind => document.named.push(Named {
                    name: name.clone(),
                    meaning: text(schema, "description")?,
                    kind,
                }),
            }
        }
        let methods = self.0.get("methods").and_then(Value::as_array);
        for method in methods.ok_or("no methods")? {
            let name = text(method, "name")?;
            let read = self.method(method, &mut document);
            read.map_err(|it| format!("method {name}: {it}"))?;
        }
        Ok(document)
    }

    fn method(&self, method: &Value, document: &mut Document) -> Result<()> {
        if method.get("paramStructure") != Some(&"by-name".into()) {
            return Err("parameters are by name".into());
        }
        let params = method.get("params").and_then(Value::as_array);
        let members = params.ok_or("no params")?.iter().map(|param| {
            Ok(Member {
                name: text(param, "name")?,
                meaning: text(param, "description")?,
                required: param.get("required") == Some(&Value::Bool(true)),
                kind: self.kind(member(param, "schema")?)?,
            })
        });
        let params = Shape {
            name: text(method, "name")?,
            summary: text(method, "summary")?,
            meaning: text(method, "description")?,
            members: members.collect::<Result<_>>()?,
        };
        match method.pointer("/tags/0/$ref").and_then(Value::as_str) {
            Some("#/components/tags/server") => document.notices.push(params),
            Some("#/components/tags/client") => {
                let schema = member(member(method, "result")?, "schema")?;
                let result = self.object(&params.name, schema)?;
                self.errors(method)?;
                document.calls.push(Call {
                    params,
                    result: (!result.members.is_empty()).then_some(result),
                });
            }
            _ => return Err("its tag is neither client nor server".into()),
        }
        Ok(())
    }

    /// Whether the errors that a method names are there.
    fn errors(&self, method: &Value) -> Result<()> {
        let errors = method.get("errors").and_then(Value::as_array);
        let mut errors = errors.ok_or("no errors")?.iter();
        errors.try_for_each(|error| self.referred(error).map(drop))
    }

    fn object(&self, name: &str, schema: &Value) -> Result<Shape> {
        let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
            Some(all) => all.iter().filter_map(Value::as_str).collect(),
            None => Vec::new(),
        };
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.unwrap_or(&empty);
        let optional = properties.keys().map(String::as_str);
        let optional = optional.filter(|name| !required.contains(name));
        let members = required.iter().copied().chain(optional).map(|name| {
            let schema = properties.get(name).ok_or_else(|| format!("no {name}"))?;
            Ok(Member {
                name: name.to_owned(),
                meaning: text(schema, "description")?,
                required: required.contains(&name),
                kind: self.kind(schema)?,
            })
        });
        Ok(Shape {
            name: name.to_owned(),
            summary: String::new(),
            meaning: text(schema, "description").unwrap_or_default(),
            members: members.collect::<Result<_>>()?,
        })
    }

    fn kind(&self, schema: &Value) -> Result<Kind> {
        if schema.get("$ref").is_some() {
            let (name, schema) = self.referred(schema)?;
            return Ok(match self.kind(schema)? {
                Kind::Shape(_) => Kind::Shape(name.to_owned()),
                kind => Kind::Named(name.to_owned(), Box::new(kind)),
            });
        }
        let words = schema.get("enum").and_then(Value::as_array);
        Ok(match (schema.get("type"), words) {
            (Some(Value::String(kind)), Some(words)) if kind == "string" => Kind::Words(
                words
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ),
            (Some(Value::String(kind)), None) => match kind.as_str() {
                "string" => Kind::Text,
                "integer" => Kind::Integer,
                "number" => Kind::Number,
                "boolean" if schema.get("const") == Some(&Value::Bool(true)) => Kind::True,
                "boolean" => Kind::Flag,
                "array" => Kind::List(Box::new(self.kind(member(schema, "items")?)?)),
                "object" if schema.get("properties").is_some() => {
                    Kind::Shape(text(schema, "title").unwrap_or_default())
                }
                "object" => Kind::Map,
                other => return Err(format!("the type {other} is not known here")),
            },
            (Some(Value::Array(kinds)), None) if *kinds == ["string", "null"] => Kind::TextOrNull,
            (None, None) => Kind::Any,
            _ => return Err(format!("not known here: {schema}")),
        })
    }

    fn components(&self, of: &str) -> Result<&Map<String, Value>> {
        let found = self.0.get("components").and_then(|all| all.get(of));
        found
            .and_then(Value::as_object)
            .ok_or_else(|| format!("no components of {of}"))
    }

    /// A component, and its name.
    fn referred<'b>(&'b self, reference: &'b Value) -> Result<(&'b str, &'b Value)> {
        let to = reference.get("$ref").and_then(Value::as_str);
        let to = to.ok_or("a reference is missing")?;
        let found = to.strip_prefix('#').and_then(|it| self.0.pointer(it));
        let (_, name) = to.rsplit_once('/').unwrap_or_default();
        found
            .map(|it| (name, it))
            .ok_or_else(|| format!("{to} refers to nothing"))
    }
}

fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    value.get(name).ok_or_else(|| format!("no {name}: {value}"))
}

fn text(value: &Value, name: &str) -> Result<String> {
    let text = value.get(name).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("no {name}: {value}"))
}

/// `noEcho` as a type is called.
pub(super) fn pascal(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_here_is_an_error_and_never_left_out() {
        let document = |schema: &str| {
            let text = format!(
                r##"{{"methods":[{{"name":"m","summary":"","description":"","tags":[{{"$ref":"#/components/tags/server"}}],
                "paramStructure":"by-name","params":[{{"name":"p","description":"","schema":{schema}}}]}}],
                "components":{{"schemas":{{}}}}}}"##
            );
            parse(&text).map(|it| it.notices.len())
        };
        assert_eq!(document(r#"{"type":"string"}"#), Ok(1));
        for unknown in [
            r#"{"type":["integer","null"]}"#,
            r#"{"type":"null"}"#,
            r#"{"type":"array"}"#,
            r##"{"$ref":"#/components/schemas/Nothing"}"##,
            r#"{"enum":[1]}"#,
        ] {
            assert!(document(unknown).is_err(), "{unknown}");
        }
    }
}
