//! One attempt: the account, an order for the hosts, the authority's challenges, and a certificate that is what was asked
//! for (RFC 8555 §7).

use std::{sync::Arc, time::Duration};

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier, ChallengeHandle,
    ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256,
};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use super::{Acme, account, storage::Draft, tokens, wire::Wire};
use crate::{
    config::Challenge,
    tls::{self, Posed},
};

/// How the authority is asked whether it has decided: after a quarter of a second, then ever more rarely.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.6)
    .timeout(Duration::from_secs(90));
/// Certificates in a chain: more than any authority sends.
const CHAIN: usize = 10;
/// The longest chain, in bytes of PEM: every client is sent all of it, and many take no more.
const CHAIN_BYTES: usize = 64 * 1024;
/// RFC 8555 §6.7: it does not know the account.
const UNKNOWN: &str = "urn:ietf:params:acme:error:accountDoesNotExist";
/// `alreadyReplaced` (RFC 9773 §7.4): the order is as good without naming what it replaces.
const REPLACED: &str = "urn:ietf:params:acme:error:alreadyReplaced";

/// Why an attempt came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unobtained {
    /// The authority refused, could not be reached, or spoke nonsense.
    #[error("{0}")]
    Authority(#[from] Error),
    /// It refused a host.
    #[error("{host}: {why}")]
    Host { host: String, why: String },
    /// What it sent is not what was asked for.
    #[error("the authority sent {0}")]
    Unasked(String),
    /// Nothing of the authority's.
    #[error("{0}")]
    Own(String),
}

/// Makes an order, and answers for it. What comes back is a draft: judged by whoever takes it into use.
pub(super) async fn obtain(
    acme: &Acme,
    wire: &Wire,
    replaces: Option<CertificateIdentifier<'static>>,
) -> Result<Draft, Unobtained> {
    let hosts = acme.settings.hosts.iter();
    let identifiers: Vec<_> = hosts.map(|host| Identifier::Dns(host.clone())).collect();
    let account = account::enter(acme, wire).await?;
    let mut order = match place(&account, &identifiers, replaces).await {
        Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(UNKNOWN) => {
            let account = account::anew(acme, wire).await?;
            place(&account, &identifiers, None).await?
        }
        outcome => outcome?,
    };
    decided(acme, &mut order).await?;
    finish(acme, &mut order).await
}

/// Answers the authority's challenges, and waits for its decision about every host.
async fn decided(acme: &Acme, order: &mut Order) -> Result<(), Unobtained> {
    let answers = pose(acme, order).await;
    let decision = match &answers {
        Ok(_) => order.poll_ready(&POLLS).await,
        Err(_) => Ok(OrderStatus::Invalid),
    };
    if let Ok(OrderStatus::Ready) = decision {
        return Ok(());
    }
    // The authorizations know better than the order which host it was, and why.
    let why = refused(order).await.or(answers.err());
    let why = why.or(decision.err().map(Unobtained::from));
    Err(why.unwrap_or_else(|| Unobtained::Unasked("a refusal without a reason".into())))
}

async fn place(
    account: &Account,
    identifiers: &[Identifier],
    replaces: Option<CertificateIdentifier<'_>>,
) -> Result<Order, Error> {
    let plain = NewOrder::new(identifiers);
    let Some(replaces) = replaces else {
        return account.new_order(&plain).await;
    };
    match account
        .new_order(&NewOrder::new(identifiers).replaces(replaces))
        .await
    {
        // It knows no such thing, or has forgotten what it said.
        Err(Error::Unsupported(_) | Error::Other(_)) => account.new_order(&plain).await,
        Err(Error::Api(problem)) if problem.r#type.as_deref() == Some(REPLACED) => {
            account.new_order(&plain).await
        }
        outcome => outcome,
    }
}

/// Answers that the authority may come for, until this is dropped.
enum Answer {
    Tls { _posed: Posed },
    Http { _posed: tokens::Posed },
}

/// Gets every answer ready and then says so.
async fn pose(acme: &Acme, order: &mut Order) -> Result<Vec<Answer>, Unobtained> {
    let mut answers = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        let host = ours(acme, &authorization)?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            other => {
                let why = format!("the authority's decision is there already: {other:?}");
                return Err(Unobtained::Host { host, why });
            }
        }
        let wanted = match acme.settings.challenge {
            Challenge::TlsAlpn01 => ChallengeType::TlsAlpn01,
            Challenge::Http01 => ChallengeType::Http01,
        };
        let Some(mut challenge) = authorization.challenge(wanted) else {
            let why = "the authority offers other challenges than server.acme.challenge".into();
            return Err(Unobtained::Host { host, why });
        };
        answers.push(answer(acme, &host, &challenge)?);
        challenge.set_ready().await?;
    }
    Ok(answers)
}

/// The host of an authorization, if it is one that was asked for: the authority chooses nothing.
fn ours(acme: &Acme, authorization: &AuthorizationHandle<'_>) -> Result<String, Unobtained> {
    let named = authorization.identifier();
    match named.identifier {
        Identifier::Dns(host) if !named.wildcard && acme.settings.hosts.contains(host) => {
            Ok(host.clone())
        }
        _ => Err(Unobtained::Unasked(format!("an authorization for {named}"))),
    }
}

fn answer(acme: &Acme, host: &str, challenge: &ChallengeHandle<'_>) -> Result<Answer, Unobtained> {
    let authorization = challenge.key_authorization();
    match acme.settings.challenge {
        Challenge::TlsAlpn01 => {
            let digest = authorization.digest();
            let shown = shown(host, digest.as_ref()).map_err(Unobtained::Own)?;
            let challenges = acme.tls.challenges();
            let _posed = challenges.pose(host, Arc::new(shown));
            Ok(Answer::Tls { _posed })
        }
        Challenge::Http01 => {
            let posed = acme.tokens.pose(&challenge.token, authorization.as_str());
            let posed = posed.ok_or_else(|| Unobtained::Unasked("a token that is none".into()))?;
            Ok(Answer::Http { _posed: posed })
        }
    }
}

/// The certificate that answers a tls-alpn-01 challenge (RFC 8737 §3): it is for the host alone, and holds the digest.
fn shown(host: &str, digest: &[u8]) -> Result<CertifiedKey, String> {
    let explain = |error: rcgen::Error| error.to_string();
    let mut params = CertificateParams::new([host.to_owned()]).map_err(explain)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(explain)?;
    let certificate = params.self_signed(&key).map_err(explain)?;
    let der = PrivateKeyDer::try_from(key.serialize_der()).map_err(ToOwned::to_owned)?;
    let provider = tls::provider().key_provider;
    let key = provider.load_private_key(der);
    let key = key.map_err(|error| error.to_string())?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// Which host was refused, and why.
async fn refused(order: &mut Order) -> Option<Unobtained> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.ok()?;
        authorization.refresh().await.ok()?;
        let why = authorization
            .challenges
            .iter()
            .find_map(|it| it.error.as_ref());
        if let Some(why) = why {
            return Some(Unobtained::Host {
                host: authorization.identifier().to_string(),
                why: why.to_string(),
            });
        }
    }
    None
}

/// Has a new key certified. Each certificate has one of its own.
async fn finish(acme: &Acme, order: &mut Order) -> Result<Draft, Unobtained> {
    let own = |error: rcgen::Error| Unobtained::Own(error.to_string());
    let mut params = CertificateParams::new(acme.settings.hosts.clone()).map_err(own)?;
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(own)?;
    let request = params.serialize_request(&key).map_err(own)?;
    order.finalize_csr(request.der()).await?;
    let chain = order.poll_certificate(&POLLS).await?;
    if chain.len() > CHAIN_BYTES {
        let what = format!("a chain of more than {CHAIN_BYTES} bytes");
        return Err(Unobtained::Unasked(what));
    }
    let certificates = CertificateDer::pem_slice_iter(chain.as_bytes());
    if certificates.take(CHAIN + 1).count() > CHAIN {
        return Err(Unobtained::Unasked(format!(
            "more than {CHAIN} certificates"
        )));
    }
    let key = Zeroizing::new(key.serialize_pem());
    let draft = acme.storage.draft(&key, &chain);
    draft.map_err(|error| Unobtained::Own(format!("the certificate cannot be kept: {error}")))
}
