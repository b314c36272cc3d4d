//! Client certificates: the authorities that issue them, and what was revoked.

use std::{
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, CertificateRevocationListDer, pem::PemObject as _},
};
use x509_parser::{
    certificate::X509Certificate, prelude::FromDer as _, revocation_list::CertificateRevocationList,
};

use super::{
    certificate::is_anybodys,
    file::ClientCertificates,
    path::{self, FilePath, Folder},
};
use crate::tls::{Demand, Demanding};

/// What is wrong, and at which key below `server.client_certificates`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) key: String,
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

/// What judges clients' certificates.
///
/// # Errors
/// Everything that is wrong with its files.
pub(super) fn verifier(
    wanted: &ClientCertificates,
    folder: &Folder,
) -> Result<Arc<Demanding>, Vec<Fault>> {
    let mut faults = Vec::new();
    let authorities = named(folder, "ca", &wanted.ca)
        .and_then(|path| authorities(&path))
        .unwrap_or_else(|fault| {
            faults.push(fault);
            RootCertStore::empty()
        });
    let mut revoked = Vec::new();
    for (index, file) in wanted.crl.iter().enumerate() {
        let key = format!("crl.{index}");
        match named(folder, &key, file).and_then(|path| lists(&key, &path)) {
            Ok(lists) => revoked.extend(lists),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let demand = Demand {
        authorities,
        revoked,
        names: wanted.names.clone(),
    };
    demand.verifier().map_err(|error| {
        vec![Fault {
            key: "crl".into(),
            message: format!("the revocation lists cannot be used: {error}"),
            remedy: "Have them issued anew by the authority, as RFC 5280 §5 has them.",
        }]
    })
}

fn named(folder: &Folder, key: &str, file: &FilePath) -> Result<std::path::PathBuf, Fault> {
    folder.find(file).map_err(|error| Fault {
        key: key.into(),
        message: error.to_string(),
        remedy: "Start it by systemd, with LoadCredential=NAME:FILE in the unit, or name a file.",
    })
}

/// The text of a file that nobody else can exchange.
fn read(key: &str, path: &Path) -> Result<Vec<u8>, Fault> {
    if is_anybodys(path) {
        return Err(Fault {
            key: key.into(),
            message: format!(
                "{} can be written by everybody, who could let anybody in",
                path.display()
            ),
            remedy: "Run `chmod o-w` on it, and look at what it holds before use.",
        });
    }
    path::read(path).map_err(|error| Fault {
        key: key.into(),
        message: format!("{}: {error}", path.display()),
        remedy: "Name a PEM file that the server's user can read.",
    })
}

fn authorities(path: &Path) -> Result<RootCertStore, Fault> {
    let fault = |message: String, remedy| Fault {
        key: "ca".into(),
        message,
        remedy,
    };
    let pem = read("ca", path)?;
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let unusable = |error: &dyn std::fmt::Display| {
            let message = format!("{}: {error}", path.display());
            fault(
                message,
                "Name a PEM file with the certificates of your authorities.",
            )
        };
        let certificate = certificate.map_err(|error| unusable(&error))?;
        judge_authority(&certificate, path)?;
        store.add(certificate).map_err(|error| unusable(&error))?;
    }
    if store.is_empty() {
        return Err(fault(
            format!("{} holds no certificate", path.display()),
            "Name a PEM file with the certificates of your authorities.",
        ));
    }
    Ok(store)
}

/// A trust anchor's own dates and purpose are asked here and never again (RFC 5280 §6.1.1).
fn judge_authority(der: &CertificateDer<'_>, path: &Path) -> Result<(), Fault> {
    let fault = |message: String, remedy| Fault {
        key: "ca".into(),
        message,
        remedy,
    };
    let (_, parsed) = X509Certificate::from_der(der).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        fault(
            message,
            "Name a PEM file with the certificates of your authorities.",
        )
    })?;
    let subject = parsed.subject().to_string();
    if !parsed.is_ca() {
        return Err(fault(
            format!(
                "{}: {subject:?} is no certificate authority",
                path.display()
            ),
            "Name the authority that issues the clients' certificates, not one of these.",
        ));
    }
    let end = parsed.validity().not_after;
    if end.timestamp() <= now() {
        return Err(fault(
            format!(
                "{}: the authority {subject:?} expired at {end}",
                path.display()
            ),
            "Take it out of the file, and renew it.",
        ));
    }
    Ok(())
}

fn lists(key: &str, path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Fault> {
    let fault = |message: String, remedy| Fault {
        key: key.into(),
        message,
        remedy,
    };
    let pem = read(key, path)?;
    let unusable = |error: &dyn std::fmt::Display| {
        let message = format!("{}: {error}", path.display());
        fault(
            message,
            "Name a PEM file with the authority's revocation list: openssl crl -inform DER -in LIST -out LIST.pem",
        )
    };
    let lists = CertificateRevocationListDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(&error))?;
    if lists.is_empty() {
        return Err(unusable(&"it holds no revocation list"));
    }
    for list in &lists {
        let (_, parsed) =
            CertificateRevocationList::from_der(list).map_err(|error| unusable(&error))?;
        let next = parsed.next_update().map(|it| it.timestamp());
        if next.is_none_or(|next| next <= now()) {
            let issuer = parsed.issuer().to_string();
            return Err(fault(
                format!(
                    "{}: the revocation list of {issuer:?} is out of date: nobody below it could come in",
                    path.display()
                ),
                "Fetch the authority's newest list.",
            ));
        }
    }
    Ok(lists)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}
