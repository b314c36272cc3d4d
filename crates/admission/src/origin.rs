//! Which page a request comes from (RFC 6454), and whether it may come (RFC 6455 §10.2).

use std::{fmt, net::IpAddr};

use crate::host::{HostName, parse_port};

/// A serialised origin, normalised: scheme and host in lower case, no trailing dot, no default port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Box<str>);

impl Origin {
    /// Reads `scheme://host[:port]` (RFC 6454 §6.2). `null`, lists, paths, userinfo and wildcards are no origins.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let default = match &*scheme {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let port_at = authority.rfind(':').filter(|_| !authority.ends_with(']'));
        let port = match port_at {
            Some(at) => parse_port(authority.get(at + 1..)?).filter(|&port| port > 0)?,
            None => default,
        };
        let host = HostName::parse(authority)?;
        let host = match host.as_str().parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.as_str().to_owned(),
        };
        let origin = if port == default {
            format!("{scheme}://{host}")
        } else {
            format!("{scheme}://{host}:{port}")
        };
        Some(Self(origin.into()))
    }

    /// As a browser writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the page was itself fetched over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// The host, without the port; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        let authority = self
            .0
            .split_once("://")
            .map_or("", |(_, authority)| authority);
        match authority.rsplit_once(':') {
            // A colon inside brackets belongs to the address.
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The pages that may reach this server.
#[derive(Clone, Debug)]
pub enum AllowedOrigins {
    /// Exactly these.
    Listed(Vec<Origin>),
    /// Every page: the explicit override for development.
    Any,
}

impl AllowedOrigins {
    /// Whether a page of this origin may come.
    #[must_use]
    pub fn allow(&self, origin: &Origin) -> bool {
        match self {
            Self::Listed(listed) => listed.contains(origin),
            Self::Any => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(text: &str) -> bool {
        let listed = vec![Origin::parse("https://app.example").unwrap()];
        Origin::parse(text).is_some_and(|origin| AllowedOrigins::Listed(listed).allow(&origin))
    }

    #[test]
    fn only_the_very_origin_is_allowed() {
        assert!(allowed("https://app.example"));
        assert!(
            allowed("HTTPS://App.Example.:443"),
            "normalised before comparison"
        );
        for other in [
            "null",
            "",
            "*",
            "https://*",
            "http://app.example",
            "https://app.example:8443",
            "https://app.example.evil.test",
            "https://evilapp.example",
            "https://sub.app.example",
            "https://app.example/",
            "https://user@app.example",
            "https://app.example https://evil.test",
            "https://xn--pp-eka.example",
            "https://app.example:0",
            "https://app.example:+443",
            "https://app.example:",
            "//app.example",
            "https://app.example\\@evil.test",
            "file://",
            "https://",
        ] {
            assert!(!allowed(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_origin_is_not_read_as_another() {
        for text in [
            "null",
            "https://app.example:0",
            "https://app.example:",
            "https://app.example:65536",
            "https://app.example/",
            "wss://app.example",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_page_that_came_over_tls_is_secure() {
        let origin = |text| Origin::parse(text).unwrap();
        assert!(origin("https://app.example").is_secure());
        assert!(!origin("http://app.example").is_secure());
    }

    #[test]
    fn an_origin_is_shown_as_a_browser_writes_it() {
        let origin = Origin::parse("HTTPS://App.Example.:8443").unwrap();
        assert_eq!(origin.to_string(), "https://app.example:8443");
    }

    #[test]
    fn only_the_override_lets_every_page_in() {
        let other = Origin::parse("https://evil.test").unwrap();
        assert!(AllowedOrigins::Any.allow(&other));
        assert!(!AllowedOrigins::Listed(Vec::new()).allow(&other));
    }

    #[test]
    fn addresses_and_ports_survive_normalisation() {
        let text = |text: &str| Origin::parse(text).unwrap().as_str().to_owned();
        assert_eq!(text("https://[::1]:8443"), "https://[::1]:8443");
        assert_eq!(text("https://127.0.0.1:8444"), "https://127.0.0.1:8444");
        assert_eq!(text("http://localhost:80"), "http://localhost");
        assert_eq!(
            Origin::parse("https://localhost:8443").unwrap().host(),
            "localhost"
        );
        for text in ["https://[::1]:8443", "https://[::1]"] {
            assert_eq!(Origin::parse(text).unwrap().host(), "[::1]");
        }
    }
}
