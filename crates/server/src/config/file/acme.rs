//! `[server.acme]`: certificates that the server obtains and renews by itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::path::FilePath;

/// `server.acme`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acme {
    /// The names in the certificate, `["live.example.com"]`: 1 to 100. Each must lead to this server. No addresses and no
    /// `*`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100), extend("x-required" = true))]
    pub hosts: Vec<String>,
    /// That you have read the authority's terms of service and agree to them. Nothing is asked for without it.
    #[serde(default)]
    #[schemars(extend("x-required" = true))]
    pub terms_of_service_agreed: bool,
    /// The folder of the account's key and the certificates, which only the server's user may read (mode 0700). It is made
    /// where there is none.
    #[serde(default = "storage")]
    pub storage: FilePath,
    /// The authority's directory, an `https` URL. For trying it out:
    /// `"https://acme-staging-v02.api.letsencrypt.org/directory"`.
    #[serde(default = "directory")]
    #[schemars(regex(pattern = r"^https://"))]
    pub directory: String,
    /// How the authority reaches you: `["mailto:ops@example.com"]`, at most 10.
    #[serde(default)]
    #[schemars(
        length(max = 10),
        inner(regex(pattern = r"^mailto:[^@,?\s]+@[^@,?\s]+$"))
    )]
    pub contact: Vec<String>,
    /// How the authority sees that the hosts are yours.
    #[serde(default)]
    pub challenge: Challenge,
    /// A root of your own, in PEM, for an authority that is not public. Trusted for its directory only.
    pub ca: Option<FilePath>,
    /// The account that a commercial authority knows you by: `{ kid = "...", key_file = "eab.key" }`.
    pub external_account: Option<ExternalAccount>,
}

/// `server.acme.challenge`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub enum Challenge {
    /// On the port of `listen`, which must be reached at port 443 (RFC 8737).
    #[default]
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// On the port of `redirect`, which must be reached at port 80 (RFC 8555 §8.3).
    #[serde(rename = "http-01")]
    Http01,
}

impl Challenge {
    /// As the authority calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
        }
    }
}

/// `server.acme.external_account`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalAccount {
    /// The key's identifier, as the authority gave it.
    #[schemars(length(min = 1, max = 512))]
    pub kid: String,
    /// Holds the key, in base64url as the authority gave it. Only its owner may read the file (mode 0600).
    pub key_file: FilePath,
}

fn storage() -> FilePath {
    FilePath::from("acme")
}

fn directory() -> String {
    "https://acme-v02.api.letsencrypt.org/directory".to_owned()
}
