//! Who is present, as the sockets of several loops are told.

use super::*;
use crate::{audience::EVERY, rights::Presence};

fn hub() -> Server {
    let Rules { channels, limits } = rules(0);
    let mut lobby = channels.rule(&name("chat/lobby")).unwrap().clone();
    lobby.presence = Some(Presence {
        see: Right::Anyone,
        info: ["name".into()].into(),
    });
    let channels = ChannelRules::new(vec![lobby]).unwrap();
    let (hub, sides) = Hub::new(Rules { channels, limits }, 8);
    Server { hub, sides }
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
