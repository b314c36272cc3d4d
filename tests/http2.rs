//! HTTP/2, where it is turned on: WebSockets by extended CONNECT (RFC 8441), our own endpoints, and how connections and
//! their streams end. What hostile peers try is in [`attacks`](crate::attacks).

use bytes::Bytes;
use h2::{Reason, ext::Protocol};
use http::{Method, Request, Version};
use serde_json::json;

use crate::harness::{Connection, Frame, Http2, ORIGIN, Server, Setup, Tunnel, Ws, over_http2};

fn http2() -> Setup {
    let mut setup = Setup::new();
    setup.rest.insert_str(0, "[http2]\nwebsockets = true\n");
    setup
}

/// An extended CONNECT, good until it is spoilt.
fn connect(path: &str) -> http::request::Builder {
    Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri(format!("https://localhost{path}"))
        .extension(Protocol::from_static("websocket"))
        .header("sec-websocket-version", "13")
}

fn echo(client: &mut Http2) -> Tunnel {
    let request = connect("/echo").body(()).unwrap();
    let answer = client.send(request, None).unwrap();
    assert_eq!(answer.status, 200);
    client.tunnel(answer)
}

#[test]
fn a_socket_is_a_stream() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    assert!(client.has_extended_connect());
    let tunnel = echo(&mut client);
    let mut ws = Ws::new(Connection::on(tunnel));
    for size in [0, 1, 125, 126, 65_535] {
        ws.send(0x82, &vec![7; size]);
        let expected = Frame {
            first: 0x82,
            payload: vec![7; size],
        };
        assert_eq!(ws.next().unwrap(), expected);
    }
    ws.send(0x88, &1000_u16.to_be_bytes());
    assert_eq!(ws.closed(), (1000, String::new()));
    assert_eq!(ws.connection.rest(), 0);
    server.audited(|event| event["event"] == "close" && event["code"] == 1000);
}
