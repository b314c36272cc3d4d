//! A refusal as a person reads it. Browsers go to these endpoints as to pages, where a problem document is shown as code.
//!
//! INVARIANT: all of a page is written in this file, so that nothing of a request or of a provider is ever in one.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use wardwire_admission::refusal::Refusal;

use super::{CALLBACK, LOGIN, LOGOUT, answer};
use crate::http::problem;

const STYLE: &str =
    "body{max-width:36rem;margin:12vh auto;padding:0 1rem;font:1.125rem/1.5 system-ui,sans-serif}";
/// Nothing runs, nothing is fetched or posted, nobody frames it, and of styles only [`STYLE`] counts, by its hash.
const POLICY: &str = "default-src 'none'; style-src 'sha256-sf46RNlpfmZ5MFLIkJ5GBKJSKEMy959NY859fl+P9TA='; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a refusal there is for a person to read: of what the request takes, a page is what it likes best (RFC 9110 §12.5.1), as
/// browsers say of every address that they go to. Who takes anything is a program.
pub(in crate::http) fn is_wanted(path: &str, headers: &HeaderMap) -> bool {
    if !matches!(path, LOGIN | CALLBACK | LOGOUT) {
        return false;
    }
    let lines = headers.get_all(header::ACCEPT).into_iter();
    let lines = lines.filter_map(|line| line.to_str().ok());
    let ranges: Vec<&str> = lines.flat_map(|line| line.split(',')).collect();
    let most = |media: &[&str]| {
        ranges
            .iter()
            .filter_map(|range| quality(range, media))
            .max()
    };
    let liking = |media: &[&str]| most(media).or_else(|| most(&["*/*"])).unwrap_or(0);
    let json = [
        "application/problem+json",
        "application/json",
        "application/*",
    ];
    liking(&["text/html", "text/*"]) > liking(&json)
}

/// In thousandths, if the range is one of these.
fn quality(range: &str, media: &[&str]) -> Option<u32> {
    let mut parts = range.split(';').map(str::trim);
    let named = parts.next()?;
    media.iter().find(|it| it.eq_ignore_ascii_case(named))?;
    let weight = parts.find_map(|it| it.strip_prefix("q=").or_else(|| it.strip_prefix("Q=")));
    weight.map_or(Some(1000), thousandths)
}

/// RFC 9110 §12.4.2: `0`, `0.5`, `1.000`.
fn thousandths(weight: &str) -> Option<u32> {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    let is_weight = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    match whole {
        "0" if is_weight => format!("{rest:0<3}").parse().ok(),
        "1" if is_weight && rest.bytes().all(|byte| byte == b'0') => Some(1000),
        _ => None,
    }
}

/// The refusal, to be read. `has_login` if the endpoint for signing in needs no parameter.
pub(in crate::http) fn of(refusal: &Refusal, path: &str, has_login: bool) -> Response<Bytes> {
    let mut response = problem::refused(refusal);
    let (title, what) = words(response.status(), path);
    let next = match (path, has_login) {
        (LOGIN | CALLBACK, true) => {
            r#"<a href="/.wardwire/login" rel="noreferrer">Sign in again</a>"#
        }
        _ => "Go back to the page that you came from, and try again there.",
    };
    let (status, code) = (response.status().as_u16(), refusal.reason.public_code());
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{STYLE}</style>
<main>
<h1>{title}</h1>
<p>{what}</p>
<p>{next}</p>
<p><small>{status} {code}</small></p>
</main>
</html>
"#
    );
    *response.body_mut() = Bytes::from(page);
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    let policy = HeaderValue::from_static(POLICY);
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    answer::quiet(response)
}

fn words(status: StatusCode, path: &str) -> (&'static str, &'static str) {
    const IN: &str = "Signing in did not work";
    const OUT: &str = "Signing out did not work";
    let is_passing = matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::REQUEST_TIMEOUT
    );
    match path {
        LOGOUT if is_passing => (
            OUT,
            "The server cannot do that now, and you may still be signed in. Wait a minute.",
        ),
        LOGOUT => (
            OUT,
            "The server did not take the request, and you may still be signed in.",
        ),
        _ if is_passing => (
            IN,
            "The sign-in service does not answer as it should, or the server has too much to do. Nobody was signed in. Wait a minute.",
        ),
        CALLBACK => (
            IN,
            "This is no answer to a sign-in that this browser began in the last ten minutes, or it was used before, or the sign-in \
             service did not stand by it. Nobody was signed in.",
        ),
        _ => (
            IN,
            "The server did not take the address that led here. Nobody was signed in.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::*;

    #[test]
    fn a_page_is_for_whoever_likes_it_best() {
        let wanted = |path: &str, accept: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in accept {
                headers.append(header::ACCEPT, HeaderValue::from_str(line).unwrap());
            }
            is_wanted(path, &headers)
        };
        let chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for accept in [
            &[chromium] as &[_],
            &["text/html"],
            &["TEXT/HTML;level=1; q=0.5"],
            &["application/json;q=0.1", "text/*;q=0.2"],
            &["application/problem+json;q=0, text/html;q=0.001"],
        ] {
            for path in [LOGIN, CALLBACK, LOGOUT] {
                assert!(wanted(path, accept), "{accept:?}");
            }
            assert!(!wanted("/.wardwire/backchannel-logout", accept));
            assert!(!wanted("/.wardwire/session", accept));
        }
        for accept in [
            &[] as &[_],
            &["*/*"],
            &["application/json"],
            &["text/html, application/json"],
            &["text/html;q=0.5, */*"],
            &["text/html;q=0"],
            &["text/html;q=2"],
            &["text/html;q=x"],
            &["text/htmlx"],
            &[",;,=;q"],
        ] {
            assert!(!wanted(CALLBACK, accept), "{accept:?}");
        }
    }

    #[test]
    fn the_policy_knows_the_style() {
        let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
    }
}
