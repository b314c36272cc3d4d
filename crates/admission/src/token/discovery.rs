//! Where an issuer says its keys are (OpenID Connect Discovery §4).

use super::strict;
use crate::fetch::{Document, Fetch};

/// Where the document is: a slash at the issuer's end is not doubled (§4.1).
#[must_use]
pub fn location(issuer: &str) -> String {
    let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
    format!("{issuer}/.well-known/openid-configuration")
}

/// Asks the issuer where its keys are.
///
/// # Errors
/// Why that cannot be told, for the audit log.
pub(super) async fn key_location(fetch: &dyn Fetch, issuer: &str) -> Result<String, String> {
    let url = location(issuer);
    let Document { body, .. } = fetch.get(&url).await.map_err(|error| error.to_string())?;
    let document = strict::object(&body).map_err(|cause| format!("{url}: {cause}"))?;
    let member = |name: &str| document.get(name).and_then(|value| value.as_str());
    // §4.3: a document that names somebody else may have been put there by somebody else.
    if member("issuer") != Some(issuer) {
        return Err(format!("{url} names another issuer"));
    }
    match member("jwks_uri") {
        Some(keys) if is_https(keys) => Ok(keys.to_owned()),
        _ => Err(format!("{url} names no https jwks_uri")),
    }
}

/// Whether it is an https URL with a host and without a user or a fragment.
pub(crate) fn is_https(url: &str) -> bool {
    url.parse::<http::Uri>().is_ok_and(|url| {
        url.scheme() == Some(&http::uri::Scheme::HTTPS)
            && url.authority().is_some_and(|authority| {
                !authority.host().is_empty() && !authority.as_str().contains('@')
            })
    }) && !url.contains('#')
}
