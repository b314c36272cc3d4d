//! `subscribe`: follows a channel, from now on or from a position.

use serde_json::value::RawValue;
use wardwire_hub::{HubError, Position, Seat};
use wardwire_protocol::rpc::{
    Call, RpcError,
    wire::{SubscribeParams, SubscribeResult},
};

use super::{Method, Outcome, answered, name, params, publications, result};
use crate::session::{
    Scope,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "subscribe",
    waits: true,
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
    let seat = channels.member.subscribe(scope.fanout, &name, since);
    answered(channels, scope, seat, finish)
}

fn finish(
    seat: Result<Seat, HubError>,
    channels: &mut Channels,
    scope: &mut Scope<'_>,
) -> Result<Box<RawValue>, RpcError> {
    let seat = seat.map_err(refused)?;
    let name = seat.channel().clone();
    let mut subscribed = channels.member.join(seat, scope.fanout).map_err(refused)?;
    // Others that were asked at once have taken the room.
    let bulky = subscribed.recovered || subscribed.conflated;
    if channels.room == 0 && bulky && !subscribed.publications.is_empty() {
        subscribed.recovered = false;
        subscribed.truncated = subscribed.conflated;
        subscribed.publications.clear();
    }
    let publications = publications(&subscribed.publications, channels)?;
    result(&SubscribeResult {
        channel: name.as_str().into(),
        position: subscribed.position.to_string().into(),
        recovered: subscribed.recovered,
        publications: publications.iter().map(|it| &**it).collect(),
        conflated: subscribed.conflated,
        truncated: subscribed.truncated,
    })
}
