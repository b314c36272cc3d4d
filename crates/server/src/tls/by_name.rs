//! Which certificate a client is shown: the one for the name it asks for (RFC 6066 §3).

use std::{collections::HashMap, sync::Arc};

use rustls::{SignatureScheme, server::ClientHello, sign::CertifiedKey};

/// Certificates by the names they are for.
pub struct ByName {
    /// For clients that name no host, or one that no other is for: their request is then refused as misdirected.
    first: Arc<CertifiedKey>,
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// By what stands behind the star, which is one label (RFC 9525 §6.3).
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
}

impl From<Arc<CertifiedKey>> for ByName {
    fn from(only: Arc<CertifiedKey>) -> Self {
        Self {
            first: only,
            exact: HashMap::new(),
            wildcard: HashMap::new(),
        }
    }
}

impl ByName {
    /// Adds one that is for these names. Several for one name are told apart by what a client can verify.
    pub fn add<'a>(
        &mut self,
        certified: Arc<CertifiedKey>,
        names: impl IntoIterator<Item = &'a str>,
    ) {
        for name in names {
            let (names, name) = match name.strip_prefix("*.") {
                Some(parent) => (&mut self.wildcard, parent),
                None => (&mut self.exact, name),
            };
            let of_name = names.entry(name.to_ascii_lowercase().into()).or_default();
            of_name.push(certified.clone());
        }
    }

    pub(super) fn choose(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // rustls has it in lower case, without a dot at the end.
        let named = hello.server_name().map(|name| self.of_name(name));
        Some(
            choose(
                named.unwrap_or_default(),
                hello.signature_schemes(),
                &self.first,
            )
            .clone(),
        )
    }

    /// Those for an exact name, or else those for a star in the place of its first label.
    fn of_name(&self, name: &str) -> &[Arc<CertifiedKey>] {
        let parent = || name.split_once('.').map(|(_, parent)| parent);
        let exact = self.exact.get(name);
        let found = exact.or_else(|| self.wildcard.get(parent()?));
        found.map(Vec::as_slice).unwrap_or_default()
    }
}

/// The first that can sign as the client asks; if none can, any, and TLS is not agreed.
fn choose<'a>(
    of_name: &'a [Arc<CertifiedKey>],
    schemes: &[SignatureScheme],
    otherwise: &'a Arc<CertifiedKey>,
) -> &'a Arc<CertifiedKey> {
    let can_sign = |it: &&Arc<CertifiedKey>| it.key.choose_scheme(schemes).is_some();
    let able = of_name.iter().find(can_sign);
    able.or(of_name.first()).unwrap_or(otherwise)
}
