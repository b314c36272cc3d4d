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
    sign::{CertifiedKey, SigningKey},
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};
use zeroize::Zeroizing;

use super::path;
use crate::tls;

/// A certificate that can be used now.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// With its key.
    pub certified: Arc<CertifiedKey>,
    /// The names and addresses it is for.
    pub names: Vec<String>,
}

/// What is wrong with a certificate or its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// With which of them.
    pub part: Part,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Of what a server proves itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The chain.
    Certificate,
    /// The private key.
    Key,
}

/// Reads a certificate chain and its key.
///
/// # Errors
/// Everything that is wrong with them.
pub fn load(cert: &Path, key: &Path) -> Result<Certificate, Vec<Fault>> {
    let mut faults = Vec::new();
    if is_shared(key) {
        faults.push(Fault {
            part: Part::Key,
            message: format!("{} can be read by others", key.display()),
            remedy: "Run `chmod 600` on it; if others had the time to read it, make a new key.",
        });
    }
    let chain = chain(cert).map_err(|fault| faults.push(fault)).ok();
    let signing = signing(key).map_err(|fault| faults.push(fault)).ok();
    let (Some((chain, names)), Some(signing)) = (chain, signing) else {
        return Err(faults);
    };
    let certified = CertifiedKey::new(chain, signing);
    if certified.keys_match().is_err() {
        faults.push(Fault {
            part: Part::Key,
            message: format!("{} is not the key of {}", key.display(), cert.display()),
            remedy: "Name the key with which the certificate was requested.",
        });
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(Certificate {
        certified: Arc::new(certified),
        names,
    })
}

/// Whether a file can be read or written by anybody but its owner.
///
/// systemd lets a service read its credentials by an access control list, whose mask stands in the group's bits: 0440,
/// although no group can read it (systemd.exec(5), `LoadCredential=`).
pub(crate) fn is_shared(path: &Path) -> bool {
    let credentials = path::credentials();
    fs::metadata(path).is_ok_and(|meta| {
        let mode = meta.permissions().mode();
        let is_credential = credentials.is_some() && path.parent() == credentials.as_deref();
        mode & 0o077 != 0 && !(is_credential && mode & 0o777 == 0o440)
    })
}

/// Whether anybody at all can write a file.
pub(super) fn is_anybodys(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o002 != 0)
}

/// Certificates from the leaf upwards, and the leaf's names.
type Chain = (Vec<CertificateDer<'static>>, Vec<String>);

fn chain(path: &Path) -> Result<Chain, Fault> {
    let pem = path::read(path).map_err(|error| unreadable(Part::Certificate, path, &error))?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unreadable(Part::Certificate, path, &error))?;
    let leaf = chain.first().ok_or_else(|| Fault {
        part: Part::Certificate,
        message: format!("{} holds no certificate", path.display()),
        remedy: "Name a PEM file with the server's certificate first.",
    })?;
    let names = judge_leaf(leaf, path)?;
    Ok((chain, names))
}

fn signing(path: &Path) -> Result<Arc<dyn SigningKey>, Fault> {
    let pem = path::read(path).map_err(|error| unreadable(Part::Key, path, &error))?;
    let pem = Zeroizing::new(pem);
    let der =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| unreadable(Part::Key, path, &error))?;
    tls::provider()
        .key_provider
        .load_private_key(der)
        .map_err(|error| Fault {
            part: Part::Key,
            message: format!("{}: {error}", path.display()),
            remedy: "Use an ECDSA P-256, Ed25519 or RSA key in PEM.",
        })
}

fn unreadable(part: Part, path: &Path, error: &dyn std::fmt::Display) -> Fault {
    Fault {
        part,
        message: format!("{}: {error}", path.display()),
        remedy: "Name a PEM file that the server's user can read.",
    }
}

fn judge_leaf(leaf: &CertificateDer<'_>, path: &Path) -> Result<Vec<String>, Fault> {
    let fault = |message, remedy| Fault {
        part: Part::Certificate,
        message,
        remedy,
    };
    let (_, leaf) = X509Certificate::from_der(leaf)
        .map_err(|error| unreadable(Part::Certificate, path, &error))?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let validity = leaf.validity();
    if validity.not_after.timestamp() <= now {
        let end = validity.not_after;
        return Err(fault(
            format!("{} expired at {end}", path.display()),
            "Renew the certificate.",
        ));
    }
    if validity.not_before.timestamp() > now {
        let start = validity.not_before;
        return Err(fault(
            format!("{} is valid from {start} only", path.display()),
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
