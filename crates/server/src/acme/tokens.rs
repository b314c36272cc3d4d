//! Answers to http-01 challenges (RFC 8555 §8.3), on the plain port, as long as the authority may come for them.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

/// The tokens that are known now, with what the authority wants to read there.
#[derive(Clone, Default)]
pub struct Tokens(Arc<RwLock<HashMap<Box<str>, Box<str>>>>);

/// Where they are asked for.
const PATH: &str = "/.well-known/acme-challenge/";
/// The longest token, in bytes. Authorities use 43; at least 22 are demanded (RFC 8555 §8.3).
const LONGEST: usize = 256;

impl Tokens {
    /// The token that a path asks for, if it is such a path.
    #[must_use]
    pub fn asked(path: &str) -> Option<&str> {
        path.strip_prefix(PATH)
    }

    /// What stands behind a token.
    #[must_use]
    pub fn answer(&self, token: &str) -> Option<Box<str>> {
        self.0.read().get(token).cloned()
    }

    /// Answers for this token until what is returned is dropped. None if it is no token: base64url without padding.
    pub(super) fn pose(&self, token: &str, answer: &str) -> Option<Posed> {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if !(1..=LONGEST).contains(&token.len()) || !token.bytes().all(letters) {
            return None;
        }
        self.0.write().insert(token.into(), answer.into());
        Some(Posed {
            tokens: self.clone(),
            token: token.into(),
        })
    }
}

/// A token that is answered as long as this lives.
pub(super) struct Posed {
    tokens: Tokens,
    token: Box<str>,
}

impl Drop for Posed {
    fn drop(&mut self) {
        self.tokens.0.write().remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_answered_only_while_it_is_posed() {
        let tokens = Tokens::default();
        let posed = tokens.pose("abc-_09", "abc-_09.key").unwrap();
        assert_eq!(tokens.answer("abc-_09").as_deref(), Some("abc-_09.key"));
        assert_eq!(tokens.answer("abc-_0"), None);
        drop(posed);
        assert_eq!(tokens.answer("abc-_09"), None);
    }

    #[test]
    fn what_an_authority_calls_a_token_may_not_be_one() {
        let tokens = Tokens::default();
        let long = "x".repeat(LONGEST + 1);
        for token in ["", "../x", "a b", "a\r\nb", "a%20", "ü", &long] {
            assert!(tokens.pose(token, "x").is_none(), "{token:?}");
        }
    }
}
