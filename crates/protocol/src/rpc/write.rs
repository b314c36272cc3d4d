//! Answers and notifications, as texts.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{error::RpcError, wire::ErrorData};

#[derive(Serialize)]
struct Answer<'a, T> {
    jsonrpc: &'static str,
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorObject<'a>>,
}

#[derive(Serialize)]
struct ErrorObject<'a> {
    code: i32,
    message: &'static str,
    data: ErrorData<'a>,
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
pub fn error(id: Option<&RawValue>, error: &RpcError) -> String {
    let error = ErrorObject {
        code: error.code,
        message: error.message,
        data: error.data(),
    };
    text(&Answer::<()> {
        jsonrpc: "2.0",
        id,
        result: None,
        error: Some(error),
    })
}

/// The answers to a batch, in any order (JSON-RPC 2.0 §6).
#[must_use]
pub fn batch(answers: &[String]) -> String {
    format!("[{}]", answers.join(","))
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
