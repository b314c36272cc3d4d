//! Each line holds the hash of the line before it and its own, so that an edit or a gap shows.
//!
//! A line is a JSON object in ASCII whose last two members are `prev` and `hash`. `hash` is the SHA-256, in lower-case
//! hex, of the line as it would be without its `hash` member. The first line's `prev` is 64 zeros.
//!
//! A head has a `signature` between the two: of the line as it would be without `signature` and `hash`. As it signs the hash
//! of the line before, it signs all that went before, and whoever lacks the key cannot chain those lines anew.
//!
//! A crash can leave a torn line. It stays; the next line follows the one before it, is an event `torn`, and its `detail` is
//! the SHA-256 of what was torn, line ends included. So the log goes on, and nothing else can stand between two lines.

use std::borrow::Cow;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Deserialize;

use super::{Event, key::SigningKey};

/// The end of a chain: what the next line joins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) next: u64,
    pub(super) prev: Hash,
}

/// A SHA-256 in lower-case hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash([u8; 64]);

/// Before a line's own hash.
const HASH: &str = ",\"hash\":\"";
/// Before a head's signature.
const SIGNATURE: &str = ",\"signature\":\"";
/// No line is longer: peers' texts are cut.
pub(super) const LONGEST: u64 = 16 * 1024;

/// The event that owns up to what a crash left before it.
pub(super) const TORN: &str = "torn";
/// The event that answers for all before it.
pub(super) const HEAD: &str = "head";
/// The event that begins a segment.
pub(super) const SEGMENT: &str = "segment";
/// The event that says which segment is about to be deleted.
pub(super) const DELETION: &str = "deletion";
/// The event that says that the lines since the last head were signed by nobody who wrote them.
pub(super) const UNSEALED: &str = "unsealed";
/// The event that a server which goes down in order writes before its last head.
pub(super) const STOP: &str = "stop";

impl Chain {
    pub(super) fn start() -> Self {
        Self {
            next: 0,
            prev: Hash([b'0'; 64]),
        }
    }

    pub(super) fn behind(link: &Link) -> Self {
        Self {
            next: link.seq.saturating_add(1),
            prev: link.hash,
        }
    }

    /// Writes an event down as the next line, with its end. Each handshake pays for two, so it is written in place.
    pub(super) fn line(&mut self, event: &Event, out: &mut Vec<u8>) {
        self.join(event, None, out);
    }

    /// Writes a head down as the next line, signed if there is a key.
    pub(super) fn head(&mut self, event: &Event, key: Option<&SigningKey>, out: &mut Vec<u8>) {
        self.join(event, key, out);
    }

    fn join(&mut self, event: &Event, key: Option<&SigningKey>, out: &mut Vec<u8>) {
        let start = out.len();
        event.line(self.next, &self.prev, out);
        escape(out, start);
        let written = out.get(start..).unwrap_or_default();
        if let Some(signature) = key.and_then(|key| key.sign(written)) {
            out.pop();
            out.extend_from_slice(SIGNATURE.as_bytes());
            out.extend_from_slice(signature.as_bytes());
            out.extend_from_slice(b"\"}");
        }
        let hash = Hash::of(&[out.get(start..).unwrap_or_default()]);
        out.pop();
        out.extend_from_slice(HASH.as_bytes());
        out.extend_from_slice(&hash.0);
        out.extend_from_slice(b"\"}\n");
        self.next += 1;
        self.prev = hash;
    }
}

impl Hash {
    /// Of all parts, one after the other.
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(context.finish().as_ref()) {
            if let [high, low] = pair {
                (*high, *low) = (digit(byte >> 4), digit(byte & 15));
            }
        }
        Self(hex)
    }

    /// Reads what is as long as a hash.
    pub(super) fn read(text: &str) -> Option<Self> {
        text.as_bytes().try_into().ok().map(Self)
    }

    pub(super) fn as_str(&self) -> &str {
        // Its digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const fn digit(half: u8) -> u8 {
    half + if half < 10 { b'0' } else { b'a' - 10 }
}

/// What one line says of the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) prev: Hash,
    pub(super) hash: Hash,
    pub(super) time: Box<str>,
    pub(super) told: Told,
}

/// What a line says of the log itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing: it is about a request or a socket.
    Else,
    /// The digest of the torn lines before it that it owns up to.
    Torn(String),
    Head(Head),
    /// The lines before this number are about to be deleted.
    Deletion {
        begins: u64,
    },
    Unsealed,
    Stop,
}

/// An event that answers for all before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) why: String,
    pub(super) signed: Option<Signed>,
}

/// A head's signature, and what it is of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) key: String,
    pub(super) signature: String,
    pub(super) text: String,
}

/// The digest of what stands between two links, if anything does.
pub(super) fn owned(torn: &[u8]) -> Option<String> {
    (!torn.is_empty()).then(|| Hash::of(&[torn]).as_str().to_owned())
}

/// The members that say something of the chain or the log.
#[derive(Deserialize)]
struct Members<'a> {
    seq: u64,
    time: &'a str,
    event: &'a str,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    detail: Option<Cow<'a, str>>,
    begins: Option<u64>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    prev: &'a str,
    signature: Option<&'a str>,
}

impl Link {
    /// Reads a line with its end.
    pub(super) fn of(line: &[u8]) -> Result<Self, &'static str> {
        let line = line.strip_suffix(b"\n").ok_or("it has no end")?;
        let text = std::str::from_utf8(line).map_err(|_| "it is not text")?;
        Self::read(text)
    }

    /// Reads a line and checks its own hash.
    fn read(line: &str) -> Result<Self, &'static str> {
        let (body, hash_and_end) = line.rsplit_once(HASH).ok_or("it has no hash")?;
        let told = hash_and_end
            .strip_suffix("\"}")
            .ok_or("it does not end in its hash")?;
        let hash = Hash::of(&[body.as_bytes(), b"}"]);
        if told != hash.as_str() {
            return Err("its hash is not the hash of what it says");
        }
        let members: Members<'_> =
            serde_json::from_str(line).map_err(|_| "it is not a JSON object of an audit log")?;
        if members.seq == u64::MAX {
            return Err("its number is out of range");
        }
        Ok(Self {
            seq: members.seq,
            prev: Hash::read(members.prev).ok_or("it has no prev")?,
            hash,
            time: members.time.into(),
            told: told_by(members, body)?,
        })
    }
}

/// What a line says of the log, its hash left out.
fn told_by(members: Members<'_>, body: &str) -> Result<Told, &'static str> {
    Ok(match members.event {
        TORN => Told::Torn(members.detail.unwrap_or_default().into_owned()),
        DELETION => Told::Deletion {
            begins: members.begins.ok_or("it does not say what is left")?,
        },
        UNSEALED => Told::Unsealed,
        STOP => Told::Stop,
        HEAD => Told::Head(Head {
            why: members.reason.unwrap_or_default().into_owned(),
            signed: match members.signature {
                Some(signature) => Some(Signed {
                    key: members.key.unwrap_or_default().into_owned(),
                    signature: signature.to_owned(),
                    text: signed_text(body, signature)?,
                }),
                None => None,
            },
        }),
        _ => Told::Else,
    })
}

/// What is signed of a head: the line as it would be without `signature` and `hash`. Nothing may stand between these two, as
/// nobody would answer for it.
fn signed_text(body: &str, signature: &str) -> Result<String, &'static str> {
    let text = body
        .strip_suffix('"')
        .and_then(|body| body.strip_suffix(signature))
        .and_then(|body| body.strip_suffix(SIGNATURE))
        .ok_or("its signature is not where one stands")?;
    Ok(format!("{text}}}"))
}

/// Escapes everything outside ASCII behind `start`, so that no reader's terminal obeys a peer.
fn escape(line: &mut Vec<u8>, start: usize) {
    let written = line.get(start..).unwrap_or_default();
    let is_plain = |plain, byte: &u8| plain & (b' '..=b'~').contains(byte);
    if written.iter().fold(true, is_plain) {
        return;
    }
    let text = String::from_utf8_lossy(&line.split_off(start)).into_owned();
    for character in text.chars() {
        if (' '..='~').contains(&character) {
            line.push(character as u8);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let [high, low] = unit.to_be_bytes();
                let digits = [high >> 4, high & 15, low >> 4, low & 15].map(digit);
                line.extend_from_slice(b"\\u");
                line.extend_from_slice(&digits);
            }
        }
    }
}
