//! Peers that go, in every way there is, and those that will not.

use std::io::{ErrorKind, Read as _, Write as _};

use serde_json::{Value, json};

use super::{SMALL, ended, follower, serves_others};
use crate::harness::{CLOSE_NOTIFY, Opening, PATIENCE, Server, Setup, Wire, Ws, frame};

fn publication(n: usize) -> Vec<u8> {
    let call = json!({
        "jsonrpc": "2.0", "id": n, "method": "publish", "params": { "channel": "chat/lobby", "data": n },
    });
    frame(0x81, call.to_string().as_bytes())
}

/// That nothing was published: a publication of its own is the first that comes back.
fn heard_nothing(mut bob: Ws) {
    let mut aside = Vec::new();
    bob.call_aside("ping", json!({}), &mut aside);
    assert_eq!(aside, Vec::<Value>::new());
}

#[test]
fn transport_what_came_before_a_close_notify_is_answered() {
    let server = Server::start();
    for (count, fin) in [(1, true), (2, false)] {
        let mut wire = Opening::echo().on(&server);
        let last = wire.data(&frame(0x81, b"last"));
        let bye = wire.alert(CLOSE_NOTIFY);
        wire.put(&[last, bye].concat());
        if fin {
            wire.fin();
        }
        assert_eq!(wire.ws.frame().expect("an echo").payload, b"last");
        wire.ends_with(CLOSE_NOTIFY);
        ended(&server, count, 1006, "dropped");
    }
    serves_others(&server);
}

#[test]
fn transport_nothing_counts_after_a_close_notify() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    bob.ok("subscribe", json!({ "channel": "chat/lobby" }));
    for (count, together) in [(1, true), (2, false)] {
        let mut wire = follower(&server, "alice");
        let bye = wire.alert(CLOSE_NOTIFY);
        let late = wire.data(&publication(1));
        if together {
            wire.put(&[bye, late].concat());
        } else {
            wire.put_alone(&bye);
            wire.put(&late);
        }
        wire.ends_with(CLOSE_NOTIFY);
        ended(&server, count, 1006, "dropped");
    }
    heard_nothing(bob);
    serves_others(&server);
}

#[test]
fn transport_a_cut_without_close_notify_delivers_nothing_half() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    bob.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let cuts: [fn(&mut Wire) -> Vec<u8>; 4] = [
        // In a record's header, in its body, before its last byte.
        |wire| wire.data(&publication(1))[..3].to_vec(),
        |wire| wire.data(&publication(1))[..30].to_vec(),
        |wire| {
            let mut record = wire.data(&publication(1));
            record.pop();
            record
        },
        // In a frame.
        |wire| {
            let mut frame = publication(1);
            frame.pop();
            wire.data(&frame)
        },
    ];
    for (count, cut) in cuts.iter().enumerate() {
        let mut wire = follower(&server, "alice");
        let bytes = cut(&mut wire);
        wire.put(&bytes);
        wire.fin();
        assert_eq!(wire.ws.connection.rest(), 0);
        ended(&server, count + 1, 1006, "dropped");
    }
    heard_nothing(bob);
    serves_others(&server);
}

/// Publishes until the server holds what the follower does not read, and some more.
fn fill(bob: &mut Ws, from: usize) -> usize {
    const MANY: usize = 120;
    let data = "x".repeat(50_000);
    for n in from..from + MANY {
        let data = json!({ "n": n, "x": data });
        bob.ok("publish", json!({ "channel": "chat/lobby", "data": data }));
    }
    from + MANY
}

fn roomy() -> Server {
    let limits = "outbox = \"64MiB\"\nmessages_per_second = 0\n";
    Setup::new().limits(limits).start()
}

/// That a socket that follows the lobby gets what is published, in order.
fn gets(ws: &mut Ws, numbers: std::ops::Range<usize>) {
    for n in numbers {
        assert_eq!(ws.json()["params"]["data"]["n"], n);
    }
}

#[test]
fn transport_a_reset_in_the_middle_of_a_flush_harms_nobody() {
    let server = roomy();
    let wire = follower(&server, "alice");
    let (mut bob, mut carol) = (server.socket("bob"), server.socket("carol"));
    carol.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let before = server.memory();
    let sent = fill(&mut bob, 0);
    wire.reset();
    ended(&server, 1, 1006, "dropped");
    gets(&mut carol, 0..sent);
    let more = fill(&mut bob, sent);
    gets(&mut carol, sent..more);
    let grown = server.memory().saturating_sub(before);
    assert!(
        grown < 16 * 1024 * 1024,
        "{grown} bytes are kept for nobody"
    );
    server.assert_rests();
    serves_others(&server);
}

#[test]
fn transport_a_fatal_alert_in_the_middle_of_a_flush_ends_it() {
    let server = roomy();
    let mut wire = follower(&server, "alice");
    let (mut bob, mut carol) = (server.socket("bob"), server.socket("carol"));
    carol.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let sent = fill(&mut bob, 0);
    let internal_error = wire.alert((2, 80));
    wire.put(&internal_error);
    // Whether or not the server looks at it before it has written all, what comes is in order, and ends.
    let mut last = None;
    while let Some(frame) = wire.ws.frame() {
        assert_eq!(frame.first, 0x81);
        let message: Value = serde_json::from_slice(&frame.payload).unwrap();
        let n = message["params"]["data"]["n"].as_u64();
        assert_eq!(n, Some(last.map_or(0, |last| last + 1)));
        last = n;
    }
    ended(&server, 1, 1006, "dropped");
    gets(&mut carol, 0..sent);
    server.assert_rests();
    serves_others(&server);
}

#[test]
fn transport_a_close_is_read_by_a_peer_that_talks_on() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    let close = wire.data(&frame(0x88, b"\x03\xe8bye"));
    // More than the server reads at once, so that some of it is unread when it answers.
    let late = wire.data(&frame(0x82, &[0; 60_000]).repeat(4));
    wire.put(&[close, late].concat());
    let answer = wire.ws.frame().expect("the Close");
    assert_eq!(
        (answer.first, &*answer.payload),
        (0x88, &b"\x03\xe8bye"[..])
    );
    wire.ends_with(CLOSE_NOTIFY);
    server.closed(1000, "bye");
    serves_others(&server);
}

#[test]
fn transport_a_peer_that_talks_on_after_the_closes_is_not_reset() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    let close = wire.data(&frame(0x88, b"\x03\xe8bye"));
    wire.put(&close);
    assert_eq!(wire.ws.frame().expect("the Close").first, 0x88);
    // On a network a reset overtakes what was sent before it, so a peer gets a moment to fall silent.
    for _ in 0..20 {
        let late = wire.data(&frame(0x82, &[0; 10_000]));
        wire.tcp
            .write_all(&late)
            .expect("it is read, and thrown away");
    }
    wire.fin();
    let end = wire.tcp.read_to_end(&mut Vec::new());
    assert!(end.is_ok(), "{end:?}");
    server.closed(1000, "bye");
    serves_others(&server);
}

#[test]
fn transport_a_close_is_read_by_a_peer_that_talks_on_and_reads_late() {
    let server = Server::start();
    for count in [1, 2, 4] {
        let mut wire = Opening::echo().window(SMALL).on(&server);
        let asked = frame(0x82, &[7; 60_000]).repeat(count);
        let late = frame(0x82, &[0; 60_000]).repeat(4);
        let bytes = wire.data(&[asked, frame(0x88, b"\x03\xe8bye"), late].concat());
        wire.put(&bytes);
        for _ in 0..count {
            let echo = wire.ws.frame().expect("an echo before the Close");
            assert_eq!(echo.payload, [7; 60_000]);
        }
        let close = wire.ws.frame().expect("the Close");
        assert_eq!((close.first, &*close.payload), (0x88, &b"\x03\xe8bye"[..]));
        wire.ends_with(CLOSE_NOTIFY);
    }
    ended(&server, 3, 1000, "bye");
    serves_others(&server);
}

#[test]
fn transport_a_close_is_read_by_a_peer_that_reads_late() {
    let server = Server::start();
    let mut wire = Opening::echo().window(SMALL).on(&server);
    // All is sent before anything is read; the answers are more than the kernel takes at once.
    let messages: Vec<u8> = (0..8_u8).flat_map(|n| frame(0x82, &[n; 60_000])).collect();
    let bytes = [messages, frame(0x88, b"\x03\xe8bye")].concat();
    let bytes = wire.data(&bytes);
    let mut writer = wire.tcp.try_clone().unwrap();
    let sending = std::thread::spawn(move || writer.write_all(&bytes).unwrap());
    for n in 0..8 {
        let echo = wire.ws.frame().expect("an echo");
        assert_eq!((echo.first, echo.payload), (0x82, vec![n; 60_000]));
    }
    let close = wire.ws.frame().expect("the Close");
    assert_eq!((close.first, &*close.payload), (0x88, &b"\x03\xe8bye"[..]));
    wire.ends_with(CLOSE_NOTIFY);
    sending.join().unwrap();
    server.closed(1000, "bye");
    serves_others(&server);
}

#[test]
fn transport_a_refusal_is_read_by_a_peer_that_talks_on() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    let reserved = wire.data(&frame(0xC1, b"no such bit"));
    let late = wire.data(&frame(0x82, &[0; 60_000]).repeat(4));
    wire.put(&[reserved, late].concat());
    assert_eq!(wire.ws.closed(), (1002, "reserved-bit".into()));
    let answer = wire.data(&frame(0x88, &1002_u16.to_be_bytes()));
    wire.put(&answer);
    wire.ends_with(CLOSE_NOTIFY);
    server.closed(1002, "reserved-bit");
    serves_others(&server);
}

#[test]
fn transport_nobody_keeps_a_closed_socket_open_by_talking() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    let close = wire.data(&frame(0x88, b"\x03\xe8bye"));
    wire.put(&close);
    assert_eq!(wire.ws.frame().expect("the Close").first, 0x88);
    let begun = std::time::Instant::now();
    loop {
        let late = wire.data(&frame(0x82, &[0; 1000]));
        match wire.tcp.write_all(&late) {
            Ok(()) => assert!(begun.elapsed() < PATIENCE, "it may talk for ever"),
            Err(error) => {
                let gone = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
                assert!(gone.contains(&error.kind()), "{error}");
                break;
            }
        }
    }
    ended(&server, 1, 1000, "bye");
    serves_others(&server);
}
