mod order;

use std::time::Duration;

use serde_json::value::RawValue;
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
        authentication: Authentication {
            amr: vec!["otp".into()],
            ..Authentication::default()
        },
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
        channels_per_subject: 8,
        subscriptions: 4,
        history: 1_000_000,
        recovery: 1_000_000,
    };
    Hub::new(rules, limits)
}

fn member(hub: &Arc<Hub>, principal: Principal) -> Member {
    hub.join(principal, Arc::new(Outbox::new(1_000_000)))
}

fn name(text: &str) -> ChannelName {
    ChannelName::parse(text).unwrap()
}

/// Claims that give the first rooms by number.
fn rooms(count: usize) -> String {
    let rooms: Vec<String> = (0..count).map(|n| format!("r{n}")).collect();
    serde_json::json!({ "rooms": rooms }).to_string()
}

fn room(n: usize) -> ChannelName {
    name(&format!("chat/r{n}"))
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// What the outbox holds: the payloads of its frames.
fn received(member: &Member) -> Vec<serde_json::Value> {
    let mut bytes = Vec::new();
    member.outbox().drain(&mut bytes, usize::MAX);
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
    let mut members: Vec<Member> = ["alice", "alice", "bob", "bob"]
        .map(|subject| member(&hub, user(subject, &rooms(20))))
        .into();
    for n in 0..4 {
        members[0].subscribe(&room(n), None).unwrap();
    }
    let fifth = members[0].subscribe(&room(5), None);
    assert_eq!(fifth.unwrap_err(), HubError::Limit);
    let again = members[0].subscribe(&room(0), None);
    assert_eq!(again.unwrap_err(), HubError::Subscription);
    assert_eq!(
        members[0].unsubscribe(&room(9)),
        Err(HubError::Subscription)
    );
    for n in 4..10 {
        members[n % 3 + 1].subscribe(&room(n), None).unwrap();
    }
    let mut other = member(&hub, user("carol", &rooms(20)));
    let eleventh = other.subscribe(&room(10), None);
    assert_eq!(eleventh.unwrap_err(), HubError::Limit);
    assert!(
        other.subscribe(&room(9), None).is_ok(),
        "it is there already"
    );
    drop((members, other));
    assert!(hub.channels.read().is_bare());
}

#[test]
fn one_subject_cannot_take_the_room_of_all_others() {
    let hub = hub(5);
    let mallory = [(); 2].map(|()| member(&hub, user("mallory", &rooms(20))));
    let publish = |n: usize| mallory[n % 2].publish(&room(n), &raw("1"));
    for n in 0..8 {
        publish(n).unwrap();
    }
    assert_eq!(publish(8), Err(HubError::Limit));
    publish(7).unwrap();
    let mut alice = member(&hub, user("alice", &rooms(20)));
    alice.subscribe(&room(8), None).unwrap();
    publish(8).unwrap();
    hub.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(hub.count(), 1);
    publish(9).unwrap();
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
fn what_waits_is_taken_back_with_the_right_to_it() {
    let hub = hub(5);
    let mut alice = member(&hub, user("alice", IN_LOBBY));
    let bob = member(&hub, user("bob", IN_LOBBY));
    let first = alice.subscribe(&name("chat/lobby"), None).unwrap().position;
    bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    alice.renew(user("alice", "{}"));
    assert!(received(&alice).is_empty());
    let back = alice.subscribe(&name("chat/lobby"), Some(first));
    assert_eq!(
        back.unwrap_err(),
        HubError::Forbidden,
        "also what was missed"
    );
}

#[test]
fn a_slow_follower_costs_nobody_else_anything() {
    let hub = hub(0);
    let mut slow = hub.join(user("alice", IN_LOBBY), Arc::new(Outbox::new(1000)));
    let mut quick = member(&hub, user("bob", IN_LOBBY));
    slow.subscribe(&name("chat/lobby"), None).unwrap();
    quick.subscribe(&name("chat/lobby"), None).unwrap();
    for n in 0..100 {
        quick
            .publish(&name("chat/lobby"), &raw(&n.to_string()))
            .unwrap();
    }
    assert!(slow.outbox().overflowed() && slow.outbox().is_empty());
    assert_eq!(received(&quick).len(), 100);
}

#[test]
fn a_publication_that_nobody_hears_leaves_nothing() {
    let hub = hub(0);
    let bob = member(&hub, user("bob", IN_LOBBY));
    let first = bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    assert_ne!(bob.publish(&name("chat/lobby"), &raw("1")).unwrap(), first);
    assert_eq!(hub.count(), 0);
    let mut alice = member(&hub, user("alice", IN_LOBBY));
    let back = alice.subscribe(&name("chat/lobby"), Some(first)).unwrap();
    assert!(!back.recovered && back.publications.is_empty());
}

#[test]
fn a_subscribed_socket_costs_little() {
    let follower = 4 * (size_of::<(u64, Arc<Outbox>)>() + 1);
    let counts = 2 * size_of::<usize>();
    let cost = size_of::<Member>() + size_of::<Outbox>() + counts + size_of::<Arc<()>>() + follower;
    assert!(cost < 300, "{cost} bytes");
}
