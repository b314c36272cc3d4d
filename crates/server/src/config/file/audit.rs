//! `[audit]`: where the log is, and how long it is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{
    path::FilePath,
    units::{Bytes, Span},
};

/// `[audit]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditFile {
    /// The audit log. It is appended to and made with mode 0600; one that others can write is refused, as is a symbolic link,
    /// one that another server writes, and a folder that anybody can write (unless it has the sticky bit). While it cannot
    /// be written, nobody new is let in.
    pub file: FilePath,
    /// When the file is closed as a segment and another begun. Never without it.
    pub rotate: Rotate,
    /// Closed segments that are kept. The oldest beyond are deleted, and that stands in the log. Refused without `rotate`.
    #[schemars(range(min = 1, max = 100_000), extend("x-default" = "all"))]
    pub keep: Option<usize>,
    /// Signs the log's heads: an Ed25519 key made by `wardwire audit key --out FILE`. Only its owner may read the file (mode
    /// 0600), and it may not lie in the log's folder or below.
    pub signing_key: Option<FilePath>,
    /// Where each line goes beside: `"syslog:/dev/log"` (RFC 5424 to a datagram socket) or `"fd:3"` (a pipe, FIFO, terminal
    /// or file that the server is started with).
    pub ship: Option<String>,
    /// Whether nobody new is let in while lines cannot be shipped. Refused without `ship`.
    pub ship_required: bool,
    /// How much of a client's address is written.
    pub addresses: Addresses,
}

/// `audit.addresses`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Addresses {
    /// All of it.
    #[default]
    Full,
    /// Its network: the /24 of an IPv4 address, the /48 of an IPv6 one. Limits count whole addresses all the same.
    Shortened,
}

/// `audit.rotate`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// The file's size at which it is closed.
    #[schemars(range(min = 16_384))]
    pub size: Option<Bytes>,
    /// The age of its first line at which it is closed.
    #[schemars(extend("x-least" = "1m", "x-most" = "366d"))]
    pub age: Option<Span>,
}

impl Default for AuditFile {
    fn default() -> Self {
        Self {
            file: FilePath::from("audit.jsonl"),
            rotate: Rotate::default(),
            keep: None,
            signing_key: None,
            ship: None,
            ship_required: false,
            addresses: Addresses::Full,
        }
    }
}
