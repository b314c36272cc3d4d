//! What a token grants by its claim `channels`: `{ "chat/1": ["subscribe", "publish"] }`. A signed grant has the same, of one
//! channel.

use std::collections::HashMap;

use serde_json::{Map, Value};
use wardwire_admission::{
    principal::Identity,
    token::{Grant, Terms},
};
use wardwire_protocol::channel::ChannelName;

use super::{Action, Actions};

/// What was granted, channel by channel. Names are exact: nothing in them is a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(HashMap<ChannelName, Actions>);

/// What a signed grant gives the socket that showed it.
#[derive(Clone, Debug)]
pub struct ChannelGrant {
    channel: ChannelName,
    actions: Actions,
    terms: Terms,
}

/// The most channels that one token may name.
pub const CHANNELS: usize = 128;

/// Why a claim grants nothing, not even what of it could be read: half of what an issuer meant is something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGrants {
    /// Not an object of arrays of strings.
    #[error("it is not an object like {{\"chat/1\": [\"subscribe\"]}}")]
    Shape,
    /// Over [`CHANNELS`].
    #[error("it names {0} channels, of at most {CHANNELS}")]
    Many(usize),
    /// A signed grant is for one.
    #[error("it names {0} channels, and not one")]
    NotOne(usize),
    /// One that is no channel name, such as a pattern.
    #[error("{0:?} is not a channel name")]
    Channel(String),
    /// One that is no action.
    #[error("{0:?} is not \"subscribe\", \"publish\", \"history\" or \"presence\"")]
    Action(String),
}

impl Grants {
    /// Reads the claim, if there is one.
    ///
    /// # Errors
    /// Anything in it is not as it has to be.
    pub fn of(identity: &Identity) -> Result<Self, BadGrants> {
        Self::read(&identity.claims)
    }

    fn read(claims: &Map<String, Value>) -> Result<Self, BadGrants> {
        let Some(claim) = claims.get("channels") else {
            return Ok(Self::default());
        };
        let channels = claim.as_object().ok_or(BadGrants::Shape)?;
        if channels.len() > CHANNELS {
            return Err(BadGrants::Many(channels.len()));
        }
        let each = channels.iter().map(|(name, actions)| {
            let channel = ChannelName::parse(name);
            let channel = channel.map_err(|_| BadGrants::Channel(name.clone()))?;
            Ok((channel, actions_of(actions)?))
        });
        each.collect::<Result<_, _>>().map(Self)
    }

    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The channels of which it speaks.
    pub(super) fn channels(&self) -> impl Iterator<Item = &ChannelName> {
        self.0.keys()
    }

    /// Whether this is granted there.
    #[must_use]
    pub fn contains(&self, channel: &ChannelName, action: Action) -> bool {
        let granted = self.0.get(channel);
        granted.is_some_and(|it| it.contains(action))
    }
}

impl ChannelGrant {
    /// What a grant says, whose signature holds.
    ///
    /// # Errors
    /// It names no channel, or several, or anything in it is not as it has to be.
    pub fn of(grant: Grant) -> Result<Self, BadGrants> {
        let mut all = Grants::read(&grant.claims)?.0.into_iter();
        let count = all.len();
        match (all.next(), all.next()) {
            (Some((channel, actions)), None) => Ok(Self {
                channel,
                actions,
                terms: grant.terms,
            }),
            _ => Err(BadGrants::NotOne(count)),
        }
    }

    /// For which channel it is.
    #[must_use]
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// Under which it holds.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Whether it gives this.
    #[must_use]
    pub fn gives(&self, action: Action) -> bool {
        self.actions.contains(action)
    }
}

fn actions_of(actions: &Value) -> Result<Actions, BadGrants> {
    let actions = actions.as_array().ok_or(BadGrants::Shape)?;
    let each = actions.iter().map(|it| {
        let word = it.as_str().ok_or(BadGrants::Shape)?;
        Action::named(word).ok_or_else(|| BadGrants::Action(word.to_owned()))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tests::user;

    fn grants(channels: &Value) -> Result<Grants, BadGrants> {
        let principal = user("alice", &json!({ "channels": channels }).to_string());
        Grants::of(principal.identity().unwrap())
    }

    #[test]
    fn a_token_grants_actions_in_the_channels_that_it_names_and_nowhere_else() {
        let granted = grants(&json!({ "chat/1": ["subscribe", "history"], "chat/2": [] })).unwrap();
        let may = |channel: &str| -> Vec<Action> {
            let channel = ChannelName::parse(channel).unwrap();
            let held = |it: &Action| granted.contains(&channel, *it);
            Action::ALL.into_iter().filter(held).collect()
        };
        assert_eq!(may("chat/1"), [Action::Subscribe, Action::History]);
        for other in ["chat/2", "chat/11", "chat", "chat/1/x", "Chat/1"] {
            assert_eq!(may(other), [], "{other}");
        }
        let none = user("alice", "{}");
        assert!(Grants::of(none.identity().unwrap()).unwrap().is_empty());
    }

    #[test]
    fn a_claim_of_which_anything_is_wrong_grants_nothing() {
        for wrong in [
            json!([]),
            json!("chat/1"),
            json!(null),
            json!({ "chat/1": "subscribe" }),
            json!({ "chat/1": ["subscribe", 7] }),
            json!({ "chat/1": ["subscribe"], "chat/*": ["subscribe"] }),
            json!({ "chat/1": ["subscribe"], "chat/{room}": ["subscribe"] }),
            json!({ "chat/1": ["subscribe"], "chat//2": [] }),
            json!({ "chat/1": ["subscribe", "all"] }),
            json!({ "chat/1": ["Subscribe"] }),
        ] {
            assert!(grants(&wrong).is_err(), "{wrong}");
        }
        let many = |count: usize| -> Value {
            let each = (0..count).map(|n| (format!("c/{n}"), json!(["subscribe"])));
            Value::Object(each.collect())
        };
        assert!(grants(&many(CHANNELS)).is_ok());
        assert_eq!(grants(&many(CHANNELS + 1)), Err(BadGrants::Many(129)));
    }
}
