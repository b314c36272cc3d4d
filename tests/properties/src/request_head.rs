//! Request heads (RFC 9112): what our strict reader passes, hyper reads alike; how the bytes arrive makes no difference.

use std::{
    convert::Infallible,
    future::Future,
    io::{self, Read as _},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Version, request};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    body::Incoming,
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use wardwire_admission::{
    head::{BACKEND_BODY, FIELDS, HEAD, HeadFacts, examine},
    refusal::{Reason, Refusal},
};

/// True if the head was passed.
pub fn check(input: &[u8]) -> bool {
    let verdict = examine(input);
    arrives(input, &verdict);
    match verdict {
        Ok(Some(facts)) => {
            assert!(facts.length <= HEAD.min(input.len()) && facts.body <= BACKEND_BODY);
            assert!(!(facts.upgrade && facts.body > 0));
            assert!(input[..facts.length].ends_with(b"\r\n\r\n"));
            hyper_agrees(&input[..facts.length], facts);
            true
        }
        Ok(None) => false,
        Err(refusal) => {
            documented(&refusal);
            false
        }
    }
}

/// Of a head that is passed no beginning is refused, and none is passed sooner; a refusal stays one whatever follows.
fn arrives(input: &[u8], verdict: &Result<Option<HeadFacts>, Refusal>) {
    let step = 1 + input.len() / 128;
    let mut refused = false;
    for end in (0..=input.len()).step_by(step) {
        let early = examine(&input[..end]);
        match (&early, verdict) {
            (Err(_), later) => {
                assert!(later.is_err(), "refused at {end}, passed later");
                refused = true;
            }
            (Ok(Some(facts)), later) => {
                assert_eq!(Ok(&Some(*facts)), later.as_ref(), "passed at {end}");
            }
            (Ok(None), Ok(Some(facts))) => assert!(end < facts.length),
            (Ok(None), _) => assert!(!refused, "refused before {end}, but not there"),
        }
    }
}

fn documented(refusal: &Refusal) {
    let allowed = [
        Reason::MalformedHead,
        Reason::HeadTooLarge,
        Reason::TargetTooLong,
        Reason::TransferEncoding,
        Reason::BodyTooLarge,
        Reason::UpgradeWithBody,
        Reason::BadHost,
    ];
    assert!(allowed.contains(&refusal.reason), "{refusal:?}");
    assert!(
        refusal.reason.status().is_client_error() || refusal.reason == Reason::TransferEncoding
    );
}

/// hyper reads the head that we pass, and finds in it what stands there: method, target, version, fields and body. So what
/// hyper rejects we reject. It takes much more than we do, all of it refused before it comes to hyper: lines that end in a
/// bare LF, empty lines in front, HTTP/1.0, `Content-Length` twice with the same value or beside `Transfer-Encoding`,
/// chunked bodies, `Expect`, a `Host` that is missing or stands twice, and fragments, which it drops.
fn hyper_agrees(head: &[u8], facts: HeadFacts) {
    let stands = fields(head);
    let (parts, body) = by_hyper(head, facts.body).unwrap_or_else(|answer| {
        panic!(
            "hyper refuses {:?}: {answer}",
            String::from_utf8_lossy(head)
        )
    });
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    assert_eq!(Some(parts.method.as_str().as_bytes()), words.next());
    let target = std::str::from_utf8(words.next().unwrap_or_default()).expect("targets are ASCII");
    assert_eq!(spelt(&parts), spelt_as(target));
    assert_eq!(parts.version, Version::HTTP_11);
    assert_eq!(parts.headers, stands);
    assert_eq!(body, facts.body);
}

/// The target as hyper understood it.
fn spelt(parts: &request::Parts) -> String {
    let uri = &parts.uri;
    let scheme = uri
        .scheme_str()
        .map(|scheme| format!("{}://", scheme.to_ascii_lowercase()));
    let authority = uri.authority().map_or("", |it| it.as_str());
    let path = uri.path();
    let query = uri.query().map(|query| format!("?{query}"));
    [
        &scheme.unwrap_or_default(),
        authority,
        path,
        &query.unwrap_or_default(),
    ]
    .concat()
}

/// The same of a target as it stands: the scheme's case does not count, and an absolute form without a path means `/`
/// (RFC 9110 §4.2.3).
fn spelt_as(target: &str) -> String {
    let Some((scheme, rest)) = target
        .split_once("://")
        .filter(|_| !target.starts_with('/'))
    else {
        return target.to_owned();
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let slash = if path.starts_with('/') { "" } else { "/" };
    format!("{}://{authority}{slash}{path}", scheme.to_ascii_lowercase())
}

/// The fields as they stand: RFC 9112 §5, read in the plainest way.
fn fields(head: &[u8]) -> HeaderMap {
    let text: Vec<_> = head.strip_suffix(b"\r\n\r\n").unwrap_or(head).to_vec();
    let mut headers = HeaderMap::new();
    for line in text.split(|&byte| byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = line.iter().position(|&byte| byte == b':').expect("a colon");
        let name = HeaderName::from_bytes(&line[..colon]).expect("a token");
        let mut value = &line[colon + 1..];
        while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
            value = rest;
        }
        headers.append(name, HeaderValue::from_bytes(value).expect("no controls"));
    }
    assert!(headers.len() <= FIELDS);
    headers
}

/// What hyper's server, set as ours is, makes of one request: its head and how long its body is; or hyper's answer.
fn by_hyper(head: &[u8], body: usize) -> Result<(request::Parts, usize), String> {
    let wire = Wire {
        coming: [head, &vec![b'x'; body]].concat(),
        at: 0,
        sent: Arc::default(),
    };
    let sent = wire.sent.clone();
    let seen = Arc::new(Mutex::new(None));
    let service = service_fn(|request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_or(usize::MAX, |body| body.to_bytes().len());
            *seen.lock().unwrap() = Some((parts, body));
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut http = http1::Builder::new();
    http.half_close(true).max_headers(FIELDS);
    let mut connection = pin!(http.serve_connection(wire, service).with_upgrades());
    let mut context = Context::from_waker(Waker::noop());
    // Nothing is ever pending on the wire, so a few turns come to the end.
    for _ in 0..64 {
        if connection.as_mut().poll(&mut context).is_ready() || seen.lock().unwrap().is_some() {
            break;
        }
    }
    let taken = seen.lock().unwrap().take();
    taken.ok_or_else(|| String::from_utf8_lossy(&sent.lock().unwrap()).into_owned())
}

/// A connection whose peer has said all that it says.
struct Wire {
    coming: Vec<u8>,
    at: usize,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut chunk = [0; 1024];
        let room = buf.remaining().min(chunk.len());
        let count = (&self.coming[self.at..]).read(&mut chunk[..room])?;
        buf.put_slice(&chunk[..count]);
        self.at += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.sent.lock().unwrap().extend_from_slice(data);
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
