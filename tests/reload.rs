//! A configuration that changes under a running server.

mod busy;
mod certificates;
mod client_certificates;
mod config;
mod waiting;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SignatureAlgorithm,
};
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use serde_json::Value;

use crate::harness::{Handshake, PATIENCE, Response, Server, tcp, tls};

/// Who signs the certificates of a test, trusted by its clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
struct Pair {
    pem: String,
    key: String,
    der: Vec<u8>,
}

impl Authority {
    /// One in whose name a server that has not been started shows its certificate.
    fn over(folder: &Path) -> (Self, Pair) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.join("ca.pem"), own.pem()).unwrap();
        let authority = Self(own);
        let first = authority.sign(&["localhost", "other.localhost"]);
        first.put(folder, "cert.pem", "key.pem");
        (authority, first)
    }

    fn sign(&self, names: &[&str]) -> Pair {
        self.sign_for(names, &rcgen::PKCS_ECDSA_P256_SHA256)
    }

    fn sign_for(&self, names: &[&str], kind: &'static SignatureAlgorithm) -> Pair {
        let key = KeyPair::generate_for(kind).unwrap();
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let leaf = CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&key, &self.0).unwrap();
        Pair {
            pem: leaf.pem(),
            key: key.serialize_pem(),
            der: leaf.der().to_vec(),
        }
    }
}

impl Pair {
    /// Renames both into place, the certificate first.
    fn put(&self, folder: &Path, cert: &str, key: &str) {
        replace(&folder.join(cert), &self.pem);
        replace(&folder.join(key), &self.key);
    }
}

/// Renames a file into place that only its owner reads.
fn replace(path: &Path, text: &str) {
    let partial = path.with_extension("partial");
    fs::write(&partial, text).unwrap();
    fs::set_permissions(&partial, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(partial, path).unwrap();
}

impl Server {
    /// Edits the configuration file.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let path = self.folder.join("wardwire.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        replace(&path, &text.replacen(from, to, 1));
    }

    fn reload(&self) -> Response {
        self.admin("POST", "/reload", "")
    }

    /// Reloads, and demands that it holds.
    pub(crate) fn reloaded(&self) -> Value {
        let answer = self.reload();
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        assert_eq!(answer["outcome"], "reloaded", "{answer}");
        answer
    }

    /// Waits until so many reloads came to this.
    fn until_reloads(&self, outcome: &str, count: u64) {
        let name = format!("wardwire_reloads_total{{outcome=\"{outcome}\"}}");
        self.until_metric(&name, count);
    }

    /// The certificate that a client is shown which asks for this name, or for none.
    fn shown(&self, name: Option<&str>) -> Vec<u8> {
        let mut config = tls(self);
        config.enable_sni = name.is_some();
        self.shown_to(config, name)
    }

    fn shown_to(&self, config: ClientConfig, name: Option<&str>) -> Vec<u8> {
        let name = ServerName::try_from(name.unwrap_or("localhost").to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut tcp = tcp(self.address);
        while client.is_handshaking() {
            client.complete_io(&mut tcp).unwrap();
        }
        client.peer_certificates().unwrap()[0].to_vec()
    }

    /// The status of a handshake from this page.
    fn enters(&self, origin: &str) -> u16 {
        let token = self.issuer.token("visitor").mint();
        let mut connection = self.connect();
        let handshake = Handshake::new("/live").origin(origin).bearer(&token);
        connection.send(handshake.text().as_bytes());
        connection.response().status
    }
}

/// Waits until something holds that nothing tells of.
fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
