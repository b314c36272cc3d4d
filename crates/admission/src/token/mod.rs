//! Tokens: JSON Web Tokens of trusted issuers (RFC 7519, RFC 9068), believed only when every question is answered.
//!
//! The order: size, shape and strict JSON; `crit`; which issuer; `alg`; `typ`; the key; the signature; and only then the
//! claims, so that whoever cannot sign learns nothing of what we would accept. Until the signature holds, `iss` selects
//! an issuer and nothing else. Keys come from the issuer's own key set, never from anything that a token names: `jku`,
//! `x5u`, `jwk` and `x5c` are not read at all (RFC 8725 §3.10).
//!
//! What does not look like a JWT is opaque: the one issuer that may be asked about those is ([`introspection`]). Which way a
//! token takes is decided by its look alone ([`is_jwt`]), and it takes no other when that fails.

mod algorithm;
mod application;
mod claims;
mod config;
mod discovery;
mod grant;
mod id_token;
mod introspection;
mod jws;
mod keys;
mod logout;
mod ring;
pub(crate) mod strict;
#[cfg(test)]
pub(crate) mod tests;

pub use self::{
    algorithm::{Algorithm, UnknownAlgorithm},
    application::ForwardAuthConfig,
    config::{
        Audience, Discriminator, IssuerConfig, IssuerConfigError, KeySource, Profile, Signs,
        is_name,
    },
    discovery::location,
    grant::{Grant, Terms},
    introspection::{Introspected, IntrospectionConfig},
    keys::{KeySurvey, survey},
    strict::object as read_object,
};
pub(crate) use self::{
    discovery::is_https,
    id_token::{Answered, Expected},
    introspection::{AGAIN_AT_ONCE, Denied},
};

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use self::{
    claims::{Endless, Rules},
    introspection::{Answer, Ask, Introspection},
    jws::Jws,
    keys::Wanted,
    ring::KeyRing,
};
use crate::{
    clock::{Clock, Timestamp},
    credential::is_b64token,
    fetch::Fetch,
    oidc::{Client, Known},
    presented::{Presented, Selection},
    principal::{Identity, Principal},
    refusal::{Reason, Refusal, Stage},
    revocation::Revocation,
};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// The trusted issuers, by their exact names.
pub struct Issuers {
    issuers: HashMap<Box<str>, Issuer>,
    application: Option<Application>,
    clock: Arc<dyn Clock>,
}

struct Issuer {
    signs: Signs,
    algorithms: Box<[Algorithm]>,
    keys: KeyRing,
    rules: Rules,
    client: Option<Arc<Client>>,
    introspection: Option<Arc<Introspection>>,
}

/// The application whose sessions count.
struct Application {
    config: ForwardAuthConfig,
    asked: Arc<Introspection>,
}

/// A token whose signature holds, by an issuer that is trusted.
struct Proved<'a, 't> {
    name: &'a str,
    issuer: &'a Issuer,
    algorithm: Algorithm,
    claims: Map<String, Value>,
    /// Header and payload as they came.
    signed: &'t str,
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
            application: None,
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
        config::check_introspection(configs.iter().map(|(config, _)| config))?;
        let clock = self.clock.clone();
        let mut issuers = HashMap::with_capacity(configs.len());
        for (config, fetch) in configs {
            config.check()?;
            let name: Box<str> = config.issuer.as_str().into();
            let before = self.issuers.get(&name);
            let settings = config.sign_in.clone();
            let client = settings.map(|it| client(&config.issuer, it, &fetch, before));
            let sign_in = client.as_ref().map(|client| {
                let settings = client.settings();
                (settings.client_id.as_str().into(), settings.lifetime)
            });
            // Answers were judged by the rules before: none is kept.
            let asked = config.introspection.clone();
            let asked = asked.map(|it| Introspection::new(&config.issuer, it, fetch.clone()));
            let issuer = Issuer {
                signs: config.signs,
                introspection: asked.map(Arc::new),
                keys: KeyRing::new(&config, fetch, before.map(|it| &it.keys))?,
                algorithms: config.algorithms.into(),
                client,
                rules: Rules {
                    sign_in,
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
        Ok(Self {
            issuers,
            application: None,
            clock,
        })
    }

    /// And this application, which is asked who its cookies are.
    ///
    /// # Errors
    /// Its users could pass for an issuer's.
    pub fn with_application(
        mut self,
        config: ForwardAuthConfig,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Self, IssuerConfigError> {
        if !is_name(&config.name) {
            return Err(IssuerConfigError::BadName(config.url));
        }
        for (issuer, it) in &self.issuers {
            match &it.rules.name {
                None if !it.signs.tokens() => {}
                None => return Err(IssuerConfigError::Nameless(issuer.to_string())),
                Some(name) if **name == *config.name => {
                    return Err(IssuerConfigError::SameName(config.name));
                }
                Some(_) if **issuer == *config.url => {
                    return Err(IssuerConfigError::Twice(config.url));
                }
                Some(_) => {}
            }
        }
        let asked = Introspection::of_application(config.clone(), fetch);
        self.application = Some(Application {
            config,
            asked: Arc::new(asked),
        });
        Ok(self)
    }

    /// What a request shows to the application.
    pub(crate) fn selection(&self) -> Option<&Selection> {
        self.application.as_ref().map(|it| &it.config.selection)
    }

    /// Whether it is the application that vouches.
    pub(crate) fn is_application(&self, issuer: &str) -> bool {
        let it = self.application.as_ref();
        it.is_some_and(|it| it.config.url == issuer)
    }

    /// Whether anything that this issuer signs is believed.
    #[must_use]
    pub fn trust(&self, issuer: &str) -> bool {
        self.issuers.contains_key(issuer) || self.is_application(issuer)
    }

    /// Whether any issuer may grant.
    #[must_use]
    pub fn grant(&self) -> bool {
        self.issuers.values().any(|it| it.signs.grants())
    }

    /// An issuer that is believed when it says who somebody is.
    fn of_users(&self, name: &str) -> Option<&Issuer> {
        self.issuers.get(name).filter(|it| it.signs.tokens())
    }

    /// Whether somebody who was believed before would be still: their issuer is trusted, means us by the same name, and may
    /// sign for so long.
    ///
    /// # Errors
    /// It is not, means us by another, or may not.
    pub fn vouch(&self, identity: &Identity) -> Result<(), Refusal> {
        if let Some(it) = &self.application
            && *identity.issuer == *it.config.url
        {
            return it.vouch(identity, self.clock.now());
        }
        let Some(issuer) = self.of_users(&identity.issuer) else {
            return Err(refuse(Reason::TokenIssuer).because("trusted no longer"));
        };
        if !issuer.asks_about(identity) {
            return Err(
                refuse(Reason::TokenIssuer).because("asked about opaque tokens otherwise by now")
            );
        }
        let (audience, issued_at) = (&identity.audience, identity.issued_at);
        // Both with the leeway that is granted: what holds for longer than any token could now was granted more.
        match issuer.rules.vouches(audience, issued_at, self.clock.now()) {
            None => Err(refuse(Reason::TokenAudience).because("another audience by now")),
            Some(longest) if identity.expires_at > longest => {
                Err(refuse(Reason::TokenLifetime).because("not for so long by now"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Where browsers sign in: at the issuer of this name, or with this `iss`. Without a name there must be one only.
    pub(crate) fn provider(&self, named: Option<&str>) -> Option<(&str, &Arc<Client>)> {
        let each = self.issuers.iter();
        let clients = each.filter_map(|(iss, it)| Some((&**iss, it, it.client.as_ref()?)));
        let mut fitting = clients.filter(|(iss, it, _)| match named {
            Some(named) => *iss == named || it.rules.name.as_deref() == Some(named),
            None => true,
        });
        match (fitting.next(), fitting.next()) {
            (Some((iss, _, client)), None) => Some((iss, client)),
            _ => None,
        }
    }

    /// Whether browsers sign in at one issuer only, which need not be named.
    #[must_use]
    pub fn has_one_provider(&self) -> bool {
        self.provider(None).is_some()
    }

    /// Whether a provider takes this server for the client that the configuration says: it is asked with a code that nobody has.
    /// None if nobody signs in there.
    pub async fn try_client(&self, issuer: &str) -> Option<Known> {
        let client = self.issuers.get(issuer)?.client.as_ref()?;
        Some(client.try_itself(self.clock.now()).await)
    }

    /// Whether another provider sends browsers back to the same place.
    pub(crate) fn shares_callback(&self, client: &Client) -> bool {
        let callback = &client.settings().callback;
        let each = self.issuers.values().filter_map(|it| it.client.as_ref());
        each.filter(|it| it.settings().callback == *callback)
            .count()
            > 1
    }

    /// Whom a token stands for.
    ///
    /// # Errors
    /// The first question it does not answer. [`Reason::KeysUnavailable`] says that this may change by itself.
    pub async fn verify(&self, token: &str) -> Result<Identity, Refusal> {
        if let (Some(asked), false) = (self.asked(), is_jwt(token)) {
            let identity = self.introspect(asked, token, Ask::IfUnknown).await;
            return identity.map_err(|it| it.refusal);
        }
        let kind = |rules: &Rules, typ: Option<&str>| rules.judge_type(typ);
        let proved = self.prove(token, Signs::tokens, kind).await?;
        let (rules, now) = (&proved.issuer.rules, self.clock.now());
        let mut identity = rules.judge(proved.name, proved.claims, now)?;
        identity
            .token_id
            .get_or_insert_with(|| name_of(proved.signed));
        Ok(identity)
    }

    /// Whom the application's cookies stand for.
    ///
    /// # Errors
    /// [`Reason::SessionUnknown`] if it is nobody, [`Reason::ProviderUnavailable`] if it does not say.
    pub(crate) async fn ask_application(&self, presented: &Presented) -> Result<Identity, Refusal> {
        let identity = self.ask_it(presented, Ask::IfUnknown).await;
        identity.map_err(|it| it.refusal)
    }

    async fn ask_it(&self, presented: &Presented, ask: Ask) -> Result<Identity, Denied> {
        let it = self.application.as_ref();
        let it = it.ok_or_else(|| refuse(Reason::TokenIssuer).because("asked no longer"))?;
        let answer = it.asked.answer(presented.text(), ask, self.clock.now());
        let Answer::Active { claims, asked } = answer.await? else {
            return Err(refuse(Reason::SessionUnknown).into());
        };
        let claims = Arc::unwrap_or_clone(claims);
        let mut identity = application::judge(&it.config, claims, self.clock.now())?;
        identity.introspected = Some(application::standing(presented, asked));
        Ok(identity)
    }

    /// The same of an opaque token, or of the application's cookies, where the issuer is asked whatever it said before.
    ///
    /// # Errors
    /// As above, and [`Reason::ProviderUnavailable`] if the issuer does not answer.
    pub(crate) async fn verify_anew(
        &self,
        issuer: &str,
        token: &Arc<str>,
    ) -> Result<Identity, Denied> {
        if self.is_application(issuer) {
            let presented = Presented::again(token.clone());
            return self.ask_it(&presented, Ask::Anew).await;
        }
        let asked = self.asked();
        let asked = asked.ok_or_else(|| refuse(Reason::TokenIssuer).because("asked no longer"))?;
        self.introspect(asked, token, Ask::Anew).await
    }

    /// Who is asked again about open sockets, and how often.
    pub(crate) fn rechecks(&self) -> Vec<(&str, Duration)> {
        let application = self.application.as_ref();
        let application = application.map(|it| (it.config.url.as_str(), it.config.recheck));
        let issuer = self.asked().and_then(|it| Some((it.0, it.2.recheck()?)));
        application.into_iter().chain(issuer).collect()
    }

    /// Forgets what was said of opaque tokens that are taken back.
    pub(crate) fn forget(&self, revocation: &Revocation) {
        if let Some(it) = &self.application
            && *it.config.url == *revocation.issuer()
        {
            it.asked.forget(revocation);
        }
        let issuer = self.issuers.get(revocation.issuer());
        if let Some(asked) = issuer.and_then(|it| it.introspection.as_ref()) {
            asked.forget(revocation);
        }
    }

    /// The one issuer that is asked about opaque tokens.
    fn asked(&self) -> Option<(&str, &Issuer, &Arc<Introspection>)> {
        let mut each = self.issuers.iter();
        each.find_map(|(name, it)| Some((&**name, it, it.introspection.as_ref()?)))
    }

    async fn introspect(
        &self,
        (name, issuer, asked): (&str, &Issuer, &Arc<Introspection>),
        token: &str,
        ask: Ask,
    ) -> Result<Identity, Denied> {
        if token.len() > LONGEST {
            return Err(refuse(Reason::TokenTooLarge).into());
        }
        if !is_b64token(token) {
            let refusal = refuse(Reason::TokenMalformed);
            return Err(refusal.because("not of a token's characters").into());
        }
        let answer = asked.answer(token, ask, self.clock.now()).await?;
        let Answer::Active { claims, asked: at } = answer else {
            return Err(refuse(Reason::TokenInactive).into());
        };
        let endless = match asked.recheck() {
            Some(_) => Endless::AskedAgain,
            None => Endless::Refused,
        };
        let now = self.clock.now();
        let claims = Arc::unwrap_or_clone(claims);
        let mut identity = issuer.rules.judge_answer(name, claims, now, endless)?;
        identity.token_id.get_or_insert_with(|| name_of(token));
        identity.introspected = Some(Introspected {
            asked: at,
            token: asked.recheck().map(|_| token.into()),
        });
        Ok(identity)
    }

    /// All that is asked before the claims, of an issuer that signs such tokens. `kind` judges the header's `typ`.
    async fn prove<'t>(
        &self,
        token: &'t str,
        such: impl FnOnce(Signs) -> bool,
        kind: impl FnOnce(&Rules, Option<&str>) -> Result<(), Refusal>,
    ) -> Result<Proved<'_, 't>, Refusal> {
        if token.len() > LONGEST {
            return Err(refuse(Reason::TokenTooLarge));
        }
        let jws = Jws::parse(token)?;
        if jws.header.critical {
            return Err(refuse(Reason::TokenCritical));
        }
        let (name, issuer) = self.issuer_of(&jws, such)?;
        let algorithm = issuer.algorithm(&jws)?;
        kind(&issuer.rules, jws.header.typ.as_deref())?;
        let wanted = Wanted {
            id: jws.header.kid.as_deref(),
            algorithm,
        };
        let key = issuer.keys.find(wanted).await?;
        jws.verify(&key, algorithm)?;
        Ok(Proved {
            name,
            issuer,
            algorithm,
            claims: jws.claims,
            signed: jws.signed,
        })
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
            .filter(|(_, issuer)| issuer.signs.tokens())
            .ok_or_else(|| refuse(Reason::TokenIssuer).because(format_args!("{named:?}")))?;
        let name = name.clone();
        let identity = issuer.rules.judge(&name, claims, self.clock.now())?;
        Ok(Supposed(Principal::User(Arc::new(identity))))
    }

    fn issuer_of(
        &self,
        jws: &Jws<'_>,
        such: impl FnOnce(Signs) -> bool,
    ) -> Result<(&str, &Issuer), Refusal> {
        let claimed = jws
            .issuer()
            .ok_or_else(|| refuse(Reason::TokenClaims).because("iss is missing or not a string"))?;
        self.issuers
            .get_key_value(claimed)
            .filter(|(_, issuer)| such(issuer.signs))
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

impl Application {
    /// Whether it would say so still, for so long.
    fn vouch(&self, identity: &Identity, now: Timestamp) -> Result<(), Refusal> {
        if *identity.audience != *self.config.name {
            return Err(refuse(Reason::TokenAudience).because("another name by now"));
        }
        match identity.expires_at > now.after(self.config.lifetime) {
            true => Err(refuse(Reason::TokenLifetime).because("not for so long by now")),
            false => Ok(()),
        }
    }
}

impl Issuer {
    /// Whether it would be asked about this identity's token as it was, and as often as it is by now.
    fn asks_about(&self, identity: &Identity) -> bool {
        match (&identity.introspected, &self.introspection) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(held), Some(asked)) => held.token.is_some() || asked.recheck().is_none(),
        }
    }

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

/// The client as it was before, if it is the same: what it knows of the provider is kept.
fn client(
    issuer: &str,
    settings: crate::oidc::Settings,
    fetch: &Arc<dyn Fetch>,
    before: Option<&Issuer>,
) -> Arc<Client> {
    let before = before.and_then(|it| it.client.as_ref());
    match before.filter(|it| it.is(&settings, fetch)) {
        Some(same) => same.clone(),
        None => Arc::new(Client::new(issuer, settings, fetch.clone())),
    }
}

/// The kind of token that a header's `typ` names, in lower case and without its media type's prefix, which may be left out
/// (RFC 7515 §4.1.9).
fn kind_of(typ: Option<&str>) -> Option<String> {
    let written = typ?.to_ascii_lowercase();
    let kind = written.strip_prefix("application/").unwrap_or(&written);
    Some(kind.to_owned())
}

/// Whether a token is judged as a JWT, by its look: three parts, and a first that can be the base64url of an object, which
/// begins with `{` and then `"` or white space. An encrypted one (JWE) has five.
fn is_jwt(token: &str) -> bool {
    token.matches('.').count() == 2 && (token.starts_with("ey") || token.starts_with("ew"))
}

/// What stands in for a `jti` that is missing, so that every token can be signed out of and no other goes with it. Of what was
/// signed, as the signature itself can be spelled in two ways that both hold (ECDSA); of all of a token that is opaque.
pub(crate) fn name_of(text: &str) -> Box<str> {
    name_of_digest(digest(&SHA256, text.as_bytes()).as_ref())
}

fn name_of_digest(digest: &[u8]) -> Box<str> {
    format!("sha256:{}", URL_SAFE_NO_PAD.encode(digest)).into()
}

/// Of what it is the name, if of anything.
fn digest_of_name(name: &str) -> Option<[u8; 32]> {
    let text = name.strip_prefix("sha256:")?;
    let digest = URL_SAFE_NO_PAD.decode(text).ok()?;
    digest.try_into().ok()
}

fn refuse(reason: Reason) -> Refusal {
    Refusal::new(Stage::Identity, reason)
}
