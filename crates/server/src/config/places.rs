//! Where each key stands, for problems that are found after reading.

use std::{collections::HashMap, ops::Range};

use toml::de::{DeTable, DeValue};

/// The span of each value by its path, like `limits.message` or `route.0.path`.
pub(super) struct Places {
    spans: HashMap<String, Range<usize>>,
    end: usize,
}

impl Places {
    pub(super) fn of(table: &DeTable<'_>, end: usize) -> Self {
        let mut places = Self {
            spans: HashMap::new(),
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

    fn note(&mut self, table: &DeTable<'_>, path: &str) {
        for (key, value) in table {
            let path = match path {
                "" => key.get_ref().to_string(),
                _ => format!("{path}.{}", key.get_ref()),
            };
            match value.get_ref() {
                DeValue::Table(table) => {
                    self.note(table, &path);
                    self.spans.insert(path, key.span());
                }
                DeValue::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("{path}.{index}");
                        if let DeValue::Table(table) = item.get_ref() {
                            self.note(table, &path);
                        }
                        self.spans.insert(path, item.span());
                    }
                    self.spans.insert(path, value.span());
                }
                _ => {
                    self.spans.insert(path, value.span());
                }
            }
        }
    }
}
