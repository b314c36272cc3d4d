//! From text to the file's shape. What cannot be read is taken out and named, so that the rest can be read too.

use std::ops::Range;

use serde::Deserialize as _;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Deserializer},
};

use super::{
    File, Problem,
    environment::{self, Override, Variable},
    places::Places,
    ranges, unknown,
};

/// What a text says, as far as it can be read.
pub(super) struct Reading {
    /// None if anything was wrong that leaves a value out.
    pub(super) file: Option<File>,
    pub(super) places: Places,
    pub(super) problems: Vec<Problem>,
    /// What the environment set.
    pub(super) overrides: Vec<Override>,
    /// The paths of values that were refused as too small or too large.
    pub(super) out_of_range: Vec<String>,
}

/// The most values of a wrong type that are named in one go.
const MOST: usize = 64;

pub(super) fn read<'a>(text: &'a str, variables: &'a [Variable]) -> Reading {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors.iter().map(Problem::of_toml).collect();
    let torn = !problems.is_empty();
    unknown::take(table.get_mut(), &mut problems);
    // From here on a value is a value, wherever it came from, and is asked the same.
    let overrides = environment::lay_over(table.get_mut(), variables, text.len(), &mut problems);
    let places = Places::of(table.get_ref(), text.len());
    let file = shape(table.clone(), torn, &mut problems);
    let out_of_range = match &file {
        Some(_) => ranges::judge(table.get_ref(), &mut problems),
        None => Vec::new(),
    };
    Reading {
        file,
        places,
        problems,
        overrides,
        out_of_range,
    }
}

/// Reads the shape. A value of the wrong type is named, taken out, and the rest is tried again.
fn shape(mut table: Spanned<DeTable<'_>>, torn: bool, problems: &mut Vec<Problem>) -> Option<File> {
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..MOST {
        let error = match File::deserialize(Deserializer::from(table.clone())) {
            Ok(file) => return (taken.is_empty() && !torn).then_some(file),
            Err(error) => error,
        };
        // What was taken out, or lost in a broken line, is not missing.
        let missing = error.message().strip_prefix("missing field `");
        let follows = missing.is_some_and(|name| {
            torn || taken
                .iter()
                .any(|key| name.strip_suffix('`') == Some(key.as_str()))
        });
        if !follows {
            problems.push(Problem::of_toml(&error));
        }
        taken.push(take_out(table.get_mut(), &error.span()?)?);
    }
    None
}

/// Takes out the innermost member, or table of an array, that is or holds what stands at `span`. Gives its key.
fn take_out(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let (name, value) = table
        .iter_mut()
        .find(|(key, value)| holds(&key.span(), span) || value_holds(value, span))?;
    let name = name.get_ref().to_string();
    let inner = match value.get_mut() {
        DeValue::Table(table) => take_out(table, span),
        DeValue::Array(items) => take_out_of(items, span, &name),
        _ => None,
    };
    inner.or_else(|| table.remove(name.as_str()).map(|_| name))
}

fn take_out_of(items: &mut DeArray<'_>, span: &Range<usize>, name: &str) -> Option<String> {
    let at = items.iter().position(|item| value_holds(item, span))?;
    match items.get_mut(at)?.get_mut() {
        DeValue::Table(table) => take_out(table, span).or_else(|| {
            let rest = items.iter().enumerate().filter(|(index, _)| *index != at);
            *items = rest.map(|(_, item)| item.clone()).collect();
            Some(name.to_owned())
        }),
        _ => None,
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Whether a value, or anything in it, holds a span. The span of a table under a header is that of the header alone.
fn value_holds(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> bool {
    holds(&value.span(), span)
        || match value.get_ref() {
            DeValue::Table(table) => table
                .iter()
                .any(|(key, value)| holds(&key.span(), span) || value_holds(value, span)),
            DeValue::Array(items) => items.iter().any(|item| value_holds(item, span)),
            _ => false,
        }
}
