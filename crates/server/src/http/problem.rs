//! Refusals as a peer sees them: RFC 9457 problem details, short and generic. The precise reason stays in the audit log.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};
use wardwire_admission::refusal::{Reason, Refusal};

use super::media::unkept;

/// The response to a refusal. A refused request ends its connection.
#[must_use]
pub(super) fn refused(refusal: &Refusal) -> Response<Bytes> {
    let status = refusal.reason.status();
    let mut response = problem(status, refusal.reason.public_code());
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Some(wait) = refusal.retry_after {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from(wait.as_secs().max(1)),
        );
    }
    if let Some(challenge) = refusal
        .challenge()
        .and_then(|text| HeaderValue::try_from(text).ok())
    {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    match refusal.reason {
        // RFC 6455 §4.4: tell which version would do.
        Reason::BadVersion => {
            headers.insert(
                header::SEC_WEBSOCKET_VERSION,
                HeaderValue::from_static("13"),
            );
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(
                header::CONNECTION,
                HeaderValue::from_static("close, upgrade"),
            );
        }
        Reason::MethodNotAllowed => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        _ => {}
    }
    response
}

/// The same as the bytes of HTTP/1.1, where these methods would have been taken.
#[must_use]
pub(crate) fn refused_bytes(refusal: &Refusal, methods: &[Method]) -> Vec<u8> {
    let mut response = refused(refusal);
    if let Some(allow) = response.headers_mut().get_mut(header::ALLOW) {
        let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
        if let Ok(methods) = HeaderValue::try_from(methods.join(", ")) {
            *allow = methods;
        }
    }
    to_bytes(&response)
}

/// A problem document with one of the public codes.
#[must_use]
pub fn problem(status: StatusCode, code: &'static str) -> Response<Bytes> {
    let title = status.canonical_reason().unwrap_or("Refused");
    let body = format!(
        r#"{{"type":"about:blank","title":"{title}","status":{},"code":"{code}"}}"#,
        status.as_u16()
    );
    unkept(status, "application/problem+json", body)
}

/// A response as the bytes of HTTP/1.1, for an answer that cannot pass through hyper.
#[must_use]
pub(crate) fn to_bytes(response: &Response<Bytes>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16());
    for (name, value) in response.headers() {
        if let Ok(value) = value.to_str() {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    let _ = write!(head, "content-length: {}\r\n\r\n", response.body().len());
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(response.body());
    bytes
}
