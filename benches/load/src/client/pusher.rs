//! Pusher's protocol: a server speaks first, and subscribing to a private channel takes a signature.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use serde::Deserialize;

/// The application that the server was started with, and its channel on which clients may publish.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pusher {
    key: String,
    secret: String,
    channel: String,
}

impl Pusher {
    /// Subscribes the socket of this name.
    pub(crate) fn subscribe(&self, id: &str) -> String {
        let Self {
            key,
            secret,
            channel,
        } = self;
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = hmac::sign(&secret, format!("{id}:{channel}").as_bytes());
        let auth = signature
            .as_ref()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}","auth":"{key}:{auth}"}}}}"#
        )
    }
}

/// What a greeting calls the socket: its data is JSON in a string.
pub(crate) fn id(greeting: &[u8]) -> Option<String> {
    const MEMBER: &str = r#"\"socket_id\":\""#;
    let (_, rest) = std::str::from_utf8(greeting).ok()?.split_once(MEMBER)?;
    rest.split('\\').next().map(str::to_owned)
}
