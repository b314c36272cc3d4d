//! The operator's listener: loopback, plain HTTP, and a bearer token for everything that tells or changes anything.

use std::{convert::Infallible, io, net::IpAddr, path::Path, sync::Arc, time::Duration};

use aws_lc_rs::constant_time;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};
use wardwire_admission::{admit::Trail, clock::Timestamp, host::HostName, revocation::Revocation};

use crate::{
    audit::Event,
    config::read_file,
    http::{json_response, problem},
    metrics,
    reload::{self, Reloader},
    server::Server,
};

/// What an operator must show. It has no `Debug`.
pub struct Token(Vec<u8>);

const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);
/// Of the token's file.
const LONGEST: usize = 4096;
const BODY: usize = 16 * 1024;
/// By how much a caller's clock may be ahead.
const AHEAD: Duration = Duration::from_secs(3600);

impl Token {
    /// Reads the token's file. White space around the token is not part of it.
    ///
    /// # Errors
    /// It cannot be read, holds less than 32 bytes, or what no header can.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = read_file(path)?;
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

    /// What is wrong with what a request shows.
    fn judge(&self, head: &Parts) -> Result<(), Refused> {
        let refused = |reason| Refused {
            status: StatusCode::UNAUTHORIZED,
            code: "unauthenticated",
            reason,
        };
        let mut lines = head.headers.get_all(header::AUTHORIZATION).iter();
        let line = lines.next().ok_or(refused("credential-missing"))?;
        let shown = line.as_bytes().strip_prefix(b"Bearer ");
        let opens = lines.next().is_none()
            && shown.is_some_and(|shown| {
                constant_time::verify_slices_are_equal(shown, &self.0).is_ok()
            });
        opens.then_some(()).ok_or(refused("credential-malformed"))
    }
}

/// Serves operators until the task is dropped.
pub async fn run(
    server: Arc<Server>,
    listener: TcpListener,
    token: Arc<Token>,
    reloader: Option<Arc<Reloader>>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok((tcp, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            continue;
        };
        let (server, token) = (server.clone(), token.clone());
        let reloader = reloader.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let (server, token) = (server.clone(), token.clone());
                let reloader = reloader.clone();
                async move {
                    let to = To {
                        server: &server,
                        token: &token,
                        reloader: reloader.as_ref(),
                    };
                    let response = respond(to, peer.ip(), request).await;
                    Ok::<_, Infallible>(response.map(Full::new))
                }
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

/// A request that is not answered, and why; the reason goes to the audit log only.
struct Refused {
    status: StatusCode,
    code: &'static str,
    reason: &'static str,
}

/// What a request is about.
#[derive(Clone, Copy)]
struct To<'a> {
    server: &'a Server,
    token: &'a Token,
    reloader: Option<&'a Arc<Reloader>>,
}

async fn respond(to: To<'_>, peer: IpAddr, request: Request<Incoming>) -> Response<Bytes> {
    let server = to.server;
    let (head, body) = request.into_parts();
    let trail = Trail::begin(0, peer, &head);
    let mut response = match answer(to, &head, body, &trail).await {
        Ok(response) => response,
        Err(refused) => {
            let mut event = Event::new("refusal").about(&trail);
            event.outcome.stage = Some("admin");
            event.outcome.reason = Some(refused.reason.into());
            event.outcome.status = Some(refused.status.as_u16());
            server.audit.record(event);
            let mut response = problem(refused.status, refused.code);
            if refused.status == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer");
                response
                    .headers_mut()
                    .insert(header::WWW_AUTHENTICATE, scheme);
            }
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

async fn answer(
    to: To<'_>,
    head: &Parts,
    body: Incoming,
    trail: &Trail,
) -> Result<Response<Bytes>, Refused> {
    let To {
        server,
        token,
        reloader,
    } = to;
    from_an_operator(head)?;
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/health/live") => return Ok(text("ok\n")),
        (&Method::GET, "/health/ready") => {
            let certified = server.acme().is_none_or(|acme| acme.tls.is_ready());
            let ready = !server.gate.is_draining() && server.audit.is_healthy() && certified;
            return Ok(match ready {
                true => text("ok\n"),
                false => problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            });
        }
        _ => token.judge(head)?,
    }
    let response = match (&head.method, head.uri.path()) {
        (&Method::GET, "/metrics") => text(&metrics::render(server)),
        (&Method::POST, "/revocations") => match revoke(server, body, trail).await {
            // It has an event of its own.
            Ok(response) => return Ok(response),
            Err(detail) => bad(detail),
        },
        // Its event does not say who asked.
        (&Method::POST, "/reload") => reload::respond(reloader).await,
        _ => problem(StatusCode::NOT_FOUND, "not-found"),
    };
    let method = named(&head.method);
    let status = response.status().as_u16();
    server
        .audit
        .record(Event::admin_call(trail, method, status));
    Ok(response)
}

/// A method as it may be written down: one that nobody has heard of can be any text.
fn named(method: &Method) -> &str {
    const KNOWN: [Method; 7] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
        Method::OPTIONS,
    ];
    match KNOWN.contains(method) {
        true => method.as_str(),
        false => "another method",
    }
}

/// No page has any business here, be it by DNS rebinding or across sites: a browser says more than an operator's tool.
fn from_an_operator(head: &Parts) -> Result<(), Refused> {
    if !is_loopback(head) {
        return Err(Refused {
            status: StatusCode::MISDIRECTED_REQUEST,
            code: "misdirected",
            reason: "misdirected",
        });
    }
    let site = head.headers.get("sec-fetch-site");
    if head.headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none") {
        return Err(Refused {
            status: StatusCode::FORBIDDEN,
            code: "origin-not-allowed",
            reason: "origin-not-allowed",
        });
    }
    Ok(())
}

/// Against DNS rebinding: a page's name for this listener is not a loopback name.
fn is_loopback(head: &Parts) -> bool {
    let mut lines = head.headers.get_all(header::HOST).iter();
    let host = lines.next().and_then(|value| value.to_str().ok());
    let host = host.filter(|_| lines.next().is_none());
    host.and_then(HostName::parse).is_some_and(|host| {
        host.as_str() == "localhost"
            || host
                .as_str()
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}

fn text(body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body.as_bytes()));
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

/// An operator, who has shown the token, is told what is wrong.
fn bad(detail: &str) -> Response<Bytes> {
    let body = json!({
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "code": "bad-request",
        "detail": detail,
    });
    let mut response = json_response(StatusCode::BAD_REQUEST, &body);
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// `{"issuer", "token" | "session" | "subject", "issued_before"}`: one of the three, or none for the whole issuer.
///
/// A member that is there says something: a `null` or an empty name, as of a script's unset variable, never widens what
/// is taken back.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(deserialize_with = "name")]
    issuer: Box<str>,
    #[serde(default, deserialize_with = "some_name")]
    token: Option<Box<str>>,
    #[serde(default, deserialize_with = "some_name")]
    session: Option<Box<str>>,
    #[serde(default, deserialize_with = "some_name")]
    subject: Option<Box<str>>,
    /// Seconds since 1970; without it, now.
    #[serde(default, deserialize_with = "some_time")]
    issued_before: Option<u64>,
}

fn name<'de, D: Deserializer<'de>>(source: D) -> Result<Box<str>, D::Error> {
    let name = Box::<str>::deserialize(source)?;
    match name.is_empty() {
        true => Err(D::Error::custom("a name is empty")),
        false => Ok(name),
    }
}

fn some_name<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Box<str>>, D::Error> {
    name(source).map(Some)
}

fn some_time<'de, D: Deserializer<'de>>(source: D) -> Result<Option<u64>, D::Error> {
    u64::deserialize(source).map(Some)
}

impl Asked {
    fn revocation(self, now: Timestamp) -> Result<Revocation, &'static str> {
        let Self {
            issuer,
            token,
            session,
            subject,
            issued_before,
        } = self;
        let before = issued_before.map_or(now, Timestamp::from_secs);
        // Milliseconds, most likely: nothing that is issued in the next 50,000 years would count.
        if before > now.after(AHEAD) {
            return Err("issued_before lies ahead; it counts seconds since 1970");
        }
        match (token, session, subject) {
            (Some(id), None, None) if issued_before.is_none() => {
                Ok(Revocation::Token { issuer, id })
            }
            (None, Some(id), None) if issued_before.is_none() => {
                Ok(Revocation::Session { issuer, id })
            }
            (None, None, Some(subject)) => Ok(Revocation::Subject {
                issuer,
                subject,
                issued_before: before,
            }),
            (None, None, None) => Ok(Revocation::Issuer {
                issuer,
                issued_before: before,
            }),
            _ => Err(
                "name one of token, session and subject; issued_before goes with the last, or with none",
            ),
        }
    }
}

async fn revoke(
    server: &Server,
    body: Incoming,
    trail: &Trail,
) -> Result<Response<Bytes>, &'static str> {
    let body = Limited::new(body, BODY).collect().await;
    let body = body.map_err(|_| "the body is cut short or too large")?;
    let asked: Asked = serde_json::from_slice(&body.to_bytes()).map_err(|_| {
        "write {\"issuer\": ..., \"token\" | \"session\" | \"subject\": ..., \"issued_before\": ...}"
    })?;
    if !server.gate.trusts(&asked.issuer) {
        return Err("no such issuer is trusted; write it exactly as its tokens' `iss` does");
    }
    let revocation = asked.revocation(server.gate.now())?;
    let ended = server.gate.revoke(&revocation);
    server
        .audit
        .record(revoked(trail.clone(), &revocation, ended));
    Ok(json_response(StatusCode::OK, &json!({ "ended": ended })))
}

fn revoked(trail: Trail, revocation: &Revocation, ended: usize) -> Event {
    let mut event = Event::new("revocation");
    event.trail = trail;
    event.outcome.status = Some(StatusCode::OK.as_u16());
    let (issuer, detail) = match revocation {
        Revocation::Token { issuer, id } => (issuer, format!("token {id}")),
        Revocation::Session { issuer, id } => (issuer, format!("session {id}")),
        Revocation::Subject {
            issuer,
            subject,
            issued_before,
        } => {
            event.trail.subject = Some(subject.clone());
            (issuer, issued(*issued_before))
        }
        Revocation::Issuer {
            issuer,
            issued_before,
        } => (issuer, format!("everything {}", issued(*issued_before))),
    };
    event.trail.issuer = Some(issuer.clone());
    event.outcome.detail = Some(detail.into());
    event.outcome.ended = Some(ended);
    event
}

fn issued(before: Timestamp) -> String {
    format!("issued up to {}", before.as_secs())
}
