//! The plain port, which does one thing: it sends browsers that came in the clear to the https address of what they asked
//! for. It has a thread of its own, so that neither sockets nor operators pay for who comes here, and caps of its own.
//!
//! Nothing of a request is believed or kept. There is no second request on a connection, no upgrade, no cookie, and no
//! `Strict-Transport-Security`, which means nothing in the clear (RFC 6797 §7.2).

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, Uri, header, request};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use wardwire_admission::{
    admit::Trail,
    caps::{Accepted, CapLimits, Caps},
    head,
    host::HostName,
    refusal::{Reason, Refusal, Stage},
};

use crate::{
    acme::Tokens,
    audit::{Cause, Event},
    http::refused_bytes,
    server::Server,
};

/// Connections at once, and of one address.
const LIMITS: CapLimits = CapLimits {
    per_ip: 32,
    per_subject: 0,
    unadmitted: 256,
    sessions: 0,
};
const READ: usize = 4 * 1024;
/// What a peer may still say once it was answered.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 64 * 1024;
/// After an accept that failed.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends whoever connects to `port` of the host they asked for, until the task is dropped.
pub async fn run(server: Arc<Server>, listener: TcpListener, port: u16) {
    let caps = Caps::new(LIMITS);
    loop {
        let Ok((tcp, peer)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let number = server.number();
        let peer = peer.ip().to_canonical();
        let visit = Visit {
            server: server.clone(),
            number,
            peer,
            port,
        };
        // Who comes too often is not told so.
        let Accepted::Welcome(slot) = caps.accept(peer) else {
            server.dropped(Cause::RedirectFull, &visit.trail());
            continue;
        };
        tokio::spawn(async move {
            let _ = visit.serve(tcp).await;
            drop(slot);
        });
    }
}

/// One connection.
struct Visit {
    server: Arc<Server>,
    number: u64,
    peer: IpAddr,
    /// Where https is.
    port: u16,
}

impl Visit {
    async fn serve(&self, mut tcp: TcpStream) -> io::Result<()> {
        let mut received = Vec::new();
        let whole = timeout(
            self.server.terms().handshake,
            read_head(&mut tcp, &mut received),
        )
        .await;
        let answer = match whole {
            // Who said nothing is told nothing.
            Err(_) if received.is_empty() => return Ok(()),
            Err(_) => {
                let late = Refusal::new(Stage::Head, Reason::HandshakeTimeout);
                self.refuse(&self.trail(), &late)
            }
            Ok(Err(error)) => return Err(error),
            Ok(Ok(Err(refusal))) => self.refuse(&self.trail(), &refusal),
            Ok(Ok(Ok(length))) => self.answer(received.get(..length).unwrap_or_default()),
        };
        timeout(LINGER, part(tcp, &answer)).await?
    }

    /// Answers a head that the strict reader has passed.
    fn answer(&self, head: &[u8]) -> Vec<u8> {
        let mut trail = self.trail();
        let parts = match parse(head) {
            Ok(parts) => parts,
            Err(refusal) => return self.refuse(&trail, &refusal),
        };
        trail.path = Trail::begin(self.number, self.peer, &parts).path;
        let response = match self.acme_token(&parts) {
            Some(token) => self.prove(&parts, &token),
            None => self.redirect(&parts),
        };
        let mut answer = match response {
            Ok(response) => crate::http::to_bytes(&response),
            Err(refusal) => self.refuse(&trail, &refusal),
        };
        if parts.method == Method::HEAD
            && let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            // RFC 9110 §9.3.2: the head of the answer, and no more.
            answer.truncate(end + 4);
        }
        answer
    }

    /// The token that an authority asks for, where authorities ask here (RFC 8555 §8.3).
    fn acme_token(&self, parts: &request::Parts) -> Option<String> {
        self.server.acme().filter(|acme| acme.asks_here())?;
        Tokens::asked(parts.uri.path()).map(ToOwned::to_owned)
    }

    /// Shows an authority that a host is ours. A token that nobody is to ask for now is not there.
    fn prove(&self, parts: &request::Parts, token: &str) -> Result<Response<Bytes>, Refusal> {
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Refusal::new(Stage::Head, Reason::MethodNotAllowed));
        }
        let answer = self
            .server
            .acme()
            .and_then(|acme| acme.tokens.answer(token));
        let unknown = || Refusal::new(Stage::Head, Reason::NotFound).because("no such challenge");
        let answer = answer.ok_or_else(unknown)?;
        let mut response = Response::new(Bytes::from(String::from(answer)));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/octet-stream");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok(response)
    }

    fn redirect(&self, parts: &request::Parts) -> Result<Response<Bytes>, Refusal> {
        let bad = |detail: &str| Refusal::new(Stage::Host, Reason::BadHost).because(detail);
        let host = parts.headers.get(header::HOST);
        let host = host.and_then(|value| value.to_str().ok());
        let host = host
            .and_then(HostName::parse)
            .ok_or_else(|| bad("malformed"))?;
        if !self.server.gate.answers_to(&host) {
            let misdirected = Refusal::new(Stage::Host, Reason::Misdirected);
            return Err(misdirected.because("not a host of ours"));
        }
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            return Err(Refusal::new(Stage::Head, Reason::MethodNotAllowed));
        }
        let path = match (parts.uri.authority(), parts.uri.path_and_query()) {
            (None, Some(path)) if path.as_str().starts_with('/') => path.as_str(),
            _ => return Err(malformed("the target is no path")),
        };
        let location = format!("https://{}{path}", self.authority(&host));
        let location = HeaderValue::try_from(location).map_err(|_| malformed("the target"))?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, location);
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        Ok(response)
    }

    fn authority(&self, host: &HostName) -> String {
        let host = match host.as_str() {
            address if address.contains(':') => format!("[{address}]"),
            name => name.to_owned(),
        };
        match self.port {
            443 => host,
            port => format!("{host}:{port}"),
        }
    }

    fn trail(&self) -> Trail {
        Trail {
            connection: self.number,
            peer: Some(self.peer),
            ..Trail::default()
        }
    }

    /// Writes a refusal down, and gives the answer to it.
    fn refuse(&self, trail: &Trail, refusal: &Refusal) -> Vec<u8> {
        self.server.metrics.refusal(refusal);
        let mut event = Event::refusal(trail, refusal);
        event.outcome.stage = Some("redirect");
        self.server.audit.record(event);
        refused_bytes(refusal, &[Method::GET, Method::HEAD])
    }
}

/// Reads until there is a whole head, and tells its length, or the rule it breaks.
async fn read_head(
    tcp: &mut TcpStream,
    received: &mut Vec<u8>,
) -> io::Result<Result<usize, Refusal>> {
    loop {
        match head::examine(received) {
            Ok(Some(facts)) => return Ok(Ok(facts.length)),
            Ok(None) => {}
            Err(refusal) => return Ok(Err(refusal)),
        }
        received.reserve(READ);
        if (&mut *tcp).take(READ as u64).read_buf(received).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The request line and the host of a head.
fn parse(head: &[u8]) -> Result<request::Parts, Refusal> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next(), words.next());
    let target: Uri = target
        .and_then(|target| target.parse().ok())
        .ok_or_else(|| malformed("the target cannot be read"))?;
    let host = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map_or("", |(_, value)| value.trim());
    let request = http::Request::builder()
        .method(method.unwrap_or_default())
        .uri(target)
        .header(header::HOST, host);
    let request = request
        .body(())
        .map_err(|_| malformed("it cannot be read"))?;
    Ok(request.into_parts().0)
}

/// Sends the answer and waits for the peer to hang up, so that a reset does not overtake it.
async fn part(mut tcp: TcpStream, answer: &[u8]) -> io::Result<()> {
    tcp.write_all(answer).await?;
    tcp.shutdown().await?;
    tokio::io::copy(&mut tcp.take(LINGER_BYTES), &mut tokio::io::sink()).await?;
    Ok(())
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Stage::Head, Reason::MalformedHead).because(detail)
}
