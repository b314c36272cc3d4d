//! What the documents promise is held against the code, so that neither can change alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
    KeyIdMethod, KeyPair, SerialNumber, date_time_ymd,
};
use serde_json::Value;
use wardwire::{
    audit::SigningKey,
    config::{Config, Limits, Problems},
};
use wardwire_admission::refusal::Reason;
use wardwire_protocol::rpc::RpcError;

mod guides;
mod protocol;
mod schema;
mod security;
mod vectors;

const EXAMPLE: &str = include_str!("../../../../wardwire.example.toml");
const CONFIGURATION: &str = include_str!("../../../../docs/configuration.md");
const AUDIT: &str = include_str!("../../../../docs/operations/audit.md");

/// A folder with everything that the example names.
fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder =
        std::env::temp_dir().join(format!("wardwire-example-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["live.example.com".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    private(&folder.join("cert.pem"), &certificate.pem());
    private(&folder.join("ca.pem"), &certificate.pem());
    private(&folder.join("key.pem"), &key.serialize_pem());
    certify_clients(&folder);
    let key_of_shop = KeyPair::generate().unwrap();
    let shop = CertificateParams::new(["shop.example.com".to_owned()])
        .unwrap()
        .self_signed(&key_of_shop)
        .unwrap();
    private(&folder.join("shop.pem"), &shop.pem());
    private(&folder.join("shop.key"), &key_of_shop.serialize_pem());
    private(
        &folder.join("admin.token"),
        "0123456789abcdef0123456789abcdef",
    );
    private(
        &folder.join("backend.token"),
        "fedcba9876543210fedcba9876543210",
    );
    private(&folder.join("client.secret"), "a-secret-of-the-client\n");
    private(&folder.join("client.pem"), &key.serialize_pem());
    private(&folder.join("local.pem.jwks.json"), &key_set(&key));
    fs::create_dir_all(folder.join("schemas")).unwrap();
    private(&folder.join("schemas/chat.json"), "{}");
    folder
}

/// An authority of clients, which has taken nothing back.
fn certify_clients(folder: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2024, 1, 1),
        next_update: date_time_ymd(4000, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&authority).unwrap().pem().unwrap();
    private(&folder.join("clients-ca.pem"), &authority.pem());
    private(&folder.join("clients.crl"), &list);
}

fn key_set(key: &KeyPair) -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
    let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    serde_json::json!({ "keys": [jwk] }).to_string()
}

fn private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(text, &folder().join("wardwire.toml"))
}

/// The example with every key that it leaves out. Its absolute path is one that this machine lacks.
fn with_every_key() -> String {
    let key = folder().with_extension("audit-key");
    if !key.exists() {
        SigningKey::make(&key).unwrap();
    }
    let written = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|first: char| first.is_ascii_lowercase() || first == '[') => {
            key.to_owned()
        }
        _ => line.to_owned(),
    };
    let text = EXAMPLE.lines().map(written).collect::<Vec<_>>().join("\n");
    text.replace("/etc/wardwire/audit.key", key.to_str().unwrap())
}

/// Every key of the configuration, with its table.
fn keys() -> Vec<(String, String)> {
    fn collect(shape: &Value, table: &str, all: &mut Vec<(String, String)>) {
        let shape = shape.get("items").unwrap_or(shape);
        let Some(properties) = shape["properties"].as_object() else {
            return;
        };
        for (key, shape) in properties {
            all.push((table.to_owned(), key.clone()));
            collect(shape, key, all);
        }
    }
    let mut all = Vec::new();
    collect(wardwire::config::schema(), "the file", &mut all);
    all
}

#[test]
fn the_example_is_accepted_without_a_warning() {
    let config = parse(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.warnings.count(), 0, "{}", config.warnings);
}

#[test]
fn the_example_with_every_key_is_accepted_and_its_defaults_are_the_defaults() {
    let all = parse(&with_every_key()).unwrap_or_else(|problems| panic!("{problems}"));
    let few = parse(EXAMPLE).unwrap_or_else(|problems| panic!("{problems}"));
    let defaults = format!("{:?}", Limits::default());
    assert_eq!(format!("{:?}", all.file.limits), defaults);
    assert_eq!(all.file.audit.file, few.file.audit.file);
    assert_eq!(all.file.audit.ship_required, few.file.audit.ship_required);
    assert_eq!(
        format!("{:?}", all.file.development),
        format!("{:?}", few.file.development)
    );
    assert_eq!(all.file.server.drain, few.file.server.drain);
}

#[test]
fn the_example_and_the_reference_have_every_key() {
    let example = with_every_key();
    for (table, key) in keys() {
        assert!(
            CONFIGURATION.contains(&format!("`{key}`")) || table == "the file",
            "docs/configuration.md lacks `{key}` of {table}"
        );
        let written = [format!("{key} = "), format!("[{key}]"), format!(".{key}]")];
        let mentions = |line: &str| written.iter().any(|it| line.contains(it));
        assert!(
            example.lines().any(mentions),
            "wardwire.example.toml lacks `{key}` of {table}"
        );
    }
}

#[test]
fn every_reason_of_a_refusal_is_explained() {
    for reason in Reason::ALL {
        let row = format!(
            "| `{}` | {} | `{}` |",
            reason.code(),
            reason.status().as_u16(),
            reason.public_code()
        );
        assert!(AUDIT.contains(&row), "docs/operations/audit.md lacks {row}");
    }
}

/// Every error in band.
const OWN_ERRORS: [RpcError; 13] = [
    RpcError::PARSE,
    RpcError::REQUEST,
    RpcError::METHOD,
    RpcError::PARAMS,
    RpcError::FORBIDDEN,
    RpcError::RATE,
    RpcError::LIMIT,
    RpcError::CONTENT,
    RpcError::CHANNEL,
    RpcError::SUBSCRIPTION,
    RpcError::TOKEN,
    RpcError::INVALID,
    RpcError::TOO_LARGE,
];

#[test]
fn the_shared_codes_are_the_servers_own() {
    let spec: toml::Table = toml::from_str(include_str!("../../../../spec/codes.toml")).unwrap();
    let entries = |name: &str| spec[name].as_array().unwrap().clone();
    let mut refusals: Vec<(String, i64)> = Vec::new();
    for entry in entries("refusal") {
        let code = entry["code"].as_str().unwrap().to_owned();
        let statuses = entry["statuses"].as_array().unwrap();
        refusals.extend(
            statuses
                .iter()
                .map(|it| (code.clone(), it.as_integer().unwrap())),
        );
    }
    for reason in Reason::ALL {
        let known = (
            reason.public_code().to_owned(),
            i64::from(reason.status().as_u16()),
        );
        assert!(refusals.contains(&known), "spec/codes.toml lacks {known:?}");
    }
    let said = |(code, status): &(String, i64)| {
        Reason::ALL.iter().any(|reason| {
            reason.public_code() == code && i64::from(reason.status().as_u16()) == *status
        })
    };
    assert!(
        refusals.iter().all(said),
        "spec/codes.toml has a refusal that is never given"
    );
    let rpc = entries("rpc");
    let calls: Vec<(i64, &str)> = rpc
        .iter()
        .map(|entry| {
            let word = entry["word"].as_str().unwrap();
            (entry["code"].as_integer().unwrap(), word)
        })
        .collect();
    let own = OWN_ERRORS.map(|error| (i64::from(error.code), error.word));
    assert_eq!(calls, own);
}
