//! Authorities that certify clients, rightly and wrongly, and take certificates back.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{Server, now, roots};

/// An authority of its own.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A client's certificate and key.
pub(crate) struct Client {
    pub(crate) certificate: CertificateDer<'static>,
    /// Authorities between its own and one that is trusted.
    pub(crate) between: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self::made(name, |_| {})
    }

    pub(crate) fn made(name: &str, spoil: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = authority(name);
        spoil(&mut params);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// An authority below this one, with this serial number.
    pub(crate) fn below(&self, name: &str, serial: u64) -> Self {
        let mut params = authority(name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.as_ref().der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A good certificate for this client, spoilt.
    pub(crate) fn certify(&self, name: &str, spoil: impl FnOnce(&mut CertificateParams)) -> Client {
        let (params, key) = wanted(name, spoil);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Client::of(certificate.der(), &key)
    }

    /// A list of these serial numbers that holds for so many seconds, as PEM.
    pub(crate) fn revoke(&self, serials: &[u64], seconds: u64) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(1970, 1, 1) + Duration::from_secs(now() + seconds),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

impl Client {
    /// One that nobody certified.
    pub(crate) fn self_signed(name: &str) -> Self {
        let (params, key) = wanted(name, |_| {});
        let certificate = params.self_signed(&key).unwrap();
        Self::of(certificate.der(), &key)
    }

    fn of(certificate: &CertificateDer<'static>, key: &KeyPair) -> Self {
        Self {
            certificate: certificate.clone(),
            between: Vec::new(),
            key: PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
        }
    }

    /// The certificate alone.
    pub(crate) fn pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// TLS as this client does it.
    pub(crate) fn tls(
        &self,
        server: &Server,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        self.trusting(roots(server), versions)
    }

    /// The same, where the server's certificate is of other authorities.
    pub(crate) fn trusting(
        &self,
        roots: RootCertStore,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let chain = [std::slice::from_ref(&self.certificate), &self.between].concat();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, self.key.clone_key())
            .unwrap()
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn wanted(name: &str, spoil: impl FnOnce(&mut CertificateParams)) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(0x1234_u64));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    spoil(&mut params);
    (params, KeyPair::generate().unwrap())
}
