//! A socket of a shard whose peer is a script: TLS in memory, bytes cut anywhere, frames good and bad, publications, time.
//!
//! The fuzzer writes the scripts; its corpus, and properties over scripts of good frames, run as tests. Whatever a script
//! says, nothing panics, what the peer is sent is whole TLS and whole frames, and nothing follows a Close.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    future::Future,
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr},
    pin::pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::value::RawValue;
use wardwire_admission::{
    admit::{Trail, Transport as Origin},
    caps::{Accepted, Place},
    principal::Principal,
};
use wardwire_hub::{
    Member,
    fanout::{Fanout, SocketKey},
};
use wardwire_protocol::{channel::ChannelName, handshake};

use super::{
    Turn,
    link::{Buffers, Link, Transport},
    readiness::Cue,
    socket::{Outcome, Socket},
    sockets::Noted,
};
use crate::{
    config::{self, Config, Running},
    server::Server,
    session::Session,
    tls::Records,
};

/// What the simulations of a thread share: a server that is configured but listens nowhere.
pub struct World {
    pub(super) server: Arc<Server>,
    client: Arc<ClientConfig>,
    pub(super) fanout: Fanout,
    pub(super) publisher: Member,
}

/// The two directions of a connection.
#[derive(Default)]
struct Wire {
    /// From the peer, on its way.
    coming: VecDeque<u8>,
    /// Of that, what has arrived.
    arrived: usize,
    /// The peer will send no more.
    finished: bool,
    /// The connection was reset.
    reset: bool,
    /// To the peer.
    going: VecDeque<u8>,
    /// How much more the kernel takes.
    room: usize,
}

#[derive(Clone, Default)]
struct Pipe(Rc<RefCell<Wire>>);

impl io::Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if wire.arrived == 0 {
            return match wire.finished && wire.coming.is_empty() {
                true => Ok(0),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let take = wire.arrived.min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(wire.coming.drain(..take)) {
            *to = from;
        }
        wire.arrived -= take;
        Ok(take)
    }
}

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut wire = self.0.borrow_mut();
        if wire.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let take = wire.room.min(bytes.len());
        if take == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        wire.room -= take;
        wire.going.extend(&bytes[..take]);
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Pipe {
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame as the peer reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// The first byte: FIN and opcode.
    pub first: u8,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, payload } = self;
        let start = &payload[..payload.len().min(30)];
        write!(f, "{first:x}({}: {})", payload.len(), start.escape_ascii())
    }
}

/// What a peer does next.
#[derive(Clone, Debug)]
pub enum Act {
    /// Says these bytes inside TLS.
    Say(Vec<u8>),
    /// Says a whole masked frame: first byte and payload.
    Frame(u8, Vec<u8>),
    /// Puts these bytes on the wire outside TLS.
    Noise(Vec<u8>),
    /// So many bytes of what is on its way arrive.
    Arrive(usize),
    /// The kernel takes so many bytes more, and the peer reads what there is.
    Take(usize),
    /// Asks for new keys (RFC 8446 §4.6.3).
    NewKeys,
    /// So many milliseconds pass.
    Pass(u64),
    /// Somebody publishes so many bytes.
    Publish(usize),
    /// Says `close_notify`.
    Goodbye,
    /// Sends a FIN.
    Finish,
    /// Sends a RST.
    Reset,
}

/// A socket and its peer.
pub struct Simulation<'a> {
    world: &'a mut World,
    /// None when it is gone.
    socket: Option<Socket<Pipe>>,
    pipe: Pipe,
    peer: ClientConnection,
    buffers: Buffers,
    now: Instant,
    due: Instant,
    /// Decrypted by the peer and not yet a whole frame.
    heard: Vec<u8>,
    frames: Vec<Frame>,
}

const KEY: SocketKey = SocketKey(1);
pub(super) const CHANNEL: &str = "free";
/// Who asks for more turns in a row than this turns for ever.
const TURNS: usize = 10_000;

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
origins = ["https://localhost"]
tls = { cert = "cert.pem", key = "key.pem" }
threads = 1
[limits]
outbox = "16KiB"
[[route]]
path = "/echo"
kind = "echo"
anonymous = true
native_clients = true
limits = { messages_per_second = 0 }
[[route]]
path = "/live"
anonymous = true
native_clients = true
[[channel]]
name = "free"
subscribe = "anyone"
publish = "anyone"
history = { size = 10, ttl = "1h" }
[development]
without_issuer = true
"#;

impl World {
    /// A server with two routes, `/echo` and `/live`, and a channel, `free`.
    #[must_use]
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wardwire-simulation-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
        let private = folder.join("key.pem");
        std::fs::write(&private, key.serialize_pem()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&private, mode).unwrap();
        let read = Config::parse(CONFIG, &folder.join("wardwire.toml"));
        let config = read.unwrap_or_else(|problems| panic!("{problems}"));
        let Running {
            server, mut sides, ..
        } = config::assemble(config, Vec::new(), None).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        // The quickest key exchange, as there is one for each script.
        let provider = rustls::crypto::CryptoProvider {
            kx_groups: vec![rustls::crypto::aws_lc_rs::kx_group::X25519],
            ..rustls::crypto::aws_lc_rs::default_provider()
        };
        let client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            publisher: server.hub.join(Principal::Anonymous, SocketKey(2), None),
            server,
            client: Arc::new(client),
            fanout: sides.pop().unwrap(),
        }
    }

    /// TLS, agreed.
    fn agree(&self) -> (ClientConnection, Records) {
        let tls = self.server.terms().tls.clone().unwrap();
        let mut records = Records::new(tls).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut peer = ClientConnection::new(self.client.clone(), name).unwrap();
        peer.set_buffer_limit(None);
        while records.is_handshaking() || peer.is_handshaking() {
            let (mut to, mut back) = (Vec::new(), Vec::new());
            while peer.wants_write() {
                peer.write_tls(&mut to).unwrap();
            }
            records.read(&mut to, &mut Vec::new(), &mut back).unwrap();
            peer.read_tls(&mut &back[..]).unwrap();
            peer.process_new_packets().unwrap();
        }
        (peer, records)
    }

    /// An anonymous socket, admitted like any other.
    pub(super) fn admit(&self, path: &str) -> (Session, Principal) {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let Accepted::Welcome(slot) = self.server.gate.caps().accept(loopback) else {
            panic!("no place");
        };
        let subprotocol = [("Sec-WebSocket-Protocol", "wardwire.v1")];
        let fields = if path == "/live" {
            &subprotocol[..]
        } else {
            &[]
        };
        let head = handshake::request_head("localhost", path, [7; 16], fields);
        let mut request = http::Request::get(path);
        for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let transport = Origin {
            peer: loopback,
            balancer: None,
            server_name: Some("localhost".into()),
            certificate: None,
        };
        let (place, mut trail) = (Place::new(slot), Trail::default());
        let admitted = {
            let admitting = self
                .server
                .gate
                .admit(&head, &transport, &place, &mut trail);
            pin!(admitting).poll(&mut Context::from_waker(Waker::noop()))
        };
        let Poll::Ready(admitted) = admitted else {
            panic!("nothing has to be fetched");
        };
        let admission = admitted.unwrap().into_admission();
        Session::new(self.server.clone(), admission, trail)
    }
}

impl<'a> Simulation<'a> {
    /// A peer that was admitted to this path.
    #[must_use]
    pub fn new(world: &'a mut World, path: &str) -> Self {
        let pipe = Pipe::default();
        let (peer, records) = world.agree();
        let (session, principal) = world.admit(path);
        let now = Instant::now();
        let waking = (KEY, world.server.shards[0].clone().waker(KEY));
        let link = Link::new(pipe.clone(), records.into());
        let socket = Socket::new(link, session, principal, waking, now);
        let mut new = Self {
            world,
            socket: Some(socket),
            pipe,
            peer,
            buffers: Buffers::new(),
            now,
            due: now,
            heard: Vec::new(),
            frames: Vec::new(),
        };
        new.turn(Noted::Nothing);
        new
    }

    /// Whether the socket lives.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// The frames that the peer was sent so far.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// The peer does something, and the shard has its turn.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::Say(bytes) => {
                // Nothing is said after `close_notify`.
                let _ = self.peer.writer().write_all(&bytes);
                self.put_out();
            }
            Act::Frame(first, payload) => self.act(Act::Say(masked(first, &payload))),
            Act::Noise(bytes) => self.pipe.0.borrow_mut().coming.extend(bytes),
            Act::NewKeys => {
                let _ = self.peer.refresh_traffic_keys();
                self.put_out();
            }
            Act::Goodbye => {
                self.peer.send_close_notify();
                self.put_out();
            }
            Act::Arrive(count) => {
                {
                    let mut wire = self.pipe.0.borrow_mut();
                    wire.arrived = (wire.arrived + count).min(wire.coming.len());
                }
                self.ready();
            }
            Act::Take(count) => {
                {
                    let mut wire = self.pipe.0.borrow_mut();
                    wire.room = wire.room.saturating_add(count).min(1 << 20);
                }
                self.ready();
                self.hear();
            }
            Act::Pass(millis) => {
                self.now += Duration::from_millis(millis);
                if self.due <= self.now {
                    self.due = self.now + Duration::from_secs(3600);
                    self.turn(Noted::Nothing);
                }
            }
            Act::Publish(size) => self.publish(size),
            Act::Finish => {
                self.pipe.0.borrow_mut().finished = true;
                self.ready();
            }
            Act::Reset => {
                self.pipe.0.borrow_mut().reset = true;
                self.ready();
            }
        }
    }

    fn put_out(&mut self) {
        let mut out = Vec::new();
        while self.peer.wants_write() {
            self.peer.write_tls(&mut out).unwrap();
        }
        self.pipe.0.borrow_mut().coming.extend(out);
    }

    fn ready(&mut self) {
        if let Some(socket) = &mut self.socket {
            let (finished, reset) = {
                let wire = self.pipe.0.borrow();
                (wire.finished, wire.reset)
            };
            socket.ready(Cue {
                place: 0,
                readable: true,
                writable: true,
                ended: finished || reset,
            });
            self.turn(Noted::Nothing);
        }
    }

    fn publish(&mut self, size: usize) {
        let name = ChannelName::parse(CHANNEL).unwrap();
        let data = RawValue::from_string(format!("\"{}\"", "p".repeat(size))).unwrap();
        let published = self.world.publisher.publish(&name, &data, None, None);
        published.now().unwrap().unwrap();
        self.world
            .fanout
            .collect(usize::MAX, usize::MAX, &mut self.buffers.deflater);
        let batches = self.world.fanout.batches();
        assert!(batches.len() <= 1, "there is one channel");
        let follows = batches.iter().any(|batch| {
            self.world
                .fanout
                .followers(batch)
                .any(|follower| follower.socket == KEY)
        });
        if follows {
            self.turn(Noted::Batch(0));
        }
        self.world.fanout.clear();
    }

    /// Drives the socket as a shard does. Instructions are counted in here.
    #[inline(never)]
    fn turn(&mut self, mut noted: Noted) {
        for _ in 0..TURNS {
            let Some(socket) = &mut self.socket else {
                return;
            };
            let mut turn = Turn {
                now: self.now,
                wall: self.world.server.gate.now(),
                fanout: &mut self.world.fanout,
                handle: &self.world.server.shards[0],
                buffers: &mut self.buffers,
            };
            match socket.turn(std::mem::take(&mut noted), &mut turn) {
                Outcome::Again | Outcome::Sending => {}
                Outcome::Rest(due) => {
                    self.due = self.due.min(due);
                    return;
                }
                Outcome::Closed | Outcome::Ended => {
                    socket.leave(&mut self.world.fanout);
                    self.socket = None;
                    return;
                }
            }
        }
        panic!("it turns for ever");
    }

    /// The kernel takes so many bytes more from now on, without a turn.
    pub fn room(&mut self, count: usize) {
        self.pipe.0.borrow_mut().room = count;
    }

    /// The peer decrypts what it took and reads its frames.
    ///
    /// # Panics
    /// What it was sent is not what a server may send.
    pub fn hear(&mut self) {
        let going: Vec<u8> = self.pipe.0.borrow_mut().going.drain(..).collect();
        let mut rest = &going[..];
        while !rest.is_empty() {
            self.peer.read_tls(&mut rest).unwrap();
            match self.peer.process_new_packets() {
                Ok(_) => {}
                // The alert of a peer that was sent noise. Anything else would be a fault of the server's.
                Err(rustls::Error::AlertReceived(_)) => return,
                Err(error) => panic!("the server broke TLS: {error}"),
            }
            let mut some = [0; 4096];
            while let Ok(count @ 1..) = self.peer.reader().read(&mut some) {
                self.heard.extend_from_slice(&some[..count]);
            }
        }
        self.put_out();
        while let Some((frame, used)) = parse(&self.heard) {
            let closed = self.frames.last().is_some_and(|last| last.first == 0x88);
            assert!(!closed, "{frame:?} comes after a Close");
            self.frames.push(frame);
            self.heard.drain(..used);
        }
    }
}

impl Drop for Simulation<'_> {
    fn drop(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.leave(&mut self.world.fanout);
        }
    }
}

/// Runs a script of bytes, as the fuzzer writes them: the path, then one act after another. Returns what the peer was sent.
pub fn run(world: &mut World, script: &[u8]) -> Vec<Frame> {
    let (&first, mut rest) = script.split_first().unwrap_or((&0, &[]));
    let path = if first & 1 == 0 { "/echo" } else { "/live" };
    let mut simulation = Simulation::new(world, path);
    if first & 2 == 0 {
        simulation.act(Act::Take(1 << 20));
    }
    while let Some(act) = read(&mut rest).filter(|_| simulation.is_open()) {
        simulation.act(act);
    }
    simulation.act(Act::Take(1 << 20));
    std::mem::take(&mut simulation.frames)
}

/// The next act of a script: what it is, a size of two bytes, and as many bytes as that says where it needs some.
fn read(script: &mut &[u8]) -> Option<Act> {
    let [what, high, low, rest @ ..] = *script else {
        return None;
    };
    let size = usize::from(u16::from_be_bytes([*high, *low]));
    let (mut bytes, mut after) = (&[][..], rest);
    if what % 16 < 6 {
        (bytes, after) = rest.split_at(size.min(rest.len()));
    }
    *script = after;
    Some(match what % 16 {
        0 => Act::Say(bytes.to_vec()),
        1 => Act::Noise(bytes.to_vec()),
        2 => Act::Frame(0x80 | (what >> 4), bytes.to_vec()),
        3 => Act::Frame(what >> 4, bytes.to_vec()),
        // Calls on the channel, so that it is followed and left.
        4 => Act::Frame(0x81, call("subscribe", bytes)),
        5 => Act::Frame(0x81, call("unsubscribe", bytes)),
        6 | 7 => Act::Arrive(size),
        8 | 9 => Act::Take(size),
        10 => Act::NewKeys,
        11 => Act::Pass(size as u64),
        12 | 13 => Act::Publish(size),
        14 => Act::Goodbye,
        _ if size % 2 == 0 => Act::Finish,
        _ => Act::Reset,
    })
}

pub(super) fn call(method: &str, data: &[u8]) -> Vec<u8> {
    let since = String::from_utf8_lossy(data);
    let since = serde_json::to_string(&since).unwrap_or_default();
    let since = if data.is_empty() {
        String::new()
    } else {
        format!(",\"since\":{since}")
    };
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"channel":"{CHANNEL}"{since}}}}}"#)
        .into_bytes()
}

/// A client's frame (RFC 6455 §5.2), written by other means than the server's own.
#[must_use]
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            out.push(0xFE);
            out.extend((medium as u16).to_be_bytes());
        }
        long => {
            out.push(0xFF);
            out.extend((long as u64).to_be_bytes());
        }
    }
    let mask = [0x1B, 0x2C, 0x3D, 0x4E];
    out.extend(mask);
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    out
}

/// The first frame of a server, if it is whole, and how long it is.
pub(super) fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    assert_eq!(first & 0x70, 0, "reserved bits");
    assert!(
        matches!(first & 0x0F, 0..=2 | 8..=10),
        "opcode of {first:x}"
    );
    assert_eq!(second & 0x80, 0, "a server masks nothing");
    let (start, length) = match second {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())),
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap()) as usize,
        ),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    Some((Frame { first, payload }, start + length))
}

#[cfg(test)]
mod tests;
