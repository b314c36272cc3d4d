//! What may be published to a channel, as a JSON Schema states it (2020-12), and how its strings are made safe to show.
//!
//! A schema is [surveyed](survey) and its [`cost`] counted before the `jsonschema` crate compiles it, so that a file that
//! is not understood, reaches out of itself or could be attacked is refused at load. A publication is judged, its strings
//! [sanitised](sanitise) where the schema says so, and judged again if that changed anything: what is delivered fits the
//! schema, and would pass once more as it is. What is not changed goes on byte for byte.
//!
//! Nothing here knows channels or who publishes.

mod cost;
mod html;
mod key;
mod keywords;
pub mod pointer;
mod rewrite;
mod sanitise;
mod survey;
mod url;

pub use key::{Key, Promised};
pub(crate) use sanitise::clean;

use std::{borrow::Cow, fmt};

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Value, value::RawValue};
use wardwire_protocol::json;

use cost::Cost;
use rewrite::Edits;
use sanitise::Rule;
use survey::Survey;

/// The largest schema, in bytes.
pub const LARGEST: usize = 256 * 1024;
/// What a regular expression may take, compiled, in bytes.
const PATTERN: usize = 64 * 1024;
/// What its cache of states may take, in bytes.
const PATTERN_CACHE: usize = 256 * 1024;
/// How much HTML one publication may hold, in bytes; what holds none of its signs is free.
const HTML: usize = 16 * 1024;
/// By how much a short publication may grow when its strings are written out anew, in bytes; a longer one by its own length.
const ROOM: usize = 4 * 1024;
/// The keyword by which sanitising is answered.
const SANITISE: &str = "x-sanitise";

/// What may be published.
pub struct Content {
    /// Of which it was made.
    text: Box<str>,
    validator: Validator,
    cost: Cost,
    /// In the compiled schema each stands by its number.
    rules: Vec<Rule>,
}

/// Why a text is no schema for a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {pointer:?}, line {line}: {why}")]
pub struct BadSchema {
    /// Where in the schema, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// In which line of its text, from 1.
    pub line: usize,
    /// What is wrong there.
    pub why: String,
}

impl BadSchema {
    fn new(pointer: String, why: impl Into<String>) -> Self {
        let (line, why) = (0, why.into());
        Self { pointer, line, why }
    }
}

/// Why a publication does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where in the data, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// The keyword that it does not fit: `maxLength`, `x-sanitise`; `cost` if judging it would take too long.
    pub keyword: String,
}

impl Content {
    /// Reads a schema.
    ///
    /// # Errors
    /// It is too large, no strict JSON, no schema of 2020-12, not understood in every word, refers to something outside, has
    /// regular expressions that are not linear, sanitises where that could not be done, or could take too long.
    pub fn compile(text: &str) -> Result<Self, BadSchema> {
        let schema = read(text)?;
        compile(&schema, text).map_err(|bad| BadSchema {
            line: line(text, &bad.pointer),
            ..bad
        })
    }

    /// Judges what is to be published, and gives it back as it may be delivered.
    ///
    /// # Errors
    /// The first place where it does not fit.
    pub fn clear<'a>(&self, data: &'a RawValue) -> Result<Cow<'a, RawValue>, Violation> {
        let fault = |_| Violation::at("", "type");
        let mut value: Value = serde_json::from_str(data.get()).map_err(fault)?;
        if !self.cost.affords(&value) {
            return Err(Violation::at("", "cost"));
        }
        self.judge(&value)?;
        if self.rules.is_empty() {
            return Ok(Cow::Borrowed(data));
        }
        let edits = self.sanitise(&value)?;
        if edits.is_empty() {
            return Ok(Cow::Borrowed(data));
        }
        edits.apply(&mut value);
        if !self.cost.affords(&value) {
            return Err(Violation::at("", "cost"));
        }
        self.judge(&value)?;
        // Another branch of the schema may fit now, and ask for something else.
        if let Some(place) = self.sanitise(&value)?.place() {
            return Err(Violation::at(&place, SANITISE));
        }
        let written = edits.write(data).map_err(fault)?;
        // It goes to everybody who follows: nobody makes much of little.
        if written.get().len() > 2 * data.get().len() + ROOM {
            return Err(Violation::at("", SANITISE));
        }
        Ok(Cow::Owned(written))
    }

    fn judge(&self, value: &Value) -> Result<(), Violation> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let error = self.validator.validate(value).err();
        Err(error.map_or_else(
            || Violation::at("", "schema"),
            |error| Violation::at(error.instance_path().as_str(), error.kind().keyword()),
        ))
    }

    /// What is to stand in the place of strings that hold what they may not.
    fn sanitise(&self, value: &Value) -> Result<Edits, Violation> {
        let mut edits = Edits::default();
        let mut left = HTML;
        let evaluation = self.validator.evaluate(value);
        for entry in evaluation.iter_annotations() {
            let number = entry.annotations.value().get(SANITISE);
            let number = number
                .and_then(Value::as_u64)
                .and_then(|it| usize::try_from(it).ok());
            let Some(rule) = number.and_then(|it| self.rules.get(it)) else {
                continue;
            };
            let place = entry.instance_location.as_str();
            let Some(text) = value.pointer(place).and_then(Value::as_str) else {
                continue;
            };
            let text = edits.get(place).unwrap_or(text);
            if let Rule::Html(_) = rule {
                let rest = left.checked_sub(html::price(text));
                left = rest.ok_or_else(|| Violation::at(place, "cost"))?;
            }
            let refused = |_| Violation::at(place, SANITISE);
            if let Cow::Owned(other) = rule.apply(text).map_err(refused)? {
                edits.put(place, other);
            }
        }
        Ok(edits)
    }
}

impl Violation {
    /// Of the data as a whole.
    pub(crate) fn whole(keyword: &str) -> Self {
        Self::at("", keyword)
    }

    fn at(pointer: &str, keyword: &str) -> Self {
        Self {
            pointer: pointer.to_owned(),
            keyword: keyword.to_owned(),
        }
    }
}

/// Two are the same if they were read from the same text.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

fn read(text: &str) -> Result<Value, BadSchema> {
    let whole = |line, why: String| BadSchema {
        pointer: String::new(),
        line,
        why,
    };
    if text.len() > LARGEST {
        return Err(whole(1, "larger than 256 KiB".to_owned()));
    }
    json::check(text).map_err(|error| {
        let before = text.get(..error.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        BadSchema {
            why: error.to_string(),
            pointer: error.pointer,
            line,
        }
    })?;
    serde_json::from_str(text).map_err(|error| whole(error.line(), error.to_string()))
}

fn compile(schema: &Value, text: &str) -> Result<Content, BadSchema> {
    let survey = Survey::of(schema)?;
    let cost = Cost::of(&survey)?;
    let mut schema = schema.clone();
    if let Value::Object(members) = &mut schema {
        // Whatever it calls itself, its references are its own.
        members.remove("$id");
    }
    let mut rules = Vec::new();
    for (place, rule) in survey.rules() {
        let written = schema
            .pointer_mut(place)
            .and_then(|it| it.get_mut(SANITISE));
        if let Some(written) = written {
            *written = rules.len().into();
            rules.push(rule.clone());
        }
    }
    let patterns = PatternOptions::regex()
        .size_limit(PATTERN)
        .dfa_size_limit(PATTERN_CACHE);
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .build(&schema)
        .map_err(|error| {
            BadSchema::new(error.instance_path().as_str().to_owned(), error.to_string())
        })?;
    Ok(Content {
        text: text.into(),
        validator,
        cost,
        rules,
    })
}

/// The line in which a pointer leads.
fn line(text: &str, place: &str) -> usize {
    let mut rest = text;
    for step in pointer::steps(place) {
        let inside = match serde_json::from_str::<Members<'_>>(rest) {
            Ok(members) => members.get(&*step).map(|raw| raw.get()),
            Err(_) => serde_json::from_str::<Vec<&RawValue>>(rest)
                .ok()
                .and_then(|items| Some(items.get(step.parse::<usize>().ok()?)?.get())),
        };
        match inside {
            Some(inside) => rest = inside,
            None => break,
        }
    }
    let offset = rest.as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let before = text.get(..offset).unwrap_or_default();
    before.matches('\n').count() + 1
}

type Members<'a> = std::collections::HashMap<Cow<'a, str>, &'a RawValue>;

#[cfg(test)]
mod tests;
