//! Client certificates: asked for on a listener of their own, and verified before a byte of HTTP is read.
//!
//! webpki judges the chain up to one of our authorities, its time, its purpose and the revocation lists (RFC 5280 §6, §4.2.1.12);
//! this file asks for one of the names that are listed, and leaves word of what was shown where the connection picks it up:
//! rustls tells of a certificate that it refused only that it did.

use std::{
    cell::Cell,
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use wardwire_admission::{
    certificate::{ClientCertificate, Judge, Thumbprint},
    clock::Timestamp,
};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

thread_local! {
    /// INVARIANT: as with the name in [`sni`](super::sni): the verifier runs inside a call to `process_tls_records`, and
    /// [`take`] follows that call before any other connection runs on the thread.
    static SHOWN: Cell<Option<Arc<ClientCertificate>>> = const { Cell::new(None) };
}

/// The most certificates between a client's and an authority of ours, and the longest chain in bytes. Judged before any is
/// parsed: webpki tries every order of those that name each other as issuers, so that nine of a stranger's own making would
/// hold up a core for half a minute. Real chains have one or two, and some clients send the authority too.
const BETWEEN: usize = 3;
const CHAIN: usize = 16 * 1024;

/// A chain beyond these.
#[derive(Debug)]
struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its chain is longer than any that is taken")
    }
}

impl std::error::Error for TooLong {}

/// What is demanded of a client's certificate.
pub struct Demand {
    /// The authorities of which one must have issued it.
    pub authorities: RootCertStore,
    /// What was revoked. With any, every certificate below an authority must be spoken of by one that is up to date.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
    /// The alternative names of which it must have one. None takes any.
    pub names: Option<Vec<String>>,
}

impl Demand {
    /// Asks every client for such a certificate.
    ///
    /// # Errors
    /// There is no authority, or a revocation list cannot be read.
    pub fn verifier(self) -> Result<Arc<Demanding>, VerifierBuilderError> {
        let provider = super::provider();
        let chain = WebPkiClientVerifier::builder_with_provider(self.authorities.into(), provider)
            // Strangers are not told whom we trust, and a client that has one certificate needs no hint.
            .clear_root_hint_subjects()
            .with_crls(self.revoked)
            // Who holds back the next list would else bring back whom it revokes.
            .enforce_revocation_expiration()
            .build()?;
        let names = self
            .names
            .map(|names| names.iter().map(|name| normal(name)).collect());
        Ok(Arc::new(Demanding {
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            chain,
            names,
        }))
    }
}

/// Of the next demand: no two of a process have one.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Verifies certificates: in handshakes, and again where a reload demands something else.
pub struct Demanding {
    number: u64,
    chain: Arc<dyn ClientCertVerifier>,
    /// As [`normal`] writes them.
    names: Option<Vec<String>>,
}

impl Demanding {
    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
        shown: Option<&Shown>,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, now)?;
        // What cannot be read for the log cannot be answered for.
        let shown = shown.ok_or(CertificateError::BadEncoding)?;
        match &self.names {
            Some(listed) if !shown.has_one_of(listed) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(verified),
        }
    }
}

fn short_enough(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), Error> {
    let sizes = intermediates.iter().map(|it| it.len());
    if intermediates.len() > BETWEEN || sizes.sum::<usize>() + end_entity.len() > CHAIN {
        return Err(CertificateError::Other(OtherError(Arc::new(TooLong))).into());
    }
    Ok(())
}

impl Judge for Demanding {
    fn verifies(&self, certificate: &ClientCertificate) -> bool {
        // Judged when the connection began; to do so at each request would be work for a client to give.
        if certificate.demand == self.number {
            return true;
        }
        let chain = certificate.chain.iter();
        let chain: Vec<CertificateDer<'_>> =
            chain.map(|der| CertificateDer::from(&**der)).collect();
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return false;
        };
        let shown = Shown::read(end_entity, intermediates, self.number);
        let verified = self.verify(end_entity, intermediates, UnixTime::now(), shown.as_ref());
        verified.is_ok()
    }
}

impl ClientCertVerifier for Demanding {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        SHOWN.set(None);
        short_enough(end_entity, intermediates)?;
        let shown = Shown::read(end_entity, intermediates, self.number);
        SHOWN.set(shown.as_ref().map(|it| it.certificate.clone()));
        self.verify(end_entity, intermediates, now, shown.as_ref())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

impl fmt::Debug for Demanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Demanding").finish_non_exhaustive()
    }
}

/// The certificate shown in the handshake that the last call advanced, if that call read one. It is verified once the handshake
/// is over, and not before.
pub(super) fn take() -> Option<Arc<ClientCertificate>> {
    SHOWN.take()
}

/// Why no certificate was taken, if that is what ended a handshake.
pub fn refused(error: &Error) -> Option<String> {
    use CertificateError as Bad;
    let bad = match error {
        Error::NoCertificatesPresented => return Some("none was shown".into()),
        Error::InvalidCertificate(bad) => bad,
        _ => return None,
    };
    let why = match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => "it has expired",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => "it is not valid yet",
        Bad::Revoked => "it was revoked",
        Bad::UnknownIssuer => "no authority of ours issued it",
        Bad::BadSignature => "a signature does not hold: its authority's, or the client's own",
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            "its extended key usage is not clientAuth"
        }
        Bad::UnknownRevocationStatus => "no revocation list of its issuer is there",
        Bad::ExpiredRevocationList | Bad::ExpiredRevocationListContext { .. } => {
            "the revocation list of its issuer is out of date"
        }
        Bad::ApplicationVerificationFailure => "none of its names is listed",
        Bad::UnsupportedSignatureAlgorithmContext { .. } => {
            "it was signed by an algorithm that is not taken"
        }
        Bad::Other(why) => return Some(why.to_string()),
        other => return Some(other.to_string()),
    };
    Some(why.into())
}

/// A certificate as it came, verified or not.
struct Shown {
    certificate: Arc<ClientCertificate>,
    /// As [`normal`] writes them.
    names: Vec<String>,
}

/// The longest text that is kept of a certificate, in bytes, and the most of its names. Escaped, a byte can take six of a line
/// in the audit log.
const TEXT: usize = 128;
const NAMES: usize = 4;
/// The most bytes of a serial number: more than RFC 5280 §4.1.2.2 allows.
const SERIAL: usize = 32;

impl Shown {
    fn read(
        der: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        demand: u64,
    ) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        let names = parsed.subject_alternative_name().ok()?;
        let names = names.map(|names| names.value.general_names.iter().filter_map(name).collect());
        let names: Vec<String> = names.unwrap_or_default();
        let not_after = parsed.validity().not_after.timestamp();
        let serial = parsed.raw_serial();
        let serial = serial.get(..SERIAL).unwrap_or(serial);
        let certificate = ClientCertificate {
            thumbprint: Thumbprint::of(der),
            subject: cut(&parsed.subject().to_string()),
            names: names.iter().take(NAMES).map(|name| cut(name)).collect(),
            serial: serial.iter().map(|byte| format!("{byte:02x}")).collect(),
            expires_at: Timestamp::from_secs(u64::try_from(not_after).unwrap_or_default()),
            chain: std::iter::once(der)
                .chain(intermediates)
                .map(|der| der.as_ref().into())
                .collect(),
            demand,
        };
        Some(Self {
            certificate: Arc::new(certificate),
            names,
        })
    }

    fn has_one_of(&self, listed: &[String]) -> bool {
        self.names.iter().any(|name| listed.contains(name))
    }
}

/// A name, if it looks like its kind: none can pass for one of another, which its authority may give to anybody.
fn name(name: &GeneralName<'_>) -> Option<String> {
    let is_uri = |it: &str| it.contains([':', '/']);
    let is_mail = |it: &str| it.contains('@');
    let is_address = |it: &str| it.parse::<IpAddr>().is_ok();
    match name {
        GeneralName::DNSName(text) if !is_uri(text) && !is_mail(text) && !is_address(text) => {
            Some(normal(text))
        }
        GeneralName::RFC822Name(text) if !is_uri(text) && is_mail(text) => Some(normal(text)),
        GeneralName::URI(text) if is_uri(text) && !is_address(text) => Some(normal(text)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from).ok();
            let address = v4.or_else(|| <[u8; 16]>::try_from(*bytes).map(IpAddr::from).ok());
            address.map(|it| it.to_string())
        }
        _ => None,
    }
}

/// As two of them are compared: case counts in URIs and mail addresses, and in host names not (RFC 5280 §7).
fn normal(name: &str) -> String {
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) if name.contains([':', '/', '@']) => name.to_owned(),
        Err(_) => name.to_ascii_lowercase(),
    }
}

fn cut(text: &str) -> Box<str> {
    let end = text.floor_char_boundary(TEXT);
    text.get(..end).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_kind_of_name_passes_for_another() {
        let dns = ["spiffe://a/b", "a@b.test", "10.0.0.1", "2001:db8::1"].map(GeneralName::DNSName);
        let uri = ["a.test", "a@b.test", "2001:db8::1", "10.0.0.1"].map(GeneralName::URI);
        let mail = ["a.test", "spiffe://a@b", "10.0.0.1"].map(GeneralName::RFC822Name);
        for other in dns.iter().chain(&uri).chain(&mail) {
            assert_eq!(name(other), None, "{other:?}");
        }
        for (own, text) in [
            (GeneralName::DNSName("A.test"), "a.test"),
            (GeneralName::URI("spiffe://A/b"), "spiffe://A/b"),
            (GeneralName::RFC822Name("A@b.test"), "A@b.test"),
            (GeneralName::IPAddress(&[10, 0, 0, 1]), "10.0.0.1"),
        ] {
            assert_eq!(name(&own).as_deref(), Some(text));
        }
    }
}
