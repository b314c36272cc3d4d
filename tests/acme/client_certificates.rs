//! The certificate that was obtained, on the listener for clients that show one of their own.

use rustls::{
    SupportedProtocolVersion,
    version::{TLS12, TLS13},
};

use super::{CHALLENGE, HOST, agree, obtained, offering, prepared, says_hello, start};
use crate::harness::Authority;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
const LISTENER: &str =
    "[server.client_certificates]\nlisten = \"127.0.0.1:0\"\nca = \"clients-ca.pem\"\n";

#[test]
#[ignore = "needs Pebble"]
fn clients_with_a_certificate_are_shown_the_one_in_use_and_no_answer_to_a_challenge() {
    let (pebble, setup) = prepared(20);
    let authority = Authority::new("clients");
    std::fs::write(setup.folder.join("clients-ca.pem"), authority.pem()).unwrap();
    let client = authority.certify("trader-1.example.com", |_| {});
    pebble.front.hold(CHALLENGE);
    let server = start(&pebble, setup, LISTENER);
    let mutual = server.mutual.unwrap();
    let client = client.trusting(pebble.issuer(), &BOTH);
    pebble.front.wait_for(CHALLENGE, 1);
    for protocol in ["http/1.1", "acme-tls/1"] {
        let alert = agree(mutual, offering(client.clone(), &[protocol]), HOST);
        let alert = alert.err().unwrap();
        assert!(alert.contains("AccessDenied"), "{protocol}: {alert}");
    }

    pebble.front.release();
    obtained(&server, 1);
    let agreed = agree(mutual, client.clone(), HOST).unwrap();
    let first = agreed.leaf.clone();
    let mut open = agreed.echo();
    says_hello(&mut open);
    let asking = offering(client.clone(), &["acme-tls/1"]);
    let alert = agree(mutual, asking, HOST).err().unwrap();
    assert!(alert.contains("NoApplicationProtocol"), "{alert}");
    // By TLS 1.3 a client is done before the server has missed its certificate.
    if let Ok(mut without) = agree(mutual, pebble.client(), HOST) {
        without
            .connection
            .send(b"GET / HTTP/1.1\r\nHost: live.test\r\n\r\n");
        assert_eq!(without.connection.rest(), 0);
    }

    obtained(&server, 2);
    let agreed = agree(mutual, client, HOST).unwrap();
    assert_ne!(agreed.leaf, first);
    let public = agree(server.address, pebble.client(), HOST).unwrap();
    assert_eq!(agreed.leaf, public.leaf);
    says_hello(&mut agreed.echo());
    says_hello(&mut open);
}
