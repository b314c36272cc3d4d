//! The issuers, as admission knows them: to be asked by the gate, by nobody, or by an operator.

use std::{io, sync::Arc};

use wardwire_admission::{
    clock::SystemClock,
    fetch::{Fetch, Nowhere},
    token::{
        Algorithm, Audience, Discriminator, IssuerConfig, Issuers, KeySource,
        Profile as TokenProfile, Signs,
    },
};

use crate::{
    config::{
        Config, Folder,
        file::{self, Profile},
        forward_auth, path, sign_in,
    },
    outbound::Ways,
};

/// Each issuer with its way out. A root of its own is trusted for its own keys only, and then no other is.
pub(super) fn issuers(
    config: &Config,
    extra: Vec<IssuerConfig>,
    ways: &mut Ways,
    before: &Ways,
) -> io::Result<Vec<(IssuerConfig, Arc<dyn Fetch>)>> {
    let allow = &config.file.outbound.allow;
    let public = ways.open(allow, None, before)?;
    let mut issuers: Vec<_> = extra.into_iter().map(|it| (it, public.clone())).collect();
    for issuer in &config.file.issuer {
        let way = match &issuer.ca {
            Some(ca) => ways.open(allow, Some(path::read(&config.folder.find(ca)?)?), before)?,
            None => public.clone(),
        };
        issuers.push((self::issuer(issuer, &config.folder)?, way));
    }
    Ok(issuers)
}

pub(in crate::config) fn issuer(
    issuer: &file::Issuer,
    folder: &Folder,
) -> io::Result<IssuerConfig> {
    let keys = match (&issuer.jwks_url, &issuer.jwks_file) {
        (Some(url), _) => KeySource::Url(url.clone()),
        (None, Some(file)) => KeySource::Static(path::read(&folder.find(file)?)?),
        (None, None) => KeySource::Discovery,
    };
    let profile = match (issuer.profile, &issuer.discriminator) {
        (Profile::Jwt, Some(it)) => TokenProfile::Jwt(Discriminator {
            claim: it.claim.clone(),
            equals: it.equals.clone(),
        }),
        (Profile::Jwt, None) => {
            return Err(io::Error::other("profile \"jwt\" without a discriminator"));
        }
        (Profile::Rfc9068, _) => TokenProfile::Rfc9068,
    };
    let named: Vec<Algorithm> = issuer
        .algorithms
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect();
    Ok(IssuerConfig {
        issuer: issuer.issuer.clone(),
        name: issuer.name.clone(),
        signs: signs(issuer),
        // Nothing in it where browsers only sign in there.
        audience: Audience::new([issuer.audience.as_str()]),
        profile,
        algorithms: if named.is_empty() {
            Algorithm::ALL.to_vec()
        } else {
            named
        },
        keys,
        leeway: issuer.leeway.0,
        max_lifetime: issuer.max_token_lifetime.0,
        sign_in: match &issuer.sign_in {
            Some(it) => Some(sign_in::settings(it, folder)?),
            None => None,
        },
        introspection: match &issuer.introspection {
            Some(it) => Some(sign_in::introspection(it, folder)?),
            None => None,
        },
    })
}

fn signs(issuer: &file::Issuer) -> Signs {
    match (issuer.has_users(), issuer.grants()) {
        (_, false) => Signs::Tokens,
        (true, true) => Signs::Both,
        (false, true) => Signs::Grants,
    }
}

pub(super) fn with_application(
    issuers: Issuers,
    config: &Config,
    ways: &mut Ways,
    before: &Ways,
) -> io::Result<Issuers> {
    match forward_auth::settings(config, ways, before)? {
        Some((application, fetch)) => issuers
            .with_application(application, fetch)
            .map_err(io::Error::other),
        None => Ok(issuers),
    }
}

/// The issuers, of whom no key is ever fetched: for asking what a token's claims would do.
///
/// # Errors
/// A file that was there a moment ago is gone.
pub fn supposed(config: &Config) -> io::Result<Issuers> {
    let each = config.file.issuer.iter();
    let configs: io::Result<Vec<_>> = each.map(|it| issuer(it, &config.folder)).collect();
    Issuers::new(configs?, Arc::new(Nowhere), Arc::new(SystemClock)).map_err(io::Error::other)
}

/// The issuers, each with its own way out: for asking them what they would answer.
///
/// # Errors
/// A file that was there a moment ago is gone.
pub fn reachable(config: &Config) -> io::Result<Issuers> {
    let each = issuers(config, Vec::new(), &mut Ways::default(), &Ways::default())?;
    Issuers::each(each, Arc::new(SystemClock)).map_err(io::Error::other)
}
