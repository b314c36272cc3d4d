//! JSON as tokens and key sets may have it: one object, no member twice, nested at most 32 deep.
//!
//! Two readers of a doubled member may each see another value (RFC 8725 §2.4), so it is refused wherever it stands.
//! Claims are the issuer's own business otherwise: numbers may be as large as a double takes them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// How deep objects and arrays may be nested, the outermost included.
const DEPTH: u8 = 32;

/// Reads one object.
///
/// # Errors
/// What is wrong with it, in words that repeat nothing of it but a member's name.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let members = json
        .deserialize_map(Members { left: DEPTH })
        .map_err(|error| error.to_string())?;
    json.end().map_err(|error| error.to_string())?;
    Ok(members)
}

/// Reads the members of an object. INVARIANT: recursion ends when `left` does.
struct Members {
    left: u8,
}

/// Reads any value.
#[derive(Clone, Copy)]
struct Any {
    left: u8,
}

impl<'de> Visitor<'de> for Members {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let inner = deeper(self.left)?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "member {name:?} stands twice"
                )));
            }
            members.insert(name, map.next_value_seed(inner)?);
        }
        Ok(members)
    }
}

impl<'de> DeserializeSeed<'de> for Any {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inner = deeper(self.left)?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        Members { left: self.left }
            .visit_map(map)
            .map(Value::Object)
    }
}

fn deeper<E: Error>(left: u8) -> Result<Any, E> {
    match left.checked_sub(1) {
        Some(left) => Ok(Any { left }),
        None => Err(E::custom("nested too deeply")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!(
            "{}{}{}",
            r#"{"a":"#.repeat(depth - 1),
            "{}",
            "}".repeat(depth - 1)
        )
    }

    #[test]
    fn an_object_is_read_as_it_stands() {
        let read = object(br#" {"a":[1,-2,0.5,1e300,"\u00e9",true,null,{"b":{}}]} "#).unwrap();
        assert_eq!(
            Value::Object(read),
            serde_json::json!({"a": [1, -2, 0.5, 1e300, "\u{e9}", true, null, {"b": {}}]})
        );
    }

    #[test]
    fn a_member_stands_once_at_every_level_however_it_is_spelt() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[[{"b":1,"c":0,"b":2}]]}"#,
        ] {
            let refused = object(text.as_bytes()).unwrap_err();
            assert!(refused.contains("stands twice"), "{text}: {refused}");
        }
    }

    #[test]
    fn depth_ends_at_its_limit_and_long_before_the_stack_does() {
        assert!(object(nested(32).as_bytes()).is_ok());
        assert!(object(nested(33).as_bytes()).is_err());
        let arrays = format!("{{\"a\":{}", "[".repeat(1_000_000));
        assert!(object(arrays.as_bytes()).is_err());
    }

    #[test]
    fn a_refusal_says_what_was_wanted() {
        let refused = object(b"[]").unwrap_err();
        assert!(refused.contains("expected an object"), "{refused}");
    }

    #[test]
    fn whatever_is_not_one_object_of_utf8_is_refused() {
        for bytes in [
            &b""[..],
            b"[]",
            b"1",
            b"null",
            b"\"a\"",
            b"{} {}",
            b"{}x",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"{\"a\":01}",
            b"{\"a\":1e999}",
            b"{\"a\":NaN}",
            b"{\"a\":\"\xff\"}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\\ud800\"}",
        ] {
            assert!(object(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
