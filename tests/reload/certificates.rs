//! Which certificate is shown, and when it is another.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;

use super::{Authority, replace, until};
use crate::harness::{Connection, Handshake, Server, Setup, roots, tls};

const MORE: &str = "[[server.certificates]]\ncert = \"star.pem\"\nkey = \"star.key\"\n\
                    [[server.certificates]]\ncert = \"exact.pem\"\nkey = \"exact.key\"\n";

#[test]
fn each_client_is_shown_the_certificate_for_the_name_it_asks_for() {
    let setup = Setup::new().server(MORE);
    let (authority, first) = Authority::over(&setup.folder);
    let star = authority.sign(&["*.shop.localhost"]);
    let exact = authority.sign(&["pay.shop.localhost"]);
    star.put(&setup.folder, "star.pem", "star.key");
    exact.put(&setup.folder, "exact.pem", "exact.key");
    let server = setup.start();
    assert!(server.shown(None) == first.der, "without a name");
    assert!(server.shown(Some("other.localhost")) == first.der);
    assert!(server.shown(Some("www.shop.localhost")) == star.der);
    assert!(
        server.shown(Some("pay.shop.localhost")) == exact.der,
        "before the star"
    );
    // The names of all of them are hosts.
    let token = server.issuer.token("alice").mint();
    let mut connection = Connection::open(&server, "www.shop.localhost");
    let handshake = Handshake::new("/native").bearer(&token);
    let handshake = handshake.set("Host", "www.shop.localhost");
    connection.send(handshake.text().as_bytes());
    assert_eq!(connection.response().status, 101);
}

#[test]
fn a_name_with_two_kinds_of_keys_is_shown_the_one_that_the_client_can_verify() {
    let setup =
        Setup::new().server("[[server.certificates]]\ncert = \"ed.pem\"\nkey = \"ed.key\"\n");
    let (authority, first) = Authority::over(&setup.folder);
    let ed = authority.sign_for(&["localhost"], &rcgen::PKCS_ED25519);
    ed.put(&setup.folder, "ed.pem", "ed.key");
    let server = setup.start();
    assert!(
        server.shown(Some("localhost")) == first.der,
        "the first that does"
    );
    let mut algorithms =
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let all = algorithms.mapping;
    let kept: Vec<_> = all
        .iter()
        .filter(|(scheme, _)| *scheme == rustls::SignatureScheme::ED25519)
        .copied()
        .collect();
    algorithms.mapping = Box::leak(kept.into_boxed_slice());
    let provider = rustls::crypto::CryptoProvider {
        signature_verification_algorithms: algorithms,
        ..rustls::crypto::aws_lc_rs::default_provider()
    };
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots(&server))
        .with_no_client_auth();
    assert!(server.shown_to(config, Some("localhost")) == ed.der);
}

#[test]
fn one_name_in_two_certificates_with_keys_of_one_kind_is_refused() {
    let setup =
        Setup::new().server("[[server.certificates]]\ncert = \"twin.pem\"\nkey = \"twin.key\"\n");
    let (authority, _) = Authority::over(&setup.folder);
    let twin = authority.sign(&["fine.localhost", "LocalHost"]);
    twin.put(&setup.folder, "twin.pem", "twin.key");
    let config = setup.config();
    let output = setup.command(&config).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success()
            && text.contains("an earlier certificate is for \"LocalHost\" too"),
        "{text}"
    );
    assert!(text.contains("wardwire.toml:7:"), "{text}");
    let _ = fs::remove_dir_all(&setup.folder);
}

#[test]
fn a_new_certificate_is_shown_once_the_reload_has_answered() {
    let setup = Setup::new().server("watch = false");
    let (authority, first) = Authority::over(&setup.folder);
    let server = setup.start();
    let mut alice = server.socket("alice");
    // Accepted before, and silent until after.
    let early = crate::harness::tcp(server.address);
    let second = authority.sign(&["localhost", "new.localhost"]);
    second.put(&server.folder, "cert.pem", "key.pem");
    let answer = server.reloaded();
    assert_eq!(
        answer["changed"],
        json!(["server.tls.cert", "server.tls.key"])
    );
    assert!(second.der != first.der && server.shown(Some("localhost")) == second.der);
    let mut early = Connection::through(early, tls(&server), "new.localhost");
    let handshake = Handshake::new("/echo").without("Sec-WebSocket-Protocol");
    early.send(handshake.set("Host", "new.localhost").text().as_bytes());
    let answer = early
        .try_response()
        .unwrap_or_else(|| panic!("{:#?}", server.audit()));
    assert_eq!(answer.status, 101, "its names are hosts");
    alice.ok("ping", json!({}));
}

#[test]
fn sighup_reloads() {
    let setup = Setup::new();
    let (authority, _) = Authority::over(&setup.folder);
    let server = setup.server("watch = false").start();
    let mut alice = server.socket("alice");
    let second = authority.sign(&["localhost"]);
    second.put(&server.folder, "cert.pem", "key.pem");
    server.hangup();
    server.until_reloads("reloaded", 1);
    assert!(server.shown(Some("localhost")) == second.der);
    alice.ok("ping", json!({}));
}

#[test]
fn half_of_a_pair_changes_nothing_and_the_whole_is_taken_by_itself() {
    let setup = Setup::new();
    let (authority, first) = Authority::over(&setup.folder);
    let server = setup.start();
    let second = authority.sign(&["localhost"]);
    replace(&server.folder.join("cert.pem"), &second.pem);
    server.until_reloads("refused", 1);
    assert!(server.shown(Some("localhost")) == first.der);
    let event = server.audited(|event| event["event"] == "reload");
    let detail = event["detail"].as_str().unwrap();
    assert!(
        detail.starts_with("files: ") && detail.contains("is not the key of"),
        "{event}"
    );
    replace(&server.folder.join("key.pem"), &second.key);
    server.until_reloads("reloaded", 1);
    assert!(server.shown(Some("localhost")) == second.der);
}

/// As Kubernetes does it: the files lead through `..data` to a folder, and `..data` is renamed to lead to another.
#[test]
fn a_symbolic_link_that_leads_elsewhere_is_a_change() {
    let setup = Setup::new();
    let (authority, _) = Authority::over(&setup.folder);
    let folder = setup.folder.clone();
    let lay = |name: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        let pair = authority.sign(&["localhost"]);
        pair.put(&folder.join(name), "cert.pem", "key.pem");
        symlink(name, folder.join("..data.new")).unwrap();
        fs::rename(folder.join("..data.new"), folder.join("..data")).unwrap();
        pair
    };
    lay("one");
    for file in ["cert.pem", "key.pem"] {
        fs::remove_file(folder.join(file)).unwrap();
        symlink(format!("..data/{file}"), folder.join(file)).unwrap();
    }
    let server = setup.start();
    let second = lay("two");
    until("the other folder's certificate", || {
        server.shown(Some("localhost")) == second.der
    });
}

#[test]
fn files_are_not_watched_where_that_is_off() {
    let setup = Setup::new().server("watch = false");
    let (authority, first) = Authority::over(&setup.folder);
    let server: Server = setup.start();
    authority
        .sign(&["localhost"])
        .put(&server.folder, "cert.pem", "key.pem");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(server.shown(Some("localhost")) == first.der);
    server.reloaded();
}
