//! Certificates that get and renew themselves, from a real authority. Ignored by default, as Pebble has to be there:
//! `cargo xtask test acme`. What a hostile authority can do is in [`hostile`], which needs none.

mod client_certificates;
mod hostile;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use serde_json::Value;

use crate::harness::{
    Connection, Handshake, PATIENCE, Server, Setup, Ws,
    pebble::{CHALLENGE, DIRECTORY, Front, ORDER, Pebble, Wanted},
    response, secret, tcp,
};

const HOST: &str = "live.test";
const TLS: &str = "tls = { cert = \"cert.pem\", key = \"key.pem\" }\n";
/// Longer than any test.
const LONG: u64 = 3600;

/// A configuration with this table under `[server.acme]`, and the authority at `front`.
fn configured(setup: &Setup, front: &Front, lines: &str) -> String {
    let acme = format!(
        "[server.acme]\nhosts = [\"{HOST}\"]\nterms_of_service_agreed = true\nca = \"ca.pem\"\ndirectory = \"{}\"\n{lines}\n[admin]",
        front.url(DIRECTORY)
    );
    let config = setup
        .config()
        .replace(TLS, "")
        .replacen("[admin]", &acme, 1);
    assert!(
        !config.contains("tls =") && config.contains("[server.acme]"),
        "{config}"
    );
    config
}

/// Who listens on ports that the authority must know before the server starts.
struct Ports {
    public: (TcpListener, u16),
    plain: (TcpListener, u16),
}

impl Ports {
    fn new() -> Self {
        let [public, plain] = [(); 2].map(|()| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            (listener, port)
        });
        Self { public, plain }
    }

    fn wanted(&self, lifetime: u64) -> Wanted {
        Wanted {
            tls: self.public.1,
            plain: self.plain.1,
            lifetime,
            accounts: Vec::new(),
        }
    }

    fn handed_to(self, setup: Setup) -> Setup {
        setup
            .server("redirect = \"127.0.0.1:1\"\n")
            .environment("LISTEN_FDNAMES", "public:redirect")
            .socket(self.public.0)
            .socket(self.plain.0)
    }
}

/// An authority, and a server that knows it and is not started yet.
fn prepared(lifetime: u64) -> (Pebble, Setup) {
    let setup = Setup::new();
    let ports = Ports::new();
    let pebble = Pebble::start(&setup, &ports.wanted(lifetime));
    (pebble, ports.handed_to(setup))
}

fn start(pebble: &Pebble, setup: Setup, lines: &str) -> Server {
    let config = configured(&setup, &pebble.front, lines);
    setup.start_with(&config)
}

/// Agrees on TLS. What the server is, or the alert.
fn agree(address: SocketAddr, client: ClientConfig, host: &str) -> Result<Agreed, String> {
    let name = host.to_owned().try_into().unwrap();
    let mut session = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut tcp = tcp(address);
    while session.is_handshaking() {
        session
            .complete_io(&mut tcp)
            .map_err(|error| error.to_string())?;
    }
    let leaf = session.peer_certificates().unwrap()[0].to_vec();
    let connection = Connection::on(StreamOwned::new(session, tcp));
    Ok(Agreed { leaf, connection })
}

struct Agreed {
    leaf: Vec<u8>,
    connection: Connection,
}

impl Agreed {
    /// An anonymous echo.
    fn echo(mut self) -> Ws {
        let handshake = Handshake::new("/echo").set("Host", HOST);
        let handshake = handshake.without("Sec-WebSocket-Protocol");
        self.connection.send(handshake.text().as_bytes());
        assert_eq!(self.connection.response().status, 101);
        Ws::new(self.connection)
    }
}

fn offering(mut client: ClientConfig, protocols: &[&str]) -> ClientConfig {
    client.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    client
}

/// Waits until the log tells of so many attempts that came out so, also where that takes as long as a short certificate
/// lives, and returns the last of them.
fn until(server: &Server, reason: &str, count: usize) -> Value {
    let is = |it: &Value| it["event"] == "certificate" && it["reason"] == reason;
    let begun = Instant::now();
    loop {
        let mut events = server.audit();
        events.retain(is);
        if let Some(event) = events.get(count - 1) {
            return event.clone();
        }
        assert!(begun.elapsed() < PATIENCE * 3, "{:#?}", server.audit());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn obtained(server: &Server, count: usize) {
    until(server, "obtained", count);
}

/// The files that the server keeps for its authority.
fn kept(server: &Server) -> PathBuf {
    let mut folders = fs::read_dir(server.folder.join("acme")).unwrap();
    let folder = folders.next().unwrap().unwrap().path();
    assert!(folders.next().is_none());
    folder
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn says_hello(ws: &mut Ws) {
    ws.text("hello");
    assert_eq!(ws.frame().unwrap().payload, b"hello");
}

#[test]
#[ignore = "needs Pebble"]
fn nobody_is_served_before_there_is_a_certificate_and_everybody_after() {
    let (pebble, setup) = prepared(LONG);
    pebble.front.hold(ORDER);
    let server = start(&pebble, setup, "");
    pebble.front.wait_for(ORDER, 1);
    let alert = agree(server.address, pebble.client(), HOST).err().unwrap();
    assert!(alert.contains("AccessDenied"), "{alert}");
    assert_eq!(server.admin("GET", "/health/ready", "").status, 503);
    assert_eq!(server.metric("wardwire_certificate_ends_seconds"), 0);
    pebble.front.release();
    obtained(&server, 1);
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    says_hello(&mut agreed.echo());
    assert_eq!(server.admin("GET", "/health/ready", "").status, 200);
    assert!(server.metric("wardwire_certificate_ends_seconds") > 0);
    assert_eq!(server.metric("wardwire_certificates_obtained_total"), 1);
}

#[test]
#[ignore = "needs Pebble"]
fn a_certificate_that_is_kept_is_used_at_once_and_read_by_nobody_else() {
    let (pebble, setup) = prepared(LONG);
    let mut server = start(&pebble, setup, "");
    obtained(&server, 1);
    let first = agree(server.address, pebble.client(), HOST).unwrap().leaf;
    let folder = kept(&server);
    for (path, expected) in [
        (server.folder.join("acme"), 0o700),
        (folder.clone(), 0o700),
        (folder.join("account.json"), 0o600),
        (folder.join("certificate.pem"), 0o600),
    ] {
        assert_eq!(mode(&path), expected, "{}", path.display());
    }
    server.kill();
    let mut again = Setup::new();
    again.folder.clone_from(&server.folder);
    let orders = pebble.front.asked(ORDER);
    // Whatever the authority does then.
    pebble
        .front
        .answer("/", &response("500 Internal Server Error", "", ""));
    let server = start(&pebble, again, "");
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    assert_eq!(agreed.leaf, first);
    says_hello(&mut agreed.echo());
    assert_eq!(pebble.front.asked(ORDER), orders);
}

#[test]
#[ignore = "needs Pebble"]
fn a_certificate_is_renewed_under_an_open_socket() {
    let (pebble, setup) = prepared(15);
    let server = start(&pebble, setup, "");
    obtained(&server, 1);
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    let first = agreed.leaf.clone();
    let mut open = agreed.echo();
    obtained(&server, 2);
    says_hello(&mut open);
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    assert_ne!(agreed.leaf, first);
    says_hello(&mut agreed.echo());
    says_hello(&mut open);
}

#[test]
#[ignore = "needs Pebble"]
fn an_authority_that_refuses_renewal_takes_nothing_away() {
    let (pebble, setup) = prepared(30);
    let server = start(&pebble, setup, "");
    obtained(&server, 1);
    let first = agree(server.address, pebble.client(), HOST).unwrap().leaf;
    let problem = "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\\u001b[2J orders\"}";
    let limited = response("429 Too Many Requests", "Retry-After: 1\r\n", problem);
    pebble
        .front
        .answer_once(ORDER, &response("200 OK", "", "<html>"));
    pebble.front.answer_once(ORDER, &limited);
    let failed = until(&server, "failed", 2);
    let detail = failed["detail"].as_str().unwrap();
    assert!(
        detail.contains("too many") && detail.contains("rateLimited"),
        "{detail}"
    );
    assert!(!detail.contains('\u{1b}'), "{detail}");
    assert_eq!(server.metric("wardwire_certificate_failures_total"), 2);
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    assert_eq!(agreed.leaf, first);
    says_hello(&mut agreed.echo());
    obtained(&server, 2);
    assert_ne!(
        agree(server.address, pebble.client(), HOST).unwrap().leaf,
        first
    );
}

#[test]
#[ignore = "needs Pebble"]
fn a_certificate_is_shown_to_nobody_once_it_has_expired() {
    let (pebble, setup) = prepared(6);
    let server = start(&pebble, setup, "");
    obtained(&server, 1);
    pebble
        .front
        .answer(ORDER, &response("500 Internal Server Error", "", "{}"));
    until(&server, "expired", 1);
    let alert = agree(server.address, pebble.client(), HOST).err().unwrap();
    assert!(alert.contains("AccessDenied"), "{alert}");
}

#[test]
#[ignore = "needs Pebble"]
fn the_authority_says_when_to_renew() {
    let (pebble, setup) = prepared(200);
    // Pebble knows nothing of RFC 9773; what it says is completed here.
    let mut directory =
        Connection::through(tcp(pebble.front.address), pebble.own_client(), "localhost");
    directory.send(
        format!(
            "GET {DIRECTORY} HTTP/1.1\r\nHost: localhost:{}\r\n\r\n",
            pebble.front.address.port()
        )
        .as_bytes(),
    );
    let mut directory = directory.response().json();
    directory["renewalInfo"] = pebble.front.url("/renewal").into();
    let json = "Content-Type: application/json\r\n";
    pebble
        .front
        .answer(DIRECTORY, &response("200 OK", json, &directory.to_string()));
    let window = "{\"suggestedWindow\":{\"start\":\"2020-01-01T00:00:00Z\",\"end\":\"2020-01-02T00:00:00Z\"}}";
    pebble
        .front
        .answer("/renewal/", &response("200 OK", json, window));
    let server = start(&pebble, setup, "");
    // At two thirds of its lifetime nobody would wait for it.
    obtained(&server, 2);
}

#[test]
#[ignore = "needs Pebble"]
fn a_challenge_is_answered_to_the_authority_alone_and_only_while_it_is_posed() {
    let (pebble, setup) = prepared(LONG);
    pebble.front.hold(CHALLENGE);
    let server = start(&pebble, setup, "");
    pebble.front.wait_for(CHALLENGE, 1);
    let mut unverified = offering(pebble.client(), &["acme-tls/1"]);
    unverified
        .dangerous()
        .set_certificate_verifier(Arc::new(Authority));
    let mut asked = agree(server.address, unverified.clone(), HOST).unwrap();
    let shown = x509(&asked.leaf);
    assert!(
        shown.contains("acmeIdentifier") || shown.contains("1.3.6.1.5.5.7.1.31"),
        "{shown}"
    );
    assert!(shown.contains("DNS:live.test"), "{shown}");
    // The handshake was the answer: nothing is read.
    asked
        .connection
        .send(b"GET / HTTP/1.1\r\nHost: live.test\r\n\r\n");
    assert_eq!(asked.connection.rest(), 0);
    for (host, protocols) in [
        ("other.test", &["acme-tls/1"][..]),
        (HOST, &["acme-tls/1", "http/1.1"]),
        (HOST, &["h2", "acme-tls/1"]),
        (HOST, &["http/1.1"]),
        (HOST, &[]),
    ] {
        let client = offering(unverified.clone(), protocols);
        let alert = agree(server.address, client, host).err().unwrap();
        assert!(
            alert.contains("AccessDenied"),
            "{host} {protocols:?}: {alert}"
        );
    }
    pebble.front.release();
    obtained(&server, 1);
    let alert = agree(server.address, unverified, HOST).err().unwrap();
    assert!(alert.contains("NoApplicationProtocol"), "{alert}");
    assert!(agree(server.address, pebble.client(), HOST).is_ok());
}

#[test]
#[ignore = "needs Pebble"]
fn while_a_certificate_is_renewed_clients_and_the_authority_get_their_own() {
    let (pebble, setup) = prepared(30);
    let server = start(&pebble, setup, "");
    obtained(&server, 1);
    pebble.front.hold(CHALLENGE);
    // Pebble has some requests sent again, for nonces that it says are bad.
    let before = pebble.front.asked(CHALLENGE);
    pebble.front.wait_for(CHALLENGE, before + 1);
    let mut unverified = pebble.client();
    unverified
        .dangerous()
        .set_certificate_verifier(Arc::new(Authority));
    for protocols in [&["acme-tls/1", "http/1.1"][..], &["spdy/3", "acme-tls/1"]] {
        let client = offering(unverified.clone(), protocols);
        let alert = agree(server.address, client, HOST).err().unwrap();
        assert!(alert.contains("AccessDenied"), "{protocols:?}: {alert}");
    }
    let asked = agree(server.address, offering(unverified, &["acme-tls/1"]), HOST).unwrap();
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    assert_ne!(agreed.leaf, asked.leaf);
    says_hello(&mut agreed.echo());
    pebble.front.release();
    obtained(&server, 2);
}

#[test]
#[ignore = "needs Pebble"]
fn http_01_is_answered_on_the_plain_port_for_tokens_that_are_posed_alone() {
    let (pebble, setup) = prepared(LONG);
    pebble.front.hold(CHALLENGE);
    let server = start(&pebble, setup, "challenge = \"http-01\"\n");
    let plain = server.redirect.unwrap();
    let ask = |path: &str| {
        let mut connection = Connection::plain(plain);
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes());
        connection.response()
    };
    pebble.front.wait_for(CHALLENGE, 1);
    for token in ["", "x", "../../etc/passwd", "DGyRejmCefe7v4NfDGDKfA"] {
        let path = format!("/.well-known/acme-challenge/{token}");
        assert_eq!(ask(&path).status, 404, "{path}");
    }
    // As every other path.
    assert_eq!(ask("/.well-known/").status, 308);
    pebble.front.release();
    obtained(&server, 1);
    let agreed = agree(server.address, pebble.client(), HOST).unwrap();
    says_hello(&mut agreed.echo());
}

#[test]
#[ignore = "needs Pebble"]
fn an_authority_that_knows_its_customers_is_shown_who_asks() {
    let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    let bound = "external_account = { kid = \"kid-1\", key_file = \"eab.key\" }\n";
    for (other, reason) in [(false, "obtained"), (true, "failed")] {
        let setup = Setup::new();
        let ports = Ports::new();
        let mut wanted = ports.wanted(LONG);
        wanted.accounts = vec![("kid-1", key)];
        let pebble = Pebble::start(&setup, &wanted);
        let key = match other {
            false => key.to_owned(),
            true => key.chars().rev().collect(),
        };
        secret(&setup.folder.join("eab.key"), &format!("{key}\n"));
        let server = start(&pebble, ports.handed_to(setup), bound);
        until(&server, reason, 1);
        server.assert_unlogged(&[&key]);
    }
}

#[test]
#[ignore = "needs Pebble"]
fn an_account_that_the_authority_has_forgotten_is_made_anew() {
    let (mut pebble, setup) = prepared(15);
    let server = start(&pebble, setup, "");
    obtained(&server, 1);
    // It keeps nothing between two runs.
    pebble.restart();
    obtained(&server, 2);
    assert!(kept(&server).join("account.json.unknown").is_file());
    assert!(agree(server.address, pebble.client(), HOST).is_ok());
}

/// Looks at what it is shown by itself, as an authority does with the answer to a challenge.
#[derive(Debug)]
struct Authority;

impl ServerCertVerifier for Authority {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

/// What openssl makes of a certificate.
fn x509(der: &[u8]) -> String {
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["x509", "-inform", "DER", "-noout", "-text"]);
    openssl.stdin(std::process::Stdio::piped());
    openssl.stdout(std::process::Stdio::piped());
    let mut child = openssl.spawn().unwrap();
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), der).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
