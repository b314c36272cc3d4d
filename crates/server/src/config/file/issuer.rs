//! `[[issuer]]`: whose tokens are believed, and which of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Introspection, SignIn, seconds};
use crate::config::{path::FilePath, units::Span};

/// `[[issuer]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["audience"] }, { "required": ["sign_in"] }]))]
pub struct Issuer {
    /// Exactly as its tokens' `iss` says.
    pub issuer: String,
    /// What this server calls it. With several issuers each needs one: their users are then `name:sub`, in `from` and where a
    /// right speaks of `sub`, so that no two users pass for one another. While a server runs it stays this issuer's: a reload
    /// that would change that is refused.
    #[schemars(regex(pattern = r"^[a-z0-9_-]{1,32}$"))]
    pub name: Option<String>,
    /// What its signature is believed for: `"tokens"`, by which it says who its users are, and `"grants"`, by which it lets a user,
    /// whoever says who that is, do something in [one channel](protocol.md#grants).
    #[serde(default = "tokens")]
    #[schemars(length(min = 1, max = 2))]
    pub signs: Vec<Signed>,
    /// What its access tokens' `aud` must hold: the name by which it knows this server. Without it none of them is believed.
    #[serde(default)]
    #[schemars(length(min = 1), extend("x-default" = "required without `sign_in`"))]
    pub audience: String,
    /// What tells its access tokens from its other tokens.
    #[serde(default)]
    pub profile: Profile,
    /// With profile `"jwt"`: `{ claim = "azp", equals = "web" }`, something that its access tokens have and its ID tokens
    /// have not. Refused with `"rfc9068"`, which would not ask for it.
    pub discriminator: Option<Discriminator>,
    /// Signature algorithms: `ES256`, `ES384`, `Ed25519`, `EdDSA`, `PS256`, `PS384`, `PS512`, `RS256`, `RS384`, `RS512`.
    /// Symmetric ones and `none` do not exist here.
    #[serde(default)]
    #[schemars(
        inner(regex(pattern = r"^(ES256|ES384|Ed25519|EdDSA|PS256|PS384|PS512|RS256|RS384|RS512)$")),
        extend("x-default" = "all of them")
    )]
    pub algorithms: Vec<String>,
    /// Where its keys are: an https URL. Without it and `jwks_file`, `<issuer>/.well-known/openid-configuration` says.
    #[schemars(extend("x-default" = "by discovery"))]
    pub jwks_url: Option<String>,
    /// Its keys as a JWK set in a file. It must hold a public key.
    pub jwks_file: Option<FilePath>,
    /// By how much clocks may differ. A socket then lives until `exp` plus this.
    #[serde(default = "no_time")]
    #[schemars(extend("x-least" = "0s", "x-most" = "5m"))]
    pub leeway: Span,
    /// How far a token's `exp` may lie behind its `iat`, or ahead of now if it has none. One that would hold for longer is
    /// refused: whoever steals it would have it for as long.
    #[serde(default = "a_day")]
    #[schemars(extend("x-least" = "1m", "x-most" = "30d"))]
    pub max_token_lifetime: Span,
    /// The certificate authorities (PEM) that are trusted for asking this issuer, and no other, in place of the system's.
    pub ca: Option<FilePath>,
    /// Browsers sign in there, and get a session cookie of this server's (OpenID Connect).
    pub sign_in: Option<SignIn>,
    /// It is asked about opaque tokens: those that do not look like a JWT (RFC 7662). One issuer at most is.
    pub introspection: Option<Introspection>,
}

impl Issuer {
    /// Whether it says who somebody is.
    #[must_use]
    pub fn has_users(&self) -> bool {
        self.signs.contains(&Signed::Tokens)
    }

    /// Whether it lets users into channels.
    #[must_use]
    pub fn grants(&self) -> bool {
        self.signs.contains(&Signed::Grants)
    }
}

/// What an issuer signs.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signed {
    /// Who its users are.
    Tokens,
    /// What a user may do in one channel.
    Grants,
}

/// `issuer.profile`
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `typ` is `at+jwt` (RFC 9068).
    #[default]
    Rfc9068,
    /// `typ` may also be `JWT` or missing, and a `discriminator` tells.
    Jwt,
}

/// `issuer.discriminator`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Discriminator {
    /// The claim's name.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// The string that it must be.
    #[schemars(length(min = 1))]
    pub equals: String,
}

fn tokens() -> Vec<Signed> {
    vec![Signed::Tokens]
}

const fn no_time() -> Span {
    seconds(0)
}

const fn a_day() -> Span {
    seconds(24 * 3600)
}
