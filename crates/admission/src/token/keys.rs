//! A key set (RFC 7517 §5), reduced to the keys that may verify a token.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use super::{Algorithm, strict};

/// The most keys of one set.
const MOST: usize = 64;
/// RSA moduli in bits: shorter ones can be broken, longer ones make every verification dear.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The usable keys of one issuer.
pub(super) struct KeySet(Vec<Arc<Key>>);

/// A public key and what it is for.
pub(super) struct Key {
    id: Option<Box<str>>,
    kind: Kind,
    algorithm: Option<Algorithm>,
    material: DecodingKey,
}

/// Which key a token asks for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) algorithm: Algorithm,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeySet {
    /// Reads a key set. Keys of which we can make no use are left out (RFC 7517 §5 wants that); an empty set is a set.
    ///
    /// # Errors
    /// If it is not a key set, or too large.
    pub(super) fn parse(document: &[u8]) -> Result<Self, String> {
        let mut members = strict::object(document)?;
        let Some(Value::Array(keys)) = members.remove("keys") else {
            return Err("there is no array of keys".to_owned());
        };
        if keys.len() > MOST {
            return Err(format!("there are more than {MOST} keys"));
        }
        let usable = keys
            .iter()
            .filter_map(Value::as_object)
            .filter_map(Key::read);
        Ok(Self(usable.map(Arc::new).collect()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The one key that fits. Two that fit are none: which of them signed would be a guess.
    pub(super) fn find(&self, wanted: Wanted<'_>) -> Option<Arc<Key>> {
        let mut fitting = self.0.iter().filter(|key| key.fits(wanted));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Some(Arc::clone(key)),
            _ => None,
        }
    }
}

/// What a key set holds, for an operator to read.
#[derive(Debug)]
pub struct KeySurvey {
    /// Each key that may verify a token: its id, and the algorithms that it is for.
    pub usable: Vec<(Option<Box<str>>, Vec<Algorithm>)>,
    /// How many are of no use: for encrypting, symmetric, too short, or of a kind that is not known here.
    pub others: usize,
}

/// Reads a key set as a token's verification does.
///
/// # Errors
/// What is wrong with it.
pub fn survey(document: &[u8]) -> Result<KeySurvey, String> {
    let set = KeySet::parse(document)?;
    let members = strict::object(document)?;
    let all = members.get("keys").and_then(Value::as_array);
    let usable = set.0.iter().map(|key| {
        let fits = |it: &&Algorithm| {
            key.fits(Wanted {
                id: key.id.as_deref(),
                algorithm: **it,
            })
        };
        (
            key.id.clone(),
            Algorithm::ALL.iter().filter(fits).copied().collect(),
        )
    });
    Ok(KeySurvey {
        others: all.map_or(0, Vec::len).saturating_sub(set.0.len()),
        usable: usable.collect(),
    })
}

impl Key {
    pub(super) fn material(&self) -> &DecodingKey {
        &self.material
    }

    fn fits(&self, wanted: Wanted<'_>) -> bool {
        wanted.id.is_none_or(|id| self.id.as_deref() == Some(id))
            && self.kind == Kind::of(wanted.algorithm)
            && self.algorithm.is_none_or(|only| only == wanted.algorithm)
    }

    /// Reads one key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2). None if it is of no use.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        // A secret that anybody can fetch proves nothing: neither a symmetric key nor a published private one.
        if jwk.contains_key("k") || jwk.contains_key("d") {
            return None;
        }
        if !is_for_verifying(jwk) {
            return None;
        }
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => Some(name.as_str()?.parse().ok()?),
        };
        let (kind, material) = material(jwk)?;
        if algorithm.is_some_and(|algorithm| Kind::of(algorithm) != kind) {
            return None;
        }
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str()?.into()),
        };
        Some(Self {
            id,
            kind,
            algorithm,
            material,
        })
    }
}

impl Kind {
    fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => Self::Rsa,
            Algorithm::Es256 => Self::P256,
            Algorithm::Es384 => Self::P384,
            Algorithm::EdDsa | Algorithm::Ed25519 => Self::Ed25519,
        }
    }
}

fn is_for_verifying(jwk: &Map<String, Value>) -> bool {
    let used = match jwk.get("use") {
        None => true,
        Some(purpose) => purpose == "sig",
    };
    let operated = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    };
    used && operated
}

fn material(jwk: &Map<String, Value>) -> Option<(Kind, DecodingKey)> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    match (text("kty")?, text("crv")) {
        ("RSA", _) => Some((Kind::Rsa, rsa(text("n")?, text("e")?)?)),
        ("EC", Some("P-256")) => Some((Kind::P256, ec(text("x")?, text("y")?, 32)?)),
        ("EC", Some("P-384")) => Some((Kind::P384, ec(text("x")?, text("y")?, 48)?)),
        ("OKP", Some("Ed25519")) => {
            let x = bytes(text("x")?).filter(|x| x.len() == 32)?;
            Some((Kind::Ed25519, DecodingKey::from_ed_der(&x)))
        }
        _ => None,
    }
}

fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let (n, e) = (bytes(modulus)?, bytes(exponent)?);
    let n = n.get(n.iter().position(|byte| *byte != 0)?..)?;
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    let fits = RSA_BITS.contains(&bits) && (1..=4).contains(&e.len());
    fits.then(|| DecodingKey::from_rsa_raw_components(n, &e))
}

/// An uncompressed point (SEC 1 §2.3.3): 4, x, y. Whether it lies on the curve is for the verification to find out.
fn ec(x: &str, y: &str, width: usize) -> Option<DecodingKey> {
    let (x, y) = (bytes(x)?, bytes(y)?);
    let fits = x.len() == width && y.len() == width;
    fits.then(|| DecodingKey::from_ec_der(&[&[4][..], &x, &y].concat()))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
