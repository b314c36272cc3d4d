//! The one way admission reaches out: fetch a small JSON document from an issuer, or post it a form.

use std::{future::Future, pin::Pin, time::Duration};

use http::HeaderMap;

/// Fetches documents over https, without redirects, from addresses that are allowed.
pub trait Fetch: Send + Sync + 'static {
    /// Gets `url`. Implementations bound size and time and refuse what `FetchError` names.
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a>;

    /// Gets `url` of the application with these fields, within the same bounds. It may be plain http on this machine. Whatever
    /// is answered comes back, but for redirects.
    fn get_with<'a>(&'a self, url: &'a str, fields: &'a HeaderMap) -> Posting<'a>;

    /// Posts a form to `url`, within the same bounds. Whatever is answered comes back, but for redirects.
    fn post<'a>(&'a self, url: &'a str, form: &'a Form) -> Posting<'a>;
}

/// Fetches nothing: for issuers whose keys are at hand.
pub struct Nowhere;

impl Fetch for Nowhere {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        Box::pin(async { Err(unreachable(url)) })
    }

    fn get_with<'a>(&'a self, url: &'a str, _: &'a HeaderMap) -> Posting<'a> {
        Box::pin(async { Err(unreachable(url)) })
    }

    fn post<'a>(&'a self, url: &'a str, _: &'a Form) -> Posting<'a> {
        Box::pin(async { Err(unreachable(url)) })
    }
}

fn unreachable(url: &str) -> FetchError {
    FetchError::Unreachable {
        url: url.to_owned(),
        cause: "nothing is fetched here".to_owned(),
    }
}

/// A fetch under way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Document, FetchError>> + Send + 'a>>;

/// A form or question under way.
pub type Posting<'a> = Pin<Box<dyn Future<Output = Result<Reply, FetchError>> + Send + 'a>>;

/// A form as it is posted. It holds secrets, so it has no `Debug`.
pub struct Form {
    /// `application/x-www-form-urlencoded`.
    pub body: String,
    /// `Authorization`, if any.
    pub authorization: Option<String>,
}

/// What a form or a question was answered with.
#[derive(Clone)]
pub struct Reply {
    /// Any but a redirect.
    pub status: u16,
    /// At most 256 KiB.
    pub body: Vec<u8>,
}

/// What came back with status 200.
#[derive(Clone, Debug)]
pub struct Document {
    /// At most 256 KiB.
    pub body: Vec<u8>,
    /// `Cache-Control: max-age`, if the answer had one.
    pub max_age: Option<Duration>,
}

/// Why nothing usable came back. The text goes to the audit log, never to a peer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// Not https, or not a URL.
    #[error("{0} is not an https URL")]
    NotHttps(String),
    /// The address is private, loopback, link-local or a metadata service, and not listed in `outbound.allow`.
    #[error("{host} resolves to {address}, which outbound.allow does not list")]
    Forbidden {
        /// The host as configured.
        host: String,
        /// The address it resolved to.
        address: std::net::IpAddr,
    },
    /// Any status but 200, or for a form any redirect: none is followed.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// What it answered.
        status: u16,
    },
    /// Larger than the limit.
    #[error("{0} sent more than is accepted")]
    TooLarge(String),
    /// Did not resolve, connect, agree on TLS or answer in time.
    #[error("{url} could not be reached: {cause}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        cause: String,
    },
}
