//! Each line holds the hash of the line before it and its own, so that an edit or a gap shows.
//!
//! A line is a JSON object in ASCII whose last two members are `prev` and `hash`. `hash` is the SHA-256, in lower-case
//! hex, of the line as it would be without its `hash` member. The first line's `prev` is 64 zeros.
//!
//! A crash can leave a torn line. It stays; the next line follows the one before it, is an event `torn`, and its `detail` is
//! the SHA-256 of what was torn, line ends included. So the log goes on, and nothing else can stand between two lines.

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
/// The event that owns up to what a crash left before it.
pub(super) const TORN: &str = "torn";
/// No line is longer: peers' texts are cut.
pub(super) const LONGEST: u64 = 16 * 1024;

impl Chain {
    pub(super) fn start() -> Self {
        Self {
            next: 0,
            prev: "0".repeat(64),
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
    /// The digest of the torn lines before it that it owns up to.
    pub(super) torn: Option<String>,
}

/// The digest of what stands between two links, if anything does.
pub(super) fn owned(torn: &[u8]) -> Option<String> {
    (!torn.is_empty()).then(|| hex(torn))
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

fn hash(line: &str) -> String {
    hex(line.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, bytes).as_ref() {
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
