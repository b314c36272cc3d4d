//! `wardwire token`: mints an ES256 access token with a local key. For development; nothing in a server trusts it unless a
//! configuration names the key.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Map, Value, json};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The private key, PKCS#8 PEM on P-256
    #[arg(long)]
    key: PathBuf,
    /// Make the key first, and write its JWK set beside it as FILE.jwks.json
    #[arg(long)]
    new_key: bool,
    /// `iss`
    #[arg(long, required_unless_present = "new_key")]
    issuer: Option<String>,
    /// `aud`
    #[arg(long, required_unless_present = "new_key")]
    audience: Option<String>,
    /// `sub`
    #[arg(long, required_unless_present = "new_key")]
    subject: Option<String>,
    /// A further claim, as NAME=JSON; may stand several times
    #[arg(long = "claim", value_name = "NAME=JSON")]
    claims: Vec<String>,
    /// Seconds until it expires
    #[arg(long, default_value_t = 3600)]
    ttl: u64,
}

pub(super) fn command(arguments: &Arguments) -> ExitCode {
    match run(arguments) {
        Ok(printed) => {
            println!("{printed}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<String> {
    if arguments.new_key {
        let jwks = make_key(&arguments.key)?;
        if arguments.issuer.is_none() {
            return Ok(format!("{}\n{}", arguments.key.display(), jwks.display()));
        }
    }
    let pem = std::fs::read(&arguments.key)
        .map_err(|error| io::Error::other(format!("{}: {error}", arguments.key.display())))?;
    let key = EncodingKey::from_ec_pem(&pem).map_err(io::Error::other)?;
    mint(&key, claims(arguments)?)
}

/// Signs claims as an access token (RFC 9068).
pub(crate) fn mint(key: &EncodingKey, claims: Map<String, Value>) -> io::Result<String> {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some("at+jwt".into());
    header.kid = Some(key_id(key)?);
    jsonwebtoken::encode(&header, &claims, key).map_err(io::Error::other)
}

/// The public half, as the only key of a JWK set.
pub(crate) fn jwks(key: &EncodingKey) -> io::Result<Value> {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES256).map_err(io::Error::other)?;
    jwk.common.key_id = Some(key_id(key)?);
    Ok(json!({ "keys": [jwk] }))
}

/// The key's thumbprint (RFC 7638).
fn key_id(key: &EncodingKey) -> io::Result<String> {
    Jwk::from_encoding_key(key, Algorithm::ES256)
        .and_then(|jwk| jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256))
        .map_err(io::Error::other)
}

fn make_key(path: &Path) -> io::Result<PathBuf> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
    let pem = pair.serialize_pem();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(pem.as_bytes())?;
    let key = EncodingKey::from_ec_pem(pem.as_bytes()).map_err(io::Error::other)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".jwks.json");
    std::fs::write(&beside, jwks(&key)?.to_string())?;
    Ok(beside.into())
}

fn claims(arguments: &Arguments) -> io::Result<Map<String, Value>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut claims = Map::new();
    for claim in &arguments.claims {
        let bad = || {
            io::Error::other(format!(
                "--claim {claim}: write NAME=JSON, as rooms='[\"lobby\"]'"
            ))
        };
        let (name, value) = claim.split_once('=').ok_or_else(bad)?;
        let value = serde_json::from_str(value).map_err(|_| bad())?;
        claims.insert(name.to_owned(), value);
    }
    claims.insert("iss".into(), arguments.issuer.clone().into());
    claims.insert("aud".into(), arguments.audience.clone().into());
    claims.insert("sub".into(), arguments.subject.clone().into());
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), now.saturating_add(arguments.ttl).into());
    Ok(claims)
}
