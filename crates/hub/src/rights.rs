//! Who may do what in which channel, as the configuration states it. What no rule allows is forbidden.

pub mod ask;

use std::{borrow::Cow, time::Duration};

use serde_json::{Map, Value};
use wardwire_admission::principal::{Identity, Principal};
use wardwire_protocol::channel::ChannelName;

use crate::{
    engine::{Keep, Latest},
    guard::ContentRule,
};

/// The rules for all channels whose names fit a pattern. The first rule that fits decides.
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

/// Channel names with holes: `chat/{room}`. A hole takes one whole segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Fixed(Box<str>),
    Hole(Box<str>),
}

/// Who may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nobody.
    Nobody,
    /// Whoever is signed in.
    Authenticated,
    /// Whoever holds a socket.
    Anyone,
    /// Whoever has a claim that is equal to a value, or contains it.
    Claim {
        /// The claim's name, or its way through objects: `realm_access.roles`. A claim that has the dots in its own name goes
        /// first. `sub`, `iss`, `acr` and `amr` are those that the identity was proved with; `sub` is
        /// [`Identity::handle`], so that users of two issuers are two.
        claim: Box<str>,
        /// How it is compared.
        test: Test,
        /// The value; `{room}` stands for what the pattern's hole took. Between two holes belongs a `/`, which no hole takes.
        value: Box<str>,
    },
}

/// How a claim is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The claim is this string.
    Equals,
    /// The claim is an array that holds this string. `scope` is a list between spaces (RFC 8693 §4.2).
    Contains,
}

/// What the holes of a pattern took, by name.
pub(crate) type Captures<'a> = Vec<(&'a str, &'a str)>;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Not a channel name when its holes are filled.
    #[error("{0:?} is not a channel name with holes like {{room}}")]
    Shape(String),
    /// Two holes of one name.
    #[error("{{{0}}} stands twice")]
    Twice(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let mut parts: Vec<Part> = Vec::new();
        for segment in text.split('/') {
            let hole = segment
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let part = match hole {
                Some(name) if is_hole(name) => Part::Hole(name.into()),
                Some(_) => return Err(BadPattern::Shape(text.to_owned())),
                None if ChannelName::parse(segment).is_ok() => Part::Fixed(segment.into()),
                None => return Err(BadPattern::Shape(text.to_owned())),
            };
            if matches!(part, Part::Hole(_)) && parts.contains(&part) {
                return Err(BadPattern::Twice(hole.unwrap_or_default().to_owned()));
            }
            parts.push(part);
        }
        Ok(Self(parts))
    }

    /// Whether every name that fits `other` fits this one too: behind it, `other` would never decide.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let covered = |(own, other): (&Part, &Part)| matches!(own, Part::Hole(_)) || own == other;
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(covered)
    }

    /// Whether a pattern has this hole.
    #[must_use]
    pub fn has_hole(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|part| matches!(part, Part::Hole(hole) if **hole == *name))
    }

    fn fit<'a>(&'a self, channel: &'a ChannelName) -> Option<Captures<'a>> {
        let mut captures = Vec::new();
        let mut segments = channel.as_str().split('/');
        for part in &self.0 {
            let segment = segments.next()?;
            match part {
                Part::Fixed(fixed) if **fixed == *segment => {}
                Part::Fixed(_) => return None,
                Part::Hole(name) => captures.push((&**name, segment)),
            }
        }
        segments.next().is_none().then_some(captures)
    }
}

fn is_hole(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The rule that decides for a channel, with what its holes took.
pub(crate) fn rule_for<'a>(
    rules: &'a [ChannelRule],
    channel: &'a ChannelName,
) -> Option<(&'a ChannelRule, Captures<'a>)> {
    rules
        .iter()
        .find_map(|rule| rule.pattern.fit(channel).map(|captures| (rule, captures)))
}

impl Right {
    /// The names of the holes that the right's value mentions.
    pub fn holes(&self) -> impl Iterator<Item = &str> {
        let value = match self {
            Self::Claim { value, .. } => value,
            _ => "",
        };
        value
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| name)
    }

    pub(crate) fn holds(&self, principal: &Principal, captures: &Captures<'_>) -> bool {
        match (self, principal.identity()) {
            (Self::Anyone, _) | (Self::Authenticated, Some(_)) => true,
            (Self::Claim { claim, test, value }, Some(identity)) => {
                has_claim(identity, claim, *test, &fill(value, captures))
            }
            _ => false,
        }
    }
}

/// Puts what the holes took in their places. What they took is never read as a template itself.
fn fill<'a>(template: &'a str, captures: &Captures<'a>) -> Cow<'a, str> {
    let mut out = Cow::Borrowed("");
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else {
            break;
        };
        out += before;
        if let Some((_, took)) = captures.iter().find(|(hole, _)| *hole == name) {
            out += *took;
        }
        rest = behind;
    }
    out + rest
}

fn has_claim(identity: &Identity, claim: &str, test: Test, value: &str) -> bool {
    any_value(identity, claim, test, |held| held == value)
}

/// Whether `holds` of any of the values that a claim has for this test.
fn any_value<'a>(
    identity: &'a Identity,
    claim: &str,
    test: Test,
    mut holds: impl FnMut(&'a str) -> bool,
) -> bool {
    let authentication = &identity.authentication;
    match (claim, test) {
        ("sub", Test::Equals) => holds(identity.handle()),
        ("iss", Test::Equals) => holds(&identity.issuer),
        ("acr", Test::Equals) => authentication.acr.as_deref().is_some_and(holds),
        ("amr", Test::Contains) => authentication.amr.iter().any(|method| holds(method)),
        ("sub" | "iss" | "acr" | "amr", _) => false,
        (_, Test::Equals) => look_up(&identity.claims, claim)
            .and_then(Value::as_str)
            .is_some_and(holds),
        (_, Test::Contains) => match look_up(&identity.claims, claim) {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).any(holds),
            Some(Value::String(scopes)) if claim == "scope" => {
                scopes.split_ascii_whitespace().any(holds)
            }
            _ => false,
        },
    }
}

/// A claim by its name, or by its way through objects.
fn look_up<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    look_up(claims.get(first)?.as_object()?, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{anonymous, user};

    fn captures(pattern: &str, channel: &str) -> Option<String> {
        let (pattern, channel) = (
            Pattern::parse(pattern).unwrap(),
            ChannelName::parse(channel).unwrap(),
        );
        pattern
            .fit(&channel)
            .map(|captures| format!("{captures:?}"))
    }

    #[test]
    fn a_hole_takes_one_whole_segment() {
        assert_eq!(
            captures("chat/{room}", "chat/lobby").unwrap(),
            r#"[("room", "lobby")]"#
        );
        for other in ["chat", "chat/a/b", "chats/a", "other/chat/a"] {
            assert_eq!(captures("chat/{room}", other), None, "{other}");
        }
        for bad in ["", "a//b", "{}", "{a b}", "a{b}", "*", "a/..", "{a}/{a}"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rights_compare_claims_exactly() {
        let alice = user(
            "alice",
            r#"{"rooms":["lobby","{room}"],"team":"red","level":7}"#,
        );
        let claim = |claim: &str, test, value: &str| Right::Claim {
            claim: claim.into(),
            test,
            value: value.into(),
        };
        let lobby = vec![("room", "lobby")];
        assert!(claim("rooms", Test::Contains, "{room}").holds(&alice, &lobby));
        assert!(!claim("rooms", Test::Contains, "{room}").holds(&alice, &vec![("room", "vip")]));
        assert!(
            !claim("rooms", Test::Equals, "{room}").holds(&alice, &lobby),
            "an array is not a string"
        );
        assert!(
            !claim("team", Test::Contains, "red").holds(&alice, &lobby),
            "a string is not an array"
        );
        assert!(claim("sub", Test::Equals, "{user}").holds(&alice, &vec![("user", "alice")]));
        assert!(!claim("level", Test::Equals, "7").holds(&alice, &lobby));
        assert!(!claim("none", Test::Equals, "").holds(&alice, &lobby));
        assert!(!claim("rooms", Test::Contains, "{room}").holds(&anonymous(), &lobby));
    }

    #[test]
    fn claims_are_found_where_issuers_put_them() {
        let alice = user(
            "alice",
            r#"{"realm":{"roles":["chat"],"a.b":["x"]},"https://e.example/roles":["staff"],
                "a.b":["own"],"a":{"b":["deep"]},"scope":"chat:read chat:write","sub":"bob","acr":"mfa"}"#,
        );
        let holds = |claim: &str, test, value: &str| {
            let right = Right::Claim {
                claim: claim.into(),
                test,
                value: value.into(),
            };
            right.holds(&alice, &Vec::new())
        };
        for (claim, value) in [
            ("realm.roles", "chat"),
            ("realm.a.b", "x"),
            ("https://e.example/roles", "staff"),
            ("a.b", "own"),
            ("scope", "chat:write"),
            ("amr", "otp"),
        ] {
            assert!(holds(claim, Test::Contains, value), "{claim}");
        }
        for (claim, value) in [
            ("a.b", "deep"),
            ("realm", "chat"),
            ("realm.roles.chat", ""),
            ("realm..roles", "chat"),
            ("scope", "chat"),
            ("scope", ""),
            ("scope", "chat:read chat:write"),
            ("sub", "alice"),
        ] {
            assert!(!holds(claim, Test::Contains, value), "{claim} {value}");
        }
        assert!(
            !holds("sub", Test::Equals, "bob"),
            "a claim does not stand in for the subject"
        );
        assert!(
            !holds("acr", Test::Equals, "mfa"),
            "nor for how it was proved"
        );
    }

    #[test]
    fn a_pattern_covers_what_could_never_reach_the_next() {
        let covers = |first: &str, second: &str| {
            Pattern::parse(first)
                .unwrap()
                .covers(&Pattern::parse(second).unwrap())
        };
        for (first, second) in [
            ("chat/{a}", "chat/{b}"),
            ("chat/{a}", "chat/x"),
            ("{a}/x", "{b}/x"),
        ] {
            assert!(covers(first, second), "{first} {second}");
        }
        for (first, second) in [
            ("chat/x", "chat/{a}"),
            ("{a}", "{a}/{b}"),
            ("{a}/{b}", "{a}"),
        ] {
            assert!(!covers(first, second), "{first} {second}");
        }
    }

    #[test]
    fn what_a_hole_took_is_never_a_template() {
        assert_eq!(
            fill("a-{x}-{y}", &vec![("x", "{y}"), ("y", "2")]),
            "a-{y}-2"
        );
    }

    #[test]
    fn the_simple_rights_say_what_they_mean() {
        let none = Vec::new();
        assert!(Right::Anyone.holds(&anonymous(), &none));
        assert!(!Right::Authenticated.holds(&anonymous(), &none));
        assert!(Right::Authenticated.holds(&user("alice", "{}"), &none));
        assert!(!Right::Nobody.holds(&user("alice", "{}"), &none));
    }
}
