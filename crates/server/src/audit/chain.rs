//! Each line holds the hash of the line before it and its own, so that an edit or a gap shows.
//!
//! A line is a JSON object in ASCII whose last two members are `prev` and `hash`. `hash` is the SHA-256, in lower-case
//! hex, of the line as it would be without its `hash` member. The first line's `prev` is 64 zeros.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
};

use aws_lc_rs::digest::{SHA256, digest};

use super::Event;

/// The end of a chain: what the next line joins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) next: u64,
    pub(super) prev: String,
}

/// Before a line's own hash.
pub(super) const HASH: &str = ",\"hash\":\"";
/// No line is longer: peers' texts are cut.
pub(super) const LONGEST: u64 = 16 * 1024;

impl Chain {
    pub(super) fn start() -> Self {
        Self {
            next: 0,
            prev: "0".repeat(64),
        }
    }

    /// Finds the end of the chain in a log. A last line torn by a crash is kept as it is, on a line of its own.
    pub(super) fn resume(mut file: &File) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(2 * LONGEST)))?;
        let mut tail = Vec::new();
        file.take(2 * LONGEST).read_to_end(&mut tail)?;
        if !tail.is_empty() && !tail.ends_with(b"\n") {
            file.write_all(b"\n")?;
        }
        let text = String::from_utf8_lossy(&tail);
        let last = text.lines().rev().find_map(|line| Link::read(line).ok());
        Ok(last.map_or_else(Self::start, |link| Self {
            next: link.seq + 1,
            prev: link.hash,
        }))
    }

    /// Writes an event down as the next line.
    pub(super) fn line(&mut self, event: &Event) -> String {
        let mut line = ascii(&event.line(self.next, &self.prev));
        let hash = hash(&line);
        line.pop();
        let _ = write!(line, "{HASH}{hash}\"}}");
        self.next += 1;
        self.prev = hash;
        line
    }
}

/// What one line says of the chain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) prev: String,
    pub(super) hash: String,
}

impl Link {
    /// Reads a line and checks its own hash.
    pub(super) fn read(line: &str) -> Result<Self, &'static str> {
        let (body, hash_and_end) = line.rsplit_once(HASH).ok_or("it has no hash")?;
        let told = hash_and_end
            .strip_suffix("\"}")
            .ok_or("it does not end in its hash")?;
        let hash = hash(&format!("{body}}}"));
        if told != hash {
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
        Ok(Self {
            seq,
            prev: prev.to_owned(),
            hash,
        })
    }
}

fn hash(line: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, line.as_bytes()).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Escapes everything outside ASCII, so that no reader's terminal obeys a peer.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        if (' '..='~').contains(&character) {
            out.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}
