//! `publish`: says something in a channel.

use wardwire_protocol::rpc::{
    Call,
    wire::{PublishParams, PublishResult},
};

use super::{Method, Outcome, name, now, params};
use crate::session::{
    Scope,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "publish",
    waits: false,
    call: publish,
};

fn publish(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let PublishParams { channel, data } = params(call)?;
    let position = channels
        .member
        .publish(&name(&channel)?, data)
        .map_err(refused)?;
    scope.metrics.publications.add(1);
    now(&PublishResult {
        position: position.to_string().into(),
    })
}
