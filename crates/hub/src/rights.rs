//! Who may do what in which channel, as the configuration states it. What no rule allows is forbidden.
//!
//! Of the rules whose [`pattern`] a channel fits, the most specific decides ([`tree`]), wherever it stands. It has a
//! [`Right`] for each [`Action`]. What an operator may ask of all this is in [`ask`].

mod action;
pub mod ask;
mod claims;
pub mod explain;
mod grants;
mod pattern;
mod right;
mod standing;
mod template;
mod tree;

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};
use wardwire_admission::principal::Principal;
use wardwire_protocol::channel::ChannelName;

pub use action::{Action, Actions};
pub use grants::{BadGrants, CHANNELS, ChannelGrant, Grants};
pub use pattern::{BadPattern, Pattern};
pub use right::{BadRight, DEPTH, LEAVES, Right, Several, Test};
pub use standing::Standing;
pub use template::{BadTemplate, Template};
pub use tree::{Conflict, conflicts};

use crate::{
    content::clean,
    engine::{Keep, Latest},
    guard::ContentRule,
};
use pattern::Fit;
use right::Question;
use tree::Tree;

/// The rules for all channels whose names fit a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelRule {
    /// Which channels.
    pub pattern: Pattern,
    /// Who may follow them.
    pub subscribe: Right,
    /// Who may publish to them.
    pub publish: Right,
    /// What is kept of them.
    pub history: History,
    /// What of them a new subscriber gets at once.
    pub latest: Latest,
    /// What is published to them.
    pub content: ContentRule,
    /// Who may read what is kept, whether they follow or not.
    pub read: Right,
    /// What is told of who follows them; none tells nobody.
    pub presence: Option<Presence>,
}

impl ChannelRule {
    /// What an engine keeps of each of these channels.
    pub(crate) fn keep(&self) -> Keep {
        Keep {
            history: self.history,
            latest: self.latest,
        }
    }
}

/// How much of a channel is kept for those who come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The most publications; 0 keeps nothing.
    pub size: usize,
    /// For how long.
    pub ttl: Duration,
}

/// What is told of those who follow a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Who is told.
    pub see: Right,
    /// The claims that are told of each, beside who it is: their names, or ways through objects.
    pub info: Box<[Box<str>]>,
}

impl Presence {
    /// What others are told beside somebody, as a JSON object: the claims that are texts, numbers, true or false. None if there
    /// is nothing, or it is too much.
    pub(crate) fn info_of(&self, principal: &Principal) -> Option<Arc<str>> {
        let identity = principal.identity()?;
        let told = self.info.iter().filter_map(|name| {
            let value = match claims::plain(identity, name)? {
                Value::String(text) => Value::String(clean(&text).into_owned()),
                other => other,
            };
            Some((name.to_string(), value))
        });
        let told: Map<String, Value> = told.collect();
        let text = Value::Object(told).to_string();
        (text.len() > "{}".len() && text.len() <= INFO).then(|| text.into())
    }
}

/// The most bytes that are told beside one member.
const INFO: usize = 1024;

/// The rules of a server. INVARIANT: of those that a channel fits, one is the most specific.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRules {
    rules: Vec<ChannelRule>,
    tree: Tree,
}

impl ChannelRules {
    /// Rules in any order.
    ///
    /// # Errors
    /// Two of them leave open which decides; [`conflicts`] names all such.
    pub fn new(rules: Vec<ChannelRule>) -> Result<Self, Conflict> {
        let patterns: Vec<_> = rules.iter().map(|rule| &rule.pattern).collect();
        if let Some(conflict) = conflicts(&patterns).into_iter().next() {
            return Err(conflict);
        }
        let tree = Tree::of(&patterns);
        Ok(Self { rules, tree })
    }

    /// The rule that decides for a channel. None: there is no such channel for anybody.
    #[must_use]
    pub fn rule(&self, channel: &ChannelName) -> Option<&ChannelRule> {
        self.rules.get(self.tree.most_specific(channel)?)
    }

    /// The rule that decides for a channel, if it lets somebody do this there. That there is no such channel, and that they
    /// may not, is the same.
    #[must_use]
    pub fn verdict(
        &self,
        standing: &Standing,
        channel: &ChannelName,
        action: Action,
    ) -> Option<&ChannelRule> {
        let rule = self.rule(channel)?;
        rule.allows(standing, channel, action).then_some(rule)
    }
}

impl ChannelRule {
    /// Who may do this.
    #[must_use]
    pub fn right(&self, action: Action) -> &Right {
        match action {
            Action::Subscribe => &self.subscribe,
            Action::Publish => &self.publish,
            Action::History => &self.read,
            Action::Presence => self.presence.as_ref().map_or(&Right::Nobody, |it| &it.see),
        }
    }

    fn allows(&self, standing: &Standing, channel: &ChannelName, action: Action) -> bool {
        let fit = Fit {
            pattern: &self.pattern,
            channel,
        };
        self.right(action).holds(&Question {
            standing,
            fit,
            action,
        })
    }
}

#[cfg(test)]
mod tests;
