use wardwire_admission::principal::Principal;

use super::*;
use crate::tests::{anonymous, user};

fn claim(claim: &str, test: Test, value: &str) -> Right {
    Right::Claim {
        claim: claim.into(),
        test,
        value: Template::parse(value).unwrap(),
    }
}

/// Asks a right for a channel of which `{it}` is this segment.
fn holds(right: &Right, principal: &Principal, it: &str) -> bool {
    let rule = ChannelRule {
        pattern: Pattern::parse("c/{it}").unwrap(),
        subscribe: right.clone(),
        publish: Right::Nobody,
        history: History::default(),
        latest: Latest::default(),
        content: ContentRule::default(),
        read: Right::Nobody,
        presence: None,
    };
    let rules = ChannelRules::new(vec![rule]).unwrap();
    let channel = ChannelName::parse(&format!("c/{it}")).unwrap();
    let standing = Standing::from(principal.clone());
    rules
        .verdict(&standing, &channel, Action::Subscribe)
        .is_some()
}

#[test]
fn rights_compare_claims_exactly() {
    let alice = user(
        "alice",
        r#"{"rooms":["lobby","{it}",7],"team":"red","level":7,"empty":""}"#,
    );
    let it = |name: &str, test, value: &str, it: &str| holds(&claim(name, test, value), &alice, it);
    assert!(it("rooms", Test::Contains, "{it}", "lobby"));
    assert!(!it("rooms", Test::Contains, "{it}", "vip"));
    assert!(!it("rooms", Test::Contains, "{it}", "7"), "a number");
    assert!(!it("rooms", Test::Equals, "{it}", "lobby"), "an array");
    assert!(!it("team", Test::Contains, "red", "x"), "a string");
    assert!(it("sub", Test::Equals, "{it}", "alice"));
    assert!(!it("level", Test::Equals, "7", "x"));
    assert!(!it("none", Test::Equals, "{it}", "x"));
    assert!(!it("empty", Test::Equals, "{it}", "x"));
    assert!(
        !it("team", Test::Equals, "{other}", "red"),
        "the pattern has no such hole"
    );
    let rooms = claim("rooms", Test::Contains, "{it}");
    assert!(!holds(&rooms, &anonymous(), "lobby"));
}

#[test]
fn claims_are_found_where_issuers_put_them() {
    let alice = user(
        "alice",
        r#"{"realm":{"roles":["chat"],"a.b":["x"]},"https://e.example/roles":["staff"],
            "a.b":["own"],"a":{"b":["deep"]},"scope":"chat:read chat:write","sub":"bob","acr":"mfa"}"#,
    );
    let holds = |name: &str, test, value: &str| holds(&claim(name, test, value), &alice, "x");
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
        ("realm.roles.chat", "x"),
        ("realm..roles", "chat"),
        ("scope", "chat"),
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
fn the_simple_rights_say_what_they_mean() {
    let alice = user("alice", "{}");
    assert!(holds(&Right::Anyone, &anonymous(), "x"));
    assert!(!holds(&Right::Authenticated, &anonymous(), "x"));
    assert!(holds(&Right::Authenticated, &alice, "x"));
    assert!(!holds(&Right::Nobody, &alice, "x"));
}

#[test]
fn each_action_has_a_right_of_its_own() {
    let all = |see| ChannelRule {
        pattern: Pattern::parse("c/{it}").unwrap(),
        subscribe: claim("may", Test::Contains, "subscribe"),
        publish: claim("may", Test::Contains, "publish"),
        history: History::default(),
        latest: Latest::default(),
        content: ContentRule::default(),
        read: claim("may", Test::Contains, "history"),
        presence: see,
    };
    let see = Presence {
        see: claim("may", Test::Contains, "presence"),
        info: Box::default(),
    };
    let channel = ChannelName::parse("c/1").unwrap();
    for action in Action::ALL {
        let claims = serde_json::json!({ "may": [action.name()] }).to_string();
        let standing = Standing::from(user("alice", &claims));
        let may = |rule: ChannelRule| -> Vec<Action> {
            let rules = ChannelRules::new(vec![rule]).unwrap();
            let held = |it: &Action| rules.verdict(&standing, &channel, *it).is_some();
            Action::ALL.into_iter().filter(held).collect()
        };
        assert_eq!(may(all(Some(see.clone()))), [action]);
    }
    let everything = Action::ALL.map(Action::name);
    let claims = serde_json::json!({ "may": everything }).to_string();
    let rules = ChannelRules::new(vec![all(None)]).unwrap();
    let told = rules.verdict(&user("alice", &claims).into(), &channel, Action::Presence);
    assert_eq!(told, None, "nobody is told where it is off");
}
