//! Access tokens (RFC 9068) of an issuer that is made for the run: ES256, each with an id of its own.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::Failure;

pub(crate) const ISSUER: &str = "https://load.test";
pub(crate) const AUDIENCE: &str = "wardwire";

pub(crate) struct Tokens {
    key: EcdsaKeyPair,
    random: SystemRandom,
    minted: AtomicU64,
}

impl Tokens {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                .map_err(|_| "no key can be made")?,
            random: SystemRandom::new(),
            minted: AtomicU64::new(0),
        })
    }

    /// The public half as a JWK set (RFC 7517).
    pub(crate) fn jwks(&self) -> String {
        // An uncompressed point: 4, x, y (SEC 1 §2.3.3).
        let point = self.key.public_key().as_ref();
        let half = |from: usize| URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or(&[]));
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "load",
            "x": half(1), "y": half(33),
        }] })
        .to_string()
    }

    /// A token that is good for an hour, and differs from every other.
    pub(crate) fn mint(&self, subject: &str) -> Result<String, Failure> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let number = self.minted.fetch_add(1, Ordering::Relaxed);
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "load" });
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "client_id": "load",
            "rooms": ["r"], "jti": format!("{number:032x}"), "iat": now, "exp": now + 3600,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&self.random, signed.as_bytes());
        let signature = signature.map_err(|_| "a token cannot be signed")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
