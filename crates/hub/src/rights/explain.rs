//! Why somebody may or may not, in words for an operator.
//!
//! The words are made beside the verdict, never in its place: whether each part of a right holds is asked of the right itself.

use wardwire_protocol::channel::ChannelName;

use super::{
    Action, ChannelRules, Right, Standing, Test, claims,
    pattern::Fit,
    right::{Question, Several},
};

/// Why a right holds, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Because {
    /// Whether it holds.
    pub held: bool,
    /// What was asked, and what there is instead. No claim's value stands in it that the rule does not name.
    pub words: String,
    /// The same of each right that it is made of.
    pub parts: Vec<Because>,
}

/// Why somebody may or may not do this there. None: no rule is for that channel.
#[must_use]
pub fn explain(
    rules: &ChannelRules,
    standing: &Standing,
    channel: &ChannelName,
    action: Action,
) -> Option<Because> {
    let rule = rules.rule(channel)?;
    if action == Action::Presence && rule.presence.is_none() {
        return Some(Because {
            held: false,
            words: "nobody is told who follows".to_owned(),
            parts: Vec::new(),
        });
    }
    let fit = Fit {
        pattern: &rule.pattern,
        channel,
    };
    let asked = Question {
        standing,
        fit,
        action,
    };
    Some(because(rule.right(action), &asked))
}

fn because(right: &Right, asked: &Question<'_>) -> Because {
    let held = right.holds(asked);
    let each = |several: &Several| several.iter().map(|it| because(it, asked)).collect();
    let (words, parts) = match right {
        Right::Any(several) => ("one of these is enough".to_owned(), each(several)),
        Right::All(several) => ("all of these have to hold".to_owned(), each(several)),
        single => (words(single, asked, held), Vec::new()),
    };
    Because { held, words, parts }
}

fn words(right: &Right, asked: &Question<'_>, held: bool) -> String {
    let identity = asked.standing.principal().identity();
    match (right, identity) {
        (Right::Nobody, _) => "nobody may".to_owned(),
        (Right::Server, _) => "only the application's backend may".to_owned(),
        (Right::Anyone, _) => "whoever is connected may".to_owned(),
        (Right::Authenticated, _) if held => "whoever is signed in may".to_owned(),
        (Right::Granted, _) => asked.standing.why_granted(asked.fit.channel, asked.action),
        (_, None) => "nobody is signed in".to_owned(),
        (Right::Scope(scope), Some(identity)) => match (scope.fill(&asked.fit), held) {
            (None, _) => format!("the scope \"{scope}\" has a hole that the pattern lacks"),
            (Some(scope), true) => format!("the scope {scope:?} is there"),
            (Some(scope), false) => {
                let shape = claims::shape(identity, "scope", Test::Contains);
                format!("the scope {scope:?} is not there: `scope` {shape}")
            }
        },
        (Right::Claim { claim, test, value }, Some(identity)) => {
            let Some(value) = value.fill(&asked.fit) else {
                return format!("the value \"{value}\" has a hole that the pattern lacks");
            };
            let (yes, no) = match test {
                Test::Equals => ("is", "is not"),
                Test::Contains => ("contains", "does not contain"),
            };
            match held {
                true => format!("the claim `{claim}` {yes} {value:?}"),
                false => {
                    let shape = claims::shape(identity, claim, *test);
                    format!("the claim `{claim}` {no} {value:?}: it {shape}")
                }
            }
        }
        (Right::Authenticated | Right::Any(_) | Right::All(_), Some(_)) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        guard::ContentRule,
        rights::{ChannelRule, History, Pattern, Template},
        tests::{anonymous, user},
    };

    fn one(right: Right) -> ChannelRules {
        let rule = ChannelRule {
            pattern: Pattern::parse("c/{it}").unwrap(),
            subscribe: right,
            publish: Right::Nobody,
            history: History::default(),
            latest: crate::engine::Latest::default(),
            content: ContentRule::default(),
            read: Right::Nobody,
            presence: None,
        };
        ChannelRules::new(vec![rule]).unwrap()
    }

    fn claim(claim: &str, test: Test, value: &str) -> Right {
        Right::Claim {
            claim: claim.into(),
            test,
            value: Template::parse(value).unwrap(),
        }
    }

    fn told(right: Right, claims: &str) -> (bool, String) {
        let (rules, channel) = (one(right), ChannelName::parse("c/1").unwrap());
        let standing = user("alice", claims).into();
        let told = explain(&rules, &standing, &channel, Action::Subscribe).unwrap();
        (told.held, told.words)
    }

    #[test]
    fn what_is_there_instead_is_said_without_its_value() {
        let rooms = || claim("rooms", Test::Contains, "{it}");
        for (claims, words) in [
            (r#"{"rooms":["1"]}"#, "the claim `rooms` contains \"1\""),
            (
                r#"{"rooms":["secret",7]}"#,
                "the claim `rooms` does not contain \"1\": it is an array with 1 string among 2",
            ),
            (
                r#"{"rooms":"1"}"#,
                "the claim `rooms` does not contain \"1\": it is a string",
            ),
            (
                r#"{"rooms":1}"#,
                "the claim `rooms` does not contain \"1\": it is a number",
            ),
            (
                "{}",
                "the claim `rooms` does not contain \"1\": it is missing",
            ),
        ] {
            assert_eq!(told(rooms(), claims).1, words);
        }
        let scope = || Right::Scope(Template::parse("chat:{it}").unwrap());
        assert_eq!(
            told(scope(), r#"{"scope":"a chat:1"}"#),
            (true, "the scope \"chat:1\" is there".to_owned())
        );
        assert_eq!(
            told(scope(), r#"{"scope":["chat:1"]}"#),
            (
                false,
                "the scope \"chat:1\" is not there: `scope` is an array with 1 string among 1"
                    .to_owned()
            )
        );
    }

    fn right() -> impl Strategy<Value = Right> {
        let leaf = prop::sample::select(vec![
            Right::Nobody,
            Right::Anyone,
            Right::Authenticated,
            Right::Server,
            Right::Granted,
            Right::Scope(Template::parse("write").unwrap()),
            Right::Scope(Template::parse("{it}").unwrap()),
            claim("rooms", Test::Contains, "{it}"),
            claim("team", Test::Equals, "red"),
            claim("team", Test::Contains, "red"),
        ]);
        leaf.prop_recursive(4, 16, 3, |inner| {
            let several = prop::collection::vec(inner, 1..3);
            (several, any::<bool>()).prop_map(|(rights, any)| {
                let several = Several::new(rights).unwrap();
                if any {
                    Right::Any(several)
                } else {
                    Right::All(several)
                }
            })
        })
    }

    /// What holds by the words of the documentation, and not by the code above.
    fn naive(right: &Right, signed_in: bool, claims: &serde_json::Value, it: &str) -> bool {
        let text = |value: &Template| value.to_string().replace("{it}", it);
        match right {
            Right::Nobody | Right::Server => false,
            Right::Granted => claims["channels"][format!("c/{it}")]
                .as_array()
                .is_some_and(|all| signed_in && all.contains(&"subscribe".into())),
            Right::Anyone => true,
            Right::Authenticated => signed_in,
            Right::Scope(scope) => {
                let scopes = claims["scope"].as_str().unwrap_or_default();
                signed_in && scopes.split(' ').any(|held| held == text(scope))
            }
            Right::Claim { claim, test, value } => {
                let (held, value) = (&claims[&**claim], serde_json::json!(text(value)));
                signed_in
                    && match test {
                        Test::Equals => *held == value,
                        Test::Contains => held.as_array().is_some_and(|all| all.contains(&value)),
                    }
            }
            Right::Any(several) => several
                .iter()
                .any(|right| naive(right, signed_in, claims, it)),
            Right::All(several) => several
                .iter()
                .all(|right| naive(right, signed_in, claims, it)),
        }
    }

    fn claims() -> impl Strategy<Value = serde_json::Value> {
        prop::sample::select(vec![
            serde_json::json!({}),
            serde_json::json!({ "rooms": ["1"], "team": "red", "scope": "read write" }),
            serde_json::json!({ "rooms": "1", "team": ["red"], "scope": ["write"] }),
            serde_json::json!({ "rooms": [1, "2"], "team": 7, "scope": "1 2" }),
            serde_json::json!({ "channels": { "c/1": ["subscribe"], "c/2": ["publish"] } }),
            serde_json::json!({ "rooms": { "1": 1 }, "team": null, "scope": "writer" }),
        ])
    }

    proptest! {
        #[test]
        fn a_right_holds_where_its_words_say_so(
            right in right(),
            claims in claims(),
            signed_in: bool,
            it in prop::sample::select(vec!["1", "2", "write"]),
        ) {
            let expected = naive(&right, signed_in, &claims, it);
            let principal = match signed_in {
                true => user("alice", &claims.to_string()),
                false => anonymous(),
            };
            let (rules, standing) = (one(right), Standing::from(principal));
            let channel = ChannelName::parse(&format!("c/{it}")).unwrap();
            let verdict = rules.verdict(&standing, &channel, Action::Subscribe);
            let told = explain(&rules, &standing, &channel, Action::Subscribe).unwrap();
            prop_assert_eq!(verdict.is_some(), expected);
            prop_assert_eq!(told.held, expected);
            prop_assert!(!told.words.is_empty());
        }
    }
}
