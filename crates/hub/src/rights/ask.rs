//! What somebody may do, asked by an operator instead of a socket.
//!
//! Which channels are worth asking about comes from patterns and claims. Every answer comes from the rules themselves, as it
//! would for a socket.

use std::collections::BTreeSet;

use wardwire_admission::principal::{Identity, Principal};
use wardwire_protocol::channel::ChannelName;

use super::{ChannelRule, Part, Pattern, Right, any_value, rule_for};

/// What the rules let somebody do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Which rule decides, counted from 0.
    pub rule: usize,
    /// Where. A hole that may take anything else stands as in the pattern: `chat/{room}`.
    pub channel: String,
    /// Whether they may follow.
    pub subscribe: bool,
    /// Whether they may publish.
    pub publish: bool,
}

/// What a hole of a pattern is to take.
type Took<'a> = Vec<(&'a str, &'a str)>;

/// What the rules say of one channel; none if there is no such channel for anybody.
#[must_use]
pub fn decide(
    rules: &[ChannelRule],
    principal: &Principal,
    channel: &ChannelName,
) -> Option<Allowed> {
    let (rule, captures) = rule_for(rules, channel)?;
    Some(Allowed {
        rule: rules.iter().position(|it| std::ptr::eq(it, rule))?,
        channel: channel.as_str().to_owned(),
        subscribe: rule.subscribe.holds(principal, &captures),
        publish: rule.publish.holds(principal, &captures),
    })
}

/// What somebody may do, rule by rule: in the channels that their claims speak of, and in all others of the pattern.
#[must_use]
pub fn overview(rules: &[ChannelRule], principal: &Principal) -> Vec<Allowed> {
    let other = nobodys(rules, principal.identity());
    let mut all = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for took in takes(rule, principal.identity()) {
            let Some(allowed) = ask(rules, principal, &rule.pattern, &took, &other) else {
                continue;
            };
            // A rule before it may decide for this very channel.
            if allowed.rule == index && seen.insert(allowed.channel.clone()) {
                all.push(allowed);
            }
        }
    }
    all
}

fn ask(
    rules: &[ChannelRule],
    principal: &Principal,
    pattern: &Pattern,
    took: &Took<'_>,
    other: &str,
) -> Option<Allowed> {
    let name = |open: &dyn Fn(&str) -> String| {
        let segment = |part: &Part| match part {
            Part::Fixed(text) => text.to_string(),
            Part::Hole(hole) => {
                let found = took.iter().find(|(name, _)| **name == **hole);
                found.map_or_else(|| open(hole), |(_, text)| (*text).to_owned())
            }
        };
        pattern.0.iter().map(segment).collect::<Vec<_>>().join("/")
    };
    let channel = ChannelName::parse(&name(&|_| other.to_owned())).ok()?;
    let mut allowed = decide(rules, principal, &channel)?;
    allowed.channel = name(&|hole| format!("{{{hole}}}"));
    Some(allowed)
}

/// What a rule's holes can take so that its rights could hold, and last nothing in particular.
fn takes<'a>(rule: &'a ChannelRule, identity: Option<&'a Identity>) -> Vec<Took<'a>> {
    let mut all = Vec::new();
    for right in [&rule.subscribe, &rule.publish] {
        let (Right::Claim { claim, test, value }, Some(identity)) = (right, identity) else {
            continue;
        };
        any_value(identity, claim, *test, |text| {
            all.extend(unify(value, text).filter(|took| !took.is_empty()));
            false
        });
    }
    all.push(Vec::new());
    all
}

/// What the holes of a right's value have to take for it to be `text`.
fn unify<'a>(value: &'a str, text: &'a str) -> Option<Took<'a>> {
    let (mut value, mut text) = (value, text);
    let mut took = Vec::new();
    while let Some((before, after)) = value.split_once('{') {
        let (hole, behind) = after.split_once('}')?;
        text = text.strip_prefix(before)?;
        let next = behind.split('{').next().unwrap_or_default();
        let (segment, rest) = match (next, next.len() == behind.len()) {
            (_, true) => (text.strip_suffix(behind)?, behind),
            ("", false) => return None,
            (next, false) => text.split_at_checked(text.find(next)?)?,
        };
        if segment.is_empty() || segment.contains('/') {
            return None;
        }
        took.push((hole, segment));
        (value, text) = (behind, rest);
    }
    (value == text).then_some(took)
}

/// A segment that no rule and no claim speaks of, to stand for all such.
fn nobodys(rules: &[ChannelRule], identity: Option<&Identity>) -> String {
    let mut known = String::new();
    for rule in rules {
        for part in &rule.pattern.0 {
            if let Part::Fixed(text) = part {
                known.push_str(text);
                known.push('/');
            }
        }
        for right in [&rule.subscribe, &rule.publish] {
            if let Right::Claim { value, .. } = right {
                known.push_str(value);
            }
        }
    }
    if let Some(identity) = identity {
        known.push_str(&format!("{identity:?}"));
    }
    let mut segment = "x".to_owned();
    while known.contains(&segment) {
        segment.push('x');
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        guard::ContentRule,
        rights::{History, Test},
        tests::{anonymous, user},
    };

    fn claim(claim: &str, test: Test, value: &str) -> Right {
        Right::Claim {
            claim: claim.into(),
            test,
            value: value.into(),
        }
    }

    fn rule(pattern: &str, subscribe: Right, publish: Right) -> ChannelRule {
        ChannelRule {
            pattern: Pattern::parse(pattern).unwrap(),
            subscribe,
            publish,
            history: History::default(),
            latest: crate::engine::Latest::default(),
            content: ContentRule::default(),
        }
    }

    fn rules() -> Vec<ChannelRule> {
        vec![
            rule("chat/staff", Right::Nobody, Right::Nobody),
            rule(
                "chat/{room}",
                claim("rooms", Test::Contains, "{room}"),
                claim("moderates", Test::Contains, "room-{room}"),
            ),
            rule(
                "users/{user}/{device}",
                claim("sub", Test::Equals, "{user}"),
                Right::Nobody,
            ),
            rule(
                "news/{topic}",
                Right::Anyone,
                claim("scope", Test::Contains, "editor"),
            ),
        ]
    }

    /// Each as `channel subscribe publish`.
    fn lines(principal: &Principal) -> Vec<String> {
        let line = |it: &Allowed| format!("{} {} {}", it.channel, it.subscribe, it.publish);
        overview(&rules(), principal).iter().map(line).collect()
    }

    #[test]
    fn somebody_is_told_of_the_channels_that_their_claims_speak_of() {
        let alice = user(
            "alice",
            r#"{"rooms":["lobby","staff","a/b","x"],"moderates":["room-vip","lobby"],"scope":"reader"}"#,
        );
        assert_eq!(
            lines(&alice),
            [
                "chat/staff false false",
                "chat/lobby true false",
                "chat/x true false",
                "chat/vip false true",
                "chat/{room} false false",
                "users/alice/{device} true false",
                "users/{user}/{device} false false",
                "news/{topic} true false",
            ]
        );
    }

    #[test]
    fn a_stranger_is_told_what_anyone_may() {
        let told = lines(&anonymous());
        assert!(
            told.contains(&"news/{topic} true false".to_owned()),
            "{told:?}"
        );
        assert!(
            told.iter().filter(|it| it.contains("true")).count() == 1,
            "{told:?}"
        );
    }

    #[test]
    fn of_one_channel_the_first_rule_that_fits_decides() {
        let alice = user("alice", r#"{"rooms":["lobby","staff"]}"#);
        let decide = |name: &str| {
            let channel = ChannelName::parse(name).unwrap();
            let allowed = decide(&rules(), &alice, &channel)?;
            Some((allowed.rule, allowed.subscribe))
        };
        assert_eq!(decide("chat/lobby"), Some((1, true)));
        assert_eq!(decide("chat/staff"), Some((0, false)));
        assert_eq!(decide("elsewhere"), None);
    }

    #[test]
    fn a_value_is_taken_apart_as_it_is_put_together() {
        assert_eq!(unify("{a}", "x"), Some(vec![("a", "x")]));
        assert_eq!(unify("p-{a}-s", "p-x-s"), Some(vec![("a", "x")]));
        assert_eq!(unify("{a}/{b}", "x/y"), Some(vec![("a", "x"), ("b", "y")]));
        assert_eq!(unify("fixed", "fixed"), Some(vec![]));
        for (value, text) in [
            ("{a}", ""),
            ("{a}", "x/y"),
            ("p-{a}", "x"),
            ("{a}{b}", "xy"),
            ("fixed", "other"),
        ] {
            assert_eq!(unify(value, text), None, "{value} {text}");
        }
    }
}
