//! What operators rely on.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Handshake, PATIENCE, Server, Setup};

fn wardwire(arguments: &[&str], folder: &std::path::Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn sigterm_tells_every_socket_and_ends_in_order() {
    let mut server = Server::start();
    let mut ws = server.socket("alice");
    server.terminate();
    ws.closes(1012, "restart");
    assert!(server.wait().success());
    let stop = server
        .audit()
        .into_iter()
        .find(|event| event["event"] == "stop")
        .unwrap();
    assert_eq!(stop["ended"], 1);
    let (whole, text) = wardwire(&["audit", "verify", "audit.jsonl"], &server.folder);
    assert!(whole, "{text}");
}

#[test]
fn the_echo_of_a_signal_takes_no_close_from_anybody() {
    let mut server = Server::start();
    let mut ws = server.socket("alice");
    server.terminate();
    server.terminate();
    ws.closes(1012, "restart");
    server.terminate();
    assert!(server.wait().success());
}

#[test]
fn sigterm_does_not_wait_for_ever() {
    let mut server = Server::start();
    let _silent = server.socket("alice");
    server.terminate();
    assert!(server.wait().success());
}

/// No shard is waited for that has been told to stop, which would cost every restart two seconds.
#[test]
fn shards_stop_when_they_are_told() {
    let mut server = Server::start();
    server.terminate();
    assert!(server.wait().success());
    let log = std::fs::read_to_string(server.folder.join("server.log")).unwrap();
    assert!(log.contains("draining"), "{log}");
    assert!(!log.contains("did not stop in time"), "{log}");
}

#[test]
fn an_edited_audit_log_is_found_out() {
    let server = Server::start();
    server.socket("alice");
    server.closed(1006, "dropped");
    let path = server.folder.join("audit.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let edited = server.folder.join("edited.jsonl");
    std::fs::write(&edited, text.replacen("alice", "nobody", 1)).unwrap();
    let (whole, text) = wardwire(&["audit", "verify", "edited.jsonl"], &server.folder);
    assert!(!whole && text.contains("edited.jsonl:2:"), "{text}");
}

/// Fills the disk so that the next event is cut after ten bytes, and has one written.
fn cut_the_log(server: &Server) {
    let size = std::fs::metadata(server.folder.join("audit.jsonl"))
        .unwrap()
        .len();
    server.limit_files(Some(size + 10));
    let mut connection = server.connect();
    connection.send(Handshake::new("/native").text().as_bytes());
    connection.response();
    ready(server, 503);
}

/// Waits until the server says this of itself.
fn ready(server: &Server, status: u16) {
    let begun = Instant::now();
    while server.admin_raw("GET", "/health/ready", "", "").status != status {
        assert!(begun.elapsed() < PATIENCE, "never {status}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_full_disk_lets_nobody_new_in_and_loses_no_event() {
    let server = Server::start();
    let mut alice = server.socket("alice");
    server.audited(|event| event["event"] == "admission");
    cut_the_log(&server);
    let token = server.issuer.token("bob").mint();
    let mut connection = server.connect();
    connection.send(Handshake::new("/native").bearer(&token).text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 503);
    assert!(!response.body.contains("audit"), "{}", response.body);
    assert_eq!(server.metric("wardwire_audit_healthy"), 0);
    alice.ok("ping", json!({}));
    server.limit_files(None);
    ready(&server, 200);
    server.socket("bob");
    server.refused("credential-missing");
    server.refused("audit-unavailable");
    let (whole, text) = wardwire(&["audit", "verify", "audit.jsonl"], &server.folder);
    assert!(whole && !text.contains("torn"), "{text}");
}

#[test]
fn sigterm_does_not_wait_for_a_full_disk() {
    let mut server = Server::start();
    cut_the_log(&server);
    server.terminate();
    assert!(server.wait().success());
}

#[test]
fn a_line_torn_by_a_crash_is_owned_up_to_at_the_next_start() {
    let mut server = Server::start();
    server.socket("alice");
    server.closed(1006, "dropped");
    cut_the_log(&server);
    server.kill();
    let verify = |server: &Server| wardwire(&["audit", "verify", "audit.jsonl"], &server.folder);
    let (whole, text) = verify(&server);
    assert!(!whole && text.contains("was cut short"), "{text}");
    let mut setup = Setup::new();
    setup.folder.clone_from(&server.folder);
    let again = setup.start();
    let torn = again.folder.join("audit.jsonl");
    let begun = Instant::now();
    while !std::fs::read_to_string(&torn).unwrap().contains("\"torn\"") {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    let (whole, text) = verify(&again);
    assert!(whole && text.contains("1 torn by a crash"), "{text}");
}

#[test]
fn every_admission_and_close_is_written_down() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    let admission = server.audited(|event| event["event"] == "admission");
    assert_eq!(admission["subject"], "alice");
    assert_eq!(admission["issuer"], "https://id.test");
    assert_eq!(admission["path"], "/native");
    ws.send(0x88, &4001_u16.to_be_bytes());
    ws.connection.rest();
    let close = server.audited(|event| event["event"] == "close");
    assert_eq!(close["code"], 4001);
    assert_eq!(close["connection"], admission["connection"]);
}

#[test]
fn a_trace_of_the_clients_own_is_written_beside_its_attempt() {
    let server = Server::start();
    let handshake = Handshake::new("/native").set(
        "Sec-WebSocket-Protocol",
        "wardwire.v1, wardwire.trace.attempt-42",
    );
    let mut connection = server.connect();
    connection.send(handshake.text().as_bytes());
    assert_eq!(connection.response().status, 401);
    let event = server.audited(|event| event["trace"] == "attempt-42");
    assert_eq!(event["reason"], "credential-missing");
}

#[test]
fn metrics_count_what_happened() {
    let server = Server::start();
    let mut ws = server.socket("alice");
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    ws.ok("publish", json!({ "channel": "chat/lobby", "data": 1 }));
    assert_eq!(server.metric("wardwire_admissions_total"), 1);
    assert_eq!(server.metric("wardwire_sockets_open"), 1);
    assert_eq!(server.metric("wardwire_publications_total"), 1);
    assert_eq!(server.metric("wardwire_audit_healthy"), 1);
}

#[test]
fn close_codes_of_a_peers_choice_are_one_label() {
    let server = Server::start();
    for code in [1001_u16, 3001, 3456, 3999, 4000, 4999] {
        let mut ws = server.socket("alice");
        ws.send(0x88, &code.to_be_bytes());
        assert_eq!(ws.closed().0, code);
        server.audited(|event| event["event"] == "close" && event["code"] == code);
    }
    assert_eq!(server.metric("wardwire_closes_total{code=\"4000\"}"), 5);
    let all = server.admin("GET", "/metrics", "").body;
    let codes: Vec<&str> = all
        .lines()
        .filter_map(|line| {
            line.strip_prefix("wardwire_closes_total{code=\"")?
                .split('"')
                .next()
        })
        .collect();
    assert_eq!(codes, ["1001", "4000"]);
}

#[test]
fn check_names_every_problem_at_once_with_its_line() {
    let setup = Setup::new();
    let config = setup
        .config()
        .replace("origins", "orgins")
        .replace("audience = \"wardwire\"", "audience = \"\"")
        .replace("path = \"/mfa\"", "path = \"mfa\"");
    std::fs::write(setup.folder.join("bad.toml"), config).unwrap();
    let (good, text) = wardwire(&["check", "--config", "bad.toml"], &setup.folder);
    assert!(!good);
    assert!(
        text.contains("bad.toml:3:1: [server] has no key `orgins`\n    Did you mean `origins`?"),
        "{text}"
    );
}

#[test]
fn serve_refuses_what_check_refuses() {
    let setup = Setup::new();
    let config = setup.config().replace("tls =", "# tls =");
    std::fs::write(setup.folder.join("bad.toml"), config).unwrap();
    let (good, text) = wardwire(&["serve", "--config", "bad.toml"], &setup.folder);
    assert!(
        !good && text.contains("nothing is ever served without TLS"),
        "{text}"
    );
}

#[test]
fn a_minted_token_opens_a_socket() {
    let mut setup = Setup::new();
    let (good, text) = wardwire(&["token", "--new-key", "--key", "dev.pem"], &setup.folder);
    assert!(good, "{text}");
    setup.issuers = "[[issuer]]\nissuer = \"https://dev.test\"\naudience = \"wardwire\"\njwks_file = \"dev.pem.jwks.json\"\n".into();
    let server = setup.start();
    let arguments = [
        "token",
        "--key",
        "dev.pem",
        "--issuer",
        "https://dev.test",
        "--audience",
        "wardwire",
        "--subject",
        "dev",
        "--claim",
        "rooms=[\"lobby\"]",
    ];
    let (good, token) = wardwire(&arguments, &server.folder);
    assert!(good, "{token}");
    let mut ws = server.open(Handshake::new("/native").bearer(token.trim()));
    ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
}
