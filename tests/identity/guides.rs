//! What the guides have in code does what they say.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    attacks::refused,
    harness::{Connection, Handshake, ORIGIN, Response, Setup},
};

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The first block of a guide that is in this language.
fn block(guide: &str, language: &str) -> String {
    let text = fs::read_to_string(root().join("docs/identity").join(guide)).unwrap();
    let (_, after) = text.split_once(&format!("```{language}\n")).unwrap();
    after.split_once("```").unwrap().0.to_owned()
}

/// Ends with the test.
struct Backend(Child);

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it on a port of its own.
fn run(setup: &Setup, code: &str) -> (Backend, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port.local_addr().unwrap().port();
    let file = setup.folder.join("backend.mjs");
    fs::write(&file, code).unwrap();
    let child = Command::new("node")
        .arg(&file)
        .env("PORT", port.to_string())
        .spawn();
    let backend = Backend(child.unwrap());
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "it does not listen"
        );
    }
    (backend, port)
}

fn post(port: u16, path: &str, fields: &str) -> Response {
    let mut connection = Connection::plain(([127, 0, 0, 1], port).into());
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 0\r\n\r\n");
    connection.send(request.as_bytes());
    connection.response()
}

#[test]
fn the_backend_of_the_guide_to_cookie_sessions_opens_and_ends_sockets() {
    let mut setup = Setup::new();
    let (_backend, port) = run(&setup, &block("cookie-sessions.md", "js"));
    let config = block("cookie-sessions.md", "toml");
    let (asked, _) = config.split_once("[outbound]").unwrap();
    let asked = asked.replace(":3000", &format!(":{port}"));
    setup.issuers = format!("{asked}recheck = \"1s\"\ncache = \"0s\"\n");
    let server = setup.start();
    let set = post(port, "/login", "").header("set-cookie").to_owned();
    let cookie = set.split(';').next().unwrap();
    let page = Handshake::new("/live")
        .origin(ORIGIN)
        .with("Cookie", cookie);
    let mut alice = server.open(page.clone());
    alice.ok("publish", json!({ "channel": "chat/lobby", "data": "hi" }));
    let invented = Handshake::new("/live")
        .origin(ORIGIN)
        .with("Cookie", "sid=x");
    refused(&server, &invented, 401, "session-unknown");
    post(port, "/logout", &format!("Cookie: {cookie}\r\n"));
    alice.closes(3000, "revoked");
    refused(&server, &page, 401, "session-unknown");
}
