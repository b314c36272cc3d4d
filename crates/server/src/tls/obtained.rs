//! A certificate that is obtained and renewed while the server runs, and the answers to tls-alpn-01 challenges (RFC 8737)
//! by which an authority sees whose hosts these are.
//!
//! Until there is a certificate nobody else gets further than an alert: no certificate is made up in its place, which would
//! teach users to click warnings away.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::RwLock;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
};

use super::{protocols, settings, sni};

/// ALPN's name of a challenge (RFC 8737 §6.2).
pub(super) const CHALLENGE: &[u8] = b"acme-tls/1";

/// The certificate in use, if there is one, and TLS settings that follow it.
pub struct Obtained {
    current: Arc<Current>,
    challenges: Arc<Challenges>,
    /// For clients.
    plain: Arc<ServerConfig>,
    /// For clients, and for authorities that have a question.
    questioned: Arc<ServerConfig>,
}

impl Obtained {
    /// With no certificate yet, and no challenge. Clients are offered HTTP/2 only where that is wanted.
    ///
    /// # Errors
    /// As [`server_config`](super::server_config).
    pub fn new(http2: bool) -> Result<Self, rustls::Error> {
        let current = Arc::new(Current::default());
        let challenges = Arc::new(Challenges::default());
        let both = Both {
            current: current.clone(),
            challenges: challenges.clone(),
        };
        let nobody = WebPkiClientVerifier::no_client_auth();
        Ok(Self {
            plain: settings(current.clone(), nobody.clone(), protocols(http2))?,
            questioned: settings(
                Arc::new(both),
                nobody,
                &[protocols(http2), &[CHALLENGE]].concat(),
            )?,
            current,
            challenges,
        })
    }

    /// The settings for clients alone, whatever is awaited. They follow the certificate too.
    #[must_use]
    pub fn for_clients(&self) -> &Arc<ServerConfig> {
        &self.plain
    }

    /// The settings for a connection that comes now. [`CHALLENGE`] is offered only while an answer is awaited.
    #[must_use]
    pub fn settings(&self) -> Arc<ServerConfig> {
        match self.challenges.0.read().is_empty() {
            true => self.plain.clone(),
            false => self.questioned.clone(),
        }
    }

    /// Shows this certificate to whoever comes from now on, or none. Sockets that are open keep the keys that they agreed on.
    pub fn use_from_now_on(&self, certified: Option<Arc<CertifiedKey>>) {
        *self.current.0.write() = certified;
    }

    /// Whether there is a certificate to serve clients with.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.current.0.read().is_some()
    }

    /// The challenges that are posed.
    #[must_use]
    pub fn challenges(&self) -> &Arc<Challenges> {
        &self.challenges
    }
}

/// The certificate for clients.
#[derive(Default)]
struct Current(RwLock<Option<Arc<CertifiedKey>>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        sni::note(&hello);
        self.0.read().clone()
    }
}

/// The answers that an authority may ask for now, by host in lower case.
#[derive(Default)]
pub struct Challenges(RwLock<HashMap<Box<str>, Arc<CertifiedKey>>>);

impl Challenges {
    /// Answers for this host until what is returned is dropped.
    #[must_use]
    pub fn pose(self: &Arc<Self>, host: &str, answer: Arc<CertifiedKey>) -> Posed {
        self.0.write().insert(host.into(), answer);
        Posed {
            challenges: self.clone(),
            host: host.into(),
        }
    }

    fn answer(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = hello.server_name()?.to_ascii_lowercase();
        self.0.read().get(&*host).cloned()
    }
}

/// A challenge that is answered as long as this lives.
pub struct Posed {
    challenges: Arc<Challenges>,
    host: Box<str>,
}

impl Drop for Posed {
    fn drop(&mut self) {
        self.challenges.0.write().remove(&self.host);
    }
}

/// What is shown while challenges are posed: whoever offers [`CHALLENGE`] gets the answer for its host or an alert, never
/// the certificate for clients, and nobody else gets the answer.
struct Both {
    current: Arc<Current>,
    challenges: Arc<Challenges>,
}

impl ResolvesServerCert for Both {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offered: Vec<&[u8]> = hello.alpn().into_iter().flatten().collect();
        match &*offered {
            // RFC 8737 §3: it is the only protocol that is offered.
            [CHALLENGE] => self.challenges.answer(&hello),
            several if several.contains(&CHALLENGE) => None,
            _ => self.current.resolve(hello),
        }
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Current").finish_non_exhaustive()
    }
}

impl fmt::Debug for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Both").finish_non_exhaustive()
    }
}
