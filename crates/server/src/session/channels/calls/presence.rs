//! `presence`: says who follows a channel.

use serde_json::value::RawValue;
use wardwire_hub::{HubError, engine::Present, rights::Action};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{
        self, Call, RpcError,
        wire::{PresenceParams, PresenceResult},
    },
};

use super::{Method, Outcome, answered, name, result};
use crate::session::{
    Scope,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "presence",
    waits: true,
    reads: Some(Action::Presence),
    call: presence,
};

/// The most members that are named.
const NAMED: usize = 100;
/// The most bytes of them.
pub(crate) const BYTES: usize = 64 * 1024;

/// Of which channel, and how many are to be named.
pub(crate) fn wanted(call: &Call<'_>) -> Result<(ChannelName, usize), RpcError> {
    let PresenceParams {
        channel,
        count_only,
    } = rpc::params(call)?;
    let most = if count_only { 0 } else { NAMED };
    Ok((name(&channel)?, most))
}

fn presence(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let (name, most) = wanted(call)?;
    let present = channels.member.presence(&name, most);
    answered(channels, scope, present, |present, channels, _| {
        let result = answer(present, channels.room.min(BYTES))?;
        // Who asks about many channels at once is told few names, and at last none.
        channels.room = channels.room.saturating_sub(result.get().len());
        Ok(result)
    })
}

/// Who is there, with names of so many bytes.
pub(crate) fn answer(
    present: Result<Present, HubError>,
    bytes: usize,
) -> Result<Box<RawValue>, RpcError> {
    let present = present.map_err(refused)?;
    let (members, truncated) = present.told(bytes);
    result(&PresenceResult {
        count: present.count as u64,
        anonymous: present.anonymous as u64,
        members,
        truncated,
    })
}
