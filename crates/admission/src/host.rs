//! Which host a request names, and whether that is ours (RFC 9110 §7.2). What DNS rebinding and misrouted requests fail on.

use std::net::IpAddr;

/// The names this server answers to.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    exact: Vec<Box<str>>,
    /// Without the leading `*.`; one label stands for the star (RFC 9525 §6.3).
    wildcard: Vec<Box<str>>,
}

/// A host name or address as a request names it: lower case, without port, brackets and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(Box<str>);

impl HostName {
    /// Reads `host[:port]` (RFC 9110 §7.2). None if it is malformed.
    #[must_use]
    pub fn parse(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest.split_once(']')?;
                address.parse::<std::net::Ipv6Addr>().ok()?;
                (
                    address,
                    after.strip_prefix(':').or(after.is_empty().then_some("0")),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("0")),
            },
        };
        parse_port(port?)?;
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self(address.to_string().into()));
        }
        let name = host.strip_suffix('.').unwrap_or(host);
        is_name(name).then(|| Self(name.to_ascii_lowercase().into()))
    }

    /// The name or address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Digits only: `parse` alone would take a sign.
pub(crate) fn parse_port(text: &str) -> Option<u16> {
    let digits = text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// Letters, digits, hyphens and underscores in labels of 1 to 63, 253 in all (RFC 1123 §2.1).
pub(crate) fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= 253 && name.split('.').all(label)
}

impl Hosts {
    /// From names, `*.`-names and addresses.
    ///
    /// # Errors
    /// The first that is none of these.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut hosts = Self::default();
        for name in names {
            let (list, bare) = match name.strip_prefix("*.") {
                Some(parent) => (&mut hosts.wildcard, parent),
                None => (&mut hosts.exact, name),
            };
            // An address without brackets is a host name here too; a port is not part of a host.
            let parsed = match bare.parse::<IpAddr>() {
                Ok(address) => Some(HostName(address.to_string().into())),
                Err(_) => HostName::parse(bare).filter(|_| !bare.contains(':')),
            };
            list.push(parsed.ok_or_else(|| name.to_owned())?.0);
        }
        Ok(hosts)
    }

    /// Whether this host is ours.
    #[must_use]
    pub fn holds(&self, host: &HostName) -> bool {
        self.exact.iter().any(|name| **name == *host.0)
            || host.0.split_once('.').is_some_and(|(label, parent)| {
                !label.is_empty() && self.wildcard.iter().any(|name| **name == *parent)
            })
    }

    /// Whether there is any name at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcard.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(authority: &str) -> Option<String> {
        HostName::parse(authority).map(|host| host.as_str().to_owned())
    }

    #[test]
    fn hosts_are_normalised_once() {
        assert_eq!(
            name("App.Example.COM.:8443").as_deref(),
            Some("app.example.com")
        );
        assert_eq!(name("[::1]:443").as_deref(), Some("::1"));
        assert_eq!(name("127.0.0.1").as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn malformed_hosts_are_refused() {
        for host in [
            "", ":80", "a:", "a:+80", "a:b", "a:99999", "a@b", "a b", "[::1", "[x]", "a..b", "a/b",
            "::1", "[::1]x", "a\u{e9}",
        ] {
            assert_eq!(name(host), None, "{host}");
        }
    }

    #[test]
    fn a_name_has_labels_of_63_and_253_bytes_in_all() {
        let label = |length: usize| "a".repeat(length);
        assert!(is_name(&label(63)) && !is_name(&label(64)));
        let long = [label(63), label(63), label(63), label(61)].join(".");
        assert!(is_name(&long) && !is_name(&format!("{long}a")));
    }

    #[test]
    fn one_name_of_either_kind_is_not_none() {
        assert!(Hosts::default().is_empty());
        assert!(!Hosts::new(["localhost"]).unwrap().is_empty());
        assert!(!Hosts::new(["*.example.com"]).unwrap().is_empty());
    }

    #[test]
    fn a_star_stands_for_one_label() {
        let hosts = Hosts::new(["*.example.com", "localhost", "127.0.0.1", "::1"]).unwrap();
        let holds = |host: &str| hosts.holds(&HostName::parse(host).unwrap());
        assert!(
            holds("app.example.com")
                && holds("localhost:1")
                && holds("127.0.0.1")
                && holds("[::1]")
        );
        assert!(!holds("a.b.example.com") && !holds("example.com") && !holds("evil.test"));
        assert!(Hosts::new(["*"]).is_err() && Hosts::new(["a:80"]).is_err());
    }
}
