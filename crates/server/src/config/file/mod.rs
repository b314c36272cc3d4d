//! The shape of the configuration file, and the only place where a key is described: the JSON Schema, the tables of
//! `docs/configuration.md`, the names of environment variables and the ranges that are judged all come from here
//! ([`schema`](mod@super::schema)).
//!
//! [`File`] is the whole of it. A table of more than a few keys has a file by its name.
//!
//! A new key is a field with a comment. What its type does not say stands in `#[schemars(..)]`: `range` and, for times,
//! `x-least` and `x-most` (judged with the file), `x-default` (words for a default that is no constant), `x-required` (a
//! key whose lack has an explanation of its own), `x-file-only` (no environment variable sets it), `x-restart` (a reload
//! does not change it) and `with` for a foreign type.

mod acme;
mod audit;
mod channel;
mod client;
mod forward_auth;
mod introspection;
mod issuer;
mod limits;
mod route;
mod server;
mod sign_in;

pub(super) use self::server::ClientCertificates;
pub use self::{
    acme::{Acme, Challenge, ExternalAccount},
    audit::{Addresses, AuditFile, Rotate},
    channel::{Channel, ChannelRate, History, Mode},
    client::{ClientAuth, ClientProof},
    forward_auth::ForwardAuth,
    introspection::Introspection,
    issuer::{Discriminator, Issuer, Profile},
    limits::Limits,
    route::{Compression, Deflate, Kind, Require, Route, RouteLimits},
    server::{CertificateFiles, ProxyProtocol, Server, Tls},
    sign_in::SignIn,
};

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{path::FilePath, units::Span};

/// The configuration of a Wardwire server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it listens, and for whom.
    pub server: Server,
    /// The audit log.
    #[serde(default)]
    #[schemars(extend("x-restart" = true))]
    pub audit: AuditFile,
    /// The admin listener: health, metrics, revocations. Without this table there is none.
    #[schemars(extend("x-restart" = true))]
    pub admin: Option<Admin>,
    /// The application's own backend, which publishes and takes back by HTTPS. Without this table it cannot.
    pub backend: Option<Backend>,
    /// Where the server may ask others.
    #[serde(default)]
    pub outbound: Outbound,
    /// What one peer may cost.
    #[serde(default)]
    pub limits: Limits,
    /// HTTP/2. Without it only HTTP/1.1 is spoken.
    #[serde(default)]
    pub http2: Http2,
    /// A service whose access tokens are believed. At least one, or `forward_auth`.
    #[serde(default)]
    pub issuer: Vec<Issuer>,
    /// An application with sessions of its own, which is asked who its cookies are.
    pub forward_auth: Option<ForwardAuth>,
    /// A path at which sockets are opened. At least one.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-required" = true))]
    pub route: Vec<Route>,
    /// Who may do what. The most specific `name` that fits decides; a channel that none fits does not exist for anybody.
    #[serde(default)]
    pub channel: Vec<Channel>,
    /// Overrides that make it unsafe, one by one. Each prints a warning at every start. Never in production.
    #[serde(default)]
    #[schemars(extend("x-file-only" = true))]
    pub development: Development,
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// A loopback address, `"127.0.0.1:9090"`. Plain HTTP.
    #[schemars(extend("x-type" = "address and port"))]
    pub listen: SocketAddr,
    /// Holds the bearer token: at least 32 bytes of visible ASCII, mode 0600. `(umask 077; openssl rand -hex 32 >
    /// admin.token)` makes one.
    pub token_file: FilePath,
}

/// `[backend]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// Each holds a bearer token that the backend may show: at least 32 bytes of visible ASCII, mode 0600. Two while one takes
    /// the other's place. `(umask 077; openssl rand -hex 32 > backend.token)` makes one.
    #[schemars(length(min = 1, max = 4))]
    pub token_files: Vec<FilePath>,
}

/// `[outbound]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Networks that are not public and may be reached all the same: `["10.20.0.0/16"]`. Without it no issuer,
    /// application or authority is asked whose address is a loopback, private, link-local or metadata one.
    #[schemars(with = "Vec<String>", extend("x-type" = "list of networks"))]
    pub allow: Vec<IpNet>,
}

/// `[http2]`
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http2 {
    /// Takes HTTP/2, and WebSockets over it by extended CONNECT (RFC 8441): ALPN `h2`. A browser that is told of it puts
    /// every socket of a page on one connection. Refused with `terminated_by`: a balancer would speak it without TLS.
    pub websockets: bool,
    /// Streams of one connection that are open at once, sockets and requests. Over it, h2 refuses the stream.
    #[schemars(range(min = 1, max = 10_000))]
    pub streams: u32,
}

impl Default for Http2 {
    fn default() -> Self {
        Self {
            websockets: false,
            streams: 100,
        }
    }
}

/// `[development]`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Development {
    /// Every page on the web may connect.
    pub any_origin: bool,
    /// No `[[issuer]]` is needed: nobody can sign in, only anonymous routes can be entered.
    pub without_issuer: bool,
}

const fn seconds(count: u64) -> Span {
    Span(Duration::from_secs(count))
}
