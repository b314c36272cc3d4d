//! Keys that environment variables set over the file: `WARDWIRE_LIMITS__MESSAGE` is `message` of `[limits]`.
//!
//! A variable becomes a value of the file before anything is judged, so nothing is asked of it that is not asked of the file,
//! and nothing less. One that names no key is a problem, as an unknown key is: a typing error must not leave a limit where it
//! was. Only single values and lists of them can be set; tables that stand several times, and what makes a server unsafe,
//! belong into a file that somebody reads.

use std::{env, ops::Range};

use serde_json::Value;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{Problem, places::inner, schema::Shape, unknown::nearest};

/// Before every name that is ours.
const PREFIX: &str = "WARDWIRE_";
/// Ours, but no key: see `logging`.
const OTHERS: &[&str] = &["WARDWIRE_LOG"];

/// A variable whose name is ours.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, unless that is no UTF-8.
    pub value: Option<String>,
}

/// A key that a variable set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The variable.
    pub name: String,
    /// The key: `limits.message`.
    pub path: String,
    /// What stands for it among the places of the file: offsets behind the file's end.
    pub(super) span: Range<usize>,
}

/// Those of this process.
pub(super) fn variables() -> Vec<Variable> {
    let own = env::vars_os().filter_map(|(name, value)| {
        let name = name.to_string_lossy().into_owned();
        name.starts_with(PREFIX).then(|| Variable {
            name,
            value: value.into_string().ok(),
        })
    });
    let mut own: Vec<_> = own
        .filter(|it| !OTHERS.contains(&it.name.as_str()) && !is_a_clusters(it))
        .collect();
    own.sort_by(|one, other| one.name.cmp(&other.name));
    own
}

/// Kubernetes tells every pod of every service, also of one that is called `wardwire` or `wardwire-admin`
/// (`WARDWIRE_SERVICE_HOST`, `WARDWIRE_PORT_8443_TCP_ADDR`). No key has such a name.
pub(super) fn is_a_clusters(variable: &Variable) -> bool {
    let Some(rest) = variable.name.strip_prefix(PREFIX) else {
        return false;
    };
    let is_link = variable.value.as_deref().is_some_and(|value| {
        ["tcp://", "udp://", "sctp://"]
            .iter()
            .any(|it| value.starts_with(it))
    });
    let of_port = |(_, behind): (&str, &str)| {
        let mut words = behind.split('_');
        words.next().is_some_and(|it| it.parse::<u16>().is_ok())
            && words
                .next()
                .is_some_and(|it| matches!(it, "TCP" | "UDP" | "SCTP"))
    };
    let named = format!("_{rest}");
    !rest.contains("__")
        && (named.ends_with("_SERVICE_HOST")
            || named.contains("_SERVICE_PORT")
            || (is_link && named.ends_with("_PORT"))
            || named.split_once("_PORT_").is_some_and(of_port))
}

/// Puts each variable's value where its key stands. `end` is the length of the file's text.
pub(super) fn lay_over<'a>(
    table: &mut DeTable<'a>,
    variables: &'a [Variable],
    end: usize,
    problems: &mut Vec<Problem>,
) -> Vec<Override> {
    let mut overrides: Vec<Override> = Vec::new();
    let mut next = end + 1;
    for variable in variables {
        // One place for the whole, and one for each of its items.
        let items = variable
            .value
            .as_deref()
            .map_or(0, |it| it.split(',').count());
        let span = next..next + 1 + items;
        next = span.end;
        overrides.push(Override {
            name: variable.name.clone(),
            path: String::new(),
            span: span.clone(),
        });
        let twice = overrides
            .iter()
            .rev()
            .skip(1)
            .any(|it| it.name == variable.name);
        if twice {
            problems.push(stands_twice().at(span));
            continue;
        }
        match read(variable, &span) {
            Ok((path, value)) => {
                put(table, &path, value, &span);
                if let Some(last) = overrides.last_mut() {
                    last.path = path;
                }
            }
            Err(problem) => problems.push(problem.at(span)),
        }
    }
    overrides
}

/// POSIX does not say which of two is meant (environ(7)), and what looks one up may take the other one.
fn stands_twice() -> Problem {
    Problem::new(
        "this variable stands twice in the environment",
        "Set it once.",
    )
}

/// A variable's key and value.
fn read<'a>(variable: &'a Variable, span: &Range<usize>) -> Result<(String, DeValue<'a>), Problem> {
    let (path, shape) = key(&variable.name)?;
    let text = variable
        .value
        .as_deref()
        .ok_or_else(|| Problem::new("its value is not UTF-8", "Set it to text, or unset it."))?;
    let value = if shape.is_list() {
        let items = text.split(',').map(str::trim).enumerate();
        let items = items
            .filter(|(_, item)| !item.is_empty())
            .map(|(at, item)| {
                let place = span.start + 1 + at;
                Spanned::new(place..place + 1, DeValue::String(item.into()))
            });
        DeValue::Array(items.collect::<DeArray<'_>>())
    } else {
        single(text.trim(), shape)?
    };
    Ok((path, value))
}

fn single<'a>(text: &'a str, shape: Shape<'_>) -> Result<DeValue<'a>, Problem> {
    // Sizes are numbers or texts; as a text both are read.
    if shape.takes("string") {
        return Ok(DeValue::String(text.into()));
    }
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(value) if value.is_integer() && shape.takes("integer") => Ok(value),
        Ok(value) if value.is_bool() && shape.takes("boolean") => Ok(value),
        _ if shape.takes("integer") => Err(Problem::new(
            format!("{text:?} is not a whole number"),
            "Write digits, such as 64.",
        )),
        _ if shape.takes("boolean") => Err(Problem::new(
            format!("{text:?} is neither true nor false"),
            "Write true or false.",
        )),
        _ => Err(Problem::new(
            "no variable can set this",
            "Write it into the file.",
        )),
    }
}

/// The key that a variable names.
fn key(name: &str) -> Result<(String, Shape<'static>), Problem> {
    let words = name.strip_prefix(PREFIX).unwrap_or_default();
    let mut shape = Shape::file();
    let mut path = String::new();
    for word in words.split("__") {
        let key = word.to_ascii_lowercase();
        let known = word == key.to_ascii_uppercase();
        shape = shape
            .key(&key)
            .filter(|_| known)
            .ok_or_else(|| unknown(name))?;
        path = inner(&path, &key);
        if shape
            .mark("x-file-only")
            .is_some_and(|it| *it == Value::Bool(true))
        {
            return Err(Problem::new(
                format!(
                    "`{path}` cannot be set from the environment: what makes a server unsafe stands where it is read"
                ),
                format!("Unset it. For development only, write [{path}] into the file."),
            ));
        }
        if shape.is_many() {
            return Err(Problem::new(
                format!("[[{path}]] stands several times, so no variable can tell which is meant"),
                format!("Write [[{path}]] into the file."),
            ));
        }
    }
    match &*shape.keys() {
        [] => Ok((path, shape)),
        keys => {
            let names: Vec<_> = keys.iter().map(|key| name_of(&inner(&path, key))).collect();
            Err(Problem::new(
                format!("[{path}] is a table, and a variable sets one key"),
                format!("Set {}.", names.join(", ")),
            ))
        }
    }
}

fn unknown(name: &str) -> Problem {
    let names = names();
    let bare = |name: &'_ str| name.strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let known: Vec<_> = names
        .iter()
        .map(String::as_str)
        .chain(OTHERS.iter().copied())
        .map(bare)
        .collect();
    let remedy = match nearest(&bare(name), known.iter().map(String::as_str)) {
        Some(rest) => format!("Did you mean {PREFIX}{rest}?"),
        None => "Unset it. Names are WARDWIRE_TABLE__KEY, with two underscores between them: WARDWIRE_SERVER__LISTEN.".to_owned(),
    };
    Problem::new("no key has this name", remedy)
}

/// The variable of a key.
fn name_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase())
}

/// Every variable that sets a key.
pub(super) fn names() -> Vec<String> {
    fn collect(shape: Shape<'_>, path: &str, names: &mut Vec<String>) {
        for key in shape.keys() {
            let Some(shape) = shape.key(key) else {
                continue;
            };
            let path = inner(path, key);
            if shape.is_many() || shape.mark("x-file-only").is_some() {
                continue;
            }
            match shape.keys().is_empty() {
                true => names.push(name_of(&path)),
                false => collect(shape, &path, names),
            }
        }
    }
    let mut names = Vec::new();
    collect(Shape::file(), "", &mut names);
    names
}

/// Puts a value at a path. What is no table in the file although it should be is left for the shape to refuse.
fn put<'a>(table: &mut DeTable<'a>, path: &str, value: DeValue<'a>, span: &Range<usize>) {
    let spanned = |value| Spanned::new(span.clone(), value);
    match path.split_once('.') {
        None => {
            table.remove(path);
            let key = Spanned::new(span.clone(), path.to_owned().into());
            table.insert(key, spanned(value));
        }
        Some((first, rest)) => {
            if !table.contains_key(first) {
                let key = Spanned::new(span.clone(), first.to_owned().into());
                table.insert(key, spanned(DeValue::Table(DeTable::new())));
            }
            if let Some(DeValue::Table(inner)) = table.get_mut(first).map(Spanned::get_mut) {
                put(inner, rest, value, span);
            }
        }
    }
}
