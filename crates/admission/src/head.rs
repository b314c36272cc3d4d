//! A strict reading of a raw HTTP/1.1 request head (RFC 9112), before any other parser sees it.
//!
//! What two parsers can read differently is refused: that is what request smuggling lives on. Rules are judged on every
//! call, so that a head that can never be right is refused while it is still arriving.

use http::{Method, Uri};
use memchr::memchr;

use crate::refusal::{Reason, Refusal, Stage};

/// The largest head, in bytes.
pub const HEAD: usize = 16 * 1024;
/// The most header lines.
pub const FIELDS: usize = 100;
/// The longest request target, in bytes.
pub const TARGET: usize = 8 * 1024;
/// The largest body an endpoint takes, in bytes.
pub const BODY: usize = 16 * 1024;
/// The endpoint of the application's own backend, which says more at once.
pub const BACKEND: &str = "/.wardwire/backend";
/// The largest body that one takes, in bytes.
pub const BACKEND_BODY: usize = 256 * 1024;

/// The largest body that may come with a request for this target, in bytes.
#[must_use]
pub fn largest_body(target: &[u8]) -> usize {
    match target == BACKEND.as_bytes() {
        true => BACKEND_BODY,
        false => BODY,
    }
}

/// What the head says of the bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadFacts {
    /// Of the head itself, with the empty line.
    pub length: usize,
    /// Of the body.
    pub body: usize,
    /// It asks for an upgrade.
    pub upgrade: bool,
}

/// Reads the head that `received` begins with. None while it is cut short and may still be right.
///
/// # Errors
/// The first rule it breaks, with the answer it gets.
pub fn examine(received: &[u8]) -> Result<Option<HeadFacts>, Refusal> {
    let window = received.get(..HEAD).unwrap_or(received);
    let mut facts = Facts::default();
    let mut rest = window;
    let mut number = 0_usize;
    loop {
        let Some(end) = memchr(b'\n', rest) else {
            partial_line(rest, number)?;
            return if window.len() == HEAD {
                Err(too_large(number))
            } else {
                Ok(None)
            };
        };
        let (line, after) = rest.split_at(end + 1);
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or_else(|| malformed("a line ends in bare LF"))?;
        rest = after;
        if number == 0 {
            facts.largest = largest_body(request_line(line)?);
        } else if line.is_empty() {
            return facts.conclude(window.len() - rest.len()).map(Some);
        } else if number > FIELDS {
            return Err(too_many());
        } else {
            facts.field(line)?;
        }
        number += 1;
    }
}

/// What the fields that decide about framing say.
#[derive(Default)]
struct Facts {
    hosts: usize,
    /// The body that may come.
    largest: usize,
    length: Option<usize>,
    transfer_encoding: bool,
    upgrade: bool,
}

impl Facts {
    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        {
            return Err(malformed("a folded header line"));
        }
        let colon = memchr(b':', line).ok_or_else(|| malformed("a header line without a colon"))?;
        let (name, value) = line.split_at(colon);
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(malformed("a header name that is not a token"));
        }
        let value = trim(value.strip_prefix(b":").unwrap_or_default());
        if holds_control(value) {
            return Err(malformed("a control character in a header value"));
        }
        self.framing(name, value)
    }

    fn framing(&mut self, name: &[u8], value: &[u8]) -> Result<(), Refusal> {
        if name.eq_ignore_ascii_case(b"host") {
            self.hosts += 1;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade = true;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.transfer_encoding = true;
        } else if name.eq_ignore_ascii_case(b"expect") {
            return Err(malformed("Expect is not taken"));
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() {
                return Err(malformed("Content-Length twice"));
            }
            self.length = Some(content_length(value)?);
        }
        Ok(())
    }

    fn conclude(self, length: usize) -> Result<HeadFacts, Refusal> {
        match (self.transfer_encoding, self.length) {
            (true, Some(_)) => {
                return Err(malformed("Content-Length and Transfer-Encoding together"));
            }
            (true, None) => return Err(refuse(Reason::TransferEncoding, "")),
            _ => {}
        }
        if self.hosts != 1 {
            let detail = if self.hosts == 0 {
                "no Host"
            } else {
                "Host twice"
            };
            return Err(Refusal::new(Stage::Host, Reason::BadHost).because(detail));
        }
        let body = self.length.unwrap_or(0);
        if self.upgrade && body > 0 {
            return Err(refuse(Reason::UpgradeWithBody, "a handshake with a body"));
        }
        if body > self.largest {
            return Err(refuse(Reason::BodyTooLarge, ""));
        }
        Ok(HeadFacts {
            length,
            body,
            upgrade: self.upgrade,
        })
    }
}

/// What can already be said of a line that is cut short.
fn partial_line(line: &[u8], number: usize) -> Result<(), Refusal> {
    // After the last line that there may be, the empty one may still come.
    if number > FIELDS && !b"\r".starts_with(line) {
        return Err(too_many());
    }
    let body = line.strip_suffix(b"\r").unwrap_or(line);
    if holds_control(body) {
        return Err(malformed("a control character in the head"));
    }
    if number > 0 {
        return Ok(());
    }
    let mut parts = line.splitn(3, |&byte| byte == b' ');
    let method = parts.next().unwrap_or_default();
    if method.len() > 32 || !method.iter().copied().all(is_token) {
        return Err(malformed("the method is not a token"));
    }
    match parts.next() {
        Some(target) if target.len() > TARGET => Err(refuse(Reason::TargetTooLong, "")),
        _ => Ok(()),
    }
}

/// `METHOD SP target SP HTTP/1.1` (RFC 9112 §3). Returns the target.
fn request_line(line: &[u8]) -> Result<&[u8], Refusal> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("the request line has not three parts"));
    };
    if target.len() > TARGET {
        return Err(refuse(Reason::TargetTooLong, ""));
    }
    if method.len() > 32 || Method::from_bytes(method).is_err() {
        return Err(malformed("the method is not a token"));
    }
    graphic_target(target)?;
    // hyper reads the target so, and would refuse what it cannot read by an answer that no audit log knows of.
    if Uri::try_from(target).is_err() {
        return Err(malformed("the target is no URI"));
    }
    if version != b"HTTP/1.1" {
        return Err(malformed("not HTTP/1.1"));
    }
    Ok(target)
}

/// Whatever is outside of ASCII is escaped (RFC 3986 §2), and a fragment is never sent (RFC 9112 §3.2): who reads on and who
/// does not would see two targets.
pub(crate) fn graphic_target(target: &[u8]) -> Result<(), Refusal> {
    let graphic = |&byte: &u8| byte.is_ascii_graphic() && byte != b'#';
    if target.is_empty() || !target.iter().all(graphic) {
        return Err(malformed("the target holds what no target holds"));
    }
    Ok(())
}

/// Digits, and not too many (RFC 9112 §6.3): no sign, no list.
fn content_length(value: &[u8]) -> Result<usize, Refusal> {
    let digits = !value.is_empty() && value.len() <= 12 && value.iter().all(u8::is_ascii_digit);
    digits
        .then(|| std::str::from_utf8(value).ok()?.parse().ok())
        .flatten()
        .ok_or_else(|| malformed("Content-Length is not one number"))
}

/// Optional white space is space and tab (RFC 9110 §5.6.3); `trim_ascii` would hide a bare CR or a form feed.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A control character other than a tab. Looks at all of it, so that it is done many bytes at a time.
fn holds_control(text: &[u8]) -> bool {
    let found = |found, &byte: &u8| found | (is_control(byte) && byte != b'\t');
    text.iter().fold(false, found)
}

fn is_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7F
}

fn refuse(reason: Reason, detail: &str) -> Refusal {
    Refusal::new(Stage::Head, reason).because(detail)
}

fn malformed(detail: &str) -> Refusal {
    refuse(Reason::MalformedHead, detail)
}

fn too_many() -> Refusal {
    refuse(Reason::HeadTooLarge, "over 100 header lines")
}

fn too_large(number: usize) -> Refusal {
    if number == 0 {
        refuse(Reason::TargetTooLong, "")
    } else {
        refuse(Reason::HeadTooLarge, "")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(head: &str) -> Reason {
        examine(head.as_bytes()).unwrap_err().reason
    }

    const GOOD: &str = "GET /live HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";

    #[test]
    fn a_good_head_is_measured() {
        let facts = examine(format!("{GOOD}rest").as_bytes()).unwrap().unwrap();
        assert_eq!(
            facts,
            HeadFacts {
                length: GOOD.len(),
                body: 0,
                upgrade: true
            }
        );
        let post = "POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n";
        assert_eq!(examine(post.as_bytes()).unwrap().unwrap().body, 12);
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
            "X: a\r\n b\r\n",
            "X : a\r\n",
            " X: a\r\n",
            "X\r\n",
            ": a\r\n",
            "X: a\rb\r\n",
            "X: a\r\r\n",
            "X:\ra\r\n",
            "X: a\x0c\r\n",
            "Content-Length:\x0c1\r\n",
            "X: a\0b\r\n",
            "X: a\nY: b\r\n",
            "X: \x1b[31m\r\n",
            "Expect: 100-continue\r\n",
        ] {
            let head = format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
            assert_eq!(reason(&head), Reason::MalformedHead, "{fields:?}");
        }
        assert_eq!(
            reason("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xyz\r\n\r\n"),
            Reason::TransferEncoding
        );
    }

    #[test]
    fn request_lines_are_exact() {
        for line in [
            "GET  /x HTTP/1.1",
            "GET /x",
            "GET /x HTTP/1.0",
            "GET /x HTTP/2.0",
            "GET /x http/1.1",
            "G(T /x HTTP/1.1",
            "GET /\u{e9} HTTP/1.1",
            "GET\t/x HTTP/1.1",
            "",
            "GET /a b HTTP/1.1",
            "GET /a#b HTTP/1.1",
        ] {
            assert_eq!(
                reason(&format!("{line}\r\nHost: a\r\n\r\n")),
                Reason::MalformedHead,
                "{line}"
            );
        }
        assert_eq!(
            reason("GET /x HTTP/1.1\nHost: a\n\n"),
            Reason::MalformedHead
        );
    }

    #[test]
    fn a_target_that_hyper_could_not_read_is_refused_here() {
        for target in ["/a`b", "/<script>", "http://", "a:b:c", "/a?<"] {
            assert_eq!(
                reason(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")),
                Reason::MalformedHead,
                "{target}"
            );
        }
    }

    #[test]
    fn a_host_stands_exactly_once() {
        for (fields, why) in [("", "no Host"), ("Host: a\r\nhost: a\r\n", "Host twice")] {
            let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
            let refusal = examine(head.as_bytes()).unwrap_err();
            assert_eq!(refusal.reason, Reason::BadHost);
            assert_eq!(refusal.detail, why);
        }
    }

    #[test]
    fn sizes_are_bounded_also_while_the_head_still_arrives() {
        let long = format!("GET /{}", "x".repeat(TARGET));
        assert_eq!(reason(&long), Reason::TargetTooLong);
        let many = format!("GET / HTTP/1.1\r\n{}", "X: y\r\n".repeat(FIELDS + 1));
        assert_eq!(reason(&many), Reason::HeadTooLarge);
        let large = format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(HEAD));
        assert_eq!(reason(&large), Reason::HeadTooLarge);
        assert_eq!(
            reason("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n"),
            Reason::BodyTooLarge
        );
    }

    /// What is exactly as much as may be is taken, one more is not; for whole heads and for those that still arrive.
    #[test]
    fn bounds_are_exact() {
        let rest = "HTTP/1.1\r\nHost: a\r\n\r\n";
        let target = |length: usize| format!("GET /{} ", "x".repeat(length - 1));
        let method = |length: usize| format!("{} /x ", "M".repeat(length));
        for (fits, over, why) in [
            (target(TARGET), target(TARGET + 1), Reason::TargetTooLong),
            (method(32), method(33), Reason::MalformedHead),
        ] {
            assert_eq!(examine(fits.as_bytes()), Ok(None));
            assert!(examine(format!("{fits}{rest}").as_bytes()).is_ok_and(|it| it.is_some()));
            assert_eq!(reason(&over), why);
            assert_eq!(reason(&format!("{over}{rest}")), why);
        }
        let fields = |count: usize| {
            let more = "X: y\r\n".repeat(count - 1);
            format!("GET / HTTP/1.1\r\nHost: a\r\n{more}")
        };
        let last = format!("{}X: y", fields(FIELDS - 1));
        for begun in [last, fields(FIELDS), format!("{}\r", fields(FIELDS))] {
            assert_eq!(examine(begun.as_bytes()), Ok(None));
        }
        let whole = format!("{}\r\n", fields(FIELDS));
        assert!(examine(whole.as_bytes()).is_ok_and(|it| it.is_some()));
        for more in ["X", "X: y\r\n", "X: y\r\n\r\n"] {
            let over = format!("{}{more}", fields(FIELDS));
            assert_eq!(reason(&over), Reason::HeadTooLarge, "{more:?}");
        }
        let line = format!("GET /x {}", "y".repeat(HEAD));
        assert_eq!(
            reason(&line),
            Reason::TargetTooLong,
            "a first line without end"
        );
    }

    /// Operators and clients are told these.
    #[test]
    fn bounds_are_those_that_are_written_down() {
        assert_eq!((HEAD, FIELDS), (16_384, 100));
        assert_eq!((TARGET, BODY), (8192, 16_384));
    }

    #[test]
    fn a_body_is_as_long_as_its_digits_say() {
        let head =
            |length: &str| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:{length}\r\n\r\n");
        let body = |length: &str| examine(head(length).as_bytes()).unwrap().unwrap().body;
        assert_eq!(body("\t12 \t"), 12, "white space around it is none of it");
        assert_eq!(body(&BODY.to_string()), BODY);
        assert_eq!(reason(&head(&(BODY + 1).to_string())), Reason::BodyTooLarge);
        assert_eq!(reason(&head("999999999999")), Reason::BodyTooLarge);
        assert_eq!(reason(&head("0000000000001")), Reason::MalformedHead);
    }

    #[test]
    fn a_line_that_can_never_be_right_is_not_waited_for() {
        for begun in [
            "G(",
            "GET\0",
            "GET /x HTTP/1.1\r\nX: a\x7f",
            "GET /x HTTP/1.1\r\nX: a\rb",
        ] {
            assert_eq!(reason(begun), Reason::MalformedHead, "{begun:?}");
        }
        assert_eq!(
            examine(b"GET /x HTTP/1.1\r\nX: a\tb"),
            Ok(None),
            "a tab is none"
        );
    }

    #[test]
    fn control_characters_are_in_no_value_but_for_tabs() {
        let head = |value: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n");
        assert!(examine(head("a\tb c").as_bytes()).is_ok_and(|it| it.is_some()));
        for value in ["a\x7fb", "a\x01b", "a\x1fb", "a\x01\x01b"] {
            assert_eq!(reason(&head(value)), Reason::MalformedHead, "{value:?}");
        }
    }

    #[test]
    fn a_handshake_brings_no_body() {
        let head = GOOD.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n");
        assert_eq!(reason(&head), Reason::UpgradeWithBody);
    }

    proptest! {
        #[test]
        fn a_good_head_is_never_refused_while_it_arrives(at: prop::sample::Index) {
            let cut = at.index(GOOD.len());
            prop_assert_eq!(examine(&GOOD.as_bytes()[..cut]), Ok(None));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, line in "[ -~\r\n]{0,80}") {
            let _ = examine(&bytes);
            let _ = examine(format!("GET / HTTP/1.1\r\n{line}\r\n\r\n").as_bytes());
        }
    }
}
