//! The shape of the configuration file. `docs/configuration.md` explains every key.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;
use toml::Spanned;

use super::units::{Bytes, Network, Span};

/// The whole file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it listens, and for whom.
    pub server: Server,
    /// The audit log.
    #[serde(default)]
    pub audit: AuditFile,
    /// The admin listener; none without it.
    pub admin: Option<Admin>,
    /// Where key fetches may go.
    #[serde(default)]
    pub outbound: Outbound,
    /// What peers may cost.
    #[serde(default)]
    pub limits: Limits,
    /// Trusted authentication services.
    #[serde(default)]
    pub issuer: Vec<Issuer>,
    /// Where sockets may lead.
    #[serde(default)]
    pub route: Vec<Route>,
    /// Who may do what in which channel.
    #[serde(default)]
    pub channel: Vec<Channel>,
    /// Overrides that make it unsafe, one by one.
    #[serde(default)]
    pub development: Development,
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The pages that may reach it.
    #[serde(default)]
    pub origins: Vec<Spanned<String>>,
    /// The hosts it answers to; without it, the names in the certificate, where there is one.
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    /// Certificate and key, or the balancers that have them.
    pub tls: Option<Tls>,
    /// A plain port that sends browsers to https.
    pub redirect: Option<Spanned<SocketAddr>>,
    /// Where it sends them; without it, to the port of `listen`.
    pub redirect_port: Option<Spanned<u16>>,
    /// Balancers that say whom a connection is from; then only they may connect.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How long sockets may take to close when it goes down.
    #[serde(default = "drain")]
    pub drain: Span,
    /// Threads that serve sockets; without it, as many as there are cores.
    pub threads: Option<Spanned<usize>>,
}

/// `server.tls`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub cert: Option<Spanned<PathBuf>>,
    /// Its private key, PEM, readable by its owner only.
    pub key: Option<Spanned<PathBuf>>,
    /// Instead of both: balancers that end TLS; then only they may connect.
    pub terminated_by: Option<Spanned<Vec<Network>>>,
}

/// `server.proxy_protocol`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocol {
    /// Their addresses.
    pub from: Spanned<Vec<Network>>,
}

/// `[audit]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditFile {
    /// Where it is written.
    pub file: PathBuf,
}

impl Default for AuditFile {
    fn default() -> Self {
        Self {
            file: "audit.jsonl".into(),
        }
    }
}

/// `[admin]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Admin {
    /// A loopback address.
    pub listen: Spanned<SocketAddr>,
    /// Holds the bearer token: at least 32 bytes, readable by its owner only.
    pub token_file: Spanned<PathBuf>,
}

/// `[outbound]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Private networks that key fetches may reach.
    pub allow: Vec<IpNet>,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of one message.
    pub message: Bytes,
    /// Of one message.
    pub fragments: u32,
    /// From a message's first byte to its last.
    pub message_time: Span,
    /// Queued for one slow socket.
    pub outbox: Bytes,
    /// An IPv6 /64 counts as one.
    pub connections_per_ip: u32,
    /// Admitted sockets of one subject.
    pub connections_per_subject: u32,
    /// Connections that are not admitted.
    pub unadmitted: u32,
    /// From the accepted connection to the `101`.
    pub handshake: Span,
    /// A peer that is silent so long is pinged.
    pub ping: Span,
    /// And if it then stays silent so long, dropped.
    pub pong: Span,
    /// From one socket; 0 is no limit.
    pub messages_per_second: u32,
    /// Of one socket.
    pub subscriptions: usize,
    /// That live at once.
    pub channels: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: Bytes(64 * 1024),
            fragments: 64,
            message_time: seconds(10),
            outbox: Bytes(1024 * 1024),
            connections_per_ip: 1000,
            connections_per_subject: 100,
            unadmitted: 1024,
            handshake: seconds(10),
            ping: seconds(25),
            pong: seconds(20),
            messages_per_second: 200,
            subscriptions: 128,
            channels: 100_000,
        }
    }
}

/// `[[issuer]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// `iss`, exactly.
    pub issuer: Spanned<String>,
    /// What `aud` must hold.
    #[serde(default)]
    pub audience: String,
    /// What tells its access tokens from other tokens.
    #[serde(default)]
    pub profile: Profile,
    /// With profile `jwt`.
    pub discriminator: Option<Discriminator>,
    /// Asymmetric ones.
    #[serde(default)]
    pub algorithms: Vec<Spanned<String>>,
    /// Where its keys are; without `jwks_url` and `jwks_file`, its discovery document says.
    pub jwks_url: Option<Spanned<String>>,
    /// Where its keys are.
    pub jwks_file: Option<Spanned<PathBuf>>,
    /// By how much clocks may differ.
    #[serde(default = "no_time")]
    pub leeway: Span,
    /// A root beside the system's, for fetching the keys.
    pub ca: Option<Spanned<PathBuf>>,
}

/// `issuer.profile`
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `typ` is `at+jwt` (RFC 9068).
    #[default]
    Rfc9068,
    /// A claim tells.
    Jwt,
}

/// `issuer.discriminator`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discriminator {
    /// This claim
    pub claim: String,
    /// has this value.
    pub equals: String,
}

/// `[[route]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Matched exactly.
    pub path: Spanned<String>,
    /// What is spoken there.
    #[serde(default)]
    pub kind: Kind,
    /// Takes sockets without a credential.
    #[serde(default)]
    pub anonymous: bool,
    /// Takes clients that send no Origin.
    #[serde(default)]
    pub native_clients: bool,
    /// Of the sign-in.
    #[serde(default)]
    pub require: Require,
    /// Instead of `[limits]`.
    #[serde(default)]
    pub limits: RouteLimits,
    /// Of messages, for clients that offer it.
    #[serde(default)]
    pub compression: Compression,
}

/// `route.kind`
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `wardwire.v1`.
    #[default]
    Channels,
    /// Every message comes back.
    Echo,
}

/// `route.require`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Require {
    /// Must be this.
    pub acr: Option<String>,
    /// Must hold all of these.
    pub amr: Vec<String>,
    /// `auth_time` must be no older.
    pub max_age: Option<Span>,
}

/// `route.limits`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteLimits {
    /// Of one message.
    pub message: Option<Bytes>,
    /// Of one message.
    pub fragments: Option<u32>,
    /// From one socket; 0 is no limit.
    pub messages_per_second: Option<u32>,
}

/// `route.compression`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "it is true, false or { threshold = \"256B\", level = 1 }"
)]
pub enum Compression {
    /// `true`, with what is usual; or `false`
    Switch(bool),
    /// `{ threshold = "256B", level = 1 }`
    Tuned(Deflate),
}

impl Default for Compression {
    fn default() -> Self {
        Self::Switch(false)
    }
}

impl Compression {
    /// None does not compress.
    #[must_use]
    pub fn deflate(self) -> Option<Deflate> {
        match self {
            Self::Switch(on) => on.then(Deflate::default),
            Self::Tuned(deflate) => Some(deflate),
        }
    }
}

/// `route.compression`, tuned.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deflate {
    /// Messages of fewer bytes go as they are.
    pub threshold: Bytes,
    /// 1 is quickest, 9 smallest.
    pub level: u8,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            threshold: Bytes(256),
            level: 1,
        }
    }
}

/// `[[channel]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// A pattern like `chat/{room}`.
    pub name: Spanned<String>,
    /// Who may follow.
    #[serde(default)]
    pub subscribe: Right,
    /// Who may publish.
    #[serde(default)]
    pub publish: Right,
    /// What is kept.
    pub history: Option<History>,
}

/// `channel.subscribe`, `channel.publish`
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "it is \"nobody\", \"authenticated\", \"anyone\", { claim = \"...\", contains = \"...\" } or { claim = \"...\", equals = \"...\" }"
)]
pub enum Right {
    /// `"nobody"`, `"authenticated"`, `"anyone"`
    Plain(PlainRight),
    /// `{ claim = "rooms", contains = "{room}" }`
    Contains(ContainsRight),
    /// `{ claim = "team", equals = "{team}" }`
    Equals(EqualsRight),
}

impl Default for Right {
    fn default() -> Self {
        Self::Plain(PlainRight::Nobody)
    }
}

/// A right without a claim.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PlainRight {
    /// Nobody.
    Nobody,
    /// Whoever is signed in.
    Authenticated,
    /// Whoever holds a socket.
    Anyone,
}

/// A claim that is an array.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainsRight {
    /// Its name.
    pub claim: String,
    /// One of its elements.
    pub contains: String,
}

/// A claim that is a string.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EqualsRight {
    /// Its name.
    pub claim: String,
    /// Its value.
    pub equals: String,
}

/// `channel.history`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The most publications.
    pub size: usize,
    /// For how long.
    pub ttl: Span,
}

/// `[development]`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Development {
    /// Every page may reach it.
    pub any_origin: bool,
    /// No issuer is trusted: only anonymous routes can be entered.
    pub without_issuer: bool,
}

const fn seconds(count: u64) -> Span {
    Span(Duration::from_secs(count))
}

const fn drain() -> Span {
    seconds(10)
}

const fn no_time() -> Span {
    seconds(0)
}
