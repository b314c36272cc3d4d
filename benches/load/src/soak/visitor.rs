//! Visitors from the page that comes and goes, who try to enter all the time: beside reloads, and right behind them.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use wardwire_protocol::handshake;

use super::{Tally, operator::GUEST};
use crate::{
    Failure,
    client::{Group, settings, settings_for_any},
    server::{Certificate, Running, Tokens},
};

/// The server as visitors see it, and what they may expect of it.
pub(super) struct Door {
    address: SocketAddr,
    tokens: Arc<Tokens>,
    any: Arc<ClientConfig>,
    rules: Mutex<Rules>,
}

/// What is known of whether the guest is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rules {
    listed: bool,
    /// A reload is under way, which may hold already or not yet.
    changing: bool,
    /// Of reloads.
    number: u64,
}

/// A reload that was asked for.
pub(super) struct Changing<'a>(&'a Door);

const PATIENCE: Duration = Duration::from_secs(20);

impl Door {
    pub(super) fn of(server: &Running, certificates: &[Certificate]) -> Result<Self, Failure> {
        let all = certificates.iter().map(|it| it.leaf.clone()).collect();
        Ok(Self {
            address: server.address,
            tokens: server.tokens.clone().ok_or("no tokens")?,
            any: settings_for_any(Group::X25519, all)?,
            rules: Mutex::new(Rules {
                listed: false,
                changing: false,
                number: 0,
            }),
        })
    }

    /// From now on until it has answered, the guest is listed or not.
    pub(super) fn changing(&self, listed: bool) -> Changing<'_> {
        let mut rules = self.rules();
        rules.changing = true;
        rules.listed = listed;
        rules.number += 1;
        Changing(self)
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of a handshake from the guest, with a server that shows this certificate, or any.
    pub(super) fn knock(&self, certificate: Option<&Certificate>) -> Result<u16, String> {
        let visit = self.visit(certificate);
        visit
            .map(|visit| visit.status)
            .map_err(|error| error.to_string())
    }

    fn visit(&self, certificate: Option<&Certificate>) -> Result<Visit, Failure> {
        let tls = match certificate {
            Some(certificate) => settings(Group::X25519, certificate.leaf.clone())?,
            None => self.any.clone(),
        };
        let tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let session = ClientConnection::new(tls, ServerName::try_from("localhost")?)?;
        let mut stream = StreamOwned::new(session, tcp);
        let bearer = format!("Bearer {}", self.tokens.mint("visitor")?);
        let fields = [
            ("Authorization", &*bearer),
            ("Origin", GUEST),
            ("Sec-WebSocket-Protocol", "wardwire.v1"),
        ];
        let head = handshake::request_head("localhost", "/live", *b"a nonce of load.", &fields);
        stream.write_all(head.as_bytes())?;
        let mut line = [0; 12];
        stream.read_exact(&mut line)?;
        let status = line.get(9..).and_then(|it| std::str::from_utf8(it).ok());
        let status = status.and_then(|it| it.parse().ok()).ok_or("no status")?;
        Ok(Visit { stream, status })
    }
}

impl Changing<'_> {
    /// Whoever knocks from now on meets the new rules.
    pub(super) fn answered(self) {
        self.0.rules().changing = false;
    }
}

/// One that was answered, and is still there.
struct Visit {
    stream: StreamOwned<ClientConnection, TcpStream>,
    status: u16,
}

impl Visit {
    /// Whether the server ends it, as it must once its page is not listed any more.
    fn ends(mut self) -> bool {
        let begun = Instant::now();
        let mut rest = [0; 4096];
        while begun.elapsed() < PATIENCE {
            match self.stream.read(&mut rest) {
                // 0x88 begins a Close frame (RFC 6455 §5.5.1), and nothing else is sent to a visitor but pings.
                Ok(0) => return true,
                Ok(count) if rest.get(..count).is_some_and(|it| it.contains(&0x88)) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != std::io::ErrorKind::WouldBlock,
            }
        }
        false
    }
}

/// Somebody who knocks again and again.
pub(super) struct Visitor(JoinHandle<Tally>);

impl Visitor {
    pub(super) fn begin(door: Arc<Door>, over: Arc<AtomicBool>) -> Self {
        Self(std::thread::spawn(move || {
            let mut tally = Tally::default();
            let mut inside: Vec<Visit> = Vec::new();
            while !over.load(Ordering::Relaxed) {
                knock(&door, &mut inside, &mut tally);
            }
            tally
        }))
    }

    pub(super) fn join(self) -> Result<Tally, Failure> {
        self.0.join().map_err(|_| "the visitor broke down".into())
    }
}

fn knock(door: &Door, inside: &mut Vec<Visit>, tally: &mut Tally) {
    let before = *door.rules();
    let visit = door.visit(None);
    let after = *door.rules();
    let steady = !before.changing && before == after;
    match visit {
        Ok(visit) if visit.status == 101 => {
            if steady && !before.listed {
                let number = before.number;
                tally.broken.push(format!("let in behind reload {number}"));
            }
            tally.admitted += 1;
            inside.push(visit);
        }
        Ok(visit) => match visit.status {
            503 => tally.overtaken += 1,
            403 if !(steady && before.listed) => tally.refused += 1,
            status => tally
                .broken
                .push(format!("{status} behind reload {}", before.number)),
        },
        Err(error) => tally.broken.push(format!("no answer: {error}")),
    }
    // Whoever came in while the guest was listed, or in the very moment of a reload, has to go when it is not.
    let gone = *door.rules();
    if !gone.changing && !gone.listed {
        for visit in inside.drain(..) {
            if !visit.ends() {
                tally
                    .broken
                    .push(format!("still inside behind reload {}", gone.number));
            }
        }
    }
    std::thread::sleep(Duration::from_millis(20));
}
