//! Puts strings in the place of others in a JSON text, and leaves the rest as it stands: numbers are not written anew, and
//! members keep their order.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize as _,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Deserializer, Value, value::RawValue};

use super::pointer;

/// What is to stand elsewhere than where something stands now.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// Of this very value.
    text: Option<String>,
    /// Of what is inside, by name or place.
    inner: BTreeMap<String, Edits>,
}

impl Edits {
    /// Where the first of them is.
    pub(super) fn place(&self) -> Option<String> {
        if self.text.is_some() {
            return Some(String::new());
        }
        let (step, edits) = self.inner.first_key_value()?;
        Some(pointer::join("", step) + &edits.place().unwrap_or_default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_none() && self.inner.is_empty()
    }

    /// Puts a string where a pointer leads.
    pub(super) fn put(&mut self, place: &str, text: String) {
        let mut here = self;
        for step in pointer::steps(place) {
            here = here.inner.entry(step.into_owned()).or_default();
        }
        here.text = Some(text);
    }

    /// What is to stand where a pointer leads, if that was said.
    pub(super) fn get(&self, place: &str) -> Option<&str> {
        let mut here = self;
        for step in pointer::steps(place) {
            here = here.inner.get(&*step)?;
        }
        here.text.as_deref()
    }

    /// The value with the strings in their places.
    pub(super) fn apply(&self, value: &mut Value) {
        if let Some(text) = &self.text {
            *value = Value::String(text.clone());
        }
        for (step, edits) in &self.inner {
            let inside = match value {
                Value::Object(members) => members.get_mut(step),
                Value::Array(items) => step.parse().ok().and_then(|at: usize| items.get_mut(at)),
                _ => None,
            };
            if let Some(inside) = inside {
                edits.apply(inside);
            }
        }
    }

    /// The text with the strings in their places.
    pub(super) fn write(&self, raw: &RawValue) -> Result<Box<RawValue>, serde_json::Error> {
        let mut out = String::with_capacity(raw.get().len());
        let mut source = Deserializer::from_str(raw.get());
        Writer {
            edits: self,
            out: &mut out,
        }
        .deserialize(&mut source)?;
        RawValue::from_string(out)
    }
}

/// Copies one value, with its edits.
struct Writer<'a> {
    edits: &'a Edits,
    out: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        if let Some(text) = &self.edits.text {
            IgnoredAny::deserialize(source)?;
            quote(text, self.out);
            return Ok(());
        }
        if self.edits.inner.is_empty() {
            let raw = <&RawValue>::deserialize(source)?;
            self.out.push_str(raw.get());
            return Ok(());
        }
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let none = Edits::default();
        self.out.push('{');
        let mut first = true;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            quote(&key, self.out);
            self.out.push(':');
            let edits = self.edits.inner.get(&*key).unwrap_or(&none);
            map.next_value_seed(Writer {
                edits,
                out: self.out,
            })?;
        }
        self.out.push('}');
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let none = Edits::default();
        self.out.push('[');
        for at in 0_usize.. {
            let edits = self.edits.inner.get(&at.to_string()).unwrap_or(&none);
            let before = self.out.len();
            if at > 0 {
                self.out.push(',');
            }
            let next = items.next_element_seed(Writer {
                edits,
                out: self.out,
            })?;
            if next.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }
}

fn quote(text: &str, out: &mut String) {
    // A string always serialises.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_said_is_another() {
        let text = r#"{"z": 1.50, "a":[0,{"b/c":"old","d":1e3}, "x" ,[]],"\u0061b":"old","e":{}}"#;
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let mut edits = Edits::default();
        edits.put("/a/1/b~1c", "new \"one\"".to_owned());
        edits.put("/ab", "\u{1}".to_owned());
        let written = edits.write(raw).unwrap();
        assert_eq!(
            written.get(),
            r#"{"z":1.50,"a":[0,{"b/c":"new \"one\"","d":1e3},"x",[]],"ab":"\u0001","e":{}}"#
        );
        let mut value: Value = serde_json::from_str(text).unwrap();
        edits.apply(&mut value);
        assert_eq!(serde_json::from_str::<Value>(written.get()).unwrap(), value);
        assert_eq!(edits.get("/ab"), Some("\u{1}"));
        assert_eq!(edits.get("/a"), None);
    }

    #[test]
    fn a_whole_that_is_a_string_is_exchanged_whole() {
        let raw: &RawValue = serde_json::from_str(r#" "old" "#).unwrap();
        let mut edits = Edits::default();
        edits.put("", "new".to_owned());
        assert_eq!(edits.write(raw).unwrap().get(), r#""new""#);
    }
}
