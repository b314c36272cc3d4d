//! A strict reading of an HTTP/2 request (RFC 9113 §8), which makes it look to every later stage as one of HTTP/1.1 does
//! that [`head`](crate::head) has passed.
//!
//! Whoever decodes the frames has refused what is malformed by itself: names in upper case, control characters, fields of
//! a connection, pseudo-header fields that are missing, doubled or out of place. Here is judged what is left to the
//! application, with the bounds of an HTTP/1.1 head.

use http::{
    HeaderMap, HeaderValue, Method,
    header::{self, Entry},
    request,
    uri::Scheme,
};
use wardwire_protocol::handshake::Protocol;

use crate::{
    head::{FIELDS, HEAD, TARGET, graphic_target, largest_body},
    refusal::{Reason, Refusal, Stage},
};

/// Judges a request's fields, and brings them into the form in which the stages of [`admit`](crate::admit) read them: a
/// `Host` for its `:authority`, one `Cookie` for its crumbs, [`Protocol`] for its `:protocol`.
///
/// # Errors
/// The first rule it breaks, with the answer it gets.
pub fn canonical(head: &mut request::Parts, protocol: Option<&str>) -> Result<(), Refusal> {
    sizes(head)?;
    target(head, protocol)?;
    framing(head)?;
    host(head)?;
    cookies(&mut head.headers)?;
    if let Some(protocol) = protocol {
        head.extensions.insert(Protocol(protocol.into()));
    }
    Ok(())
}

/// As if each field stood on a line of its own.
fn sizes(head: &request::Parts) -> Result<(), Refusal> {
    let target = head.uri.path_and_query().map_or(0, |it| it.as_str().len());
    if target > TARGET {
        return Err(refuse(Reason::TargetTooLong, ""));
    }
    if head.headers.len() > FIELDS {
        return Err(refuse(Reason::HeadTooLarge, "over 100 header fields"));
    }
    let line = |(name, value): (&header::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    let fields: usize = head.headers.iter().map(line).sum();
    let authority = head.uri.authority().map_or(0, |it| it.as_str().len());
    if target + authority + fields > HEAD {
        return Err(refuse(Reason::HeadTooLarge, ""));
    }
    Ok(())
}

fn target(head: &request::Parts, protocol: Option<&str>) -> Result<(), Refusal> {
    if head.method.as_str().len() > 32 {
        return Err(malformed("a method that nobody has"));
    }
    // A tunnel (RFC 9113 §8.5) names no path that could lead anywhere.
    if head.method == Method::CONNECT && protocol.is_none() {
        return Err(refuse(
            Reason::MethodNotAllowed,
            "CONNECT without :protocol",
        ));
    }
    if head.uri.authority().is_none() {
        return Err(bad_host("no :authority"));
    }
    if head.uri.scheme() != Some(&Scheme::HTTPS) {
        return Err(malformed(":scheme is not https"));
    }
    // Not `Uri::path`, which sees a "/" where there is none, as in "?x".
    let target = head.uri.path_and_query().map_or("", |it| it.as_str());
    let asterisk = head.method == Method::OPTIONS && target == "*";
    if !target.starts_with('/') && !asterisk {
        return Err(malformed(":path is no path"));
    }
    // Nor is all ASCII that `http` takes.
    graphic_target(target.as_bytes())
}

/// What says how long the request is. Its end is told by HTTP/2 itself, and must not be told differently here.
fn framing(head: &request::Parts) -> Result<(), Refusal> {
    if head.headers.contains_key(header::EXPECT) {
        return Err(malformed("Expect is not taken"));
    }
    let mut lengths = head.headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        return Ok(());
    };
    if lengths.next().is_some() {
        return Err(malformed("Content-Length twice"));
    }
    let digits = |text: &&str| (1..=12).contains(&text.len()) && is_number(text);
    let length = length.to_str().ok().filter(digits);
    let length: usize = length
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| malformed("Content-Length is not one number"))?;
    if length > 0 && head.method == Method::CONNECT {
        return Err(refuse(Reason::UpgradeWithBody, "a handshake with a body"));
    }
    if length > largest_body(asked(head).as_bytes()) {
        return Err(refuse(Reason::BodyTooLarge, ""));
    }
    Ok(())
}

/// Its target.
fn asked(head: &request::Parts) -> &str {
    head.uri.path_and_query().map_or("", |it| it.as_str())
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// RFC 9113 §8.3.1: a Host beside `:authority` must not name another host. Where there is none, it is what that says.
fn host(head: &mut request::Parts) -> Result<(), Refusal> {
    let authority = head.uri.authority().map(|it| it.as_str());
    let authority = authority.and_then(|it| HeaderValue::from_str(it).ok());
    let authority = authority.ok_or_else(|| bad_host("no :authority"))?;
    match head.headers.try_entry(header::HOST) {
        Ok(Entry::Vacant(vacant)) => {
            let inserted = vacant.try_insert(authority);
            inserted
                .map(drop)
                .map_err(|_| refuse(Reason::HeadTooLarge, ""))
        }
        // That both agree is judged where the target's host is, over HTTP/1.1 too.
        Ok(Entry::Occupied(written)) if written.iter().count() == 1 => Ok(()),
        _ => Err(bad_host("Host twice")),
    }
}

/// RFC 9113 §8.2.3: crumbs are joined before anybody reads them.
fn cookies(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let crumbs: Vec<&[u8]> = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() < 2 {
        return Ok(());
    }
    let joined = HeaderValue::from_bytes(&crumbs.join(&b"; "[..]));
    let joined = joined.map_err(|_| malformed("a control character in a cookie"))?;
    headers.insert(header::COOKIE, joined);
    Ok(())
}

fn refuse(reason: Reason, detail: &str) -> Refusal {
    Refusal::new(Stage::Head, reason).because(detail)
}

fn malformed(detail: &str) -> Refusal {
    refuse(Reason::MalformedHead, detail)
}

fn bad_host(detail: &str) -> Refusal {
    Refusal::new(Stage::Host, Reason::BadHost).because(detail)
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::*;

    const URL: &str = "https://localhost/live";

    fn judged(
        url: &str,
        fields: &[(&str, &str)],
        protocol: Option<&str>,
    ) -> Result<request::Parts, Reason> {
        judge(url.parse().unwrap(), fields, protocol)
    }

    fn judge(
        url: http::Uri,
        fields: &[(&str, &str)],
        protocol: Option<&str>,
    ) -> Result<request::Parts, Reason> {
        let method = protocol.map_or(Method::POST, |_| Method::CONNECT);
        let mut request = Request::builder()
            .method(method)
            .version(Version::HTTP_2)
            .uri(url);
        for &(name, value) in fields {
            request = request.header(name, value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        canonical(&mut head, protocol).map_err(|refusal| refusal.reason)?;
        Ok(head)
    }

    fn reason(fields: &[(&str, &str)]) -> Reason {
        judged(URL, fields, Some("websocket")).unwrap_err()
    }

    #[test]
    fn a_good_request_has_the_form_that_is_judged_later() {
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")];
        let head = judged(
            "https://localhost:8443/live?x=1",
            &crumbs,
            Some("websocket"),
        )
        .unwrap();
        assert_eq!(head.headers["host"], "localhost:8443");
        assert_eq!(head.headers.get_all("cookie").iter().count(), 1);
        assert_eq!(head.headers["cookie"], "a=1; b=2; c=3");
        let protocol = head.extensions.get::<Protocol>().unwrap();
        assert_eq!(&*protocol.0, "websocket");
        let other = judged(URL, &[("host", "localhost")], None).unwrap();
        assert!(other.extensions.get::<Protocol>().is_none());
    }

    #[test]
    fn a_host_stands_at_most_once_beside_the_authority() {
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(reason(&twice), Reason::BadHost);
        assert_eq!(judged("/live", &[], None).unwrap_err(), Reason::BadHost);
    }

    #[test]
    fn nothing_but_https_is_taken() {
        let plain = judged("http://localhost/live", &[], Some("websocket"));
        assert_eq!(plain.unwrap_err(), Reason::MalformedHead);
    }

    #[test]
    fn a_target_that_http_1_refuses_is_refused() {
        for path in ["/l\u{489}ve", "/live?x=\u{489}", "?live"] {
            let mut parts = http::uri::Parts::default();
            parts.scheme = Some(Scheme::HTTPS);
            parts.authority = Some("localhost".parse().unwrap());
            parts.path_and_query = Some(path.parse().unwrap());
            let url = http::Uri::from_parts(parts).unwrap();
            assert_eq!(judge(url, &[], None).unwrap_err(), Reason::MalformedHead);
        }
    }

    #[test]
    fn a_tunnel_is_none_of_our_methods() {
        let mut request = Request::connect("localhost:443").body(()).unwrap();
        *request.version_mut() = Version::HTTP_2;
        let mut head = request.into_parts().0;
        let refusal = canonical(&mut head, None).unwrap_err();
        assert_eq!(refusal.reason, Reason::MethodNotAllowed);
    }

    #[test]
    fn a_length_is_said_once_and_a_handshake_has_none() {
        assert_eq!(reason(&[("content-length", "1")]), Reason::UpgradeWithBody);
        let twice = [("content-length", "0"), ("content-length", "0")];
        assert_eq!(reason(&twice), Reason::MalformedHead);
        for length in ["", "+1", "1, 1", "0x1", "9999999999999"] {
            assert_eq!(reason(&[("content-length", length)]), Reason::MalformedHead);
        }
        let large = judged(URL, &[("content-length", "16385")], None);
        assert_eq!(large.unwrap_err(), Reason::BodyTooLarge);
        assert!(judged(URL, &[("content-length", "16384")], None).is_ok());
        assert_eq!(reason(&[("expect", "100-continue")]), Reason::MalformedHead);
    }

    #[test]
    fn sizes_are_bounded_as_over_http_1() {
        let long = format!("{URL}/{}", "x".repeat(TARGET));
        assert_eq!(judged(&long, &[], None).unwrap_err(), Reason::TargetTooLong);
        let many: Vec<_> = (0..=FIELDS).map(|_| ("x", "y")).collect();
        assert_eq!(reason(&many), Reason::HeadTooLarge);
        assert_eq!(reason(&[("x", &"y".repeat(HEAD))]), Reason::HeadTooLarge);
        // What joining them adds is no way around it.
        let crumbs: Vec<_> = (0..FIELDS).map(|_| ("cookie", "c=1")).collect();
        assert!(judged(URL, &crumbs, None).is_ok());
    }
}
