//! Addresses that may be followed: whole, with a scheme that runs nothing, and with nothing in them that one reader sees and
//! another does not (RFC 3986 §3, WHATWG URL §4.4).

use url::{Host, Url};
use wardwire_protocol::channel::is_unseen;

use super::sanitise::is_hidden;

/// What a link of a stranger's may have.
pub(super) const SCHEMES: [&str; 3] = ["https", "http", "mailto"];

/// Schemes that run, hold or open a document of their own. No schema allows them.
const NEVER: [&str; 9] = [
    "about",
    "blob",
    "data",
    "file",
    "filesystem",
    "javascript",
    "jar",
    "vbscript",
    "view-source",
];

/// Whether a schema may allow a scheme.
pub(super) fn may_be_allowed(scheme: &str) -> bool {
    let mut bytes = scheme.bytes();
    bytes.next().is_some_and(|byte| byte.is_ascii_lowercase())
        && bytes.all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        })
        && !NEVER.contains(&scheme)
}

/// Whether an address may be followed. It is refused rather than mended: what browsers skip, an author did not write.
pub(super) fn is_safe(text: &str, schemes: &[String]) -> bool {
    let steers = |character: char| {
        is_hidden(character)
            || character.is_whitespace()
            || is_unseen(character)
            || matches!(character, '\\' | '<' | '>' | '"' | '`')
    };
    if text.contains(steers) {
        return false;
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let scheme = scheme.to_ascii_lowercase();
    if !schemes.contains(&scheme) {
        return false;
    }
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    match &*scheme {
        // One slash, or none, means a host to some and a path to others; a name before `@` is there to be taken for the host.
        "http" | "https" | "ws" | "wss" | "ftp" => {
            rest.starts_with("//")
                && !rest.starts_with("///")
                && url.host().is_some_and(|host| host != Host::Domain(""))
                && url.username().is_empty()
                && url.password().is_none()
                && !rest
                    .split(['/', '?', '#'])
                    .nth(2)
                    .is_some_and(|it| it.contains('@'))
        }
        _ => !rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(text: &str) -> bool {
        is_safe(text, &SCHEMES.map(str::to_owned))
    }

    #[test]
    fn an_address_is_what_it_looks_like() {
        for text in [
            "https://example.com",
            "HTTPS://example.com/a%20b?c=d&e#f",
            "http://[::1]:8080/",
            "https://xn--bcher-kva.example/",
            "https://b\u{fc}cher.example/\u{fc}",
            "mailto:ops@example.com",
            "https://example.com/@alice",
        ] {
            assert!(safe(text), "{text}");
        }
        for text in [
            "",
            "example.com",
            "/logout",
            "//example.com",
            "#x",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "javascript&colon;alert(1)",
            "&#106;avascript:alert(1)",
            "\u{feff}javascript:alert(1)",
            "https://example.com/\u{61c}a",
            "https://exam\u{ad}ple.com",
            "https://example.com/\u{3164}",
            "data:text/html,<script>alert(1)</script>",
            "data:text/html;base64,PHNjcmlwdD4=",
            "vbscript:msgbox(1)",
            "blob:https://example.com/x",
            "file:///etc/passwd",
            "view-source:https://example.com",
            "feed:javascript:alert(1)",
            " https://example.com",
            "https://example.com ",
            "https://exam\tple.com",
            "https://exam\nple.com",
            "https:example.com",
            "https:/example.com",
            "https:///example.com",
            "https:\\\\example.com",
            "https://example.com\\@evil.example",
            "https://example.com@evil.example",
            "https://user:password@example.com",
            "https://@example.com",
            "https://",
            "https://example.com/\u{202e}gpj.exe",
            "https://example.com/\u{200b}",
            "https://example.com/\"onmouseover=alert(1)",
            "mailto:",
        ] {
            assert!(!safe(text), "{text:?}");
        }
    }
}
