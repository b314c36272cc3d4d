//! `issuer.sign_in`: browsers sign in at an issuer, of whom the server is a client.

use schemars::JsonSchema;
use serde::Deserialize;
use wardwire_admission::session;

use super::{ClientAuth, ClientProof, seconds};
use crate::config::{path::FilePath, units::Span};

/// `issuer.sign_in`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The name by which it knows this server as a client.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// How the server proves to it that it is that client.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Holds the client's secret: one line of visible ASCII, mode 0600. For `client_auth` `"basic"` and `"post"`.
    pub client_secret_file: Option<FilePath>,
    /// Holds the client's private key, PKCS#8 PEM on P-256, mode 0600. `wardwire token --new-key --key FILE` makes one. For
    /// `client_auth = "private_key"`.
    pub client_key_file: Option<FilePath>,
    /// The `kid` that it knows the key by.
    #[schemars(length(min = 1))]
    pub client_key_id: Option<String>,
    /// Where it sends browsers back to, exactly as it is registered there: `"https://app.example.com/.wardwire/callback"`, on a
    /// host of this server's.
    #[schemars(regex(pattern = r"^[Hh][Tt][Tt][Pp][Ss]://[^/?#*]+/\.wardwire/callback$"))]
    pub callback: String,
    /// What is asked for beside `openid`: `["profile", "email"]`. What it tells of a user for it are claims for rights.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub scopes: Vec<String>,
    /// Where it sends browsers to after they signed out there, exactly as it is registered there.
    pub after_logout: Option<String>,
    /// A session lasts no longer, however it is used: then the user signs in again.
    #[serde(default = "half_a_day")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub lifetime: Span,
    /// A session that has no request and no open socket for so long is over.
    #[serde(default = "two_hours")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub idle: Span,
    /// How many sessions one user may have at once. One more ends the oldest, with its sockets.
    #[serde(default = "sessions")]
    #[schemars(range(min = 1, max = 256))]
    pub sessions: usize,
}

impl SignIn {
    /// What its `client_` keys say.
    #[must_use]
    pub fn proof(&self) -> ClientProof<'_> {
        ClientProof {
            auth: self.client_auth,
            secret: &self.client_secret_file,
            key: &self.client_key_file,
            key_id: self.client_key_id.as_deref(),
        }
    }
}

const fn half_a_day() -> Span {
    seconds(12 * 3600)
}

const fn two_hours() -> Span {
    seconds(2 * 3600)
}

const fn sessions() -> usize {
    session::PER_SUBJECT
}
