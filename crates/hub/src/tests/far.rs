//! An engine that takes its time, and of which other processes have the channels too.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::engine::Answer;
pub(super) use crate::engine::contract::far::{Cluster, Far};

pub(super) type Sought = Pin<Box<dyn Future<Output = Result<Seat, HubError>> + Send>>;

/// A process of a cluster.
fn process(cluster: &Arc<Cluster>, size: usize) -> Server {
    let (hub, sides) = Hub::with(Arc::new(Far(cluster.clone())), rules(size), 8);
    Server { hub, sides }
}

pub(super) fn seek(socket: &Socket, since: Option<Position>) -> Sought {
    match socket
        .member
        .subscribe(&socket.fanout, &name("chat/lobby"), since)
    {
        Answer::Later(seat) => seat,
        Answer::Now(_) => panic!("it takes its time"),
    }
}

pub(super) fn found(sought: &mut Sought) -> Option<Result<Seat, HubError>> {
    match sought
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(seat) => Some(seat),
        Poll::Pending => None,
    }
}

/// What comes of an answer when nothing holds it up.
fn soon<T: Send + 'static>(answer: Answer<T>) -> T {
    let Answer::Later(mut future) = answer else {
        panic!("it takes its time")
    };
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(answer) = future.as_mut().poll(&mut cx) {
            return answer;
        }
    }
}

fn publish(socket: &Socket, n: u64) -> Position {
    let published = socket
        .member
        .publish(&name("chat/lobby"), &raw(&n.to_string()), None, None);
    soon(published).unwrap().position
}

fn data(publications: &[crate::engine::Placed]) -> Vec<u64> {
    let each = publications.iter();
    each.map(|it| it.publication.content.as_str().parse().unwrap())
        .collect()
}

fn heard(socket: &mut Socket) -> Vec<u64> {
    let messages = received(socket).into_iter();
    messages
        .map(|it| it["params"]["data"].as_u64().unwrap())
        .collect()
}

/// Alice seeks a place after the first of three; Bob publishes elsewhere.
fn scene(size: usize) -> (Arc<Cluster>, [Server; 2], Socket, Socket, Position) {
    let cluster = Cluster::new();
    let mut servers = [process(&cluster, size), process(&cluster, size)];
    let alice = servers[0].socket(user("alice", IN_LOBBY));
    let bob = servers[1].socket(user("bob", IN_LOBBY));
    let first = publish(&bob, 0);
    publish(&bob, 1);
    publish(&bob, 2);
    (cluster, servers, alice, bob, first)
}

#[test]
fn what_is_delivered_while_reading_takes_its_time_stands_behind_what_was_read() {
    let (cluster, _servers, mut alice, bob, first) = scene(100);
    cluster.hold(false);
    let mut sought = seek(&alice, Some(first));
    assert!(found(&mut sought).is_none());
    for n in 3..6 {
        let published = bob
            .member
            .publish(&name("chat/lobby"), &raw(&n.to_string()), None, None);
        assert!(published.now().is_none(), "it waits, and stands");
    }
    cluster.let_through(0, 2);
    assert!(found(&mut sought).is_none());
    cluster.let_through(2, 0);
    let seat = found(&mut sought).unwrap().unwrap();
    let subscribed = alice.member.join(seat, &mut alice.fanout).unwrap();
    assert!(subscribed.recovered);
    assert_eq!(data(&subscribed.publications), [1, 2, 3, 4]);
    cluster.release();
    publish(&bob, 6);
    assert_eq!(heard(&mut alice), [5, 6]);
}

#[test]
fn what_was_read_before_it_is_delivered_does_not_come_again() {
    let (cluster, _servers, mut alice, bob, first) = scene(100);
    cluster.hold(true);
    let mut sought = seek(&alice, Some(first));
    assert!(found(&mut sought).is_none());
    // It stands at once, and is delivered later.
    let published = bob
        .member
        .publish(&name("chat/lobby"), &raw("3"), None, None);
    cluster.let_through(9, 0);
    soon(published).unwrap();
    let seat = found(&mut sought).unwrap().unwrap();
    let subscribed = alice.member.join(seat, &mut alice.fanout).unwrap();
    assert_eq!(data(&subscribed.publications), [1, 2, 3]);
    cluster.release();
    publish(&bob, 4);
    assert_eq!(heard(&mut alice), [4]);
}

#[test]
fn more_than_is_kept_aside_is_read_too() {
    const MANY: u64 = 3000;
    let (cluster, _servers, mut alice, bob, first) = scene(100_000);
    cluster.hold(false);
    let mut sought = seek(&alice, Some(first));
    let _waiting: Vec<_> = (3..MANY)
        .map(|n| {
            bob.member
                .publish(&name("chat/lobby"), &raw(&n.to_string()), None, None)
        })
        .collect();
    cluster.let_through(0, usize::MAX);
    assert!(found(&mut sought).is_none());
    cluster.release();
    let seat = loop {
        if let Some(seat) = found(&mut sought) {
            break seat.unwrap();
        }
    };
    let subscribed = alice.member.join(seat, &mut alice.fanout).unwrap();
    assert!(subscribed.recovered);
    assert_eq!(
        data(&subscribed.publications),
        (1..MANY).collect::<Vec<_>>()
    );
    publish(&bob, MANY);
    assert_eq!(heard(&mut alice), [MANY]);
}

#[test]
fn a_right_that_goes_while_a_place_is_sought_leaves_nothing_behind() {
    let (cluster, servers, mut alice, bob, first) = scene(100);
    cluster.hold(false);
    let mut sought = seek(&alice, Some(first));
    alice.renew(user("alice", "{}"));
    cluster.release();
    let seat = loop {
        if let Some(seat) = found(&mut sought) {
            break seat.unwrap();
        }
    };
    let joined = alice.member.join(seat, &mut alice.fanout);
    assert_eq!(joined.unwrap_err(), HubError::Forbidden);
    drop(sought);
    publish(&bob, 3);
    assert!(received(&mut alice).is_empty());
    servers[0].hub.sweep(Instant::now());
    assert_eq!(servers[0].hub.count(), 0);
}

#[test]
fn whoever_goes_while_a_place_is_sought_leaves_nothing_behind() {
    let (cluster, servers, alice, _bob, first) = scene(100);
    cluster.hold(false);
    let sought = seek(&alice, Some(first));
    assert_eq!(servers[0].hub.count(), 1);
    drop(sought);
    servers[0].hub.sweep(Instant::now());
    assert_eq!(servers[0].hub.count(), 0);
}

#[test]
fn followers_are_told_of_what_an_engine_has_lost() {
    let (cluster, _servers, mut alice, bob, first) = scene(100);
    let mut sought = seek(&alice, Some(first));
    let seat = loop {
        if let Some(seat) = found(&mut sought) {
            break seat.unwrap();
        }
    };
    alice.member.join(seat, &mut alice.fanout).unwrap();
    cluster.hold(false);
    let lost = bob
        .member
        .publish(&name("chat/lobby"), &raw("3"), None, None);
    cluster.lose(&name("chat/lobby"));
    cluster.release();
    let lost = soon(lost).unwrap().position;
    publish(&bob, 4);
    let [told, next] = &received(&mut alice)[..] else {
        panic!()
    };
    assert_eq!(told["method"], "lagged");
    assert_eq!(told["params"]["position"], lost.to_string());
    assert_eq!(next["params"]["data"], 4);
}

#[test]
fn who_missed_more_while_it_was_read_than_may_be_sent_gets_what_holds_now() {
    let cluster = Cluster::new();
    let mut rules = keeping(100, engine::Latest::Channel);
    rules.limits.recovery = 1000;
    let (hub, sides) = Hub::with(Arc::new(Far(cluster.clone())), rules, 8);
    let mut server = Server { hub, sides };
    let mut alice = server.socket(user("alice", IN_LOBBY));
    let bob = server.socket(user("bob", IN_LOBBY));
    let first = publish(&bob, 0);
    cluster.hold(false);
    let mut sought = seek(&alice, Some(first));
    assert!(found(&mut sought).is_none());
    let _waiting: Vec<_> = (1..=20)
        .map(|n| {
            let data = raw(&n.to_string());
            bob.member.publish(&name("chat/lobby"), &data, None, None)
        })
        .collect();
    cluster.let_through(0, usize::MAX);
    cluster.release();
    let seat = loop {
        if let Some(seat) = found(&mut sought) {
            break seat.unwrap();
        }
    };
    let subscribed = alice.member.join(seat, &mut alice.fanout).unwrap();
    assert!(!subscribed.recovered);
    assert_eq!(data(&subscribed.publications), [20]);
    publish(&bob, 21);
    assert_eq!(heard(&mut alice), [21]);
    alice.member.leave(&mut alice.fanout);
    drop((bob, sought));
    server.hub.sweep(Instant::now());
    assert_eq!(server.hub.count(), 0, "nobody is counted twice");
}

#[test]
fn a_log_that_takes_nothing_any_more_is_told_and_not_asked_for_ever() {
    let mut server = hub(0);
    let mut alice = server.socket(user("alice", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    let channel = server.hub.channels.read().get(&name("chat/lobby")).unwrap();
    assert!(channel.log.close(Instant::now()));
    let bob = server.socket(user("bob", IN_LOBBY));
    let refused = bob.publish(&name("chat/lobby"), &raw("1"));
    assert_eq!(refused, Err(HubError::Busy));
}
