//! The types of bodies: which are read, and what answers are made of.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header, request};
use wardwire_admission::refusal::{Reason, Refusal, Stage};

/// Only `application/json` is read.
///
/// # Errors
/// Any other content type, or none.
pub(crate) fn require_json(head: &request::Parts) -> Result<(), Refusal> {
    require(head, "application/json")
}

/// Only a form is read, as pages and providers post it.
///
/// # Errors
/// Any other content type, or none.
pub(super) fn require_form(head: &request::Parts) -> Result<(), Refusal> {
    require(head, "application/x-www-form-urlencoded")
}

fn require(head: &request::Parts, wanted: &str) -> Result<(), Refusal> {
    let media = head.headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok());
    let media = media.and_then(|value| value.split(';').next());
    match media.is_some_and(|media| media.trim().eq_ignore_ascii_case(wanted)) {
        true => Ok(()),
        false => Err(Refusal::new(Stage::Head, Reason::BadMediaType)),
    }
}

/// A JSON answer that nobody keeps.
#[must_use]
pub(crate) fn json_response(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    json_text(status, value.to_string())
}

/// The same of a text.
#[must_use]
pub(crate) fn json_text(status: StatusCode, text: String) -> Response<Bytes> {
    unkept(status, "application/json", text)
}

/// A text of this type that nobody keeps.
pub(super) fn unkept(status: StatusCode, media: &'static str, text: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
