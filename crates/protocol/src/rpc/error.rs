//! Errors in band: a code for programs, a sentence for people, and data that says where and until when.

use std::{borrow::Cow, time::Duration};

use super::wire::ErrorData;

/// An error in band. Its codes and words are those of `spec/codes.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcError {
    /// JSON-RPC 2.0 §5.1, or one of ours in the range it leaves to servers.
    pub code: i32,
    /// A short sentence that says what to do.
    pub message: &'static str,
    /// The code's stable name: in `data`, and in a log.
    pub word: &'static str,
    pointer: Option<Box<str>>,
    keyword: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
}

/// The most bytes of a pointer that are told.
const POINTER: usize = 256;
/// The most bytes of a rule's name that are told.
const KEYWORD: usize = 64;
/// How long to wait where nobody can tell for how long.
const SOON: Duration = Duration::from_secs(1);
/// The longest that anybody is told to wait.
const LONGEST: Duration = Duration::from_secs(3600);

impl RpcError {
    /// The text is not JSON.
    pub const PARSE: Self = Self::new(-32700, "parse", "Send JSON (RFC 8259).");
    /// Not a JSON-RPC 2.0 call, or too many.
    pub const REQUEST: Self = Self::new(
        -32600,
        "request",
        "Send JSON-RPC 2.0, at most 32 calls at once, each with an integer or a short text as its id.",
    );
    /// No such method.
    pub const METHOD: Self = Self::new(-32601, "method", "There is no such method.");
    /// The parameters do not fit the method.
    pub const PARAMS: Self = Self::new(
        -32602,
        "params",
        "The parameters do not fit the method. Change what the pointer names.",
    );
    /// No right to that, or no such thing: the answer is the same.
    pub const FORBIDDEN: Self = Self::new(-32001, "forbidden", "Not allowed.");
    /// Too many messages. It always says after what time to come back.
    pub const RATE: Self = Self {
        code: -32002,
        word: "rate",
        message: "Too many messages. Slow down.",
        pointer: None,
        keyword: None,
        retry_after: Some(SOON),
    };
    /// Too many subscriptions or channels.
    pub const LIMIT: Self = Self::new(
        -32003,
        "limit",
        "A limit is reached. Unsubscribe from something.",
    );
    /// JSON that readers could read differently.
    pub const CONTENT: Self = Self::new(
        -32004,
        "content",
        "JSON that could be read in two ways is not taken. Change what the keyword names.",
    );
    /// Not a channel name.
    pub const CHANNEL: Self = Self::new(-32005, "channel", "That is not a channel name.");
    /// Subscribing twice, or unsubscribing from nothing.
    pub const SUBSCRIPTION: Self =
        Self::new(-32006, "subscription", "Already, or not, subscribed.");
    /// The fresh token does not hold.
    pub const TOKEN: Self = Self::new(-32007, "token", "The token is not accepted.");
    /// The data breaks a rule of the channel.
    pub const INVALID: Self = Self::new(
        -32008,
        "invalid",
        "The data does not fit the channel. Change what the pointer names.",
    );
    /// The data is larger than the channel takes at once.
    pub const TOO_LARGE: Self = Self::new(
        -32009,
        "too-large",
        "The data is too large for the channel. Send less.",
    );

    const fn new(code: i32, word: &'static str, message: &'static str) -> Self {
        Self {
            code,
            message,
            word,
            pointer: None,
            keyword: None,
            retry_after: None,
        }
    }

    /// [`PARAMS`](Self::PARAMS), about this one.
    #[must_use]
    pub fn parameter(name: &'static str) -> Self {
        Self::PARAMS.at(&format!("/{name}"))
    }

    /// With the place that it is about, as a JSON Pointer (RFC 6901). Of one that is too long to be told, what is told is the
    /// nearest place around it that is not.
    #[must_use]
    pub fn at(self, pointer: &str) -> Self {
        Self {
            pointer: Some(around(pointer).into()),
            ..self
        }
    }

    /// With the rule that was broken, by its keyword in the channel's schema. One that is too long to be told is not.
    #[must_use]
    pub fn by(self, keyword: impl Into<Cow<'static, str>>) -> Self {
        let keyword = keyword.into();
        Self {
            keyword: (keyword.len() <= KEYWORD).then_some(keyword),
            ..self
        }
    }

    /// With the time after which the same may succeed, at most an hour.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self {
            retry_after: Some(wait.min(LONGEST)),
            ..self
        }
    }

    /// The place and the rule, if it tells both.
    #[must_use]
    pub fn place(&self) -> Option<(&str, &str)> {
        self.pointer.as_deref().zip(self.keyword.as_deref())
    }

    /// The time after which the same may succeed, where it is told one.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What a program can go by.
    pub(super) fn data(&self) -> ErrorData<'_> {
        ErrorData {
            word: self.word.into(),
            pointer: self.pointer.as_deref().map(Cow::Borrowed),
            keyword: self.keyword.as_deref().map(Cow::Borrowed),
            // Never a little too early.
            retry_after: self
                .retry_after
                .map(|wait| wait.as_micros().div_ceil(1000))
                .map(|thousandths| f64::from(u32::try_from(thousandths).unwrap_or(u32::MAX)) / 1e3),
        }
    }
}

/// The pointer, or that to the nearest place around it that is short enough to be told. A step is never cut in two.
fn around(pointer: &str) -> &str {
    let mut place = pointer;
    while place.len() > POINTER {
        let parent = place.rfind('/').and_then(|end| place.get(..end));
        place = parent.unwrap_or_default();
    }
    place
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn data(error: &RpcError) -> Value {
        serde_json::to_value(error.data()).unwrap()
    }

    #[test]
    fn every_error_says_its_word_and_what_else_applies() {
        assert_eq!(data(&RpcError::METHOD), json!({ "word": "method" }));
        let invalid = RpcError::INVALID.at("/text").by("maxLength");
        let all = json!({ "word": "invalid", "pointer": "/text", "keyword": "maxLength" });
        assert_eq!(data(&invalid), all);
        let root = RpcError::INVALID.at("");
        assert_eq!(data(&root)["pointer"], "", "all of it");
    }

    #[test]
    fn who_is_too_fast_is_always_told_until_when_and_never_too_early() {
        assert_eq!(data(&RpcError::RATE)["retryAfter"], 1.0);
        for (wait, told) in [
            (Duration::from_micros(1), 0.001),
            (Duration::from_millis(250), 0.25),
            (Duration::from_micros(250_001), 0.251),
            (Duration::from_secs(7), 7.0),
            (Duration::MAX, 3600.0),
        ] {
            assert_eq!(data(&RpcError::RATE.after(wait))["retryAfter"], told);
        }
    }

    #[test]
    fn a_pointer_too_long_to_be_told_becomes_one_to_what_is_around_it() {
        let step = format!("/{}", "x".repeat(99));
        for (pointer, told) in [
            (step.repeat(2), step.repeat(2)),
            (step.repeat(3), step.repeat(2)),
            (
                format!("/{}", "x".repeat(255)),
                format!("/{}", "x".repeat(255)),
            ),
            (format!("/{}", "x".repeat(256)), String::new()),
            // The last step ends just where it may.
            (
                format!("/{}/y", "x".repeat(255)),
                format!("/{}", "x".repeat(255)),
            ),
            // A character is not cut in two either.
            (format!("/a/{}", "ö".repeat(127)), "/a".to_owned()),
        ] {
            assert_eq!(data(&RpcError::INVALID.at(&pointer))["pointer"], told);
        }
        let long = RpcError::INVALID.by("k".repeat(65));
        assert!(data(&long).get("keyword").is_none());
    }
}
