//! What somebody may do, asked by an operator instead of a socket.
//!
//! Which channels are worth asking about comes from patterns and claims. Every answer comes from the rules themselves, as it
//! would for a socket.

use std::collections::BTreeSet;

use wardwire_admission::principal::Identity;
use wardwire_protocol::channel::ChannelName;

use super::{
    Action, Actions, ChannelRule, ChannelRules, Pattern, Right, Standing,
    claims::{any_value, scopes},
    pattern::Part,
    template::{Piece, Template},
};

/// What the rules let somebody do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Which rule decides, counted from 0.
    pub rule: usize,
    /// Where. A hole that may take anything else stands as in the pattern: `chat/{room}`.
    pub channel: String,
    /// What.
    pub may: Actions,
}

/// How many channels of one rule are worth asking about.
const MOST: usize = 1024;

/// What a hole of a pattern is to take.
type Took<'a> = Vec<(&'a str, &'a str)>;

/// What the rules say of one channel; none if there is no such channel for anybody.
#[must_use]
pub fn decide(rules: &ChannelRules, standing: &Standing, channel: &ChannelName) -> Option<Allowed> {
    let index = rules.tree.most_specific(channel)?;
    let rule = rules.rules.get(index)?;
    let may = |action: &Action| rule.allows(standing, channel, *action);
    Some(Allowed {
        rule: index,
        channel: channel.as_str().to_owned(),
        may: Action::ALL.into_iter().filter(may).collect(),
    })
}

/// What somebody may do, rule by rule: in the channels that their claims speak of, and in all others of the pattern.
#[must_use]
pub fn overview(rules: &ChannelRules, standing: &Standing) -> Vec<Allowed> {
    let other = nobodys(&rules.rules, standing.principal().identity());
    let mut all = Vec::new();
    for (index, rule) in rules.rules.iter().enumerate() {
        let mut seen = BTreeSet::new();
        for channel in standing.granted_channels() {
            let granted = decide(rules, standing, channel).filter(|it| it.rule == index);
            if let Some(allowed) = granted
                && seen.insert(allowed.channel.clone())
            {
                all.push(allowed);
            }
        }
        for took in takes(rule, standing.principal().identity()) {
            let Some(allowed) = ask(rules, standing, &rule.pattern, &took, &other) else {
                continue;
            };
            // A more specific rule may decide for this very channel.
            if allowed.rule == index && seen.insert(allowed.channel.clone()) {
                all.push(allowed);
            }
        }
    }
    all
}

fn ask(
    rules: &ChannelRules,
    standing: &Standing,
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
    let mut allowed = decide(rules, standing, &channel)?;
    allowed.channel = name(&|hole| format!("{{{hole}}}"));
    Some(allowed)
}

/// What a rule's holes can take so that its rights could hold, and last nothing in particular.
fn takes<'a>(rule: &'a ChannelRule, identity: Option<&'a Identity>) -> Vec<Took<'a>> {
    let mut all = Vec::new();
    if let Some(identity) = identity {
        for action in Action::ALL {
            all.extend(spoken_of(rule.right(action), identity));
        }
    }
    all.retain(|took| !took.is_empty());
    all.truncate(MOST);
    all.push(Took::new());
    all
}

/// What the holes can take so that what a right asks of claims could hold.
fn spoken_of<'a>(right: &'a Right, identity: &'a Identity) -> Vec<Took<'a>> {
    let mut all = Vec::new();
    match right {
        Right::Scope(value) => all.extend(scopes(identity).filter_map(|it| unify(value, it))),
        Right::Claim { claim, test, value } => {
            any_value(identity, claim, *test, |text| {
                all.extend(unify(value, text));
                false
            });
        }
        Right::Any(several) => all.extend(several.iter().flat_map(|it| spoken_of(it, identity))),
        Right::All(several) => {
            all.push(Took::new());
            for right in several.iter() {
                let these = spoken_of(right, identity);
                if !these.is_empty() {
                    all = joined(&all, &these);
                }
            }
        }
        // What is granted is named channel by channel: [`overview`] asks about each.
        Right::Nobody | Right::Authenticated | Right::Anyone | Right::Server | Right::Granted => {}
    }
    all
}

/// Each of the ones with each of the others, where they agree.
fn joined<'a>(ones: &[Took<'a>], others: &[Took<'a>]) -> Vec<Took<'a>> {
    let pairs = ones
        .iter()
        .flat_map(|one| others.iter().map(move |it| (one, it)));
    let both = pairs.filter_map(|(one, other)| {
        let mut both = one.clone();
        for (hole, text) in other {
            match both.iter().find(|(known, _)| known == hole) {
                Some((_, known)) if known != text => return None,
                Some(_) => {}
                None => both.push((hole, text)),
            }
        }
        Some(both)
    });
    both.take(MOST).collect()
}

/// What the holes of a right's value have to take for it to be `text`.
fn unify<'a>(value: &'a Template, text: &'a str) -> Option<Took<'a>> {
    let mut took = Took::new();
    let mut text = text;
    for (at, piece) in value.0.iter().enumerate() {
        match piece {
            Piece::Text(fixed) => text = text.strip_prefix(&**fixed)?,
            Piece::Hole(hole) => {
                let rest = match value.0.get(at + 1) {
                    None => "",
                    // The last piece ends the text, wherever else it stands in it.
                    Some(Piece::Text(fixed)) if at + 2 == value.0.len() => {
                        text.get(text.strip_suffix(&**fixed)?.len()..)?
                    }
                    Some(Piece::Text(fixed)) => text.get(text.find(&**fixed)?..)?,
                    Some(Piece::Hole(_)) => return None,
                };
                let segment = text.strip_suffix(rest)?;
                if segment.is_empty() || segment.contains('/') {
                    return None;
                }
                took.push((hole, segment));
                text = rest;
            }
        }
    }
    text.is_empty().then_some(took)
}

/// A segment that no rule and no claim speaks of, to stand for all such.
fn nobodys(rules: &[ChannelRule], identity: Option<&Identity>) -> String {
    // Whatever they are written of stands in there, and more that does no harm.
    let known = format!("{rules:?} {identity:?}");
    let mut segment = "x".to_owned();
    while known.contains(&segment) {
        segment.push('x');
    }
    segment
}

#[cfg(test)]
mod tests {
    use wardwire_admission::principal::Principal;

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
            value: Template::parse(value).unwrap(),
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
            read: Right::Nobody,
            presence: None,
        }
    }

    fn rules() -> ChannelRules {
        let rules = vec![
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
        ];
        ChannelRules::new(rules).unwrap()
    }

    /// Each as `channel subscribe publish`.
    fn lines(principal: Principal) -> Vec<String> {
        let line = |it: &Allowed| {
            let may = |action| it.may.contains(action);
            let (subscribe, publish) = (may(Action::Subscribe), may(Action::Publish));
            format!("{} {subscribe} {publish}", it.channel)
        };
        overview(&rules(), &principal.into())
            .iter()
            .map(line)
            .collect()
    }

    #[test]
    fn somebody_is_told_of_the_channels_that_their_claims_speak_of() {
        let alice = user(
            "alice",
            r#"{"rooms":["lobby","staff","a/b","x"],"moderates":["room-vip","lobby"],"scope":"reader"}"#,
        );
        assert_eq!(
            lines(alice),
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
        let told = lines(anonymous());
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
    fn of_one_channel_the_most_specific_rule_decides() {
        let alice = user("alice", r#"{"rooms":["lobby","staff"]}"#).into();
        let decide = |name: &str| {
            let channel = ChannelName::parse(name).unwrap();
            let allowed = decide(&rules(), &alice, &channel)?;
            Some((allowed.rule, allowed.may.contains(Action::Subscribe)))
        };
        assert_eq!(decide("chat/lobby"), Some((1, true)));
        assert_eq!(decide("chat/staff"), Some((0, false)));
        assert_eq!(decide("elsewhere"), None);
    }

    #[test]
    fn a_value_is_taken_apart_as_it_is_put_together() {
        let unify = |value: &str, text: &str| {
            let value = Template::parse(value).unwrap();
            let took = unify(&value, text)?;
            let own = |(hole, took): (&str, &str)| format!("{hole}={took}");
            Some(took.into_iter().map(own).collect::<Vec<_>>().join(" "))
        };
        for (value, text, took) in [
            ("{a}", "x", "a=x"),
            ("p-{a}-s", "p-x-s", "a=x"),
            ("p-{a}-s", "p-x-s-s", "a=x-s"),
            ("{a}/{b}", "x/y", "a=x b=y"),
            ("fixed", "fixed", ""),
        ] {
            assert_eq!(unify(value, text).as_deref(), Some(took), "{value} {text}");
        }
        for (value, text) in [
            ("{a}", ""),
            ("{a}", "x/y"),
            ("p-{a}", "x"),
            ("{a}/{b}", "x"),
            ("{a}/{b}", "/y"),
            ("fixed", "other"),
        ] {
            assert_eq!(unify(value, text), None, "{value} {text}");
        }
    }
}
