//! `[server]`: where it listens, and what it proves itself with.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Acme, seconds};
use crate::config::{
    path::FilePath,
    units::{Network, Span},
};

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

const fn yes() -> bool {
    true
}

const fn drain() -> Span {
    seconds(10)
}
