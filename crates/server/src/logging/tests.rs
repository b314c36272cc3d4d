//! Panics of a real server, which is a process of its own, as the hook is the process's.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Command, exit},
    sync::mpsc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use wardwire_admission::refusal::Refusal;
use wardwire_protocol::handshake;

use crate::{
    cli,
    config::{self, Config},
    http::{Site, SiteRequest},
    metrics,
    server::Server,
    service::Inherited,
    session::PANIC,
};

const CHILD: &str = "WARDWIRE_TEST_PANICS";
const NAME: &str = "logging::tests::a_panic_is_one_line_and_ends_one_connection";
const PATIENCE: Duration = Duration::from_secs(20);

/// The test is its own balancer, so that it can speak in the clear.
const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
hosts = ["localhost"]
threads = 1
origins = ["https://app.localhost"]
tls = { terminated_by = ["127.0.0.1"] }
[[route]]
path = "/echo"
kind = "echo"
anonymous = true
native_clients = true
[development]
without_issuer = true
"#;

/// A page with a fault.
struct Faulty;

impl Site for Faulty {
    fn respond(
        &self,
        _: &Server,
        request: &SiteRequest<'_>,
    ) -> Option<Result<Response<Bytes>, Refusal>> {
        match request.head.uri.path() {
            "/faulty" => panic!("before the 101\n\u{202e}{}", "x".repeat(1000)),
            "/token" => panic!("cut amid eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln"),
            _ => None,
        }
    }
}

struct Socket(TcpStream);

impl Socket {
    fn open(address: SocketAddr, path: &str) -> Self {
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let fields = [
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-Proto", "https"),
        ];
        let head = handshake::request_head("localhost", path, [7; 16], &fields);
        tcp.write_all(head.as_bytes()).unwrap();
        Self(tcp)
    }

    fn admitted(address: SocketAddr) -> Self {
        let mut socket = Self::open(address, "/echo");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.0.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"));
        socket
    }

    /// A short text, masked with nothing (RFC 6455 §5.3 takes any key).
    fn say(&mut self, text: &str) {
        let length = 0x80 | u8::try_from(text.len()).unwrap();
        let frame = [&[0x81, length, 0, 0, 0, 0], text.as_bytes()].concat();
        self.0.write_all(&frame).unwrap();
    }

    fn echoes(&mut self, text: &str) {
        self.say(text);
        let mut back = vec![0; 2 + text.len()];
        self.0.read_exact(&mut back).unwrap();
        assert_eq!(&back[2..], text.as_bytes());
    }

    /// What still comes until the other end hangs up.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest);
        rest
    }
}

/// The server, and those whom it serves. Never returns.
fn child() -> ! {
    super::start();
    let folder = env::temp_dir().join(format!("wardwire-panics-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let read = Config::parse(CONFIG, &folder.join("wardwire.toml"));
    let config = read.unwrap_or_else(|problems| panic!("{problems}"));
    let running = config::assemble(config, Vec::new(), Some(Box::new(Faulty))).unwrap();
    let server = running.server.clone();
    let (ready, listening) = mpsc::channel();
    thread::spawn(move || {
        cli::serve(running, Inherited::default(), &[], |address| {
            ready.send(address).unwrap();
        })
    });
    let address = listening.recv_timeout(PATIENCE).unwrap();
    let mut witness = Socket::admitted(address);
    for path in ["/faulty", "/token"] {
        assert_eq!(Socket::open(address, path).rest(), b"", "it is hung up on");
        witness.echoes("and the others live on");
    }
    let mut victim = Socket::admitted(address);
    victim.echoes("so far");
    victim.say(PANIC);
    victim.rest();
    witness.echoes("and the others live on");
    let newcomer = &mut Socket::admitted(address);
    newcomer.echoes("and new ones come");
    assert!(metrics::render(&server).contains("\nwardwire_panics_total 3\n"));
    server.audit.flush(PATIENCE);
    let log = fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    assert!(log.contains(r#""reason":"panic","code":1011"#), "{log}");
    fs::remove_dir_all(&folder).unwrap();
    exit(0)
}

fn command() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, "1")
        .env_remove("RUST_BACKTRACE")
        .env_remove("RUST_LIB_BACKTRACE")
        .env_remove("WARDWIRE_LOG");
    command
}

#[test]
fn a_panic_that_cannot_be_told_ends_no_more_than_its_connection() {
    // As a line for standard error, and past a filter that hides lines.
    for filter in ["info", "off"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let output = command()
            .env("WARDWIRE_LOG", filter)
            .stderr(full.unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{filter}: {output:?}");
    }
}

#[test]
fn a_panic_is_one_line_and_ends_one_connection() {
    if env::var_os(CHILD).is_some() {
        child();
    }
    let output = command().output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let lines = text.lines().map(|line| -> Value {
        serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    });
    let panics: Vec<Value> = lines
        .filter(|line| line["fields"]["message"] == "a panic")
        .collect();
    let said = |of: usize| panics[of]["fields"]["said"].as_str().unwrap();
    assert_eq!(panics.len(), 3, "{text}");
    assert!(
        said(0).starts_with(r"before the 101\n\u{202e}xxx"),
        "{text}"
    );
    assert_eq!(said(0).len(), 256);
    assert_eq!(said(1), "(holds a token)");
    assert_eq!(said(2), PANIC);
    for line in &panics {
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["fields"]["thread"], "shard-0");
        assert!(line["fields"]["backtrace"].is_null(), "nobody asked for it");
    }
    let place = panics[0]["fields"]["location"].as_str().unwrap();
    assert!(place.contains("logging/tests.rs:"), "{place}");
}
