//! Accepting: one socket and one loop a shard, between which the kernel spreads newcomers (`SO_REUSEPORT`). It counts every
//! connection in, and starts its clock.

use std::{
    fs::File,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{self, Duration},
};

use parking_lot::Mutex;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    time::{Instant, timeout_at},
};
use wardwire_admission::{
    admit::{Trail, Transport},
    caps::{Accepted, ConnectionSlot},
    proxy::header::{Header, Source},
    refusal::{Reason, Refusal, Stage},
};

use crate::{
    audit::Cause,
    http, http2,
    proxied::{self, Bringer, EndedBy, Introduction, TlsEnd},
    server::Server,
    shard::Handle,
    tls::{self, Ended, Said, TlsStream},
};

/// Binds a listener for each of so many shards: quickly again after a restart, with room for a crowd that reconnects at
/// once.
///
/// # Errors
/// The address cannot be had, or somebody listens on it already.
pub fn bind(address: SocketAddr, count: usize) -> io::Result<Vec<std::net::TcpListener>> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    // `SO_REUSEPORT` would share the port with any other process of the same user, such as a server that was forgotten.
    drop(open(address, false).map_err(explain)?);
    let first = open(address, true).map_err(explain)?;
    let address = first.local_addr()?;
    let more = (1..count).map(|_| open(address, true));
    std::iter::once(Ok(first)).chain(more).collect()
}

/// Binds a single listener.
///
/// # Errors
/// The address cannot be had.
pub fn bind_one(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = bind(address, 1)?.pop();
    listener.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

/// Gives each of so many shards a part in a socket that somebody else has opened. There is one queue then and not one a
/// shard: whichever core has time takes the next connection, so that handshakes are spread as without it.
///
/// # Errors
/// The socket cannot be shared.
pub fn share(
    listener: &std::net::TcpListener,
    count: usize,
) -> io::Result<Vec<std::net::TcpListener>> {
    (0..count).map(|_| listener.try_clone()).collect()
}

fn open(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    bequeath(&socket)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// In bytes: what the kernel takes for a socket beyond what it can send.
const UNSENT: u32 = 16 * 1024;

/// Sets what accepted sockets inherit. No answer waits for more to send. And for a peer who is slow little waits in the
/// kernel, where no limit counts it and nothing newer can take its place: without `TCP_NOTSENT_LOWAT` that is up to 4 MiB.
///
/// # Errors
/// The kernel knows no such option.
pub(crate) fn bequeath(listener: &socket2::Socket) -> io::Result<()> {
    listener.set_tcp_nodelay(true)?;
    listener.set_tcp_notsent_lowat(UNSENT)
}

/// Which listener a connection comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `server.listen`: nobody is asked for a certificate.
    Public,
    /// `server.client_certificates.listen`: nobody comes in without one.
    ClientCertificates,
}

/// Accepts connections for a shard until the task is dropped.
pub async fn run(server: Arc<Server>, shard: Arc<Handle>, listener: TcpListener, door: Door) {
    let mut reserve = Reserve::new();
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => welcome(&server, &shard, door, tcp, peer),
            Err(error) => reserve.refuse(&server, door, &listener, &error).await,
        }
    }
}

/// A descriptor kept for the day when there are no others: then whoever comes is accepted with it and hung up on at once,
/// instead of waiting for an answer that never comes while the accept loop spins.
struct Reserve(Option<File>);

/// What the log was told, by whichever shard: descriptors are the process's.
static WARNED: Mutex<Option<time::Instant>> = Mutex::new(None);
const WARN_EVERY: Duration = Duration::from_secs(1);

impl Reserve {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    async fn refuse(
        &mut self,
        server: &Arc<Server>,
        door: Door,
        listener: &TcpListener,
        error: &io::Error,
    ) {
        let is_due = {
            let mut warned = WARNED.lock();
            let is_due = warned.is_none_or(|at| at.elapsed() >= WARN_EVERY);
            if is_due {
                *warned = Some(time::Instant::now());
            }
            is_due
        };
        if is_due {
            tracing::warn!(%error, "connections could not be accepted");
        }
        // Whoever takes the descriptor first in another thread leaves none for this; then the pause is all there is.
        if self.0.take().is_some()
            && let Ok(Ok((_, peer))) = tokio::time::timeout(PAUSE, listener.accept()).await
        {
            let peer = peer.ip().to_canonical();
            let bringer = Bringer::of(peer, server, door);
            let brings = bringer.is_ok_and(|it| it.is_balancer());
            let told = brought(server.number(), peer, brings.then_some(peer));
            server.dropped(Cause::NoDescriptor, &told);
        } else {
            tokio::time::sleep(PAUSE).await;
        }
        self.0 = File::open("/dev/null").ok();
    }
}

/// When there is no descriptor, not even a spare one.
const PAUSE: Duration = Duration::from_millis(50);

fn welcome(
    server: &Arc<Server>,
    shard: &Arc<Handle>,
    door: Door,
    tcp: TcpStream,
    peer: SocketAddr,
) {
    server.metrics.accepted.inc();
    let number = server.number();
    let peer = peer.ip().to_canonical();
    let bringer = match Bringer::of(peer, server, door) {
        Ok(bringer) => bringer,
        Err(refusal) => {
            server.metrics.dropped.inc();
            return server.refused(&trail(number, peer), &refusal);
        }
    };
    let balancer = bringer.is_balancer().then_some(peer);
    let accepted = match bringer.is_balancer() {
        true => server.gate.caps().accept_proxied(),
        false => server.gate.caps().accept(peer),
    };
    let (slot, turned) = match accepted {
        Accepted::Welcome(slot) => (slot, None),
        Accepted::Turned(slot, refusal) => (slot, Some(refusal)),
        Accepted::Dropped => {
            return server.dropped(Cause::PoolFull, &brought(number, peer, balancer));
        }
    };
    let newcomer = Newcomer {
        tcp,
        peer,
        balancer,
        number,
        slot,
        turned,
        bringer,
        header: None,
        early: Vec::new(),
    };
    // Boxed: the handshake is large and short, and what comes after it is small and long.
    tokio::spawn(Box::pin(serve(server.clone(), shard.clone(), newcomer)));
}

/// A connection of which nothing has been read but a balancer's word.
struct Newcomer {
    tcp: TcpStream,
    /// The client, as far as it is known.
    peer: IpAddr,
    /// Who brings it, where that is not the client.
    balancer: Option<IpAddr>,
    number: u64,
    slot: ConnectionSlot,
    turned: Option<Refusal>,
    bringer: Bringer,
    /// The balancer's word, and what came behind it.
    header: Option<Header>,
    early: Vec<u8>,
}

async fn serve(server: Arc<Server>, shard: Arc<Handle>, newcomer: Newcomer) {
    let deadline = Instant::now() + server.terms().handshake;
    let Some(newcomer) = introduced(&server, newcomer, deadline).await else {
        return;
    };
    let told = newcomer.trail();
    let Newcomer {
        tcp,
        peer,
        balancer,
        number,
        slot,
        turned,
        bringer,
        header,
        early,
    } = newcomer;
    let mut said = Said::default();
    let agreed = match bringer.tls {
        TlsEnd::Balancer(balancer) => {
            let stream = tls::in_the_clear(tcp, early, Ended::by(&balancer));
            Ok((stream, Some(EndedBy { header })))
        }
        TlsEnd::Here(door) => {
            let agreed = agree(&server, &shard, (door, number), tcp, early, &mut said);
            match in_time(deadline, agreed).await {
                Ok(stream) if stream.is_challenge() => return part(stream, deadline).await,
                // TLS has seen to that; nothing but a certificate opens this door all the same.
                Ok(_) if door == Door::ClientCertificates && said.certificate.is_none() => {
                    Err(io::Error::other("no certificate"))
                }
                agreed => agreed.map(|stream| (stream, None)),
            }
        }
    };
    let Said {
        server_name,
        certificate,
    } = said;
    let (stream, ended) = match agreed {
        Ok(agreed) => agreed,
        Err(error) => {
            let trail = Trail {
                certificate,
                ..told
            };
            return tls_failed(&server, &trail, &error);
        }
    };
    let transport = Transport {
        peer,
        balancer,
        server_name,
        certificate,
    };
    let http2 = server.terms().http2;
    if let Some(settings) = http2.filter(|_| stream.speaks_http2()) {
        let newcomer = http2::Newcomer {
            server,
            settings,
            number,
            transport,
            slot,
            turned,
            shard,
        };
        return http2::serve(newcomer, stream, deadline).await;
    }
    let connection = http::Connection::new(server, number, transport, slot, turned, ended, shard);
    http::serve(connection, stream, deadline).await;
}

async fn agree(
    server: &Server,
    shard: &Handle,
    (door, number): (Door, u64),
    tcp: TcpStream,
    early: Vec<u8>,
    said: &mut Said,
) -> io::Result<TlsStream> {
    // Who says nothing takes no turn. `readable` alone may answer before anything is there.
    if early.is_empty() {
        tcp.peek(&mut [0]).await?;
    }
    shard.turnstile.enter(number).await;
    // As late as can be, so that whoever speaks after a reload is shown the new certificate.
    let terms = server.terms();
    let config = match (door, server.acme()) {
        (Door::Public, None) => terms.tls.clone(),
        (Door::Public, Some(acme)) => Some(acme.tls.settings()),
        (Door::ClientCertificates, _) => terms.mutual.clone(),
    };
    let config = config.ok_or_else(|| io::Error::other("nobody may come by this listener"))?;
    tls::accept(tcp, config, early, said).await
}

async fn in_time<T>(deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = |_| Err(io::Error::other("not finished in time"));
    timeout_at(deadline, work).await.unwrap_or_else(late)
}

/// Waits for a balancer's word about whom the connection is from, where there is one to wait for, and counts the connection
/// against them. None if that is the end of it.
async fn introduced(server: &Server, newcomer: Newcomer, deadline: Instant) -> Option<Newcomer> {
    let Some(balancer) = &newcomer.bringer.introduces else {
        return Some(newcomer);
    };
    let said = proxied::introduction(&newcomer.tcp, balancer);
    let said = timeout_at(deadline, said).await;
    let late = |_| Err(proxied::broken(&"not finished in time"));
    let Introduction { header, early } = match said.unwrap_or_else(late) {
        Ok(introduction) => introduction,
        Err(refusal) => {
            server.refused(&newcomer.trail(), &refusal);
            return None;
        }
    };
    let peer = match header.source {
        Source::Client(client) => client,
        Source::Balancer => newcomer.peer,
    };
    let (slot, turned) = match newcomer.slot.attribute(peer) {
        Accepted::Welcome(slot) => (slot, newcomer.turned),
        Accepted::Turned(slot, refusal) => (slot, Some(refusal)),
        Accepted::Dropped => {
            let told = brought(newcomer.number, peer, newcomer.balancer);
            server.dropped(Cause::PoolFull, &told);
            return None;
        }
    };
    Some(Newcomer {
        peer,
        slot,
        turned,
        header: Some(header),
        early,
        ..newcomer
    })
}

impl Newcomer {
    fn trail(&self) -> Trail {
        brought(self.number, self.peer, self.balancer)
    }
}

/// Hangs up on an authority that was answered by the handshake.
async fn part(mut stream: TlsStream, deadline: Instant) {
    let _ = timeout_at(deadline, stream.shutdown()).await;
}

fn tls_failed(server: &Server, trail: &Trail, error: &io::Error) {
    server.metrics.tls_failures.inc();
    let broken = error.get_ref().and_then(|it| it.downcast_ref());
    let refusal = match broken.and_then(tls::refused) {
        Some(why) => Refusal::new(Stage::Tls, Reason::CertificateRefused).because(why),
        None => Refusal::new(Stage::Tls, Reason::TlsFailed).because(error),
    };
    server.refused(trail, &refusal);
}

/// Of a connection that a balancer may have brought.
fn brought(connection: u64, peer: IpAddr, balancer: Option<IpAddr>) -> Trail {
    Trail {
        balancer,
        ..trail(connection, peer)
    }
}

fn trail(connection: u64, peer: IpAddr) -> Trail {
    Trail {
        connection,
        peer: Some(peer),
        ..Trail::default()
    }
}
