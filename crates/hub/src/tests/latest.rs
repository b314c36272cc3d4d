//! Who comes new gets what holds now.

use super::*;
use crate::engine::{Content, Entry, Latest, Placed, Publication};

fn server(size: usize) -> Server {
    let (hub, sides) = Hub::new(keeping(size, Latest::Channel), 8);
    Server { hub, sides }
}

fn data(publications: &[Placed]) -> Vec<&str> {
    let each = publications.iter();
    each.map(|it| it.publication.content.as_str()).collect()
}

#[test]
fn a_new_follower_gets_the_last_value_at_once_and_then_what_comes() {
    for size in [0, 10] {
        let mut server = server(size);
        let bob = server.socket(user("bob", IN_LOBBY));
        for n in 1..=3 {
            bob.publish(&name("chat/lobby"), &raw(&n.to_string()))
                .unwrap();
        }
        let mut alice = server.socket(user("alice", IN_LOBBY));
        let begun = alice.subscribe(&name("chat/lobby"), None).unwrap();
        assert!(!begun.recovered && !begun.conflated);
        assert_eq!(data(&begun.publications), ["3"]);
        assert_eq!(begun.position, begun.publications[0].position);
        bob.publish(&name("chat/lobby"), &raw("4")).unwrap();
        let heard = received(&mut alice);
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0]["params"]["data"], 4);
    }
}

#[test]
fn who_comes_back_gets_what_was_missed_or_what_holds_now() {
    let mut server = server(2);
    let bob = server.socket(user("bob", IN_LOBBY));
    let publish = |n: u32| {
        bob.publish(&name("chat/lobby"), &raw(&n.to_string()))
            .unwrap()
    };
    let positions: Vec<Position> = (1..=5).map(publish).collect();
    let mut alice = server.socket(user("alice", IN_LOBBY));
    let mut come = |since| {
        let back = alice.subscribe(&name("chat/lobby"), Some(since)).unwrap();
        alice.unsubscribe(&name("chat/lobby")).unwrap();
        let said: Vec<String> = data(&back.publications)
            .iter()
            .map(|it| (*it).into())
            .collect();
        (back.recovered, said)
    };
    let told = |recovered, said: &[&str]| (recovered, said.iter().map(|it| (*it).into()).collect());
    assert_eq!(come(positions[2]), told(true, &["4", "5"]));
    assert_eq!(come(positions[4]), told(true, &[]));
    assert_eq!(come(positions[0]), told(false, &["5"]));
}

#[test]
fn a_last_value_lasts_a_day_and_its_channel_with_it() {
    let mut server = server(0);
    let bob = server.socket(user("bob", IN_LOBBY));
    bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    let kept = server.hub.kept();
    assert!(kept > 0);
    server.hub.sweep(Instant::now() + Latest::TTL / 2);
    assert_eq!((server.hub.count(), server.hub.kept()), (1, kept));
    server.hub.sweep(Instant::now() + Latest::TTL);
    assert_eq!((server.hub.count(), server.hub.kept()), (0, 0));
}

#[test]
fn a_value_that_is_told_anew_while_the_old_one_is_read_stands_once() {
    let cluster = far::Cluster::new();
    let rules = keeping(0, Latest::Keys);
    let keep = rules.channels.rule(&name("chat/lobby")).unwrap().keep();
    let (hub, sides) = Hub::with(Arc::new(far::Far(cluster.clone())), rules, 1);
    let mut server = Server { hub, sides };
    let mut alice = server.socket(user("alice", IN_LOBBY));
    let elsewhere = engine::Engine::open(&far::Far(cluster.clone()), &name("chat/lobby"), keep);
    let tell = |key: &str, data: &str| {
        let publication = Publication {
            content: Content::Data(raw(data)),
            from: None,
            id: None,
            key: Some(key.into()),
            except: None,
        };
        let entry = Entry {
            publication: Arc::new(publication),
            once: None,
        };
        drop(elsewhere.append(&[entry], Instant::now()));
    };
    tell("a", "1");
    tell("b", "2");
    tell("c", "3");
    cluster.hold(false);
    let mut sought = far::seek(&alice, None);
    assert!(far::found(&mut sought).is_none());
    tell("b", "4");
    tell("d", "5");
    cluster.let_through(0, 2);
    tell("a", "6");
    cluster.let_through(9, 0);
    let seat = far::found(&mut sought).unwrap().unwrap();
    let begun = alice.member.join(seat, &mut alice.fanout).unwrap();
    assert!(begun.conflated && !begun.recovered);
    assert_eq!(data(&begun.publications), ["1", "3", "4", "5"]);
    cluster.release();
    let heard = received(&mut alice);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0]["params"]["data"], 6);
}

#[test]
fn the_values_that_a_follower_begins_with_are_the_newest_that_may_be_sent_at_once() {
    let mut rules = keeping(0, Latest::Keys);
    rules.limits.recovery = 10_000;
    let (hub, sides) = Hub::new(rules, 8);
    let mut server = Server { hub, sides };
    let mut alice = server.socket(user("alice", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    let channel = server.hub.channels.read().get(&name("chat/lobby")).unwrap();
    for key in 0..100 {
        let publication = Publication {
            content: Content::Data(raw(&format!("\"{}\"", "x".repeat(872)))),
            from: None,
            id: None,
            key: Some(format!("{key:03}").into()),
            except: None,
        };
        let entry = Entry {
            publication: Arc::new(publication),
            once: None,
        };
        drop(channel.log.append(&[entry], Instant::now()));
    }
    let mut bob = server.socket(user("bob", IN_LOBBY));
    let begun = bob.subscribe(&name("chat/lobby"), None).unwrap();
    let keys: Vec<_> = begun
        .publications
        .iter()
        .map(|it| it.publication.key.as_deref().unwrap())
        .collect();
    let newest: Vec<String> = (91..100).map(|key| format!("{key:03}")).collect();
    assert_eq!(keys, newest);
    assert!(begun.truncated && !begun.recovered);
}
