mod echo;
mod far;
pub(crate) mod granted;
mod latest;
mod once;
mod order;
mod present;
mod stretch;

use std::time::Duration;

use serde_json::value::RawValue;
use wardwire_admission::{
    clock::Timestamp,
    principal::{Authentication, Identity},
};

use wardwire_protocol::deflate::{Deflater, Level, Window};

use super::*;
use crate::{
    outbox::{Outbox, Pace},
    rights::{ChannelRule, History, Pattern, Right, Template, Test},
};

pub(crate) fn anonymous() -> Principal {
    Principal::Anonymous
}

pub(crate) fn user(subject: &str, claims: &str) -> Principal {
    Principal::User(Arc::new(Identity {
        qualified: None,
        issuer: "https://id.example".into(),
        subject: subject.into(),
        audience: "wardwire".into(),
        session: None,
        token_id: None,
        bound_to: None,
        introspected: None,
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

/// A hub and loops that nobody has yet.
struct Server {
    hub: Arc<Hub>,
    sides: Vec<Fanout>,
}

/// A socket that has a loop to itself.
struct Socket {
    member: Member,
    fanout: Fanout,
    outbox: Outbox,
    pace: Pace,
}

impl Server {
    fn socket(&mut self, principal: Principal) -> Socket {
        Socket {
            member: self.hub.join(principal, SocketKey(7), None),
            fanout: self.sides.pop().unwrap(),
            outbox: Outbox::default(),
            pace: Pace::Behind(1_000_000),
        }
    }
}

impl Socket {
    fn subscribe(
        &mut self,
        name: &ChannelName,
        since: Option<Position>,
    ) -> Result<Subscribed, HubError> {
        let seat = self.member.subscribe(&self.fanout, name, since);
        self.member.join(seat.now().unwrap()?, &mut self.fanout)
    }

    fn unsubscribe(&mut self, name: &ChannelName) -> Result<(), HubError> {
        self.collect();
        self.member
            .unsubscribe(&mut self.fanout, &mut self.outbox, name)
    }

    fn renew(&mut self, principal: Principal) -> Vec<ChannelName> {
        self.member
            .renew(&mut self.fanout, &mut self.outbox, principal)
    }

    fn publish(&self, name: &ChannelName, data: &RawValue) -> Result<Position, HubError> {
        let published = self.member.publish(name, data, None, None).now().unwrap();
        published.map(|published| published.position)
    }

    /// A turn of the loop.
    fn collect(&mut self) {
        self.fanout
            .collect(usize::MAX, usize::MAX, &mut Deflater::default());
        for batch in self.fanout.batches() {
            for follower in self.fanout.followers(batch) {
                assert_eq!(follower.socket, SocketKey(7));
                self.outbox.add(batch.part_of(follower), self.pace);
            }
        }
        self.fanout.clear();
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.member.leave(&mut self.fanout);
    }
}

fn hub(size: usize) -> Server {
    let (hub, sides) = Hub::new(rules(size), 8);
    Server { hub, sides }
}

fn rules(size: usize) -> Rules {
    keeping(size, engine::Latest::default())
}

fn keeping(size: usize, lobbys: engine::Latest) -> Rules {
    let rooms = || Right::Claim {
        claim: "rooms".into(),
        test: Test::Contains,
        value: Template::parse("{room}").unwrap(),
    };
    let history = History {
        size,
        ttl: Duration::from_secs(60),
    };
    let rule = |pattern: &str, subscribe, publish| ChannelRule {
        pattern: Pattern::parse(pattern).unwrap(),
        read: Right::clone(&subscribe),
        subscribe,
        publish,
        history,
        latest: engine::Latest::default(),
        content: guard::ContentRule::default(),
        presence: None,
    };
    let mut lobby = rule("chat/{room}", rooms(), rooms());
    lobby.latest = lobbys;
    let rules = vec![lobby, rule("news", Right::Anyone, Right::Nobody)];
    let limits = HubLimits {
        channels: 10,
        channels_per_subject: 8,
        subscriptions: 4,
        history: 1_000_000,
        recovery: 1_000_000,
        mailbox: 1_000_000,
        identity: rates::Rate::default(),
    };
    Rules {
        channels: ChannelRules::new(rules).unwrap(),
        limits,
    }
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

/// What a socket is brought: the payloads of its frames.
fn received(socket: &mut Socket) -> Vec<serde_json::Value> {
    socket.collect();
    let mut bytes = Vec::new();
    socket.outbox.drain(&mut bytes, usize::MAX);
    payloads(&bytes)
}

/// What frames carry.
fn payloads(bytes: &[u8]) -> Vec<serde_json::Value> {
    let mut payloads = Vec::new();
    let mut rest = bytes;
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
    let mut hub = hub(0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let mut bob = hub.socket(user("bob", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    bob.subscribe(&name("chat/lobby"), None).unwrap();
    let data = r#"{"text":"hi","from":"mallory"}"#;
    let position = alice
        .publish(&name("chat/lobby"), &raw(data))
        .unwrap()
        .to_string();
    for member in [&mut alice, &mut bob] {
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
    let mut hub = hub(5);
    let mut mallory = hub.socket(user("mallory", r#"{"rooms":[]}"#));
    let forbidden = HubError::Forbidden;
    let mut follow = |channel: &str| mallory.subscribe(&name(channel), None).unwrap_err();
    assert_eq!(
        [
            follow("chat/lobby"),
            follow("nowhere"),
            follow("chat/lobby/x")
        ],
        [(); 3].map(|()| forbidden.clone())
    );
    let publish = |channel: &str| mallory.publish(&name(channel), &raw("1")).unwrap_err();
    assert_eq!(
        [publish("chat/lobby"), publish("nowhere"), publish("news")],
        [(); 3].map(|()| forbidden.clone())
    );
    assert_eq!(hub.hub.count(), 0);
}

#[test]
fn the_right_to_follow_is_not_the_right_to_publish() {
    let mut hub = hub(0);
    let mut reader = hub.socket(anonymous());
    reader.subscribe(&name("news"), None).unwrap();
    assert_eq!(
        reader.publish(&name("news"), &raw("1")),
        Err(HubError::Forbidden)
    );
}

#[test]
fn a_fresh_proof_with_fewer_rights_ends_subscriptions() {
    let mut hub = hub(0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    alice.subscribe(&name("news"), None).unwrap();
    assert_eq!(alice.renew(user("alice", "{}")), [name("chat/lobby")]);
    let bob = hub.socket(user("bob", IN_LOBBY));
    bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    assert!(received(&mut alice).is_empty());
}

#[test]
fn counts_are_bounded_and_nothing_of_an_idle_channel_remains() {
    let mut hub = hub(0);
    let mut members: Vec<Socket> = ["alice", "alice", "bob", "bob"]
        .map(|subject| hub.socket(user(subject, &rooms(20))))
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
    let mut other = hub.socket(user("carol", &rooms(20)));
    let eleventh = other.subscribe(&room(10), None);
    assert_eq!(eleventh.unwrap_err(), HubError::Limit);
    assert!(
        other.subscribe(&room(9), None).is_ok(),
        "it is there already"
    );
    drop((members, other));
    assert!(hub.hub.channels.read().is_bare());
}

#[test]
fn one_subject_cannot_take_the_room_of_all_others() {
    let mut hub = hub(5);
    let mallory = [(); 2].map(|()| hub.socket(user("mallory", &rooms(20))));
    let publish = |n: usize| mallory[n % 2].publish(&room(n), &raw("1"));
    for n in 0..8 {
        publish(n).unwrap();
    }
    assert_eq!(publish(8), Err(HubError::Limit));
    publish(7).unwrap();
    let mut alice = hub.socket(user("alice", &rooms(20)));
    alice.subscribe(&room(8), None).unwrap();
    publish(8).unwrap();
    hub.hub.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(hub.hub.count(), 1);
    publish(9).unwrap();
}

#[test]
fn a_channel_with_history_lives_as_long_as_something_is_kept() {
    let mut hub = hub(5);
    let alice = hub.socket(user("alice", IN_LOBBY));
    alice.publish(&name("chat/lobby"), &raw("1")).unwrap();
    hub.hub.sweep(Instant::now());
    assert_eq!(hub.hub.count(), 1);
    hub.hub.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(hub.hub.count(), 0);
}

#[test]
fn what_waits_is_taken_back_with_the_right_to_it() {
    let mut hub = hub(5);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let bob = hub.socket(user("bob", IN_LOBBY));
    let first = alice.subscribe(&name("chat/lobby"), None).unwrap().position;
    bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    alice.renew(user("alice", "{}"));
    assert!(received(&mut alice).is_empty());
    let back = alice.subscribe(&name("chat/lobby"), Some(first));
    assert_eq!(
        back.unwrap_err(),
        HubError::Forbidden,
        "also what was missed"
    );
}

#[test]
fn a_slow_follower_costs_nobody_else_anything() {
    let mut hub = hub(0);
    let mut slow = hub.socket(user("alice", IN_LOBBY));
    slow.pace = Pace::Behind(1000);
    let mut quick = hub.socket(user("bob", IN_LOBBY));
    slow.subscribe(&name("chat/lobby"), None).unwrap();
    quick.subscribe(&name("chat/lobby"), None).unwrap();
    for n in 0..100 {
        quick
            .publish(&name("chat/lobby"), &raw(&n.to_string()))
            .unwrap();
    }
    slow.collect();
    assert!(slow.outbox.overflowed() && slow.outbox.is_empty());
    assert_eq!(received(&mut quick).len(), 100);
}

#[test]
fn a_publication_that_nobody_hears_leaves_nothing() {
    let mut hub = hub(0);
    let bob = hub.socket(user("bob", IN_LOBBY));
    let first = bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    assert_ne!(bob.publish(&name("chat/lobby"), &raw("1")).unwrap(), first);
    assert_eq!(hub.hub.count(), 0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let back = alice.subscribe(&name("chat/lobby"), Some(first)).unwrap();
    assert!(!back.recovered && back.publications.is_empty());
}

#[test]
fn a_loop_that_does_not_keep_up_is_not_buried() {
    let mut hub = hub(0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let bob = hub.socket(user("bob", IN_LOBBY));
    let (lobby, large) = (
        name("chat/lobby"),
        raw(&format!("\"{}\"", "x".repeat(50_000))),
    );
    alice.pace = Pace::Quick;
    alice.subscribe(&lobby, None).unwrap();
    let refused = (0..100).find_map(|_| bob.publish(&lobby, &large).err());
    assert_eq!(refused, Some(HubError::Busy));
    let heard = received(&mut alice).len();
    assert_eq!(heard, 20);
    bob.publish(&lobby, &large).unwrap();
    assert_eq!(received(&mut alice).len(), 1);
}

#[test]
fn a_turn_brings_so_much_and_the_next_the_rest() {
    let mut hub = hub(0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let bob = hub.socket(user("bob", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    for n in 0..5 {
        bob.publish(&name("chat/lobby"), &raw(&n.to_string()))
            .unwrap();
    }
    let mut brought = Vec::new();
    loop {
        alice
            .fanout
            .collect(2, usize::MAX, &mut Deflater::default());
        let lengths = alice
            .fanout
            .batches()
            .iter()
            .map(|batch| batch.whole().deliveries().count());
        brought.extend(lengths);
        if !alice.fanout.has_more() {
            break;
        }
    }
    assert_eq!(brought, [2, 2, 1]);
}

#[test]
fn a_turn_brings_less_where_it_is_deflated_for_several() {
    let mut hub = hub(0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let bob = hub.socket(user("bob", IN_LOBBY));
    let lobby = name("chat/lobby");
    alice.subscribe(&lobby, None).unwrap();
    let mut others = Vec::new();
    for (bits, key) in [(9, 8), (12, 9), (15, 10)] {
        let encoding = Encoding {
            window: Window::within(bits).unwrap(),
            level: Level::new(1).unwrap(),
            threshold: 256,
        };
        let key = SocketKey(key);
        let principal = user("carol", IN_LOBBY);
        let mut other = hub.hub.join(principal, key, Some(encoding));
        let seat = other.subscribe(&alice.fanout, &lobby, None).now().unwrap();
        other.join(seat.unwrap(), &mut alice.fanout).unwrap();
        others.push(other);
    }
    let long = format!("\"{}\"", "tea ".repeat(250));
    for _ in 0..8 {
        bob.publish(&lobby, &raw(&long)).unwrap();
    }
    // Eight publications of a little more than a thousand bytes, each in four encodings.
    let mut turns = 0;
    while turns == 0 || alice.fanout.has_more() {
        let (fanout, deflater) = (&mut alice.fanout, &mut Deflater::default());
        fanout.collect(usize::MAX, 8000, deflater);
        turns += 1;
    }
    assert_eq!(turns, 4, "two in each");
}

#[test]
fn a_subscribed_socket_costs_little() {
    let follower = 2 * (size_of::<(SocketKey, u64)>() + 1);
    let cost = size_of::<Member>() + size_of::<Outbox>() + size_of::<Arc<()>>() + follower;
    assert!(cost < 168, "{cost} bytes");
}
