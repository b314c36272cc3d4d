//! Several certificates, each for names of its own.

use std::collections::HashSet;

use super::Certificate;
use crate::tls::ByName;

/// What the server proves itself with. There is always one.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// For clients that name no host, or one that no other is for.
    pub first: Certificate,
    /// The others, in the file's order.
    pub more: Vec<Certificate>,
}

impl Certificates {
    /// All of them, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The names and addresses that they are for, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        let all = self.iter().flat_map(|it| &it.names);
        all.map(String::as_str).filter(move |it| seen.insert(*it))
    }
}

impl Certificate {
    /// A name that another certificate is for too, with a key of the same kind, so that nobody could tell which to show.
    /// Addresses are no such names: no client asks by one (RFC 6066 §3).
    pub(super) fn clash(&self, other: &Self) -> Option<&str> {
        let kind = |it: &Self| it.certified.key.algorithm();
        if kind(self) != kind(other) {
            return None;
        }
        let asked = |name: &&String| name.parse::<std::net::IpAddr>().is_err();
        let theirs = |name: &&String| other.names.iter().any(|it| it.eq_ignore_ascii_case(name));
        let mut names = self.names.iter().filter(asked);
        names.find(theirs).map(String::as_str)
    }
}

impl From<Certificate> for Certificates {
    fn from(first: Certificate) -> Self {
        Self {
            first,
            more: Vec::new(),
        }
    }
}

impl From<&Certificates> for ByName {
    fn from(certificates: &Certificates) -> Self {
        let mut by_name = Self::from(certificates.first.certified.clone());
        for certificate in certificates.iter() {
            let names = certificate.names.iter().map(String::as_str);
            by_name.add(certificate.certified.clone(), names);
        }
        by_name
    }
}
