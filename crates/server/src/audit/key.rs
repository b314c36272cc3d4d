//! The key that signs heads. It lives outside the log's folder, so that whoever can rewrite the log cannot sign it anew.
//!
//! Ed25519 (RFC 8032); the private half is PKCS#8 in PEM (RFC 8410), the public half a SubjectPublicKeyInfo in PEM, as
//! `openssl pkey` reads and writes both.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject as _};
use zeroize::Zeroizing;

use super::chain::Hash;
use crate::config::read_file;

/// Signs heads.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Judges heads.
pub struct PublicKey {
    key: ParsedPublicKey,
    id: String,
    pem: String,
}

/// What must hold is broken by these, each with what to do.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, or made.
    #[error("{}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What it holds is something else.
    #[error("{} holds no Ed25519 {what} in PEM; `wardwire audit key --out FILE` makes a pair", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The library refused to make or to encode a key.
    #[error("no key can be made")]
    Unmade,
}

/// The digits of a key's digest by which heads name it.
const ID: usize = 16;
/// No key file is larger.
const LARGEST: usize = 16 * 1024;

impl SigningKey {
    /// Reads a private key. Who else can read the file is for the configuration's judge.
    ///
    /// # Errors
    /// The file cannot be read, or holds no such key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let no_key = || KeyError::NoKey {
            path: path.to_owned(),
            what: "private key",
        };
        let text = Zeroizing::new(read(path)?);
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| no_key())?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| no_key())?;
        Self::of(pair)
    }

    fn of(pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        let der = pair.public_key().as_der().map_err(|_| KeyError::Unmade)?;
        let public = PublicKey::of(der.as_ref()).ok_or(KeyError::Unmade)?;
        Ok(Self { pair, public })
    }

    /// Makes a key, and writes it to `path` and its public half beside it as `path.pub`. Neither may be there already:
    /// what a key that is overwritten has signed could be verified by nobody.
    ///
    /// # Errors
    /// A file is there already, or cannot be made.
    pub fn make(path: &Path) -> Result<(Self, PathBuf), KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Unmade)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Unmade)?;
        let private = Zeroizing::new(pem("PRIVATE KEY", der.as_ref()));
        let key = Self::of(pair)?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".pub");
        let beside = PathBuf::from(beside);
        if beside.symlink_metadata().is_ok() {
            return Err(KeyError::File {
                path: beside,
                error: io::ErrorKind::AlreadyExists.into(),
            });
        }
        create(path, 0o600, private.as_bytes())?;
        create(&beside, 0o644, key.public.pem.as_bytes())?;
        Ok((key, beside))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a head, in base64. None if the library fails, which leaves the head without.
    pub(super) fn sign(&self, head: &[u8]) -> Option<String> {
        let signature = self.pair.try_sign(head).ok()?;
        Some(STANDARD.encode(signature.as_ref()))
    }
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// The file cannot be read, or holds no such key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let no_key = || KeyError::NoKey {
            path: path.to_owned(),
            what: "public key",
        };
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&read(path)?).map_err(|_| no_key())?;
        Self::of(der.as_ref()).ok_or_else(no_key)
    }

    fn of(der: &[u8]) -> Option<Self> {
        let mut id = Hash::of(&[der]).as_str().to_owned();
        id.truncate(ID);
        Some(Self {
            key: ParsedPublicKey::new(&ED25519, der).ok()?,
            id,
            pem: pem("PUBLIC KEY", der),
        })
    }

    /// The name that heads have for it: the first 16 digits of the SHA-256 of its DER.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// It in PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Whether this is its signature of a head.
    pub(super) fn has_signed(&self, head: &[u8], signature: &str) -> bool {
        let signature = STANDARD.decode(signature);
        signature.is_ok_and(|signature| self.key.verify_sig(head, &signature).is_ok())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeyError> {
    let read = || -> io::Result<Vec<u8>> {
        let bytes = read_file(path)?;
        match bytes.len() > LARGEST {
            true => Err(io::Error::other("it is too large for a key")),
            false => Ok(bytes),
        }
    };
    read().map_err(|error| KeyError::File {
        path: path.to_owned(),
        error,
    })
}

fn create(path: &Path, mode: u32, content: &[u8]) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options
        .open(path)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .map_err(|error| KeyError::File {
            path: path.to_owned(),
            error,
        })
}

/// Both halves take one line of base64 (RFC 7468 §2 allows 64 characters).
fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}
