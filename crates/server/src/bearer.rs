//! Bearer tokens that stand in files: what an operator shows, and an application's backend.

use std::{io, path::Path};

use aws_lc_rs::constant_time;
use http::{HeaderMap, header};
use wardwire_admission::refusal::Reason;

use crate::config::read_file;

/// A token. It has no `Debug`.
pub struct Bearer(Vec<u8>);

/// Of a token's file, in bytes.
const LONGEST: usize = 4096;
/// Of a token, in bytes: nobody guesses as much.
const SHORTEST: usize = 32;

impl Bearer {
    /// Reads a token's file. White space around the token is not part of it.
    ///
    /// # Errors
    /// It cannot be read, holds less than 32 bytes, or what no header can.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = read_file(path)?;
        let token = text.trim_ascii();
        if token.len() < SHORTEST {
            return Err(io::Error::other("it is shorter than 32 bytes"));
        }
        if text.len() > LONGEST {
            return Err(io::Error::other("it is longer than 4 KiB"));
        }
        if !token.iter().all(u8::is_ascii_graphic) {
            return Err(io::Error::other("it holds more than visible ASCII"));
        }
        Ok(Self(token.to_vec()))
    }

    fn is(&self, shown: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(shown, &self.0).is_ok()
    }
}

/// Whether a request shows one of these tokens (RFC 6750 §2.1).
pub(crate) fn judge(headers: &HeaderMap, tokens: &[Bearer]) -> Result<(), Reason> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next().ok_or(Reason::CredentialMissing)?;
    let shown = line.as_bytes().strip_prefix(b"Bearer ");
    let shown = shown.filter(|_| lines.next().is_none());
    match shown.is_some_and(|shown| tokens.iter().any(|token| token.is(shown))) {
        true => Ok(()),
        false => Err(Reason::CredentialMalformed),
    }
}
