//! Of what a publication is the value, in a channel that keeps the latest of each: a text or an integer at one place.

use std::borrow::Cow;

use serde_json::{Value, value::RawValue};

use super::{Violation, pointer};

/// Where the key of a publication stands, as a JSON Pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Box<str>);

/// The longest key, in bytes.
pub(super) const LONGEST: usize = 64;

/// What a schema says of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promised {
    /// Whatever fits it has one, unless it is empty, too long, or an integer spelt as a fraction (`1.0`) or over 64 bits.
    Always,
    /// It leaves that open, or says it in a way that is not followed here.
    Open,
    /// Nothing that fits it has one.
    Never,
}

impl Key {
    /// Reads a pointer. None if it is none, or points to the whole.
    #[must_use]
    pub fn parse(pointer: &str) -> Option<Self> {
        let escaped = |step: &str| {
            let mut escapes = step.split('~').skip(1);
            escapes.all(|rest| rest.starts_with(['0', '1']))
        };
        let steps = pointer.strip_prefix('/')?;
        steps.split('/').all(escaped).then(|| Self(pointer.into()))
    }

    /// The pointer.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a schema promises of it, where it goes by `properties`, `required` and `type`.
    #[must_use]
    pub fn promised(&self, schema: &str) -> Promised {
        let Ok(schema) = serde_json::from_str::<Value>(schema) else {
            return Promised::Open;
        };
        let (mut at, mut sure) = (&schema, true);
        for step in pointer::steps(&self.0) {
            let required = at.get("required").and_then(Value::as_array);
            sure &= at.get("type").is_some_and(|it| it == "object")
                && required.is_some_and(|it| it.iter().any(|name| name == &*step));
            let inside = at.get("properties").and_then(|it| it.get(&*step));
            let Some(inside) = inside else {
                return Promised::Open;
            };
            at = inside;
        }
        let types = match at.get("type") {
            Some(Value::Array(several)) => several.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => return Promised::Open,
        };
        let fits = |it: &Value| it == "string" || it == "integer";
        match (types.iter().all(fits), sure) {
            (true, true) => Promised::Always,
            // Of numbers some are integers.
            _ if types.iter().any(|it| fits(it) || it == "number") => Promised::Open,
            _ => Promised::Never,
        }
    }

    /// The key of a publication. An integer is the text that is written the same: `7` and `"7"` name one property of a JavaScript
    /// object too.
    ///
    /// # Errors
    /// There is none, or it is longer than [`LONGEST`].
    pub(crate) fn of(&self, data: &RawValue) -> Result<Box<str>, Violation> {
        let value: Option<Value> = serde_json::from_str(data.get()).ok();
        let key: Option<Cow<'_, str>> = match value.as_ref().and_then(|it| it.pointer(&self.0)) {
            Some(Value::String(text)) => Some(text.into()),
            Some(Value::Number(number)) if !number.is_f64() => Some(number.to_string().into()),
            _ => None,
        };
        match key {
            Some(key) if (1..=LONGEST).contains(&key.len()) => Ok(key.into()),
            _ => Err(Violation {
                pointer: self.0.to_string(),
                keyword: "conflate".to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pointer: &str, data: &str) -> Option<String> {
        let data: &RawValue = serde_json::from_str(data).unwrap();
        let key = Key::parse(pointer).unwrap().of(data).ok();
        key.map(Into::into)
    }

    #[test]
    fn a_key_is_a_text_or_an_integer_at_its_place() {
        for (pointer, data, key) in [
            ("/s", r#"{"s":"EUR","p":1}"#, Some("EUR")),
            ("/s", r#"{"s":7}"#, Some("7")),
            ("/s", r#"{"s":"7"}"#, Some("7")),
            ("/s", r#"{"s":"07"}"#, Some("07")),
            ("/s", r#"{"s":-7}"#, Some("-7")),
            ("/a/0", r#"{"a":["x"]}"#, Some("x")),
            ("/a~1b/~0", r#"{"a/b":{"~":"x"}}"#, Some("x")),
            ("/s", r#"{"s":""}"#, None),
            ("/s", r#"{"s":1.5}"#, None),
            ("/s", r#"{"s":true}"#, None),
            ("/s", r#"{"s":null}"#, None),
            ("/s", r#"{"s":["x"]}"#, None),
            ("/s", "{}", None),
            ("/s", "7", None),
        ] {
            assert_eq!(of(pointer, data).as_deref(), key, "{pointer} {data}");
        }
        let long = |length: usize| format!(r#"{{"s":"{}"}}"#, "x".repeat(length));
        assert!(of("/s", &long(LONGEST)).is_some());
        assert!(of("/s", &long(LONGEST + 1)).is_none());
    }

    #[test]
    fn a_schema_promises_a_key_leaves_it_open_or_rules_it_out() {
        let of = |members: &str| {
            let schema = format!(r#"{{"type":"object",{members}}}"#);
            Key::parse("/s").unwrap().promised(&schema)
        };
        for kind in [r#""string""#, r#""integer""#, r#"["integer","string"]"#] {
            let required = format!(r#""required":["s"],"properties":{{"s":{{"type":{kind}}}}}"#);
            assert_eq!(of(&required), Promised::Always, "{kind}");
        }
        for open in [
            r#""properties":{"s":{"type":"string"}}"#,
            r#""required":["s"]"#,
            r#""required":["s"],"properties":{"s":{}}"#,
            r#""required":["s"],"properties":{"s":{"type":["string","null"]}}"#,
            r#""required":["s"],"properties":{"s":{"type":"number"}}"#,
        ] {
            assert_eq!(of(open), Promised::Open, "{open}");
        }
        let never = r#""required":["s"],"properties":{"s":{"type":"array"}}"#;
        assert_eq!(of(never), Promised::Never);
    }

    #[test]
    fn a_pointer_is_one() {
        for pointer in ["", "s", "/~", "/~2", "/a~/b", "#/s"] {
            assert!(Key::parse(pointer).is_none(), "{pointer}");
        }
        for pointer in ["/", "/s", "/a/0", "/~0~1"] {
            assert!(Key::parse(pointer).is_some(), "{pointer}");
        }
    }
}
