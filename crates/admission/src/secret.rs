//! Values that open something: 32 random bytes, of which this server keeps only a hash.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// A ticket's or a session's secret, as the peer holds it. It has no `Debug`, so that no log can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

/// What is kept of a [`Secret`]: enough to know it again, too little to make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SecretHash([u8; 32]);

/// The system's random generator failed; nothing secret can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandom;

impl Secret {
    /// A fresh one.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn random() -> Result<Self, NoRandom> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| NoRandom)?;
        Ok(Self(bytes))
    }

    /// Reads 43 characters of base64url. None if it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// As it travels: 43 characters of base64url.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn hash(&self) -> SecretHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &self.0).as_ref());
        SecretHash(hash)
    }
}

impl SecretHash {
    /// A name that may stand in logs: it tells nothing about the secret.
    pub(crate) fn public_name(&self) -> String {
        let named = digest(&SHA256, &[b"wardwire session name", &self.0[..]].concat());
        URL_SAFE_NO_PAD.encode(named.as_ref().get(..12).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_survives_its_journey_and_nothing_else_parses() {
        let secret = Secret::random().unwrap();
        assert_eq!(secret.reveal().len(), 43);
        assert!(Secret::parse(&secret.reveal()).is_some_and(|again| again == secret));
        for text in [
            "",
            "short",
            &"A".repeat(44),
            &"=".repeat(43),
            &"\u{e9}".repeat(22),
        ] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_public_name_is_not_the_secret() {
        let secret = Secret::random().unwrap();
        let name = secret.hash().public_name();
        assert!(!secret.reveal().contains(&name) && name.len() == 16);
    }
}
