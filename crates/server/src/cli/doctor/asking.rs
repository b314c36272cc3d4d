//! Fetching what an issuer says, with what its answer tells beside the document: what time it is there.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use wardwire_admission::fetch::FetchError;

use crate::outbound::Outbound;

/// What was answered.
pub(super) struct Fetched {
    pub(super) body: Bytes,
    /// By how much the issuer's clock goes ahead of ours, or behind it.
    pub(super) clock: Option<Drift>,
}

/// How two clocks differ. What the network takes is within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drift {
    Ahead(Duration),
    Behind(Duration),
}

/// Why there is nothing to read, and what to do about it.
pub(super) struct Unread {
    pub(super) cause: String,
    pub(super) remedy: String,
}

pub(super) async fn fetch(out: &Outbound, url: &str) -> Result<Fetched, Unread> {
    let unread = |cause: String, remedy: &str| Unread {
        cause,
        remedy: remedy.to_owned(),
    };
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url
        .parse()
        .map_err(|_| unread(format!("{url} is no URL"), "Write an https URL."))?;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::ACCEPT, json);
    let asked = SystemTime::now();
    let response = out.exchange(request).await.map_err(explained)?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        let remedy = "Look whether the URL is right; redirects are not followed.";
        return Err(unread(format!("{url} answered {}", head.status), remedy));
    }
    Ok(Fetched {
        body,
        clock: drift(&head.headers, asked, SystemTime::now()),
    })
}

pub(super) fn explained(error: FetchError) -> Unread {
    let remedy = match &error {
        FetchError::Forbidden { address, .. } => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            format!("If it should be there, write under [outbound]: allow = [\"{address}/{bits}\"]")
        }
        FetchError::NotHttps(_) => "Write an https URL, without a user in it.".to_owned(),
        FetchError::Unreachable { cause, .. } if cause.contains("certificate") => {
            "If its certificate is from an authority of your own, write under this [[issuer]]: ca = \"ca.pem\"".to_owned()
        }
        FetchError::Unreachable { .. } => {
            "Look whether this machine can reach it, and whether its name is right.".to_owned()
        }
        FetchError::TooLarge(_) | FetchError::Status { .. } => {
            "Look what is there: it is not what an issuer says.".to_owned()
        }
    };
    Unread {
        cause: error.to_string(),
        remedy,
    }
}

/// The answer was written between the two, in whole seconds (RFC 9110 §6.6.1).
fn drift(headers: &HeaderMap, asked: SystemTime, answered: SystemTime) -> Option<Drift> {
    let written = headers.get(header::DATE)?.to_str().ok()?;
    let theirs = httpdate::parse_http_date(written).ok()?;
    let second = Duration::from_secs(1);
    if let Ok(ahead) = theirs.duration_since(answered) {
        return Some(Drift::Ahead(ahead));
    }
    let latest = theirs + second;
    let behind = asked.duration_since(latest).unwrap_or_default();
    Some(Drift::Behind(behind))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn a_clock_is_off_by_what_neither_the_network_nor_rounding_explains() {
        let at = |seconds: u64, millis: u64| {
            UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_millis(millis)
        };
        let told = |seconds: u64| {
            let date = httpdate::fmt_http_date(at(seconds, 0));
            let headers =
                HeaderMap::from_iter([(header::DATE, HeaderValue::try_from(date).unwrap())]);
            drift(&headers, at(1000, 200), at(1003, 0)).unwrap()
        };
        for within in [1000, 1001, 1002] {
            assert_eq!(told(within), Drift::Behind(Duration::ZERO), "{within}");
        }
        assert_eq!(told(1013), Drift::Ahead(Duration::from_secs(10)));
        assert_eq!(told(989), Drift::Behind(Duration::from_millis(10_200)));
        assert!(drift(&HeaderMap::new(), at(0, 0), at(0, 0)).is_none());
    }
}
