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
#[derive(Debug)]
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
        let remedy = "See docs/configuration.md for the shape of every key.";
        Self {
            span: error.span(),
            message: error.message().to_owned(),
            remedy: remedy.to_owned(),
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

    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (
            place,
            Problem {
                message, remedy, ..
            },
        ) in &self.list
        {
            match place {
                Some((line, column)) => write!(f, "{}:{line}:{column}: ", self.path.display())?,
                None => write!(f, "{}: ", self.path.display())?,
            }
            writeln!(f, "{message}\n    {remedy}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
