//! TLS, without a buffer that outlives its bytes.
//!
//! [`records`] speaks rustls' unbuffered API and is the only file that knows it; [`protection`] has it, or a balancer that
//! ended TLS, in its place; [`by_name`] chooses among certificates; [`stream`] puts a TCP socket under it for
//! the handshake and HTTP; [`sni`] remembers which name a client asked for, and [`client`] which certificate it showed, where one
//! is demanded; [`obtained`] has a certificate that comes while the server runs, and answers the authority that asks whose
//! host it is. After `101` a session takes the stream apart
//! and drives the records itself.

mod by_name;
mod client;
mod obtained;
mod protection;
mod records;
mod sni;
mod stream;

use std::sync::Arc;

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{
        NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    version::{TLS12, TLS13},
};

pub use by_name::ByName;
pub use client::{Demand, Demanding, refused};
pub use obtained::{Challenges, Obtained, Posed};
pub use protection::{Ended, Protection};
pub use records::Records;
pub use stream::{Parts, Said, TlsStream, accept, in_the_clear};

/// As ALPN names them (RFC 7301 §6, RFC 9113 §3.2).
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// What both ends may agree on: TLS 1.2 and 1.3, X25519MLKEM768 preferred, ECDHE with AEAD only (Mozilla's intermediate
/// profile, RFC 9325). Passed explicitly, so that no other crate's default provider can slip in.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    })
}

/// The server's TLS settings: HTTP/1.1, and HTTP/2 before it only where that is wanted; no 0-RTT (RFC 8446 §8 leaves replay to
/// the application), no resumption, so that nothing of a session outlives it. No client is asked for a certificate.
///
/// # Errors
/// If the provider cannot do TLS 1.2 and 1.3, which a test would find first.
pub fn server_config(
    certificates: impl Into<ByName>,
    http2: bool,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let resolver = Arc::new(sni::Remembering(certificates.into()));
    let verifier = WebPkiClientVerifier::no_client_auth();
    settings(resolver, verifier, protocols(http2))
}

/// What is offered to clients, the one that is preferred first.
const fn protocols(http2: bool) -> &'static [&'static [u8]] {
    match http2 {
        true => &[HTTP2, HTTP1],
        false => &[HTTP1],
    }
}

/// The same server as by the ordinary settings, and every client must show a certificate as [`Demand::verifier`] demands it.
/// There being no resumption, it is shown and judged anew on each connection. HTTP/1.1 only.
///
/// # Errors
/// As above.
pub fn mutual_config(
    ordinary: &ServerConfig,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    settings(ordinary.cert_resolver.clone(), verifier, &[HTTP1])
}

fn settings(
    resolver: Arc<dyn ResolvesServerCert>,
    verifier: Arc<dyn ClientCertVerifier>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    config.max_fragment_size = Some(records::FRAGMENT);
    // The strongest that both have, and not what a client would rather.
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
