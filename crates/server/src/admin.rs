//! The operator's listener: loopback, plain HTTP, and a bearer token for everything that tells or changes anything.

use std::{convert::Infallible, net::IpAddr, slice, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{net::TcpListener, sync::Semaphore};
use wardwire_admission::{admit::Trail, host::HostName, refusal::Reason};

use crate::{
    audit::Event,
    bearer::{self, Bearer},
    http::{json_response, problem},
    metrics,
    reload::{self, Reloader},
    revocations,
    server::Server,
};

const CONNECTIONS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);
const BODY: usize = 16 * 1024;

/// Serves operators until the task is dropped.
pub async fn run(
    server: Arc<Server>,
    listener: TcpListener,
    token: Arc<Bearer>,
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
    token: &'a Bearer,
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
        _ => bearer::judge(&head.headers, slice::from_ref(token)).map_err(unproved)?,
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

fn unproved(reason: Reason) -> Refused {
    Refused {
        status: reason.status(),
        code: reason.public_code(),
        reason: reason.code(),
    }
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

async fn revoke(
    server: &Server,
    body: Incoming,
    trail: &Trail,
) -> Result<Response<Bytes>, &'static str> {
    let body = Limited::new(body, BODY).collect().await;
    let body = body.map_err(|_| "the body is cut short or too large")?;
    let ended = revocations::revoke(server, &body.to_bytes(), trail).await?;
    Ok(json_response(StatusCode::OK, &json!({ "ended": ended })))
}
