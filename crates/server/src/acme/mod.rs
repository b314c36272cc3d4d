//! Certificates that get and renew themselves (ACME, RFC 8555): only for the hosts in the configuration, never because a
//! client asks for one.
//!
//! [`renewal`] is the one task behind it. [`schedule`] says when, [`order`] makes an attempt with the account in
//! [`account`], [`wire`] carries it to the authority and bounds what that may say, [`storage`] keeps what came of it, and
//! [`tokens`] and [`Obtained`] answer the authority's challenges. A certificate in use is used as long as it is valid,
//! whatever the authority does.

mod account;
mod order;
mod renewal;
mod schedule;
mod storage;
mod tokens;
mod wire;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ipnet::IpNet;
use parking_lot::RwLock;
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};
use zeroize::Zeroizing;

use self::storage::Draft;
pub use self::{renewal::Renewal, storage::Storage, tokens::Tokens};
use crate::{
    config::{Challenge, load_certificate},
    metrics::Counter,
    outbound::Outbound,
    tls::Obtained,
};

/// What is asked of which authority.
pub struct Settings {
    /// The authority's directory.
    pub directory: String,
    /// `mailto:` addresses.
    pub contact: Vec<String>,
    /// Names in lower case, without repetition.
    pub hosts: Vec<String>,
    /// The folder of keys.
    pub storage: PathBuf,
    /// How hosts are shown to be ours.
    pub challenge: Challenge,
    /// A root for the directory, in PEM, beside the system's.
    pub authority: Option<Vec<u8>>,
    /// An account that the authority knows already.
    pub binding: Option<Binding>,
}

/// An external account (RFC 8555 §7.3.4). It has no `Debug`.
pub struct Binding {
    /// The key's identifier.
    pub kid: String,
    /// The key.
    pub key: Zeroizing<Vec<u8>>,
}

/// From when until when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    begins: SystemTime,
    ends: SystemTime,
}

impl Validity {
    fn lifetime(&self) -> Duration {
        self.ends.duration_since(self.begins).unwrap_or_default()
    }

    fn left(&self, now: SystemTime) -> Duration {
        self.ends.duration_since(now).unwrap_or_default()
    }
}

/// The server's certificate, and everything by which it comes and is renewed.
pub struct Acme {
    settings: Arc<Settings>,
    storage: Storage,
    outbound: Arc<Outbound>,
    /// What clients are shown, and authorities that ask by tls-alpn-01.
    pub tls: Obtained,
    /// What authorities are told that ask by http-01.
    pub tokens: Tokens,
    /// What is counted.
    pub tally: Tally,
    in_use: RwLock<Option<InUse>>,
}

/// What is counted of certificates.
#[derive(Default)]
pub struct Tally {
    /// Certificates obtained.
    pub obtained: Counter,
    /// Attempts that came to nothing.
    pub failed: Counter,
}

/// The certificate that clients are shown.
#[derive(Clone)]
struct InUse {
    validity: Validity,
    leaf: CertificateDer<'static>,
    certified: Arc<CertifiedKey>,
    /// Where in the time for renewal its own is, from 0 to 1.
    chance: f64,
}

impl Acme {
    /// Takes the certificate into use that is kept, if it is valid and for these hosts. `allow` lists networks that are not
    /// public in which the authority may be; `http2` says whether clients are offered that.
    ///
    /// # Errors
    /// The storage cannot be used, or others can read it.
    pub fn open(settings: Arc<Settings>, allow: Vec<IpNet>, http2: bool) -> io::Result<Self> {
        let authorities: Vec<_> = settings.authority.iter().cloned().collect();
        let outbound = Outbound::new(allow, &authorities).map_err(io::Error::other)?;
        let acme = Self {
            storage: Storage::open(&settings.storage, &settings.directory)?,
            outbound: Arc::new(outbound.within(wire::TIME)),
            tls: Obtained::new(http2).map_err(io::Error::other)?,
            tokens: Tokens::default(),
            tally: Tally::default(),
            in_use: RwLock::default(),
            settings,
        };
        if let Some(kept) = acme.storage.certificate()? {
            match acme.judge(&kept) {
                Ok(found) => acme.show(found),
                Err(why) => tracing::warn!(why, "the certificate that is kept is of no use"),
            }
        }
        Ok(acme)
    }

    /// Takes a certificate into use that was obtained, if it is what was asked for.
    fn take(&self, draft: Draft) -> Result<(), String> {
        let judged = self.judge(draft.path())?;
        let kept = draft.keep();
        self.show(judged);
        // It is used all the same: the authority would not give another one so soon.
        kept.map_err(|error| format!("the certificate is in use, but cannot be kept: {error}"))
    }

    /// Reads a certificate, and refuses one that is not valid now, has another key or is not for all of the hosts.
    fn judge(&self, path: &Path) -> Result<InUse, String> {
        let found = load_certificate(path, path).map_err(|faults| {
            let each: Vec<_> = faults.into_iter().map(|fault| fault.message).collect();
            each.join("; ")
        })?;
        let is_named = |host: &String| found.names.iter().any(|it| it.eq_ignore_ascii_case(host));
        if let Some(missing) = self.settings.hosts.iter().find(|host| !is_named(host)) {
            return Err(format!("a certificate that is not for {missing}"));
        }
        let leaf = found.certified.cert.first().cloned();
        let leaf = leaf.ok_or_else(|| "no certificate".to_owned())?;
        let validity = validity(&leaf).ok_or_else(|| "unreadable dates".to_owned())?;
        Ok(InUse {
            validity,
            leaf,
            certified: found.certified,
            chance: chance(),
        })
    }

    fn show(&self, found: InUse) {
        self.tls.use_from_now_on(Some(found.certified.clone()));
        *self.in_use.write() = Some(found);
    }

    /// Shows nobody a certificate that is not valid any more. Whether there was one.
    fn expire(&self, now: SystemTime) -> bool {
        let mut in_use = self.in_use.write();
        let has_ended = in_use.as_ref().is_some_and(|it| it.validity.ends <= now);
        if has_ended {
            *in_use = None;
            self.tls.use_from_now_on(None);
        }
        has_ended
    }

    /// Whether authorities ask on the plain port.
    #[must_use]
    pub fn asks_here(&self) -> bool {
        self.settings.challenge == Challenge::Http01
    }

    /// When the certificate in use ends, in seconds since 1970; none without one.
    #[must_use]
    pub fn ends(&self) -> Option<u64> {
        let in_use = self.in_use.read();
        let ends = in_use.as_ref()?.validity.ends;
        ends.duration_since(UNIX_EPOCH).ok().map(|it| it.as_secs())
    }
}

fn validity(leaf: &CertificateDer<'_>) -> Option<Validity> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let at = |seconds: i64| {
        let seconds = u64::try_from(seconds).ok()?;
        UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    Some(Validity {
        begins: at(leaf.validity().not_before.timestamp())?,
        ends: at(leaf.validity().not_after.timestamp())?,
    })
}

/// A number from 0 to 1. Without randomness, which would be strange, renewal is at the end of its time.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}
