//! JSON-RPC 2.0, as `wardwire.v1` speaks it: calls in, answers and notifications out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::json::{self, JsonError};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// -32700, or content that is refused.
    Json(JsonError),
    /// -32600: an empty batch, or over [`BATCH`] calls.
    Batch,
}

/// An error in band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// JSON-RPC 2.0 §5.1, or one of ours in the range it leaves to servers.
    pub code: i32,
    /// A short sentence that says what to do.
    pub message: &'static str,
}

impl RpcError {
    /// The text is not JSON.
    pub const PARSE: Self = Self {
        code: -32700,
        message: "Send JSON (RFC 8259).",
    };
    /// Not a JSON-RPC 2.0 call, or too many.
    pub const REQUEST: Self = Self {
        code: -32600,
        message: "Send JSON-RPC 2.0, at most 32 calls at once.",
    };
    /// No such method.
    pub const METHOD: Self = Self {
        code: -32601,
        message: "There is no such method.",
    };
    /// The parameters do not fit the method.
    pub const PARAMS: Self = Self {
        code: -32602,
        message: "The parameters do not fit the method.",
    };
    /// No right to that, or no such thing: the answer is the same.
    pub const FORBIDDEN: Self = Self {
        code: -32001,
        message: "Not allowed.",
    };
    /// Too many messages.
    pub const RATE: Self = Self {
        code: -32002,
        message: "Too many messages. Slow down.",
    };
    /// Too many subscriptions or channels.
    pub const LIMIT: Self = Self {
        code: -32003,
        message: "A limit is reached. Unsubscribe from something.",
    };
    /// JSON that readers could read differently.
    pub const CONTENT: Self = Self {
        code: -32004,
        message: "This content is not taken.",
    };
    /// Not a channel name.
    pub const CHANNEL: Self = Self {
        code: -32005,
        message: "That is not a channel name.",
    };
    /// Subscribing twice, or unsubscribing from nothing.
    pub const SUBSCRIPTION: Self = Self {
        code: -32006,
        message: "Already, or not, subscribed.",
    };
    /// The fresh token does not hold.
    pub const TOKEN: Self = Self {
        code: -32007,
        message: "The token is not accepted.",
    };
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    jsonrpc: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(default)]
    result: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

/// Reads a message: first that every reader would read it alike, then what it says.
///
/// # Errors
/// It cannot be read as anything.
pub fn read(text: &str) -> Result<Incoming<'_>, Unreadable> {
    json::check(text).map_err(Unreadable::Json)?;
    if !text.trim_start().starts_with('[') {
        return Ok(Incoming::One(entry(text)));
    }
    let batch: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Unreadable::Batch)?;
    if batch.is_empty() || batch.len() > BATCH {
        return Err(Unreadable::Batch);
    }
    Ok(Incoming::Batch(
        batch
            .into_iter()
            .map(|element| entry(element.get()))
            .collect(),
    ))
}

fn entry(text: &str) -> Entry<'_> {
    let Ok(object) = serde_json::from_str::<Object<'_>>(text) else {
        return Entry::Invalid;
    };
    if object.jsonrpc.as_deref() != Some("2.0") {
        return Entry::Invalid;
    }
    match object {
        Object {
            method: Some(_),
            id: None,
            ..
        } => Entry::Ignored,
        Object { method: None, .. } if object.result.is_some() || object.error.is_some() => {
            Entry::Ignored
        }
        Object {
            method: Some(method),
            id: Some(id),
            params,
            ..
        } if is_id(id.get()) => Entry::Call(Call { id, method, params }),
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

#[derive(Serialize)]
struct Answer<'a, T> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject>,
}

#[derive(Serialize)]
struct ErrorObject {
    code: i32,
    message: &'static str,
}

#[derive(Serialize)]
struct Notification<'a, T> {
    jsonrpc: &'static str,
    method: &'a str,
    params: T,
}

/// The answer to a call.
#[must_use]
pub fn result(id: &RawValue, result: impl Serialize) -> String {
    text(&Answer {
        jsonrpc: "2.0",
        id: Some(id),
        result: Some(result),
        error: None,
    })
}

/// The answer to a call that failed, or to what was no call.
#[must_use]
pub fn error(id: Option<&RawValue>, error: RpcError) -> String {
    let error = ErrorObject {
        code: error.code,
        message: error.message,
    };
    text(&Answer::<()> {
        jsonrpc: "2.0",
        id,
        result: None,
        error: Some(error),
    })
}

/// A notification to the client.
#[must_use]
pub fn notification(method: &str, params: impl Serialize) -> String {
    text(&Notification {
        jsonrpc: "2.0",
        method,
        params,
    })
}

fn text(value: &impl Serialize) -> String {
    // Structs of texts, numbers and raw JSON always serialise.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
                result(call.id, 1),
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":1}}"#)
            );
        }
    }

    #[test]
    fn notifications_and_answers_from_a_client_are_ignored() {
        for text in [
            r#"{"jsonrpc":"2.0","method":"publication","params":{"from":"bob"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
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
        assert!(matches!(read("{"), Err(Unreadable::Json(_))));
    }
}
