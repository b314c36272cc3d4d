//! JSON-RPC of `wardwire.v1`: what we read of a message is what a plain JSON reader finds in it, and answers are JSON.

use std::{collections::HashSet, fmt};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use wardwire_protocol::{
    json::{self, JsonError, Rule},
    rpc::{self, BATCH, Entry, Incoming, RpcError, Unreadable},
};

/// True if there was a call.
pub fn check(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    let plain: Result<Value, _> = serde_json::from_str(text);
    if json::check(text).is_ok() {
        serde_json::from_str::<Once>(text).expect("a key stands twice, or reaches into prototypes");
    }
    match rpc::read(text) {
        Ok(Incoming::One(entry)) => {
            let plain = plain.expect("what we take is JSON");
            assert!(!plain.is_array());
            same(&entry, &plain)
        }
        Ok(Incoming::Batch(entries)) => {
            let plain = plain.expect("what we take is JSON");
            let elements = plain.as_array().expect("a batch is an array");
            assert_eq!(elements.len(), entries.len());
            assert!((1..=BATCH).contains(&entries.len()));
            let calls = entries
                .iter()
                .zip(elements)
                .map(|(entry, element)| same(entry, element));
            calls.fold(false, |any, call| any | call)
        }
        Err(Unreadable::Batch) => {
            let count = plain.expect("strict JSON is JSON").as_array().map(Vec::len);
            assert!(count.is_some_and(|count| count == 0 || count > BATCH));
            false
        }
        Err(Unreadable::Syntax) => {
            let error = json::check(text).expect_err("it was refused");
            assert_eq!(error.rule, Rule::Syntax);
            assert!(plain.is_err(), "others read it: {text}");
            assert!(error.at <= text.len());
            false
        }
        Err(Unreadable::Content { error, call }) => {
            refused(&error, text);
            if let Some(call) = &call {
                assert!(json::check(call.id.get()).is_ok(), "an id is repeated");
            }
            if let (Some(call), Ok(plain)) = (call, plain) {
                same(&Entry::Call(call), &plain);
            }
            false
        }
    }
}

/// A refusal names a place in the text, and points at what a plain reader finds as well, if it reads that far.
fn refused(error: &JsonError, text: &str) {
    assert_ne!(error.rule, Rule::Syntax);
    assert_eq!(json::check(text).as_ref(), Err(error));
    assert!(error.at < text.len());
    if let Ok(plain) = serde_json::from_str::<Value>(text) {
        assert!(plain.pointer(&error.pointer).is_some(), "{error:?}: {text}");
    }
}

/// Holds an entry against what a plain reader finds. True if it is a call.
fn same(entry: &Entry<'_>, plain: &Value) -> bool {
    let version = plain.get("jsonrpc") == Some(&Value::from("2.0"));
    let method = plain.get("method").and_then(Value::as_str);
    match entry {
        Entry::Call(call) => {
            assert!(version);
            assert_eq!(Some(&*call.method), method);
            let id: Value = serde_json::from_str(call.id.get()).expect("an id is JSON");
            // `-0` is an integer; a plain reader makes a double of it.
            assert!(
                id.is_string() || id.is_i64() || call.id.get() == "-0",
                "{id}"
            );
            assert!(call.id.get().len() <= 66);
            assert_eq!(plain.get("id"), Some(&id));
            let params = call
                .params
                .map(|params| serde_json::from_str(params.get()).unwrap());
            let stands = plain.get("params").filter(|params| !params.is_null());
            assert_eq!(stands, params.as_ref());
            answered(call.id, &id);
            true
        }
        Entry::Ignored => {
            let answers = plain.get("result").is_some() || plain.get("error").is_some();
            let notifies = method.is_some() && plain.get("id").is_none();
            assert!(version && (answers || notifies), "{plain}");
            false
        }
        Entry::Invalid => {
            let id = plain.get("id");
            let short =
                id.is_some_and(|id| id.is_i64() || id.as_str().is_some_and(|id| id.len() < 8));
            // An escaped id may be too long where the text that it means is short.
            let escaped = id
                .and_then(Value::as_str)
                .is_some_and(|id| !id.bytes().all(|it| it.is_ascii_alphanumeric()));
            let call = plain.is_object() && version && method.is_some() && short && !escaped;
            assert!(!call, "a call was not taken: {plain}");
            false
        }
    }
}

/// Answers are JSON, hold the id as it was sent, and either a result or an error.
fn answered(id: &serde_json::value::RawValue, meant: &Value) {
    let good: Value = serde_json::from_str(&rpc::result(id, "done")).expect("answers are JSON");
    assert_eq!(
        (&good["id"], &good["result"]),
        (meant, &Value::from("done"))
    );
    assert!(good.get("error").is_none());
    let bad = rpc::error(Some(id), &RpcError::METHOD);
    assert!(bad.contains(id.get()), "as it was sent");
    let bad: Value = serde_json::from_str(&bad).expect("answers are JSON");
    assert_eq!(bad["id"], *meant);
    assert_eq!(bad["error"]["code"], Value::from(RpcError::METHOD.code));
    assert!(bad.get("result").is_none());
}

/// Any JSON of which no object has a key twice, or one that means something to JavaScript.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some((key, Self)) = map.next_entry::<String, Self>()? {
            let refused = matches!(&*key, "__proto__" | "constructor" | "prototype");
            if refused || !keys.insert(key) {
                return Err(A::Error::custom("a key"));
            }
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while let Some(Self) = seq.next_element()? {}
        Ok(self)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }
}
