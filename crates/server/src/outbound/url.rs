//! An https URL as a fetch takes it, parsed once.

use std::net::IpAddr;

use http::{HeaderValue, Uri, uri::Scheme};
use rustls::pki_types::ServerName;
use wardwire_admission::fetch::FetchError;

/// Where to go, and what to ask there.
pub(super) struct HttpsUrl {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whose certificate has to be shown.
    pub(super) name: ServerName<'static>,
    /// What `Host` says.
    pub(super) authority: HeaderValue,
    /// What the request line says: path and query.
    pub(super) target: Uri,
    /// Without TLS: to this machine, which is named by its address.
    pub(super) is_plain: bool,
}

impl HttpsUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`FetchError::NotHttps`] for everything but https with a host and without a user.
    pub(super) fn parse(url: &str) -> Result<Self, FetchError> {
        let read = Self::read(url).filter(|it| !it.is_plain);
        read.ok_or_else(|| FetchError::NotHttps(url.to_owned()))
    }

    /// The same, or plain http to a loopback address.
    ///
    /// # Errors
    /// As above.
    pub(super) fn parse_or_local(url: &str) -> Result<Self, FetchError> {
        Self::read(url).ok_or_else(|| FetchError::NotHttps(url.to_owned()))
    }

    fn read(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let is_plain = uri.scheme() == Some(&Scheme::HTTP);
        let is_known = is_plain || uri.scheme() == Some(&Scheme::HTTPS);
        if !is_known {
            return None;
        }
        let written = authority.host();
        let bare = written
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = bare.unwrap_or(written).to_owned();
        let is_local = || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        if is_plain && !is_local() {
            return None;
        }
        // `Authority::port` is silent about a port that is out of range. Whoever names a user has it before the host.
        let port = match authority.as_str().strip_prefix(written)? {
            "" if is_plain => 80,
            "" => 443,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        Some(Self {
            name: ServerName::try_from(host.clone()).ok()?,
            host,
            port,
            authority: HeaderValue::from_str(authority.as_str()).ok()?,
            target: uri.path_and_query()?.as_str().parse().ok()?,
            is_plain,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_with_a_host_and_without_a_user_is_taken() {
        for url in [
            "",
            "/keys",
            "id.example/keys",
            "http://id.example/keys",
            "file:///etc/passwd",
            "ftp://id.example",
            "https://",
            "https://user@id.example/",
            "https://user:pass@id.example/",
            "https://id.example:99999/",
            "https://id.example\r\nX: y/",
            "gopher://id.example",
            "javascript:alert(1)",
        ] {
            assert!(HttpsUrl::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_by_its_address_and_for_nothing_but_the_application() {
        for url in [
            "http://127.0.0.1:3000/whoami",
            "http://[::1]/",
            "http://127.1.2.3/",
        ] {
            assert!(HttpsUrl::parse(url).is_err(), "{url}");
            assert!(HttpsUrl::parse_or_local(url).unwrap().is_plain, "{url}");
        }
        for url in [
            "http://localhost:3000/",
            "http://app.example/",
            "http://10.0.0.1/",
            "http://127.0.0.1.evil.example/",
            "http://u@127.0.0.1/",
            "ftp://127.0.0.1/",
        ] {
            assert!(HttpsUrl::parse_or_local(url).is_err(), "{url}");
        }
        assert_eq!(
            HttpsUrl::parse_or_local("http://127.0.0.1/").unwrap().port,
            80
        );
        let far = HttpsUrl::parse_or_local("https://app.example/whoami").unwrap();
        assert!(!far.is_plain);
    }

    #[test]
    fn a_url_is_taken_apart() {
        let url = HttpsUrl::parse("https://[::1]:8443/a/b?c=d").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 8443));
        assert_eq!(url.authority, "[::1]:8443");
        assert_eq!(url.target.to_string(), "/a/b?c=d");
        let url = HttpsUrl::parse("https://id.example").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("id.example", 443));
        assert_eq!(url.target.to_string(), "/");
    }
}
