//! What has to be said of an issuer before its tokens are believed.

use std::{collections::HashSet, sync::Arc, time::Duration};

use super::{Algorithm, IntrospectionConfig};
use crate::oidc;

/// The longest leeway: a socket may outlive its token by no more.
const LONGEST_LEEWAY: Duration = Duration::from_secs(300);

/// One trusted issuer.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// Exactly as `iss` has it.
    pub issuer: String,
    /// What this server calls it: 1 to 32 of `a-z`, `0-9`, `-` and `_`. Each of several issuers has one, and no two the same:
    /// it stands before their users' names, which are unique for each issuer only.
    pub name: Option<String>,
    /// What its signature is believed for.
    pub signs: Signs,
    /// Who we are to this issuer.
    pub audience: Audience,
    /// What tells its access tokens from its other tokens.
    pub profile: Profile,
    /// By which algorithms it signs; at least one.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub keys: KeySource,
    /// How far its clock may be off: `exp` counts this much later, `nbf` and `iat` this much earlier. At most 5 minutes.
    pub leeway: Duration,
    /// How far `exp` may lie behind `iat`, and ahead of now. Whoever steals a token has it for no longer.
    pub max_lifetime: Duration,
    /// How browsers sign in there. None where they do not; then only its access tokens count.
    pub sign_in: Option<oidc::Settings>,
    /// How it is asked about opaque tokens. None if it is not; one issuer at most is, as such a token does not say whose it is.
    pub introspection: Option<IntrospectionConfig>,
}

/// What an issuer's signature is believed for. What one is not trusted with is refused as if nobody knew it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signs {
    /// Who somebody is.
    #[default]
    Tokens,
    /// What a user may do in one channel, whoever says who that is.
    Grants,
    /// Both.
    Both,
}

impl Signs {
    /// Whether it has users.
    #[must_use]
    pub fn tokens(self) -> bool {
        self != Self::Grants
    }

    /// Whether it grants.
    #[must_use]
    pub fn grants(self) -> bool {
        self != Self::Tokens
    }
}

/// The names of which a token's `aud` must hold one.
#[derive(Clone, Debug)]
pub struct Audience(HashSet<Arc<str>>);

/// How access tokens are told from ID tokens, logout tokens and whatever else the same key signs (RFC 8725 §3.11).
#[derive(Clone, Debug)]
pub enum Profile {
    /// `typ` is `at+jwt` (RFC 9068 §2.1).
    Rfc9068,
    /// `typ` is `JWT` or absent; then a claim has to tell.
    Jwt(Discriminator),
}

/// A claim that only access tokens carry with this value.
#[derive(Clone, Debug)]
pub struct Discriminator {
    /// The claim's name, such as `azp` or `token_use`.
    pub claim: String,
    /// The value, compared exactly.
    pub equals: String,
}

/// Where an issuer's keys are.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// In the key set that `<issuer>/.well-known/openid-configuration` names (OpenID Connect Discovery §4).
    Discovery,
    /// In the key set at this https URL.
    Url(String),
    /// In this key set (RFC 7517 §5), as read from a file. It never changes.
    Static(Vec<u8>),
}

/// A configuration that cannot be used, or could let a wrong token in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerConfigError {
    /// An empty issuer.
    #[error("an issuer has no name: set `issuer` to what its tokens have as `iss`")]
    NoName,
    /// The same issuer twice.
    #[error("issuer {0} is listed twice: keep one of them")]
    Twice(String),
    /// Users of two issuers could pass for one another.
    #[error(
        "issuer {0} has no `name`, but there are several issuers: without it their users could pass for one another"
    )]
    Nameless(String),
    /// The same.
    #[error("two issuers have the name {0}: their users could pass for one another")]
    SameName(String),
    /// It would not be told from what follows it.
    #[error("the name of issuer {0} is not 1 to 32 of a-z, 0-9, - and _")]
    BadName(String),
    /// What it says of its users would count for nothing.
    #[error(
        "issuer {0} signs grants only, so that it has no users: drop its `name`, `sign_in` and `introspection`, or add \"tokens\" to `signs`"
    )]
    GrantsOnly(String),
    /// Any audience would do.
    #[error(
        "issuer {0} has no audience: set `audience` to the name by which its access tokens mean this server, or say with `sign_in` how browsers sign in there"
    )]
    NoAudience(String),
    /// Nothing could be verified.
    #[error("issuer {0} has no algorithms: name at least one, such as ES256")]
    NoAlgorithm(String),
    /// The discriminator matches tokens that have no such claim.
    #[error("the discriminator of issuer {0} is empty: name a claim and its value")]
    EmptyDiscriminator(String),
    /// Too forgiving.
    #[error("the leeway of issuer {0} is over 5 minutes: mend the clock instead")]
    Leeway(String),
    /// Browsers would be sent there over an open line.
    #[error("nobody can sign in at issuer {0}: it has to be an https URL")]
    SignIn(String),
    /// Of whom would an opaque token be asked? It would be shown to the other.
    #[error(
        "issuer {0} is not the only one that is asked about opaque tokens: they do not say whose they are, so `introspection` can stand at one issuer only"
    )]
    Introspection(String),
    /// Whoever could ask without proof could try tokens out, or they would travel over an open line.
    #[error("issuer {issuer} cannot be asked about opaque tokens: {cause}")]
    Asking {
        /// Who.
        issuer: String,
        /// Why not.
        cause: &'static str,
    },
    /// Keys would come over an open line.
    #[error("the keys of issuer {issuer} cannot be had from {url}: it has to be an https URL")]
    NotHttps {
        /// Whose keys.
        issuer: String,
        /// From where.
        url: String,
    },
    /// The given key set is of no use.
    #[error("the key set of issuer {issuer} is of no use: {cause}")]
    Keys {
        /// Whose keys.
        issuer: String,
        /// What is wrong.
        cause: String,
    },
}

impl Audience {
    /// These names. Empty ones are left out.
    pub fn new<T: Into<Arc<str>>>(names: impl IntoIterator<Item = T>) -> Self {
        let mut names: HashSet<_> = names.into_iter().map(Into::into).collect();
        names.remove("");
        Self(names)
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The same, and what we call ourselves by it.
    pub(super) fn find(&self, name: &str) -> Option<Arc<str>> {
        self.0.get(name).cloned()
    }
}

impl IssuerConfig {
    pub(super) fn check(&self) -> Result<(), IssuerConfigError> {
        let issuer = || self.issuer.clone();
        if self.issuer.is_empty() {
            return Err(IssuerConfigError::NoName);
        }
        if self.name.as_deref().is_some_and(|name| !is_name(name)) {
            return Err(IssuerConfigError::BadName(issuer()));
        }
        let of_users =
            self.name.is_some() || self.sign_in.is_some() || self.introspection.is_some();
        if of_users && !self.signs.tokens() {
            return Err(IssuerConfigError::GrantsOnly(issuer()));
        }
        if self.audience.0.is_empty() && (self.sign_in.is_none() || self.signs.grants()) {
            return Err(IssuerConfigError::NoAudience(issuer()));
        }
        if self.sign_in.is_some() && !super::is_https(&self.issuer) {
            return Err(IssuerConfigError::SignIn(issuer()));
        }
        if let Some(asked) = &self.introspection {
            self.check_introspection(asked)?;
        }
        if self.algorithms.is_empty() {
            return Err(IssuerConfigError::NoAlgorithm(issuer()));
        }
        if self.leeway > LONGEST_LEEWAY {
            return Err(IssuerConfigError::Leeway(issuer()));
        }
        match &self.profile {
            Profile::Jwt(told_by) if told_by.claim.is_empty() || told_by.equals.is_empty() => {
                Err(IssuerConfigError::EmptyDiscriminator(issuer()))
            }
            Profile::Jwt(_) | Profile::Rfc9068 => Ok(()),
        }
    }

    fn check_introspection(&self, asked: &IntrospectionConfig) -> Result<(), IssuerConfigError> {
        let cause = match &asked.endpoint {
            _ if self.audience.0.is_empty() => "there is no `audience` that tokens could mean",
            Some(url) if !super::is_https(url) => "its endpoint has to be an https URL",
            None if !super::is_https(&self.issuer) => {
                "name its endpoint, as the issuer is no https URL"
            }
            _ if asked.authentication == oidc::ClientAuthentication::None => {
                "nothing would prove who asks"
            }
            _ => return Ok(()),
        };
        let issuer = self.issuer.clone();
        Err(IssuerConfigError::Asking { issuer, cause })
    }
}

/// Whether an issuer can be called so. INVARIANT: no name holds a colon, so that the first one in `name:sub` ends it.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

/// Opaque tokens are asked about in one place.
pub(super) fn check_introspection<'a>(
    configs: impl Iterator<Item = &'a IssuerConfig>,
) -> Result<(), IssuerConfigError> {
    let mut asked = configs.filter(|config| config.introspection.is_some());
    match (asked.next(), asked.next()) {
        (Some(_), Some(other)) => Err(IssuerConfigError::Introspection(other.issuer.clone())),
        _ => Ok(()),
    }
}

/// Each of several that have users has a name, and no two the same.
pub(super) fn check_names<'a>(
    configs: impl Iterator<Item = &'a IssuerConfig> + Clone,
) -> Result<(), IssuerConfigError> {
    let with_users = configs.filter(|config| config.signs.tokens());
    let alone = with_users.clone().count() < 2;
    let mut seen = HashSet::new();
    for config in with_users {
        match &config.name {
            None if alone => {}
            None => return Err(IssuerConfigError::Nameless(config.issuer.clone())),
            Some(name) if seen.insert(name) => {}
            Some(name) => return Err(IssuerConfigError::SameName(name.clone())),
        }
    }
    Ok(())
}
