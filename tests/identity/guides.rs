//! What the guides have in code does what they say.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
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

/// Runs it, from where the packages are found, on a port that it says.
fn run(setup: &Setup, code: &str) -> (Backend, u16) {
    let name = setup.folder.file_name().unwrap();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(name)
        .with_extension("mjs");
    fs::write(&file, code).unwrap();
    let mut child = Command::new("node")
        .arg(&file)
        .env("PORT", "0")
        .env("KEY", setup.folder.join("local.pem"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let stdout = child.stdout.take().unwrap();
    let backend = Backend(child);
    BufReader::new(stdout).read_line(&mut said).unwrap();
    (backend, said.trim().parse().unwrap())
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

#[test]
fn the_backend_of_the_guide_to_own_jwts_signs_tokens_that_open_sockets() {
    let mut setup = Setup::new();
    let made = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(["token", "--new-key", "--key", "local.pem"])
        .current_dir(&setup.folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let (_backend, port) = run(&setup, &block("own-jwts.md", "js"));
    setup.issuers = block("own-jwts.md", "toml");
    let server = setup.start();
    let refused = post(port, "/token", "");
    assert_eq!(refused.status, 401);
    let got = post(port, "/token", "Authorization: Basic YWxpY2U6c2VjcmV0\r\n");
    let token = got.json()["token"].as_str().unwrap().to_owned();
    let mut alice = server.open(Handshake::new("/native").bearer(&token));
    alice.ok("publish", json!({ "channel": "chat/lobby", "data": "hi" }));
    let body = json!({ "issuer": "https://app.example.com", "session": "s1" }).to_string();
    server.admin("POST", "/revocations", &body);
    alice.closes(3000, "revoked");
}
