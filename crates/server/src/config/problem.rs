//! What is wrong with a configuration: where, why, and what to do.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

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
    list: Vec<(Option<(usize, usize)>, Problem)>,
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
    pub(super) fn new(path: &Path, text: &str, list: Vec<Problem>) -> Self {
        let place = |problem: &Problem| {
            let before = text.get(..problem.span.as_ref()?.start)?;
            let line = before.matches('\n').count() + 1;
            let column = before
                .rsplit('\n')
                .next()
                .map_or(0, |rest| rest.chars().count())
                + 1;
            Some((line, column))
        };
        let mut list: Vec<_> = list
            .into_iter()
            .map(|problem| (place(&problem), problem))
            .collect();
        list.sort_by_key(|(place, _)| *place);
        Self {
            path: path.to_path_buf(),
            list,
        }
    }

    pub(super) fn one(path: &Path, problem: Problem) -> Self {
        Self::new(path, "", vec![problem])
    }

    /// Each with its place, message and remedy, in the file's order.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|(place, problem)| {
            let path = self.path.display();
            let (message, remedy) = (visible(&problem.message), visible(&problem.remedy));
            match place {
                Some((line, column)) => format!("{path}:{line}:{column}: {message}\n    {remedy}"),
                None => format!("{path}: {message}\n    {remedy}"),
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
fn visible(text: &str) -> String {
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
