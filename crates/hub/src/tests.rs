use std::time::Duration;

use proptest::prelude::*;
use wardwire_admission::{
    clock::Timestamp,
    principal::{Authentication, Identity},
};

use super::*;
use crate::rights::{History, Pattern, Right, Test};

pub(crate) fn anonymous() -> Principal {
    Principal::Anonymous
}

pub(crate) fn user(subject: &str, claims: &str) -> Principal {
    Principal::User(Arc::new(Identity {
        issuer: "https://id.example".into(),
        subject: subject.into(),
        session: None,
        token_id: None,
        claims: serde_json::from_str(claims).unwrap(),
        authentication: Authentication::default(),
        issued_at: None,
        expires_at: Timestamp::from_secs(u64::MAX / 1000),
    }))
}

const IN_LOBBY: &str = r#"{"rooms":["lobby"]}"#;

fn hub(size: usize) -> Arc<Hub> {
    let rooms = || Right::Claim {
        claim: "rooms".into(),
        test: Test::Contains,
        value: "{room}".into(),
    };
    let history = History {
        size,
        ttl: Duration::from_secs(60),
    };
    let rule = |pattern: &str, subscribe, publish| ChannelRule {
        pattern: Pattern::parse(pattern).unwrap(),
        subscribe,
        publish,
        history,
    };
    let rules = vec![
        rule("chat/{room}", rooms(), rooms()),
        rule("news", Right::Anyone, Right::Nobody),
    ];
    let limits = HubLimits {
        channels: 10,
        subscriptions: 4,
        recovery: 10_000,
    };
    Hub::new(rules, limits)
}

fn member(hub: &Arc<Hub>, principal: Principal) -> Member {
    hub.join(principal, Arc::new(Outbox::new(1_000_000)))
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// What the outbox holds: the payloads of its frames.
fn received(member: &Member) -> Vec<serde_json::Value> {
    let mut bytes = Vec::new();
    member.outbox.drain(&mut bytes, usize::MAX);
    let mut payloads = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let (start, length) = match rest[1] {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            short => (2, usize::from(short)),
        };
        payloads.push(serde_json::from_slice(&rest[start..start + length]).unwrap());
        rest = &rest[start + length..];
    }
    payloads
}

#[test]
fn a_publication_reaches_every_follower_in_the_servers_words() {
    let hub = hub(0);
    let mut alice = member(&hub, user("alice", IN_LOBBY));
    let mut bob = member(&hub, user("bob", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    bob.subscribe(&name("chat/lobby"), None).unwrap();
    let data = r#"{"text":"hi","from":"mallory"}"#;
    let position = alice
        .publish(&name("chat/lobby"), &raw(data))
        .unwrap()
        .to_string();
    for member in [&alice, &bob] {
        let [publication] = &received(member)[..] else {
            panic!()
        };
        assert_eq!(publication["method"], "publication");
        assert_eq!(publication["params"]["from"], "alice");
        assert_eq!(publication["params"]["position"], position);
        assert_eq!(
            publication["params"]["data"].to_string(),
            r#"{"from":"mallory","text":"hi"}"#
        );
    }
}

#[test]
fn what_no_rule_allows_is_forbidden_and_looks_the_same() {
    let hub = hub(5);
    let mut mallory = member(&hub, user("mallory", r#"{"rooms":[]}"#));
    let forbidden = HubError::Forbidden;
    let mut follow = |channel: &str| mallory.subscribe(&name(channel), None).unwrap_err();
    assert_eq!(
        [
            follow("chat/lobby"),
            follow("nowhere"),
            follow("chat/lobby/x")
        ],
        [forbidden; 3]
    );
    let publish = |channel: &str| mallory.publish(&name(channel), &raw("1")).unwrap_err();
    assert_eq!(
        [publish("chat/lobby"), publish("nowhere"), publish("news")],
        [forbidden; 3]
    );
    assert_eq!(hub.count(), 0);
}

#[test]
fn the_right_to_follow_is_not_the_right_to_publish() {
    let hub = hub(0);
    let mut reader = member(&hub, anonymous());
    reader.subscribe(&name("news"), None).unwrap();
    assert_eq!(
        reader.publish(&name("news"), &raw("1")),
        Err(HubError::Forbidden)
    );
}

#[test]
fn a_fresh_proof_with_fewer_rights_ends_subscriptions() {
    let hub = hub(0);
    let mut alice = member(&hub, user("alice", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    alice.subscribe(&name("news"), None).unwrap();
    assert_eq!(alice.renew(user("alice", "{}")), [name("chat/lobby")]);
    let bob = member(&hub, user("bob", IN_LOBBY));
    bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    assert!(received(&alice).is_empty());
}

#[test]
fn counts_are_bounded_and_nothing_of_an_idle_channel_remains() {
    let hub = hub(0);
    let rooms: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
    let claims = serde_json::json!({ "rooms": rooms }).to_string();
    let mut members: Vec<Member> = (0..4)
        .map(|_| member(&hub, user("alice", &claims)))
        .collect();
    for n in 0..4 {
        members[0]
            .subscribe(&name(&format!("chat/r{n}")), None)
            .unwrap();
    }
    let fifth = members[0].subscribe(&name("chat/r5"), None);
    assert_eq!(fifth.unwrap_err(), HubError::Limit);
    assert_eq!(
        members[0].subscribe(&name("chat/r0"), None).unwrap_err(),
        HubError::Subscription
    );
    assert_eq!(
        members[0].unsubscribe(&name("chat/r9")),
        Err(HubError::Subscription)
    );
    for n in 4..10 {
        members[n % 3 + 1]
            .subscribe(&name(&format!("chat/r{n}")), None)
            .unwrap();
    }
    let eleventh = members[3].publish(&name("chat/r10"), &raw("1"));
    assert_eq!(eleventh, Err(HubError::Limit));
    drop(members);
    assert_eq!(hub.count(), 0);
}

#[test]
fn a_channel_with_history_lives_as_long_as_something_is_kept() {
    let hub = hub(5);
    let alice = member(&hub, user("alice", IN_LOBBY));
    alice.publish(&name("chat/lobby"), &raw("1")).unwrap();
    hub.sweep(Instant::now());
    assert_eq!(hub.count(), 1);
    hub.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(hub.count(), 0);
}

#[test]
fn every_follower_sees_the_same_order() {
    let hub = hub(0);
    let mut followers: Vec<Member> = (0..3)
        .map(|_| member(&hub, user("alice", IN_LOBBY)))
        .collect();
    for follower in &mut followers {
        follower.subscribe(&name("chat/lobby"), None).unwrap();
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let publisher = member(&hub, user("bob", IN_LOBBY));
            scope.spawn(move || {
                for n in 0..200 {
                    publisher
                        .publish(&name("chat/lobby"), &raw(&n.to_string()))
                        .unwrap();
                }
            });
        }
    });
    let first = received(&followers[0]);
    assert_eq!(first.len(), 800);
    assert!(
        followers[1..]
            .iter()
            .all(|follower| received(follower) == first)
    );
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    Leave,
    Return,
}

proptest! {
    #[test]
    fn whoever_returns_with_a_position_misses_nothing_and_gets_nothing_twice(
        steps in prop::collection::vec(
            prop_oneof![Just(Step::Publish), Just(Step::Leave), Just(Step::Return)], 0..60,
        ),
    ) {
        let hub = hub(100);
        let lobby = name("chat/lobby");
        let publisher = member(&hub, user("bob", IN_LOBBY));
        let mut follower = member(&hub, user("alice", IN_LOBBY));
        let mut last = follower.subscribe(&lobby, None).unwrap().position;
        let (mut heard, mut sent) = (Vec::new(), 0_u64);
        // Nobody was ever here and nothing is kept: then the channel is forgotten, and who returns is told so.
        publisher.publish(&lobby, &raw("0")).unwrap();
        let mut here = true;
        for step in steps.into_iter().chain([Step::Return]) {
            match step {
                Step::Publish => {
                    sent += 1;
                    publisher.publish(&lobby, &raw(&sent.to_string())).unwrap();
                }
                Step::Leave if here => {
                    follower.unsubscribe(&lobby).unwrap();
                    here = false;
                }
                Step::Return if !here => {
                    let back = follower.subscribe(&lobby, Some(last)).unwrap();
                    prop_assert!(back.recovered);
                    for publication in &back.publications {
                        let publication: serde_json::Value = serde_json::from_str(publication).unwrap();
                        heard.push(publication["data"].as_u64().unwrap());
                    }
                    last = back.position;
                    here = true;
                }
                _ => {}
            }
            for message in received(&follower) {
                heard.push(message["params"]["data"].as_u64().unwrap());
                last = Position::parse(message["params"]["position"].as_str().unwrap()).unwrap();
            }
        }
        prop_assert_eq!(heard, (0..=sent).collect::<Vec<_>>());
    }
}
