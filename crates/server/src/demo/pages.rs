//! The demo's pages, as they were built into the binary.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::Ports;

/// Every file of `packages/demos/dist`; nothing if that was not built.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// The attacker's files lie here among the others.
const HOSTILE: &str = "hostile/";

const MISSING: &str = "<!doctype html><title>Wardwire</title>\
    <p>This server was built without its pages. Run <code>cargo xtask assets</code> and build it again.</p>";

/// Our own page or file at this path: `/chat` is `chat.html`.
pub(super) fn ours(path: &str, ports: Ports) -> Option<Response<Bytes>> {
    let name = name(path)?;
    if name.starts_with(HOSTILE) {
        return None;
    }
    let mut response = file(name)
        .or_else(|| file(&format!("{name}.html")))
        .or_else(|| (name == INDEX).then(missing))?;
    let Ports { ours, hostile, .. } = ports;
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' wss://localhost:{ours}; \
         frame-src https://127.0.0.1:{hostile} https://localhost:{hostile}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    );
    let headers = response.headers_mut();
    secure(headers, &policy);
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, SAME_ORIGIN_RESOURCES, "same-origin");
    set(headers, SAME_ORIGIN_OPENER, "same-origin");
    Some(response)
}

/// The attacker's page or file at this path. It may be framed by ours, which is what it is for.
pub(super) fn hostile(path: &str, ports: Ports) -> Option<Response<Bytes>> {
    let name = name(path)?;
    let found = file(&format!("{HOSTILE}{name}"));
    let mut response = found.or_else(|| (name == INDEX).then(missing))?;
    let ours = ports.ours;
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src wss://localhost:{ours}; \
         base-uri 'none'; form-action 'none'; frame-ancestors https://localhost:{ours}"
    );
    let headers = response.headers_mut();
    secure(headers, &policy);
    set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // A sandboxed frame has the origin null, and still has to load its script.
    set(headers, SAME_ORIGIN_RESOURCES, "cross-origin");
    Some(response)
}

const INDEX: &str = "index.html";
const SAME_ORIGIN_RESOURCES: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SAME_ORIGIN_OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const PERMISSIONS: HeaderName = HeaderName::from_static("permissions-policy");

/// A path as the name of a file. Names are compared as a whole, so `..` and `%` lead nowhere.
fn name(path: &str) -> Option<&str> {
    match path.strip_prefix('/')? {
        "" => Some(INDEX),
        name => Some(name),
    }
}

fn file(name: &str) -> Option<Response<Bytes>> {
    let (_, bytes) = FILES.iter().find(|(file, _)| *file == name)?;
    let mut response = Response::new(Bytes::from_static(bytes));
    set(
        response.headers_mut(),
        header::CONTENT_TYPE,
        media_type(name),
    );
    Some(response)
}

fn missing() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(MISSING.as_bytes()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    set(
        response.headers_mut(),
        header::CONTENT_TYPE,
        media_type(INDEX),
    );
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

fn secure(headers: &mut HeaderMap, policy: &str) {
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    set(headers, header::REFERRER_POLICY, "no-referrer");
    set(headers, header::CACHE_CONTROL, "no-cache");
    set(
        headers,
        PERMISSIONS,
        "camera=(), geolocation=(), microphone=()",
    );
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports {
        ours: 8443,
        hostile: 8444,
        provider: None,
    };

    #[test]
    fn nothing_but_the_pages_is_found() {
        for path in [
            "",
            "*",
            "/.",
            "/../Cargo.toml",
            "/%2e%2e/x",
            "//index.html",
            "/hostile/",
            "/hostile/index.html",
        ] {
            assert!(ours(path, PORTS).is_none(), "{path}");
        }
        assert!(hostile("/../index.html", PORTS).is_none());
    }

    #[test]
    fn every_page_has_its_policy_even_when_there_are_no_pages() {
        let page = ours("/", PORTS).unwrap();
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(!policy.contains("unsafe") && policy.contains("wss://localhost:8443;"));
        let page = hostile("/", PORTS).unwrap();
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.ends_with("frame-ancestors https://localhost:8443"));
    }
}
