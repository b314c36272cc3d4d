//! `[[channel]]`: who may do what, and what is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;
use crate::config::{
    path::FilePath,
    right::{Presence, Right},
    units::{Bytes, Span},
};

/// `[[channel]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// A pattern: segments between slashes, of which `{room}` takes any one. The others are as in names, in Unicode's NFC.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Who may follow.
    #[serde(default)]
    pub subscribe: Right,
    /// Who may publish.
    #[serde(default)]
    pub publish: Right,
    /// `{ size = 100, ttl = "1h" }`: publications kept in memory for those who come back.
    pub history: Option<History>,
    /// Who is told who follows: [who is there](channels.md#who-is-there).
    #[serde(default)]
    #[schemars(extend("x-default" = "`false`"))]
    pub presence: Presence,
    /// What may be published, and how its strings are made safe to show: a file with a JSON Schema (2020-12), at most
    /// 256 KiB. [channels.md](channels.md) tells what it may hold. What does not fit it: error -32008.
    #[schemars(extend("x-default" = "any JSON"))]
    pub schema: Option<FilePath>,
    /// What becomes of a publication that breaks `schema` or `rate`.
    #[serde(default)]
    pub mode: Mode,
    /// `{ messages = 100, bytes = "1MiB", per = "1s" }`: what the channel takes, all publishers together. Over it: error
    /// -32002, which says when to come back.
    pub rate: Option<ChannelRate>,
    /// Takes bytes, as `base64` in place of `data`, and nothing else. Refused beside `schema`.
    #[serde(default)]
    pub binary: bool,
    /// Whether a new subscriber gets the last publication at once. It lasts as long as the history, or a day where there is
    /// none.
    #[serde(default)]
    pub last_value: bool,
    /// Where in `data` stands what a publication is the value of, as a JSON Pointer (RFC 6901): `"/symbol"`, a text of at most 64
    /// bytes or an integer. Who reads slowly gets the newest of each, [and not everything](channels.md#the-newest-of-each).
    pub conflate: Option<String>,
}

/// `channel.mode`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is let through as it was, not sanitised, and told of in the audit log and the metrics.
    Report,
}

/// `channel.rate`
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRate {
    /// The most messages. `messages` or `bytes` is there, or both.
    #[schemars(range(min = 1, max = 10_000_000), extend("x-default" = "no limit"))]
    pub messages: Option<u32>,
    /// The most bytes of data. One that is larger alone: error -32009.
    #[schemars(range(min = 1, max = 1_073_741_824), extend("x-default" = "no limit"))]
    pub bytes: Option<Bytes>,
    /// In this time; all of it may come at once.
    #[serde(default = "a_second")]
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h"))]
    pub per: Span,
}

/// `channel.history`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The most publications.
    #[schemars(range(min = 1, max = 100_000))]
    pub size: usize,
    /// For how long.
    #[schemars(extend("x-least" = "1s", "x-most" = "365d"))]
    pub ttl: Span,
    /// Who may read what is kept, whether they follow or not. Who may not is not caught up after a reconnect either.
    #[schemars(extend("x-default" = "as `subscribe`"))]
    pub read: Option<Right>,
}

const fn a_second() -> Span {
    seconds(1)
}
