//! A client that decides what every record holds and where every TCP segment is cut.

use std::{
    collections::HashMap,
    fmt, fs,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, ConnectionTrafficSecrets, KeyLog, SupportedProtocolVersion,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{
            self,
            cipher_suite::{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256},
        },
    },
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use socket2::{Domain, SockRef, Socket, Type};

use super::{
    Connection, Handshake, Server, Ws,
    client::roots,
    records::{ALERT, DATA, FULL, HANDSHAKE, Keys},
    server::PATIENCE,
};

/// An open WebSocket of which the test writes the records. Frames are read, and can be written, by `ws` as ever.
pub(crate) struct Wire {
    pub(crate) tcp: TcpStream,
    pub(crate) ws: Ws,
    write: Arc<Mutex<Keys>>,
    heard: Arc<Mutex<Heard>>,
}

/// What the server said below the frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// Level and description (RFC 8446 §6).
    pub(crate) alerts: Vec<(u8, u8)>,
    pub(crate) key_updates: usize,
}

/// Level and description of an alert.
pub(crate) const CLOSE_NOTIFY: (u8, u8) = (1, 0);

/// How a [`Wire`] is opened.
pub(crate) struct Opening {
    handshake: Handshake,
    version: &'static SupportedProtocolVersion,
    window: Option<usize>,
}

impl Opening {
    pub(crate) fn new(handshake: Handshake) -> Self {
        Self {
            handshake,
            version: &TLS13,
            window: None,
        }
    }

    /// An anonymous echo.
    pub(crate) fn echo() -> Self {
        Self::new(Handshake::new("/echo").without("Sec-WebSocket-Protocol"))
    }

    pub(crate) fn tls12(mut self) -> Self {
        self.version = &TLS12;
        self
    }

    /// With a receive buffer so small that the server soon finds it full.
    pub(crate) fn window(mut self, bytes: usize) -> Self {
        self.window = Some(bytes);
        self
    }

    /// Agrees on TLS and opens the WebSocket.
    pub(crate) fn on(self, server: &Server) -> Wire {
        let mut wire = self.tls(server);
        let request = wire.data(self.handshake.text().as_bytes());
        wire.put(&request);
        let response = wire.ws.connection.response();
        assert_eq!(response.status, 101, "{response:?}");
        wire
    }

    /// Agrees on TLS and says nothing yet.
    pub(crate) fn tls(&self, server: &Server) -> Wire {
        let mut tcp = connect(server.address, self.window);
        let (write, read) = agree(server, &mut tcp, self.version);
        let (write, heard) = (Arc::new(Mutex::new(write)), Arc::default());
        let connection = Connection::on(Records {
            tcp: tcp.try_clone().unwrap(),
            read,
            write: Arc::clone(&write),
            plain: Vec::new(),
            heard: Arc::clone(&heard),
        });
        Wire {
            tcp,
            ws: Ws::new(connection),
            write,
            heard,
        }
    }
}

impl Wire {
    /// One record of this type.
    pub(crate) fn seal(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        lock(&self.write).seal(kind, payload)
    }

    /// As few records of application data as hold this.
    pub(crate) fn data(&mut self, payload: &[u8]) -> Vec<u8> {
        let records = payload.chunks(FULL).map(|chunk| self.seal(DATA, chunk));
        records.collect::<Vec<_>>().concat()
    }

    pub(crate) fn alert(&mut self, (level, description): (u8, u8)) -> Vec<u8> {
        self.seal(ALERT, &[level, description])
    }

    /// A KeyUpdate (RFC 8446 §4.6.3); what is sealed from now on has the next keys.
    pub(crate) fn key_update(&mut self, requested: bool) -> Vec<u8> {
        let record = self.seal(HANDSHAKE, &[24, 0, 0, 1, u8::from(requested)]);
        self.next_keys();
        record
    }

    pub(crate) fn next_keys(&mut self) {
        lock(&self.write).update();
    }

    /// Writes bytes as they are. A server that has hung up is no fault of the test's.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let _ = self.tcp.write_all(bytes);
    }

    /// Writes bytes and waits until the server has read them, so that what follows is a segment of its own.
    pub(crate) fn put_alone(&mut self, bytes: &[u8]) {
        self.put(bytes);
        self.until_read();
    }

    /// Waits until the kernel holds nothing that the server has not read.
    pub(crate) fn until_read(&self) {
        let begun = Instant::now();
        while self.unread() > 0 {
            assert!(begun.elapsed() < PATIENCE, "the server reads no more");
            thread::yield_now();
        }
    }

    /// Bytes on their way to the server or in its socket's receive queue.
    fn unread(&self) -> usize {
        let (Ok(ours), Ok(theirs)) = (self.tcp.local_addr(), self.tcp.peer_addr()) else {
            return 0;
        };
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
        let queue = |from, to, which: usize| {
            let pair = format!(" {} {} ", hex(from), hex(to));
            let line = sockets.lines().find(|line| line.contains(&pair))?;
            let queues = line.split_whitespace().nth(4)?.split(':').nth(which)?;
            usize::from_str_radix(queues, 16).ok()
        };
        queue(ours, theirs, 0).unwrap_or(0) + queue(theirs, ours, 1).unwrap_or(0)
    }

    /// Says FIN.
    pub(crate) fn fin(&self) {
        let _ = self.tcp.shutdown(std::net::Shutdown::Write);
    }

    /// Hangs up with RST instead of FIN.
    pub(crate) fn reset(self) {
        SockRef::from(&self.tcp)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }

    pub(crate) fn heard(&self) -> Heard {
        lock(&self.heard).clone()
    }

    /// Reads to the end and demands that nothing came but this alert.
    pub(crate) fn ends_with(&mut self, alert: (u8, u8)) {
        assert_eq!(self.ws.connection.rest(), 0, "no more frames");
        assert_eq!(self.heard().alerts, [alert]);
    }
}

/// Records on a TCP connection, as a stream.
struct Records {
    tcp: TcpStream,
    read: Keys,
    write: Arc<Mutex<Keys>>,
    plain: Vec<u8>,
    heard: Arc<Mutex<Heard>>,
}

impl Records {
    /// The next record's type and payload. None at the end.
    fn next(&mut self) -> io::Result<Option<(u8, Vec<u8>)>> {
        let mut head = [0; 5];
        match self.tcp.read_exact(&mut head) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        self.tcp.read_exact(&mut body)?;
        Ok(Some(self.read.open(head, body)))
    }
}

impl Read for Records {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.plain.is_empty() {
            match self.next()? {
                None => return Ok(0),
                Some((DATA, payload)) => self.plain = payload,
                Some((ALERT, payload)) => {
                    lock(&self.heard).alerts.push((payload[0], payload[1]));
                }
                Some((HANDSHAKE, payload)) => {
                    assert_eq!(
                        payload,
                        [24, 0, 0, 1, 0],
                        "a KeyUpdate, and none is asked for"
                    );
                    self.read.update();
                    lock(&self.heard).key_updates += 1;
                }
                Some((kind, _)) => panic!("a record of type {kind}"),
            }
        }
        let count = to.len().min(self.plain.len());
        to[..count].copy_from_slice(&self.plain[..count]);
        self.plain.drain(..count);
        Ok(count)
    }
}

impl Write for Records {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let from = &from[..from.len().min(FULL)];
        let record = lock(&self.write).seal(DATA, from);
        self.tcp.write_all(&record)?;
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(address: SocketAddr, window: Option<usize>) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    if let Some(bytes) = window {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.connect(&address.into()).unwrap();
    let tcp = TcpStream::from(socket);
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

/// An address as `/proc/net/tcp` has it.
fn hex(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else {
        panic!("the tests speak IPv4")
    };
    let [a, b, c, d] = address.ip().octets();
    format!("{d:02X}{c:02X}{b:02X}{a:02X}:{:04X}", address.port())
}

/// Lets rustls agree on TLS, and takes the keys from it: to write with and to read with.
fn agree(
    server: &Server,
    tcp: &mut TcpStream,
    version: &'static SupportedProtocolVersion,
) -> (Keys, Keys) {
    let secrets = Arc::new(Secrets::default());
    let provider = CryptoProvider {
        cipher_suites: vec![
            TLS13_AES_128_GCM_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots(server))
        .with_no_client_auth();
    config.key_log = secrets.clone();
    config.enable_secret_extraction = true;
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    while session.is_handshaking() || session.wants_write() {
        session.complete_io(tcp).unwrap();
    }
    if *version == TLS13 {
        return (
            secrets.keys("CLIENT_TRAFFIC_SECRET_0"),
            secrets.keys("SERVER_TRAFFIC_SECRET_0"),
        );
    }
    let secrets = session.dangerous_extract_secrets().unwrap();
    (keys12(secrets.tx), keys12(secrets.rx))
}

fn keys12((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Keys {
    match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => {
            Keys::tls12(key.as_ref(), iv.as_ref(), sequence)
        }
        _ => panic!("AES-128-GCM was all that was offered"),
    }
}

/// The traffic secrets of TLS 1.3, by their names.
#[derive(Default)]
struct Secrets(Mutex<HashMap<String, Vec<u8>>>);

impl Secrets {
    fn keys(&self, name: &str) -> Keys {
        Keys::tls13(lock(&self.0).remove(name).unwrap())
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        lock(&self.0).insert(label.into(), secret.into());
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
