//! Where each key stands, for problems that are found after reading.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
};

use toml::de::{DeTable, DeValue};

use super::problem::{Place, Source};

/// The span of each value by its path, like `limits.message` or `route.0.path`.
pub(super) struct Places {
    spans: HashMap<String, Range<usize>>,
    pub(super) values: Values,
    end: usize,
}

/// What was written for each key that is no table, by its path, in words that are the same for the same value.
pub type Values = BTreeMap<String, String>;

impl Places {
    pub(super) fn of(table: &DeTable<'_>, end: usize) -> Self {
        let mut places = Self {
            spans: HashMap::new(),
            values: Values::new(),
            end,
        };
        places.note(table, "");
        places
    }

    /// Where `path` stands; without it, where the table stands in which it would; without that, the end of the file.
    pub(super) fn at(&self, path: &str) -> Range<usize> {
        let mut path = path;
        loop {
            if let Some(span) = self.spans.get(path) {
                return span.clone();
            }
            match path.rsplit_once('.') {
                Some((outer, _)) => path = outer,
                None => return self.end..self.end,
            }
        }
    }

    /// What stands in the file or the environment, each with its place.
    pub(super) fn written(&self, source: &Source<'_>) -> Written {
        let place = |(path, span): (&String, &Range<usize>)| (path.clone(), source.place(span));
        Written(self.spans.iter().map(place).collect())
    }

    fn note(&mut self, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let path = inner(path, key.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => {
                    self.note(table, &path);
                    self.spans.insert(path, key.span());
                }
                DeValue::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}.{index}");
                        match item.get_ref() {
                            DeValue::Table(table) => self.note(table, &path),
                            single => drop(self.values.insert(path.clone(), format!("{single:?}"))),
                        }
                        self.spans.insert(path, item.span());
                    }
                    self.spans.insert(path, value.span());
                }
                single => {
                    self.values.insert(path.clone(), format!("{single:?}"));
                    self.spans.insert(path, value.span());
                }
            }
        }
    }
}

/// Where each key of a configuration that was taken was written.
#[derive(Clone, Debug, Default)]
pub struct Written(HashMap<String, Place>);

impl Written {
    /// Where a key was written, like `limits.message` or `route.0.path`; none if nobody wrote it.
    #[must_use]
    pub fn place(&self, path: &str) -> Option<&Place> {
        self.0.get(path)
    }
}

/// The path of a key in the table at `path`.
pub(super) fn inner(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}

/// A path as people speak of it: `route.0.limits.message` is a route's `limits.message`.
pub(super) fn spoken(path: &str) -> String {
    let mut parts = path.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(table), Some(index), Some(rest)) if index.parse::<usize>().is_ok() => {
            let article = if table.starts_with(['a', 'e', 'i', 'o', 'u']) {
                "an"
            } else {
                "a"
            };
            format!("{article} {table}'s {rest}")
        }
        _ => path.to_owned(),
    }
}
