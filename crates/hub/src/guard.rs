//! What must hold before a publication enters a channel.
//!
//! Only [`clear`] makes a [`Cleared`], and a channel takes nothing else:
//!
//! ```compile_fail,E0451
//! let forged = wardwire_hub::guard::Cleared { channel: todo!(), data: todo!(), principal: todo!(), history: todo!() };
//! ```

use serde_json::value::RawValue;
use wardwire_admission::principal::Principal;
use wardwire_protocol::channel::ChannelName;

use crate::{
    HubError,
    rights::{ChannelRule, History, rule_for},
};

/// A publication that may enter its channel. Whom it is from is the server's word, never the sender's.
#[derive(Clone, Copy, Debug)]
pub struct Cleared<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) data: &'a RawValue,
    pub(crate) principal: &'a Principal,
    pub(crate) history: History,
}

/// Asks whether `principal` may publish to the channel.
///
/// The content was read by [`wardwire_protocol::json::check`] before it could become a `RawValue` of a call.
///
/// # Errors
/// No right, or no such channel: the answer is the same, and existence is never looked up.
pub fn clear<'a>(
    rules: &[ChannelRule],
    principal: &'a Principal,
    channel: &'a ChannelName,
    data: &'a RawValue,
) -> Result<Cleared<'a>, HubError> {
    let (rule, captures) = rule_for(rules, channel).ok_or(HubError::Forbidden)?;
    if !rule.publish.holds(principal, &captures) {
        return Err(HubError::Forbidden);
    }
    Ok(Cleared {
        channel,
        data,
        principal,
        history: rule.history,
    })
}
