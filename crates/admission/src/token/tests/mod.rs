//! Tokens, signed with keys made here and now, against everything that forgers and broken issuers try.

mod applications;
mod asked;
mod forged;
mod grants;
mod id_token;
mod judged;
mod keys;
mod logout;
mod providers;
mod ring;
mod vouched;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer as _, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::HeaderMap;
use jsonwebtoken::{EncodingKey, jwk::Jwk};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::*;
use crate::{
    clock::Timestamp,
    fetch::{Document, FetchError, Fetching, Form, Posting},
};

/// Whose tokens are trusted in most tests.
const ISSUER: &str = "https://id.example";
const KEYS: &str = "https://id.example/keys";
/// What time it is in most tests, in seconds.
pub(crate) const NOW: u64 = 1_700_000_000;

/// A key that signs.
pub(crate) struct Signer {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl Signer {
    pub(crate) fn new(id: &'static str, algorithm: Algorithm) -> Self {
        let pkcs8 = |made: &dyn AsRef<[u8]>| made.as_ref().to_vec();
        let key = match algorithm {
            Algorithm::Es256 => EncodingKey::from_ec_der(&pkcs8(
                &EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .and_then(|pair| pair.to_pkcs8v1())
                    .unwrap(),
            )),
            Algorithm::Es384 => EncodingKey::from_ec_der(&pkcs8(
                &EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
                    .and_then(|pair| pair.to_pkcs8v1())
                    .unwrap(),
            )),
            Algorithm::EdDsa | Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::generate().unwrap();
                EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref())
            }
            _ => {
                let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
                let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
                // PKCS #1 stands behind PKCS #8's 26 bytes of wrapping.
                EncodingKey::from_rsa_der(&der.as_ref()[26..])
            }
        };
        Self { id, algorithm, key }
    }

    /// The public half, without `alg`: tests that need it add it.
    fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm.for_crypto()).unwrap();
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.id);
        jwk.as_object_mut().unwrap().remove("alg");
        jwk
    }

    fn header(&self) -> Value {
        json!({"alg": self.algorithm.as_str(), "typ": "at+jwt", "kid": self.id})
    }

    /// Signs whatever it is given, as text.
    fn sign_raw(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let algorithm = self.algorithm.for_crypto();
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, algorithm).unwrap();
        format!("{signed}.{signature}")
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_raw(&self.header().to_string(), &claims.to_string())
    }

    /// A grant.
    pub(crate) fn grant(&self, claims: &Value) -> String {
        self.sign_under(&typed(self, Some("wardwire-grant+jwt")), claims)
    }

    fn sign_under(&self, header: &Value, claims: &Value) -> String {
        self.sign_raw(&header.to_string(), &claims.to_string())
    }
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn key_set(signers: &[&Signer]) -> Vec<u8> {
    let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
    json!({ "keys": keys }).to_string().into_bytes()
}

/// Claims that hold for five minutes.
fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "wardwire", "sub": "alice", "exp": NOW + 300, "iat": NOW})
}

/// The claims with some of them replaced, or removed where the value is null.
pub(crate) fn with(changes: Value) -> Value {
    changed(claims(), changes)
}

/// The same of any claims.
fn changed(mut claims: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("an object of changes")
    };
    for (claim, value) in changes {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(&claim);
        } else {
            claims[claim] = value;
        }
    }
    claims
}

/// A header that says this of its `typ`, or nothing.
fn typed(signer: &Signer, typ: Option<&str>) -> Value {
    changed(signer.header(), json!({ "typ": typ }))
}

const DAY: Duration = Duration::from_secs(24 * 3600);

fn config(keys: KeySource) -> IssuerConfig {
    IssuerConfig {
        issuer: ISSUER.to_owned(),
        name: None,
        signs: Signs::default(),
        audience: Audience::new(["wardwire"]),
        profile: Profile::Rfc9068,
        algorithms: Algorithm::ALL.to_vec(),
        keys,
        leeway: Duration::ZERO,
        max_lifetime: DAY,
        sign_in: None,
        introspection: None,
    }
}

/// A clock that stands until it is set, in milliseconds.
pub(crate) struct Hands(AtomicU64);

impl Hands {
    pub(crate) fn at(millis: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(millis)))
    }

    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The network, as a table of what each URL answers. What is not in it is down.
#[derive(Default)]
struct Net {
    answers: Mutex<HashMap<String, Document>>,
    /// How long every answer takes, in milliseconds.
    delay: AtomicU64,
    asked: Mutex<Vec<String>>,
    under_way: AtomicUsize,
}

impl Net {
    fn serving(url: &str, body: Vec<u8>) -> Arc<Self> {
        let net = Arc::new(Self::default());
        net.serve(url, body);
        net
    }

    fn serve(&self, url: &str, body: Vec<u8>) {
        let document = Document {
            body,
            max_age: None,
        };
        self.answers.lock().insert(url.to_owned(), document);
    }

    fn cut(&self) {
        self.answers.lock().clear();
    }

    fn delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).unwrap();
        self.delay.store(millis, Ordering::SeqCst);
    }

    fn fetches(&self) -> usize {
        self.asked.lock().len()
    }
}

impl Fetch for Net {
    /// With nothing to say it says that it is nobody.
    fn get_with<'a>(&'a self, url: &'a str, _: &'a HeaderMap) -> Posting<'a> {
        let mut answer = self.reply(url);
        if let Ok(it) = &mut answer
            && it.body.is_empty()
        {
            it.status = 204;
        }
        Box::pin(async { answer })
    }

    fn post<'a>(&'a self, url: &'a str, _: &'a Form) -> Posting<'a> {
        let answer = self.reply(url);
        Box::pin(async { answer })
    }

    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        Box::pin(async move {
            self.asked.lock().push(url.to_owned());
            assert_eq!(
                self.under_way.fetch_add(1, Ordering::SeqCst),
                0,
                "one at a time"
            );
            tokio::time::sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst))).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let answer = self.answers.lock().get(url).cloned();
            answer.ok_or_else(|| FetchError::Unreachable {
                url: url.to_owned(),
                cause: "it is down".to_owned(),
            })
        })
    }
}

/// Trusts the issuer with these keys at [`NOW`].
pub(crate) fn trusting(signers: &[&Signer]) -> Issuers {
    trusting_as(config(KeySource::Static(key_set(signers))))
}

/// The same issuer, to whom we are another.
pub(crate) fn renamed(signers: &[&Signer], audience: &str) -> Issuers {
    trusting_as(IssuerConfig {
        audience: Audience::new([audience]),
        ..config(KeySource::Static(key_set(signers)))
    })
}

/// The same issuer, who may sign for no longer.
pub(crate) fn brief(signers: &[&Signer], longest: Duration) -> Issuers {
    trusting_as(IssuerConfig {
        max_lifetime: longest,
        ..config(KeySource::Static(key_set(signers)))
    })
}

/// The same issuer, who grants too.
pub(crate) fn granting(signers: &[&Signer]) -> Issuers {
    trusting_as(IssuerConfig {
        signs: Signs::Both,
        ..config(KeySource::Static(key_set(signers)))
    })
}

/// The same, whose keys take a second to be had.
pub(crate) fn slow(signers: &[&Signer]) -> Issuers {
    let net = Net::serving(KEYS, key_set(signers));
    net.delay(Duration::from_secs(1));
    let config = IssuerConfig {
        signs: Signs::Both,
        ..config(KeySource::Url(KEYS.to_owned()))
    };
    Issuers::new(vec![config], net, Hands::at(NOW * 1000)).unwrap()
}

fn trusting_as(config: IssuerConfig) -> Issuers {
    Issuers::new(
        vec![config],
        Arc::new(Net::default()),
        Hands::at(NOW * 1000),
    )
    .unwrap()
}

async fn reason(issuers: &Issuers, token: &str) -> Option<Reason> {
    issuers
        .verify(token)
        .await
        .err()
        .map(|refusal| refusal.reason)
}
