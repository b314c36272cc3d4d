//! The shape of the configuration file, and the only place where a key is described: the JSON Schema, the tables of
//! `docs/configuration.md`, the names of environment variables and the ranges that are judged all come from here
//! ([`schema`](mod@super::schema)).
//!
//! A new key is a field with a comment. What its type does not say stands in `#[schemars(..)]`: `range` and, for times,
//! `x-least` and `x-most` (judged with the file), `x-default` (words for a default that is no constant), `x-required` (a
//! key whose lack has an explanation of its own), `x-file-only` (no environment variable sets it), `x-restart` (a reload
//! does not change it) and `with` for a foreign type.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardwire_admission::session;

use super::{
    acme::Acme,
    forward_auth::ForwardAuth,
    path::FilePath,
    right::{Presence, Right},
    units::{Bytes, Network, Span},
};

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
    /// Where key fetches may go.
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

/// `[server]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["tls"] }, { "required": ["acme"] }]))]
pub struct Server {
    /// Address and port. Port 0 takes any free one, which the log names. A socket that systemd has opened takes its place.
    #[schemars(extend("x-type" = "address and port", "x-restart" = true))]
    pub listen: SocketAddr,
    /// The pages that may connect: `["https://app.example.com"]`. Compared exactly, after case, a trailing dot and the
    /// default port are normalised. Only `https`; no `*`, no paths.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^[Hh][Tt][Tt][Pp][Ss]://[^/?#*]+$")), extend("x-default" = "at least one"))]
    pub origins: Vec<String>,
    /// The hosts it answers to: names, `*.example.com` for one label (never `*` or `*.com`), IP addresses; no ports. A
    /// request for another host gets 421, as does one for another host than TLS was agreed for.
    #[serde(default)]
    #[schemars(extend("x-default" = "the certificate's names or `acme.hosts`; required with `terminated_by`"))]
    pub hosts: Vec<String>,
    /// What the server proves itself with, `{ cert = "cert.pem", key = "key.pem" }`, or the balancers that do it in its
    /// place. Either this or `acme` must be there.
    #[schemars(extend("x-default" = "required without `acme`"))]
    pub tls: Option<Tls>,
    /// Further certificates, each chosen for the names that it is for. `tls` is for every other name, and for clients that
    /// name none.
    #[serde(default)]
    pub certificates: Vec<CertificateFiles>,
    /// Whether it is reloaded when the configuration or a file that it names changes. It is on SIGHUP and when an operator
    /// asks for it either way.
    #[serde(default = "yes")]
    pub watch: bool,
    /// Instead of `tls`: certificates that the server obtains and renews by itself.
    pub acme: Option<Acme>,
    /// A plain port, `"0.0.0.0:80"`, that sends browsers to https and does nothing else. Not together with `proxy_protocol`
    /// or `terminated_by`: a balancer redirects by itself.
    #[schemars(extend("x-type" = "address and port", "x-restart" = true))]
    pub redirect: Option<SocketAddr>,
    /// The port they are sent to, if `listen` is reached at another one: 443.
    #[schemars(range(min = 1, max = 65_535), extend("x-default" = "the port of `listen`", "x-restart" = true))]
    pub redirect_port: Option<u16>,
    /// A listener of its own for clients that show a certificate (mutual TLS).
    pub client_certificates: Option<ClientCertificates>,
    /// Balancers that pass TLS through and say whom a connection is from: `{ from = [...] }`.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// How long sockets may take to close when the server goes down. A second signal stops at once.
    #[serde(default = "drain")]
    #[schemars(extend("x-least" = "0s", "x-most" = "1h"))]
    pub drain: Span,
    /// Threads that serve sockets. Without it as many as the machine, the affinity mask or the cgroup gives.
    #[schemars(range(min = 1, max = 1024), extend("x-default" = "one a core", "x-restart" = true))]
    pub threads: Option<usize>,
}

/// `server.tls`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["cert", "key"] }, { "required": ["terminated_by"] }]))]
pub struct Tls {
    /// The chain in PEM, the server's certificate first. It must be valid now.
    pub cert: Option<FilePath>,
    /// Its private key in PEM: ECDSA P-256, Ed25519 or RSA. Only its owner may read the file (mode 0600).
    pub key: Option<FilePath>,
    /// Instead of both: the addresses of balancers that end TLS, `["10.0.1.0/24"]`. Then only they may connect.
    #[schemars(extend("x-file-only" = true))]
    pub terminated_by: Option<Vec<Network>>,
}

/// `server.client_certificates`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificates {
    /// Address and port, another than `server.listen`: `"0.0.0.0:8444"`. Clients come to it directly, not through a balancer.
    #[schemars(extend("x-type" = "address and port", "x-restart" = true))]
    pub listen: SocketAddr,
    /// The authorities of which one must have issued a client's certificate, in PEM. Everybody to whom they ever issue one
    /// comes in, so name authorities of your own.
    pub ca: FilePath,
    /// Revocation lists, in PEM. With any, each certificate below an authority must be spoken of by a list of its issuer that
    /// is not out of date.
    #[serde(default)]
    #[schemars(extend("x-default" = "nothing is revoked"))]
    pub crl: Vec<FilePath>,
    /// The alternative names of which a certificate must have one: `["trader-1.example.com", "spiffe://example.com/trader"]`.
    /// Host names, addresses, URIs and mail addresses, each in full.
    #[schemars(length(min = 1), inner(length(min = 1)), extend("x-default" = "any"))]
    pub names: Option<Vec<String>>,
}

/// `[[server.certificates]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The chain in PEM, its own certificate first. It must be valid now. One with a name that an earlier one has too, with a
    /// key of the same kind, is refused.
    pub cert: FilePath,
    /// Its private key in PEM, as that of `server.tls`.
    pub key: FilePath,
}

/// `server.proxy_protocol`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyProtocol {
    /// The addresses that balancers connect from: networks and single addresses, `["10.0.1.0/24", "203.0.113.7"]`. Then only
    /// they may connect to `listen`.
    pub from: Vec<Network>,
}

/// `[audit]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditFile {
    /// The audit log. It is appended to and made with mode 0600; one that others can write is refused, as is a symbolic link,
    /// one that another server writes, and a folder that anybody can write (unless it has the sticky bit). While it cannot
    /// be written, nobody new is let in.
    pub file: FilePath,
    /// When the file is closed as a segment and another begun. Never without it.
    pub rotate: Rotate,
    /// Closed segments that are kept. The oldest beyond are deleted, and that stands in the log. Refused without `rotate`.
    #[schemars(range(min = 1, max = 100_000), extend("x-default" = "all"))]
    pub keep: Option<usize>,
    /// Signs the log's heads: an Ed25519 key made by `wardwire audit key --out FILE`. Only its owner may read the file (mode
    /// 0600), and it may not lie in the log's folder or below.
    pub signing_key: Option<FilePath>,
    /// Where each line goes beside: `"syslog:/dev/log"` (RFC 5424 to a datagram socket) or `"fd:3"` (a pipe, FIFO, terminal
    /// or file that the server is started with).
    pub ship: Option<String>,
    /// Whether nobody new is let in while lines cannot be shipped. Refused without `ship`.
    pub ship_required: bool,
    /// How much of a client's address is written.
    pub addresses: Addresses,
}

/// `audit.addresses`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Addresses {
    /// All of it.
    #[default]
    Full,
    /// Its network: the /24 of an IPv4 address, the /48 of an IPv6 one. Limits count whole addresses all the same.
    Shortened,
}

/// `audit.rotate`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// The file's size at which it is closed.
    #[schemars(range(min = 16_384))]
    pub size: Option<Bytes>,
    /// The age of its first line at which it is closed.
    #[schemars(extend("x-least" = "1m", "x-most" = "366d"))]
    pub age: Option<Span>,
}

impl Default for AuditFile {
    fn default() -> Self {
        Self {
            file: FilePath::from("audit.jsonl"),
            rotate: Rotate::default(),
            keep: None,
            signing_key: None,
            ship: None,
            ship_required: false,
            addresses: Addresses::Full,
        }
    }
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
    /// Networks that are not public and may be reached all the same: `["10.20.0.0/16"]`. Without it, an issuer whose name
    /// resolves to a loopback, private, link-local or metadata address is not asked.
    #[schemars(with = "Vec<String>", extend("x-type" = "list of networks"))]
    pub allow: Vec<IpNet>,
}

/// `[limits]`
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Of one message. Over it: close 1009.
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub message: Bytes,
    /// Frames of one message. Over it: close 1008 `fragments`.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub fragments: u32,
    /// From a message's first byte to its last. Over it: close 1008 `slow-message`.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub message_time: Span,
    /// Queued for a socket that reads too slowly. A publication that waits alone always fits. Over it: close 1013 `slow`.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub outbox: Bytes,
    /// Connections from one IPv4 address or IPv6 /64, admitted or not. Over it: 429.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub connections_per_ip: u32,
    /// Admitted sockets of one user of one issuer. Over it: 429.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub connections_per_subject: u32,
    /// Connections that are not admitted, at most half of them from one address. A quarter more get an answer, further ones
    /// are dropped. Over it: 503.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub unadmitted: u32,
    /// Cookie sessions of all users together, which are kept in memory. One more ends the oldest of the user whose it is, or, where
    /// there is none, of whoever has most and more than 8. Over it: 503.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub sessions: usize,
    /// From the accepted connection to the `101`, and for every request before it. Over it: 408, or a drop.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub handshake: Span,
    /// A peer that is silent so long is pinged.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub ping: Span,
    /// And if it then stays silent so long, dropped: 3008 `idle` in the audit log.
    #[schemars(extend("x-least" = "100ms", "x-most" = "1h"))]
    pub pong: Span,
    /// From one socket, with one second's worth saved up; 0 is no limit. Over it: error -32002, and on an echo route close
    /// 1008 `flood`.
    pub messages_per_second: u32,
    /// Calls a second from all sockets of one user, or, of those without a credential, of one address; 0 is no limit. Over
    /// it: error -32002.
    #[schemars(extend("x-default" = "ten times `messages_per_second`"))]
    pub identity_messages: Option<u32>,
    /// Bytes of their messages a second; 0 is no limit. Over it: error -32002.
    #[schemars(range(max = 1_073_741_824), extend("x-default" = "`\"16MiB\"`; no limit where `messages_per_second` is 0"))]
    pub identity_bytes: Option<Bytes>,
    /// Of one socket. Over it: error -32003.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub subscriptions: usize,
    /// That live at once; one user opened at most half of them, and 10,000, as did all together who have no credential. Over it:
    /// error -32003.
    #[schemars(range(min = 1, max = 16_777_216))]
    pub channels: usize,
}

impl Limits {
    /// Calls a second of one identity; 0 is no limit.
    #[must_use]
    pub fn identity_messages(&self) -> u32 {
        let usual = self.messages_per_second.saturating_mul(10);
        self.identity_messages.unwrap_or(usual)
    }

    /// Bytes of them; 0 is no limit.
    #[must_use]
    pub fn identity_bytes(&self) -> Bytes {
        let usual = match self.messages_per_second {
            0 => 0,
            _ => 16 * 1024 * 1024,
        };
        self.identity_bytes.unwrap_or(Bytes(usual))
    }
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
            sessions: 100_000,
            handshake: seconds(10),
            ping: seconds(25),
            pong: seconds(20),
            messages_per_second: 200,
            identity_messages: None,
            identity_bytes: None,
            subscriptions: 128,
            channels: 100_000,
        }
    }
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

/// `[[issuer]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["audience"] }, { "required": ["sign_in"] }]))]
pub struct Issuer {
    /// Exactly as its tokens' `iss` says.
    pub issuer: String,
    /// What this server calls it. With several issuers each needs one: their users are then `name:sub`, in `from` and where a
    /// right speaks of `sub`, so that no two users pass for one another. While a server runs it stays this issuer's: a reload
    /// that would change that is refused.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub name: Option<String>,
    /// What its signature is believed for: `"tokens"`, by which it says who its users are, and `"grants"`, by which it lets a user,
    /// whoever says who that is, do something in [one channel](protocol.md#grants).
    #[serde(default = "tokens")]
    #[schemars(length(min = 1, max = 2))]
    pub signs: Vec<Signed>,
    /// What its access tokens' `aud` must hold: the name by which it knows this server. Without it none of them is believed.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-default" = "required without `sign_in`"))]
    pub audience: String,
    /// What tells its access tokens from its other tokens.
    #[serde(default)]
    pub profile: Profile,
    /// With profile `"jwt"`: `{ claim = "azp", equals = "web" }`, something that its access tokens have and its ID tokens
    /// have not. Refused with `"rfc9068"`, which would not ask for it.
    pub discriminator: Option<Discriminator>,
    /// Signature algorithms: `ES256`, `ES384`, `Ed25519`, `EdDSA`, `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`.
    /// Symmetric ones and `none` do not exist here.
    #[serde(default)]
    #[schemars(
        inner(regex(pattern = r"^(ES256|ES384|Ed25519|EdDSA|PS256|PS384|PS512|RS256|RS384|RS512)$")),
        extend("x-default" = "all of them")
    )]
    pub algorithms: Vec<String>,
    /// Where its keys are: an https URL. Without it and `jwks_file`, `<issuer>/.well-known/openid-configuration` says.
    #[schemars(extend("x-default" = "by discovery"))]
    pub jwks_url: Option<String>,
    /// Its keys as a JWK set in a file. It must hold a public key.
    pub jwks_file: Option<FilePath>,
    /// By how much clocks may differ. A socket then lives until `exp` plus this.
    #[serde(default = "no_time")]
    #[schemars(extend("x-least" = "0s", "x-most" = "5m"))]
    pub leeway: Span,
    /// How far a token's `exp` may lie behind its `iat`, or ahead of now if it has none. One that would hold for longer is
    /// refused: whoever steals it would have it for as long.
    #[serde(default = "a_day")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub max_token_lifetime: Span,
    /// The certificate authorities (PEM) that are trusted for fetching this issuer's keys, and no other's, in place of the
    /// system's.
    pub ca: Option<FilePath>,
    /// Browsers sign in there, and get a session cookie of this server's (OpenID Connect).
    pub sign_in: Option<SignIn>,
    /// It is asked about opaque tokens: those that do not look like a JWT (RFC 7662). One issuer at most is.
    pub introspection: Option<Introspection>,
}

impl Issuer {
    /// Whether it says who somebody is.
    #[must_use]
    pub fn has_users(&self) -> bool {
        self.signs.contains(&Signed::Tokens)
    }

    /// Whether it lets users into channels.
    #[must_use]
    pub fn grants(&self) -> bool {
        self.signs.contains(&Signed::Grants)
    }
}

/// What an issuer signs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    /// Who its users are.
    Tokens,
    /// What a user may do in one channel.
    Grants,
}

/// `issuer.sign_in`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The name by which it knows this server as a client.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// How the server proves to it that it is that client.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Holds the client's secret: one line of visible ASCII, mode 0600. For `client_auth` `"basic"` and `"post"`.
    pub client_secret_file: Option<FilePath>,
    /// Holds the client's private key, PKCS#8 PEM on P-256, mode 0600. `wardwire token --new-key --key FILE` makes one. For
    /// `client_auth = "private_key"`.
    pub client_key_file: Option<FilePath>,
    /// The `kid` that it knows the key by.
    #[schemars(length(min = 1))]
    pub client_key_id: Option<String>,
    /// Where it sends browsers back to, exactly as it is registered there: `"https://app.example.com/.wardwire/callback"`, on a
    /// host of this server's.
    #[schemars(regex(pattern = r"^[Hh][Tt][Tt][Pp][Ss]://[^/?#*]+/\.wardwire/callback$"))]
    pub callback: String,
    /// What is asked for beside `openid`: `["profile", "email"]`. What it tells of a user for it are claims for rights.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub scopes: Vec<String>,
    /// Where it sends browsers to after they signed out there, exactly as it is registered there.
    pub after_logout: Option<String>,
    /// A session lasts no longer, however it is used: then the user signs in again.
    #[serde(default = "half_a_day")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub lifetime: Span,
    /// A session that has no request and no open socket for so long is over.
    #[serde(default = "two_hours")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub idle: Span,
    /// How many sessions one user may have at once. One more ends the oldest, with its sockets.
    #[serde(default = "sessions")]
    #[schemars(range(min = 1, max = 256))]
    pub sessions: usize,
}

/// `issuer.sign_in.client_auth`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// By its secret, in the header `Authorization`.
    #[default]
    Basic,
    /// By its secret, in the body.
    Post,
    /// By a JWT that its key signs (RFC 7523): nothing that could be used again leaves the server.
    PrivateKey,
    /// Not at all: a public client, with PKCE alone.
    None,
}

/// `issuer.introspection`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The name by which it knows this server as a client that may ask.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// How the server proves to it that it is that client, as for `issuer.sign_in`. `"none"` is refused: whoever may ask without
    /// proof may try tokens out.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Holds the client's secret: one line of visible ASCII, mode 0600. For `client_auth` `"basic"` and `"post"`.
    pub client_secret_file: Option<FilePath>,
    /// Holds the client's private key, PKCS#8 PEM on P-256, mode 0600. For `client_auth = "private_key"`.
    pub client_key_file: Option<FilePath>,
    /// The `kid` that it knows the key by.
    #[schemars(length(min = 1))]
    pub client_key_id: Option<String>,
    /// Where it is asked: an https URL.
    #[schemars(extend("x-default" = "by discovery"))]
    pub endpoint: Option<String>,
    /// How long an answer counts at most: for so long a token that was taken back there opens sockets here. `"0s"`: it is asked
    /// each time.
    #[serde(default = "ten_seconds")]
    #[schemars(extend("x-least" = "0s", "x-most" = "5m"))]
    pub cache: Span,
    /// How often it is asked again about the tokens of open sockets, which end when it says no, or does not answer for them within
    /// twice as long and six seconds (3000 `revoked`). Without it they last until `exp`, and a token that has none is refused.
    #[schemars(extend("x-least" = "1s", "x-most" = "1h", "x-default" = "never"))]
    pub recheck: Option<Span>,
}

/// How this server shows to a provider which client it is, and with what.
pub struct ClientProof<'a> {
    /// By which of these.
    pub auth: ClientAuth,
    /// A secret.
    pub secret: &'a Option<FilePath>,
    /// A key.
    pub key: &'a Option<FilePath>,
    /// What that is called there.
    pub key_id: Option<&'a str>,
}

impl SignIn {
    /// What its `client_` keys say.
    #[must_use]
    pub fn proof(&self) -> ClientProof<'_> {
        ClientProof {
            auth: self.client_auth,
            secret: &self.client_secret_file,
            key: &self.client_key_file,
            key_id: self.client_key_id.as_deref(),
        }
    }
}

impl Introspection {
    /// The same.
    #[must_use]
    pub fn proof(&self) -> ClientProof<'_> {
        ClientProof {
            auth: self.client_auth,
            secret: &self.client_secret_file,
            key: &self.client_key_file,
            key_id: self.client_key_id.as_deref(),
        }
    }
}

/// `issuer.profile`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `typ` is `at+jwt` (RFC 9068).
    #[default]
    Rfc9068,
    /// `typ` may also be `JWT` or missing, and a `discriminator` tells.
    Jwt,
}

/// `issuer.discriminator`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discriminator {
    /// The claim's name.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// The string that it must be.
    #[schemars(length(min = 1))]
    pub equals: String,
}

/// `[[route]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Matched exactly. Paths under `/.wardwire` are the server's own.
    #[schemars(regex(pattern = r"^/[A-Za-z0-9/._~-]*$"))]
    pub path: String,
    /// What is spoken there.
    #[serde(default)]
    pub kind: Kind,
    /// Takes sockets without a credential. A credential that is brought is still judged.
    #[serde(default)]
    pub anonymous: bool,
    /// Takes clients that send no Origin: programs, with a bearer token or a ticket. A cookie never goes without an Origin.
    #[serde(default)]
    pub native_clients: bool,
    /// How users must have signed in, and over what connection. Who signed in too weakly gets 401 with a challenge (RFC 9470) that names what is missing.
    #[serde(default)]
    pub require: Require,
    /// Instead of those of `[limits]`, for this route: `{ message = "16KiB", fragments = 16, messages_per_second = 20 }`.
    #[serde(default)]
    pub limits: RouteLimits,
    /// `true`, or a table: messages are compressed for clients that offer it, as every browser does.
    #[serde(default)]
    #[schemars(extend("x-default" = "`false`"))]
    pub compression: Compression,
}

/// `route.kind`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Speaks `wardwire.v1`.
    #[default]
    Channels,
    /// Sends every message back, for tests and measurements.
    Echo,
}

/// `route.require`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Require {
    /// The token's `acr` is exactly this.
    #[schemars(length(min = 1))]
    pub acr: Option<String>,
    /// The token's `amr` holds all of these.
    #[schemars(inner(length(min = 1)))]
    pub amr: Vec<String>,
    /// `auth_time` is no older, at the handshake, at each refresh and while a socket is open: it ends when this is over
    /// (3000 `expired`).
    #[schemars(extend("x-least" = "1s"))]
    pub max_age: Option<Span>,
    /// The socket came by the listener of `server.client_certificates`. Who comes by another gets 403, with or without a
    /// credential.
    pub client_certificate: bool,
}

/// `route.limits`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteLimits {
    /// Of one message.
    #[schemars(range(min = 1, max = 1_073_741_824), extend("x-default" = "`limits.message`"))]
    pub message: Option<Bytes>,
    /// Frames of one message.
    #[schemars(range(min = 1, max = 1_048_576), extend("x-default" = "`limits.fragments`"))]
    pub fragments: Option<u32>,
    /// From one socket; 0 is no limit.
    #[schemars(extend("x-default" = "`limits.messages_per_second`"))]
    pub messages_per_second: Option<u32>,
}

/// `route.compression`
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deflate {
    /// Messages of fewer bytes are sent as they are.
    #[schemars(range(max = 1_048_576))]
    pub threshold: Bytes,
    /// 1 is quickest, 9 smallest.
    #[schemars(range(min = 1, max = 9))]
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
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Channel {
    /// A pattern: segments between slashes, of which `{room}` takes any one. The others are as in names, in Unicode's NFC.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Who may follow.
    #[serde(default)]
    pub subscribe: Right,
    /// Who may publish.
    #[serde(default)]
    pub publish: Right,
    /// `{ size = 100, ttl = "1h" }`: publications kept in memory for those who come back.
    pub history: Option<History>,
    /// Who is told who follows: [who is there](channels.md#who-is-there).
    #[serde(default)]
    #[schemars(extend("x-default" = "`false`"))]
    pub presence: Presence,
    /// What may be published, and how its strings are made safe to show: a file with a JSON Schema (2020-12), at most
    /// 256 KiB. [channels.md](channels.md) tells what it may hold. Over it: error -32008.
    #[schemars(extend("x-default" = "any JSON"))]
    pub schema: Option<FilePath>,
    /// What becomes of a publication that breaks `schema` or `rate`.
    #[serde(default)]
    pub mode: Mode,
    /// `{ messages = 100, bytes = "1MiB", per = "1s" }`: what the channel takes, all publishers together. Over it: error
    /// -32002, which says when to come back.
    pub rate: Option<ChannelRate>,
    /// Takes bytes, as `base64` in place of `data`, and nothing else. Refused beside `schema`.
    #[serde(default)]
    pub binary: bool,
    /// Whether a new subscriber gets the last publication at once. It lasts as long as the history, or a day where there is
    /// none.
    #[serde(default)]
    pub last_value: bool,
    /// Where in `data` stands what a publication is the value of, as a JSON Pointer (RFC 6901): `"/symbol"`, a text of at most 64
    /// bytes or an integer. Who reads slowly gets the newest of each, [and not everything](channels.md#the-newest-of-each).
    pub conflate: Option<String>,
}

/// `channel.mode`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is let through as it was, not sanitised, and told of in the audit log and the metrics.
    Report,
}

/// `channel.rate`
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelRate {
    /// The most messages. `messages` or `bytes` is there, or both.
    #[schemars(range(min = 1, max = 10_000_000), extend("x-default" = "no limit"))]
    pub messages: Option<u32>,
    /// The most bytes of data. One that is larger alone: error -32009.
    #[schemars(range(min = 1, max = 1_073_741_824), extend("x-default" = "no limit"))]
    pub bytes: Option<Bytes>,
    /// In this time; all of it may come at once.
    #[serde(default = "a_second")]
    #[schemars(extend("x-least" = "1ms", "x-most" = "1h"))]
    pub per: Span,
}

/// `channel.history`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The most publications.
    #[schemars(range(min = 1, max = 100_000))]
    pub size: usize,
    /// For how long.
    #[schemars(extend("x-least" = "1s", "x-most" = "365d"))]
    pub ttl: Span,
    /// Who may read what is kept, whether they follow or not. Who may not is not caught up after a reconnect either.
    #[schemars(extend("x-default" = "as `subscribe`"))]
    pub read: Option<Right>,
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

const fn yes() -> bool {
    true
}

const fn drain() -> Span {
    seconds(10)
}

const fn a_day() -> Span {
    seconds(24 * 3600)
}

fn tokens() -> Vec<Signed> {
    vec![Signed::Tokens]
}

const fn half_a_day() -> Span {
    seconds(12 * 3600)
}

const fn sessions() -> usize {
    session::PER_SUBJECT
}

const fn ten_seconds() -> Span {
    seconds(10)
}

const fn two_hours() -> Span {
    seconds(2 * 3600)
}

const fn a_second() -> Span {
    seconds(1)
}

const fn no_time() -> Span {
    seconds(0)
}
