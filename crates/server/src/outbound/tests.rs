//! The way out, against a real TLS server in the same process.

use std::{future::pending, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// What the server does with every connection.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    Silence,
}

struct Server {
    port: u16,
    authority: Vec<u8>,
    _tasks: JoinSet<()>,
}

async fn serve(answer: Answer) -> Server {
    serve_as(&["localhost", "127.0.0.1"], answer).await
}

async fn serve_as(names: &[&str], answer: Answer) -> Server {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            connections.spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut head = [0; 4096];
                let _ = stream.read(&mut head).await;
                match answer {
                    Answer::Bytes(bytes) => {
                        let _ = stream.write_all(&bytes).await;
                        let _ = stream.shutdown().await;
                    }
                    Answer::Silence => pending().await,
                }
            });
        }
    });
    Server {
        port,
        authority: cert.pem().into_bytes(),
        _tasks: tasks,
    }
}

impl Server {
    fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/keys", self.port)
    }

    fn trusted(&self, allow: &[&str]) -> Outbound {
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        Outbound::new(allow, std::slice::from_ref(&self.authority)).unwrap()
    }
}

fn ok(body: &str, more: &str) -> Answer {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{more}\r\n");
    Answer::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

const LOOPBACK: &[&str] = &["127.0.0.1/32"];

#[tokio::test]
async fn a_document_arrives_from_a_listed_address() {
    let server = serve(ok(
        r#"{"keys":[]}"#,
        "Cache-Control: public, max-age=90\r\n",
    ))
    .await;
    for host in ["localhost", "127.0.0.1"] {
        let outbound = server.trusted(LOOPBACK);
        let document = outbound.get(&server.url(host)).await.unwrap();
        assert_eq!(document.body, br#"{"keys":[]}"#);
        assert_eq!(document.max_age, Some(Duration::from_secs(90)));
    }
}

#[tokio::test]
async fn attack_083_a_private_address_is_refused_by_any_name() {
    let server = serve(ok("{}", "")).await;
    let outbound = server.trusted(&["10.0.0.0/8"]);
    for host in ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"] {
        let refused = outbound.get(&server.url(host)).await.unwrap_err();
        assert!(
            matches!(refused, FetchError::Forbidden { .. }),
            "{host}: {refused}"
        );
    }
    // Numbers that a resolver takes for 127.0.0.1 are no names that a certificate could have.
    for host in ["2130706433", "0x7f.1", "0177.0.0.1"] {
        let refused = outbound.get(&server.url(host)).await.unwrap_err();
        assert!(
            matches!(
                refused,
                FetchError::NotHttps(_) | FetchError::Forbidden { .. }
            ),
            "{host}: {refused}"
        );
    }
    for url in ["file:///etc/passwd", "http://127.0.0.1/"] {
        let refused = outbound.get(url).await.unwrap_err();
        assert!(
            matches!(refused, FetchError::NotHttps(_)),
            "{url}: {refused}"
        );
    }
}

#[tokio::test]
async fn attack_083_a_redirect_is_not_followed() {
    let elsewhere =
        b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\nContent-Length: 0\r\n\r\n";
    let server = serve(Answer::Bytes(elsewhere.to_vec())).await;
    let refused = server.trusted(LOOPBACK).get(&server.url("localhost")).await;
    assert!(matches!(
        refused,
        Err(FetchError::Status { status: 302, .. })
    ));
}

#[tokio::test]
async fn a_document_ends_at_its_limit_however_it_is_framed() {
    let body = "x".repeat(LARGEST + 1);
    let chunked = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    for answer in [ok(&body, ""), Answer::Bytes(chunked.into_bytes())] {
        let server = serve(answer).await;
        let refused = server.trusted(LOOPBACK).get(&server.url("localhost")).await;
        assert!(matches!(refused, Err(FetchError::TooLarge(_))));
    }
    let largest = "x".repeat(LARGEST);
    let server = serve(ok(&largest, "")).await;
    let document = server.trusted(LOOPBACK).get(&server.url("localhost")).await;
    assert_eq!(document.unwrap().body.len(), LARGEST);
}

#[tokio::test]
async fn a_head_without_end_and_a_cut_body_are_refused() {
    let head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(2 * HEAD));
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}";
    for answer in [head.as_str(), cut, "nonsense\r\n\r\n", ""] {
        let server = serve(Answer::Bytes(answer.as_bytes().to_vec())).await;
        let refused = server.trusted(LOOPBACK).get(&server.url("localhost")).await;
        assert!(matches!(refused, Err(FetchError::Unreachable { .. })));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    let server = serve(Answer::Silence).await;
    let outbound = server.trusted(LOOPBACK).within(Duration::from_millis(200));
    let refused = outbound.get(&server.url("localhost")).await.unwrap_err();
    assert!(refused.to_string().contains("too long"), "{refused}");
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_or_of_another_name_is_refused() {
    let (ours, other) = (["localhost"], ["other.example"]);
    for (names, trusted) in [(ours, false), (other, true)] {
        let server = serve_as(&names, ok("{}", "")).await;
        let outbound = if trusted {
            server.trusted(LOOPBACK)
        } else {
            Outbound::new(vec!["127.0.0.1/32".parse().unwrap()], &[]).unwrap()
        };
        let refused = outbound.get(&server.url("localhost")).await.unwrap_err();
        assert!(refused.to_string().contains("certificate"), "{refused}");
    }
}

#[test]
fn an_authority_has_to_be_a_certificate() {
    for pem in [
        &b""[..],
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        assert!(Outbound::new(Vec::new(), &[pem.to_vec()]).is_err());
    }
}

#[test]
fn what_cache_control_says_is_read_and_nonsense_is_not() {
    let read = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
        max_age(&headers)
    };
    assert_eq!(read("Max-Age=60"), Some(Duration::from_secs(60)));
    assert_eq!(read("public, max-age=\"7\""), Some(Duration::from_secs(7)));
    assert_eq!(read("max-age=60, no-store"), Some(Duration::ZERO));
    for value in ["", "max-age=", "max-age=-1", "max-age=1e9", "s-maxage=5"] {
        assert_eq!(read(value), None, "{value}");
    }
}
