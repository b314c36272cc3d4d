//! What somebody stands on when a right is asked for.

use wardwire_admission::{clock::Timestamp, principal::Principal};
use wardwire_protocol::channel::ChannelName;

use super::{Action, ChannelGrant, Grants};

/// What somebody stands on when a right is asked for: who they are, as the gate has proved it, and what their token and the
/// grants that they showed give them.
#[derive(Clone, Debug)]
pub struct Standing {
    principal: Principal,
    /// Most have nothing, and take no memory for it.
    beside: Option<Box<Beside>>,
}

/// What somebody has beside who they are.
#[derive(Clone, Debug, Default)]
struct Beside {
    /// It is the application's own backend, which holds no socket.
    backend: bool,
    /// What the token grants. Read once, as each publication asks; nothing without a claim, or where anything in it is wrong.
    token: Grants,
    /// The grants that were shown, one for each channel at most.
    shown: Vec<ChannelGrant>,
}

impl From<Principal> for Standing {
    fn from(principal: Principal) -> Self {
        let token = principal.identity().and_then(|it| Grants::of(it).ok());
        let token = token.filter(|it| !it.is_empty());
        Self {
            principal,
            beside: token.map(|token| {
                Box::new(Beside {
                    token,
                    ..Beside::default()
                })
            }),
        }
    }
}

impl Standing {
    /// Of the application's own backend. No socket has it, as sockets have what their principal gives them.
    pub(crate) fn backend() -> Self {
        Self {
            principal: Principal::Anonymous,
            beside: Some(Box::new(Beside {
                backend: true,
                ..Beside::default()
            })),
        }
    }

    /// Whether it is the application's own backend.
    pub(crate) fn is_backend(&self) -> bool {
        self.beside.as_ref().is_some_and(|it| it.backend)
    }

    /// Stands on a fresh proof of the same user from now on. What was shown is that user's still.
    pub(crate) fn renew(&mut self, principal: Principal) {
        let before = std::mem::replace(self, principal.into());
        if let Some(before) = before.beside.filter(|it| !it.shown.is_empty()) {
            self.beside.get_or_insert_default().shown = before.shown;
        }
    }

    /// Takes a grant, in the place of one that was shown for the same channel.
    pub(crate) fn show(&mut self, grant: ChannelGrant) {
        let shown = &mut self.beside.get_or_insert_default().shown;
        shown.retain(|it| it.channel() != grant.channel());
        shown.push(grant);
    }

    /// Forgets other grants that were shown.
    pub(crate) fn retain(&mut self, keep: impl Fn(&ChannelGrant) -> bool) {
        if let Some(beside) = &mut self.beside {
            beside.shown.retain(keep);
        }
    }

    /// When the first of the grants that were shown ends.
    pub(crate) fn until(&self) -> Timestamp {
        let shown = self.shown().iter().map(|it| it.terms().until);
        shown.min().unwrap_or(Timestamp::NEVER)
    }

    /// Whether it stands on a grant that was shown.
    pub(crate) fn has_shown(&self) -> bool {
        !self.shown().is_empty()
    }

    fn shown(&self) -> &[ChannelGrant] {
        self.beside.as_ref().map_or(&[], |it| &it.shown)
    }

    /// Who they are.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether they were given this for one channel.
    pub(super) fn is_granted(&self, channel: &ChannelName, action: Action) -> bool {
        let Some(beside) = &self.beside else {
            return false;
        };
        let by_token = beside.token.contains(channel, action);
        let shown = |it: &ChannelGrant| it.channel() == channel && it.gives(action);
        by_token || beside.shown.iter().any(shown)
    }

    /// The channels of which the token speaks, in the order of their names.
    pub(super) fn granted_channels(&self) -> Vec<&ChannelName> {
        let token = self.beside.iter().map(|it| &it.token);
        let mut all: Vec<_> = token.flat_map(Grants::channels).collect();
        all.sort_unstable();
        all
    }

    /// The same, in words for an operator.
    pub(super) fn why_granted(&self, channel: &ChannelName, action: Action) -> String {
        let name = action.name();
        match self.principal.identity().map(Grants::of) {
            None => "nobody is signed in".to_owned(),
            Some(Err(error)) => format!("the claim `channels` grants nothing: {error}"),
            Some(Ok(_)) if self.is_granted(channel, action) => {
                format!("the claim `channels` grants \"{name}\" here")
            }
            Some(Ok(_)) => format!("the claim `channels` does not grant \"{name}\" here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::tests::{anonymous, granted::grant, user};

    fn name(channel: &str) -> ChannelName {
        ChannelName::parse(channel).unwrap()
    }

    fn may(standing: &Standing, channel: &str) -> Vec<Action> {
        let held = |it: &Action| standing.is_granted(&name(channel), *it);
        Action::ALL.into_iter().filter(held).collect()
    }

    #[test]
    fn what_was_shown_adds_to_what_the_token_gives() {
        let rooms = || (1..=9).map(|n| format!("room/{n}"));
        let token: HashMap<_, _> = rooms().map(|it| (it, ["publish"])).collect();
        let claims = serde_json::json!({ "channels": token }).to_string();
        let mut alice = Standing::from(user("alice", &claims));
        alice.show(grant("room/1", &["subscribe", "history"], 2000));
        let all = [Action::Subscribe, Action::Publish, Action::History];
        assert_eq!(may(&alice, "room/1"), all);
        assert_eq!(may(&alice, "room/2"), [Action::Publish]);
        for other in ["room/11", "room", "room/1/x"] {
            assert_eq!(may(&alice, other), [], "{other}");
        }
        let named: Vec<_> = alice.granted_channels();
        let named: Vec<_> = named.iter().map(|it| it.as_str()).collect();
        assert_eq!(named, rooms().collect::<Vec<_>>(), "by the token, in order");
    }

    #[test]
    fn a_grant_takes_the_place_of_another_for_its_channel_and_of_no_other() {
        let mut alice = Standing::from(user("alice", "{}"));
        assert_eq!(alice.until(), Timestamp::NEVER);
        alice.show(grant("room/2", &["subscribe"], 3000));
        alice.show(grant("room/1", &["subscribe", "publish"], 2000));
        assert_eq!(alice.until(), Timestamp::from_secs(2000), "the first");
        alice.show(grant("room/1", &["history"], 4000));
        assert_eq!(may(&alice, "room/1"), [Action::History]);
        assert_eq!(may(&alice, "room/2"), [Action::Subscribe]);
        assert_eq!(alice.until(), Timestamp::from_secs(3000));
        alice.retain(|it| it.channel() == &name("room/1"));
        assert_eq!(may(&alice, "room/1"), [Action::History]);
        assert_eq!(may(&alice, "room/2"), []);
        assert_eq!(alice.until(), Timestamp::from_secs(4000));
    }

    #[test]
    fn a_fresh_proof_keeps_what_was_shown_and_nothing_else() {
        let token = |channel: &str| {
            let claims = format!(r#"{{"channels":{{"{channel}":["publish"]}}}}"#);
            user("alice", &claims)
        };
        let mut alice = Standing::from(token("room/1"));
        alice.show(grant("room/2", &["subscribe"], 2000));
        alice.renew(token("room/3"));
        assert_eq!(may(&alice, "room/1"), []);
        assert_eq!(may(&alice, "room/2"), [Action::Subscribe]);
        assert_eq!(may(&alice, "room/3"), [Action::Publish]);
        alice.renew(user("alice", "{}"));
        assert_eq!(may(&alice, "room/2"), [Action::Subscribe]);
        assert_eq!(may(&alice, "room/3"), []);
    }

    #[test]
    fn most_have_nothing_and_take_no_memory_for_it() {
        let mut alice = Standing::from(user("alice", r#"{"channels":{}}"#));
        assert!(alice.beside.is_none());
        alice.renew(user("alice", r#"{"channels":{"room/1":["publish"]}}"#));
        assert!(alice.beside.is_some());
        alice.renew(user("alice", "{}"));
        assert!(alice.beside.is_none());
    }

    #[test]
    fn nobody_with_a_socket_is_the_backend() {
        let mut alice = Standing::from(user("alice", "{}"));
        alice.show(grant("room/1", &["publish"], 2000));
        assert!(!alice.is_backend() && !Standing::from(anonymous()).is_backend());
        assert!(Standing::backend().is_backend());
    }

    #[test]
    fn an_operator_is_told_what_the_claim_gives() {
        let why = |principal| {
            let standing = Standing::from(principal);
            standing.why_granted(&name("room/1"), Action::Publish)
        };
        assert_eq!(why(anonymous()), "nobody is signed in");
        let gives = why(user("alice", r#"{"channels":{"room/1":["publish"]}}"#));
        assert_eq!(gives, "the claim `channels` grants \"publish\" here");
        let not = "the claim `channels` does not grant \"publish\" here";
        assert_eq!(why(user("alice", "{}")), not);
        let bad = why(user("alice", r#"{"channels":[]}"#));
        assert!(bad.starts_with("the claim `channels` grants nothing: "));
    }
}
