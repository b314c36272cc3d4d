//! Where a browser goes when it has signed in: to a page that may connect here, and nowhere else. An open redirect would lend
//! this host's name to strangers (RFC 9700 §4.11).

use http::Uri;

use crate::origin::Origin;

/// The longest address, in bytes: it travels in a cookie.
const LONGEST: usize = 1024;

/// The address, judged. A path is one of `home`'s; nothing is `home`'s front page. Everything else must be of an origin that
/// `allows`.
///
/// It is put together anew from what was understood of it, so that a browser cannot understand it in another way.
pub(super) fn judge(
    asked: Option<&str>,
    home: &Origin,
    allows: impl Fn(&Origin) -> bool,
) -> Option<String> {
    let asked = asked.unwrap_or("/");
    // A browser takes a backslash for a slash and drops tabs and line ends (URL Standard §4.4). A quote belongs into no
    // address (RFC 3986 §2), and would double in the cookie.
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"');
    if asked.len() > LONGEST || !asked.bytes().all(plain) {
        return None;
    }
    let (origin, rest) = match asked.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => return None,
        Some(_) => (home.clone(), asked),
        None => {
            let after = asked.find("://")? + 3;
            let authority = asked.get(after..)?;
            let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
            let origin = Origin::parse(asked.get(..after + end)?)?;
            (origin, authority.get(end..)?)
        }
    };
    if !origin.is_secure() || !allows(&origin) {
        return None;
    }
    let rest = match rest {
        "" => "/".to_owned(),
        _ if rest.starts_with('/') => rest.to_owned(),
        _ => format!("/{rest}"),
    };
    let path = rest.split('#').next()?;
    // A path that no request could name is not one to send a browser to.
    path.parse::<Uri>().ok()?;
    Some(format!("{origin}{rest}"))
}

/// The same address with one more parameter, before its fragment.
pub(super) fn with(address: &str, name: &str, value: &str) -> String {
    let (before, fragment) = match address.split_once('#') {
        Some((before, fragment)) => (before, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let mark = if before.contains('?') { '&' } else { '?' };
    format!("{before}{mark}{name}={value}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(asked: Option<&str>) -> Option<String> {
        let home = Origin::parse("https://app.example").unwrap();
        let other = Origin::parse("https://chat.example:8443").unwrap();
        judge(asked, &home, |origin| *origin == home || *origin == other)
    }

    #[test]
    fn a_page_of_ours_is_returned_to() {
        for (asked, address) in [
            (None, "https://app.example/"),
            (Some("/"), "https://app.example/"),
            (Some("/a/b?c=d&e#f"), "https://app.example/a/b?c=d&e#f"),
            (Some("https://app.example"), "https://app.example/"),
            (Some("HTTPS://APP.example:443/x"), "https://app.example/x"),
            (
                Some("https://chat.example:8443?q"),
                "https://chat.example:8443/?q",
            ),
            (
                Some("/https://evil.example"),
                "https://app.example/https://evil.example",
            ),
        ] {
            assert_eq!(judged(asked).as_deref(), Some(address));
        }
    }

    #[test]
    fn nobody_is_sent_anywhere_else() {
        for asked in [
            "",
            "x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "\u{1}https://evil.example",
            "https://evil.example",
            "https://app.example.evil.example/",
            "https://app.example@evil.example/",
            "https://app.example:8443/",
            "https://app.example\\@evil.example/",
            "http://app.example/",
            "https:app.example",
            "https:/app.example",
            "https:///app.example",
            "javascript:alert(1)",
            "javascript://app.example/%0aalert(1)",
            "data:text/html,x",
            "null",
            "/a\r\nSet-Cookie: x",
            "/a b",
            "/\u{e9}",
            "/#\"",
            &format!("/{}", "a".repeat(LONGEST)),
        ] {
            assert_eq!(judged(Some(asked)), None, "{asked:?}");
        }
    }

    #[test]
    fn a_word_is_added_where_the_page_finds_it() {
        assert_eq!(with("https://a/b", "error", "e"), "https://a/b?error=e");
        assert_eq!(
            with("https://a/b?c=d#f", "error", "e"),
            "https://a/b?c=d&error=e#f"
        );
    }
}
