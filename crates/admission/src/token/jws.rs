//! A JSON Web Signature in its compact form (RFC 7515 §7.1), taken apart strictly.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{Algorithm, keys::Key, refuse, strict};
use crate::refusal::{Reason, Refusal};

/// The longest `kid` that is looked up, in bytes.
const LONGEST_KEY_ID: usize = 256;

/// A token taken apart; nothing in it is proved yet.
pub(super) struct Jws<'a> {
    pub(super) header: Header,
    pub(super) claims: Map<String, Value>,
    /// Header and payload as they came.
    pub(super) signed: &'a str,
    signature: &'a str,
}

/// What is read of a header. Everything else in it is ignored, above all whatever names or brings a key.
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) typ: Option<String>,
    /// Opaque: compared with the key set's ids and used for nothing else.
    pub(super) kid: Option<String>,
    /// `crit` is there. We understand no extension, so whatever it holds is unknown (RFC 7515 §4.1.11).
    pub(super) critical: bool,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// If it is not header, payload and signature, or one of the first two is not strict JSON.
    pub(super) fn parse(token: &'a str) -> Result<Self, Refusal> {
        let (signed, signature) = token
            .rsplit_once('.')
            .ok_or_else(|| malformed("one part"))?;
        let (header, payload) = signed
            .split_once('.')
            .ok_or_else(|| malformed("two parts"))?;
        // A fourth part stays in the payload, where its dot is not base64url.
        let header = Header::read(part("header", header)?)?;
        Ok(Self {
            header,
            claims: part("payload", payload)?,
            signed,
            signature,
        })
    }

    /// `iss`, unproved.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Proves that the key signed header and payload.
    ///
    /// # Errors
    /// If it did not.
    pub(super) fn verify(&self, key: &Key, algorithm: Algorithm) -> Result<(), Refusal> {
        if self.signature.is_empty() {
            return Err(malformed("no signature"));
        }
        let signed = self.signed.as_bytes();
        match jsonwebtoken::crypto::verify(
            self.signature,
            signed,
            key.material(),
            algorithm.for_crypto(),
        ) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(refuse(Reason::TokenSignature)),
        }
    }
}

impl Header {
    fn read(mut members: Map<String, Value>) -> Result<Self, Refusal> {
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(&format!("{name} is not a string"))),
            None => Ok(None),
        };
        let alg = text("alg")?.ok_or_else(|| malformed("no alg"))?;
        let typ = text("typ")?;
        let kid = text("kid")?;
        if kid.as_ref().is_some_and(|kid| kid.len() > LONGEST_KEY_ID) {
            return Err(malformed("kid is too long"));
        }
        Ok(Self {
            alg,
            typ,
            kid,
            critical: members.contains_key("crit"),
        })
    }
}

/// Decodes one part. Padding and bits that mean nothing are refused, so that a token has one spelling.
fn part(name: &str, text: &str) -> Result<Map<String, Value>, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| malformed(&format!("{name} is not base64url")))?;
    strict::object(&bytes).map_err(|cause| malformed(&format!("{name}: {cause}")))
}

fn malformed(detail: &str) -> Refusal {
    refuse(Reason::TokenMalformed).because(detail)
}
