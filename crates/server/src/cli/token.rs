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

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Map, Value, json};

use crate::config::{Span, is_shared};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The private key, PKCS#8 PEM on P-256
    #[arg(long)]
    key: PathBuf,
    /// Make the key first, and write its JWK set beside it as FILE.jwks.json
    #[arg(long)]
    new_key: bool,
    /// `iss`
    #[arg(long, required_unless_present = "new_key", requires_all = ["audience", "subject"])]
    issuer: Option<String>,
    /// `aud`
    #[arg(long, required_unless_present = "new_key", requires_all = ["issuer", "subject"])]
    audience: Option<String>,
    /// `sub`
    #[arg(long, required_unless_present = "new_key", requires_all = ["issuer", "audience"])]
    subject: Option<String>,
    /// A further claim, as NAME=JSON; may stand several times
    #[arg(long = "claim", value_name = "NAME=JSON")]
    claims: Vec<String>,
    /// Make it a grant, of what `--claim channels='{"chat/1": ["subscribe"]}'` says, in place of an access token
    #[arg(long, requires = "issuer")]
    grant: bool,
    /// Until it expires: "90s", "15m", "1h"
    #[arg(long, default_value = "1h")]
    ttl: Span,
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
    let name = arguments.key.display();
    if is_shared(&arguments.key) {
        let message = format!("{name} can be read by others: run `chmod 600` on it");
        return Err(io::Error::other(message));
    }
    let explain = |error: &dyn std::fmt::Display| io::Error::other(format!("{name}: {error}"));
    let pem = std::fs::read(&arguments.key).map_err(|error| explain(&error))?;
    let key = EncodingKey::from_ec_pem(&pem).map_err(|error| explain(&error))?;
    let kind = match arguments.grant {
        true => "wardwire-grant+jwt",
        false => ACCESS_TOKEN,
    };
    sign(&key, kind, claims(arguments)?).map_err(|error| explain(&error))
}

/// RFC 9068.
const ACCESS_TOKEN: &str = "at+jwt";

/// Signs claims as an access token.
pub(crate) fn mint(key: &EncodingKey, claims: Map<String, Value>) -> io::Result<String> {
    sign(key, ACCESS_TOKEN, claims)
}

fn sign(key: &EncodingKey, kind: &str, claims: Map<String, Value>) -> io::Result<String> {
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some(kind.into());
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

/// Neither file may be there already: a key that is overwritten is gone, and so are the tokens it signed.
fn make_key(path: &Path) -> io::Result<PathBuf> {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
    let pem = pair.serialize_pem();
    let key = EncodingKey::from_ec_pem(pem.as_bytes()).map_err(io::Error::other)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".jwks.json");
    let beside = PathBuf::from(beside);
    if beside.exists() {
        let message = format!("{} is there already", beside.display());
        return Err(io::Error::other(message));
    }
    create(path, 0o600, pem.as_bytes())?;
    create(&beside, 0o644, jwks(&key)?.to_string().as_bytes())?;
    Ok(beside)
}

fn create(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let explain = |error| io::Error::other(format!("{}: {error}", path.display()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options
        .open(path)
        .and_then(|mut file| file.write_all(content))
        .map_err(explain)
}

/// What a token always says, and no `--claim` may (RFC 9068 §2.2).
const OWN: [&str; 5] = ["iss", "aud", "sub", "iat", "exp"];

fn claims(arguments: &Arguments) -> io::Result<Map<String, Value>> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let mut claims = Map::new();
    claims.insert("client_id".into(), "wardwire token".into());
    claims.insert("jti".into(), token_id()?.into());
    for claim in &arguments.claims {
        let (name, value) = parse_claim(claim)?;
        claims.insert(name, value);
    }
    let until = now.saturating_add(arguments.ttl.0.as_secs());
    claims.insert("iss".into(), arguments.issuer.clone().into());
    claims.insert("aud".into(), arguments.audience.clone().into());
    claims.insert("sub".into(), arguments.subject.clone().into());
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), until.into());
    Ok(claims)
}

fn parse_claim(claim: &str) -> io::Result<(String, Value)> {
    let bad = || {
        io::Error::other(format!(
            "--claim {claim}: write NAME=JSON, as rooms='[\"lobby\"]'"
        ))
    };
    let (name, value) = claim.split_once('=').ok_or_else(bad)?;
    if OWN.contains(&name) {
        let message =
            format!("--claim {claim}: `{name}` has an option of its own, or is the clock's");
        return Err(io::Error::other(message));
    }
    let value = serde_json::from_str(value).map_err(|_| bad())?;
    Ok((name.to_owned(), value))
}

/// By which it can be revoked.
fn token_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn parse(line: &[&str]) -> Result<Arguments, clap::Error> {
        let words = std::iter::once(&"token").chain(line);
        Line::try_parse_from(words).map(|line| line.arguments)
    }

    fn fresh(name: &str) -> (PathBuf, String) {
        let folder = std::env::temp_dir().join(format!("wardwire-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let key = folder.join("key.pem");
        let written = key.to_str().unwrap().to_owned();
        (key, written)
    }

    const WHO: [&str; 6] = [
        "--issuer",
        "local",
        "--audience",
        "wardwire",
        "--subject",
        "alice",
    ];

    #[test]
    fn a_new_key_is_its_owners_alone_and_never_overwrites_one() {
        use std::os::unix::fs::PermissionsExt as _;
        let (key, written) = fresh("new-key");
        let arguments = parse(&["--new-key", "--key", &written]).unwrap();
        run(&arguments).unwrap();
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let jwks = std::fs::read_to_string(format!("{written}.jwks.json")).unwrap();
        assert!(!jwks.contains("\"d\""), "{jwks}");
        let before = std::fs::read(&key).unwrap();
        assert!(run(&arguments).is_err());
        std::fs::remove_file(format!("{written}.jwks.json")).unwrap();
        assert!(run(&arguments).is_err());
        assert_eq!(std::fs::read(&key).unwrap(), before);
    }

    #[test]
    fn a_token_says_what_rfc_9068_asks_for() {
        let (_, written) = fresh("claims");
        let line = [
            &[
                "--new-key",
                "--key",
                &written,
                "--ttl",
                "90s",
                "--claim",
                "rooms=[\"lobby\"]",
            ],
            &WHO[..],
        ]
        .concat();
        let token = run(&parse(&line).unwrap()).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        let payload = URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let claims: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
        for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            assert!(claims.contains_key(name), "{name}");
        }
        let seconds = |name: &str| claims[name].as_u64().unwrap();
        assert_eq!(seconds("exp") - seconds("iat"), 90);
        assert_eq!(claims["rooms"], json!(["lobby"]));
    }

    #[test]
    fn a_grant_says_what_it_is() {
        let (_, written) = fresh("grant");
        let channels = "channels={\"chat/1\":[\"subscribe\"]}";
        let own = [
            "--new-key",
            "--key",
            &written,
            "--grant",
            "--claim",
            channels,
        ];
        let grant = run(&parse(&[&own[..], &WHO[..]].concat()).unwrap()).unwrap();
        let header = jsonwebtoken::decode_header(&grant).unwrap();
        assert_eq!(header.typ.as_deref(), Some("wardwire-grant+jwt"));
        assert!(parse(&["--key", &written, "--grant"]).is_err());
    }

    #[test]
    fn a_key_that_others_can_read_signs_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let (key, written) = fresh("shared-key");
        run(&parse(&["--new-key", "--key", &written]).unwrap()).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
        let line = [&["--key", written.as_str()], &WHO[..]].concat();
        assert!(
            run(&parse(&line).unwrap())
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
    }

    #[test]
    fn half_a_token_is_not_asked_for() {
        assert!(parse(&["--key", "k"]).is_err());
        assert!(parse(&["--new-key", "--key", "k", "--issuer", "local"]).is_err());
        assert!(parse(&["--new-key", "--key", "k", "--subject", "alice"]).is_err());
        assert!(parse(&[&["--key", "k", "--ttl", "soon"], &WHO[..]].concat()).is_err());
        for claim in ["rooms", "rooms=lobby", "exp=1", "sub=\"root\""] {
            assert!(parse_claim(claim).is_err(), "{claim}");
        }
    }
}
