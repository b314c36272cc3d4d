//! The server's certificate: read, matched with its key, and asked which hosts it is for.

use std::{
    fs,
    net::IpAddr,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use crate::tls;

/// A certificate that can be used now.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// With its key.
    pub certified: Arc<CertifiedKey>,
    /// The names and addresses it is for.
    pub names: Vec<String>,
}

/// Reads a certificate chain and its key.
///
/// # Errors
/// What is wrong, and what to do.
pub fn load(cert: &Path, key: &Path) -> Result<Certificate, (String, &'static str)> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(cert, &error))?;
    let leaf = chain.first().ok_or((
        format!("{} holds no certificate", cert.display()),
        "Name a PEM file with the server's certificate first.",
    ))?;
    let names = judge_leaf(leaf, cert)?;
    if is_shared(key) {
        return Err((
            format!("{} can be read by others", key.display()),
            "Run `chmod 600` on it; if others had the time to read it, make a new key.",
        ));
    }
    let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    let signing = tls::provider()
        .key_provider
        .load_private_key(key_der)
        .map_err(|error| {
            (
                format!("{}: {error}", key.display()),
                "Use an ECDSA P-256, Ed25519 or RSA key in PEM.",
            )
        })?;
    let certified = CertifiedKey::new(chain, signing);
    certified.keys_match().map_err(|_| {
        (
            format!("{} is not the key of {}", key.display(), cert.display()),
            "Name the key with which the certificate was requested.",
        )
    })?;
    Ok(Certificate {
        certified: Arc::new(certified),
        names,
    })
}

/// Whether a file can be read or written by anybody but its owner.
pub(super) fn is_shared(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> (String, &'static str) {
    (
        format!("{}: {error}", path.display()),
        "Name a PEM file that the server's user can read.",
    )
}

fn judge_leaf(
    leaf: &CertificateDer<'_>,
    path: &Path,
) -> Result<Vec<String>, (String, &'static str)> {
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|error| unreadable(path, &error))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let validity = leaf.validity();
    if validity.not_after.timestamp() <= now {
        let end = validity.not_after;
        return Err((
            format!("{} expired at {end}", path.display()),
            "Renew the certificate.",
        ));
    }
    if validity.not_before.timestamp() > now {
        return Err((
            format!(
                "{} is valid from {} only",
                path.display(),
                validity.not_before
            ),
            "Set the machine's clock, or wait.",
        ));
    }
    let names = leaf.subject_alternative_name().ok().flatten();
    let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
    Ok(names.unwrap_or_default())
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from).ok();
    v4.or_else(|| <[u8; 16]>::try_from(bytes).map(IpAddr::from).ok())
}
