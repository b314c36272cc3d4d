//! Tokens of trusted issuers. Nothing is trusted yet: every token is refused.

use crate::{
    principal::Identity,
    refusal::{Reason, Refusal, Stage},
};

/// The trusted issuers.
#[derive(Default)]
pub struct Issuers {}

impl Issuers {
    /// Verifies a token.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    #[expect(clippy::unused_async, reason = "keys may have to be fetched")]
    pub async fn verify(&self, _token: &str) -> Result<Identity, Refusal> {
        Err(Refusal::new(Stage::Identity, Reason::TokenIssuer))
    }
}
