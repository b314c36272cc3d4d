//! Tokens (RFC 7519, RFC 9068): one that is accepted was signed by the issuer's key, has one spelling, and says what must
//! be said. Keys and clock stand still.
//!
//! An input is a byte that says who signs, then a token (nobody signs), or a header, a line end and claims.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
    time::Duration,
};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use wardwire_admission::{
    clock::{Clock, Timestamp},
    fetch::Nowhere,
    principal::Identity,
    refusal::{Reason, Refusal},
    token::{Algorithm, Audience, IssuerConfig, Issuers, KeySource, LONGEST, Profile, Signs},
};

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "wardwire";
/// In seconds.
const NOW: u64 = 1_700_000_000;

/// True if the token was accepted.
pub fn check(input: &[u8]) -> bool {
    let world = world();
    let Some((&signer, rest)) = input.split_first() else {
        return false;
    };
    let token = match signer % 4 {
        0 => String::from_utf8_lossy(rest).into_owned(),
        signer => {
            let signer = usize::from(signer) - 1;
            let end = rest
                .iter()
                .position(|&byte| byte == b'\n')
                .unwrap_or(rest.len());
            let claims = rest.get(end + 1..).unwrap_or_default();
            sign(&world.pairs[signer], &rest[..end], claims)
        }
    };
    match verify(world, &token) {
        Ok(identity) => {
            assert!(signer % 4 != STRANGER, "nobody knows this key");
            signed_by_the_issuer(world, &token);
            says_what_it_must(&identity, &token);
            cannot_be_changed(world, &token);
            true
        }
        Err(refusal) => {
            documented(&refusal, &token);
            false
        }
    }
}

/// The third signer is not in the key set.
const STRANGER: u8 = 3;

struct World {
    issuers: Issuers,
    pairs: [Ed25519KeyPair; 3],
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let pair = |seed: u8| Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed");
        let pairs = [pair(1), pair(2), pair(3)];
        let config = IssuerConfig {
            issuer: ISSUER.to_owned(),
            name: None,
            signs: Signs::default(),
            audience: Audience::new([AUDIENCE]),
            profile: Profile::Rfc9068,
            algorithms: Algorithm::ALL.to_vec(),
            keys: KeySource::Static(key_set(&pairs)),
            leeway: Duration::ZERO,
            max_lifetime: Duration::from_secs(24 * 3600),
            sign_in: None,
            introspection: None,
        };
        let issuers = Issuers::new(vec![config], Arc::new(Nowhere), Arc::new(Stopped));
        World {
            issuers: issuers.expect("a safe configuration"),
            pairs,
        }
    })
}

/// The first two keys; beside them keys of other kinds, so that an algorithm may be mistaken.
fn key_set(pairs: &[Ed25519KeyPair]) -> Vec<u8> {
    let okp = |kid: &str, pair: &Ed25519KeyPair| {
        let x = URL_SAFE_NO_PAD.encode(pair.public_key());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
    };
    // The example of RFC 7517 §A.1.
    let ec = json!({
        "kty": "EC", "crv": "P-256", "kid": "ec",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    });
    let rsa = json!({
        "kty": "RSA", "kid": "rsa", "e": "AQAB",
        "n": URL_SAFE_NO_PAD.encode([0xC5; 256]),
    });
    json!({"keys": [okp("a", &pairs[0]), okp("b", &pairs[1]), ec, rsa]})
        .to_string()
        .into_bytes()
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW)
    }
}

fn sign(pair: &Ed25519KeyPair, header: &[u8], claims: &[u8]) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn verify(world: &World, token: &str) -> Result<Identity, Refusal> {
    let mut verifying = pin!(world.issuers.verify(token));
    match verifying
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(verdict) => verdict,
        Poll::Pending => panic!("keys that are here are not waited for"),
    }
}

fn parts(token: &str) -> [Vec<u8>; 3] {
    let parts: Vec<_> = token.split('.').collect();
    let decoded = parts
        .into_iter()
        .map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    decoded.collect::<Vec<_>>().try_into().expect("three parts")
}

/// The signature holds by the key that the header names (asked of another crate), and the token has no second spelling.
fn signed_by_the_issuer(world: &World, token: &str) {
    let [header, claims, signature] = parts(token);
    let spelt = [&header, &claims, &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
    assert_eq!(spelt.join("."), token);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    let key = match header["kid"].as_str() {
        Some("a") => &world.pairs[0],
        Some("b") => &world.pairs[1],
        other => panic!("which key is {other:?}?"),
    };
    let public = UnparsedPublicKey::new(&ED25519, key.public_key());
    assert!(public.verify(signed.as_bytes(), &signature).is_ok());
    assert!(matches!(header["alg"].as_str(), Some("EdDSA" | "Ed25519")));
    let typ = header["typ"].as_str().expect("a typ").to_ascii_lowercase();
    assert!(matches!(&*typ, "at+jwt" | "application/at+jwt"));
    assert!(header.get("crit").is_none());
}

/// A plain reader finds in the claims what must stand there, and the identity is that.
fn says_what_it_must(identity: &Identity, token: &str) {
    let [_, claims, _] = parts(token);
    let claims: Map<String, Value> = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(&*identity.issuer, ISSUER);
    assert!(
        claims["aud"] == AUDIENCE || claims["aud"].as_array().unwrap().contains(&AUDIENCE.into())
    );
    assert_eq!(claims["sub"], *identity.subject);
    assert!((1..=255).contains(&identity.subject.len()));
    let now = NOW as f64;
    assert!(claims["exp"].as_f64().unwrap() > now);
    assert!(identity.expires_at > Timestamp::from_secs(NOW));
    for claim in ["nbf", "iat"] {
        // Compared by the millisecond.
        assert!(
            claims
                .get(claim)
                .is_none_or(|time| time.as_f64().unwrap() < now + 0.001)
        );
    }
    for claim in ["nonce", "at_hash", "events"] {
        assert!(!claims.contains_key(claim), "not an access token: {claim}");
    }
    // Whoever is bound to something is known to be.
    assert_eq!(claims.contains_key("cnf"), identity.bound_to.is_some());
    for (claim, found) in [
        ("sid", identity.session.as_ref().map(|it| it.as_str())),
        ("acr", identity.authentication.acr.as_deref()),
    ] {
        assert_eq!(claims.get(claim).map(|it| it.as_str().unwrap()), found);
    }
    // One without a name is named by what was signed.
    let name = identity.token_id.as_deref().unwrap();
    match claims.get("jti") {
        Some(told) => assert_eq!(told, name),
        None => assert!(name.starts_with("sha256:")),
    }
    for (claim, value) in &identity.claims {
        assert_eq!(claims.get(claim), Some(value));
    }
}

/// With any one character exchanged it is refused. Which one is told by the token, so that all are tried in time.
fn cannot_be_changed(world: &World, token: &str) {
    let sum = token.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31) + usize::from(byte)
    });
    let last = token.len() - 1;
    for at in [sum % token.len(), last, last - 1] {
        let mut other = token.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).expect("ASCII");
        assert!(verify(world, &other).is_err(), "changed at {at}: {other}");
    }
    for longer in [
        format!("{token}="),
        format!("{token}A"),
        format!("{token}."),
        format!(" {token}"),
    ] {
        assert!(verify(world, &longer).is_err(), "{longer}");
    }
}

/// One of the reasons of `refusal`'s table, and never with the signature in its detail.
fn documented(refusal: &Refusal, token: &str) {
    let allowed = [
        Reason::TokenTooLarge,
        Reason::TokenMalformed,
        Reason::TokenAlgorithm,
        Reason::TokenType,
        Reason::TokenCritical,
        Reason::TokenIssuer,
        Reason::TokenAudience,
        Reason::TokenClaims,
        Reason::TokenKey,
        Reason::TokenSignature,
        Reason::TokenExpired,
        Reason::TokenLifetime,
        Reason::TokenNotYetValid,
    ];
    assert!(allowed.contains(&refusal.reason), "{refusal:?}");
    assert_eq!(
        refusal.reason == Reason::TokenTooLarge,
        token.len() > LONGEST
    );
    assert!(refusal.detail.len() <= 256);
    let signature = token.rsplit('.').next().unwrap_or_default();
    assert!(signature.len() < 40 || !refusal.detail.contains(signature));
}
