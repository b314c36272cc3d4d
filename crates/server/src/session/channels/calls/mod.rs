//! The methods of `wardwire.v1`, a file for each: what it takes, what it does, what it answers.

pub(crate) mod history;
mod ping;
pub(crate) mod presence;
pub(crate) mod publish;
mod refresh;
mod subscribe;
mod unsubscribe;

use serde::Serialize;
use serde_json::value::RawValue;
use wardwire_hub::{
    HubError,
    engine::{Answer, Placed},
    rights::Action,
};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{self, Call, RpcError, wire::UnsubscribeParams},
};

use super::{
    Channels,
    pending::{Conclusion, Finish, Later},
};
use crate::session::Scope;

/// A method.
pub(super) struct Method {
    /// As clients call it.
    pub(super) name: &'static str,
    /// Whether its answer may have to wait. What a call does before it fails for want of a place to wait would be done all
    /// the same, so that one is asked for first.
    pub(super) waits: bool,
    /// By which right it is told anything of a channel.
    pub(super) reads: Option<Action>,
    pub(super) call: fn(&mut Channels, &Call<'_>, &mut Scope<'_>) -> Outcome,
}

/// What a call comes to.
pub(super) type Outcome = Result<Reply, RpcError>;

/// A call that did not fail.
pub(super) enum Reply {
    /// Its result.
    Now(Box<RawValue>),
    /// It is answered when something has happened.
    Later(Later),
}

/// Every method there is.
const METHODS: &[Method] = &[
    publish::METHOD,
    subscribe::METHOD,
    unsubscribe::METHOD,
    history::METHOD,
    presence::METHOD,
    ping::METHOD,
    refresh::METHOD,
];

/// The method of a name.
pub(super) fn method(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

#[derive(Serialize)]
struct Empty {}

/// The channel that a call names.
pub(super) fn channel(call: &Call<'_>) -> Option<ChannelName> {
    let named: UnsubscribeParams<'_> = rpc::params(call).ok()?;
    ChannelName::parse(&named.channel).ok()
}

pub(crate) fn name(text: &str) -> Result<ChannelName, RpcError> {
    ChannelName::parse(text).map_err(|_| RpcError::CHANNEL)
}

pub(crate) fn result(value: &impl Serialize) -> Result<Box<RawValue>, RpcError> {
    // Structs of texts, numbers and raw JSON always serialise.
    serde_json::value::to_raw_value(value).map_err(|_| RpcError::CONTENT)
}

fn now(value: &impl Serialize) -> Outcome {
    result(value).map(Reply::Now)
}

/// Publications of one channel, as lists hold them. Their bytes are taken from what this turn may answer.
fn publications(found: &[Placed], channels: &mut Channels) -> Result<Vec<Box<RawValue>>, RpcError> {
    let found: Vec<_> = found.iter().map(result).collect::<Result<_, _>>()?;
    let bytes = found
        .iter()
        .map(|publication| publication.get().len())
        .sum();
    channels.room = channels.room.saturating_sub(bytes);
    Ok(found)
}

/// Goes on with what the hub answers, now or later.
fn answered<T: Send + 'static>(
    channels: &mut Channels,
    scope: &mut Scope<'_>,
    answer: Answer<Result<T, HubError>>,
    finish: impl FnOnce(
        Result<T, HubError>,
        &mut Channels,
        &mut Scope<'_>,
    ) -> Result<Box<RawValue>, RpcError>
    + Send
    + 'static,
) -> Outcome {
    let later = match answer {
        Answer::Now(answer) => return finish(answer, channels, scope).map(Reply::Now),
        Answer::Later(later) => later,
    };
    Ok(Reply::Later(Box::pin(async move {
        let answer = later.await;
        let finish: Finish =
            Box::new(
                move |channels, scope| match finish(answer, channels, scope) {
                    Ok(result) => Conclusion::Result(result),
                    Err(error) => {
                        channels.note(&error, scope, || None);
                        Conclusion::Error(error)
                    }
                },
            );
        finish
    })))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use wardwire_protocol::rpc::wire;

    use super::*;

    #[test]
    fn the_methods_are_those_of_the_protocols_document() {
        let known: BTreeSet<&str> = METHODS.iter().map(|method| method.name).collect();
        assert_eq!(known, BTreeSet::from(wire::METHODS));
        assert_eq!(known.len(), METHODS.len(), "none stands twice");
    }
}
