//! `subscribe`: follows a channel, from now on or from a position.

use http::StatusCode;
use serde_json::value::RawValue;
use wardwire_admission::{
    refusal::{Reason, Refusal, Stage},
    token::Grant,
};
use wardwire_hub::{
    HubError, Position, Seat,
    rights::{Action, ChannelGrant},
};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{
        self, Call, RpcError,
        wire::{SubscribeParams, SubscribeResult},
    },
};

use super::{Method, Outcome, Reply, answered, name, publications, result};
use crate::session::{
    Scope, Session,
    channels::{
        Channels,
        errors::refused,
        pending::{Conclusion, Finish},
    },
};

pub(super) const METHOD: Method = Method {
    name: "subscribe",
    waits: true,
    reads: Some(Action::Subscribe),
    call: subscribe,
};

fn subscribe(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let SubscribeParams {
        channel,
        since,
        grant,
    } = rpc::params(call)?;
    let since = match since {
        Some(text) => Some(Position::parse(&text).ok_or_else(|| RpcError::parameter("since"))?),
        None => None,
    };
    let name = name(&channel)?;
    match grant {
        None => follow(&name, since, channels, scope),
        Some(grant) => Ok(by_grant(name, since, grant.into_owned(), scope)),
    }
}

/// Follows what was granted, once it is known to be.
fn by_grant(name: ChannelName, since: Option<Position>, grant: String, scope: &Scope<'_>) -> Reply {
    let Session { server, lease, .. } = scope.session;
    let (server, lease) = (server.clone(), lease.clone());
    Reply::Later(Box::pin(async move {
        let granted = server.gate.grant(&lease, &grant).await;
        let finish: Finish = Box::new(move |channels, scope| {
            let granted = granted.and_then(|it| read(it, &name));
            let outcome = match granted.map(|it| channels.member.show(it)) {
                Ok(true) => follow(&name, since, channels, scope),
                Ok(false) => Err(RpcError::SUBSCRIPTION),
                Err(refusal) => return refuse(&refusal, channels, scope),
            };
            match outcome {
                Ok(Reply::Now(result)) => Conclusion::Result(result),
                Ok(Reply::Later(later)) => Conclusion::Later(later),
                Err(error) => {
                    channels.note(&error, scope, || None);
                    Conclusion::Error(error)
                }
            }
        });
        finish
    }))
}

/// What a grant gives in this channel.
fn read(grant: Grant, name: &ChannelName) -> Result<ChannelGrant, Refusal> {
    let wrong = || Refusal::new(Stage::Identity, Reason::TokenClaims);
    let grant = ChannelGrant::of(grant).map_err(|error| wrong().because(error))?;
    match grant.channel() == name {
        true => Ok(grant),
        false => Err(wrong().because("it is for another channel")),
    }
}

/// Whoever shows a grant that does not hold is told no more than who has none.
fn refuse(refusal: &Refusal, channels: &mut Channels, scope: &Scope<'_>) -> Conclusion {
    let Session { server, trail, .. } = scope.session;
    server.refused(trail, refusal);
    let error = match refusal.reason.status() {
        StatusCode::SERVICE_UNAVAILABLE => RpcError::RATE,
        _ => RpcError::FORBIDDEN,
    };
    channels.count_error(&error, scope);
    Conclusion::Error(error)
}

fn follow(
    name: &ChannelName,
    since: Option<Position>,
    channels: &mut Channels,
    scope: &mut Scope<'_>,
) -> Outcome {
    // Who asks for much at once is told that it cannot be had, and can ask for the rest channel by channel.
    let since = since.filter(|_| channels.room > 0);
    let seat = channels.member.subscribe(scope.fanout, name, since);
    let name = name.clone();
    answered(channels, scope, seat, move |seat, channels, scope| {
        let subscribed = finish(seat, channels, scope);
        channels.member.forget(&name);
        subscribed
    })
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
