//! What a client sent: calls, and what is none.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::optional;
use crate::json::{self, JsonError, Rule};

/// The most calls in a batch.
pub const BATCH: usize = 32;

/// What a client sent in one message.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// One call; its answer stands alone.
    One(Entry<'a>),
    /// A batch; the answers stand in an array.
    Batch(Vec<Entry<'a>>),
}

/// One element of what a client sent.
#[derive(Debug)]
pub enum Entry<'a> {
    /// A call that wants an answer.
    Call(Call<'a>),
    /// A notification, or an answer to nothing: JSON-RPC answers neither.
    Ignored,
    /// Not a call.
    Invalid,
}

/// A call.
#[derive(Debug)]
pub struct Call<'a> {
    /// Repeated in the answer as it was sent: a string of at most 64 bytes or an integer.
    pub id: &'a RawValue,
    /// Which method.
    pub method: Cow<'a, str>,
    /// Its parameters, as they were sent.
    pub params: Option<&'a RawValue>,
}

/// Why a message is not even a batch of something.
#[derive(Debug)]
pub enum Unreadable<'a> {
    /// -32700: not JSON.
    Syntax,
    /// -32004: JSON that readers could read differently.
    Content {
        /// What is wrong with it.
        error: JsonError,
        /// What the message would have called, if it is one call and all readers agree on which: to be answered, not to be done.
        call: Option<Call<'a>>,
    },
    /// -32600: an empty batch, or over [`BATCH`] calls.
    Batch,
}

/// What may stand in a message. A member that is `null` is there all the same.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "optional::raw")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "optional::text")]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "optional::raw")]
    result: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "optional::raw")]
    error: Option<IgnoredAny>,
}

/// The elements of a batch, read no further than they may be many.
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "1 to {BATCH} calls")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = from.next_element()? {
                    if elements.len() == BATCH {
                        return Err(A::Error::invalid_length(BATCH + 1, &self));
                    }
                    elements.push(element);
                }
                Ok(elements)
            }
        }
        from.deserialize_seq(Elements).map(Self)
    }
}

/// Reads a message: first that every reader would read it alike, then what it says.
///
/// # Errors
/// It cannot be read as anything.
pub fn read(text: &str) -> Result<Incoming<'_>, Unreadable<'_>> {
    json::check(text).map_err(|error| unreadable(text, error))?;
    if !text.trim_start().starts_with('[') {
        return Ok(Incoming::One(entry(text)));
    }
    let Batch(elements) = serde_json::from_str(text).map_err(|_| Unreadable::Batch)?;
    if elements.is_empty() {
        return Err(Unreadable::Batch);
    }
    let entries = elements.into_iter().map(|element| entry(element.get()));
    Ok(Incoming::Batch(entries.collect()))
}

fn unreadable(text: &str, error: JsonError) -> Unreadable<'_> {
    if error.rule == Rule::Syntax {
        return Unreadable::Syntax;
    }
    let call = match entry(text) {
        // It stands once, as serde refuses a member that stands twice.
        Entry::Call(call) if json::check(call.id.get()).is_ok() => Some(call),
        _ => None,
    };
    Unreadable::Content { error, call }
}

fn entry(text: &str) -> Entry<'_> {
    // An array would be read as the members in their order.
    let object = text
        .trim_start()
        .starts_with('{')
        .then(|| serde_json::from_str(text));
    let Some(Ok(Object {
        jsonrpc,
        id,
        method,
        params,
        result,
        error,
    })) = object
    else {
        return Entry::Invalid;
    };
    if jsonrpc != "2.0" {
        return Entry::Invalid;
    }
    match (method, id) {
        (None, _) if result.is_some() || error.is_some() => Entry::Ignored,
        (Some(_), None) => Entry::Ignored,
        (Some(method), Some(id)) if is_id(id.get()) => Entry::Call(Call { id, method, params }),
        _ => Entry::Invalid,
    }
}

/// A string or an integer, short enough to be repeated.
fn is_id(id: &str) -> bool {
    if id.starts_with('"') {
        id.len() <= 66
    } else {
        id.parse::<i64>().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rpc;

    fn one(text: &str) -> Entry<'_> {
        match read(text) {
            Ok(Incoming::One(entry)) => entry,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_call_is_read_and_its_id_repeated_as_sent() {
        for id in ["1", "-7", r#""abc""#, r#""\u0041""#] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping","params":{{}}}}"#);
            let Entry::Call(call) = one(&text) else {
                panic!("{text}")
            };
            assert_eq!(call.method, "ping");
            assert_eq!(
                rpc::result(call.id, 1),
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":1}}"#)
            );
        }
    }

    #[test]
    fn notifications_and_answers_from_a_client_are_ignored() {
        for text in [
            r#"{"jsonrpc":"2.0","method":"publication","params":{"from":"bob"}}"#,
            r#"{"jsonrpc":"2.0","method":"publish","params":{"channel":"a","data":1}}"#,
            r#"{"jsonrpc":"2.0","method":"no such thing"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
        ] {
            assert!(matches!(one(text), Entry::Ignored), "{text}");
        }
    }

    #[test]
    fn what_is_no_call_is_invalid() {
        let long = format!(
            r#"{{"jsonrpc":"2.0","id":"{}","method":"m"}}"#,
            "x".repeat(65)
        );
        for text in [
            "1",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":2.0,"id":1,"method":"m"}"#,
            r#"{"id":1,"method":"m"}"#,
            r#""m""#,
            &long,
        ] {
            assert!(matches!(one(text), Entry::Invalid), "{text}");
        }
    }

    #[test]
    fn batches_are_bounded() {
        let batch = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert!(matches!(read("[]"), Err(Unreadable::Batch)));
        assert!(matches!(read(&batch(BATCH + 1)), Err(Unreadable::Batch)));
        assert!(
            matches!(read(&batch(BATCH)), Ok(Incoming::Batch(entries)) if entries.len() == BATCH)
        );
        assert!(matches!(read("{"), Err(Unreadable::Syntax)));
        let nested = read(r#"[["2.0",1,"ping",{},null,null]]"#);
        assert!(
            matches!(nested, Ok(Incoming::Batch(entries)) if matches!(&entries[..], [Entry::Invalid]))
        );
    }

    #[test]
    fn a_call_whose_data_is_refused_is_known_all_the_same() {
        let call =
            |members: &str| format!(r#"{{"jsonrpc":"2.0","id":7,"method":"publish",{members}}}"#);
        let deep = "[".repeat(40) + &"]".repeat(40);
        for (rule, data) in [
            (Rule::DuplicateKey, r#"{"a":1,"a":2}"#),
            (Rule::ForbiddenKey, r#"{"__proto__":1}"#),
            (Rule::Number, "1e400"),
            (Rule::Surrogate, r#""\ud800""#),
            (Rule::Depth, &deep),
        ] {
            let text = call(&format!(r#""params":{{"channel":"a","data":{data}}}"#));
            match read(&text) {
                Err(Unreadable::Content {
                    error,
                    call: Some(call),
                }) => {
                    assert_eq!((error.rule, call.id.get()), (rule, "7"), "{text}");
                    assert!(error.pointer.starts_with("/params/data"), "{error:?}");
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn whose_a_refusal_is_in_doubt_is_nobodys() {
        for text in [
            r#"{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":7,"\u0069d":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1e400,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":"\ud800","method":"ping"}"#,
            r#"{"jsonrpc":"2.0","method":"publish","params":{"data":1e400},"id":"\ud800"}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"ping","method":"publish"}"#,
            r#"[{"jsonrpc":"2.0","id":7,"method":"publish","params":{"data":1e400}}]"#,
            "1e400",
        ] {
            let read = read(text);
            assert!(
                matches!(read, Err(Unreadable::Content { call: None, .. })),
                "{text}: {read:?}"
            );
        }
    }

    #[test]
    fn what_needs_no_unescaping_is_not_copied() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        assert!(
            matches!(one(text), Entry::Call(call) if matches!(call.method, Cow::Borrowed("ping")))
        );
        let escaped = r#"{"jsonrpc":"2\u002e0","id":1,"method":"p\u0069ng"}"#;
        assert!(matches!(one(escaped), Entry::Call(call) if call.method == "ping"));
    }

    proptest! {
        #[test]
        fn anything_may_come(text in r#"\PC{0,40}|[\[{]?("(jsonrpc|id|method|params|result|2.0)"[:,]?|[\]\[{}0-9]){0,12}"#) {
            let _ = read(&text);
        }
    }
}
