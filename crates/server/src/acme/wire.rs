//! How the ACME client reaches the authority: over the server's own way out, which judges every address that a URL of the
//! authority leads to, and within limits for a whole attempt.
//!
//! What the client could not bear is kept from it: waits that overflow a clock, and a directory whose URLs are none.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body_util::BodyExt as _;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use parking_lot::Mutex;
use serde::Deserialize;

use super::schedule::MOST_WAIT;
use crate::outbound::{Outbound, is_fetchable};

/// For one exchange, from the name look-up to the last byte. Authorities take their time to sign.
pub(super) const TIME: Duration = Duration::from_secs(20);
/// Between two looks at what an authority has not decided, whatever it says.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// An authority that does not say for how long its wish about renewal is good.
const USUAL_WISH: u64 = 6 * 3600;

/// The way to the authority for one attempt.
#[derive(Clone)]
pub(super) struct Wire(Arc<State>);

struct State {
    outbound: Arc<Outbound>,
    directory: String,
    /// Requests that the attempt may still make.
    left: AtomicU32,
    /// How long the authority asked us to wait when it refused something.
    asked: Mutex<Option<Duration>>,
}

impl Wire {
    /// A way to the authority with this directory, for so many requests.
    pub(super) fn new(outbound: Arc<Outbound>, directory: &str, requests: u32) -> Self {
        Self(Arc::new(State {
            outbound,
            directory: directory.to_owned(),
            left: AtomicU32::new(requests),
            asked: Mutex::new(None),
        }))
    }

    /// How long the authority asked us to wait when it refused something, at most a day.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        *self.0.asked.lock()
    }
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let state = self.0.clone();
        Box::pin(async move { state.exchange(request).await })
    }
}

impl State {
    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let spend = |left: u32| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_err()
        {
            let why = "the authority wants more requests than an attempt may take";
            return Err(Error::Other(why.into()));
        }
        let (head, body) = request.into_parts();
        // An error that cannot be.
        let body = body.collect().await.unwrap_or_else(|never| match never {});
        let is_directory = head.uri == *self.directory;
        let is_get = head.method == Method::GET;
        let request = Request::from_parts(head, body.to_bytes());
        let response = self.outbound.exchange(request).await;
        let mut response = response.map_err(|error| Error::Other(Box::new(error)))?;
        let wait = retry_after(response.headers(), SystemTime::now());
        if response.status().is_client_error() || response.status().is_server_error() {
            *self.asked.lock() = wait;
        }
        if is_get && is_directory {
            judge(&response)?;
        }
        let wait = wait.map(|wait| wait.max(LEAST_WAIT).as_secs());
        let wait = wait.or((is_get && !is_directory).then_some(USUAL_WISH));
        response.headers_mut().remove(header::RETRY_AFTER);
        if let Some(wait) = wait {
            let wait = HeaderValue::from(wait);
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        let (parts, body) = response.into_parts();
        Ok(BytesResponse {
            parts,
            body: Box::new(body),
        })
    }
}

/// The URLs of a directory that are asked whatever happens (RFC 8555 §7.1.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
    new_order: String,
}

/// The client takes the URLs in a directory for URLs.
fn judge(response: &Response<Bytes>) -> Result<(), Error> {
    if !response.status().is_success() {
        let why = format!("the directory was answered with {}", response.status());
        return Err(Error::Other(why.into()));
    }
    let directory: Directory = serde_json::from_slice(response.body())?;
    let Directory {
        new_nonce,
        new_account,
        new_order,
    } = &directory;
    match [new_nonce, new_account, new_order]
        .into_iter()
        .all(|url| is_fetchable(url))
    {
        true => Ok(()),
        false => Err(Error::Other("the directory's URLs are not https".into())),
    }
}

/// How long to wait (RFC 9110 §10.2.3), in whole seconds and at most [`MOST_WAIT`].
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wait = match is_number {
        // More than the number holds is more than anybody waits.
        true => Duration::from_secs(text.parse().unwrap_or(u64::MAX)),
        false => {
            let until = httpdate::parse_http_date(text).ok()?;
            until.duration_since(now).unwrap_or_default()
        }
    };
    Some(wait.min(MOST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wait_overflows_a_clock() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "it is past");
        for most in [
            "18446744073709551615",
            "99999999999999999999999",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            assert_eq!(wait(most), Some(86_400), "{most}");
        }
        for none in ["", "-1", "1.5", "soon", "+3"] {
            assert_eq!(wait(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_directory_without_urls_is_none() {
        let judged = |body: &str| judge(&Response::new(Bytes::copy_from_slice(body.as_bytes())));
        let directory = |nonce: &str| {
            format!(
                "{{\"newNonce\":{nonce:?},\"newAccount\":\"https://ca.test/a\",\"newOrder\":\"https://ca.test/o\"}}"
            )
        };
        assert!(judged(&directory("https://ca.test/n")).is_ok());
        for nonce in ["", "not a url", "http://ca.test/n", "https://", "\u{0}"] {
            assert!(judged(&directory(nonce)).is_err(), "{nonce:?}");
        }
        assert!(judged("{}").is_err());
        assert!(judged("<html>").is_err());
    }
}
