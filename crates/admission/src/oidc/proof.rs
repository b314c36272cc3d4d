//! How this server proves to a provider which client it is (OpenID Connect Core §9), wherever it posts a form.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    form::{Pairs, encode},
    settings::{ClientAuthentication, ClientKey},
};
use crate::{
    clock::Timestamp,
    fetch::Form,
    refusal::{Reason, Refusal, Stage},
    secret::Secret,
};

/// How long a JWT that says who we are holds.
const ASSERTION: Duration = Duration::from_secs(60);

/// Who we are to whom, and what shows it.
pub(crate) struct Proof<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) by: &'a ClientAuthentication,
}

impl Proof<'_> {
    /// A form that says who sends it.
    ///
    /// # Errors
    /// [`Reason::ProviderUnavailable`] if nothing can be signed.
    pub(crate) fn form(&self, pairs: Pairs, now: Timestamp) -> Result<Form, Refusal> {
        let id = self.client_id;
        let mut authorization = None;
        let pairs = match self.by {
            ClientAuthentication::Basic(secret) => {
                authorization = Some(basic(id, secret));
                pairs
            }
            ClientAuthentication::Post(secret) => {
                pairs.with("client_id", id).with("client_secret", secret)
            }
            ClientAuthentication::PrivateKey(key) => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                pairs
                    .with("client_id", id)
                    .with("client_assertion_type", kind)
                    .with("client_assertion", &self.assertion(key, now)?)
            }
            ClientAuthentication::None => pairs.with("client_id", id),
        };
        Ok(Form {
            body: pairs.into_text(),
            authorization,
        })
    }

    /// RFC 7523 §3. Its audience is the issuer and not one of its endpoints, which another issuer could have named too.
    fn assertion(&self, key: &ClientKey, now: Timestamp) -> Result<String, Refusal> {
        let id = Secret::random().map_err(unavailable)?;
        let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
        header.kid = key.id.as_deref().map(str::to_owned);
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "jti": id.reveal(),
            "iat": now.as_secs(),
            "exp": now.after(ASSERTION).as_secs(),
        });
        jsonwebtoken::encode(&header, &claims, &key.key).map_err(unavailable)
    }
}

/// RFC 6749 §2.3.1: both are encoded as in a form before they are joined.
fn basic(id: &str, secret: &str) -> String {
    let mut text = String::new();
    encode(id, &mut text);
    text.push(':');
    encode(secret, &mut text);
    format!("Basic {}", STANDARD.encode(text))
}

fn unavailable(detail: impl std::fmt::Display) -> Refusal {
    Refusal::new(Stage::Identity, Reason::ProviderUnavailable).because(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_any_text_is_encoded_before_it_is_joined() {
        // RFC 6749 §2.3.1 with a colon and a space, which would else move the border.
        assert_eq!(
            basic("a:b", "c d%"),
            format!("Basic {}", STANDARD.encode("a%3Ab:c+d%25"))
        );
    }
}
