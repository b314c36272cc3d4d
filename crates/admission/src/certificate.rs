//! A client's certificate (mutual TLS): one factor more for programs, and never in a token's place.
//!
//! Whoever ends TLS has verified it: the chain, its time, its purpose, that it was not revoked, and that the client holds its
//! key (RFC 5280 §6, RFC 8446 §4.4.3). Here it is only compared and written down, and [judged](Judge) anew where the rules
//! change.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::clock::Timestamp;

/// What is known of the certificate that a connection was opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Which it is.
    pub thumbprint: Thumbprint,
    /// Its subject, as a text for people.
    pub subject: Box<str>,
    /// Its alternative names, as texts for people.
    pub names: Box<[Box<str>]>,
    /// Its serial number, in hex.
    pub serial: Box<str>,
    /// `notAfter`: nothing that stands on it lives longer.
    pub expires_at: Timestamp,
    /// It and what came with it, in DER, to be judged anew. At most 16 KiB of one that was verified.
    pub chain: Box<[Box<[u8]>]>,
    /// The number of the demand that it was verified by, which need not judge it twice.
    pub demand: u64,
}

/// What is demanded of certificates: a reload may demand something else of those that have been shown.
pub trait Judge: Send + Sync {
    /// Whether it would be verified now.
    fn verifies(&self, certificate: &ClientCertificate) -> bool;
}

/// The SHA-256 of a certificate in DER (RFC 8705 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// That of a certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(hash)
    }

    /// As a token's `x5t#S256` has it: base64url without padding. None if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().map(Self).ok()
    }
}

/// In hex, as certificate tools show it.
impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_read_as_rfc_8705_writes_it_and_no_other_way() {
        let text = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
        let it = Thumbprint::of(b"abc");
        assert_eq!(Thumbprint::parse(text), Some(it));
        assert_eq!(
            it.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        for other in [
            "",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa",
            "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa1",
            " ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
        ] {
            assert_eq!(Thumbprint::parse(other), None, "{other}");
        }
    }
}
