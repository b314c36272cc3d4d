//! How a server is spoken to: where it is entered, what a follower says first, and by what a delivery is known.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::client::Pusher;

/// Without anything: text messages, `/echo`, `/follow`, `/publish`, no greeting, and every message that comes to a
/// follower is a delivery.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Dialect {
    /// One path for everything, instead of the three.
    pub(crate) path: Option<String>,
    pub(crate) echo_path: String,
    pub(crate) follow_path: String,
    pub(crate) publish_path: String,
    pub(crate) subprotocol: Option<String>,
    /// Further lines of the request's head.
    pub(crate) head: BTreeMap<String, String>,
    /// Messages that a follower sends when it is open.
    pub(crate) greeting: Vec<String>,
    /// Part of the message that says that the subscription stands.
    pub(crate) ready: Option<String>,
    /// Messages that the publisher sends when it is open, and part of what then says that it may publish.
    pub(crate) publisher_greeting: Vec<String>,
    pub(crate) publisher_ready: Option<String>,
    /// A publication, with `{data}` in it, and perhaps `{length}`: how long that is.
    pub(crate) publish: String,
    /// Instead of all greetings.
    pub(crate) pusher: Option<Pusher>,
    /// Messages are binary, not text.
    pub(crate) binary: bool,
    /// Part of every delivery and of nothing else that a follower is sent.
    pub(crate) delivery: Option<String>,
    pub(crate) keep_alive: Option<KeepAlive>,
}

/// A message that must be answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeepAlive {
    /// Part of it.
    pub(crate) ask: String,
    pub(crate) answer: String,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            path: None,
            echo_path: "/echo".into(),
            follow_path: "/follow".into(),
            publish_path: "/publish".into(),
            subprotocol: None,
            head: BTreeMap::new(),
            greeting: Vec::new(),
            ready: None,
            publisher_greeting: Vec::new(),
            publisher_ready: None,
            publish: "{data}".into(),
            pusher: None,
            binary: false,
            delivery: None,
            keep_alive: None,
        }
    }
}

impl Dialect {
    /// `wardwire.v1`: JSON-RPC on one channel, with the shortest name there is.
    pub(crate) fn wardwire() -> Self {
        Self::in_channel("c", r#""{data}""#)
    }

    /// The same on this channel, with `{data}` in what is published.
    pub(crate) fn in_channel(channel: &str, data: &str) -> Self {
        let call = |method: &str, params: &str| {
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
        };
        Self {
            follow_path: "/live".into(),
            publish_path: "/live".into(),
            subprotocol: Some("wardwire.v1".into()),
            greeting: vec![call("subscribe", &format!(r#"{{"channel":"{channel}"}}"#))],
            ready: Some(r#""recovered""#.into()),
            publish: call(
                "publish",
                &format!(r#"{{"channel":"{channel}","data":{data}}}"#),
            ),
            delivery: Some(r#""method":"publication""#.into()),
            ..Self::default()
        }
    }
}
