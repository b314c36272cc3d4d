//! A server that may open no more descriptors: it goes on serving those it has.

use std::{
    fs,
    io::{ErrorKind, Read as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{echoes, serves_others};
use crate::harness::{Handshake, Opening, PATIENCE, Server, Setup, Wire, tcp};

const MOST: u64 = 128;

/// A server with sockets of its own, and strangers who hold all other descriptors.
struct Exhausted {
    server: Server,
    old: Vec<Wire>,
    strangers: Vec<TcpStream>,
    /// Descriptors before the strangers came.
    before: usize,
    /// Lines of the log until then.
    said: usize,
}

fn exhausted() -> Exhausted {
    // They may stay for the whole test.
    let limits = "handshake = \"5m\"\n";
    let server = Setup::new().limits(limits).start();
    let old = (0..3).map(|_| Opening::echo().on(&server)).collect();
    let (before, said) = (server.descriptors(), log(&server).len());
    server.limit_descriptors(MOST);
    let mut strangers = Vec::new();
    // It may keep a few for itself.
    wait_for(|| {
        strangers.extend((0..10).map(|_| tcp(server.address)));
        server.descriptors() >= MOST as usize - 8 && strangers.len() >= MOST as usize
    });
    Exhausted {
        server,
        old,
        strangers,
        before,
        said,
    }
}

fn log(server: &Server) -> Vec<Value> {
    let text = fs::read_to_string(server.folder.join("server.log")).unwrap();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn wait_for(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
    }
}

impl Exhausted {
    fn serves_the_old(&mut self) {
        for wire in &mut self.old {
            echoes(wire, "I was here before");
        }
    }
}

#[test]
fn transport_beyond_its_descriptors_newcomers_are_turned_away_at_once() {
    let mut it = exhausted();
    for _ in 0..5 {
        // Refused by the kernel is as good.
        let Ok(mut newcomer) = TcpStream::connect(it.server.address) else {
            continue;
        };
        newcomer.set_read_timeout(Some(PATIENCE)).unwrap();
        let end = newcomer.read(&mut [0]).map_err(|error| error.kind());
        assert!(
            matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)),
            "left waiting: {end:?}"
        );
    }
    it.serves_the_old();
}

#[test]
fn transport_without_descriptors_nothing_spins() {
    let mut it = exhausted();
    it.server.assert_rests();
    // Nor when somebody knocks.
    it.strangers.push(tcp(it.server.address));
    it.server.assert_rests();
    it.serves_the_old();
}

#[test]
fn transport_without_descriptors_the_log_says_so_once_a_second() {
    let mut it = exhausted();
    for _ in 0..25 {
        it.strangers.push(tcp(it.server.address));
        it.serves_the_old();
        thread::sleep(Duration::from_millis(100));
    }
    let warnings: Vec<Value> = log(&it.server).split_off(it.said);
    assert!(!warnings.is_empty(), "nobody is told");
    let second = |line: &Value| line["timestamp"].as_str().unwrap()[..19].to_owned();
    for pair in warnings.windows(2) {
        assert_ne!(
            second(&pair[0]),
            second(&pair[1]),
            "{} lines",
            warnings.len()
        );
    }
}

#[test]
fn transport_when_descriptors_are_free_again_newcomers_enter() {
    let mut it = exhausted();
    it.serves_the_old();
    drop(std::mem::take(&mut it.strangers));
    // Somebody may still be turned away by one of several listeners.
    wait_for(|| (0..16).all(|_| enters(&it.server)));
    wait_for(|| it.server.descriptors() <= it.before + 1);
    it.serves_the_old();
    serves_others(&it.server);
}

fn enters(server: &Server) -> bool {
    let Some(mut connection) = server.connect_if_let() else {
        return false;
    };
    let handshake = Handshake::new("/echo").without("Sec-WebSocket-Protocol");
    connection.send(handshake.text().as_bytes());
    let response = connection.try_response();
    response.is_some_and(|response| response.status == 101)
}
