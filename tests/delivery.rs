//! Whom a publication is brought to, and what of it reaches those who read slowly.

use std::io::{self, Read, Write};

use serde_json::json;

use crate::harness::{
    Connection, Handshake, Opening, Server, Setup, Ws,
    raw_http2::{CONNECT, DATA, Raw, SETTINGS, WINDOW_UPDATE},
};

const LOBBY: &str = "chat/lobby";

#[test]
fn who_publishes_without_echo_hears_of_everything_but_that() {
    let server = Server::start();
    let mut alice = server.socket("alice");
    let mut others = [server.socket("alice"), server.socket("bob")];
    for ws in std::iter::once(&mut alice).chain(&mut others) {
        ws.ok("subscribe", json!({ "channel": LOBBY }));
    }
    let publish =
        |data: &str, no_echo: bool| json!({ "channel": LOBBY, "data": data, "noEcho": no_echo });
    let own = alice.ok("publish", publish("quiet", true));
    let loud = alice.ok("publish", publish("loud", false));
    for ws in &mut others {
        for (data, answer) in [("quiet", &own), ("loud", &loud)] {
            let heard = ws.json()["params"].take();
            assert_eq!(heard["data"], data, "others, the same user's too");
            assert_eq!(heard["position"], answer["position"]);
        }
    }
    let next = alice.json()["params"].take();
    assert_eq!(next["data"], "loud", "what is published with an echo");
    // One behind the other: who adds the position of its answer has no gap.
    let offset = |position: &serde_json::Value| {
        let text = position.as_str().unwrap().split_once(':').unwrap().1;
        text.parse::<u64>().unwrap()
    };
    assert_eq!(offset(&next["position"]), offset(&own["position"]) + 1);
}

#[test]
fn echo_is_asked_for_with_true_or_false() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    for not in [json!(1), json!("true"), json!(null)] {
        let params = json!({ "channel": LOBBY, "data": 1, "noEcho": not });
        ws.fails("publish", params, -32602);
    }
}

/// Publications of 50 kB: together more than a kernel holds for who does not read.
const MANY: usize = 120;

/// Room in the outbox for all of them.
fn roomy(more: &str) -> Setup {
    let mut setup = Setup::new();
    setup.rest.insert_str(0, more);
    setup.limits("outbox = \"16MiB\"\nmessages_per_second = 0\nidentity_messages = 1000000\n")
}

/// Somebody for whom the kernel holds little.
fn narrow(server: &Server) -> Ws {
    let token = server.issuer.token("slow").mint();
    let handshake = Handshake::new("/native").bearer(&token);
    Opening::new(handshake).window(4096).on(server).ws
}

fn publish_many(server: &Server) {
    let mut publisher = server.socket("alice");
    let pad = "x".repeat(50_000);
    for n in 0..MANY {
        let data = json!({ "n": n, "pad": pad });
        publisher.ok("publish", json!({ "channel": LOBBY, "data": data }));
    }
}

/// A stream of a connection of which nothing is read until it is asked for. Windows are wide: what is full is TCP.
struct Lane {
    raw: Raw,
    rest: Vec<u8>,
}

impl Lane {
    fn open(server: &Server) -> Ws {
        let mut raw = Raw::connect(server);
        let wide = (16_u32 * 1024 * 1024).to_be_bytes();
        // SETTINGS_INITIAL_WINDOW_SIZE, and the connection's own.
        raw.send(SETTINGS, 0, 0, &[&[0, 4][..], &wide].concat());
        raw.send(WINDOW_UPDATE, 0, 0, &wide);
        let bearer = format!("Bearer {}", server.issuer.token("slow").mint());
        let mut fields = CONNECT.to_vec();
        fields.retain(|(name, _)| *name != ":path");
        fields.insert(3, (":path", "/native"));
        fields.push(("sec-websocket-protocol", "wardwire.v1"));
        fields.push(("authorization", &bearer));
        raw.request(1, 0, &fields);
        assert_eq!(raw.next_of(1).status(), 200);
        let rest = Vec::new();
        Ws::new(Connection::on(Self { raw, rest }))
    }
}

impl Read for Lane {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            self.rest = self.raw.next_of(1).payload;
        }
        let count = to.len().min(self.rest.len());
        to[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

impl Write for Lane {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self.raw.send(DATA, 0, 1, from) {
            true => Ok(from.len()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gets_all_that_waited(server: &Server, mut slow: Ws) {
    slow.ok("subscribe", json!({ "channel": LOBBY }));
    publish_many(server);
    for n in 0..MANY {
        assert_eq!(slow.json()["params"]["data"]["n"], n);
    }
    slow.ok("ping", json!({}));
}

#[test]
fn who_reads_late_gets_all_that_waited() {
    let server = roomy("").start();
    gets_all_that_waited(&server, narrow(&server));
}

#[test]
fn who_reads_a_connection_of_http_2_late_gets_all_that_waited() {
    let server = roomy("[http2]\nwebsockets = true\n").start();
    gets_all_that_waited(&server, Lane::open(&server));
}

crate::harness::over_http2![
    who_publishes_without_echo_hears_of_everything_but_that,
    echo_is_asked_for_with_true_or_false,
];
