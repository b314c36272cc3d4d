//! The operator's listener: loopback, plain HTTP, and a bearer token for everything that tells or changes anything.

use std::{
    convert::Infallible,
    fs::File,
    io::{self, Read as _},
    net::IpAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::constant_time;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};
use wardwire_admission::{clock::Timestamp, host::HostName, revocation::Revocation};

use crate::{
    audit::Event,
    http::{json_response, problem},
    server::Server,
};

/// What an operator must show. It has no `Debug`.
pub struct Token(Vec<u8>);

const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the token's file.
const LONGEST: usize = 4096;
const BODY: usize = 16 * 1024;

impl Token {
    /// Reads the token's file. White space around the token is not part of it.
    ///
    /// # Errors
    /// It cannot be read, holds less than 32 bytes, or what no header can.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut text = Vec::new();
        File::open(path)?
            .take(LONGEST as u64 + 1)
            .read_to_end(&mut text)?;
        let token = text.trim_ascii();
        if token.len() < 32 {
            return Err(io::Error::other("it is shorter than 32 bytes"));
        }
        if text.len() > LONGEST {
            return Err(io::Error::other("it is longer than 4 KiB"));
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(io::Error::other("it holds more than visible ASCII"));
        }
        Ok(Self(token.to_vec()))
    }

    fn opens(&self, request: &Request<Incoming>) -> bool {
        let mut lines = request.headers().get_all(header::AUTHORIZATION).iter();
        let shown = lines
            .next()
            .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
        lines.next().is_none()
            && shown
                .is_some_and(|shown| constant_time::verify_slices_are_equal(shown, &self.0).is_ok())
    }
}

/// Serves operators until the task is dropped.
pub async fn run(server: Arc<Server>, listener: TcpListener, token: Arc<Token>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((tcp, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let (server, token) = (server.clone(), token.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (server, token) = (server.clone(), token.clone());
                async move { Ok::<_, Infallible>(answer(&server, &token, request).await.map(Full::new)) }
            });
            let mut http = http1::Builder::new();
            let served = http
                .keep_alive(false)
                .serve_connection(TokioIo::new(tcp), service);
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(place);
        });
    }
}

async fn answer(server: &Server, token: &Token, request: Request<Incoming>) -> Response<Bytes> {
    if !is_loopback(&request) {
        return problem(StatusCode::MISDIRECTED_REQUEST, "misdirected");
    }
    if request.headers().contains_key(header::ORIGIN) {
        return problem(StatusCode::FORBIDDEN, "origin-not-allowed");
    }
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/health/live") => text("ok\n"),
        (&Method::GET, "/health/ready")
            if server.gate.is_draining() || !server.audit.is_healthy() =>
        {
            problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
        (&Method::GET, "/health/ready") => text("ok\n"),
        _ if !token.opens(&request) => unauthenticated(),
        (&Method::GET, "/metrics") => text(
            &server
                .metrics
                .render(&server.gate, server.audit.is_healthy()),
        ),
        (&Method::POST, "/revocations") => revoke(server, request).await,
        _ => problem(StatusCode::NOT_FOUND, "not-found"),
    }
}

/// Against DNS rebinding: a page's name for this listener is not a loopback name.
fn is_loopback(request: &Request<Incoming>) -> bool {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    host.and_then(HostName::parse).is_some_and(|host| {
        host.as_str() == "localhost"
            || host
                .as_str()
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

fn unauthenticated() -> Response<Bytes> {
    let mut response = problem(StatusCode::UNAUTHORIZED, "unauthenticated");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

fn text(body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// `{"issuer", "token" | "session" | "subject", "issued_before"}`: one of the three, or none for the whole issuer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    issuer: Box<str>,
    token: Option<Box<str>>,
    session: Option<Box<str>>,
    subject: Option<Box<str>>,
    /// Seconds since 1970; without it, now.
    issued_before: Option<u64>,
}

impl Asked {
    fn revocation(self, now: Timestamp) -> Option<Revocation> {
        let Self {
            issuer,
            token,
            session,
            subject,
            issued_before,
        } = self;
        let before = issued_before.map_or(now, Timestamp::from_secs);
        match (token, session, subject) {
            (Some(id), None, None) if issued_before.is_none() => {
                Some(Revocation::Token { issuer, id })
            }
            (None, Some(id), None) if issued_before.is_none() => {
                Some(Revocation::Session { issuer, id })
            }
            (None, None, Some(subject)) => Some(Revocation::Subject {
                issuer,
                subject,
                issued_before: before,
            }),
            (None, None, None) => Some(Revocation::Issuer {
                issuer,
                issued_before: before,
            }),
            _ => None,
        }
    }
}

async fn revoke(server: &Server, request: Request<Incoming>) -> Response<Bytes> {
    let bad = || problem(StatusCode::BAD_REQUEST, "bad-request");
    let Ok(body) = Limited::new(request.into_body(), BODY).collect().await else {
        return bad();
    };
    let Ok(asked) = serde_json::from_slice::<Asked>(&body.to_bytes()) else {
        return bad();
    };
    let mut event = Event::new("revocation");
    event.trail.issuer = Some(asked.issuer.clone());
    event.trail.subject.clone_from(&asked.subject);
    let Some(revocation) = asked.revocation(server.gate.now()) else {
        return bad();
    };
    let ended = server.gate.revoke(&revocation);
    event.outcome.ended = Some(ended);
    server.audit.record(event);
    json_response(StatusCode::OK, &json!({ "ended": ended }))
}
