//! The opening handshake over HTTP/1.1 (RFC 6455 §4) and over HTTP/2 (RFC 8441): what a client offers, and what a server
//! answers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request};
use sha1::{Digest as _, Sha1};

use crate::deflate::{self, Terms};

/// What a client offers, in a request that is a WebSocket handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    way: Way,
    /// In the client's order, without duplicates; credentials among them are not yet judged.
    pub subprotocols: Vec<Box<str>>,
    /// The first way of deflating messages that we could go along with (RFC 7692).
    pub deflate: Option<Terms>,
}

/// How the connection becomes a socket's.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// All of an HTTP/1.1 connection, which the server confirms with this (RFC 6455 §4.2.2).
    Upgrade(HeaderValue),
    /// One stream of an HTTP/2 connection. There is nothing to confirm: `:protocol` stands for key and answer (RFC 8441 §5).
    Connect,
}

/// What `:protocol` names in an extended CONNECT (RFC 8441 §4), as an extension of the request's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol(pub Box<str>);

/// Why a request is not a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// RFC 6455 §4.1: the method is GET; RFC 8441 §4: over HTTP/2 it is CONNECT, with a `:protocol`.
    #[error("the method of a handshake is GET, and over HTTP/2 an extended CONNECT")]
    Method,
    /// RFC 6455 §4.1: at least HTTP/1.1.
    #[error("a handshake is made over HTTP/1.1 or HTTP/2")]
    HttpVersion,
    /// RFC 8441 §5: `:protocol` is `websocket`.
    #[error(":protocol is not websocket")]
    Protocol,
    /// RFC 6455 §4.2.1: `Upgrade: websocket`.
    #[error("Upgrade does not name websocket")]
    Upgrade,
    /// RFC 6455 §4.2.1: `Connection: Upgrade`.
    #[error("Connection does not name upgrade")]
    Connection,
    /// RFC 6455 §4.2.1: version 13, once.
    #[error("Sec-WebSocket-Version is not 13")]
    Version,
    /// RFC 6455 §4.2.1: one key of 16 bytes in base64.
    #[error("Sec-WebSocket-Key is not one base64 value of 16 bytes")]
    Key,
    /// RFC 6455 §4.1: distinct tokens; at most 16 of them, 8 KiB in all.
    #[error("Sec-WebSocket-Protocol is not a list of at most 16 distinct tokens")]
    Subprotocols,
    /// RFC 6455 §9.1: a list of extensions; at most 16 of them, with 16 parameters each.
    #[error("Sec-WebSocket-Extensions is not a list of at most 16 extensions")]
    Extensions,
}

impl OfferError {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Version => StatusCode::UPGRADE_REQUIRED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Appended to the key before hashing (RFC 6455 §1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const SUBPROTOCOLS: usize = 16;
const SUBPROTOCOL_BYTES: usize = 8 * 1024;

impl Offer {
    /// Reads the offer in a request's head. One of HTTP/2 has [`Protocol`] among its extensions.
    ///
    /// # Errors
    /// The first rule of RFC 6455 §4.2.1 or RFC 8441 §5 that the request breaks.
    pub fn parse(request: &request::Parts) -> Result<Self, OfferError> {
        let headers = &request.headers;
        let way = match request.version {
            Version::HTTP_2 => connect(request)?,
            _ => upgrade(request)?,
        };
        Ok(Self {
            way,
            subprotocols: subprotocols(headers)?,
            deflate: deflate::choose(headers).map_err(|_| OfferError::Extensions)?,
        })
    }

    /// Whether this subprotocol is among what is offered.
    #[must_use]
    pub fn offers(&self, name: &str) -> bool {
        self.subprotocols.iter().any(|it| **it == *name)
    }

    /// The status of the answer that opens the socket.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.way {
            Way::Upgrade(_) => StatusCode::SWITCHING_PROTOCOLS,
            Way::Connect => StatusCode::OK,
        }
    }

    /// The headers of that answer, with the subprotocol that was selected and the terms on which messages are deflated.
    ///
    /// INVARIANT: a browser fails a socket of which none of the offered subprotocols was selected.
    #[must_use]
    pub fn answer(&self, selected: Option<&'static str>, deflate: Option<Terms>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(5);
        if let Way::Upgrade(accept) = &self.way {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
        }
        if let Some(selected) = selected {
            headers.insert(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(selected),
            );
        }
        if let Some(terms) = deflate {
            headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, terms.answer());
        }
        headers
    }
}

/// RFC 6455 §4.2.1.
fn upgrade(request: &request::Parts) -> Result<Way, OfferError> {
    let headers = &request.headers;
    if request.method != Method::GET {
        return Err(OfferError::Method);
    }
    if request.version != Version::HTTP_11 {
        return Err(OfferError::HttpVersion);
    }
    if !lists(headers, &header::UPGRADE, "websocket") {
        return Err(OfferError::Upgrade);
    }
    if !lists(headers, &header::CONNECTION, "upgrade") {
        return Err(OfferError::Connection);
    }
    version(headers)?;
    let key = one(headers, &header::SEC_WEBSOCKET_KEY)
        .filter(|key| is_key(key))
        .ok_or(OfferError::Key)?;
    Ok(Way::Upgrade(accept(key.as_bytes())))
}

/// RFC 8441 §5. A key that an HTTP/1.1 proxy passed on is not looked at, as it says there.
fn connect(request: &request::Parts) -> Result<Way, OfferError> {
    let protocol = request.extensions.get::<Protocol>();
    let (&Method::CONNECT, Some(Protocol(protocol))) = (&request.method, protocol) else {
        return Err(OfferError::Method);
    };
    if !protocol.eq_ignore_ascii_case("websocket") {
        return Err(OfferError::Protocol);
    }
    version(&request.headers)?;
    Ok(Way::Connect)
}

fn version(headers: &HeaderMap) -> Result<(), OfferError> {
    match one(headers, &header::SEC_WEBSOCKET_VERSION) {
        Some("13") => Ok(()),
        _ => Err(OfferError::Version),
    }
}

/// The head of a client's handshake. `nonce` must be fresh and random; `fields` are further header lines.
#[must_use]
pub fn request_head(host: &str, target: &str, nonce: [u8; 16], fields: &[(&str, &str)]) -> String {
    let key = STANDARD.encode(nonce);
    let mut head = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    );
    for (name, value) in fields {
        head.extend([*name, ": ", *value, "\r\n"]);
    }
    head.push_str("\r\n");
    head
}

/// Whether a server's `Sec-WebSocket-Accept` answers the nonce of [`request_head`] (RFC 6455 §4.1).
#[must_use]
pub fn is_accepted(nonce: [u8; 16], answer: &str) -> bool {
    accept(STANDARD.encode(nonce).as_bytes()) == answer
}

#[expect(clippy::expect_used, reason = "base64 is ASCII")]
fn accept(key: &[u8]) -> HeaderValue {
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is a header value")
}

/// Canonical base64 of 16 bytes: what decodes and encodes to itself.
fn is_key(text: &str) -> bool {
    text.len() == 24
        && STANDARD
            .decode(text)
            .is_ok_and(|key| key.len() == 16 && STANDARD.encode(key) == text)
}

/// The value of a header that stands exactly once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut lines = headers.get_all(name).iter();
    let value = lines.next()?;
    lines
        .next()
        .is_none()
        .then(|| value.to_str().ok())
        .flatten()
}

/// Whether a list header names `wanted`, in any case.
fn lists(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(wanted))
}

fn subprotocols(headers: &HeaderMap) -> Result<Vec<Box<str>>, OfferError> {
    let mut found: Vec<Box<str>> = Vec::new();
    let mut bytes = 0;
    for line in headers.get_all(header::SEC_WEBSOCKET_PROTOCOL) {
        let line = line.to_str().map_err(|_| OfferError::Subprotocols)?;
        for token in line.split(',').map(|item| item.trim_matches([' ', '\t'])) {
            bytes += token.len();
            let fits = found.len() < SUBPROTOCOLS && bytes <= SUBPROTOCOL_BYTES;
            if !fits || !is_token(token) || found.iter().any(|other| **other == *token) {
                return Err(OfferError::Subprotocols);
            }
            found.push(token.into());
        }
    }
    Ok(found)
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn parse(change: impl FnOnce(&mut Request<()>)) -> Result<Offer, OfferError> {
        let mut request = Request::get("/live")
            .header("upgrade", "websocket")
            .header("connection", "keep-alive, Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY)
            .body(())
            .unwrap();
        change(&mut request);
        Offer::parse(&request.into_parts().0)
    }

    fn set(name: &'static str, value: &'static str) -> Result<Offer, OfferError> {
        parse(|request| {
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        })
    }

    #[test]
    fn the_rfcs_own_example_is_answered_as_it_says() {
        let offer = set("sec-websocket-protocol", "chat, superchat").unwrap();
        assert_eq!(offer.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(
            offer.answer(None, None)["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(offer.subprotocols, ["chat".into(), "superchat".into()]);
    }

    #[test]
    fn each_rule_of_the_handshake_is_judged() {
        assert_eq!(
            parse(|it| *it.method_mut() = Method::POST),
            Err(OfferError::Method)
        );
        assert_eq!(
            parse(|it| *it.version_mut() = Version::HTTP_10),
            Err(OfferError::HttpVersion)
        );
        assert_eq!(set("upgrade", "h2c"), Err(OfferError::Upgrade));
        assert_eq!(set("connection", "close"), Err(OfferError::Connection));
        assert_eq!(set("sec-websocket-version", "8"), Err(OfferError::Version));
        for key in [
            "",
            "dGhlIHNhbXBsZQ==",
            "dGhlIHNhbXBsZSBub25jZR==",
            "dGhlIHNhbXBsZSBub25jZSE=",
            "dGhlIHNhbXBsZSBub25jZSEh",
            "not base64 at all!!!!!!!",
        ] {
            assert_eq!(set("sec-websocket-key", key), Err(OfferError::Key), "{key}");
        }
        for list in ["a, a", "a,,b", "a b", "(a)", ""] {
            assert_eq!(
                set("sec-websocket-protocol", list),
                Err(OfferError::Subprotocols),
                "{list}"
            );
        }
    }

    fn connect(change: impl FnOnce(&mut Request<()>)) -> Result<Offer, OfferError> {
        let mut request = Request::connect("https://localhost/live")
            .version(Version::HTTP_2)
            .extension(Protocol("websocket".into()))
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "chat")
            .body(())
            .unwrap();
        change(&mut request);
        Offer::parse(&request.into_parts().0)
    }

    #[test]
    fn an_extended_connect_is_answered_with_200_and_confirms_no_key() {
        let offer = connect(|_| {}).unwrap();
        assert_eq!(offer.status(), StatusCode::OK);
        let answer = offer.answer(Some("chat"), None);
        assert_eq!(answer["sec-websocket-protocol"], "chat");
        assert_eq!(answer.len(), 1, "nothing that HTTP/2 forbids");
    }

    #[test]
    fn each_rule_of_an_extended_connect_is_judged() {
        let plain = |it: &mut Request<()>| drop(it.extensions_mut().remove::<Protocol>());
        assert_eq!(connect(plain), Err(OfferError::Method));
        let get = |it: &mut Request<()>| *it.method_mut() = Method::GET;
        assert_eq!(connect(get), Err(OfferError::Method));
        let other = |it: &mut Request<()>| {
            it.extensions_mut().insert(Protocol("connect-udp".into()));
        };
        assert_eq!(connect(other), Err(OfferError::Protocol));
        let old = |it: &mut Request<()>| {
            it.headers_mut()
                .insert("sec-websocket-version", HeaderValue::from_static("8"));
        };
        assert_eq!(connect(old), Err(OfferError::Version));
    }

    #[test]
    fn what_makes_a_handshake_over_the_one_makes_none_over_the_other() {
        let upgrade = |it: &mut Request<()>| *it.version_mut() = Version::HTTP_2;
        assert_eq!(parse(upgrade), Err(OfferError::Method));
        let connect = connect(|it| *it.version_mut() = Version::HTTP_11);
        assert_eq!(connect, Err(OfferError::Method));
    }

    #[test]
    fn sixteen_subprotocols_are_taken_and_eight_kilobytes_of_them() {
        let offered = |list: &str| {
            let value = HeaderValue::from_str(list).unwrap();
            let offer = parse(|it| {
                it.headers_mut().insert("sec-websocket-protocol", value);
            });
            offer.map(|offer| offer.subprotocols.len())
        };
        let names = |count: usize| (0..count).map(|at| format!("p{at}")).collect::<Vec<_>>();
        assert_eq!(offered(&names(16).join(",")), Ok(16));
        assert_eq!(offered(&names(17).join(",")), Err(OfferError::Subprotocols));
        let (first, second) = ("a".repeat(4096), "b".repeat(4096));
        assert_eq!(offered(&format!("{first},{second}")), Ok(2));
        assert_eq!(
            offered(&format!("{first},{second}b")),
            Err(OfferError::Subprotocols)
        );
        assert_eq!(
            offered(&format!("{first},{second},c")),
            Err(OfferError::Subprotocols)
        );
    }

    /// RFC 9110 §15.5.6 and §15.5.22; RFC 6455 §4.2.2 has the 426.
    #[test]
    fn a_refusal_has_the_status_of_its_rule() {
        assert_eq!(OfferError::Method.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(OfferError::Version.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(OfferError::Key.status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn an_answer_names_what_was_selected_and_nothing_else() {
        let offer = set("sec-websocket-protocol", "chat").unwrap();
        let plain = offer.answer(None, None);
        assert_eq!(plain["upgrade"], "websocket");
        assert_eq!(plain["connection"], "Upgrade");
        assert_eq!(plain.len(), 3);
        let selected = offer.answer(Some("chat"), None);
        assert_eq!(selected["sec-websocket-protocol"], "chat");
        assert_eq!(selected.len(), 4);
    }

    #[test]
    fn a_request_is_a_head_with_the_fields_that_were_asked_for() {
        let fields = [
            ("Origin", "https://app.example"),
            ("Authorization", "Bearer x"),
        ];
        let head = request_head("a:1", "/live", *b"the sample nonce", &fields);
        let wanted = format!(
            "GET /live HTTP/1.1\r\nHost: a:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\
             Origin: https://app.example\r\nAuthorization: Bearer x\r\n\r\n"
        );
        assert_eq!(head, wanted);
    }

    #[test]
    fn a_doubled_key_or_version_is_refused() {
        let key = |it: &mut Request<()>| {
            it.headers_mut()
                .append("sec-websocket-key", HeaderValue::from_static(KEY));
        };
        assert_eq!(parse(key), Err(OfferError::Key));
        let version = |it: &mut Request<()>| {
            it.headers_mut()
                .append("sec-websocket-version", HeaderValue::from_static("13"));
        };
        assert_eq!(parse(version), Err(OfferError::Version));
    }

    #[test]
    fn a_client_knows_the_answer_to_its_own_nonce() {
        let nonce = *b"the sample nonce";
        assert!(request_head("localhost", "/", nonce, &[]).contains(KEY));
        assert!(is_accepted(nonce, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert!(!is_accepted([0; 16], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
}
