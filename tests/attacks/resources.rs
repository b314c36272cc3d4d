use std::time::Instant;

use serde_json::json;

use super::refused;
use crate::harness::{Connection, Handshake, Over, PATIENCE, Setup};

#[test]
fn attack_056_a_peer_that_never_answers_a_ping() {
    let server = Setup::new()
        .limits("ping = \"200ms\"\npong = \"300ms\"\n")
        .start();
    let mut silent = server.echo();
    let ping = silent.frame().unwrap();
    assert_eq!(ping.first, 0x89);
    assert_eq!(silent.closed(), (3008, "idle".into()));
    assert_eq!(silent.connection.rest(), 0);
    server.closed(3008, "idle");
}

#[test]
fn attack_056_a_peer_that_answers_lives_on() {
    let server = Setup::new()
        .limits("ping = \"200ms\"\npong = \"5s\"\n")
        .start();
    let mut alive = server.echo();
    for _ in 0..4 {
        let ping = alive.frame().unwrap();
        assert_eq!(ping.first, 0x89);
        alive.send(0x8A, &ping.payload);
    }
    alive.text("hi");
    assert_eq!(alive.next().unwrap().payload, b"hi");
}

#[test]
fn attack_057_a_reader_that_stops_reading() {
    let limits = "outbox = \"256KiB\"\nmessages_per_second = 0\nconnections_per_subject = 1000\n";
    let server = Setup::new().limits(limits).start();
    let mut slow = server.socket("slow");
    slow.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let mut publisher = server.socket("alice");
    let mut quick = server.socket("bob");
    quick.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let before = server.memory();
    let data = "x".repeat(50_000);
    let begun = Instant::now();
    // More than the kernel's buffers and the outbox hold together.
    while server.audit().iter().all(|event| event["reason"] != "slow") {
        publisher.ok("publish", json!({ "channel": "chat/lobby", "data": data }));
        assert_eq!(
            quick.json()["params"]["from"],
            "alice",
            "others are not held up"
        );
        assert!(begun.elapsed() < PATIENCE, "never too slow");
    }
    server.closed(1013, "slow");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 48 * 1024 * 1024, "{grown} bytes");
}

#[test]
fn attack_058_subscriptions_without_number() {
    let limits = "subscriptions = 10\nmessages_per_second = 0\n";
    let server = Setup::new().limits(limits).start();
    let mut ws = server.socket("mallory");
    for n in 0..10 {
        ws.ok("subscribe", json!({ "channel": format!("free/{n}") }));
    }
    ws.fails("subscribe", json!({ "channel": "free/11" }), -32003);
    ws.fails(
        "subscribe",
        json!({ "channel": "x".repeat(10_240) }),
        -32005,
    );
    for n in 0..30 {
        ws.text(&json!({ "jsonrpc": "2.0", "id": n, "method": "subscribe", "params": { "channel": "nowhere" } }).to_string());
    }
    ws.text(r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#);
    assert_eq!(ws.closed(), (1008, "errors".into()));
}

#[test]
fn attack_058_few_channels_are_not_all_for_one_user() {
    let server = Setup::new().limits("channels = 4\n").start();
    let free = |n: usize| json!({ "channel": format!("free/{n}") });
    let mut tabs = [server.socket("mallory"), server.socket("mallory")];
    for (n, tab) in tabs.iter_mut().enumerate() {
        tab.ok("subscribe", free(n));
    }
    tabs[0].fails("subscribe", free(2), -32003);
    let mut bob = server.socket("bob");
    for n in 0..4 {
        bob.ok("subscribe", free(n));
    }
    bob.fails("subscribe", free(5), -32003);
}

#[test]
fn attack_060_too_many_of_one_subject() {
    let server = Setup::new().limits("connections_per_subject = 2\n").start();
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/native").bearer(&token);
    let first = server.open(handshake.clone());
    let _second = server.open(handshake.clone());
    let response = refused(&server, &handshake, 429, "too-many-of-subject");
    assert!(response.header("retry-after").parse::<u32>().unwrap() > 0);
    server.socket("bob");
    drop(first);
    server.closed(1006, "dropped");
    server.open(handshake);
}

#[test]
fn attack_060_too_many_of_one_address() {
    let server = Setup::new()
        .limits(&format!(
            "connections_per_ip = {}\n",
            3 * Over::chosen().places()
        ))
        .start();
    let held: Vec<_> = (0..3).map(|_| server.echo()).collect();
    let response = refused(
        &server,
        &Handshake::new("/echo"),
        429,
        "too-many-from-address",
    );
    assert!(response.header("retry-after").parse::<u32>().unwrap() > 0);
    drop(held);
    server.closed(1006, "dropped");
}

#[test]
fn attack_061_a_pool_full_of_those_who_never_ask() {
    let server = Setup::new()
        .limits("unadmitted = 40\nconnections_per_ip = 10000\n")
        .start();
    let mut admitted = server.socket("alice");
    // One address has at most half of the pool, so that is full for it now.
    let silent: Vec<_> = (0..20).map(|_| Connection::plain(server.address)).collect();
    // Each core accepts for itself, so that one who comes later may be let in first.
    server.until_metric("wardwire_connections_unadmitted", 20);
    refused(&server, &Handshake::new("/echo"), 503, "pool-full");
    admitted.ok("ping", json!({}));
    // Far more than can even be told so.
    let before = server.memory();
    let crowd: Vec<_> = (0..3000)
        .map(|_| Connection::plain(server.address))
        .collect();
    admitted.ok("ping", json!({}));
    let waiting = server.metric("wardwire_connections_unadmitted");
    assert!(waiting <= 50, "{waiting} wait");
    let dropped = server.metric("wardwire_connections_dropped_total");
    assert!(dropped > 0);
    let single = server.audited(|event| event["event"] == "drop");
    assert_eq!(single["reason"], "pool-full");
    assert_eq!(single["peer"], "127.0.0.1");
    server.audited(|event| event["event"] == "drops" && event["reason"] == "pool-full");
    let written = server.audit().into_iter();
    assert!(written.filter(|event| event["event"] == "drop").count() < 200);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 16 * 1024 * 1024, "{grown} bytes");
    drop((silent, crowd));
    loop {
        let mut connection = server.connect_if_let();
        let open = connection.as_mut().and_then(|connection| {
            connection.send(Handshake::new("/echo").text().as_bytes());
            connection.try_response()
        });
        if open.is_some_and(|response| response.status == 101) {
            break;
        }
    }
}

crate::harness::over_http2![
    attack_056_a_peer_that_never_answers_a_ping,
    attack_056_a_peer_that_answers_lives_on,
    attack_057_a_reader_that_stops_reading,
    attack_058_subscriptions_without_number,
    attack_058_few_channels_are_not_all_for_one_user,
    attack_060_too_many_of_one_subject,
    attack_060_too_many_of_one_address,
    attack_061_a_pool_full_of_those_who_never_ask,
];
