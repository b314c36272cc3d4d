//! Keys that the file's shape does not have, each with the one that was probably meant.

use toml::de::{DeTable, DeValue};

use super::{Problem, places::inner, schema::Shape};

/// Names every unknown key, and takes it out so that the rest can be read.
pub(super) fn take(table: &mut DeTable<'_>, problems: &mut Vec<Problem>) {
    search(table, Shape::file(), "", problems);
}

fn search(table: &mut DeTable<'_>, shape: Shape<'_>, path: &str, problems: &mut Vec<Problem>) {
    let known = shape.keys();
    if known.is_empty() {
        return;
    }
    let names = table
        .keys()
        .map(|key| (key.get_ref().to_string(), key.span()));
    let strange: Vec<_> = names
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .collect();
    for (name, span) in strange {
        problems.push(unknown(&name, path, &known).at(span));
        table.remove(name.as_str());
    }
    for (key, value) in table.iter_mut() {
        let Some(shape) = shape.key(key.get_ref()) else {
            continue;
        };
        let path = inner(path, key.get_ref());
        match value.get_mut() {
            DeValue::Table(table) => search(table, shape, &path, problems),
            DeValue::Array(items) => {
                for item in items.iter_mut() {
                    if let DeValue::Table(table) = item.get_mut() {
                        search(table, shape, &path, problems);
                    }
                }
            }
            _ => {}
        }
    }
}

fn unknown(name: &str, path: &str, known: &[&str]) -> Problem {
    let place = if path.is_empty() {
        "the file".to_owned()
    } else {
        format!("[{path}]")
    };
    let near = nearest(name, known.iter().copied());
    let remedy = match near {
        Some(key) => format!("Did you mean `{key}`?"),
        None => format!("{place} has: {}.", known.join(", ")),
    };
    Problem::new(
        format!("{place} has no key `{}`", name.escape_debug()),
        remedy,
    )
}

/// The one that was probably meant.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A name far longer than any key was not meant to be one, and comparing costs its length in memory.
    known
        .filter(|key| name.len() <= key.len().saturating_mul(2))
        .map(|key| (strsim::damerau_levenshtein(name, key), key))
        .filter(|(distance, key)| *distance <= key.len().max(3) / 2)
        .min()
        .map(|(_, key)| key)
}
