//! `[limits]`: what one peer may cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seconds;
use crate::config::units::{Bytes, Span};

/// `[limits]`
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of one message. Over it: close 1009.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub message: Bytes,
    /// Frames of one message. Over it: close 1008 `fragments`.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub fragments: u32,
    /// From a message's first byte to its last. Over it: close 1008 `slow-message`.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub message_time: Span,
    /// Queued for a socket that reads too slowly. A publication that waits alone always fits. Over it: close 1013 `slow`.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub outbox: Bytes,
    /// Connections from one IPv4 address or IPv6 /64, admitted or not. Over it: 429.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub connections_per_ip: u32,
    /// Admitted sockets of one user of one issuer. Over it: 429.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub connections_per_subject: u32,
    /// Connections that are not admitted, at most half of them from one address. A quarter more get an answer, further ones
    /// are dropped. Over it: 503.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub unadmitted: u32,
    /// Cookie sessions of all users together, which are kept in memory. One more ends the oldest of the user whose it is, or, where
    /// there is none, of whoever has most and more than 8. Over it: 503.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub sessions: usize,
    /// From the accepted connection to the `101`, and for every request before it. Over it: 408, or a drop.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub handshake: Span,
    /// A peer that is silent so long is pinged.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub ping: Span,
    /// And if it then stays silent so long, dropped: 3008 `idle` in the audit log.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub pong: Span,
    /// From one socket, with one second's worth saved up; 0 is no limit. Over it: error -32002, and on an echo route close
    /// 1008 `flood`.
    pub messages_per_second: u32,
    /// Calls a second from all sockets of one user, or, of those without a credential, of one address; 0 is no limit. Over
    /// it: error -32002.
    #[schemars(extend("x-default" = "ten times `messages_per_second`"))]
    pub identity_messages: Option<u32>,
    /// Bytes of their messages a second; 0 is no limit. Over it: error -32002.
    #[schemars(range(max = 1_073_741_824), extend("x-default" = "`\"16MiB\"`; no limit where `messages_per_second` is 0"))]
    pub identity_bytes: Option<Bytes>,
    /// Of one socket. Over it: error -32003.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub subscriptions: usize,
    /// That live at once; one user opened at most half of them, and 10,000, as did all together who have no credential. Over it:
    /// error -32003.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub channels: usize,
}

impl Limits {
    /// Calls a second of one identity; 0 is no limit.
    #[must_use]
    pub fn identity_messages(&self) -> u32 {
        let usual = self.messages_per_second.saturating_mul(10);
        self.identity_messages.unwrap_or(usual)
    }

    /// Bytes of them; 0 is no limit.
    #[must_use]
    pub fn identity_bytes(&self) -> Bytes {
        let usual = match self.messages_per_second {
            0 => 0,
            _ => 16 * 1024 * 1024,
        };
        self.identity_bytes.unwrap_or(Bytes(usual))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Bytes(64 * 1024),
            fragments: 64,
            message_time: seconds(10),
            outbox: Bytes(1024 * 1024),
            connections_per_ip: 1000,
            connections_per_subject: 100,
            unadmitted: 1024,
            sessions: 100_000,
            handshake: seconds(10),
            ping: seconds(25),
            pong: seconds(20),
            messages_per_second: 200,
            identity_messages: None,
            identity_bytes: None,
            subscriptions: 128,
            channels: 100_000,
        }
    }
}
