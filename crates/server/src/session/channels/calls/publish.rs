//! `publish`: says something in a channel.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wardwire_protocol::rpc::Call;

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

#[derive(Deserialize)]
struct PublishParams<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    /// Not to this very socket; to the user's others all the same.
    #[serde(default, rename = "noEcho")]
    no_echo: bool,
}

#[derive(Serialize)]
struct Published {
    position: String,
}

fn publish(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let PublishParams {
        channel,
        data,
        no_echo,
    } = params(call)?;
    let member = &channels.member;
    let except = no_echo.then(|| member.origin(scope.fanout));
    let position = member
        .publish(&name(&channel)?, data, except)
        .map_err(refused)?;
    scope.metrics.publications.add(1);
    now(&Published {
        position: position.to_string(),
    })
}
