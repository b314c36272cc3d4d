//! Ordinary HTTP before the upgrade. Over HTTP/1.1 that is one strictly checked request after another, each answered
//! within its time; over HTTP/2 the requests come from [`http2`](crate::http2).
//!
//! [`guarded`] checks the raw bytes, hyper parses them, this module routes them: to [`api`], to the handshake, or to a
//! [`Site`]. Every refusal is written down.

mod api;
mod backend;
mod cors;
mod guarded;
mod media;
mod problem;
mod sign_in;

use std::{convert::Infallible, future::Future, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header, request};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use wardwire_admission::{
    admit::{OriginChecked, Trail, Transport},
    caps::{ConnectionSlot, Place},
    head::BACKEND,
    refusal::{Reason, Refusal, Stage},
};

pub use guarded::Guarded;
pub(crate) use media::{json_response, json_text, require_json};
pub use problem::problem;
pub(crate) use problem::{refused_bytes, to_bytes};

use crate::{
    handshake::{self, Departure},
    proxied::EndedBy,
    server::Server,
    shard::Handle,
    tls::TlsStream,
};
use guarded::Exchange;

/// One connection before its upgrade; over HTTP/2, one of its streams.
pub struct Connection {
    /// What all connections share.
    pub server: Arc<Server>,
    /// Names it in the audit log.
    pub number: u64,
    /// Its place in the order of those who want something.
    order: u64,
    /// Where it came in.
    pub transport: Transport,
    /// Its place, until the upgrade takes it.
    pub place: Place,
    /// Where it was accepted.
    pub shard: Arc<Handle>,
    /// Why it may ask for nothing.
    turned: Option<Refusal>,
    /// The balancer that ended TLS, if one did.
    ended: Option<EndedBy>,
    /// Its socket, once that is admitted.
    departure: Mutex<Option<Departure>>,
}

/// Pages and endpoints beside Wardwire's own. It sees only requests for a host of ours, from an allowed page or none.
pub trait Site: Send + Sync {
    /// Answers a request, if the path is one of its own.
    ///
    /// # Errors
    /// A refusal, which is written down like any other.
    fn respond(
        &self,
        server: &Server,
        request: &SiteRequest<'_>,
    ) -> Option<Result<Response<Bytes>, Refusal>>;
}

/// A request to a [`Site`].
pub struct SiteRequest<'a> {
    /// Its head.
    pub head: &'a request::Parts,
    /// The same, with host and origin judged.
    pub checked: &'a OriginChecked<'a>,
    /// Its body, at most 16 KiB.
    pub body: &'a Bytes,
    /// What the audit log is told of it.
    pub trail: &'a Trail,
}

impl Connection {
    /// A connection that holds `slot`. With `turned`, every request is refused with it.
    #[must_use]
    pub fn new(
        server: Arc<Server>,
        number: u64,
        transport: Transport,
        slot: ConnectionSlot,
        turned: Option<Refusal>,
        ended: Option<EndedBy>,
        shard: Arc<Handle>,
    ) -> Self {
        Self {
            server,
            number,
            order: number,
            transport,
            place: Place::new(slot),
            shard,
            turned,
            ended,
            departure: Mutex::new(None),
        }
    }

    /// A stream of an HTTP/2 connection, which queues up for itself.
    #[must_use]
    pub(crate) fn of_stream(
        server: Arc<Server>,
        number: u64,
        transport: Transport,
        place: Place,
        turned: Option<Refusal>,
        shard: Arc<Handle>,
    ) -> Self {
        Self {
            order: server.number(),
            server,
            number,
            transport,
            place,
            shard,
            turned,
            ended: None,
            departure: Mutex::new(None),
        }
    }

    /// Waits for its turn, if it may ask for anything: what follows costs as much as a signature.
    pub(crate) async fn enter(&self) -> Result<(), Refusal> {
        if let Some(refusal) = &self.turned {
            return Err(refusal.clone());
        }
        self.shard.turnstile.enter(self.order).await;
        Ok(())
    }

    /// Whom a request is from, who is counted for it, and that they came over TLS.
    fn client(&self, headers: &HeaderMap, trail: &mut Trail) -> Result<(), Refusal> {
        let Some(ended) = &self.ended else {
            return Ok(());
        };
        // By the list that holds now, which may have changed since the balancer connected.
        let rules = self.server.gate.rules();
        let list = rules.balancers.ending_tls.as_ref();
        let balancer = list.and_then(|list| list.vouch(self.transport.connected()));
        let untrusted = || Refusal::new(Stage::Proxy, Reason::ProxyUntrusted);
        let balancer = balancer.ok_or_else(untrusted)?;
        if let Some(client) = ended.client(&balancer, headers)? {
            trail.peer = Some(client);
            self.place.attribute(client)?;
        }
        ended.check_tls(&balancer, headers)
    }

    /// Its socket leaves when HTTP has let go of it.
    pub(crate) fn depart(&self, departure: Departure) {
        *self.departure.lock() = Some(departure);
    }
}

/// Serves a connection until it is upgraded, closed, or out of time.
pub async fn serve(connection: Connection, stream: TlsStream, deadline: Instant) {
    let connection = Arc::new(connection);
    let exchange = Exchange::new(deadline, connection.server.terms().handshake);
    let refusing = connection.clone();
    let refuse = move |refusal: &Refusal| {
        let trail = Trail {
            connection: refusing.number,
            peer: Some(refusing.transport.peer),
            balancer: refusing.transport.balancer,
            certificate: refusing.transport.certificate.clone(),
            ..Trail::default()
        };
        refusing.server.refused(&trail, refusal);
        problem::to_bytes(&problem::refused(refusal))
    };
    let guarded = Guarded::new(stream, exchange.clone(), Box::new(refuse));
    let service = service_fn(|request| {
        let (connection, exchange) = (connection.clone(), exchange.clone());
        async move {
            let response = answer(&connection, request, exchange.deadline()).await;
            exchange.answered();
            Ok::<_, Infallible>(response.map(Full::new))
        }
    });
    let served = http1::Builder::new()
        .half_close(true)
        .max_headers(wardwire_admission::head::FIELDS)
        .serve_connection(TokioIo::new(guarded), service)
        .with_upgrades()
        .await;
    if let Err(error) = served {
        tracing::debug!(connection = connection.number, %error, "connection ended");
    }
    let departure = connection.departure.lock().take();
    if let Some(departure) = departure {
        departure.arrive(&connection.shard).await;
    }
}

/// Answers one request within its time.
async fn answer(
    connection: &Arc<Connection>,
    request: Request<Incoming>,
    deadline: Instant,
) -> Response<Bytes> {
    let asked = Asked::of(request.method(), request.uri(), request.headers());
    let mut trail = Trail::default();
    let outcome = timeout_at(deadline, route(connection, request, deadline, &mut trail)).await;
    let timeout = || Refusal::new(Stage::Head, Reason::HandshakeTimeout);
    let outcome = outcome.unwrap_or_else(|_| Err(timeout()));
    concluded(&connection.server, outcome, &trail, &asked)
}

/// What a refusal has to know of a request.
pub(crate) struct Asked {
    method: Method,
    path: Box<str>,
    /// Whether a person reads it.
    wants_page: bool,
}

impl Asked {
    pub(crate) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        Self {
            method: method.clone(),
            path: uri.path().into(),
            wants_page: sign_in::page::is_wanted(uri.path(), headers),
        }
    }

    fn shown(&self, server: &Server, refusal: &Refusal) -> Response<Bytes> {
        if self.wants_page {
            let has_login = server.gate.rules().issuers.has_one_provider();
            return sign_in::page::of(refusal, &self.path, has_login);
        }
        problem::refused(refusal)
    }
}

/// What a request comes to: its response, or its refusal, which is written down.
pub(crate) fn concluded(
    server: &Server,
    outcome: Result<Response<Bytes>, Refusal>,
    trail: &Trail,
    asked: &Asked,
) -> Response<Bytes> {
    let mut response = match outcome {
        Ok(response) => response,
        Err(refusal) => {
            server.refused(trail, &refusal);
            let mut response = asked.shown(server, &refusal);
            let methods = methods(&asked.path);
            if let (Some(allow), Some(methods)) =
                (response.headers_mut().get_mut(header::ALLOW), methods)
            {
                *allow = HeaderValue::from_static(methods);
            }
            if is_ours(&asked.path) && asked.method != Method::OPTIONS {
                cors::allow(server, trail.origin.as_deref(), &mut response);
            }
            response
        }
    };
    secure(server, &mut response);
    response
}

async fn route(
    connection: &Arc<Connection>,
    mut request: Request<Incoming>,
    deadline: Instant,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let server = &connection.server;
    let upgrade = hyper::upgrade::on(&mut request);
    let (head, body) = request.into_parts();
    let transport = &connection.transport;
    *trail = Trail::begin(connection.number, transport.peer, &head);
    trail.balancer = transport.balancer;
    trail.certificate = transport.certificate.clone();
    connection.client(&head.headers, trail)?;
    connection.enter().await?;
    if server.gate.rules().routes.find(head.uri.path()).is_some() {
        return handshake::upgrade(connection, &head, upgrade, trail).await;
    }
    ordinary(connection, &head, collect(body, deadline), trail).await
}

async fn collect(body: Incoming, deadline: Instant) -> Result<Bytes, Refusal> {
    let late = |_| Refusal::new(Stage::Head, Reason::HandshakeTimeout);
    let body = timeout_at(deadline, body.collect()).await.map_err(late)?;
    let cut =
        |_| Refusal::new(Stage::Head, Reason::MalformedHead).because("the body was cut short");
    Ok(body.map_err(cut)?.to_bytes())
}

/// Answers a request that leads to no socket. Its body is read only if it is for a host of ours, from an allowed page or
/// none.
pub(crate) async fn ordinary(
    connection: &Connection,
    head: &request::Parts,
    body: impl Future<Output = Result<Bytes, Refusal>>,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let server = &connection.server;
    let checked = server.gate.check(head, &connection.transport)?;
    if head.uri.path() == BACKEND {
        backend::judge(server, head, trail)?;
        return backend::respond(connection, &body.await?, trail).await;
    }
    let body = body.await?;
    if is_ours(head.uri.path()) {
        return api::respond(server, head, &checked, &body, trail).await;
    }
    if sign_in::is_ours(head.uri.path()) {
        return sign_in::respond(server, head, &checked, &body, trail).await;
    }
    // No page is a tunnel.
    if head.method == Method::CONNECT {
        return Err(Refusal::new(Stage::Head, Reason::NotFound));
    }
    let request = SiteRequest {
        head,
        checked: &checked,
        body: &body,
        trail,
    };
    let page = server
        .site
        .as_ref()
        .and_then(|site| site.respond(server, &request));
    page.unwrap_or_else(|| Err(Refusal::new(Stage::Head, Reason::NotFound)))
}

/// What an endpoint of ours takes (RFC 9110 §10.2.1).
fn methods(path: &str) -> Option<&'static str> {
    match path {
        api::TICKETS | BACKEND => Some("POST"),
        api::SESSION => Some("GET, DELETE"),
        _ => sign_in::methods(path),
    }
}

fn is_ours(path: &str) -> bool {
    matches!(path, api::TICKETS | api::SESSION)
}

/// What every response says.
fn secure(server: &Server, response: &mut Response<Bytes>) {
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if server.terms().hsts {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
}
