//! The audit log as evidence: what a real server leaves behind, and what `wardwire audit` says of it.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{Handshake, PATIENCE, Server, Setup, secret};

fn wardwire(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// What is said of a log that is whole.
fn whole(folder: &Path, more: &[&str]) -> String {
    let arguments = [
        &["audit", "verify", "log", "--public-key", "audit.key.pub"],
        more,
    ]
    .concat();
    let (code, text) = wardwire(folder, &arguments);
    assert_eq!(code, Some(0), "{text}");
    text
}

/// What is said of one that is not.
fn fault(folder: &Path, more: &[&str]) -> String {
    let arguments = [
        &["audit", "verify", "log", "--public-key", "audit.key.pub"],
        more,
    ]
    .concat();
    let (code, text) = wardwire(folder, &arguments);
    assert_eq!(code, Some(1), "{text}");
    text
}

/// Small segments in a folder of their own, signed.
fn signed(more: &str) -> Setup {
    let mut setup = Setup::new();
    fs::create_dir(setup.folder.join("log")).unwrap();
    let (code, text) = wardwire(&setup.folder, &["audit", "key", "--out", "audit.key"]);
    assert_eq!(code, Some(0), "{text}");
    setup.rest += &format!(
        "[audit]\nfile = \"log/audit.jsonl\"\nsigning_key = \"audit.key\"\nrotate = {{ size = \"16KiB\" }}\n{more}"
    );
    setup
}

/// The same folder, once more.
fn again(server: &Server) -> Setup {
    let mut setup = Setup::new();
    let fresh = setup.folder.clone();
    setup.folder.clone_from(&server.folder);
    fs::remove_dir_all(fresh).unwrap();
    let config = fs::read_to_string(server.folder.join("wardwire.toml")).unwrap();
    let (_, audit) = config.split_once("[audit]\n").unwrap();
    setup.rest += &format!("[audit]\n{audit}");
    setup
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "jsonl"))
        .collect();
    found.sort_unstable();
    found
}

/// Opens and drops sockets, two lines each, until there are so many files.
fn fill(server: &Server, files: usize) {
    let begun = Instant::now();
    while segments(&server.folder).len() < files {
        server.echo();
        assert!(begun.elapsed() < PATIENCE * 3, "it never rotates");
    }
}

fn stop(server: &mut Server) {
    server.terminate();
    assert!(server.wait().success());
}

fn ready(server: &Server, status: u16) {
    let begun = Instant::now();
    while server.admin_raw("GET", "/health/ready", "", "").status != status {
        assert!(begun.elapsed() < PATIENCE, "never {status}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_server_that_stopped_leaves_a_log_that_is_signed_to_its_last_line() {
    let mut server = signed("").start();
    fill(&server, 4);
    let running = whole(&server.folder, &[]);
    assert!(running.contains("does not end with a stop"), "{running}");
    stop(&mut server);
    let text = whole(&server.folder, &["--stopped"]);
    assert!(
        text.contains("0 lines behind it are not signed yet"),
        "{text}"
    );
    let (_, head) = text.rsplit_once("ends with ").unwrap();
    // What was noted elsewhere finds the end that is cut off.
    let last = segments(&server.folder).pop().unwrap();
    let log = fs::read_to_string(&last).unwrap();
    let cut = log.lines().count() - 3;
    let shorter: String = log.split_inclusive('\n').take(cut).collect();
    fs::write(&last, shorter).unwrap();
    let text = fault(&server.folder, &["--head", head.trim()]);
    assert!(text.contains("the end was cut off"), "{text}");
    assert!(text.contains(&format!("audit.jsonl:{cut}: seq ")), "{text}");
    let text = fault(&server.folder, &["--stopped"]);
    assert!(text.contains("not the head of a stop"), "{text}");
}

#[test]
fn an_edit_and_a_missing_segment_are_named_with_file_line_and_number() {
    let mut server = signed("").start();
    fill(&server, 4);
    stop(&mut server);
    let files = segments(&server.folder);
    let good = fs::read_to_string(&files[1]).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let third: Value = serde_json::from_str(lines[2]).unwrap();
    fs::write(
        &files[1],
        good.replacen(lines[2], &lines[2].replacen("127.0.0.1", "127.0.0.2", 1), 1),
    )
    .unwrap();
    let name = files[1].file_name().unwrap().to_str().unwrap();
    let text = fault(&server.folder, &[]);
    let place = format!("{name}:3: seq {}: its hash", third["seq"]);
    assert!(text.contains(&place), "{text}");
    fs::remove_file(&files[1]).unwrap();
    let text = fault(&server.folder, &[]);
    let next = files[2].file_name().unwrap().to_str().unwrap();
    assert!(text.contains(&format!("{next}:1: seq ")), "{text}");
    assert!(text.contains("is missing"), "{text}");
}

#[test]
fn what_kills_a_server_while_it_rotates_breaks_no_chain() {
    let mut server = signed("").start();
    for _ in 0..8 {
        let before = segments(&server.folder);
        let folder = server.folder.clone();
        // Killed as soon as the folder shows that a rotation is under way.
        let watcher = thread::spawn(move || {
            let begun = Instant::now();
            while segments(&folder) == before {
                assert!(begun.elapsed() < PATIENCE * 3, "it never rotates");
            }
        });
        while !watcher.is_finished() {
            server.echo();
        }
        watcher.join().unwrap();
        server.kill();
        let next = again(&server).start();
        // Its folder is the next one's now.
        std::mem::forget(std::mem::replace(&mut server, next));
    }
    stop(&mut server);
    let text = whole(&server.folder, &["--stopped"]);
    let found = text
        .matches("the server before did not stop in order")
        .count();
    assert_eq!(found, 8, "{text}");
}

#[test]
fn a_segment_that_cannot_be_begun_lets_nobody_new_in() {
    let mut server = signed("").start();
    let (log, away) = (server.folder.join("log"), server.folder.join("away"));
    fs::rename(&log, &away).unwrap();
    let begun = Instant::now();
    loop {
        let mut connection = server.connect();
        connection.send(
            Handshake::new("/echo")
                .without("Sec-WebSocket-Protocol")
                .text()
                .as_bytes(),
        );
        if connection.response().status == 503 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE * 3, "everybody is let in");
    }
    assert_eq!(server.metric("wardwire_audit_healthy"), 0);
    fs::rename(&away, &log).unwrap();
    ready(&server, 200);
    server.echo();
    stop(&mut server);
    whole(&server.folder, &["--stopped"]);
}

#[test]
fn the_oldest_segments_go_and_the_log_says_so() {
    let mut server = signed("keep = 2\n").start();
    let begun = Instant::now();
    let oldest = || segments(&server.folder).remove(0);
    let first = loop {
        server.echo();
        if segments(&server.folder).len() == 3 {
            break oldest();
        }
        assert!(begun.elapsed() < PATIENCE * 3);
    };
    while oldest() == first {
        server.echo();
        assert!(begun.elapsed() < PATIENCE * 3);
    }
    stop(&mut server);
    let text = whole(&server.folder, &["--stopped"]);
    assert!(
        text.contains("what was before was deleted as configured"),
        "{text}"
    );
}

#[test]
fn lines_are_shipped_to_a_socket_and_to_a_descriptor() {
    let mut setup = signed("ship = \"syslog:SOCKET\"\nship_required = true\n");
    let place = setup.folder.join("collector");
    let socket = UnixDatagram::bind(&place).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    setup.rest = setup.rest.replace("SOCKET", place.to_str().unwrap());
    let mut server = setup.start();
    let mut buffer = [0; 8192];
    let size = socket.recv(&mut buffer).unwrap();
    let message = String::from_utf8_lossy(&buffer[..size]).into_owned();
    assert!(
        message.starts_with("<110>1 ") && message.contains(" wardwire "),
        "{message}"
    );
    assert!(message.contains("\"event\":\"start\""), "{message}");
    assert_eq!(server.metric("wardwire_audit_shipping"), 1);
    assert_eq!(server.metric("wardwire_audit_unshipped_total"), 0);
    stop(&mut server);

    let mut setup = signed("ship = \"fd:3\"\n");
    let copy = setup.folder.join("copy.jsonl");
    setup.handed = format!("3>>{}", copy.display());
    let mut server = setup.start();
    server.echo();
    stop(&mut server);
    let shipped = fs::read_to_string(copy).unwrap();
    assert_eq!(
        shipped,
        fs::read_to_string(server.folder.join("log/audit.jsonl")).unwrap()
    );
}

#[test]
fn a_collector_that_is_away_closes_the_door_only_where_that_is_asked_for() {
    for (required, status) in [(true, 503), (false, 200)] {
        let setup = signed(&format!(
            "ship = \"syslog:/nowhere/log\"\nship_required = {required}\n"
        ));
        let server = setup.start();
        server.until_metric("wardwire_audit_shipping", 0);
        ready(&server, status);
    }
}

#[test]
fn a_server_without_the_descriptor_it_ships_to_does_not_start() {
    let setup = signed("ship = \"fd:9\"\n");
    let config = setup.config();
    fs::write(setup.folder.join("wardwire.toml"), config).unwrap();
    secret(&setup.folder.join("admin.token"), &"t".repeat(32));
    let (code, text) = wardwire(&setup.folder, &["serve"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("descriptor 9 was not handed down"), "{text}");
}

#[test]
fn a_key_is_made_once_and_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::new();
    let make = || wardwire(&setup.folder, &["audit", "key", "--out", "audit.key"]);
    let (code, text) = make();
    assert_eq!(code, Some(0));
    let public = fs::read_to_string(setup.folder.join("audit.key.pub")).unwrap();
    assert!(text.contains(&public), "{text}");
    let private = setup.folder.join("audit.key");
    let mode = fs::metadata(&private).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = fs::read(&private).unwrap();
    for gone in ["audit.key", "audit.key.pub"] {
        let (code, text) = make();
        assert_eq!(code, Some(1), "{text}");
        assert_eq!(fs::read(&private).unwrap(), kept);
        if gone == "audit.key.pub" {
            break;
        }
    }
}

/// The example of the documentation, as it stands there.
#[test]
fn other_tools_come_to_the_same_verdict_as_the_documentation_shows() {
    let mut server = signed("").start();
    fill(&server, 3);
    stop(&mut server);
    let document = include_str!("../docs/operations/audit.md");
    let (_, script) = document.split_once("```python\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    fs::write(server.folder.join("verify.py"), script).unwrap();
    let run = || {
        let mut command = Command::new("python3");
        command
            .arg("verify.py")
            .arg("audit.key.pub")
            .args(segments(&server.folder));
        let output = command.current_dir(&server.folder).output().unwrap();
        (
            output.status.success(),
            String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
        )
    };
    let (good, text) = run();
    assert!(good, "{text}");
    let last = segments(&server.folder).pop().unwrap();
    let log = fs::read_to_string(&last).unwrap();
    fs::write(&last, log.replacen("127.0.0.1", "127.0.0.2", 1)).unwrap();
    let (good, text) = run();
    assert!(!good, "{text}");
}

#[test]
fn addresses_are_written_whole_or_as_their_network_wherever_they_are() {
    for (more, expected) in [
        ("", "127.0.0.77"),
        ("addresses = \"shortened\"\n", "127.0.0.0"),
    ] {
        let mut setup = Setup::new();
        let audit = format!("[audit]\n{more}");
        setup.issuers = format!("{audit}{}", setup.issuers);
        let server = setup.start();
        let tcp = crate::harness::tcp_from([127, 0, 0, 77], server.address);
        let mut connection =
            crate::harness::Connection::through(tcp, crate::harness::tls(&server), "localhost");
        connection.send(crate::harness::Handshake::new("/live").text().as_bytes());
        assert_eq!(connection.response().status, 403);
        let refusal = server.audited(|event| event["event"] == "refusal");
        assert_eq!(refusal["peer"], expected);
        let text = std::fs::read_to_string(server.folder.join("audit.jsonl")).unwrap();
        assert_eq!(text.contains("127.0.0.77"), more.is_empty(), "{text}");
    }
}
