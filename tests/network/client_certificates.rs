//! Client certificates on a listener of their own: who gets past TLS there, and what a certificate does not replace.

mod configuration;
mod judged;

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{Digest, SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, SanType, SerialNumber, date_time_ymd};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, HandshakeKind, SignatureScheme,
    SupportedProtocolVersion,
    client::ResolvesClientCert,
    pki_types::ServerName,
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use serde_json::{Value, json};

use crate::harness::{
    Authority, Client, Connection, Handshake, PATIENCE, Server, Setup, Ws, now, tcp, tls,
};

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
const ROUTE: &str = "
[[route]]
path = \"/machines\"
native_clients = true
require = { client_certificate = true }
";

/// A server that demands certificates of this authority on a second listener, with more lines in that table.
fn demanding(authority: &Authority, more: &str) -> Server {
    configured(authority, more).start()
}

fn configured(authority: &Authority, more: &str) -> Setup {
    let mut setup = Setup::new();
    std::fs::write(setup.folder.join("clients-ca.pem"), authority.pem()).unwrap();
    setup.rest.push_str(ROUTE);
    setup.rest.push_str(&format!(
        "[server.client_certificates]\nlisten = \"127.0.0.1:0\"\nca = \"clients-ca.pem\"\n{more}\n"
    ));
    setup
}

/// A connection to the second listener.
fn mutual(server: &Server, config: ClientConfig) -> Connection {
    Connection::through(tcp(server.mutual.unwrap()), config, "localhost")
}

fn open(server: &Server, client: &Client, handshake: &Handshake) -> Ws {
    let mut connection = mutual(server, client.tls(server, &BOTH));
    connection.send(handshake.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 101, "{response:?}");
    Ws::new(connection)
}

/// With which alert the second listener turns this client away, before it has said a word of HTTP.
fn alert(server: &Server, config: ClientConfig) -> Option<AlertDescription> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = tcp(server.mutual.unwrap());
    let mut stream = rustls::Stream::new(&mut session, &mut tcp);
    let error = stream.read(&mut [0]).expect_err("nothing was sent");
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

fn thumbprint(client: &Client) -> Digest {
    digest(&SHA256, &client.certificate)
}

#[test]
fn a_right_certificate_and_a_token_open_a_socket_and_the_log_says_whose() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let client = authority.certify("trader-1.example.com", |params| {
        let uri = "spiffe://example.com/trader".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
    });
    let token = server.issuer.token("alice").mint();
    for path in ["/native", "/machines"] {
        let mut ws = open(&server, &client, &Handshake::new(path).bearer(&token));
        ws.ok("ping", json!({}));
    }
    let hex: String = thumbprint(&client)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let expected = json!({
        "sha256": hex,
        "serial": "1234",
        "subject": "CN=trader-1.example.com",
        "names": ["trader-1.example.com", "spiffe://example.com/trader"],
    });
    for event in ["admission", "close"] {
        let event = server.audited(|it| it["event"] == event);
        assert_eq!(event["certificate"], expected);
        assert_eq!(event["subject"], "alice");
    }
}

#[test]
fn a_certificate_stands_in_for_no_token() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let client = authority.certify("trader-1.example.com", |_| {});
    let mut connection = mutual(&server, client.tls(&server, &BOTH));
    connection.send(Handshake::new("/machines").text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 401, "{response:?}");
    let event = server.refused("credential-missing");
    assert_eq!(event["certificate"]["subject"], "CN=trader-1.example.com");
}

/// Notes whether anybody asked for a certificate, and has none.
#[derive(Debug, Default)]
struct Asked(AtomicBool);

impl ResolvesClientCert for Asked {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        assert!(hints.is_empty(), "strangers learn whom we trust");
        self.0.store(true, Ordering::Relaxed);
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn the_ordinary_listener_asks_nobody_for_a_certificate() {
    let server = demanding(&Authority::new("clients"), "");
    let asked = Arc::new(Asked::default());
    let mut config = tls(&server);
    config.client_auth_cert_resolver = asked.clone();
    let mut connection = Connection::over(&server, config.clone(), "localhost");
    let token = server.issuer.token("alice").mint();
    connection.send(Handshake::new("/native").bearer(&token).text().as_bytes());
    assert_eq!(connection.response().status, 101);
    assert!(!asked.0.load(Ordering::Relaxed));
    alert(&server, config).unwrap();
    assert!(asked.0.load(Ordering::Relaxed));
}

#[test]
fn a_route_for_certificates_cannot_be_entered_by_the_ordinary_listener() {
    let server = demanding(&Authority::new("clients"), "");
    let token = server.issuer.token("alice").mint();
    let mut connection = server.connect();
    connection.send(Handshake::new("/machines").bearer(&token).text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 403);
    assert_eq!(response.json()["code"], "client-certificate-required");
    let event = server.refused("certificate-required");
    assert_eq!(event["path"], "/machines");
    // Nor is there a ticket, whose refusal a page can read.
    let body = json!({ "route": "/machines" }).to_string();
    let length = body.len();
    let mut connection = server.connect();
    connection.send(
        format!("POST /.wardwire/tickets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}")
            .as_bytes(),
    );
    let response = connection.response();
    assert_eq!(response.status, 403);
    assert_eq!(response.json()["code"], "client-certificate-required");
}

#[test]
fn attack_039_a_token_bound_to_another_certificate_opens_nothing() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let [owner, thief] =
        ["owner.example.com", "thief.example.com"].map(|name| authority.certify(name, |_| {}));
    let bound = URL_SAFE_NO_PAD.encode(thumbprint(&owner));
    let token = server.issuer.token("alice");
    let token = token.claim("cnf", json!({ "x5t#S256": bound })).mint();
    let handshake = Handshake::new("/native").bearer(&token);
    open(&server, &owner, &handshake);
    let others = [mutual(&server, thief.tls(&server, &BOTH)), server.connect()];
    for mut connection in others {
        let before = server.audit().len();
        connection.send(handshake.text().as_bytes());
        let response = connection.response();
        assert_eq!(response.status, 401, "{response:?}");
        server.refused_since(before, "token-binding");
    }
}

#[test]
fn no_socket_outlives_its_certificate() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let client = authority.certify("trader-1.example.com", |params| {
        params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(now() + 10);
    });
    let token = server.issuer.token("alice").mint();
    let mut ws = open(&server, &client, &Handshake::new("/native").bearer(&token));
    ws.ok("ping", json!({}));
    ws.closes(3000, "expired");
}

/// Whether a server's second listener opens a socket to who has a certificate, and to nobody else.
fn assert_demands(server: &Server, authority: &Authority) {
    let client = authority.certify("trader-1.example.com", |_| {});
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/machines").bearer(&token);
    open(server, &client, &handshake).ok("ping", json!({}));
    let told = alert(server, tls(server));
    assert_eq!(told, Some(AlertDescription::CertificateRequired));
    server.refused("certificate-refused");
}

#[test]
fn a_service_manager_may_have_opened_the_second_listener_or_the_first_alone() {
    let authority = Authority::new("clients");
    for name in ["client-certificates", "public"] {
        let opened = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = opened.local_addr().unwrap();
        let server = configured(&authority, "")
            .environment("LISTEN_FDNAMES", name)
            .socket(opened)
            .start();
        let mutual = server.mutual.unwrap();
        assert_ne!(mutual, server.address);
        let taken = match name {
            "public" => server.address,
            _ => mutual,
        };
        assert_eq!(taken, address, "{name}");
        assert_demands(&server, &authority);
        server.echo();
    }
}

#[test]
fn behind_a_balancer_the_second_listener_takes_clients_and_no_word_of_others() {
    let authority = Authority::new("clients");
    let server = configured(&authority, "")
        .server("proxy_protocol = { from = [\"10.0.1.0/24\"] }\n")
        .start();
    assert_demands(&server, &authority);
    let before = server.audit().len();
    let mut plain = Connection::plain(server.mutual.unwrap());
    plain.send(b"PROXY TCP4 203.0.113.9 203.0.113.10 1 2\r\n");
    plain.rest();
    server.refused_since(before, "tls-failed");
}

#[test]
fn a_certificate_is_judged_anew_on_every_connection() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let client = authority.certify("trader-1.example.com", |_| {});
    for version in BOTH {
        // Remembers what could be resumed.
        let config = Arc::new(client.tls(&server, &[version]));
        for _ in 0..2 {
            let name = ServerName::try_from("localhost").unwrap();
            let mut session = ClientConnection::new(config.clone(), name).unwrap();
            let mut tcp = tcp(server.mutual.unwrap());
            let mut stream = rustls::Stream::new(&mut session, &mut tcp);
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(session.tls13_tickets_received(), 0);
        }
    }
}

#[test]
fn http_2_is_not_spoken_there() {
    let authority = Authority::new("clients");
    let mut setup = configured(&authority, "");
    setup.rest.insert_str(0, "[http2]\nwebsockets = true\n");
    let server = setup.start();
    let client = authority.certify("trader-1.example.com", |_| {});
    let mut config = client.tls(&server, &BOTH);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = tcp(server.mutual.unwrap());
    while session.is_handshaking() {
        session.complete_io(&mut tcp).unwrap();
    }
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
}
