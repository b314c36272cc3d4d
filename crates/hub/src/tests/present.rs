//! Who is present, as the sockets of several loops are told.

mod late;

use super::*;
use crate::{audience::EVERY, engine::memory::Memory, rights::Presence};

fn hub() -> Server {
    let (hub, sides) = Hub::new(told_rules(), 8);
    Server { hub, sides }
}

/// Of the lobby is told who is there.
fn told_rules() -> Rules {
    let Rules { channels, limits } = rules(0);
    let mut lobby = channels.rule(&name("chat/lobby")).unwrap().clone();
    lobby.presence = Some(Presence {
        see: Right::Anyone,
        info: ["name".into()].into(),
    });
    let channels = ChannelRules::new(vec![lobby]).unwrap();
    Rules { channels, limits }
}

fn follower(hub: &mut Server, subject: &str, called: &str) -> Socket {
    let claims = format!(r#"{{"rooms":["lobby"],"name":"{called}"}}"#);
    let mut socket = hub.socket(user(subject, &claims));
    socket.subscribe(&name("chat/lobby"), None).unwrap();
    socket
}

/// What a socket is told: who came or went, and how many there are.
fn told(socket: &mut Socket) -> Vec<String> {
    let one = |notice: serde_json::Value| {
        let params = &notice["params"];
        let mut names: Vec<_> = params["members"].as_array().unwrap().iter().collect();
        names.sort_by_key(|it| it["from"].as_str().unwrap());
        let names: Vec<_> = names
            .iter()
            .map(|it| it["from"].as_str().unwrap())
            .collect();
        let method = notice["method"].as_str().unwrap();
        format!("{method} {} {}", names.join(" "), params["count"])
    };
    received(socket).into_iter().map(one).collect()
}

#[test]
fn followers_of_every_loop_are_told_once_of_those_of_all() {
    let mut hub = hub();
    let mut alice = follower(&mut hub, "alice", "A");
    let mut bob = follower(&mut hub, "bob", "B");
    let carol = follower(&mut hub, "carol", "C");
    let mut now = Instant::now();
    hub.hub.tell(now);
    for socket in [&mut alice, &mut bob] {
        assert_eq!(told(socket), ["joined alice bob carol 3"]);
    }
    drop(carol);
    hub.hub.tell(now);
    assert!(told(&mut alice).is_empty(), "it is too early");
    now += EVERY;
    hub.hub.tell(now);
    hub.hub.tell(now);
    for socket in [&mut alice, &mut bob] {
        assert_eq!(told(socket), ["left carol 2"]);
    }
    bob.unsubscribe(&name("chat/lobby")).unwrap();
    now += EVERY;
    hub.hub.tell(now);
    assert!(told(&mut bob).is_empty(), "it follows no more");
    assert_eq!(told(&mut alice), ["left bob 1"]);
    drop(alice);
    assert!(hub.hub.channels.read().is_bare());
}

#[test]
fn sockets_of_one_that_stay_tell_nobody_anything() {
    let mut hub = hub();
    let mut alice = follower(&mut hub, "alice", "A");
    let others = ["B", "C", "D"].map(|called| follower(&mut hub, "alice", called));
    let now = Instant::now();
    hub.hub.tell(now);
    assert_eq!(told(&mut alice), ["joined alice 1"]);
    hub.hub.sweep(now);
    hub.hub.tell(now + EVERY);
    assert!(told(&mut alice).is_empty());
    drop(others);
}

/// A hub in which so many sockets are present in one channel at most.
fn with_room(room: usize) -> Server {
    let memory = Arc::new(Memory::with_room(1 << 20, room));
    let (hub, sides) = Hub::with(memory, told_rules(), 8);
    Server { hub, sides }
}

#[test]
fn where_no_more_can_be_present_nobody_follows_unseen() {
    let mut hub = with_room(2);
    let mut alice = follower(&mut hub, "alice", "A");
    let bob = follower(&mut hub, "bob", "B");
    let mut carol = hub.socket(user("carol", IN_LOBBY));
    let late = carol.subscribe(&name("chat/lobby"), None);
    assert_eq!(late.unwrap_err(), HubError::Busy);
    assert_eq!(hub.hub.crowded(), 1);
    alice.publish(&name("chat/lobby"), &raw("1")).unwrap();
    let mut now = Instant::now();
    hub.hub.tell(now);
    assert!(received(&mut carol).is_empty(), "it follows nothing");
    received(&mut alice);
    hub.hub.sweep(now);
    assert_eq!(hub.hub.crowded(), 1, "nobody asks for it any more");
    drop(bob);
    carol.subscribe(&name("chat/lobby"), None).unwrap();
    now += EVERY;
    hub.hub.tell(now);
    for socket in [&mut alice, &mut carol] {
        assert_eq!(told(socket), ["joined carol 2", "left bob 2"]);
    }
}

#[test]
fn who_followed_before_and_does_not_fit_is_counted_and_present_once_it_does() {
    let mut hub = with_room(1);
    hub.hub.reload(rules(0));
    let mut alice = follower(&mut hub, "alice", "A");
    let mut bob = follower(&mut hub, "bob", "B");
    hub.hub.reload(told_rules());
    // The second time nothing has changed, and nobody is counted again.
    for _ in 0..2 {
        for socket in [&mut alice, &mut bob] {
            let (fanout, outbox) = (&mut socket.fanout, &mut socket.outbox);
            assert!(
                socket
                    .member
                    .rejudge(fanout, outbox, |_, _| true)
                    .is_empty()
            );
        }
        assert_eq!(hub.hub.crowded(), 1);
    }
    let now = Instant::now();
    hub.hub.tell(now);
    assert_eq!(told(&mut bob), ["joined alice 1"]);
    drop(alice);
    hub.hub.sweep(now);
    hub.hub.tell(now + EVERY);
    assert_eq!(told(&mut bob), ["joined bob 1", "left alice 1"]);
}

#[test]
fn who_asks_between_two_changes_is_told_of_the_second() {
    let mut hub = hub();
    let mut alice = follower(&mut hub, "alice", "A");
    let mut now = Instant::now();
    let bob = follower(&mut hub, "bob", "B");
    hub.hub.tell(now);
    received(&mut alice);
    let ask = |it: &Socket| it.member.presence(&name("chat/lobby"), 0).now().unwrap();
    drop(bob);
    assert_eq!(ask(&alice).unwrap().count, 1);
    let bob = follower(&mut hub, "bob", "B");
    now += EVERY;
    hub.hub.tell(now);
    assert_eq!(told(&mut alice), ["joined bob 2"]);
    drop(bob);
    let _bob = follower(&mut hub, "bob", "B");
    now += EVERY;
    hub.hub.tell(now);
    assert!(told(&mut alice).is_empty(), "nobody asked");
}
