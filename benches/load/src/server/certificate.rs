//! The certificate of a run: ECDSA P-256, signed by an authority that is thrown away, the same for every server.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;

use crate::Failure;

pub(crate) struct Certificate {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) leaf: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &ca)?;
        Ok(Self {
            chain: leaf.pem(),
            key: key.serialize_pem(),
            leaf: leaf.der().clone(),
        })
    }

    /// Writes `cert.pem` and `key.pem`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        fs::write(folder.join("cert.pem"), &self.chain)?;
        private(&folder.join("key.pem"), &self.key)
    }
}

/// Writes a file that only its owner may read.
pub(crate) fn private(path: &Path, content: &str) -> Result<(), Failure> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    Ok(options.open(path)?.write_all(content.as_bytes())?)
}
