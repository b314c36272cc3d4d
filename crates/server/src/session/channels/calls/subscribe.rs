//! `subscribe`: follows a channel, from now on or from a position.

use wardwire_hub::Position;
use wardwire_protocol::rpc::{
    Call, RpcError,
    wire::{SubscribeParams, SubscribeResult},
};

use super::{Method, Outcome, name, now, params};
use crate::session::{
    Scope,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "subscribe",
    waits: false,
    call: subscribe,
};

fn subscribe(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let SubscribeParams { channel, since } = params(call)?;
    let since = match since {
        Some(text) => Some(Position::parse(&text).ok_or(RpcError::PARAMS)?),
        None => None,
    };
    let name = name(&channel)?;
    // Who asks for much at once is told that it cannot be had, and can ask for the rest channel by channel.
    let since = since.filter(|_| channels.room > 0);
    let subscribed = channels
        .member
        .subscribe(scope.fanout, &name, since)
        .map_err(refused)?;
    let bytes: usize = subscribed.publications.iter().map(|text| text.len()).sum();
    channels.room = channels.room.saturating_sub(bytes);
    let publications = subscribed.publications.iter();
    now(&SubscribeResult {
        channel: name.as_str().into(),
        position: subscribed.position.to_string().into(),
        recovered: subscribed.recovered,
        publications: publications
            .filter_map(|text| serde_json::from_str(text).ok())
            .collect(),
    })
}
