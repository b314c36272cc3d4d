//! Tokens: JSON Web Tokens of trusted issuers (RFC 7519, RFC 9068), believed only when every question is answered.
//!
//! The order: size, shape and strict JSON; `crit`; which issuer; `alg`; `typ`; the key; the signature; and only then the
//! claims, so that whoever cannot sign learns nothing of what we would accept. Until the signature holds, `iss` selects
//! an issuer and nothing else. Keys come from the issuer's own key set, never from anything that a token names: `jku`,
//! `x5u`, `jwk` and `x5c` are not read at all (RFC 8725 §3.10).

mod algorithm;
mod claims;
mod config;
mod discovery;
mod jws;
mod keys;
mod ring;
mod strict;
#[cfg(test)]
pub(crate) mod tests;

pub use self::{
    algorithm::{Algorithm, UnknownAlgorithm},
    config::{
        Audience, Discriminator, IssuerConfig, IssuerConfigError, KeySource, Profile, is_name,
    },
};

use std::{collections::HashMap, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use self::{claims::Rules, jws::Jws, keys::Wanted, ring::KeyRing};
use crate::{
    clock::Clock,
    fetch::Fetch,
    principal::{Identity, Principal},
    refusal::{Reason, Refusal, Stage},
};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// The trusted issuers, by their exact names.
pub struct Issuers {
    issuers: HashMap<Box<str>, Issuer>,
    clock: Arc<dyn Clock>,
}

struct Issuer {
    algorithms: Box<[Algorithm]>,
    keys: KeyRing,
    rules: Rules,
}

impl Issuers {
    /// Trusts these. Nothing is fetched before the first token asks for a key.
    ///
    /// # Errors
    /// The first configuration that could let a wrong token in.
    pub fn new(
        configs: Vec<IssuerConfig>,
        fetch: Arc<dyn Fetch>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        let each = configs.into_iter().map(|config| (config, fetch.clone()));
        Self::each(each.collect(), clock)
    }

    /// The same, each with its own way to its keys: what is trusted to fetch those of one issuer is not for another's.
    ///
    /// # Errors
    /// As above.
    pub fn each(
        configs: Vec<(IssuerConfig, Arc<dyn Fetch>)>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IssuerConfigError> {
        let nobody = Self {
            issuers: HashMap::new(),
            clock,
        };
        nobody.succeeded_by(configs)
    }

    /// These in the place of those before. Who is asked for keys at the same place and by the same way as before keeps those
    /// that are held of them.
    ///
    /// # Errors
    /// As above.
    pub fn succeeded_by(
        &self,
        configs: Vec<(IssuerConfig, Arc<dyn Fetch>)>,
    ) -> Result<Self, IssuerConfigError> {
        config::check_names(configs.iter().map(|(config, _)| config))?;
        let clock = self.clock.clone();
        let mut issuers = HashMap::with_capacity(configs.len());
        for (config, fetch) in configs {
            config.check()?;
            let name: Box<str> = config.issuer.as_str().into();
            let before = self.issuers.get(&name).map(|it| &it.keys);
            let issuer = Issuer {
                keys: KeyRing::new(&config, fetch, before)?,
                algorithms: config.algorithms.into(),
                rules: Rules {
                    name: config.name.map(Into::into),
                    audience: config.audience,
                    profile: config.profile,
                    leeway: config.leeway,
                    max_lifetime: config.max_lifetime,
                },
            };
            if issuers.insert(name.clone(), issuer).is_some() {
                return Err(IssuerConfigError::Twice(name.into()));
            }
        }
        Ok(Self { issuers, clock })
    }

    /// Whether tokens of this issuer are believed.
    #[must_use]
    pub fn trust(&self, issuer: &str) -> bool {
        self.issuers.contains_key(issuer)
    }

    /// Whether somebody who was believed before would be still: their issuer is trusted, means us by the same name, and may
    /// sign for so long.
    ///
    /// # Errors
    /// It is not, means us by another, or may not.
    pub fn vouch(&self, identity: &Identity) -> Result<(), Refusal> {
        let Some(issuer) = self.issuers.get(&identity.issuer) else {
            return Err(refuse(Reason::TokenIssuer).because("trusted no longer"));
        };
        if !issuer.rules.audience.contains(&identity.audience) {
            return Err(refuse(Reason::TokenAudience).because("another audience by now"));
        }
        // Both with the leeway that is granted: what holds for longer than any token could now was granted more.
        let longest = issuer.rules.longest(identity.issued_at, self.clock.now());
        if identity.expires_at > longest.after(issuer.rules.leeway) {
            return Err(refuse(Reason::TokenLifetime).because("not for so long by now"));
        }
        Ok(())
    }

    /// Whom a token stands for.
    ///
    /// # Errors
    /// The first question it does not answer. [`Reason::KeysUnavailable`] says that this may change by itself.
    pub async fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        if token.len() > LONGEST {
            return Err(refuse(Reason::TokenTooLarge));
        }
        let jws = Jws::parse(token)?;
        if jws.header.critical {
            return Err(refuse(Reason::TokenCritical));
        }
        let (name, issuer) = self.issuer_of(&jws)?;
        let algorithm = issuer.algorithm(&jws)?;
        issuer.rules.judge_type(jws.header.typ.as_deref())?;
        let wanted = Wanted {
            id: jws.header.kid.as_deref(),
            algorithm,
        };
        let key = issuer.keys.find(wanted).await?;
        jws.verify(&key, algorithm)?;
        let signed = jws.signed;
        let mut identity = issuer.rules.judge(name, jws.claims, self.clock.now())?;
        identity.token_id.get_or_insert_with(|| name_of(signed));
        Ok(identity)
    }

    /// Whom claims would stand for if their issuer had signed them: all that is asked behind the signature. It answers an
    /// operator's question and proves nothing; no handshake comes this way.
    ///
    /// # Errors
    /// What the gate would refuse such a token for.
    pub fn suppose(&self, claims: Map<String, Value>) -> Result<Supposed, Refusal> {
        let named = claims.get("iss").and_then(Value::as_str);
        let (name, issuer) = named
            .and_then(|name| self.issuers.get_key_value(name))
            .ok_or_else(|| refuse(Reason::TokenIssuer).because(format_args!("{named:?}")))?;
        let name = name.clone();
        let identity = issuer.rules.judge(&name, claims, self.clock.now())?;
        Ok(Supposed(Principal::User(Arc::new(identity))))
    }

    fn issuer_of(&self, jws: &Jws<'_>) -> Result<(&str, &Issuer), Refusal> {
        let claimed = jws
            .issuer()
            .ok_or_else(|| refuse(Reason::TokenClaims).because("iss is missing or not a string"))?;
        self.issuers
            .get_key_value(claimed)
            .map(|(name, issuer)| (&**name, issuer))
            .ok_or_else(|| refuse(Reason::TokenIssuer).because(claimed))
    }
}

/// Somebody whom no signature vouches for: to be asked about, never to be admitted. It only lends its [`Principal`],
/// so that nothing that takes an [`Identity`] takes one of these by mistake; whoever clones what is lent means to.
pub struct Supposed(Principal);

impl Supposed {
    /// For asking what somebody like that might do.
    #[must_use]
    pub fn as_principal(&self) -> &Principal {
        &self.0
    }
}

impl Issuer {
    /// The algorithm, by exact name, if this issuer signs by it (RFC 8725 §3.1).
    fn algorithm(&self, jws: &Jws<'_>) -> Result<Algorithm, Refusal> {
        let named = jws.header.alg.as_str();
        self.algorithms
            .iter()
            .copied()
            .find(|allowed| allowed.as_str() == named)
            .ok_or_else(|| refuse(Reason::TokenAlgorithm).because(format_args!("alg {named:?}")))
    }
}

/// What stands in for a `jti` that is missing, so that every token can be signed out of and no other goes with it. Of what was
/// signed, as the signature itself can be spelled in two ways that both hold (ECDSA).
fn name_of(signed: &str) -> Box<str> {
    let digest = digest(&SHA256, signed.as_bytes());
    format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest)).into()
}

fn refuse(reason: Reason) -> Refusal {
    Refusal::new(Stage::Identity, reason)
}
