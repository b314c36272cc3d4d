//! Reads a schema as a whole, before it is compiled: which schemas it is made of, how they lead to one another, and that
//! nothing stands in it that is not understood.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    BadSchema,
    keywords::{FORMATS, Inner, Keyword, keyword, remedy},
    pointer,
    sanitise::Rule,
};

/// The most schemas in one file.
const SCHEMAS: usize = 2000;
/// So many names or values that are compared take as long as a look.
const UNIT: u64 = 8;
/// The dialect, and the only one.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schemas of a file. The first is the whole.
pub(super) struct Survey {
    pub(super) schemas: Vec<Schema>,
}

/// One schema, and where it leads.
pub(super) struct Schema {
    pub(super) pointer: String,
    /// What judging a value by it alone takes, in looks.
    pub(super) weight: u64,
    /// Regular expressions that it asks of a string.
    pub(super) patterns: u64,
    /// Schemas for the same value.
    pub(super) same: Vec<usize>,
    /// Schemas for what is inside.
    pub(super) inner: Vec<(Inner, usize)>,
    /// Whether what it says of sanitising is carried out, if it is reached: not in a question.
    applies: bool,
    /// Those of `same` and `inner` that only ask.
    asked: Vec<usize>,
    rule: Option<Rule>,
}

/// A schema that is still to be read.
struct Pending<'a> {
    value: &'a Value,
    at: usize,
}

/// What was read of one schema.
#[derive(Default)]
struct Read {
    /// In parts of [`UNIT`].
    weight: u64,
    patterns: u64,
    same: Vec<usize>,
    inner: Vec<(Inner, usize)>,
    asked: Vec<usize>,
    reference: Option<(String, String)>,
    twice: bool,
}

struct Reader<'a> {
    schemas: Vec<Schema>,
    pending: Vec<Pending<'a>>,
    /// From which schema, where that is written, and to where.
    references: Vec<(usize, String, String)>,
}

impl Survey {
    /// Reads a schema.
    pub(super) fn of(root: &Value) -> Result<Self, BadSchema> {
        let mut reader = Reader {
            schemas: Vec::new(),
            pending: Vec::new(),
            references: Vec::new(),
        };
        reader.open(root, String::new(), true)?;
        while let Some(Pending { value, at }) = reader.pending.pop() {
            reader.read(value, at)?;
        }
        let survey = reader.refer()?;
        survey.every_rule_applies()?;
        Ok(survey)
    }

    /// What is to be sanitised, each with the pointer of the schema that says so.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&str, &Rule)> {
        let each = self.schemas.iter();
        each.filter_map(|schema| Some((&*schema.pointer, schema.rule.as_ref()?)))
    }

    /// A rule where no value is ever led to would be a promise that is not kept.
    fn every_rule_applies(&self) -> Result<(), BadSchema> {
        let mut reached = vec![false; self.schemas.len()];
        let mut next = vec![0];
        while let Some(at) = next.pop() {
            let (Some(seen), Some(schema)) = (reached.get_mut(at), self.schemas.get(at)) else {
                continue;
            };
            if !std::mem::replace(seen, true) {
                let inner = schema.inner.iter().map(|(_, at)| at);
                let led = schema.same.iter().chain(inner);
                next.extend(led.filter(|at| !schema.asked.contains(at)));
            }
        }
        for (schema, reached) in self.schemas.iter().zip(reached) {
            if schema.rule.is_some() && !(schema.applies && reached) {
                return Err(BadSchema::new(
                    pointer::join(&schema.pointer, "x-sanitise"),
                    "nothing is ever sanitised by this: it stands in a question (`not`, `if`, `contains`, `propertyNames`), or where nothing leads",
                ));
            }
        }
        Ok(())
    }
}

impl<'a> Reader<'a> {
    /// Takes a schema in, to be read later. Gives its number.
    fn open(
        &mut self,
        value: &'a Value,
        pointer: String,
        applies: bool,
    ) -> Result<usize, BadSchema> {
        if self.schemas.len() >= SCHEMAS {
            let why = format!("more than {SCHEMAS} schemas in one file");
            return Err(BadSchema::new(pointer, why));
        }
        let at = self.schemas.len();
        self.schemas.push(Schema {
            pointer,
            weight: 1,
            patterns: 0,
            same: Vec::new(),
            inner: Vec::new(),
            applies,
            asked: Vec::new(),
            rule: None,
        });
        self.pending.push(Pending { value, at });
        Ok(at)
    }

    fn read(&mut self, value: &'a Value, at: usize) -> Result<(), BadSchema> {
        let Some(schema) = self.schemas.get(at) else {
            return Ok(());
        };
        let (place, applies) = (schema.pointer.clone(), schema.applies);
        let object = match value {
            Value::Bool(_) => return Ok(()),
            Value::Object(object) => object,
            _ => {
                return Err(BadSchema::new(
                    place,
                    "a schema is an object, true or false",
                ));
            }
        };
        let mut read = Read {
            weight: UNIT,
            ..Read::default()
        };
        for (name, value) in object {
            let here = pointer::join(&place, name);
            match keyword(name) {
                Some(known) => self.member(known, name, value, here, applies, &mut read)?,
                None => unknown(name, here)?,
            }
        }
        let rule = Rule::of(object)
            .map_err(|(name, why)| BadSchema::new(pointer::join(&place, name), why))?;
        if read.twice {
            read.same.extend_from_within(..);
        }
        let references = read.reference.map(|(here, target)| (at, here, target));
        self.references.extend(references);
        if let Some(schema) = self.schemas.get_mut(at) {
            schema.weight = read.weight / UNIT;
            schema.patterns = read.patterns;
            schema.same = read.same;
            schema.inner = read.inner;
            schema.asked = read.asked;
            schema.rule = rule;
        }
        Ok(())
    }

    fn member(
        &mut self,
        known: Keyword,
        name: &str,
        value: &'a Value,
        here: String,
        applies: bool,
        read: &mut Read,
    ) -> Result<(), BadSchema> {
        match (known, value) {
            (Keyword::Assertion, _) => assertion(name, value, &here, read)?,
            (Keyword::Note | Keyword::Sanitise, _) => note(name, value, &here)?,
            (Keyword::Same, _) => read.same.push(self.open(value, here, applies)?),
            (Keyword::Asked, _) => {
                let at = self.open(value, here, false)?;
                read.same.push(at);
                read.asked.push(at);
            }
            (Keyword::Inner(inner), _) => {
                let asks = matches!(name, "contains" | "propertyNames");
                let at = self.open(value, here, applies && !asks)?;
                read.inner.push((inner, at));
                read.asked.extend(asks.then_some(at));
                // To tell what was left over, what the others took is looked up once more.
                read.twice |= name.starts_with("unevaluated");
            }
            (Keyword::SameEach, Value::Array(list)) => {
                for (step, value) in list.iter().enumerate() {
                    let here = pointer::join(&here, &step.to_string());
                    read.same.push(self.open(value, here, applies)?);
                }
            }
            (Keyword::InnerEach, Value::Array(list)) => {
                for (step, value) in list.iter().enumerate() {
                    let here = pointer::join(&here, &step.to_string());
                    let at = self.open(value, here, applies)?;
                    read.inner.push((Inner::Element, at));
                }
            }
            (Keyword::SameByName, Value::Object(table)) => {
                for (step, value) in table {
                    let here = pointer::join(&here, step);
                    read.same.push(self.open(value, here, applies)?);
                }
            }
            (Keyword::InnerByName(inner), Value::Object(table)) => {
                read.weight = read.weight.saturating_add(table.len() as u64);
                for (step, value) in table {
                    let here = pointer::join(&here, step);
                    read.inner.push((inner, self.open(value, here, applies)?));
                }
            }
            (Keyword::Definitions, Value::Object(table)) => {
                for (step, value) in table {
                    self.open(value, pointer::join(&here, step), true)?;
                }
            }
            (Keyword::Reference, Value::String(reference)) => {
                let target = pointer::of_reference(reference).ok_or_else(|| {
                    let why = format!(
                        "{reference:?} leads out of this file: a reference is `#` or begins with `#/`, and nothing is fetched"
                    );
                    BadSchema::new(here.clone(), why)
                })?;
                read.reference = Some((here, target));
            }
            _ => {
                let why = format!("`{name}` does not hold that");
                return Err(BadSchema::new(here, why));
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Lets every reference lead to its schema.
    fn refer(mut self) -> Result<Survey, BadSchema> {
        let all = self.schemas.iter().enumerate();
        let places: HashMap<String, usize> = all
            .map(|(at, schema)| (schema.pointer.clone(), at))
            .collect();
        for (from, here, target) in std::mem::take(&mut self.references) {
            let Some(to) = places.get(&target) else {
                let why = format!("there is no schema at {target:?}");
                return Err(BadSchema::new(here, why));
            };
            if let Some(schema) = self.schemas.get_mut(from) {
                schema.same.push(*to);
            }
        }
        Ok(Survey {
            schemas: self.schemas,
        })
    }
}

fn unknown(name: &str, here: String) -> Result<(), BadSchema> {
    match (remedy(name), name.starts_with("x-")) {
        (Some(remedy), _) => {
            let why = format!("there is no keyword {name:?}: {remedy}");
            Err(BadSchema::new(here, why))
        }
        (None, true) => Ok(()),
        (None, false) => {
            let why = format!(
                "there is no keyword {name:?} in JSON Schema 2020-12; notes of other tools begin with `x-`"
            );
            Err(BadSchema::new(here, why))
        }
    }
}

fn assertion(name: &str, value: &Value, here: &str, read: &mut Read) -> Result<(), BadSchema> {
    match (name, value) {
        ("format", Value::String(format)) if !FORMATS.contains(&&**format) => {
            let why = format!(
                "the format {format:?} is not judged here; there are {}, and `pattern`",
                FORMATS.join(", ")
            );
            return Err(BadSchema::new(here.to_owned(), why));
        }
        ("pattern", _) => read.patterns += 1,
        ("enum" | "required", Value::Array(list)) => {
            read.weight = read.weight.saturating_add(list.len() as u64);
        }
        ("dependentRequired", Value::Object(table)) => {
            read.weight = read.weight.saturating_add(table.len() as u64);
        }
        _ => {}
    }
    Ok(())
}

fn note(name: &str, value: &Value, here: &str) -> Result<(), BadSchema> {
    let dialect = value.as_str().map(|it| it.trim_end_matches('#'));
    match name {
        "$schema" if dialect != Some(DIALECT) => {
            let why = format!("only 2020-12 is spoken here: write {DIALECT:?}, or leave it out");
            Err(BadSchema::new(here.to_owned(), why))
        }
        // It would give what is below another base for its references.
        "$id" | "$schema" if here.matches('/').count() > 1 => {
            let why = format!("`{name}` stands at the top or nowhere");
            Err(BadSchema::new(here.to_owned(), why))
        }
        _ => Ok(()),
    }
}
