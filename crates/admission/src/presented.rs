//! What a request brings for the application to judge: cookies of its own, and the headers that go along.
//!
//! INVARIANT: only what is listed goes, in the order of the list, and each line is visible ASCII: so nothing that a peer writes
//! can begin a line of its own, and who says the same twice asks the same.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    credential::{COOKIE, TOKEN},
    refusal::{Reason, Refusal, Stage},
    token::name_of,
};

/// The cookies that are a session of the application, and the headers that are shown to it beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    cookies: Box<[Box<str>]>,
    headers: Box<[HeaderName]>,
}

/// A name that cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// Then nobody could come.
    #[error("no cookie is listed: nobody could prove who they are")]
    NoCookie,
    /// Not a cookie's name (RFC 6265 §4.1.1), or listed twice.
    #[error("{0:?} is no cookie that can be listed")]
    Cookie(String),
    /// This server's own cookies are shown to nobody.
    #[error("the cookie {0:?} is this server's own")]
    Own(String),
    /// Not a header's name, or listed twice.
    #[error("{0:?} is no header that can be listed")]
    Header(String),
    /// A credential of another kind, or one that speaks of the connection or of who is behind it.
    #[error("the header {0:?} is never passed on")]
    Reserved(String),
}

impl Selection {
    /// These cookies, of which one has to be brought, and these headers.
    ///
    /// # Errors
    /// The first name that cannot be listed.
    pub fn new(cookies: &[String], headers: &[String]) -> Result<Self, SelectionError> {
        if cookies.is_empty() {
            return Err(SelectionError::NoCookie);
        }
        let mut listed: Vec<Box<str>> = Vec::new();
        for name in cookies {
            if is_own(name) {
                return Err(SelectionError::Own(name.clone()));
            }
            if !is_token(name) || listed.iter().any(|it| **it == **name) {
                return Err(SelectionError::Cookie(name.clone()));
            }
            listed.push(name.as_str().into());
        }
        let mut passed: Vec<HeaderName> = Vec::new();
        for name in headers {
            match name.parse::<HeaderName>() {
                Ok(it) if is_reserved(&it) => return Err(SelectionError::Reserved(name.clone())),
                Ok(it) if !passed.contains(&it) => passed.push(it),
                _ => return Err(SelectionError::Header(name.clone())),
            }
        }
        Ok(Self {
            cookies: listed.into(),
            headers: passed.into(),
        })
    }

    /// What a request brings. None without any of the cookies.
    ///
    /// # Errors
    /// A cookie twice, too much of it, or what cannot be passed on.
    pub(crate) fn find(&self, headers: &HeaderMap) -> Result<Option<Presented>, Refusal> {
        let mut text = String::new();
        for name in &self.cookies {
            let Some(value) = cookie(headers, name)? else {
                continue;
            };
            if !text.is_empty() {
                text.push_str("; ");
            }
            text.extend([&**name, "=", value]);
        }
        if text.is_empty() {
            return Ok(None);
        }
        text.push('\n');
        for name in &self.headers {
            for value in headers.get_all(name) {
                let value = value.to_str().ok().ok_or_else(|| malformed(name))?;
                text.extend([name.as_str(), ": ", value, "\n"]);
            }
        }
        match text.len() > TOKEN {
            true => Err(refuse(Reason::TokenTooLarge)),
            false => Ok(Some(Presented(text.into()))),
        }
    }
}

/// Cookies and headers, as the application is shown them. They are a credential, so they have no text of their own.
#[derive(Clone)]
pub struct Presented(Arc<str>);

impl Presented {
    /// What was kept of one.
    pub(crate) fn again(text: Arc<str>) -> Self {
        Self(text)
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.0
    }

    /// Names the session: a hash of its cookies, whatever headers were beside them.
    pub(crate) fn name(&self) -> Box<str> {
        name_of(self.0.lines().next().unwrap_or_default())
    }

    /// The fields of the question.
    pub(crate) fn fields(&self) -> HeaderMap {
        let mut lines = self.0.lines();
        let cookies = lines.next().map(|it| (header::COOKIE, it));
        let others = lines.filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            Some((name.parse().ok()?, value))
        });
        let mut fields = HeaderMap::new();
        for (name, value) in cookies.into_iter().chain(others) {
            if let Ok(mut value) = HeaderValue::from_str(value) {
                value.set_sensitive(true);
                fields.append(name, value);
            }
        }
        fields
    }
}

impl fmt::Debug for Presented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Presented(..)")
    }
}

/// The value of a cookie. Two of a name are of two places (RFC 6265 §5.4), and nobody can say of which.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Refusal> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let rest = pair.trim_ascii().strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    });
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let refusal = refuse(Reason::CredentialConflict);
        return Err(refusal.because(format_args!("the cookie {name} twice")));
    }
    let is_plain = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let value = std::str::from_utf8(value).ok().filter(|_| is_plain);
    value.map(Some).ok_or_else(|| malformed(name))
}

/// Also in other letters: no browser would take one for the other, but people would.
fn is_own(name: &str) -> bool {
    let start = name.get(..COOKIE.len());
    start.is_some_and(|it| it.eq_ignore_ascii_case(COOKIE))
}

/// `token` of RFC 9110 §5.6.2.
fn is_token(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

/// What is somebody else's credential, of the connection (RFC 9110 §7.6.1), a handshake's, or a proxy's word about a peer.
fn is_reserved(name: &HeaderName) -> bool {
    const NAMES: [&str; 19] = [
        "accept",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "true-client-ip",
        "upgrade",
        "via",
        "x-real-ip",
    ];
    const PREFIXES: [&str; 4] = ["proxy-", "sec-websocket-", "wardwire-", "x-forwarded-"];
    let name = name.as_str();
    NAMES.contains(&name) || PREFIXES.iter().any(|it| name.starts_with(it))
}

fn malformed(name: impl fmt::Display) -> Refusal {
    let refusal = refuse(Reason::CredentialMalformed);
    refusal.because(format_args!("{name} is not visible ASCII"))
}

fn refuse(reason: Reason) -> Refusal {
    Refusal::new(Stage::Identity, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(cookies: &[&str], headers: &[&str]) -> Result<Selection, SelectionError> {
        let owned = |names: &[&str]| names.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(cookies), &owned(headers))
    }

    fn request(lines: &[(&str, &[u8])]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    fn found(selection: &Selection, lines: &[(&str, &[u8])]) -> Result<Option<String>, Reason> {
        let found = selection.find(&request(lines));
        found
            .map(|it| it.map(|it| it.0.to_string()))
            .map_err(|it| it.reason)
    }

    #[test]
    fn only_what_is_listed_is_shown_and_in_the_lists_order() {
        let selection = selection(&["sid", "sid.sig"], &["x-device"]).unwrap();
        let request: [(&str, &[u8]); 5] = [
            ("cookie", b"other=1; sid.sig=b"),
            ("cookie", b"xsid=2;sid=a=\"q\", z; SID=3"),
            ("authorization", b"Basic eA=="),
            ("x-device", b"phone"),
            ("x-forwarded-for", b"1.2.3.4"),
        ];
        assert_eq!(
            found(&selection, &request).unwrap().unwrap(),
            "sid=a=\"q\", z; sid.sig=b\nx-device: phone\n"
        );
        let presented = selection.find(&self::request(&request)).unwrap().unwrap();
        assert_eq!(format!("{presented:?}"), "Presented(..)");
        let fields = presented.fields();
        assert_eq!(fields.len(), 2);
        assert!(fields.values().all(HeaderValue::is_sensitive));
        assert_eq!(fields["cookie"], "sid=a=\"q\", z; sid.sig=b");
        assert_eq!(fields["x-device"], "phone");
        // A header alone is no credential.
        assert_eq!(found(&selection, &[("x-device", b"phone")]), Ok(None));
        assert_eq!(
            found(&selection, &[("cookie", b"sidecar=1; sid")]),
            Ok(None)
        );
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let selection = selection(&["sid"], &["x-device"]).unwrap();
        let conflict = Err(Reason::CredentialConflict);
        let malformed = Err(Reason::CredentialMalformed);
        assert_eq!(found(&selection, &[("cookie", b"sid=a; sid=b")]), conflict);
        assert_eq!(
            found(&selection, &[("cookie", b"sid=a"), ("cookie", b"sid=a")]),
            conflict
        );
        for bad in [b"sid=\xc3\xa9".as_slice(), b"sid=a\tb", b"sid=\x85X: y"] {
            assert_eq!(found(&selection, &[("cookie", bad)]), malformed, "{bad:?}");
        }
        assert_eq!(
            found(&selection, &[("cookie", b"sid=a"), ("x-device", b"\xff")]),
            malformed
        );
        let long = format!("sid={}", "x".repeat(TOKEN));
        assert_eq!(
            found(&selection, &[("cookie", long.as_bytes())]),
            Err(Reason::TokenTooLarge)
        );
    }

    #[test]
    fn a_session_is_named_by_its_cookies_alone() {
        let selection = selection(&["sid"], &["x-device"]).unwrap();
        let name =
            |lines: &[(&str, &[u8])]| selection.find(&request(lines)).unwrap().unwrap().name();
        let one = name(&[("cookie", b"sid=a"), ("x-device", b"phone")]);
        assert_eq!(one, name(&[("cookie", b"sid=a; b=c")]));
        assert_ne!(one, name(&[("cookie", b"sid=b"), ("x-device", b"phone")]));
    }

    #[test]
    fn neither_our_own_cookies_nor_other_credentials_can_be_listed() {
        for own in [
            "__Host-wardwire",
            "__host-Wardwire",
            "__Host-wardwire-sign-in",
        ] {
            assert_eq!(selection(&[own], &[]), Err(SelectionError::Own(own.into())));
        }
        for bad in ["", "a b", "a=b", "a;b", "é", "a\r\nx"] {
            let refused = Err(SelectionError::Cookie(bad.into()));
            assert_eq!(selection(&[bad], &[]), refused, "{bad:?}");
        }
        assert_eq!(
            selection(&["a", "a"], &[]),
            Err(SelectionError::Cookie("a".into()))
        );
        assert_eq!(selection(&[], &[]), Err(SelectionError::NoCookie));
        for (headers, bad) in [(&["a b"][..], "a b"), (&["x-a", "X-A"], "X-A")] {
            let refused = Err(SelectionError::Header(bad.into()));
            assert_eq!(selection(&["a"], headers), refused, "{headers:?}");
        }
        for reserved in [
            "Authorization",
            "Cookie",
            "Host",
            "Connection",
            "Upgrade",
            "Te",
            "Transfer-Encoding",
            "Proxy-Authorization",
            "X-Forwarded-For",
            "x-forwarded-user",
            "Forwarded",
            "Via",
            "Sec-WebSocket-Protocol",
        ] {
            let refused = Err(SelectionError::Reserved(reserved.into()));
            assert_eq!(selection(&["a"], &[reserved]), refused, "{reserved}");
        }
        assert!(selection(&["__Host-sid", "__Secure-a"], &["User-Agent"]).is_ok());
    }
}
