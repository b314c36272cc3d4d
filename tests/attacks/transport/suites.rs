//! Which of several good cipher suites is taken.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use rustls::{
    CipherSuite, ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

use crate::harness::{Server, roots, tcp};

/// What the server takes of a client that would rather have the weakest.
fn agreed(server: &Server, version: &'static SupportedProtocolVersion) -> CipherSuite {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites.reverse();
    let provider: Arc<CryptoProvider> = Arc::new(provider);
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots(server))
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(session, tcp(server.address));
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 404");
    stream.conn.negotiated_cipher_suite().unwrap().suite()
}

#[test]
fn attack_014_a_client_that_would_rather_have_the_weakest_suite() {
    let server = Server::start();
    assert_eq!(
        agreed(&server, &TLS13),
        CipherSuite::TLS13_AES_256_GCM_SHA384
    );
    assert_eq!(
        agreed(&server, &TLS12),
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    );
}
