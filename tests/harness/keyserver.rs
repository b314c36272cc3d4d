//! An issuer's web server: serves a key set over TLS, counts who asks, and can misbehave.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{Setup, server::PATIENCE};

/// A running key server, until the test ends.
pub(crate) struct KeyServer {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    asked: AtomicUsize,
    answer: Mutex<String>,
    /// Answers to other paths.
    others: Mutex<HashMap<String, String>>,
    /// While this is true nobody is answered.
    held: Mutex<bool>,
    released: Condvar,
}

impl KeyServer {
    /// With the certificate of the test's folder. Answers 503 until it is told what to answer.
    pub(crate) fn start(setup: &Setup) -> Self {
        let chain = CertificateDer::pem_file_iter(setup.folder.join("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(setup.folder.join("key.pem")).unwrap();
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
            asked: AtomicUsize::new(0),
            answer: Mutex::new(response("503 Service Unavailable", "", "")),
            others: Mutex::default(),
            held: Mutex::new(false),
            released: Condvar::new(),
        });
        let (config, shared) = (Arc::new(config), state.clone());
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (config, state) = (config.clone(), shared.clone());
                thread::spawn(move || serve(tcp, config, &state));
            }
        });
        Self { address, state }
    }

    /// `https://localhost:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }

    /// The `[[issuer]]` whose keys are here.
    pub(crate) fn issuer(&self) -> String {
        format!(
            "[[issuer]]\nissuer = \"https://id.test\"\naudience = \"wardwire\"\nca = \"ca.pem\"\n\
             jwks_url = \"https://localhost:{}/jwks\"\n",
            self.address.port()
        )
    }

    pub(crate) fn serve_keys(&self, keys: &serde_json::Value) {
        self.answer(response(
            "200 OK",
            "Content-Type: application/json\r\n",
            &keys.to_string(),
        ));
    }

    pub(crate) fn redirect(&self, to: &str) {
        self.answer(response("302 Found", &format!("Location: {to}\r\n"), ""));
    }

    pub(crate) fn answer(&self, response: String) {
        *self.state.answer.lock().unwrap() = response;
    }

    /// Answers another path.
    pub(crate) fn answer_at(&self, path: &str, response: String) {
        let mut others = self.state.others.lock().unwrap();
        others.insert(path.into(), response);
    }

    /// Lets whoever asks wait.
    pub(crate) fn hold(&self) {
        *self.state.held.lock().unwrap() = true;
    }

    /// Answers them.
    pub(crate) fn release(&self) {
        *self.state.held.lock().unwrap() = false;
        self.state.released.notify_all();
    }

    /// Waits until so many have asked.
    pub(crate) fn wait_for(&self, requests: usize) {
        let begun = Instant::now();
        while self.asked() < requests {
            assert!(begun.elapsed() < PATIENCE, "nobody asked");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// How many requests came.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }
}

pub(crate) fn response(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

fn serve(tcp: TcpStream, config: Arc<ServerConfig>, state: &State) {
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), tcp);
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(count) if count > 0 => request.extend_from_slice(&chunk[..count]),
            _ => return,
        }
    }
    state.asked.fetch_add(1, Ordering::SeqCst);
    let held = state.held.lock().unwrap();
    drop(state.released.wait_while(held, |held| *held).unwrap());
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    let other = state.others.lock().unwrap().get(path).cloned();
    let answer = other.unwrap_or_else(|| state.answer.lock().unwrap().clone());
    let _ = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
