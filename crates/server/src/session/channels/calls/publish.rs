//! `publish`: says something in a channel.

use serde_json::value::RawValue;
use wardwire_admission::admit::loggable;
use wardwire_hub::{HubError, PublicationId, Published, guard::Payload};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{
        Call, RpcError,
        wire::{PublishParams, PublishResult},
    },
};

use super::{Method, Outcome, answered, name, params, result};
use crate::session::{
    Scope, Session,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "publish",
    waits: true,
    call: publish,
};

/// Writes down what a channel in the mode `report` let through.
fn report(name: &ChannelName, why: RpcError, scope: &Scope<'_>) {
    scope.metrics.reported.add(1);
    let Session { server, trail, .. } = scope.session;
    let detail = || match why.place() {
        Some((pointer, keyword)) => format!(
            "{} {keyword} at {}",
            loggable(name.as_str()),
            loggable(pointer)
        ),
        None => loggable(name.as_str()).to_owned(),
    };
    server.audit.reported(trail, why.word, detail);
}

fn publish(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let PublishParams {
        channel,
        data,
        base64,
        id,
        no_echo,
    } = params(call)?;
    let payload = match (data, &base64) {
        (Some(data), None) => Payload::Data(data),
        (None, Some(text)) => Payload::Base64(text),
        _ => return Err(RpcError::PARAMS),
    };
    let id = match &id {
        Some(id) => Some(PublicationId::parse(id).ok_or(RpcError::PARAMS)?),
        None => None,
    };
    let name = name(&channel)?;
    let member = &channels.member;
    let except = no_echo.then(|| member.origin(scope.fanout));
    let published = member.publish(&name, payload, id, except);
    answered(channels, scope, published, move |published, _, scope| {
        finish(&name, published, scope)
    })
}

fn finish(
    name: &ChannelName,
    published: Result<Published, HubError>,
    scope: &mut Scope<'_>,
) -> Result<Box<RawValue>, RpcError> {
    if let Err(HubError::Invalid(_)) = published {
        scope.metrics.invalid.add(1);
    }
    let Published {
        position,
        duplicate,
        reported,
    } = published.map_err(refused)?;
    scope.metrics.publications.add(u64::from(!duplicate));
    if let Some(why) = reported {
        report(name, refused(why), scope);
    }
    result(&PublishResult {
        position: position.to_string().into(),
        duplicate,
    })
}
