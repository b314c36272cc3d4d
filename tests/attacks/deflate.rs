//! Compressed messages that are out to harm (RFC 7692).

use crate::harness::{
    Response, Server, Ws,
    deflate::{OFFER, deflate, setup, small, stored},
    frame,
};

const LIMIT: usize = 64 * 1024;

/// Sends bytes on a fresh echo that compresses, and demands this Close with nothing echoed before it.
fn ends(server: &Server, bytes: &[u8], code: u16, word: &str) {
    ends_on(server, server.small(), bytes, code, word);
}

fn ends_on(server: &Server, mut ws: Ws, bytes: &[u8], code: u16, word: &str) {
    ws.connection.send(bytes);
    let answer = ws.next().expect("a Close");
    assert_eq!(answer.first, 0x88, "{answer:?}");
    let said = u16::from_be_bytes([answer.payload[0], answer.payload[1]]);
    assert_eq!((said, &answer.payload[2..]), (code, word.as_bytes()));
    ws.send(0x88, &code.to_be_bytes());
    assert_eq!(ws.connection.rest(), 0);
    server.closed(code, word);
}

#[test]
fn attack_053_a_bomb() {
    let server = setup().start();
    let before = server.memory();
    // 64 MiB in 64 KiB, which is less than a frame may have.
    let bomb = deflate(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < LIMIT + LIMIT / 8, "{}", bomb.len());
    for first in [0xC1, 0xC2] {
        ends(&server, &frame(first, &bomb), 1009, "size");
    }
    // It need not be whole to be found out.
    ends(&server, &frame(0x42, &bomb[..1000]), 1009, "size");
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes");
}

#[test]
fn attack_053_a_byte_over_the_limit_and_none() {
    let server = setup().start();
    let mut ws = server.small();
    ws.send(0xC2, &deflate(&[7; LIMIT]));
    assert_eq!(ws.next().unwrap().first, 0xC2);
    ends_on(
        &server,
        ws,
        &frame(0xC2, &deflate(&[7; LIMIT + 1])),
        1009,
        "size",
    );
}

#[test]
fn attack_053_a_bomb_of_blocks_that_come_to_nothing() {
    let server = setup().start();
    // Empty stored blocks inflate to no byte at all, so what counts is how long the message is.
    let empty = [0x00, 0x00, 0x00, 0xFF, 0xFF].repeat(4000);
    let mut bytes = frame(0x42, &empty);
    for _ in 0..4 {
        bytes.extend(frame(0x00, &empty));
    }
    ends(&server, &bytes, 1009, "size");
}

#[test]
fn attack_053_what_does_not_inflate() {
    let server = setup().start();
    let hello = deflate(b"Hello");
    for broken in [
        &b""[..],
        &[0x07],
        &[0xFF, 0xFF, 0xFF],
        &hello[..hello.len() - 2],
        // It refers back behind its beginning, where another message was.
        &[0x4B, 0x04, 0x12, 0x00],
    ] {
        ends(&server, &frame(0xC1, broken), 1007, "deflate");
    }
    // What another socket of the loop said is not in the way of the next.
    let mut ws = server.small();
    ws.send(0xC1, &hello);
    assert_eq!(ws.next().unwrap().payload, b"Hello");
}

#[test]
fn attack_053_text_that_is_none_once_inflated() {
    let server = setup().start();
    ends(&server, &frame(0xC1, &deflate(b"\xC3\x28")), 1007, "utf-8");
    // At the piece in which it shows, with the rest never sent.
    ends(&server, &frame(0x41, &stored(b"\xFF")), 1007, "utf-8");
    ends(&server, &frame(0xC1, &stored(b"\xE4\xB8")), 1007, "utf-8");
}

fn offered(server: &Server, offer: &str) -> (Response, Ws) {
    let mut connection = server.connect();
    connection.send(small(offer).text().as_bytes());
    let response = connection.response();
    (response, Ws::new(connection))
}

#[test]
fn attack_054_offers_that_cannot_be_met() {
    let server = setup().start();
    for parameters in [
        "server_max_window_bits=7",
        "server_max_window_bits=8",
        "server_max_window_bits=16",
        "server_max_window_bits",
        "server_max_window_bits=10; server_max_window_bits=10",
        "server_max_window_bits=4294967304",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=015",
        "client_max_window_bits; client_max_window_bits",
        "server_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "mystery",
    ] {
        let offer = format!("permessage-deflate; {parameters}");
        let (response, mut ws) = offered(&server, &offer);
        assert_eq!(response.status, 101, "{offer}");
        assert_eq!(response.header("sec-websocket-extensions"), "", "{offer}");
        // The handshake went on, and nothing is compressed.
        let long = "a".repeat(1000);
        ws.text(&long);
        let echo = ws.next().unwrap();
        assert_eq!((echo.first, &echo.payload[..]), (0x81, long.as_bytes()));
        let both = format!("{offer}, permessage-deflate; server_max_window_bits=12");
        let (response, _) = offered(&server, &both);
        let answer = response.header("sec-websocket-extensions");
        assert!(answer.ends_with("; server_max_window_bits=12"), "{both}");
    }
}

#[test]
fn attack_055_rsv1_where_it_may_not_be() {
    let server = setup().start();
    for control in [0xC8, 0xC9, 0xCA] {
        ends(&server, &frame(control, b""), 1002, "reserved-bit");
    }
    let hello = deflate(b"Hello");
    for first in [0x40, 0xC0] {
        let bytes = [frame(0x41, &hello[..3]), frame(first, &hello[3..])].concat();
        ends(&server, &bytes, 1002, "reserved-bit");
    }
    for other in [0xA1, 0x91, 0xE1, 0xD1] {
        ends(&server, &frame(other, &hello), 1002, "reserved-bit");
    }
    // Where it was not agreed: not offered, not on this route, or not to be had.
    let not_offered = small("").without("Sec-WebSocket-Extensions");
    let elsewhere = small(OFFER).line("GET /echo HTTP/1.1");
    let declined = small("permessage-deflate; mystery");
    for handshake in [not_offered, elsewhere, declined] {
        let ws = server.open(handshake);
        ends_on(&server, ws, &frame(0xC1, &hello), 1002, "reserved-bit");
    }
}

crate::harness::over_http2![
    attack_053_a_bomb,
    attack_053_a_byte_over_the_limit_and_none,
    attack_053_a_bomb_of_blocks_that_come_to_nothing,
    attack_053_what_does_not_inflate,
    attack_053_text_that_is_none_once_inflated,
    attack_054_offers_that_cannot_be_met,
    attack_055_rsv1_where_it_may_not_be,
];
