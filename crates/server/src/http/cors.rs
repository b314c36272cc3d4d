//! Cross-origin reading of our own endpoints (Fetch standard, CORS protocol): exactly the allowed origins, by name.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use wardwire_admission::origin::Origin;

use crate::server::Server;

/// Lets a page read the response, if its origin is allowed. Says in any case that the answer depends on it.
pub(super) fn allow(server: &Server, origin: Option<&str>, response: &mut Response<Bytes>) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let allowed = origin
        .and_then(Origin::parse)
        .filter(|origin| server.gate.rules().origins.allow(origin))
        .and_then(|origin| HeaderValue::try_from(origin.as_str()).ok());
    if let Some(origin) = allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After, WWW-Authenticate"),
        );
    }
}

/// The answer to a preflight from a page that was already found to be allowed. It may be kept for ten minutes.
pub(super) fn preflight(server: &Server, origin: Option<&str>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    allow(server, origin, &mut response);
    let headers = response.headers_mut();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST, DELETE"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Authorization, Content-Type, Wardwire-Trace"),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    response
}
