//! Client certificates on a listener of their own: who gets past TLS there, and what a certificate does not replace.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
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

/// A certificate that must not be taken: what the client is told, and what the log.
struct Bad {
    client: Client,
    alert: AlertDescription,
    detail: &'static str,
}

fn bad(authority: &Authority) -> Vec<Bad> {
    let spoilt = |spoil: fn(&mut CertificateParams), alert, detail| Bad {
        client: authority.certify("trader-1.example.com", spoil),
        alert,
        detail,
    };
    let strangers = Authority::new("clients");
    vec![
        spoilt(
            |it| it.not_after = date_time_ymd(2024, 1, 1),
            AlertDescription::CertificateExpired,
            "it has expired",
        ),
        spoilt(
            |it| it.not_before = date_time_ymd(4000, 1, 1),
            AlertDescription::CertificateExpired,
            "it is not valid yet",
        ),
        spoilt(
            |it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            AlertDescription::UnsupportedCertificate,
            "its extended key usage is not clientAuth",
        ),
        spoilt(
            |it| it.serial_number = Some(SerialNumber::from(77_u64)),
            AlertDescription::CertificateRevoked,
            "it was revoked",
        ),
        spoilt(
            |it| it.subject_alt_names.clear(),
            AlertDescription::AccessDenied,
            "none of its names is listed",
        ),
        Bad {
            client: authority.certify("trader-2.example.com", |_| {}),
            alert: AlertDescription::AccessDenied,
            detail: "none of its names is listed",
        },
        Bad {
            client: Client::self_signed("trader-1.example.com"),
            alert: AlertDescription::UnknownCA,
            detail: "no authority of ours issued it",
        },
        // Of the same name as ours, with another key.
        Bad {
            client: strangers.certify("trader-1.example.com", |_| {}),
            alert: AlertDescription::DecryptError,
            detail: "a signature does not hold: its authority's, or the client's own",
        },
    ]
}

#[test]
fn no_other_certificate_gets_past_tls() {
    let authority = Authority::new("clients");
    let setup = configured(
        &authority,
        "crl = [\"clients.crl\"]\nnames = [\"TRADER-1.example.com\"]",
    );
    std::fs::write(
        setup.folder.join("clients.crl"),
        authority.revoke(&[77], 600),
    )
    .unwrap();
    let server = setup.start();
    let good = authority.certify("trader-1.example.com", |_| {});
    let token = server.issuer.token("alice").mint();
    open(&server, &good, &Handshake::new("/native").bearer(&token));
    server.closed(1006, "dropped");
    for version in BOTH {
        for Bad {
            client,
            alert: expected,
            detail,
        } in bad(&authority)
        {
            let before = server.audit().len();
            let told = alert(&server, client.tls(&server, &[version]));
            assert_eq!(told, Some(expected), "{detail}");
            let event = server.refused_since(before, "certificate-refused");
            assert_eq!(event["stage"], "tls");
            assert_eq!(event["detail"], detail);
            let subject = event["certificate"]["subject"].as_str().unwrap();
            assert!(subject.starts_with("CN=trader-"), "{event}");
        }
    }
}

#[test]
fn a_chain_that_would_take_long_to_judge_is_not_looked_at() {
    let authority = Authority::new("clients");
    let server = demanding(&authority, "");
    let token = server.issuer.token("alice").mint();
    // Each of the same name, so that each could have issued each.
    let strangers: Vec<_> = (0..4).map(|_| Authority::new("x").der()).collect();
    for (between, told) in [(2, None), (4, Some(AlertDescription::CertificateUnknown))] {
        let mut client = authority.certify("trader-1.example.com", |_| {});
        client.between = strangers[..between].to_vec();
        let before = server.audit().len();
        match told {
            None => drop(open(
                &server,
                &client,
                &Handshake::new("/native").bearer(&token),
            )),
            told => {
                assert_eq!(alert(&server, client.tls(&server, &BOTH)), told);
                let event = server.refused_since(before, "certificate-refused");
                let detail = "its chain is longer than any that is taken";
                assert_eq!(event["detail"], detail);
            }
        }
    }
    let mut long = authority.certify("trader-1.example.com", |it| {
        let name = |n| SanType::DnsName(format!("{n}.{}.test", "x".repeat(50)).try_into().unwrap());
        it.subject_alt_names.extend((0..300).map(name));
    });
    long.between.clear();
    let before = server.audit().len();
    assert!(alert(&server, long.tls(&server, &BOTH)).is_some());
    server.refused_since(before, "certificate-refused");
}

#[test]
fn who_shows_no_certificate_gets_past_tls_no_more() {
    let server = demanding(&Authority::new("clients"), "");
    let before = server.audit().len();
    let told = alert(&server, tls(&server));
    assert_eq!(told, Some(AlertDescription::CertificateRequired));
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "none was shown");
    assert_eq!(event["certificate"], Value::Null);
}

#[test]
fn where_there_are_revocation_lists_each_issuer_needs_one_that_is_up_to_date() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let setup = configured(&first, "crl = [\"first.crl\"]");
    let both = first.pem() + &second.pem();
    std::fs::write(setup.folder.join("clients-ca.pem"), both).unwrap();
    std::fs::write(setup.folder.join("first.crl"), first.revoke(&[], 15)).unwrap();
    let server = setup.start();
    let before = server.audit().len();
    let unlisted = second.certify("trader-1.example.com", |_| {});
    alert(&server, unlisted.tls(&server, &BOTH)).unwrap();
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "no revocation list of its issuer is there");
    let listed = first.certify("trader-1.example.com", |_| {});
    let token = server.issuer.token("alice").mint();
    open(&server, &listed, &Handshake::new("/native").bearer(&token));
    // The list's time passes while the server runs.
    let begun = Instant::now();
    loop {
        let mut connection = mutual(&server, listed.tls(&server, &BOTH));
        connection.send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if connection.try_response().is_none() {
            break;
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "an old list still serves");
        std::thread::sleep(Duration::from_millis(50));
    }
    server.audited(|it| it["detail"] == "the revocation list of its issuer is out of date");
}

#[test]
fn an_authority_between_counts_if_it_is_sent_and_was_not_revoked() {
    let root = Authority::new("root");
    let (good, bad) = (root.below("good", 1), root.below("bad", 2));
    let setup = configured(&root, "crl = [\"root.crl\", \"below.crl\"]");
    let below = good.revoke(&[], 600) + &bad.revoke(&[], 600);
    std::fs::write(setup.folder.join("root.crl"), root.revoke(&[2], 600)).unwrap();
    std::fs::write(setup.folder.join("below.crl"), below).unwrap();
    let server = setup.start();
    let [mut through_good, mut through_bad] =
        [&good, &bad].map(|it| it.certify("trader-1.example.com", |_| {}));
    let before = server.audit().len();
    alert(&server, through_good.tls(&server, &BOTH)).unwrap();
    let event = server.refused_since(before, "certificate-refused");
    assert_eq!(event["detail"], "no authority of ours issued it");
    through_good.between.push(good.der());
    through_bad.between.push(bad.der());
    let token = server.issuer.token("alice").mint();
    let handshake = Handshake::new("/machines").bearer(&token);
    open(&server, &through_good, &handshake);
    let told = alert(&server, through_bad.tls(&server, &BOTH));
    assert_eq!(told, Some(AlertDescription::CertificateRevoked));
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

/// What `check` says of a configuration that must not start.
fn refused(setup: &Setup, config: &str) -> String {
    std::fs::write(setup.folder.join("bad.toml"), config).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
        .args(["check", "--config", "bad.toml"])
        .current_dir(&setup.folder)
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!output.status.success(), "{text}");
    text
}

/// The line at which a text stands first in a configuration.
fn line(config: &str, text: &str) -> usize {
    config.lines().position(|it| it.contains(text)).unwrap() + 1
}

#[test]
fn what_would_let_the_wrong_ones_in_or_nobody_is_refused_with_its_line_and_the_remedy() {
    let authority = Authority::new("clients");
    let setup = configured(
        &authority,
        "crl = [\"clients.crl\"]\nnames = [\"a.example.com\"]",
    );
    let write = |name: &str, text: &str| std::fs::write(setup.folder.join(name), text).unwrap();
    write("clients.crl", &authority.revoke(&[], 600));
    write("old.crl", &authority.revoke(&[], 0));
    let leaf = authority.certify("a.example.com", |_| {});
    let old = Authority::made("old", |it| it.not_after = date_time_ymd(2024, 1, 1));
    write("old-ca.pem", &old.pem());
    write("leaf.pem", &leaf.pem());
    write("open-ca.pem", &authority.pem());
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(setup.folder.join("open-ca.pem"), open).unwrap();
    let good = setup.config();
    for (from, to, says) in [
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"missing.pem\"",
            "Name a PEM file that the server's user can read.",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"key.pem\"",
            "holds no certificate",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"leaf.pem\"",
            "is no certificate authority",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"old-ca.pem\"",
            "expired at",
        ),
        (
            "ca = \"clients-ca.pem\"",
            "ca = \"open-ca.pem\"",
            "Run `chmod o-w` on it",
        ),
        ("ca = \"clients-ca.pem\"", "", "`ca` is missing"),
        (
            "crl = [\"clients.crl\"]",
            "crl = [\"old.crl\"]",
            "Fetch the authority's newest list.",
        ),
        (
            "crl = [\"clients.crl\"]",
            "crl = [\"cert.pem\"]",
            "it holds no revocation list",
        ),
        (
            "names = [\"a.example.com\"]",
            "names = []",
            "or drop `names`",
        ),
        (
            "names = [\"a.example.com\"]",
            "names = [\"\"]",
            "or drop `names`",
        ),
        (
            "names = [\"a.example.com\"]",
            "name = [\"a.example.com\"]",
            "Did you mean `names`?",
        ),
    ] {
        let config = good.replacen(from, to, 1);
        let text = refused(&setup, &config);
        let at = match to {
            "" => line(&config, "[server.client_certificates]"),
            _ => line(&config, to),
        };
        assert!(text.contains(&format!("bad.toml:{at}:")), "{to}: {text}");
        assert!(text.contains(says), "{to}: {text}");
    }
    for (from, to, says) in [
        (
            "tls = { cert = \"cert.pem\", key = \"key.pem\" }",
            "hosts = [\"localhost\"]\ntls = { terminated_by = [\"10.0.1.0/24\"] }",
            "let the balancer pass TLS through",
        ),
        (
            "[server.client_certificates]",
            "[server.unknown]",
            "Add [server.client_certificates]",
        ),
    ] {
        let text = refused(&setup, &good.replacen(from, to, 1));
        assert!(text.contains(says), "{to}: {text}");
    }
    let same = good.replace("127.0.0.1:0", "127.0.0.1:4711");
    let text = refused(&setup, &same);
    for other in ["server.listen", "admin.listen"] {
        let says = format!("server.client_certificates.listen is the address of {other}");
        assert!(text.contains(&says), "{text}");
    }
}

#[test]
fn check_says_who_comes_by_the_second_listener_and_what_for() {
    let authority = Authority::new("clients");
    let setup = configured(
        &authority,
        "crl = [\"clients.crl\"]\nnames = [\"a.example.com\"]",
    );
    let list = authority.revoke(&[], 600);
    std::fs::write(setup.folder.join("clients.crl"), list).unwrap();
    std::fs::write(setup.folder.join("admin.token"), "x".repeat(32)).unwrap();
    let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(setup.folder.join("admin.token"), only_ours).unwrap();
    std::fs::write(setup.folder.join("wardwire.toml"), setup.config()).unwrap();
    let claims = format!(
        "{{\"sub\":\"alice\",\"cnf\":{{\"x5t#S256\":\"{}\"}}}}",
        URL_SAFE_NO_PAD.encode([7; 32])
    );
    let said = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wardwire"))
            .args(["check", "--config", "wardwire.toml"])
            .args(more)
            .current_dir(&setup.folder)
            .output()
            .unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    };
    for (text, lines) in [
        (
            said(&[]),
            &[
                "listens on 127.0.0.1:0 too, for clients with a certificate of clients-ca.pem",
                "route /machines: channels, whoever is signed in, with a client certificate",
            ][..],
        ),
        (
            said(&["--explain"]),
            &[
                "only for clients that show a certificate which clients-ca.pem has issued (wardwire.toml:",
                "but for what clients.crl revokes (wardwire.toml:",
                "and for one of a.example.com (wardwire.toml:",
                "by the listener for client certificates; by another it is 403 (wardwire.toml:",
            ],
        ),
        (
            said(&["--explain", "--claims", &claims]),
            &[
                "Only over a connection with the client certificate whose SHA-256 is 0707",
                "/machines: may enter, with a client certificate",
            ],
        ),
    ] {
        for line in lines {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}

/// Runs openssl in the server's folder, and tells what it said.
fn openssl(folder: &Path, arguments: &str, input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may hang up before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// What another implementation certifies, revokes and connects with is judged alike.
#[test]
fn an_authority_and_clients_of_openssls_are_taken_and_turned_away_alike() {
    let setup = configured(&Authority::new("unused"), "crl = [\"clients.crl\"]");
    let folder = setup.folder.clone();
    let made = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    made(
        "ca.cnf",
        "[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = number\ndefault_md = sha256\ndefault_crl_days = 1\n",
    );
    made("index.txt", "");
    made("number", "01\n");
    made("client.ext", "extendedKeyUsage = clientAuth\n");
    openssl(
        &folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out clients-ca.pem -subj /CN=own -days 2",
        "",
    );
    for name in ["good", "bad"] {
        for command in [
            format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /O=Own/CN={name}"
            ),
            format!(
                "x509 -req -in {name}.csr -CA clients-ca.pem -CAkey ca.key -CAcreateserial -extfile client.ext -days 2 -out {name}.pem"
            ),
        ] {
            openssl(&folder, &command, "");
        }
    }
    let ca = "ca -config ca.cnf -keyfile ca.key -cert clients-ca.pem";
    openssl(&folder, &format!("{ca} -revoke bad.pem"), "");
    openssl(&folder, &format!("{ca} -gencrl -out clients.crl"), "");
    let server = setup.start();
    let ask = |name: &str| {
        let address = server.mutual.unwrap();
        openssl(
            &folder,
            &format!(
                "s_client -connect {address} -servername localhost -cert {name}.pem -key {name}.key -ign_eof"
            ),
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )
    };
    let text = ask("good");
    assert!(text.contains("HTTP/1.1 404"), "{text}");
    let event = server.refused("not-found");
    assert_eq!(event["certificate"]["subject"], "O=Own, CN=good");
    let text = ask("bad");
    assert!(!text.contains("HTTP/1.1"), "{text}");
    assert!(text.contains("certificate revoked"), "{text}");
    let event = server.refused("certificate-refused");
    assert_eq!(event["detail"], "it was revoked");
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
