//! A client of raw bytes over TLS.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use socket2::{Domain, Socket, Type};

use super::{Over, Server, http2::Translator, server::PATIENCE};

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// Bytes to and from a server.
pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case. What stands several times is on several lines.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The test's own authority, and no other.
pub(crate) fn roots(server: &Server) -> RootCertStore {
    roots_in(&server.folder)
}

/// The authority of a test's folder.
pub(super) fn roots_in(folder: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap())
        .unwrap();
    roots
}

/// TLS as a careful client does it.
pub(crate) fn tls(server: &Server) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(server))
        .with_no_client_auth()
}

pub(crate) fn tcp(address: SocketAddr) -> TcpStream {
    patient(TcpStream::connect(address).unwrap())
}

/// The same, from another of the machine's own addresses.
pub(crate) fn tcp_from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    patient(socket.into())
}

fn patient(tcp: TcpStream) -> TcpStream {
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

impl Connection {
    /// Agrees on TLS for `name`.
    pub(crate) fn open(server: &Server, name: &str) -> Self {
        match server.over {
            Over::Http1 => Self::over(server, tls(server), name),
            Over::Http2 => Self::on(Translator::connect(server, name).unwrap()),
        }
    }

    pub(crate) fn over(server: &Server, config: ClientConfig, name: &str) -> Self {
        Self::through(tcp(server.address), config, name)
    }

    /// Agrees on TLS over a connection on which something else may have been said before.
    pub(crate) fn through(tcp: TcpStream, config: ClientConfig, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let session = ClientConnection::new(Arc::new(config), name).unwrap();
        Self::on(StreamOwned::new(session, tcp))
    }

    pub(crate) fn on(stream: impl Read + Write + Send + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            received: Vec::new(),
        }
    }

    pub(crate) fn try_open(server: &Server, name: &str) -> Option<Self> {
        if server.over == Over::Http2 {
            return Translator::connect(server, name).ok().map(Self::on);
        }
        let mut connection = Self::open(server, name);
        connection.try_send(b"").then_some(connection)
    }

    pub(crate) fn plain(address: SocketAddr) -> Self {
        let tcp = tcp(address);
        Self {
            stream: Box::new(tcp.try_clone().unwrap()),
            received: Vec::new(),
        }
    }

    /// Sends bytes; a server that has hung up is no fault of the test's.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self
            .stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush());
    }

    /// Whether the write went through.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream
            .write_all(bytes)
            .and_then(|()| self.stream.flush())
            .is_ok()
    }

    /// Reads at least one byte more. False at the end.
    fn fill(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&chunk[..count]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server said nothing for {PATIENCE:?}")
            }
            Err(_) => false,
        }
    }

    /// The next `count` bytes. None if the connection ends before.
    pub(crate) fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.received.len() < count {
            if !self.fill() {
                return None;
            }
        }
        Some(self.received.drain(..count).collect())
    }

    /// The next response. Panics if the connection ends before.
    pub(crate) fn response(&mut self) -> Response {
        self.try_response()
            .expect("the connection ended without a response")
    }

    pub(crate) fn try_response(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(at) = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
            {
                break at + 4;
            }
            if !self.fill() {
                return None;
            }
        };
        let head = String::from_utf8(self.take(end)?).unwrap();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            let before = headers.entry(name).or_default();
            let between = if before.is_empty() { "" } else { "\n" };
            *before = format!("{before}{between}{value}");
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let body = String::from_utf8(self.take(length)?).unwrap();
        Some(Response {
            status,
            headers,
            body,
        })
    }

    /// Reads to the end, and tells how many bytes still came.
    pub(crate) fn rest(&mut self) -> usize {
        while self.fill() {}
        self.received.len()
    }
}

/// A handshake, good until it is spoilt.
#[derive(Clone)]
pub(crate) struct Handshake {
    line: String,
    fields: Vec<(String, String)>,
}

impl Handshake {
    pub(crate) fn new(path: &str) -> Self {
        let fields = [
            ("Host", "localhost"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Protocol", "wardwire.v1"),
        ];
        let fields = fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        Self {
            line: format!("GET {path} HTTP/1.1"),
            fields,
        }
    }

    pub(crate) fn line(mut self, line: &str) -> Self {
        self.line = line.into();
        self
    }

    /// Adds a header line.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(other, _)| other != name);
        self
    }

    /// Replaces a header line.
    pub(crate) fn set(self, name: &str, value: &str) -> Self {
        self.without(name).with(name, value)
    }

    pub(crate) fn origin(self, origin: &str) -> Self {
        self.set("Origin", origin)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn ticket(self, ticket: &str) -> Self {
        self.set(
            "Sec-WebSocket-Protocol",
            &format!("wardwire.v1, wardwire.ticket.{ticket}"),
        )
    }

    pub(crate) fn text(&self) -> String {
        let fields = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        format!("{}\r\n{}\r\n", self.line, fields.collect::<String>())
    }
}
