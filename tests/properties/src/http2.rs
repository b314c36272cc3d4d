//! HTTP/2 requests (RFC 9113 §8): what is passed looks to the stages of admission as a request of HTTP/1.1 does, and our
//! own reader of those passes it too.
//!
//! An input is a line with method, scheme, authority, path and `:protocol` (`-` where there is none), then header lines.

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header, request};
use wardwire_admission::{
    fields::canonical,
    head::{self, BACKEND_BODY, FIELDS, HEAD, TARGET},
    refusal::{Reason, Stage},
};
use wardwire_protocol::handshake::Protocol;

/// True if the request was passed.
pub fn check(input: &[u8]) -> bool {
    let (line, rest) = match input.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let Some((mut request, protocol)) = request(line, crate::header_lines(rest)) else {
        return false;
    };
    let sent = request.headers.clone();
    match canonical(&mut request, protocol.as_deref()) {
        Ok(()) => {
            passed(&request, protocol.as_deref(), &sent);
            true
        }
        Err(refusal) => {
            assert!(matches!(refusal.stage, Stage::Head | Stage::Host));
            assert!(
                matches!(
                    refusal.reason,
                    Reason::MalformedHead
                        | Reason::HeadTooLarge
                        | Reason::TargetTooLong
                        | Reason::BodyTooLarge
                        | Reason::UpgradeWithBody
                        | Reason::MethodNotAllowed
                        | Reason::BadHost
                ),
                "{refusal:?}"
            );
            false
        }
    }
}

/// A request as whoever decodes the frames hands it on, if it would.
fn request(line: &[u8], headers: HeaderMap) -> Option<(request::Parts, Option<String>)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let mut word = || words.next().filter(|word| *word != "-");
    let (method, scheme, authority, path, protocol) = (word()?, word(), word(), word(), word());
    let mut uri = Uri::builder();
    // Without an authority there is no scheme, as `http` cannot express that.
    if let (Some(scheme), Some(_)) = (scheme, authority) {
        uri = uri.scheme(scheme);
    }
    if let Some(authority) = authority {
        uri = uri.authority(authority);
    }
    if let Some(path) = path {
        uri = uri.path_and_query(path);
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::from_bytes(method.as_bytes()).ok()?;
    parts.uri = uri.build().ok()?;
    parts.version = Version::HTTP_2;
    parts.headers = headers;
    let protocol = protocol.filter(|_| parts.method == Method::CONNECT);
    Some((parts, protocol.map(str::to_owned)))
}

fn lines(headers: &HeaderMap, name: header::HeaderName) -> Vec<&[u8]> {
    let lines = headers.get_all(name).iter();
    lines.map(HeaderValue::as_bytes).collect()
}

fn passed(request: &request::Parts, protocol: Option<&str>, sent: &HeaderMap) {
    let headers = &request.headers;
    let authority = request.uri.authority().expect("an authority").as_str();
    let hosts = lines(headers, header::HOST);
    assert_eq!(hosts.len(), 1);
    if !sent.contains_key(header::HOST) {
        assert_eq!(hosts[0], authority.as_bytes());
    }
    assert_eq!(request.uri.scheme_str(), Some("https"));
    assert!(headers.get_all(header::COOKIE).iter().count() <= 1);
    let crumbs = |headers: &HeaderMap| lines(headers, header::COOKIE).join(&b"; "[..]);
    assert_eq!(crumbs(headers), crumbs(sent), "no crumb is lost or moved");
    // Nothing else was touched.
    for name in sent.keys().filter(|name| *name != header::COOKIE) {
        assert_eq!(lines(headers, name.clone()), lines(sent, name.clone()));
    }
    let told = request.extensions.get::<Protocol>();
    assert_eq!(told.map(|it| &*it.0), protocol);
    assert!(request.method != Method::CONNECT || protocol.is_some());
    let target = request.uri.path_and_query().map_or("", |it| it.as_str());
    assert!(target.len() <= TARGET && sent.len() <= FIELDS);
    reads_alike_over_http1(request, target);
    let mut again = request.clone();
    canonical(&mut again, protocol).expect("what was passed is passed again");
    assert_eq!(again.headers, request.headers);
}

/// The same said in HTTP/1.1 passes there too, but for what only one of both knows.
fn reads_alike_over_http1(request: &request::Parts, target: &str) {
    let mut text = format!("{} {target} HTTP/1.1\r\n", request.method).into_bytes();
    for (name, value) in &request.headers {
        // It tells the body's length, which HTTP/2 tells by itself, and is malformed there: h2 refuses it.
        if name == header::TRANSFER_ENCODING || name == header::UPGRADE {
            return;
        }
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    assert!(text.len() <= HEAD);
    let facts = head::examine(&text)
        .unwrap_or_else(|refusal| panic!("{refusal:?}: {:?}", String::from_utf8_lossy(&text)))
        .expect("it is whole");
    assert!(facts.body <= BACKEND_BODY);
}
