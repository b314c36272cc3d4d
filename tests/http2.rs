//! HTTP/2, where it is turned on: WebSockets by extended CONNECT (RFC 8441), our own endpoints, and how connections and
//! their streams end. What hostile peers try is in [`attacks`](crate::attacks).

use std::sync::Arc;

use h2::{Reason, client::Builder, ext::Protocol};
use http::{Method, Request, Version};
use rustls::{ClientConnection, pki_types::ServerName};
use serde_json::json;

use crate::harness::{
    Connection, Frame, Handshake, Http2, Server, Setup, Tunnel, Ws, frame,
    raw_http2::{DATA, END_STREAM, GOAWAY, NO_ERROR, Raw, raw as raw_frame},
    tcp, tls,
};

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

/// A socket of this user, or the status of the refusal.
fn enter(server: &Server, client: &mut Http2, subject: &str) -> Result<Ws, u16> {
    let token = server.issuer.token(subject).mint();
    let request = connect("/native")
        .header("authorization", format!("Bearer {token}"))
        .header("sec-websocket-protocol", "wardwire.v1")
        .body(())
        .unwrap();
    let answer = client.send(request, None).unwrap();
    match answer.status {
        200 => {
            assert_eq!(answer.headers["sec-websocket-protocol"], "wardwire.v1");
            Ok(Ws::new(Connection::on(client.tunnel(answer))))
        }
        status => Err(status),
    }
}

/// Says something on a tunnel and waits for its echo.
fn echoes(tunnel: &mut Tunnel) {
    use std::io::{Read as _, Write as _};
    tunnel.write_all(&frame(0x81, b"hello")).unwrap();
    let mut said = [0; 7];
    tunnel.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"\x81\x05hello");
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
    let admission = server.audited(|event| event["event"] == "admission");
    assert_eq!(
        (&admission["status"], &admission["stream"]),
        (&json!(200), &json!(1))
    );
}

#[test]
fn a_close_is_followed_by_end_stream() {
    use std::io::Write as _;
    let server = http2().start();
    let mut client = Http2::connect(&server);
    // The client's Close, and then the server's.
    let mut first = echo(&mut client);
    first
        .write_all(&frame(0x88, &1000_u16.to_be_bytes()))
        .unwrap();
    assert_eq!(first.end(), None, "END_STREAM and no RST_STREAM");
    let mut second = echo(&mut client);
    second.write_all(&frame(0x83, b"")).unwrap();
    second
        .write_all(&frame(0x88, &1002_u16.to_be_bytes()))
        .unwrap();
    assert_eq!(second.end(), None);
    server.audited(|event| event["event"] == "close" && event["code"] == 1000);
    server.audited(|event| event["event"] == "close" && event["code"] == 1002);
    // A client that does not end its half is not waited for.
    assert_eq!(first.is_reset(), Reason::NO_ERROR);
}

#[test]
fn a_stream_that_is_reset_is_a_connection_that_broke() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    let (mut first, mut second) = (echo(&mut client), echo(&mut client));
    first.reset(Reason::CANCEL);
    let close = server.closed(1006, "dropped");
    assert_eq!(close["stream"], 1);
    echoes(&mut second);
    server.until_metric("wardwire_sockets_open", 1);
}

#[test]
fn a_stream_that_is_half_closed_without_a_close_broke_too() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    let mut tunnel = echo(&mut client);
    tunnel.finish();
    server.closed(1006, "dropped");
    assert_eq!(tunnel.end(), None, "the other half ends in order");
}

#[test]
fn a_connection_that_breaks_takes_its_sockets_with_it() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    let _held: Vec<_> = (0..3).map(|_| echo(&mut client)).collect();
    server.until_metric("wardwire_sockets_open", 3);
    drop((client, _held));
    server.until_metric("wardwire_sockets_open", 0);
    server.until_metric("wardwire_http2_connections_open", 0);
    assert_eq!(server.metric("wardwire_connections_unadmitted"), 0);
}

#[test]
fn each_socket_of_a_connection_ends_for_itself() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    let mut alice = enter(&server, &mut client, "alice").unwrap();
    let mut bob = enter(&server, &mut client, "bob").unwrap();
    let revocation = json!({ "issuer": "https://id.test", "subject": "alice" });
    let answer = server.admin("POST", "/revocations", &revocation.to_string());
    assert_eq!(answer.json()["ended"], 1);
    alice.closes(3000, "revoked");
    bob.ok("ping", json!({}));
    assert_eq!(enter(&server, &mut client, "alice").err(), Some(401));
    bob.ok("ping", json!({}));
}

#[test]
fn sockets_of_one_connection_are_counted_one_by_one() {
    let mut setup = http2();
    setup.limits = "connections_per_subject = 2\nconnections_per_ip = 5\n".into();
    let server = setup.start();
    let mut client = Http2::connect(&server);
    let first = enter(&server, &mut client, "alice").unwrap();
    let _second = enter(&server, &mut client, "alice").unwrap();
    assert_eq!(enter(&server, &mut client, "alice").err(), Some(429));
    server.refused("too-many-of-subject");
    // The connection, alice's two, bob's two.
    let _bobs = [(); 2].map(|()| enter(&server, &mut client, "bob").unwrap());
    assert_eq!(enter(&server, &mut client, "carol").err(), Some(429));
    server.refused("too-many-from-address");
    drop(first);
    server.closed(1006, "dropped");
    enter(&server, &mut client, "alice").unwrap();
    assert_eq!(server.metric("wardwire_connections_unadmitted"), 0);
    assert_eq!(server.metric("wardwire_http2_connections_open"), 1);
}

#[test]
fn a_connection_lives_as_long_as_its_sockets_and_a_little_longer() {
    use std::io::Write as _;
    let mut setup = http2();
    setup.limits = "handshake = \"500ms\"\nping = \"800ms\"\n".into();
    let server = setup.start();
    let mut client = Http2::connect(&server);
    let mut tunnel = echo(&mut client);
    // The server's first ping comes after more than a handshake's time.
    let mut said = [0; 2];
    std::io::Read::read_exact(&mut tunnel, &mut said).unwrap();
    assert_eq!(said, [0x89, 0]);
    echoes(&mut tunnel);
    assert_eq!(server.metric("wardwire_connections_unadmitted"), 0);
    tunnel
        .write_all(&frame(0x88, &1000_u16.to_be_bytes()))
        .unwrap();
    assert_eq!(client.ended(), None, "GOAWAY without an error");
}

#[test]
fn a_restart_says_goaway_and_1012() {
    let mut server = http2().start();
    let mut idle = Raw::connect(&server);
    let mut busy = Raw::connect(&server);
    busy.echo(1);
    server.terminate();
    // RFC 9113 §6.8: the first GOAWAY names no last stream yet.
    let (mut goaway, mut close) = (None, None);
    while goaway.is_none() || close.is_none() {
        let frame = busy.next().expect("both before the end");
        match frame.kind {
            GOAWAY => goaway = Some(frame.error()),
            DATA => close = Some(frame.payload),
            _ => {}
        }
    }
    assert_eq!(goaway, Some(NO_ERROR));
    assert_eq!(close.unwrap(), b"\x88\x09\x03\xF4restart");
    assert_eq!(idle.gone(), Some(NO_ERROR));
    busy.send(DATA, END_STREAM, 1, &frame(0x88, &1012_u16.to_be_bytes()));
    assert!(matches!(busy.gone(), None | Some(NO_ERROR)));
    assert!(server.wait().success());
    server.assert_unlogged(&["did not close in time", "did not stop in time"]);
}

#[test]
fn a_restart_waits_for_connections_without_a_socket() {
    let mut server = http2().start();
    let mut idle = Raw::connect(&server);
    server.until_metric("wardwire_http2_connections_open", 1);
    server.terminate();
    assert_eq!(idle.gone(), Some(NO_ERROR));
    assert!(server.wait().success());
    server.assert_unlogged(&["did not close in time", "did not stop in time"]);
}

#[test]
fn the_api_answers_over_http_2() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    let token = server.issuer.token("alice").mint();
    let ask = |method: &str| {
        Request::builder()
            .method(method)
            .version(Version::HTTP_2)
            .uri("https://localhost/.wardwire/session")
            .header("authorization", format!("Bearer {token}"))
            .body(())
            .unwrap()
    };
    let mut answer = client.send(ask("GET"), None).unwrap();
    assert_eq!(answer.status, 200);
    let body: serde_json::Value =
        serde_json::from_slice(&client.body(&mut answer).unwrap()).unwrap();
    assert_eq!(body["subject"], "alice");
    let mut head = client.send(ask("HEAD"), None).unwrap();
    assert_eq!(head.status, 405);
    assert!(client.body(&mut head).unwrap().is_empty());
    // A refusal ends its stream, and what it may not say over HTTP/2 is left out.
    let get = Request::get("https://localhost/echo").version(Version::HTTP_2);
    let answer = client.send(get.body(()).unwrap(), None).unwrap();
    assert_eq!(answer.status, 405);
    assert_eq!(answer.headers["allow"], "CONNECT");
    assert!(!answer.headers.contains_key("connection"));
    let old = connect("/echo").header("sec-websocket-version", "8");
    let answer = client.send(old.body(()).unwrap(), None).unwrap();
    assert_eq!(answer.status, 426);
    assert_eq!(answer.headers["sec-websocket-version"], "13");
    echoes(&mut echo(&mut client));
}

/// What both ends agree on.
fn agreed(server: &Server, offered: &[&[u8]]) -> Result<Option<Vec<u8>>, rustls::Error> {
    let mut config = tls(server);
    config.alpn_protocols = offered.iter().map(|it| it.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut tcp = tcp(server.address);
    while session.is_handshaking() {
        if session.complete_io(&mut tcp).is_err() {
            return Err(rustls::Error::NoApplicationProtocol);
        }
    }
    Ok(session.alpn_protocol().map(<[u8]>::to_vec))
}

#[test]
fn http_2_is_offered_only_where_it_is_wanted() {
    let off = Server::start();
    assert_eq!(
        agreed(&off, &[b"h2", b"http/1.1"]),
        Ok(Some(b"http/1.1".to_vec()))
    );
    assert!(agreed(&off, &[b"h2"]).is_err());
    let on = http2().start();
    assert_eq!(agreed(&on, &[b"http/1.1", b"h2"]), Ok(Some(b"h2".to_vec())));
    assert_eq!(agreed(&on, &[b"http/1.1"]), Ok(Some(b"http/1.1".to_vec())));
    assert_eq!(agreed(&on, &[]), Ok(None));
    // Who says nothing speaks HTTP/1.1.
    let mut connection = on.connect();
    connection.send(Handshake::new("/echo").text().as_bytes());
    assert_eq!(connection.response().status, 101);
}

#[test]
fn a_slow_socket_does_not_hold_up_the_others_of_its_connection() {
    use std::io::Write as _;
    let server = http2().start();
    let mut builder = Builder::new();
    builder
        .initial_window_size(20_000)
        .initial_connection_window_size(1024 * 1024);
    let mut client = Http2::connect_with(&server, "localhost", &builder);
    let mut slow = echo(&mut client);
    let mut quick = echo(&mut client);
    // Its echoes fill the window that it does not open.
    for _ in 0..4 {
        slow.write_all(&frame(0x82, &[7; 16_000])).unwrap();
    }
    for _ in 0..10 {
        echoes(&mut quick);
    }
    let mut ws = Ws::new(Connection::on(slow));
    for _ in 0..4 {
        assert_eq!(ws.next().unwrap().payload.len(), 16_000);
    }
}

#[test]
fn a_burst_of_small_messages_is_no_flood() {
    let server = http2().start();
    let mut raw = Raw::connect(&server);
    raw.echo(1);
    let count = 3000;
    let message = raw_frame(DATA, 0, 1, &frame(0x82, b"x"));
    raw.put(&message.repeat(count));
    let mut came = Vec::new();
    while came.len() < 3 * count {
        came.extend(raw.next_of(1).payload);
    }
    assert_eq!(came, b"\x82\x01x".repeat(count));
}

#[test]
fn a_body_over_16_kib_is_refused() {
    let server = http2().start();
    let mut client = Http2::connect(&server);
    let request = Request::post("https://localhost/.wardwire/tickets")
        .version(Version::HTTP_2)
        .header("content-type", "application/json")
        .body(())
        .unwrap();
    let answer = client.send(request, Some(&[b' '; 16 * 1024 + 1])).unwrap();
    assert_eq!(answer.status, 413);
    server.refused("body-too-large");
}
