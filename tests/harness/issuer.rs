//! A trusted authentication service's key, and tokens of any shape under it.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};

/// An issuer with one ES256 key.
#[derive(Clone)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) key: EncodingKey,
    pub(crate) kid: String,
}

/// A token before it is signed.
pub(crate) struct Token<'a> {
    issuer: &'a Issuer,
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

impl Issuer {
    pub(crate) fn new(name: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self {
            name: name.into(),
            key,
            kid: "k1".into(),
        }
    }

    /// The public half, as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.kid.clone());
        serde_json::to_value(jwk).unwrap()
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// A good token, to be spoilt.
    pub(crate) fn token(&self, subject: &str) -> Token<'_> {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid });
        let claims = json!({
            "iss": self.name, "aud": "wardwire", "sub": subject, "iat": now(), "exp": now() + 600,
            "jti": format!("t-{subject}"), "sid": format!("s-{subject}"), "rooms": ["lobby"],
        });
        Token {
            issuer: self,
            header,
            claims,
        }
    }

    /// A token of exactly these texts.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::ES256);
        format!("{signed}.{}", signature.unwrap())
    }
}

impl Token<'_> {
    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    /// Sets a claim, or removes it with null.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    pub(crate) fn mint(&self) -> String {
        self.issuer
            .sign(&self.header.to_string(), &self.claims.to_string())
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.into(), value);
    }
}
