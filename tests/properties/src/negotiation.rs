//! The opening handshake (RFC 6455 §4, RFC 8441 §5): an offer that is taken keeps to every rule, and has one meaning.
//!
//! An input is a line with method, version and, over HTTP/2, `:protocol`; then header lines.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Version, header, request,
};
use wardwire_protocol::handshake::{Offer, OfferError, Protocol, is_accepted, request_head};

/// True if the offer was taken.
pub fn check(input: &[u8]) -> bool {
    let (line, rest) = match input.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let request = request(line, crate::header_lines(rest));
    let offer = Offer::parse(&request);
    match &offer {
        Ok(offer) => taken(offer, &request),
        Err(error) => refused(*error, &request),
    }
    meaning_is_kept(&offer, &request);
    offer.is_ok()
}

fn request(line: &[u8], headers: HeaderMap) -> request::Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    let mut words = line.split(|&byte| byte == b' ');
    parts.method = Method::from_bytes(words.next().unwrap_or_default()).unwrap_or_default();
    parts.version = match words.next() {
        Some(b"HTTP/1.0") => Version::HTTP_10,
        Some(b"HTTP/2") => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    if let Some(protocol) = words.next().and_then(|it| std::str::from_utf8(it).ok()) {
        parts.extensions.insert(Protocol(protocol.into()));
    }
    parts.headers = headers;
    parts
}

/// The values of a list, over all of its lines (RFC 9110 §5.6.1).
fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    let texts = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
    texts
        .flat_map(|line| {
            line.split(',')
                .map(|item| item.trim().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    listed(headers, name)
        .iter()
        .any(|item| item.eq_ignore_ascii_case(wanted))
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).iter();
    let first = lines.next()?;
    lines.next().is_none().then(|| first.as_bytes())
}

/// Every rule of RFC 6455 §4.2.1 or RFC 8441 §5 holds, the subprotocols are those that stand there, and the answer is
/// exact.
fn taken(offer: &Offer, request: &request::Parts) {
    let headers = &request.headers;
    let nonce = match request.version {
        Version::HTTP_2 => {
            connected(request);
            None
        }
        _ => Some(upgraded(request)),
    };
    assert_eq!(
        single(headers, &header::SEC_WEBSOCKET_VERSION),
        Some(&b"13"[..])
    );
    let offered: Vec<_> = offer
        .subprotocols
        .iter()
        .map(|name| name.to_string())
        .collect();
    assert_eq!(offered, listed(headers, &header::SEC_WEBSOCKET_PROTOCOL));
    assert!(offered.len() <= 16 && offered.concat().len() <= 8 * 1024);
    for (at, name) in offered.iter().enumerate() {
        assert!(
            HeaderName::from_bytes(name.as_bytes()).is_ok(),
            "a token: {name:?}"
        );
        assert!(!offered[..at].contains(name), "twice: {name:?}");
    }

    for selected in [None, Some("wardwire.v1")] {
        let answer = offer.answer(selected, None);
        let accept = answer.get(header::SEC_WEBSOCKET_ACCEPT);
        let accept = accept.map(|it| it.to_str().unwrap());
        assert_eq!(accept.is_some(), nonce.is_some());
        if let (Some(accept), Some(nonce)) = (accept, nonce) {
            assert!(is_accepted(nonce, accept) && !is_accepted([nonce[0] ^ 1; 16], accept));
        }
        let protocol = answer.get(header::SEC_WEBSOCKET_PROTOCOL);
        assert_eq!(
            protocol.map(HeaderValue::as_bytes),
            selected.map(str::as_bytes)
        );
        // No extension is answered of its own accord, and a credential among the subprotocols is never repeated.
        let of_upgrade = if nonce.is_some() { 3 } else { 0 };
        assert_eq!(answer.len(), of_upgrade + usize::from(selected.is_some()));
    }
    if let Some(nonce) = nonce {
        spoken_again(offer, nonce);
    }
}

fn connected(request: &request::Parts) {
    assert_eq!(request.method, Method::CONNECT);
    let Protocol(protocol) = request.extensions.get().expect("a :protocol");
    assert!(protocol.eq_ignore_ascii_case("websocket"));
}

/// Returns the nonce.
fn upgraded(request: &request::Parts) -> [u8; 16] {
    let headers = &request.headers;
    assert_eq!(
        (&request.method, request.version),
        (&Method::GET, Version::HTTP_11)
    );
    assert!(names(headers, &header::UPGRADE, "websocket"));
    assert!(names(headers, &header::CONNECTION, "upgrade"));
    let key = single(headers, &header::SEC_WEBSOCKET_KEY).expect("one key");
    let nonce: [u8; 16] = STANDARD.decode(key).unwrap().try_into().expect("16 bytes");
    assert_eq!(
        STANDARD.encode(nonce).as_bytes(),
        key,
        "a key has one spelling"
    );
    nonce
}

/// A client that offers the same by [`request_head`] is understood in the same way.
fn spoken_again(offer: &Offer, nonce: [u8; 16]) {
    let list = offer.subprotocols.join(", ");
    let field = ("Sec-WebSocket-Protocol", list.as_str());
    let fields = if list.is_empty() {
        &[][..]
    } else {
        std::slice::from_ref(&field)
    };
    let head = request_head("app.example.com", "/live", nonce, fields);
    let lines = head.split_once("\r\n").expect("a request line").1;
    let again = Offer::parse(&request(
        b"GET HTTP/1.1",
        crate::header_lines(lines.as_bytes()),
    ));
    let mut again = again.expect("what we offer is an offer");
    // It offers no extension.
    assert_eq!(again.deflate, None);
    again.deflate = offer.deflate;
    assert_eq!(again, *offer);
}

/// A refusal names the first rule that is broken, and it is.
fn refused(error: OfferError, request: &request::Parts) {
    let headers = &request.headers;
    let version = single(headers, &header::SEC_WEBSOCKET_VERSION);
    let broken = match error {
        OfferError::Method if request.version == Version::HTTP_2 => {
            request.method != Method::CONNECT || request.extensions.get::<Protocol>().is_none()
        }
        OfferError::Method => request.method != Method::GET,
        OfferError::HttpVersion => request.version != Version::HTTP_11,
        OfferError::Protocol => {
            let Protocol(protocol) = request.extensions.get().expect("a :protocol");
            !protocol.eq_ignore_ascii_case("websocket")
        }
        OfferError::Upgrade => !ascii_names(headers, &header::UPGRADE, "websocket"),
        OfferError::Connection => !ascii_names(headers, &header::CONNECTION, "upgrade"),
        OfferError::Version => version != Some(b"13"),
        OfferError::Key => single(headers, &header::SEC_WEBSOCKET_KEY)
            .is_none_or(|key| !STANDARD.decode(key).is_ok_and(|key| key.len() == 16)),
        OfferError::Subprotocols => {
            let list = listed(headers, &header::SEC_WEBSOCKET_PROTOCOL);
            let token = |name: &String| HeaderName::from_bytes(name.as_bytes()).is_ok();
            let mut distinct = list.clone();
            distinct.sort();
            distinct.dedup();
            list.len() > 16
                || list.concat().len() > 8 * 1024
                || distinct.len() < list.len()
                || !list.iter().all(token)
        }
        OfferError::Extensions => !plain_extensions(headers),
    };
    assert!(broken, "{error}: {request:?}");
    let status = match error {
        OfferError::Method => StatusCode::METHOD_NOT_ALLOWED,
        OfferError::Version => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    };
    assert_eq!(error.status(), status);
}

/// Whether the extensions are a short list without quotes, of which every name and value is a token (RFC 6455 §9.1).
fn plain_extensions(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS);
    let lines: Option<Vec<_>> = lines.iter().map(|line| line.to_str().ok()).collect();
    let Some(lines) = lines else {
        return false;
    };
    let token = |name: &str| HeaderName::from_bytes(name.trim().as_bytes()).is_ok();
    let parameter = |it: &str| match it.split_once('=') {
        Some((name, value)) => token(name) && token(value),
        None => token(it),
    };
    let extension = |it: &&str| {
        let mut parts = it.split(';');
        parts.next().is_some_and(token) && parts.clone().count() <= 16 && parts.all(parameter)
    };
    let extensions: Vec<_> = lines.iter().flat_map(|line| line.split(',')).collect();
    extensions.len() <= 16 && extensions.iter().all(extension)
}

/// As [`names`], of lines that are ASCII: others are passed over.
fn ascii_names(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    let mut ascii = HeaderMap::new();
    for line in headers
        .get_all(name)
        .iter()
        .filter(|line| line.to_str().is_ok())
    {
        ascii.append(name, line.clone());
    }
    names(&ascii, name, wanted)
}

/// A list over several lines is the same list in one (RFC 9110 §5.3), and fields of other names change nothing.
fn meaning_is_kept(offer: &Result<Offer, OfferError>, request: &request::Parts) {
    let mut other = request.clone();
    for name in [
        header::UPGRADE,
        header::CONNECTION,
        header::SEC_WEBSOCKET_PROTOCOL,
    ] {
        let lines: Vec<_> = request
            .headers
            .get_all(&name)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        // One line that is not ASCII would take the others with it.
        if lines.len() > 1 && lines.iter().all(|line| line.iter().all(u8::is_ascii)) {
            let joined =
                HeaderValue::from_bytes(&lines.join(&b", "[..])).expect("values, and commas");
            other.headers.insert(&name, joined);
        }
    }
    other
        .headers
        .insert("x-other", HeaderValue::from_static("websocket, upgrade"));
    assert_eq!(Offer::parse(&other), *offer);
}
