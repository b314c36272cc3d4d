//! How these endpoints answer: by sending a browser on, with cookies set and forgotten on the way.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use wardwire_admission::refusal::{Reason, Refusal, Stage};

/// Sends a browser on, by GET. Neither the address it came from, which may hold a code, nor the answer is kept or passed on.
///
/// # Errors
/// An address that a header cannot hold. A provider may have given one.
pub(super) fn redirect(location: &str) -> Result<Response<Bytes>, Refusal> {
    let unusable = |_| Refusal::new(Stage::Identity, Reason::ProviderUnavailable);
    let mut location = HeaderValue::try_from(location)
        .map_err(|error| unusable(error).because("its address fits no header"))?;
    // It may hold a state, a nonce or a hint.
    location.set_sensitive(true);
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(quiet(response))
}

/// The same response, of which nothing is kept or passed on.
pub(super) fn quiet(mut response: Response<Bytes>) -> Response<Bytes> {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    response
}

/// Sets a cookie that only this host gets, over TLS only, and no script reads. Without an age it ends with the browser.
pub(super) fn set(response: &mut Response<Bytes>, (name, value): (&str, &str), age: Option<u64>) {
    let age = age.map_or(String::new(), |seconds| format!("; Max-Age={seconds}"));
    let cookie = format!("{name}={value}{age}; Path=/; Secure; HttpOnly; SameSite=Lax");
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Has a browser forget a cookie.
pub(super) fn forget(response: &mut Response<Bytes>, name: &str) {
    set(response, (name, ""), Some(0));
}
