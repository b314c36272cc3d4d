//! `publish`: says something in a channel.

use serde_json::value::RawValue;
use wardwire_admission::admit::{Trail, loggable};
use wardwire_hub::{HubError, PublicationId, Published, guard::Payload};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{
        self, Call, RpcError,
        wire::{PublishParams, PublishResult},
    },
};

use super::{Method, Outcome, answered, name, result};
use crate::{
    metrics::ShardMetrics,
    server::Server,
    session::{
        Scope, Session,
        channels::{Channels, errors::refused},
    },
};

pub(super) const METHOD: Method = Method {
    name: "publish",
    waits: true,
    reads: None,
    call: publish,
};

/// What somebody wants to publish.
pub(crate) fn payload<'a>(wanted: &'a PublishParams<'_>) -> Result<Payload<'a>, RpcError> {
    match (wanted.data, &wanted.base64) {
        (Some(data), None) => Ok(Payload::Data(data)),
        (None, Some(text)) => Ok(Payload::Base64(text)),
        (None, None) => Err(RpcError::parameter("data")),
        (Some(_), Some(_)) => Err(RpcError::parameter("base64")),
    }
}

/// By what id, if by one.
pub(crate) fn id<'a>(wanted: &'a PublishParams<'_>) -> Result<Option<PublicationId<'a>>, RpcError> {
    let id = wanted.id.as_deref();
    let read = |id| PublicationId::parse(id).ok_or_else(|| RpcError::parameter("id"));
    id.map(read).transpose()
}

/// Writes down what a channel in the mode `report` let through.
fn report(name: &ChannelName, why: RpcError, (server, metrics, trail): Witness<'_>) {
    metrics.reported.add(1);
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
    let wanted: PublishParams<'_> = rpc::params(call)?;
    let (payload, id, name) = (payload(&wanted)?, id(&wanted)?, name(&wanted.channel)?);
    let member = &channels.member;
    let except = wanted.no_echo.then(|| member.origin(scope.fanout));
    let published = member.publish(&name, payload, id, except);
    answered(channels, scope, published, move |published, _, scope| {
        let Session { server, trail, .. } = scope.session;
        finish(&name, published, (server, scope.metrics, trail))
    })
}

/// What a publication is counted by and written down in.
pub(crate) type Witness<'a> = (&'a Server, &'a ShardMetrics, &'a Trail);

/// What a publisher is answered.
pub(crate) fn finish(
    name: &ChannelName,
    published: Result<Published, HubError>,
    witness: Witness<'_>,
) -> Result<Box<RawValue>, RpcError> {
    let (_, metrics, _) = witness;
    if let Err(HubError::Invalid(_)) = published {
        metrics.invalid.add(1);
    }
    let Published {
        position,
        duplicate,
        reported,
    } = published.map_err(refused)?;
    metrics.publications.add(u64::from(!duplicate));
    if let Some(why) = reported {
        report(name, refused(why), witness);
    }
    result(&PublishResult {
        position: position.to_string().into(),
        duplicate,
    })
}
