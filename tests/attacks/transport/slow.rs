//! Peers that do not read, and peers that send a byte now and then.

use std::{
    io::Write as _,
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use super::{SMALL, ended, follower, serves_others};
use crate::harness::{CLOSE_NOTIFY, DATA, Opening, Server, Setup, Wire, frame};

const MIB: usize = 1024 * 1024;

/// Takes large publications and holds little for those who do not read.
fn strict() -> Server {
    let limits = "message = \"512KiB\"\noutbox = \"64KiB\"\nmessages_per_second = 0\n";
    Setup::new().limits(limits).start()
}

#[test]
fn transport_those_who_never_read_are_closed_as_slow_and_nobody_else_waits() {
    /// Together more than the kernel and the outbox hold.
    const PUBLICATIONS: usize = 16;
    let server = strict();
    let names = ["s1", "s2", "s3", "s4", "s5"];
    let mut slow = names.map(|name| follower(&server, name));
    let (mut bob, mut carol) = (server.socket("bob"), server.socket("carol"));
    carol.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let before = server.memory();
    let data = "x".repeat(400_000);
    for n in 0..PUBLICATIONS {
        let data = json!({ "n": n, "x": data });
        bob.ok("publish", json!({ "channel": "chat/lobby", "data": data }));
        assert_eq!(carol.json()["params"]["data"]["n"], n);
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 24 * MIB, "{grown} bytes");
    for wire in &mut slow {
        let got = until_slow(wire);
        assert!(got < PUBLICATIONS, "it got all");
    }
    ended(&server, names.len(), 1013, "slow");
    server.assert_rests();
    serves_others(&server);
}

/// Reads what was published, which is in order, until it is told that it is too slow. Returns how much that was.
fn until_slow(wire: &mut Wire) -> usize {
    for n in 0.. {
        let came = wire.ws.frame().expect("a Close at the end");
        if came.first == 0x88 {
            assert_eq!(came.payload, b"\x03\xf5slow");
            let answer = wire.data(&frame(0x88, &1013_u16.to_be_bytes()));
            wire.put(&answer);
            wire.ends_with(CLOSE_NOTIFY);
            return n;
        }
        let message: Value = serde_json::from_slice(&came.payload).unwrap();
        assert_eq!(message["params"]["data"]["n"], n);
    }
    unreachable!()
}

/// Message `n` of many.
fn numbered(n: u32) -> Vec<u8> {
    frame(0x82, &n.to_be_bytes().repeat(15_000))
}

/// Asks an echo for more and more without reading, until nothing more is taken. Returns how many were asked for, and what
/// is left to be sent of the last.
fn stuff(wire: &mut Wire) -> (u32, Vec<u8>) {
    /// In which a server that still reads would read something.
    const STUCK: Duration = Duration::from_millis(500);
    /// More than kernels hold on their own.
    const MUCH: usize = 64 * MIB;
    wire.tcp.set_write_timeout(Some(STUCK)).unwrap();
    let mut sent = 0;
    for n in 0.. {
        let bytes = wire.data(&numbered(n));
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            match wire.tcp.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(_) => return (n + 1, rest.to_vec()),
            }
        }
        sent += bytes.len();
        assert!(sent < MUCH, "it reads on, and nobody takes the answers");
    }
    unreachable!()
}

#[test]
fn transport_who_does_not_read_is_not_read_from_and_loses_nothing() {
    let server = Server::start();
    let mut wire = Opening::echo().window(SMALL).on(&server);
    let before = server.memory();
    let (asked, rest) = stuff(&mut wire);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * MIB, "{grown} bytes");
    server.assert_rests();
    serves_others(&server);
    // Now it reads, and nothing was lost.
    let bytes = [rest, wire.data(&frame(0x88, b"\x03\xe8bye"))].concat();
    let mut writer = wire.tcp.try_clone().unwrap();
    writer.set_write_timeout(None).unwrap();
    let writer = thread::spawn(move || writer.write_all(&bytes).unwrap());
    for n in 0..asked {
        let echo = wire.ws.next().expect("an echo");
        assert_eq!(echo.payload, n.to_be_bytes().repeat(15_000));
    }
    assert_eq!(wire.ws.closed(), (1000, "bye".into()));
    wire.ends_with(CLOSE_NOTIFY);
    writer.join().unwrap();
    server.closed(1000, "bye");
}

#[test]
fn transport_a_close_behind_a_message_costs_a_slow_peer_nothing_of_its_echo() {
    /// More than kernels hold of what a peer with a small window does not read.
    const LARGE: usize = 6 * MIB;
    let limits = "message = \"8MiB\"\nmessage_time = \"1m\"\n";
    let server = Setup::new().limits(limits).start();
    let mut wire = Opening::echo().window(SMALL).on(&server);
    let message: Vec<u8> = (0..LARGE).map(|at| (at % 251) as u8).collect();
    // In one record with the message's end, so that both are read at once.
    let bytes = wire.data(&[frame(0x82, &message), frame(0x88, b"\x03\xe8bye")].concat());
    wire.put(&bytes);
    server.closed(1000, "bye");
    let echo = wire.ws.next().expect("the echo");
    assert_eq!(echo.payload.len(), LARGE);
    assert!(echo.payload == message, "another message");
    assert_eq!(wire.ws.closed(), (1000, "bye".into()));
    wire.ends_with(CLOSE_NOTIFY);
}

#[test]
fn transport_who_never_reads_again_is_dropped_as_idle() {
    let limits = "ping = \"1s\"\npong = \"1s\"\n";
    let server = Setup::new().limits(limits).start();
    let before = server.memory();
    let mut wires: Vec<_> = (0..3)
        .map(|_| Opening::echo().window(SMALL).on(&server))
        .collect();
    let rest: Vec<_> = wires.iter_mut().map(stuff).collect();
    ended(&server, 3, 3008, "idle");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * MIB, "{grown} bytes");
    drop(rest);
    server.assert_rests();
    serves_others(&server);
}

/// The head of a frame with a length of 64 bits.
fn head() -> Vec<u8> {
    frame(0x82, &[0; 65_536])[..14].to_vec()
}

#[test]
fn transport_a_message_begins_with_the_first_byte_of_its_head() {
    let server = Setup::new().limits("message_time = \"500ms\"\n").start();
    let mut wires: Vec<_> = [1, 2, 5, 13, 14]
        .map(|length| {
            let mut wire = Opening::echo().on(&server);
            let begun = wire.data(&head()[..length]);
            wire.put(&begun);
            wire
        })
        .into();
    for wire in &mut wires {
        assert_eq!(wire.ws.closed(), (1008, "slow-message".into()));
        wire.fin();
    }
    ended(&server, wires.len(), 1008, "slow-message");
    serves_others(&server);
}

/// Writes pieces one by one, now and then, for as long as they are taken.
fn drip(wire: &Wire, pieces: Vec<Vec<u8>>) -> JoinHandle<()> {
    let mut tcp = wire.tcp.try_clone().unwrap();
    thread::spawn(move || {
        for piece in pieces {
            if tcp.write_all(&piece).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    })
}

#[test]
fn transport_a_message_in_drops_is_ended_in_its_time() {
    let server = Setup::new().limits("message_time = \"500ms\"\n").start();
    let mut wire = Opening::echo().on(&server);
    let mut bytes = head();
    bytes.resize(200, 0);
    let records = bytes
        .into_iter()
        .map(|byte| wire.seal(DATA, &[byte]))
        .collect();
    let dripping = drip(&wire, records);
    assert_eq!(wire.ws.closed(), (1008, "slow-message".into()));
    dripping.join().unwrap();
    wire.fin();
    server.closed(1008, "slow-message");
    serves_others(&server);
}

#[test]
fn transport_bytes_of_a_record_that_is_never_whole_are_no_sign_of_life() {
    let limits = "ping = \"300ms\"\npong = \"500ms\"\n";
    let server = Setup::new().limits(limits).start();
    let mut wire = Opening::echo().on(&server);
    let record = wire.data(&[0; 16_000]);
    let _dripping = drip(&wire, record.into_iter().map(|byte| vec![byte]).collect());
    assert_eq!(wire.ws.frame().expect("a ping").first, 0x89);
    assert_eq!(wire.ws.closed(), (3008, "idle".into()));
    server.closed(3008, "idle");
    serves_others(&server);
}

#[test]
fn transport_hundreds_who_send_a_byte_a_second_cost_next_to_nothing() {
    const PEERS: usize = 300;
    let limits = "message_time = \"5s\"\n";
    let server = Setup::new().limits(limits).start();
    let mut wires: Vec<Wire> = (0..PEERS).map(|_| Opening::echo().on(&server)).collect();
    let before = server.memory();
    for wire in &mut wires {
        let begun = wire.data(&head());
        wire.put(&begun);
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            for wire in &mut wires {
                let byte = wire.seal(DATA, &[0]);
                wire.put(&byte);
                thread::sleep(Duration::from_millis(3));
            }
        });
        server.assert_rests();
    });
    let grown = server.memory().saturating_sub(before);
    assert!(grown < PEERS * 8 * 1024, "{grown} bytes");
    serves_others(&server);
    for wire in &mut wires {
        assert_eq!(wire.ws.closed(), (1008, "slow-message".into()));
    }
    drop(wires);
    ended(&server, PEERS, 1008, "slow-message");
    serves_others(&server);
}
