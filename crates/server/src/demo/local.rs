//! A certificate for localhost, made once and kept in a folder of the user's.
//!
//! It is signed by an authority that may vouch for localhost and the loopback addresses only, and whose key is gone before
//! the certificate is used: whoever trusts the authority trusts this one certificate and nothing else, ever.

use std::{
    env,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    net::{Ipv4Addr, Ipv6Addr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    PKCS_ECDSA_P256_SHA256, SanType, string::Ia5String,
};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};
use zeroize::Zeroize as _;

use crate::config::{Certificate, load_certificate};

/// The authority's certificate, in the data folder. Its key is nowhere.
pub(super) const AUTHORITY: &str = "ca.pem";
const CERTIFICATE: &str = "cert.pem";
const KEY: &str = "key.pem";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// No browser takes a longer one (CA/Browser Forum Baseline Requirements §6.3.2).
const DAYS: u32 = 397;
/// A certificate that ends so soon is made anew.
const RENEW_BEFORE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Where the demo keeps its files by default (XDG Base Directory Specification).
pub(super) fn data_folder() -> io::Result<PathBuf> {
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    let data =
        data.ok_or_else(|| io::Error::other("there is no HOME: name a folder with --data"))?;
    Ok(data.join("wardwire/demo"))
}

/// The certificate in this folder. Made if there is none that will do.
pub(super) fn certificate(folder: &Path) -> io::Result<Certificate> {
    let load = || load_certificate(&folder.join(CERTIFICATE), &folder.join(KEY));
    if let Ok(certificate) = load()
        && lasts(&certificate)
        && folder.join(AUTHORITY).is_file()
    {
        return Ok(certificate);
    }
    make(folder)?;
    let made = Made::now().map_err(io::Error::other)?;
    write(folder, AUTHORITY, &made.authority)?;
    write(folder, KEY, &made.key)?;
    write(folder, CERTIFICATE, &made.certificate)?;
    load().map_err(|faults| {
        let faults = faults
            .iter()
            .map(|it| format!("{}. {}", it.message, it.remedy));
        io::Error::other(faults.collect::<Vec<_>>().join("\n"))
    })
}

fn lasts(certificate: &Certificate) -> bool {
    let leaf = certificate.certified.cert.first();
    let leaf = leaf.and_then(|der| X509Certificate::from_der(der).ok());
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let until = i64::try_from((now + RENEW_BEFORE).as_secs()).unwrap_or(i64::MAX);
    leaf.is_some_and(|(_, leaf)| leaf.validity().not_after.timestamp() > until)
        && certificate.names.iter().any(|name| name == "localhost")
}

/// PEM texts.
struct Made {
    authority: String,
    certificate: String,
    key: String,
}

impl Made {
    /// Makes an authority, has it sign one certificate, and lets go of its key.
    fn now() -> Result<Self, rcgen::Error> {
        let mut authority_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let authority_params = authority()?;
        let authority = authority_params.self_signed(&authority_key)?;
        let issuer = Issuer::from_params(&authority_params, &authority_key);
        let certificate = leaf()?.signed_by(&key, &issuer)?;
        authority_key.zeroize();
        Ok(Self {
            authority: authority.pem(),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn authority() -> Result<CertificateParams, rcgen::Error> {
    let mut params = valid_now()?;
    let made = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // A name of its own, so that two of them in a browser's list are told apart.
    let name = format!("Wardwire demo on this machine, {}", made.as_secs());
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4(Ipv4Addr::LOCALHOST.octets(), [255; 4])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ],
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

fn leaf() -> Result<CertificateParams, rcgen::Error> {
    let mut params = valid_now()?;
    params
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    params.subject_alt_names = vec![
        SanType::DnsName(Ia5String::try_from("localhost")?),
        SanType::IpAddress(Ipv4Addr::LOCALHOST.into()),
        SanType::IpAddress(Ipv6Addr::LOCALHOST.into()),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn valid_now() -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new([])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // An hour back, for a clock that is set.
    let begins = SystemTime::now() - Duration::from_secs(3600);
    params.not_before = begins.into();
    params.not_after = (begins + DAY * DAYS - Duration::from_secs(1)).into();
    Ok(params)
}

/// Writes these files, by name and text, into a folder of the user's own.
pub(super) fn files(folder: &Path, files: &[(&str, &str)]) -> io::Result<()> {
    make(folder)?;
    files
        .iter()
        .try_for_each(|(name, text)| write(folder, name, text))
}

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| explain(folder, &error))
}

/// Writes a file that only its owner can read, whole or not at all.
fn write(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let whole = folder.join(name);
    let partial = folder.join(format!(".{name}.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&partial)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, &whole));
    written.map_err(|error| {
        let _ = fs::remove_file(&partial);
        explain(&whole, &error)
    })
}

fn explain(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

    use rustls::{
        RootCertStore,
        client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    };
    use x509_parser::extensions::GeneralName;

    use super::*;
    use crate::demo::tests::tempfile;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn it_is_made_once_and_readable_by_its_owner_only() {
        let folder = tempfile();
        let first = certificate(&folder).unwrap();
        let again = certificate(&folder).unwrap();
        assert_eq!(first.certified.cert, again.certified.cert);
        assert_eq!(first.names, ["localhost", "127.0.0.1", "::1"]);
        assert_eq!((mode(&folder), mode(&folder.join(KEY))), (0o700, 0o600));
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, [AUTHORITY, CERTIFICATE, KEY]);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn it_is_made_anew_when_it_cannot_be_used() {
        let folder = tempfile();
        let first = certificate(&folder).unwrap();
        for (name, text) in [(KEY, ""), (CERTIFICATE, "nonsense")] {
            fs::write(folder.join(name), text).unwrap();
            let next = certificate(&folder).unwrap();
            assert_ne!(first.certified.cert, next.certified.cert, "{name}");
        }
        fs::remove_file(folder.join(AUTHORITY)).unwrap();
        certificate(&folder).unwrap();
        assert!(folder.join(AUTHORITY).is_file());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn its_authority_may_vouch_for_this_machine_only() {
        let made = Made::now().unwrap();
        let der = CertificateDer::from_pem_slice(made.authority.as_bytes()).unwrap();
        let (_, authority) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(
            authority
                .basic_constraints()
                .unwrap()
                .unwrap()
                .value
                .path_len_constraint,
            Some(0)
        );
        let constraints = authority.name_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.excluded_subtrees.is_none());
        let permitted = constraints.value.permitted_subtrees.as_ref().unwrap();
        let v6 = [Ipv6Addr::LOCALHOST.octets(), [255; 16]].concat();
        let bases: Vec<_> = permitted
            .iter()
            .map(|subtree| subtree.base.clone())
            .collect();
        assert_eq!(
            bases,
            [
                GeneralName::DNSName("localhost"),
                GeneralName::IPAddress(&[127, 0, 0, 1, 255, 255, 255, 255]),
                GeneralName::IPAddress(&v6),
            ]
        );
        let der = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        let (_, leaf) = X509Certificate::from_der(&der).unwrap();
        let days = (leaf.validity().not_after.timestamp() - leaf.validity().not_before.timestamp())
            / 86_400;
        assert!((390..=397).contains(&days));
    }

    #[test]
    fn a_browser_that_trusts_the_authority_takes_its_word_for_this_machine_only() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let params = authority().unwrap();
        let root = params.self_signed(&key).unwrap();
        let issuer = Issuer::from_params(&params, &key);
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), crate::tls::provider())
                .build()
                .unwrap();
        let judge = |leaf: CertificateParams, name: &str| {
            let leaf = leaf.signed_by(&key, &issuer).unwrap();
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(leaf.der(), &[], &name, &[], UnixTime::now())
        };
        for name in ["localhost", "127.0.0.1", "::1"] {
            judge(leaf().unwrap(), name).unwrap();
        }
        for (name, forged) in [
            (
                "bank.example",
                SanType::DnsName("bank.example".try_into().unwrap()),
            ),
            ("127.0.0.2", SanType::IpAddress([127, 0, 0, 2].into())),
            ("192.168.0.1", SanType::IpAddress([192, 168, 0, 1].into())),
        ] {
            let mut params = leaf().unwrap();
            params.subject_alt_names = vec![forged];
            assert!(judge(params, name).is_err(), "{name}");
        }
    }
}
