//! JSON Pointers (RFC 6901): how a place in a document is named.

use std::borrow::Cow;

/// `pointer` with one more step, escaped (RFC 6901 §3).
#[must_use]
pub fn join(pointer: &str, step: &str) -> String {
    let mut out = String::with_capacity(pointer.len() + step.len() + 1);
    out.push_str(pointer);
    out.push('/');
    for character in step.chars() {
        match character {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            other => out.push(other),
        }
    }
    out
}

/// A step as it is meant.
#[must_use]
pub fn step(escaped: &str) -> Cow<'_, str> {
    match escaped.contains('~') {
        true => escaped.replace("~1", "/").replace("~0", "~").into(),
        false => escaped.into(),
    }
}

/// The steps of a pointer, as they are meant.
pub fn steps(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(step)
}

/// The pointer that a reference into its own document means: a URI fragment, in which `%` escapes (RFC 6901 §6). None if it
/// is no such reference.
#[must_use]
pub fn of_reference(reference: &str) -> Option<String> {
    let fragment = reference.strip_prefix('#')?;
    if !fragment.is_empty() && !fragment.starts_with('/') {
        return None;
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_comes_back_as_it_went_in() {
        for text in ["", "a", "a/b", "~", "~1", "m~n/~0"] {
            let pointer = join("/x", text);
            let back: Vec<_> = steps(&pointer).collect();
            assert_eq!(back, ["x", text], "{pointer}");
        }
    }

    #[test]
    fn a_reference_leads_into_its_own_document_or_nowhere() {
        assert_eq!(of_reference("#").as_deref(), Some(""));
        assert_eq!(of_reference("#/$defs/a%20b").as_deref(), Some("/$defs/a b"));
        for other in ["", "#name", "other.json#/a", "https://x/#", "#/%zz", "#/%f"] {
            assert_eq!(of_reference(other), None, "{other}");
        }
    }
}
