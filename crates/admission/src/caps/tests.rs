//! Whatever comes, and in whatever order, is counted once and given back.

use proptest::prelude::*;

use super::*;
use crate::principal::tests::identity;

fn caps(per_ip: u32, per_subject: u32, unadmitted: u32) -> Arc<Caps> {
    Caps::new(CapLimits {
        per_ip,
        per_subject,
        unadmitted,
        sessions: 0,
    })
}

fn reason(accepted: &Accepted) -> Option<Reason> {
    match accepted {
        Accepted::Turned(_, refusal) => Some(refusal.reason),
        _ => None,
    }
}

fn user(name: &str) -> Principal {
    Principal::User(Arc::new(identity(name)))
}

const HOME: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 1));

#[test]
fn an_ipv6_network_counts_as_one_address() {
    let caps = caps(1, 9, 9);
    let _first = caps.accept(HOME);
    let neighbour = caps.accept("2001:db8:0:1:ffff::2".parse().unwrap());
    assert_eq!(reason(&neighbour), Some(Reason::TooManyFromAddress));
    let other = caps.accept("2001:db8:0:2::1".parse().unwrap());
    assert!(matches!(other, Accepted::Welcome(_)));
    assert_eq!(
        bucket("::ffff:192.0.2.1".parse().unwrap()),
        "192.0.2.1".parse::<IpAddr>().unwrap()
    );
}

#[test]
fn a_full_pool_is_told_so_and_an_overfull_one_dropped() {
    let caps = caps(99, 99, 4);
    let address = |n: u8| IpAddr::from([10, 0, 0, n]);
    let held: Vec<_> = (0..4).map(|n| caps.accept(address(n))).collect();
    let told = caps.accept(HOME);
    assert_eq!(reason(&told), Some(Reason::PoolFull));
    assert!(matches!(caps.accept(HOME), Accepted::Dropped));
    drop((held, told));
    assert_eq!(caps.unadmitted(), 0);
}

#[test]
fn one_address_cannot_fill_the_pool() {
    let caps = caps(999, 99, 80);
    let mut held: Vec<_> = (0..40).map(|_| caps.accept(HOME)).collect();
    assert!(held.iter().all(|it| matches!(it, Accepted::Welcome(_))));
    held.extend((0..10).map(|_| caps.accept(HOME)));
    assert_eq!(reason(&held[49]), Some(Reason::PoolFull));
    assert!(matches!(caps.accept(HOME), Accepted::Dropped));
    let other = caps.accept(IpAddr::from([10, 0, 0, 1]));
    assert!(matches!(other, Accepted::Welcome(_)));
    let Some(Accepted::Welcome(mut slot)) = held.pop().and(held.drain(..1).next()) else {
        panic!("the first is welcome")
    };
    slot.admit(&user("alice")).unwrap();
    held.truncate(38);
    let again = caps.accept(HOME);
    assert!(
        matches!(again, Accepted::Welcome(_)),
        "the admitted do not count"
    );
}

#[test]
fn a_balancers_connections_count_against_their_clients_alone() {
    let caps = caps(1, 99, 80);
    let proxied = || match caps.accept_proxied() {
        Accepted::Welcome(slot) => slot,
        _ => panic!("the pool is empty"),
    };
    let held: Vec<_> = (0..10).map(|_| proxied()).collect();
    assert_eq!(caps.unadmitted(), 10, "in the pool they all count");
    let _first = proxied().attribute(HOME);
    let second = proxied().attribute(HOME);
    assert_eq!(reason(&second), Some(Reason::TooManyFromAddress));
    let other = proxied().attribute(IpAddr::from([10, 0, 0, 1]));
    let Accepted::Welcome(other) = other else {
        panic!("another client is welcome")
    };
    // The next request on the same connection may be another client's.
    drop(second);
    assert_eq!(
        reason(&other.attribute(HOME)),
        Some(Reason::TooManyFromAddress)
    );
    drop(held);
    let there = caps.accept(IpAddr::from([10, 0, 0, 1]));
    assert!(matches!(there, Accepted::Welcome(_)), "it was given back");
}

#[test]
fn one_subject_has_so_many_sockets_and_the_admitted_leave_the_pool() {
    let caps = caps(99, 1, 2);
    let admit = |name: &str| match caps.accept(HOME) {
        Accepted::Welcome(mut slot) => slot.admit(&user(name)).map(|()| slot),
        _ => panic!("the pool is empty"),
    };
    let _alice = admit("alice").unwrap();
    assert_eq!(
        admit("alice").err().unwrap().reason,
        Reason::TooManyOfSubject
    );
    let _bob = admit("bob").unwrap();
    assert_eq!(caps.unadmitted(), 0);
}

#[test]
fn a_connection_is_in_the_pool_while_it_carries_no_socket() {
    let caps = caps(3, 99, 9);
    let (Accepted::Welcome(mut connection), Accepted::Welcome(mut socket)) =
        (caps.accept(HOME), caps.accept(HOME))
    else {
        panic!("the pool is empty")
    };
    socket.admit(&user("alice")).unwrap();
    connection.carry(true);
    assert_eq!(caps.unadmitted(), 0);
    connection.carry(true);
    let third = caps.accept(HOME);
    assert!(matches!(third, Accepted::Welcome(_)));
    let fourth = reason(&caps.accept(HOME));
    assert_eq!(fourth, Some(Reason::TooManyFromAddress), "both count");
    drop((socket, third));
    connection.carry(false);
    assert_eq!(caps.unadmitted(), 1);
    drop(connection);
    assert_eq!(caps.unadmitted(), 0);
}

#[test]
fn a_refused_connection_keeps_its_place_and_gets_no_second_socket() {
    let caps = caps(99, 1, 9);
    let place = || match caps.accept(HOME) {
        Accepted::Welcome(slot) => Place::new(slot),
        _ => panic!("the pool is empty"),
    };
    let (first, second) = (place(), place());
    first.admit(&user("alice")).unwrap();
    assert!(second.admit(&user("alice")).is_err());
    assert_eq!(caps.unadmitted(), 1, "the refused one still counts");
    let again = first.admit(&user("bob")).unwrap_err();
    assert_eq!(again.reason, Reason::BadHandshake);
    let _socket = first.take().unwrap();
    assert!(first.take().is_err());
}

proptest! {
    #[test]
    fn whatever_happens_every_place_is_given_back(steps: Vec<(u8, bool, bool, Option<bool>)>) {
        let caps = caps(3, 2, 5);
        let mut held = Vec::new();
        for (ip, admit, release, carries) in steps {
            let other = IpAddr::from([10, 0, 1, ip % 3]);
            let proxied = ip > 128;
            let ip = IpAddr::from([10, 0, 0, ip % 3]);
            let accepted = match proxied {
                false => caps.accept(ip),
                true => match caps.accept_proxied() {
                    Accepted::Welcome(slot) if !admit => slot.attribute(ip),
                    Accepted::Turned(slot, _) => slot.attribute(other),
                    accepted => accepted,
                },
            };
            match accepted {
                Accepted::Welcome(mut slot) => {
                    if admit {
                        let _ = slot.admit(&user("alice"));
                    }
                    held.push(slot);
                }
                Accepted::Turned(slot, _) => held.push(slot),
                Accepted::Dropped => {}
            }
            if let (Some(sockets), Some(slot)) = (carries, held.first_mut()) {
                slot.carry(sockets);
            }
            if release && !held.is_empty() {
                held.remove(0);
            }
        }
        drop(held);
        let counts = caps.counts.lock();
        prop_assert_eq!(counts.unadmitted, 0);
        prop_assert!(counts.per_ip.is_empty() && counts.per_subject.is_empty());
    }
}
