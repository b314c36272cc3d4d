//! A sign-in under way. Nothing of it is kept here: it travels sealed in a cookie of the browser that began it, so that
//! strangers who begin millions fill nobody's memory.
//!
//! INVARIANT: only the browser that began an attempt can finish it. The `state` of the authorization request (RFC 6749
//! §10.12) names the cookie and is bound into its seal; the nonce and the PKCE verifier (RFC 7636) are in it, where the
//! browser cannot read them.

use std::collections::VecDeque;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

use super::Wish;
use crate::{
    clock::Timestamp,
    secret::{NoRandom, Secret},
};

/// What every such cookie's name begins with. `__Host-` binds it to this host and to TLS (RFC 6265bis §4.1.3).
pub const PREFIX: &str = "__Host-wardwire-login-";
/// How long somebody may take to sign in at the provider, in seconds.
pub(super) const LIFETIME: u64 = 600;
/// A browser may have so many attempts open, one for each of its tabs. The oldest beyond are forgotten.
const OPEN: usize = 8;
/// Nor so many that their cookies take more bytes together: they come with each request of the browser, to whose head they
/// must leave room, whichever pages had it begin them.
const ROOM: usize = 6 * 1024;
/// The longest cookie that is looked at, in bytes.
const LONGEST: usize = 4096;

/// What has to be known when the browser comes back.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Attempt {
    pub(super) issuer: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    /// Where the browser goes then; judged before it was sealed.
    pub(super) return_to: String,
    /// What was asked of the sign-in.
    pub(super) wish: Wish,
    /// In milliseconds.
    pub(super) ends: u64,
}

impl Attempt {
    /// When the browser was sent away.
    pub(super) fn begun(&self) -> Timestamp {
        Timestamp::from_millis(self.ends.saturating_sub(LIFETIME * 1000))
    }
}

/// Seals attempts, with a key that lives as long as the process.
pub(crate) struct Seal(Option<RandomizedNonceKey>);

impl Seal {
    pub(crate) fn new() -> Self {
        let mut bytes = [0; 32];
        let key = rand::fill(&mut bytes)
            .ok()
            .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok());
        Self(key)
    }

    /// The value of the attempt's cookie.
    ///
    /// # Errors
    /// There are no random bytes.
    pub(super) fn close(&self, attempt: &Attempt, state: &Secret) -> Result<String, NoRandom> {
        let mut text = serde_json::to_vec(attempt).map_err(|_| NoRandom)?;
        let key = self.0.as_ref().ok_or(NoRandom)?;
        let bound = Aad::from(state.reveal());
        let nonce = key.seal_in_place_append_tag(bound, &mut text);
        let nonce = nonce.map_err(|_| NoRandom)?;
        Ok(URL_SAFE_NO_PAD.encode([&nonce.as_ref()[..], &text].concat()))
    }

    /// The attempt with this `state`, if this browser began it and it has not ended.
    pub(super) fn open(
        &self,
        headers: &HeaderMap,
        state: &Secret,
        now: Timestamp,
    ) -> Option<Attempt> {
        let name = cookie_name(state);
        let mut found = cookies(headers).filter(|(known, _)| **known == *name);
        let (_, value) = found.next()?;
        if found.next().is_some() || value.len() > LONGEST {
            return None;
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, text) = sealed.split_at_mut_checked(12)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let bound = Aad::from(state.reveal());
        let text = self.0.as_ref()?.open_in_place(nonce, bound, text).ok()?;
        let attempt: Attempt = serde_json::from_slice(text).ok()?;
        (now < Timestamp::from_millis(attempt.ends)).then_some(attempt)
    }
}

/// The cookie of an attempt: named by a hash of its `state`, so that tabs do not take each other's.
pub(super) fn cookie_name(state: &Secret) -> String {
    let hash = digest(&SHA256, state.reveal().as_bytes());
    let short = URL_SAFE_NO_PAD.encode(hash.as_ref().get(..12).unwrap_or_default());
    format!("{PREFIX}{short}")
}

/// The cookies of attempts that are to be forgotten as one more is begun, whose cookie has a value so long: the oldest, which
/// browsers name first (RFC 6265 §5.4).
pub(super) fn surplus(headers: &HeaderMap, value: usize) -> Vec<String> {
    let mut open: VecDeque<_> = cookies(headers).collect();
    let mut forgotten = Vec::new();
    let size = |(name, value): &(&str, &str)| name.len() + value.len();
    let mut bytes = open.iter().map(size).sum::<usize>() + PREFIX.len() + 16 + value;
    while open.len() >= OPEN || bytes > ROOM {
        let Some(oldest) = open.pop_front() else {
            break;
        };
        bytes = bytes.saturating_sub(size(&oldest));
        forgotten.push(oldest.0.to_owned());
    }
    forgotten
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok());
    let pairs = pairs.flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| name.starts_with(PREFIX) && name.len() <= PREFIX.len() + 16)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn attempt() -> Attempt {
        Attempt {
            issuer: "https://id.example".into(),
            nonce: "n".into(),
            verifier: "v".into(),
            return_to: "https://app.example/".into(),
            wish: Wish::default(),
            ends: 1_600_000,
        }
    }

    fn bringing(cookies: &[(String, &str)]) -> HeaderMap {
        let pairs: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let line = HeaderValue::try_from(pairs.join("; ")).unwrap();
        HeaderMap::from_iter([(header::COOKIE, line)])
    }

    #[test]
    fn only_the_browser_that_began_an_attempt_can_finish_it() {
        let (seal, state, other) = (
            Seal::new(),
            Secret::random().unwrap(),
            Secret::random().unwrap(),
        );
        let value = seal.close(&attempt(), &state).unwrap();
        let own = bringing(&[("a".into(), "b"), (cookie_name(&state), &value)]);
        assert_eq!(seal.open(&own, &state, NOW), Some(attempt()));
        assert!(seal.open(&HeaderMap::new(), &state, NOW).is_none());
        assert!(seal.open(&own, &other, NOW).is_none());
        // Another's state, put before one's own cookie.
        let moved = bringing(&[(cookie_name(&other), &value)]);
        assert!(seal.open(&moved, &other, NOW).is_none());
        let twice = bringing(&[(cookie_name(&state), &value), (cookie_name(&state), &value)]);
        assert!(seal.open(&twice, &state, NOW).is_none());
        assert!(Seal::new().open(&own, &state, NOW).is_none(), "another key");
    }

    #[test]
    fn an_attempt_ends() {
        let (seal, state) = (Seal::new(), Secret::random().unwrap());
        let value = seal.close(&attempt(), &state).unwrap();
        let own = bringing(&[(cookie_name(&state), &value)]);
        assert!(
            seal.open(&own, &state, Timestamp::from_millis(1_599_999))
                .is_some()
        );
        assert!(
            seal.open(&own, &state, Timestamp::from_secs(1600))
                .is_none()
        );
    }

    #[test]
    fn not_one_bit_of_a_sealed_attempt_can_be_changed() {
        let (seal, state) = (Seal::new(), Secret::random().unwrap());
        let sealed = URL_SAFE_NO_PAD
            .decode(seal.close(&attempt(), &state).unwrap())
            .unwrap();
        for at in 0..sealed.len() {
            let mut spoilt = sealed.clone();
            spoilt[at] ^= 1;
            let text = URL_SAFE_NO_PAD.encode(spoilt);
            let own = bringing(&[(cookie_name(&state), &text)]);
            assert!(seal.open(&own, &state, NOW).is_none(), "{at}");
        }
        for text in ["", "A", "AAAA", &"A".repeat(LONGEST + 1)] {
            let own = bringing(&[(cookie_name(&state), text)]);
            assert!(seal.open(&own, &state, NOW).is_none(), "{}", text.len());
        }
    }

    #[test]
    fn a_browser_has_few_attempts_open_and_forgets_the_oldest() {
        let named = |n: usize| (format!("{PREFIX}{n}"), "x");
        let open: Vec<_> = (0..OPEN + 1).map(named).collect();
        assert_eq!(
            surplus(&bringing(&open), 1),
            [format!("{PREFIX}0"), format!("{PREFIX}1")]
        );
        assert!(surplus(&bringing(&open[..OPEN - 1]), 1).is_empty());
        // However few, if they are long.
        let long = "x".repeat(ROOM / 3);
        let open: Vec<_> = (0..3).map(|n| (named(n).0, &*long)).collect();
        assert_eq!(surplus(&bringing(&open[..1]), long.len()), [""; 0]);
        assert_eq!(
            surplus(&bringing(&open), long.len()),
            [format!("{PREFIX}0"), format!("{PREFIX}1")]
        );
    }
}
