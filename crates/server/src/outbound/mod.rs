//! The way out: fetching small JSON documents from issuers, speaking with a certificate authority, and nothing else.
//!
//! A URL comes from the configuration or from a document of an issuer or of that authority, so it may be wrong or hostile: it may mean this
//! machine, its neighbours or a cloud's metadata service. A name is therefore resolved once, every address is judged, and
//! the connection goes to an address that was judged: a second answer of the name server changes nothing. Redirects are
//! not followed, because whoever answers could send us anywhere.

mod address;
#[cfg(test)]
mod tests;
mod url;
mod ways;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use ipnet::IpNet;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use wardwire_admission::fetch::{Document, Fetch, FetchError, Fetching, Form, Posting, Reply};

use self::url::HttpsUrl;
pub use self::ways::Ways;

/// The largest document, in bytes.
const LARGEST: usize = 256 * 1024;
/// From the name look-up to the last byte.
const TIME: Duration = Duration::from_secs(5);
/// To one address, so that one that is silent leaves time for the next.
const CONNECT_TIME: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 4;
/// The response's head.
const HEAD: usize = 16 * 1024;
const FIELDS: usize = 64;

/// Fetches documents over https.
pub struct Outbound {
    allow: Vec<IpNet>,
    tls: TlsConnector,
    time: Duration,
}

/// Why nothing can be fetched at all.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// An extra root that cannot be read.
    #[error("an extra certificate authority cannot be used: {0}")]
    Authority(String),
    /// TLS cannot be set up.
    #[error("TLS for outbound calls cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl Outbound {
    /// Trusts the certificate authorities in `authorities` (PEM, one or several in each) and no others, or the system's if
    /// there are none; reaches public addresses and those in `allow`.
    ///
    /// # Errors
    /// If an authority cannot be read.
    pub fn new(allow: Vec<IpNet>, authorities: &[Vec<u8>]) -> Result<Self, OutboundError> {
        let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            allow,
            tls: TlsConnector::from(Arc::new(tls)),
            time: TIME,
        })
    }

    /// The same, with another time for a whole fetch.
    #[must_use]
    pub fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Asks with this method, these fields and this body, and returns whatever the answer is. It is for one known server:
    /// where a document of an issuer is wanted, [`Fetch`] takes nothing but a 200.
    ///
    /// # Errors
    /// As [`Fetch::get`], but for the status.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, FetchError> {
        let asked = request.uri().to_string();
        let exchange = async {
            let url = HttpsUrl::parse(&asked)?;
            let (response, _connection) = self.begin(&asked, url, request).await?;
            let (head, body) = response.into_parts();
            Ok(Response::from_parts(head, whole(&asked, body).await?))
        };
        let late = |_| Err(unreachable(&asked, "it took too long".to_owned()));
        timeout(self.time, exchange).await.unwrap_or_else(late)
    }

    async fn fetch(&self, asked: &str) -> Result<Document, FetchError> {
        let mut request = Request::new(Bytes::new());
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::ACCEPT, json);
        let url = HttpsUrl::parse(asked)?;
        let (response, _connection) = self.begin(asked, url, request).await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status {
                url: asked.to_owned(),
                status: response.status().as_u16(),
            });
        }
        let (head, body) = response.into_parts();
        Ok(Document {
            body: whole(asked, body).await?.into(),
            max_age: max_age(&head.headers),
        })
    }

    /// Sends a request and reads the head of what is answered. Dropping the set ends the connection, however this ends.
    async fn begin(
        &self,
        asked: &str,
        url: HttpsUrl,
        request: Request<Bytes>,
    ) -> Result<(Response<Incoming>, JoinSet<()>), FetchError> {
        let addresses = self.resolve(&url).await.map_err(|error| match error {
            Unresolved::Forbidden(address) => FetchError::Forbidden {
                host: url.host.clone(),
                address,
            },
            Unresolved::Failed(cause) => unreachable(asked, cause),
        })?;
        let stream = connect(&addresses).await;
        let stream = stream.map_err(|cause| unreachable(asked, cause))?;
        let mut connections = JoinSet::new();
        let response = match url.is_plain {
            true => ask(&url, request, stream, &mut connections).await,
            false => {
                let agreed = self.tls.connect(url.name.clone(), stream).await;
                let stream = agreed.map_err(|error| unreachable(asked, error.to_string()))?;
                ask(&url, request, stream, &mut connections).await
            }
        };
        let response = response.map_err(|cause| unreachable(asked, cause))?;
        Ok((response, connections))
    }

    /// INVARIANT: every address that comes out has been judged.
    async fn resolve(&self, url: &HttpsUrl) -> Result<Vec<SocketAddr>, Unresolved> {
        let found = lookup_host((url.host.as_str(), url.port)).await;
        let found: Vec<_> = found
            .map_err(|error| Unresolved::Failed(error.to_string()))?
            .collect();
        let mut within_reach = found.clone();
        within_reach.retain(|found| address::may_reach(found.ip(), &self.allow));
        within_reach.retain(|found| !url.is_plain || found.ip().is_loopback());
        within_reach.truncate(ADDRESSES);
        match (within_reach.is_empty(), found.first()) {
            (false, _) => Ok(within_reach),
            (true, Some(first)) => Err(Unresolved::Forbidden(first.ip())),
            (true, None) => Err(Unresolved::Failed("the name has no address".to_owned())),
        }
    }
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut failure = String::new();
    for address in addresses {
        match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = format!("{address}: {error}"),
            Err(_) => failure = format!("{address} does not answer"),
        }
    }
    Err(failure)
}

impl Fetch for Outbound {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            let late = |_| Err(unreachable(url, "it took too long".to_owned()));
            timeout(self.time, self.fetch(url))
                .await
                .unwrap_or_else(late)
        })
    }

    fn get_with<'a>(&'a self, url: &'a str, fields: &'a HeaderMap) -> Posting<'a> {
        Box::pin(async move {
            let mut request = Request::new(Bytes::new());
            *request.headers_mut() = fields.clone();
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(header::ACCEPT, json);
            let asked = async {
                let to = HttpsUrl::parse_or_local(url)?;
                let (response, _connection) = self.begin(url, to, request).await?;
                let (head, body) = response.into_parts();
                Ok(Response::from_parts(head, whole(url, body).await?))
            };
            let late = |_| Err(unreachable(url, "it took too long".to_owned()));
            let answer = timeout(self.time, asked).await.unwrap_or_else(late)?;
            reply(url, answer)
        })
    }

    fn post<'a>(&'a self, url: &'a str, form: &'a Form) -> Posting<'a> {
        Box::pin(async move {
            let request = posted(url, form).ok_or_else(|| FetchError::NotHttps(url.to_owned()))?;
            reply(url, self.exchange(request).await?)
        })
    }
}

fn reply(url: &str, answer: Response<Bytes>) -> Result<Reply, FetchError> {
    let (status, body) = (answer.status(), answer.into_body());
    match status.is_redirection() || status.is_informational() {
        true => Err(FetchError::Status {
            url: url.to_owned(),
            status: status.as_u16(),
        }),
        false => Ok(Reply {
            status: status.as_u16(),
            body: body.into(),
        }),
    }
}

fn posted(url: &str, form: &Form) -> Option<Request<Bytes>> {
    let body = Bytes::from(form.body.clone());
    let mut request = Request::post(url)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json");
    if let Some(text) = &form.authorization {
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(body).ok()
}

/// Whether a URL is one that [`Outbound`] would try at all: https, with a host and without a user.
#[must_use]
pub fn is_fetchable(url: &str) -> bool {
    HttpsUrl::parse(url).is_ok()
}

/// The same, or plain http on this machine, by its address: a loopback one.
#[must_use]
pub fn is_askable(url: &str) -> bool {
    HttpsUrl::parse_or_local(url).is_ok()
}

enum Unresolved {
    Forbidden(IpAddr),
    Failed(String),
}

fn roots(authorities: &[Vec<u8>]) -> Result<RootCertStore, OutboundError> {
    if authorities.is_empty() {
        return Ok(of_the_system());
    }
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate =
                certificate.map_err(|error| OutboundError::Authority(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| OutboundError::Authority(error.to_string()))?;
        }
        if roots.len() == before {
            let cause = "it holds no PEM certificate".to_owned();
            return Err(OutboundError::Authority(cause));
        }
    }
    Ok(roots)
}

fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::debug!(%error, "a system certificate authority cannot be read");
    }
    roots.add_parsable_certificates(system.certs);
    roots
}

/// All of a body, if that is no more than [`LARGEST`].
async fn whole(asked: &str, body: Incoming) -> Result<Bytes, FetchError> {
    let body = Limited::new(body, LARGEST).collect().await;
    let body = body.map_err(
        |error| match error.is::<http_body_util::LengthLimitError>() {
            true => FetchError::TooLarge(asked.to_owned()),
            false => unreachable(asked, error.to_string()),
        },
    )?;
    Ok(body.to_bytes())
}

fn unreachable(asked: &str, cause: String) -> FetchError {
    FetchError::Unreachable {
        url: asked.to_owned(),
        cause,
    }
}

async fn ask(
    url: &HttpsUrl,
    request: Request<Bytes>,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connections: &mut JoinSet<()>,
) -> Result<Response<Incoming>, String> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD)
        .max_headers(FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    connections.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an outbound connection ended");
        }
    });
    let mut request = request.map(Full::new);
    *request.uri_mut() = url.target.clone();
    let headers = request.headers_mut();
    headers.insert(header::HOST, url.authority.clone());
    let agent = headers.entry(header::USER_AGENT);
    agent.or_insert(HeaderValue::from_static("wardwire"));
    let response = sender.send_request(request).await;
    response.map_err(|error| error.to_string())
}

/// How long the answer may be kept (RFC 9111 §5.2.2): nothing if it says that it may not.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    let mut longest = None;
    for directive in directives {
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        if let Some(seconds) = directive.strip_prefix("max-age=") {
            longest = seconds
                .trim_matches('"')
                .parse()
                .ok()
                .map(Duration::from_secs);
        }
    }
    longest
}
