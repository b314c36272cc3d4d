//! How the server proves to an issuer which client it is, where it signs browsers in and where it asks about tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::path::FilePath;

/// `issuer.sign_in.client_auth`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// By its secret, in the header `Authorization`.
    #[default]
    Basic,
    /// By its secret, in the body.
    Post,
    /// By a JWT that its key signs (RFC 7523): nothing that could be used again leaves the server.
    PrivateKey,
    /// Not at all: a public client, with PKCE alone.
    None,
}

/// How this server shows to a provider which client it is, and with what.
pub struct ClientProof<'a> {
    /// By which of these.
    pub auth: ClientAuth,
    /// A secret.
    pub secret: &'a Option<FilePath>,
    /// A key.
    pub key: &'a Option<FilePath>,
    /// What that is called there.
    pub key_id: Option<&'a str>,
}
