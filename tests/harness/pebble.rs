//! A real certificate authority, Let's Encrypt's own for tests, behind a server that can answer in its place.

use std::{
    collections::HashMap,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use serde_json::json;

use super::{Connection, Setup, server::PATIENCE};

/// Where Pebble asks for what, by the beginnings of its paths.
pub(crate) const DIRECTORY: &str = "/dir";
pub(crate) const ORDER: &str = "/order-plz";
pub(crate) const CHALLENGE: &str = "/chalZ/";

/// A running authority. Dropping it ends the process.
pub(crate) struct Pebble {
    child: Child,
    file: PathBuf,
    own: SocketAddr,
    management: SocketAddr,
    roots: RootCertStore,
    /// What stands before it.
    pub(crate) front: Front,
}

/// What an authority is to be like.
pub(crate) struct Wanted {
    /// Where it finds hosts to be ours: by TLS and in the clear.
    pub(crate) tls: u16,
    pub(crate) plain: u16,
    /// Of its certificates, in seconds.
    pub(crate) lifetime: u64,
    /// Keys of accounts that it knows; where there is one, it takes no others.
    pub(crate) accounts: Vec<(&'static str, &'static str)>,
}

impl Pebble {
    pub(crate) fn start(setup: &Setup, wanted: &Wanted) -> Self {
        let started = (0..5).find_map(|_| Self::try_start(setup, wanted));
        started.expect("Pebble starts; its errors are above")
    }

    fn try_start(setup: &Setup, wanted: &Wanted) -> Option<Self> {
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [own, management] = free.map(|it| it.local_addr().unwrap());
        let accounts: HashMap<_, _> = wanted.accounts.iter().copied().collect();
        let config = json!({ "pebble": {
            "listenAddress": own.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": setup.folder.join("cert.pem"),
            "privateKey": setup.folder.join("key.pem"),
            "httpPort": wanted.plain,
            "tlsPort": wanted.tls,
            "certificateValidityPeriod": wanted.lifetime,
            "externalAccountBindingRequired": !accounts.is_empty(),
            "externalAccountMACKeys": accounts,
        }});
        let file = setup.folder.join("pebble.json");
        fs::write(&file, config.to_string()).unwrap();
        let roots = super::client::roots_in(&setup.folder);
        let pebble = Self {
            child: run(&file),
            file,
            own,
            management,
            front: Front::start(&setup.folder, Some((own, roots.clone()))),
            roots,
        };
        pebble.listening()
    }

    /// It has forgotten everything then.
    pub(crate) fn restart(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.child = run(&self.file);
        assert!(self.is_listening(), "Pebble starts again");
    }

    fn listening(mut self) -> Option<Self> {
        self.is_listening().then_some(self)
    }

    fn is_listening(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let both = [self.own, self.management];
            if both.iter().all(|it| TcpStream::connect(it).is_ok()) {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// TLS as a client does it that trusts what the authority shows itself with, and so what stands before it.
    pub(crate) fn own_client(&self) -> ClientConfig {
        client(self.roots.clone())
    }

    /// TLS as a client does it that trusts this authority, and no other.
    pub(crate) fn client(&self) -> ClientConfig {
        client(self.issuer())
    }

    /// What its certificates are verified by.
    pub(crate) fn issuer(&self) -> RootCertStore {
        let tcp = TcpStream::connect(self.management).unwrap();
        let mut management = Connection::through(tcp, self.own_client(), "localhost");
        management.send(b"GET /roots/0 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let root = management.response().body;
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
            .unwrap();
        roots
    }
}

fn run(file: &Path) -> Child {
    Command::new("pebble")
        .arg("-config")
        .arg(file)
        .args(["-dnsserver", &names().to_string()])
        .env("PEBBLE_VA_NOSLEEP", "1")
        // Every order is validated anew.
        .env("PEBBLE_AUTHZREUSE", "0")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn client(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A name server for which every name is this machine.
fn names() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&answer(&query[..length]), peer);
        }
    });
    address
}

/// RFC 1035 §4: the question again, and one address if one was asked for.
fn answer(query: &[u8]) -> Vec<u8> {
    let question = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let asks_for_an_address = query[question - 4..question - 2] == [0, 1];
    let mut answer = query[..question].to_vec();
    answer[2..12].copy_from_slice(&[0x84, 0, 0, 1, 0, u8::from(asks_for_an_address), 0, 0, 0, 0]);
    if asks_for_an_address {
        // The name in the question, A, IN, a lifetime of a second, four bytes.
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// What the server under test takes for the authority: it passes on what it is asked, and answers by itself where it is told
/// to.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    config: Arc<ServerConfig>,
    authority: Option<(SocketAddr, RootCertStore)>,
    said: Mutex<Said>,
    changed: Condvar,
}

#[derive(Default)]
struct Said {
    /// The paths that were asked for.
    asked: Vec<String>,
    /// Answers to give in the authority's place, each once, by the path's beginning.
    instead: Vec<(String, String)>,
    /// Answers to give whenever such a path is asked for.
    always: Vec<(String, String)>,
    /// Paths on which everybody waits.
    held: Option<&'static str>,
}

impl Front {
    /// With the certificate in the folder. Without an authority, what nobody said an answer to is answered with 404.
    pub(crate) fn start(folder: &Path, authority: Option<(SocketAddr, RootCertStore)>) -> Self {
        let chain = CertificateDer::pem_file_iter(folder.join("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            config: Arc::new(config),
            authority,
            said: Mutex::default(),
            changed: Condvar::new(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let state = shared.clone();
                thread::spawn(move || state.serve(tcp));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Answers the next request for such a path in the authority's place.
    pub(crate) fn answer_once(&self, path: &str, response: &str) {
        let mut said = self.state.said.lock().unwrap();
        said.instead.push((path.into(), response.into()));
    }

    /// Answers every request for such a path.
    pub(crate) fn answer(&self, path: &str, response: &str) {
        let mut said = self.state.said.lock().unwrap();
        said.always.push((path.into(), response.into()));
    }

    /// Lets requests for such paths wait.
    pub(crate) fn hold(&self, path: &'static str) {
        self.state.said.lock().unwrap().held = Some(path);
    }

    pub(crate) fn release(&self) {
        self.state.said.lock().unwrap().held = None;
        self.state.changed.notify_all();
    }

    /// How many requests for such paths have come.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let said = self.state.said.lock().unwrap();
        said.asked.iter().filter(|it| it.starts_with(path)).count()
    }

    /// Waits until so many requests for such paths have come.
    pub(crate) fn wait_for(&self, path: &str, count: usize) {
        let begun = Instant::now();
        while self.asked(path) < count {
            assert!(begun.elapsed() < PATIENCE * 3, "{path} was not asked for");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl State {
    fn serve(&self, tcp: TcpStream) {
        let mut stream = StreamOwned::new(ServerConnection::new(self.config.clone()).unwrap(), tcp);
        let Some(request) = read_request(&mut stream) else {
            return;
        };
        let text = String::from_utf8_lossy(&request).into_owned();
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let answer = self.own_answer(&path);
        let answer = answer
            .map(String::into_bytes)
            .or_else(|| self.pass_on(&request));
        let nothing = || super::response("404 Not Found", "", "").into_bytes();
        let _ = stream.write_all(&answer.unwrap_or_else(nothing));
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }

    fn own_answer(&self, path: &str) -> Option<String> {
        let mut said = self.said.lock().unwrap();
        said.asked.push(path.to_owned());
        let is_held = |said: &mut Said| said.held.is_some_and(|held| path.starts_with(held));
        let mut said = self.changed.wait_while(said, is_held).unwrap();
        if let Some(at) = said.instead.iter().position(|it| path.starts_with(&it.0)) {
            return Some(said.instead.remove(at).1);
        }
        let always = said.always.iter().rev().find(|it| path.starts_with(&it.0));
        always.map(|it| it.1.clone())
    }

    /// Asks the authority, which makes its URLs from the `Host` that it sees, so that they lead here.
    fn pass_on(&self, request: &[u8]) -> Option<Vec<u8>> {
        let (address, roots) = self.authority.as_ref()?;
        let session = ClientConnection::new(
            Arc::new(client(roots.clone())),
            "localhost".try_into().unwrap(),
        );
        let tcp = TcpStream::connect(address).ok()?;
        let mut stream = StreamOwned::new(session.unwrap(), tcp);
        let line = request.iter().position(|byte| *byte == b'\n')? + 1;
        let closing = [&request[..line], b"Connection: close\r\n", &request[line..]].concat();
        stream.write_all(&closing).ok()?;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Some(answer)
    }
}

/// A head, and as many bytes behind it as it says.
fn read_request(stream: &mut impl std::io::Read) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(at) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..at]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |it| it.trim().parse().unwrap());
            if request.len() >= at + 4 + length {
                return Some(request);
            }
        }
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => request.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}
