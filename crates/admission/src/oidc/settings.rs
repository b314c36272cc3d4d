//! What has to be said of a provider before anybody signs in there.

use std::{fmt, sync::Arc, time::Duration};

use jsonwebtoken::EncodingKey;

/// The path that a provider sends browsers back to.
pub const CALLBACK: &str = "/.wardwire/callback";

/// How browsers sign in at an issuer (OpenID Connect Core §3.1).
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Who we are there; its ID and logout tokens' `aud`.
    pub client_id: String,
    /// How we prove that.
    pub authentication: ClientAuthentication,
    /// Where browsers come back to, as it is registered there: an https URL with the path [`CALLBACK`].
    pub callback: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Where browsers come back to after they signed out there, as it is registered.
    pub after_logout: Option<String>,
    /// A session lasts no longer, however it is used.
    pub lifetime: Duration,
    /// Nor this long without a request or an open socket.
    pub idle: Duration,
    /// How many one user may have at once: one more ends the oldest.
    pub sessions: usize,
}

/// How a client proves to the token endpoint who it is (OpenID Connect Core §9).
#[derive(Clone)]
pub enum ClientAuthentication {
    /// `client_secret_basic`.
    Basic(Arc<str>),
    /// `client_secret_post`.
    Post(Arc<str>),
    /// `private_key_jwt` (RFC 7523) by ES256.
    PrivateKey(ClientKey),
    /// A public client: PKCE alone ties the code to us.
    None,
}

/// A client's own key.
#[derive(Clone)]
pub struct ClientKey {
    pub(super) key: Arc<EncodingKey>,
    pub(super) id: Option<Arc<str>>,
    pem: Arc<[u8]>,
}

/// It is no private key on P-256 in PKCS#8 PEM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it holds no private key on P-256 in PEM (PKCS#8)")]
pub struct NoKey;

impl ClientKey {
    /// Reads PEM.
    ///
    /// # Errors
    /// There is no such key in it.
    pub fn read(pem: &[u8], id: Option<&str>) -> Result<Self, NoKey> {
        let key = EncodingKey::from_ec_pem(pem).map_err(|_| NoKey)?;
        // A key on another curve is found out only when it signs.
        jsonwebtoken::crypto::sign(b"", &key, jsonwebtoken::Algorithm::ES256).map_err(|_| NoKey)?;
        Ok(Self {
            key: Arc::new(key),
            id: id.map(Into::into),
            pem: pem.into(),
        })
    }
}

impl PartialEq for ClientAuthentication {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Basic(one), Self::Basic(other)) | (Self::Post(one), Self::Post(other)) => {
                one == other
            }
            (Self::PrivateKey(one), Self::PrivateKey(other)) => {
                one.pem == other.pem && one.id == other.id
            }
            (Self::None, Self::None) => true,
            _ => false,
        }
    }
}

/// Without the secret.
impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic(_) => "Basic",
            Self::Post(_) => "Post",
            Self::PrivateKey(_) => "PrivateKey",
            Self::None => "None",
        })
    }
}
