//! TLS records sealed and opened by our own hand, so that a test can send those that no TLS library would.
//!
//! AES-128-GCM only: RFC 8446 §5.2 for TLS 1.3, RFC 5288 §3 for TLS 1.2.

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk},
};

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const DATA: u8 = 23;

/// The most that a record may carry.
pub(crate) const FULL: usize = 16 * 1024;

const HEADER: usize = 5;
const TAG: usize = 16;
/// What TLS 1.2 sends of the nonce.
const EXPLICIT: usize = 8;

/// One direction of a connection.
pub(crate) struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    version: Version,
}

enum Version {
    Tls12,
    /// With the secret from which the next keys are made.
    Tls13(Vec<u8>),
}

impl Keys {
    pub(crate) fn tls12(key: &[u8], iv: &[u8], sequence: u64) -> Self {
        Self {
            key: aead(key),
            iv: iv.try_into().unwrap(),
            sequence,
            version: Version::Tls12,
        }
    }

    /// From a traffic secret (RFC 8446 §7.3).
    pub(crate) fn tls13(secret: Vec<u8>) -> Self {
        Self {
            key: aead(&expand(&secret, "key", 16)),
            iv: expand(&secret, "iv", 12).try_into().unwrap(),
            sequence: 0,
            version: Version::Tls13(secret),
        }
    }

    /// What follows a KeyUpdate (RFC 8446 §7.2).
    pub(crate) fn update(&mut self) {
        let Version::Tls13(secret) = &self.version else {
            panic!("TLS 1.2 has no KeyUpdate")
        };
        *self = Self::tls13(expand(secret, "traffic upd", 32));
    }

    /// One record of this type, whatever its type and however long.
    pub(crate) fn seal(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        let (nonce, sequence) = self.step();
        let mut body = payload.to_vec();
        let (outer, explicit) = match self.version {
            Version::Tls12 => (kind, &nonce[4..]),
            Version::Tls13(_) => {
                body.push(kind);
                (DATA, &nonce[..0])
            }
        };
        let mut record = header(outer, explicit.len() + body.len() + TAG).to_vec();
        record.extend(explicit);
        let aad = match self.version {
            Version::Tls12 => aad12(sequence, kind, body.len()),
            Version::Tls13(_) => record.clone(),
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(aad), &mut body)
            .unwrap();
        record.extend(body);
        record
    }

    /// The type and the payload of a record.
    pub(crate) fn open(&mut self, head: [u8; HEADER], mut body: Vec<u8>) -> (u8, Vec<u8>) {
        let (mut nonce, sequence) = self.step();
        let aad = match self.version {
            Version::Tls12 => {
                let explicit: Vec<u8> = body.drain(..EXPLICIT).collect();
                nonce[4..].copy_from_slice(&explicit);
                aad12(sequence, head[0], body.len() - TAG)
            }
            Version::Tls13(_) => head.to_vec(),
        };
        let nonce = Nonce::assume_unique_for_key(nonce);
        let plain = self
            .key
            .open_in_place(nonce, Aad::from(aad), &mut body)
            .expect("the server's record opens");
        let mut plain = plain.to_vec();
        let kind = match self.version {
            Version::Tls12 => head[0],
            Version::Tls13(_) => plain.pop().unwrap(),
        };
        (kind, plain)
    }

    fn step(&mut self) -> ([u8; 12], u64) {
        let sequence = self.sequence;
        self.sequence += 1;
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= count;
        }
        (nonce, sequence)
    }
}

pub(crate) fn header(kind: u8, length: usize) -> [u8; HEADER] {
    let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
    [kind, 3, 3, high, low]
}

fn aad12(sequence: u64, kind: u8, length: usize) -> Vec<u8> {
    [&sequence.to_be_bytes()[..], &header(kind, length)].concat()
}

fn aead(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key).unwrap())
}

/// HKDF-Expand-Label without a context (RFC 8446 §7.1).
fn expand(secret: &[u8], label: &str, length: u8) -> Vec<u8> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let label = format!("tls13 {label}");
    let info = [
        &[0, length, u8::try_from(label.len()).unwrap()],
        label.as_bytes(),
        &[0],
    ];
    let mut out = vec![0; usize::from(length)];
    let secret = Prk::new_less_safe(HKDF_SHA256, secret);
    secret
        .expand(&info, Length(out.len()))
        .unwrap()
        .fill(&mut out)
        .unwrap();
    out
}
