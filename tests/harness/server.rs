//! The server under test: a process with a folder, a certificate and a configuration of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;

use super::{Balancer, Behind, Connection, Handshake, Issuer, Over, Ws};

/// What a server is started with.
pub(crate) struct Setup {
    pub(crate) folder: PathBuf,
    pub(crate) issuer: Issuer,
    /// Lines under `[server]`.
    pub(crate) server: String,
    /// Lines under `[limits]`.
    pub(crate) limits: String,
    /// The `[[issuer]]` tables.
    pub(crate) issuers: String,
    /// Everything else: routes, channels.
    pub(crate) rest: String,
    /// What a service manager would set.
    pub(crate) environment: Vec<(String, String)>,
    /// Sockets that it would have opened: none, one or two.
    pub(crate) sockets: Vec<OwnedFd>,
    /// Redirections of the shell that starts it, for descriptors that are handed down.
    pub(crate) handed: String,
}

/// A running server. Dropping it ends the process.
pub(crate) struct Server {
    pub(super) child: Child,
    pub(crate) folder: PathBuf,
    pub(crate) issuer: Issuer,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// Where client certificates are demanded, if anywhere.
    pub(crate) mutual: Option<SocketAddr>,
    /// The plain port, where there is one.
    pub(crate) redirect: Option<SocketAddr>,
    pub(crate) admin_token: String,
    /// What stands before it; `address` is its.
    pub(crate) behind: Option<(Behind, Balancer)>,
    /// Which HTTP its clients speak.
    pub(crate) over: Over,
}

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

const ADMIN_TOKEN: &str = "0123456789abcdef0123456789abcdef";

const REST: &str = r#"
[[route]]
path = "/live"
[[route]]
path = "/native"
native_clients = true
[[route]]
path = "/echo"
kind = "echo"
anonymous = true
native_clients = true
limits = { messages_per_second = 0 }
[[route]]
path = "/mfa"
native_clients = true
require = { acr = "mfa", max_age = "1h" }
[[channel]]
name = "chat/{room}"
subscribe = { claim = "rooms", contains = "{room}" }
publish = { claim = "rooms", contains = "{room}" }
history = { size = 100, ttl = "1h" }
[[channel]]
name = "news"
subscribe = "authenticated"
[[channel]]
name = "free/{any}"
subscribe = "authenticated"
publish = "authenticated"
"#;

impl Setup {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("wardwire-test-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        // A process of this number may have left one behind.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        certificates(&folder);
        let issuer = Issuer::new("https://id.test");
        fs::write(folder.join("jwks.json"), issuer.jwks().to_string()).unwrap();
        let issuers = "[[issuer]]\nissuer = \"https://id.test\"\naudience = \"wardwire\"\njwks_file = \"jwks.json\"\n";
        Self {
            folder,
            issuer,
            server: String::new(),
            limits: "connections_per_ip = 10000\n".into(),
            issuers: issuers.into(),
            rest: REST.into(),
            environment: Vec::new(),
            sockets: Vec::new(),
            handed: String::new(),
        }
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Passes a socket on as a service manager does.
    pub(crate) fn socket(mut self, socket: impl Into<OwnedFd>) -> Self {
        self.sockets.push(socket.into());
        self
    }

    /// Adds lines under `[server]`.
    pub(crate) fn server(mut self, lines: &str) -> Self {
        self.server = lines.into();
        self
    }

    pub(crate) fn limits(mut self, lines: &str) -> Self {
        self.limits = lines.into();
        self
    }

    /// The configuration as a text.
    pub(crate) fn config(&self) -> String {
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\norigins = [\"{}\"]\ntls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n\
             drain = \"5s\"\n{}\n[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n\
             [outbound]\nallow = [\"127.0.0.1/32\"]\n{}[limits]\n{}\n{}\n{}",
            super::ORIGIN,
            self.server,
            match Over::chosen() {
                Over::Http1 => "",
                Over::Http2 => "[http2]\nwebsockets = true\n",
            },
            self.limits,
            self.issuers,
            self.rest,
        )
    }

    pub(crate) fn start(self) -> Server {
        let config = self.config();
        self.start_with(&config)
    }

    /// The server's command, in its folder.
    pub(crate) fn command(&self, text: &str) -> Command {
        secret(&self.folder.join("admin.token"), ADMIN_TOKEN);
        let config = self.folder.join("wardwire.toml");
        fs::write(&config, text).unwrap();
        // Inherited sockets are the descriptors from 3 on, and meant for the process that the shell becomes.
        let inherit = match self.sockets.len() {
            0 => "",
            1 => "3<&0 </dev/null",
            _ => "3<&0 4<&1 </dev/null >/dev/null",
        };
        let passed = match self.sockets.len() {
            0 => String::new(),
            count => format!("LISTEN_FDS=${{LISTEN_FDS:-{count}}} LISTEN_PID=${{LISTEN_PID-$$}}"),
        };
        // Past a limit on a file's size, a write fails as on a full disk instead of ending the process.
        let script = format!(
            "trap '' XFSZ; {passed} exec \"$0\" \"$@\" {inherit} {}",
            self.handed
        );
        let mut sockets = self.sockets.iter().map(|it| it.try_clone().unwrap());
        let mut stdio = || sockets.next().map_or_else(Stdio::null, Stdio::from);
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .arg(env!("CARGO_BIN_EXE_wardwire"))
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(stdio())
            .stdout(stdio())
            .stderr(Stdio::piped())
            .envs(self.environment.clone());
        command
    }

    pub(crate) fn start_with(self, text: &str) -> Server {
        let behind = Behind::chosen().and_then(|it| Some((it, it.configured(text)?)));
        let text = behind.as_ref().map_or(text, |(_, text)| text);
        let mut child = self.command(text).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = self.folder.join("server.log");
        let mut log = fs::File::create(log).unwrap();
        let mut listening = None;
        for line in lines.by_ref() {
            let line = line.unwrap();
            writeln!(log, "{line}").unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["fields"]["message"] == "listening" {
                listening = Some(line["fields"].clone());
                break;
            }
        }
        let Some(fields) = listening else {
            panic!(
                "the server did not start: {}",
                fs::read_to_string(self.folder.join("server.log")).unwrap()
            );
        };
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = writeln!(log, "{line}");
            }
        });
        let address = |name: &str| fields[name].as_str().unwrap().parse().unwrap();
        let own = address("address");
        let behind = behind.map(|(it, _)| (it, it.start(&self.folder, own)));
        Server {
            address: behind.as_ref().map_or(own, |(_, balancer)| balancer.secure),
            behind,
            admin: address("admin"),
            mutual: (fields["client_certificates"].as_str()).map(|it| it.parse().unwrap()),
            redirect: fields["redirect"].as_str().map(|it| it.parse().unwrap()),
            child,
            folder: self.folder,
            issuer: self.issuer,
            admin_token: ADMIN_TOKEN.into(),
            over: Over::chosen(),
        }
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        Setup::new().start()
    }

    /// `wardwire demo`. It has no admin listener, and an issuer of its own.
    pub(crate) fn demo() -> Self {
        let folder = Setup::new().folder;
        for made in fs::read_dir(&folder).unwrap() {
            fs::remove_file(made.unwrap().path()).unwrap();
        }
        // Somebody else may take a port between the look and the start.
        let (child, address) = (0..5).find_map(|_| start_demo(&folder)).unwrap_or_else(|| {
            let log = fs::read_to_string(folder.join("server.log")).unwrap();
            panic!("the demo did not start: {log}")
        });
        Self {
            child,
            folder,
            issuer: Issuer::new("https://id.test"),
            address,
            admin: address,
            mutual: None,
            redirect: None,
            admin_token: String::new(),
            behind: None,
            over: Over::chosen(),
        }
    }

    /// The demo's own page.
    pub(crate) fn own_origin(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// Whether something before it reads requests, and may refuse one itself.
    pub(crate) fn is_read_before(&self) -> bool {
        self.behind.as_ref().is_some_and(|(it, _)| it.reads_http())
    }

    /// An agreed TLS connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self, "localhost")
    }

    /// The same, unless the server hangs up.
    pub(crate) fn connect_if_let(&self) -> Option<Connection> {
        Connection::try_open(self, "localhost")
    }

    /// A socket on a route for native clients, opened with a token for `subject` who may enter the lobby.
    pub(crate) fn socket(&self, subject: &str) -> Ws {
        let token = self.issuer.token(subject).mint();
        self.open(Handshake::new("/native").bearer(&token))
    }

    /// An anonymous echo.
    pub(crate) fn echo(&self) -> Ws {
        self.open(Handshake::new("/echo").without("Sec-WebSocket-Protocol"))
    }

    pub(crate) fn open(&self, handshake: Handshake) -> Ws {
        let mut connection = self.connect();
        connection.send(handshake.text().as_bytes());
        let response = connection.response();
        assert_eq!(response.status, 101, "{response:?}");
        Ws::new(connection)
    }

    /// The events of the audit log so far.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("audit.jsonl")).unwrap_or_default();
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits for the first event that fits.
    pub(crate) fn audited(&self, fits: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            if let Some(event) = self.audit().into_iter().find(&fits) {
                return event;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "not audited; the log holds {:#?}",
                self.audit()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the refusal of an attempt that was made when the audit log held so many events, and demands that it is
    /// the only one, with this precise reason.
    pub(crate) fn refused_since(&self, events: usize, reason: &str) -> Value {
        let events = u64::try_from(events).unwrap();
        let is_new = |event: &Value| {
            event["event"] == "refusal" && event["seq"].as_u64().is_some_and(|seq| seq >= events)
        };
        let event = self.audited(is_new);
        assert_eq!(event["reason"], reason, "{event}");
        let refusals: Vec<Value> = self.audit().into_iter().filter(is_new).collect();
        assert_eq!(refusals.len(), 1, "{refusals:#?}");
        event
    }

    /// Waits for a refusal with this precise reason.
    pub(crate) fn refused(&self, reason: &str) -> Value {
        self.audited(|event| event["event"] == "refusal" && event["reason"] == reason)
    }

    /// Waits for the end of a socket with this code and word.
    pub(crate) fn closed(&self, code: u16, word: &str) -> Value {
        self.audited(|event| {
            event["event"] == "close" && event["code"] == code && event["reason"] == word
        })
    }

    /// Asks the admin listener.
    pub(crate) fn admin(&self, method: &str, path: &str, body: &str) -> super::Response {
        let authorization = format!("Authorization: Bearer {}\r\n", self.admin_token);
        self.admin_raw(method, path, &authorization, body)
    }

    pub(crate) fn admin_raw(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &str,
    ) -> super::Response {
        self.admin_asked(method, path, fields, body).response()
    }

    /// The same, without waiting for what it answers.
    pub(crate) fn admin_asked(
        &self,
        method: &str,
        path: &str,
        fields: &str,
        body: &str,
    ) -> Connection {
        let mut connection = Connection::plain(self.admin);
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        );
        connection.send(request.as_bytes());
        connection
    }

    /// A counter or gauge of the metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let body = self.admin("GET", "/metrics", "").body;
        let line = body.lines().find(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        });
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }

    /// Waits until a counter or gauge has this value.
    pub(crate) fn until_metric(&self, name: &str, value: u64) {
        let begun = Instant::now();
        while self.metric(name) != value {
            assert!(
                begun.elapsed() < PATIENCE,
                "{name} is {}",
                self.metric(name)
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .unwrap();
        line.trim()
            .trim_end_matches(" kB")
            .parse::<usize>()
            .unwrap()
            * 1024
    }

    /// That no secret stands in the audit log or the server's own.
    pub(crate) fn assert_unlogged(&self, secrets: &[&str]) {
        for file in ["audit.jsonl", "server.log"] {
            let text = fs::read_to_string(self.folder.join(file)).unwrap();
            for secret in secrets {
                assert!(!text.contains(secret), "{file} holds {secret}");
            }
        }
    }

    /// Lets the server's files grow no larger than this, as if the disk were full then; without it, as far as they like.
    pub(crate) fn limit_files(&self, size: Option<u64>) {
        let pid = rustix::process::Pid::from_child(&self.child);
        let resource = rustix::process::Resource::Fsize;
        let limit = rustix::process::Rlimit {
            current: size,
            maximum: None,
        };
        rustix::process::prlimit(Some(pid), resource, limit).unwrap();
    }

    /// As a crash or a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// As `systemctl reload` does.
    pub(crate) fn hangup(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    /// Has it do nothing until it [goes on](Self::go_on), while the kernel takes connections for it.
    pub(crate) fn stop(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn start_demo(folder: &Path) -> Option<(Child, SocketAddr)> {
    let address = free_pair();
    let mut child = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(["demo", "--listen", &address.to_string(), "--data"])
        .arg(folder)
        .args((Over::chosen() == Over::Http2).then_some("--http2"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(folder.join("server.log")).unwrap())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    if said.any(|line| line.unwrap().contains("ready")) {
        // It goes on talking, and nobody who prints likes to find the other end gone.
        thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        return Some((child, address));
    }
    child.wait().unwrap();
    None
}

/// An address of which the next port is free too.
fn free_pair() -> SocketAddr {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap();
        let next = address.port().checked_add(1);
        if next.is_some_and(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return address;
        }
    }
}

fn certificates(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Another name than the leaf's, which OpenSSL would else take for one that signed itself.
    (params.distinguished_name).push(DnType::CommonName, "Authority");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost", "other.localhost", "127.0.0.1"].map(String::from);
    let leaf = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &ca)
        .unwrap();
    fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    fs::write(folder.join("cert.pem"), leaf.pem()).unwrap();
    secret(&folder.join("key.pem"), &key.serialize_pem());
}

/// A file that only its owner reads.
pub(crate) fn secret(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
