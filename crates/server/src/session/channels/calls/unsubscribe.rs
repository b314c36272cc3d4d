//! `unsubscribe`: follows a channel no longer.

use wardwire_protocol::rpc::{self, Call, wire::UnsubscribeParams};

use super::{Empty, Method, Outcome, name, now};
use crate::session::{
    Scope,
    channels::{Channels, errors::refused},
};

pub(super) const METHOD: Method = Method {
    name: "unsubscribe",
    waits: false,
    reads: None,
    call: unsubscribe,
};

fn unsubscribe(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let UnsubscribeParams { channel } = rpc::params(call)?;
    channels
        .member
        .unsubscribe(scope.fanout, scope.outbox, &name(&channel)?)
        .map_err(refused)?;
    now(&Empty {})
}
