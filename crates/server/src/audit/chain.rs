//! Each line holds the hash of the line before it and its own, so that an edit or a gap shows.
//!
//! A line is a JSON object in ASCII whose last two members are `prev` and `hash`. `hash` is the SHA-256, in lower-case
//! hex, of the line as it would be without its `hash` member. The first line's `prev` is 64 zeros.
//!
//! A crash can leave a torn line. It stays; the next line follows the one before it, is an event `torn`, and its `detail` is
//! the SHA-256 of what was torn, line ends included. So the log goes on, and nothing else can stand between two lines.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

use aws_lc_rs::digest::{Context, SHA256};

use super::Event;

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
pub(super) const HASH: &str = ",\"hash\":\"";
/// The event that owns up to what a crash left before it.
pub(super) const TORN: &str = "torn";
/// No line is longer: peers' texts are cut.
pub(super) const LONGEST: u64 = 16 * 1024;

impl Chain {
    pub(super) fn start() -> Self {
        Self {
            next: 0,
            prev: Hash([b'0'; 64]),
        }
    }

    /// Finds the end of the chain in a log. What stands behind it, as a line torn by a crash, is kept as it is, on a line
    /// of its own; its digest is for the next line, which has to own up to it.
    pub(super) fn resume(mut file: &File) -> io::Result<(Self, Option<String>)> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(2 * LONGEST)))?;
        let mut tail = Vec::new();
        file.take(2 * LONGEST).read_to_end(&mut tail)?;
        if !tail.is_empty() && !tail.ends_with(b"\n") {
            file.write_all(b"\n")?;
            tail.push(b'\n');
        }
        let mut torn = Vec::new();
        for line in tail.split_inclusive(|&byte| byte == b'\n').rev() {
            if let Ok(link) = Link::of(line) {
                let chain = Self {
                    next: link.seq + 1,
                    prev: link.hash,
                };
                return Ok((chain, owned(&torn)));
            }
            torn.splice(0..0, line.iter().copied());
        }
        Ok((Self::start(), owned(&torn)))
    }

    /// Writes an event down as the next line, with its end. Each handshake pays for two, so it is written in place.
    pub(super) fn line(&mut self, event: &Event, out: &mut Vec<u8>) {
        let start = out.len();
        event.line(self.next, &self.prev, out);
        escape(out, start);
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
    fn of(parts: &[&[u8]]) -> Self {
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
    pub(super) prev: String,
    pub(super) hash: Hash,
    /// The digest of the torn lines before it that it owns up to.
    pub(super) torn: Option<String>,
}

/// The digest of what stands between two links, if anything does.
pub(super) fn owned(torn: &[u8]) -> Option<String> {
    (!torn.is_empty()).then(|| Hash::of(&[torn]).as_str().to_owned())
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
        let members: serde_json::Value =
            serde_json::from_str(line).map_err(|_| "it is not a JSON object")?;
        let seq = members
            .get("seq")
            .and_then(serde_json::Value::as_u64)
            .ok_or("it has no seq")?;
        let prev = members
            .get("prev")
            .and_then(serde_json::Value::as_str)
            .ok_or("it has no prev")?;
        let text = |name| members.get(name).and_then(serde_json::Value::as_str);
        let torn = text("detail").filter(|_| text("event") == Some(TORN));
        Ok(Self {
            seq,
            prev: prev.to_owned(),
            hash,
            torn: torn.map(str::to_owned),
        })
    }
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
