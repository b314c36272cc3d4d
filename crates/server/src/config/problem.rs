//! What is wrong with a configuration: where, why, and what to do.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::environment::Override;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Every problem of a file.
#[derive(Debug, Default)]
pub struct Problems {
    path: PathBuf,
    list: Vec<(Place, Problem)>,
}

/// A problem as a program is told of it.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// The configuration's own.
    pub file: String,
    /// From 1; none of a problem of the whole file, or of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// The environment variable in which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere in particular.
    Whole,
    /// In this line and column of the file.
    Line(usize, usize),
    /// In an environment variable.
    Variable(String),
}

/// What a configuration was read from.
pub(super) struct Source<'a> {
    path: &'a Path,
    text: &'a str,
    overrides: &'a [Override],
    /// Where each line begins, so that a file of nothing but mistakes is not read once for each.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a Path, text: &'a str, overrides: &'a [Override]) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            path,
            text,
            overrides,
            lines: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// Where a span begins. Spans behind the text's end are those of variables.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let variable = self
            .overrides
            .iter()
            .find(|it| it.span.contains(&span.start));
        if let Some(variable) = variable {
            return Place::Variable(variable.name.clone());
        }
        let line = self.lines.partition_point(|begin| *begin <= span.start);
        let begin = line.checked_sub(1).and_then(|at| self.lines.get(at));
        let before = begin.and_then(|begin| self.text.get(*begin..span.start));
        before.map_or(Place::Whole, |before| {
            Place::Line(line, before.chars().count() + 1)
        })
    }
}

impl Problem {
    /// A problem of the file as a whole.
    #[must_use]
    pub fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            span: None,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// The same, at this place.
    #[must_use]
    pub fn at(self, span: Range<usize>) -> Self {
        Self {
            span: Some(span),
            ..self
        }
    }

    pub(super) fn of_toml(error: &toml::de::Error) -> Self {
        let missing = error
            .message()
            .strip_prefix("missing field `")
            .and_then(|rest| rest.strip_suffix('`'));
        let (message, remedy) = match missing {
            Some(key) => (
                format!("`{key}` is missing"),
                format!("Add it; docs/configuration.md explains `{key}`."),
            ),
            None => (
                error.message().to_owned(),
                "See docs/configuration.md for the shape of every key.".to_owned(),
            ),
        };
        Self {
            span: error.span(),
            message,
            remedy,
        }
    }
}

impl Problems {
    pub(super) fn new(source: &Source<'_>, list: Vec<Problem>) -> Self {
        let place = |problem: &Problem| match &problem.span {
            Some(span) => source.place(span),
            None => Place::Whole,
        };
        let mut list: Vec<_> = list
            .into_iter()
            .map(|problem| (place(&problem), problem))
            .collect();
        list.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self {
            path: source.path.to_path_buf(),
            list,
        }
    }

    /// A problem of the file as a whole.
    #[must_use]
    pub fn one(path: &Path, problem: Problem) -> Self {
        Self::new(&Source::new(path, "", &[]), vec![problem])
    }

    pub(super) fn placed(path: &Path, place: Option<&Place>, problem: Problem) -> Self {
        Self {
            path: path.to_path_buf(),
            list: vec![(place.cloned().unwrap_or(Place::Whole), problem)],
        }
    }

    /// Each with its place, message and remedy, in the file's order.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|(place, problem)| {
            let path = visible(&self.path.display().to_string());
            let (message, remedy) = (visible(&problem.message), visible(&problem.remedy));
            match place {
                Place::Line(line, column) => {
                    format!("{path}:{line}:{column}: {message}\n    {remedy}")
                }
                Place::Variable(name) => {
                    format!("${}: {message}\n    {remedy}", visible(name))
                }
                Place::Whole => format!("{path}: {message}\n    {remedy}"),
            }
        })
    }

    /// Each for a program, in the file's order.
    pub fn told(&self) -> impl Iterator<Item = Told> {
        self.list.iter().map(|(place, problem)| {
            let (line, column, variable) = match place {
                Place::Line(line, column) => (Some(*line), Some(*column), None),
                Place::Variable(name) => (None, None, Some(visible(name))),
                Place::Whole => (None, None, None),
            };
            Told {
                file: visible(&self.path.display().to_string()),
                line,
                column,
                variable,
                message: visible(&problem.message),
                remedy: visible(&problem.remedy),
            }
        })
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

/// Words of a file, or of those who wrote its parser, steer no terminal.
pub(crate) fn visible(text: &str) -> String {
    let steers = |character: char| {
        character.is_control()
            || matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match steers(character) {
            true => out.extend(character.escape_unicode()),
            false => out.push(character),
        }
    }
    out
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.lines() {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
