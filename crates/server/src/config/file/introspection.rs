//! `issuer.introspection`: an issuer is asked about opaque tokens.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{ClientAuth, ClientProof, seconds};
use crate::config::{path::FilePath, units::Span};

/// `issuer.introspection`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Introspection {
    /// The name by which it knows this server as a client that may ask.
    #[schemars(length(min = 1))]
    pub client_id: String,
    /// How the server proves to it that it is that client, as for `issuer.sign_in`. `"none"` is refused: whoever may ask without
    /// proof may try tokens out.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Holds the client's secret: one line of visible ASCII, mode 0600. For `client_auth` `"basic"` and `"post"`.
    pub client_secret_file: Option<FilePath>,
    /// Holds the client's private key, PKCS#8 PEM on P-256, mode 0600. For `client_auth = "private_key"`.
    pub client_key_file: Option<FilePath>,
    /// The `kid` that it knows the key by.
    #[schemars(length(min = 1))]
    pub client_key_id: Option<String>,
    /// Where it is asked: an https URL.
    #[schemars(extend("x-default" = "by discovery"))]
    pub endpoint: Option<String>,
    /// How long an answer counts at most: for so long a token that was taken back there opens sockets here. `"0s"`: it is asked
    /// each time.
    #[serde(default = "ten_seconds")]
    #[schemars(extend("x-least" = "0s", "x-most" = "5m"))]
    pub cache: Span,
    /// How often it is asked again about the tokens of open sockets, which end when it says no, or does not answer for them within
    /// twice as long and six seconds (3000 `revoked`). Without it they last until `exp`, and a token that has none is refused.
    #[schemars(extend("x-least" = "1s", "x-most" = "1h", "x-default" = "never"))]
    pub recheck: Option<Span>,
}

impl Introspection {
    /// The same.
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

const fn ten_seconds() -> Span {
    seconds(10)
}
