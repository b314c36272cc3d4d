//! The bounds that the shape gives to numbers, sizes and times: none may be so small that nothing works, or so large that
//! it is none.

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{
    Bytes, Problem, Span,
    places::{inner, spoken},
    schema::Shape,
};

/// Names every value that is out of its bounds. Gives their paths.
pub(super) fn judge(table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Vec<String> {
    let mut paths = Vec::new();
    search(table, Shape::file(), "", problems, &mut paths);
    paths
}

fn search(
    table: &DeTable<'_>,
    shape: Shape<'_>,
    path: &str,
    problems: &mut Vec<Problem>,
    paths: &mut Vec<String>,
) {
    for (key, value) in table {
        let Some(shape) = shape.key(key.get_ref()) else {
            continue;
        };
        let path = inner(path, key.get_ref());
        match value.get_ref() {
            DeValue::Table(table) => search(table, shape, &path, problems, paths),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    if let DeValue::Table(table) = item.get_ref() {
                        search(table, shape, &format!("{path}.{index}"), problems, paths);
                    }
                }
            }
            single => {
                if let Some(remedy) = outside(single, shape) {
                    let message = format!("{} is {}", spoken(&path), written(single));
                    problems.push(Problem::new(message, remedy).at(value.span()));
                    paths.push(path);
                }
            }
        }
    }
}

/// What to choose instead, if a value is out of its bounds.
fn outside(value: &DeValue<'_>, shape: Shape<'_>) -> Option<String> {
    let kind = shape.mark("x-type").and_then(Value::as_str);
    let quoted = |it: &dyn std::fmt::Display| format!("\"{it}\"");
    match (value, kind) {
        (DeValue::String(text), Some("time")) => {
            let bound = |name| shape.mark(name)?.as_str()?.parse::<Span>().ok();
            let span = text.parse().ok()?;
            beyond(span, bound("x-least"), bound("x-most"), |it| quoted(it))
        }
        (DeValue::String(text), Some("size")) => {
            let bound = |name| number(shape, name).map(Bytes);
            let size = Bytes::parse(text)?;
            beyond(size, bound("minimum"), bound("maximum"), |it| quoted(it))
        }
        (DeValue::Integer(written), _) => {
            let count = usize::from_str_radix(written.as_str(), written.radix()).ok()?;
            let (least, most) = (number(shape, "minimum"), number(shape, "maximum"));
            beyond(count, least, most, usize::to_string)
        }
        _ => None,
    }
}

fn number(shape: Shape<'_>, name: &str) -> Option<usize> {
    shape.mark(name)?.as_u64()?.try_into().ok()
}

fn beyond<T: PartialOrd>(
    value: T,
    least: Option<T>,
    most: Option<T>,
    shown: impl Fn(&T) -> String,
) -> Option<String> {
    let fits = least.as_ref().is_none_or(|least| value >= *least)
        && most.as_ref().is_none_or(|most| value <= *most);
    if fits {
        return None;
    }
    Some(match (&least, &most) {
        (Some(least), Some(most)) => format!("Choose {} to {}.", shown(least), shown(most)),
        (Some(least), None) => format!("Choose at least {}.", shown(least)),
        (_, Some(most)) => format!("Choose at most {}.", shown(most)),
        (None, None) => return None,
    })
}

fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        _ => String::new(),
    }
}
