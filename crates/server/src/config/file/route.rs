//! `[[route]]`: where sockets are opened, by whom, and how large their messages are.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Bytes, Span};

/// `[[route]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Matched exactly. Paths under `/.wardwire` are the server's own.
    #[schemars(regex(pattern = r"^/[A-Za-z0-9/._~-]*$"))]
    pub path: String,
    /// What is spoken there.
    #[serde(default)]
    pub kind: Kind,
    /// Takes sockets without a credential. A credential that is brought is still judged.
    #[serde(default)]
    pub anonymous: bool,
    /// Takes clients that send no Origin: programs, with a bearer token or a ticket. A cookie never goes without an Origin.
    #[serde(default)]
    pub native_clients: bool,
    /// How users must have signed in, and over what connection. Who signed in too weakly gets 401 with a challenge (RFC 9470) that names what is missing.
    #[serde(default)]
    pub require: Require,
    /// Instead of those of `[limits]`, for this route: `{ message = "16KiB", fragments = 16, messages_per_second = 20 }`.
    #[serde(default)]
    pub limits: RouteLimits,
    /// `true`, or a table: messages are compressed for clients that offer it, as every browser does.
    #[serde(default)]
    #[schemars(extend("x-default" = "`false`"))]
    pub compression: Compression,
}

/// `route.kind`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Speaks `wardwire.v1`.
    #[default]
    Channels,
    /// Sends every message back, for tests and measurements.
    Echo,
}

/// `route.require`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Require {
    /// The token's `acr` is exactly this: visible ASCII without quotation marks and backslashes.
    #[schemars(length(min = 1))]
    pub acr: Option<String>,
    /// The token's `amr` holds all of these.
    #[schemars(inner(length(min = 1)))]
    pub amr: Vec<String>,
    /// `auth_time` is no older, at the handshake, at each refresh and while a socket is open: it ends when this is over
    /// (3000 `expired`).
    #[schemars(extend("x-least" = "1s"))]
    pub max_age: Option<Span>,
    /// The socket came by the listener of `server.client_certificates`. Who comes by another gets 403, with or without a
    /// credential.
    pub client_certificate: bool,
}

/// `route.limits`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteLimits {
    /// Of one message.
    #[schemars(range(min = 1, max = 1_073_741_824), extend("x-default" = "`limits.message`"))]
    pub message: Option<Bytes>,
    /// Frames of one message.
    #[schemars(range(min = 1, max = 1_048_576), extend("x-default" = "`limits.fragments`"))]
    pub fragments: Option<u32>,
    /// From one socket; 0 is no limit.
    #[schemars(extend("x-default" = "`limits.messages_per_second`"))]
    pub messages_per_second: Option<u32>,
}

/// `route.compression`
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "it is true, false or { threshold = \"256B\", level = 1 }"
)]
pub enum Compression {
    /// `true`, with what is usual; or `false`
    Switch(bool),
    /// `{ threshold = "256B", level = 1 }`
    Tuned(Deflate),
}

impl Default for Compression {
    fn default() -> Self {
        Self::Switch(false)
    }
}

impl Compression {
    /// None does not compress.
    #[must_use]
    pub fn deflate(self) -> Option<Deflate> {
        match self {
            Self::Switch(on) => on.then(Deflate::default),
            Self::Tuned(deflate) => Some(deflate),
        }
    }
}

/// `route.compression`, tuned.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deflate {
    /// Messages of fewer bytes are sent as they are.
    #[schemars(range(max = 1_048_576))]
    pub threshold: Bytes,
    /// 1 is quickest, 9 smallest.
    #[schemars(range(min = 1, max = 9))]
    pub level: u8,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            threshold: Bytes(256),
            level: 1,
        }
    }
}
