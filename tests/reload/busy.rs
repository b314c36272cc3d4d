//! Reloads by every way under sockets that are in use: none is dropped, nothing is lost, and each holds once it has answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Authority, Pair, until};
use crate::harness::{ORIGIN, Server, Setup, Ws};

const SOCKETS: usize = 200;
const RELOADS: u64 = 30;
const GUEST: &str = "https://guest.localhost";

#[test]
fn no_reload_drops_a_socket_or_a_message_and_each_holds_at_once() {
    let setup = Setup::new();
    let (authority, first) = Authority::over(&setup.folder);
    let limits =
        "connections_per_ip = 10000\nconnections_per_subject = 10000\nmessages_per_second = 0";
    let server = setup.limits(limits).start();
    let followers: Vec<_> = (0..SOCKETS).map(|number| follow(&server, number)).collect();
    let over = Arc::new(AtomicBool::new(false));
    let publisher = publish(server.socket("publisher"), over.clone());
    let pairs = [authority.sign(&["localhost"]), first];
    for number in 1..=RELOADS {
        change(&server, &pairs, number);
    }
    over.store(true, Ordering::Relaxed);
    let published = publisher.join().unwrap();
    assert!(published > RELOADS, "it was busy");
    for follower in followers {
        assert_eq!(follower.join().unwrap(), published);
    }
    let closes: Vec<Value> = server.audit();
    let mut closes = closes.iter().filter(|event| event["event"] == "close");
    let other = closes.find(|event| event["code"] != 1006);
    assert_eq!(other, None, "only those that hung up themselves");
}

/// Lets another page in or out, puts the other certificate in place, and reloads by one of three ways.
fn change(server: &Server, pairs: &[Pair; 2], number: u64) {
    let comes = number % 2 == 1;
    let (without, with) = (
        format!("\"{ORIGIN}\"]"),
        format!("\"{ORIGIN}\", \"{GUEST}\"]"),
    );
    let pair = &pairs[usize::from(!comes)];
    pair.put(&server.folder, "cert.pem", "key.pem");
    match comes {
        true => server.edit(&without, &with),
        false => server.edit(&with, &without),
    }
    match number % 3 {
        // Whoever looks at files may come first; then there is nothing left to do.
        0 => assert_eq!(server.reload().status, 200),
        1 => server.hangup(),
        _ => {}
    }
    server.until_reloads("reloaded", number);
    assert_eq!(
        server.enters(GUEST),
        if comes { 101 } else { 403 },
        "reload {number}"
    );
    // A guest who is still there at the next change would be put out by it.
    let guests = number.div_ceil(2);
    until("the guest has left", || left(server, "visitor") == guests);
    assert!(
        server.shown(Some("localhost")) == pair.der,
        "reload {number}"
    );
}

/// How many sockets of a user have ended.
fn left(server: &Server, subject: &str) -> u64 {
    let events = server.audit();
    let is_theirs = |event: &&Value| event["event"] == "close" && event["subject"] == subject;
    events.iter().filter(is_theirs).count() as u64
}

/// Follows a channel until a publication says that it is the last. Tells how many came, of which none may be missing.
fn follow(server: &Server, number: usize) -> JoinHandle<u64> {
    let mut ws = server.socket(&format!("follower-{number}"));
    ws.ok("subscribe", json!({ "channel": "free/busy" }));
    thread::spawn(move || {
        let mut count = 0;
        loop {
            let publication = ws.json();
            count += 1;
            assert_eq!(
                publication["params"]["data"]["number"], count,
                "{publication}"
            );
            if publication["params"]["data"]["last"] == true {
                return count;
            }
        }
    })
}

fn publish(mut ws: Ws, over: Arc<AtomicBool>) -> JoinHandle<u64> {
    thread::spawn(move || {
        let mut number = 0;
        loop {
            number += 1;
            let last = over.load(Ordering::Relaxed);
            let data = json!({ "number": number, "last": last });
            ws.ok("publish", json!({ "channel": "free/busy", "data": data }));
            if last {
                return number;
            }
            // A pace that two hundred threads of a test keep up with.
            thread::sleep(Duration::from_millis(10));
        }
    })
}
