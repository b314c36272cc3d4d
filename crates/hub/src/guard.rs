//! What must hold before a publication enters a channel: the right to it, then the channel's rate, then its content.
//!
//! Only [`clear`] makes a [`Cleared`], and a channel takes nothing else:
//!
//! ```compile_fail,E0451
//! let forged = wardwire_hub::guard::Cleared { channel: todo!(), payload: todo!(), standing: todo!(), keep: todo!(), key: None, reported: None };
//! ```

use std::{borrow::Cow, sync::Arc, time::Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::value::RawValue;
use wardwire_protocol::channel::ChannelName;

use crate::{
    HubError,
    content::{Content, Key, Violation},
    engine::Keep,
    rates::{Rate, Rates},
    rights::{Action, ChannelRules, Standing},
};

/// A publication that may enter its channel. Whom it is from is the server's word, never the sender's.
#[derive(Clone, Debug)]
pub struct Cleared<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) payload: Cleaned<'a>,
    pub(crate) standing: &'a Standing,
    pub(crate) keep: Keep,
    /// Of what it is the value, where the channel keeps the latest of each.
    pub(crate) key: Option<Box<str>>,
    pub(crate) reported: Option<HubError>,
}

/// What somebody wants to publish.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// JSON. It was read by [`wardwire_protocol::json::check`] before it could become a `RawValue` of a call.
    Data(&'a RawValue),
    /// Bytes, in base64 (RFC 4648 §4).
    Base64(&'a str),
}

impl<'a> From<&'a RawValue> for Payload<'a> {
    fn from(data: &'a RawValue) -> Self {
        Self::Data(data)
    }
}

impl<'a> From<&'a Box<RawValue>> for Payload<'a> {
    fn from(data: &'a Box<RawValue>) -> Self {
        Self::Data(data)
    }
}

impl Payload<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Data(data) => data.get().len(),
            Self::Base64(text) => text.len(),
        }
    }
}

/// The same, as it may be delivered.
#[derive(Clone, Debug)]
pub(crate) enum Cleaned<'a> {
    Data(Cow<'a, RawValue>),
    Base64(&'a str),
}

/// What a channel's publications must be like, whoever is allowed to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContentRule {
    /// What they may hold; none is any JSON. Bytes are never judged.
    pub schema: Option<Arc<Content>>,
    /// Whether it is bytes instead of JSON.
    pub binary: bool,
    /// Of what each is the value, if the latest of each is what counts.
    pub key: Option<Key>,
    /// All publishers together.
    pub rate: Option<Rate>,
    /// What becomes of one that breaks the schema or the rate.
    pub mode: Mode,
}

/// What becomes of a publication that breaks a rule of its channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is let through as it was, unsanitised, and told of.
    Report,
}

/// Asks whether somebody may publish this to the channel now.
///
/// # Errors
/// No right, or no such channel: the answer is the same, and existence is never looked up. Too much for the channel's rate, or
/// more at once than it ever takes.
/// Or it does not fit: it is JSON where bytes are taken or the other way round, or against the schema.
pub fn clear<'a>(
    rules: &'a ChannelRules,
    standing: &'a Standing,
    channel: &'a ChannelName,
    payload: Payload<'a>,
    rates: &Rates,
    now: Instant,
) -> Result<Cleared<'a>, HubError> {
    let rule = rules.verdict(standing, channel, Action::Publish);
    let rule = rule.ok_or(HubError::Forbidden)?;
    let ContentRule { rate, mode, .. } = &rule.content;
    let mut reported = None;
    if let Some(rate) = rate {
        let length = payload.length();
        // It would shut the channel for everybody for as long as all that it takes by.
        let taken = match rate.bytes.is_some_and(|most| length as u64 > most) {
            true => Err(HubError::TooLarge),
            false => {
                let taken = rates.take(rates.key(channel), rate, length, now);
                taken.map_err(HubError::Rate)
            }
        };
        if let Err(error) = taken {
            reported = Some(mode.answer(error)?);
        }
    }
    let payload = match (payload, rule.content.binary) {
        (Payload::Data(data), false) => match judge(&rule.content, data) {
            Ok(data) => Cleaned::Data(data),
            Err(violation) => {
                let error = mode.answer(HubError::Invalid(violation))?;
                reported = reported.or(Some(error));
                Cleaned::Data(Cow::Borrowed(data))
            }
        },
        (Payload::Base64(text), true) => Cleaned::Base64(canonical(text)?),
        // What readers could not even take is let through by nobody.
        _ => return Err(HubError::Invalid(Violation::whole("binary"))),
    };
    let key = match (&rule.content.key, &payload) {
        // Without one it would be nothing's value, and so it is not only reported.
        (Some(key), Cleaned::Data(data)) => Some(key.of(data).map_err(HubError::Invalid)?),
        _ => None,
    };
    Ok(Cleared {
        channel,
        payload,
        key,
        standing,
        keep: rule.keep(),
        reported,
    })
}

/// The data as it may be delivered. Where a rule only reports, it goes on as it was, even if sanitising would have changed it.
fn judge<'a>(rule: &ContentRule, data: &'a RawValue) -> Result<Cow<'a, RawValue>, Violation> {
    let Some(schema) = &rule.schema else {
        return Ok(Cow::Borrowed(data));
    };
    let cleared = schema.clear(data)?;
    match (rule.mode, &cleared) {
        (Mode::Report, Cow::Owned(_)) => Err(Violation::whole("x-sanitise")),
        _ => Ok(cleared),
    }
}

/// Base64 with padding, of which no other text means the same bytes (RFC 4648 §3.5).
fn canonical(text: &str) -> Result<&str, HubError> {
    match BASE64_STANDARD.decode(text) {
        Ok(_) => Ok(text),
        Err(_) => Err(HubError::Invalid(Violation::whole("base64"))),
    }
}

impl Mode {
    /// What is only reported, or else the refusal.
    fn answer(self, error: HubError) -> Result<HubError, HubError> {
        match self {
            Self::Enforce => Err(error),
            Self::Report => Ok(error),
        }
    }
}

#[cfg(test)]
mod tests;
