//! permessage-deflate (RFC 7692), as clients meet it on routes that turn it on.

use serde_json::{Value, json};

use crate::harness::{
    Frame, Handshake, Response, Server, Ws,
    deflate::{OFFER, deflate, inflate, setup, small, stored},
};

/// What `Hello` is in the examples of RFC 7692 §7.2.3: fixed codes, a block that is stored, two blocks, and one that says it
/// is the last.
const HELLO: [&[u8]; 4] = [
    &[0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
    &[
        0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00,
    ],
    &[
        0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07, 0x00,
    ],
    &[0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
];

fn offered(server: &Server, offer: &str) -> Response {
    let mut connection = server.connect();
    connection.send(small(offer).text().as_bytes());
    connection.response()
}

/// What the server answers to an offer, on an echo that compresses.
fn answer(server: &Server, offer: &str) -> String {
    let response = offered(server, offer);
    assert_eq!(response.status, 101, "{offer}: {response:?}");
    response.header("sec-websocket-extensions").to_owned()
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let server = setup().start();
    let mut ws = server.small();
    for deflated in HELLO {
        ws.send(0xC1, deflated);
        let echo = ws.next().unwrap();
        assert_eq!((echo.first, &echo.payload[..]), (0x81, &b"Hello"[..]));
    }
    // Cut in two frames, as in §7.2.3.1: only the first has RSV1.
    ws.send(0x41, &HELLO[0][..3]);
    ws.send(0x80, &HELLO[0][3..]);
    assert_eq!(ws.next().unwrap().payload, b"Hello");
    ws.send(0xC1, &[0]);
    assert_eq!(ws.next().unwrap().payload, b"", "an empty message");
    ws.send(0xC2, &stored(b"\xff\x00"));
    assert_eq!(ws.next().unwrap().first, 0x82);
}

#[test]
fn long_messages_go_deflated_and_short_ones_as_they_are() {
    let server = setup().start();
    let mut ws = server.small();
    for length in [0, 1, 255, 256, 1000, 30_000, 65_536] {
        let text = "a long story ".repeat(6000)[..length].to_owned();
        for (first, sent) in [
            (0x81, text.clone().into_bytes()),
            (0xC1, deflate(text.as_bytes())),
        ] {
            ws.send(first, &sent);
            let echo = ws.next().unwrap();
            if length < 256 {
                assert_eq!((echo.first, &echo.payload[..]), (0x81, text.as_bytes()));
            } else {
                assert_eq!(echo.first, 0xC1);
                assert!(echo.payload.len() < length / 3, "{}", echo.payload.len());
                // None refers to the one before.
                assert_eq!(inflate(&echo.payload, 15), text.as_bytes());
            }
        }
    }
}

#[test]
fn what_deflating_makes_no_shorter_goes_as_it_is() {
    let server = setup().start();
    let mut ws = server.small();
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(65_536)
    .collect();
    ws.send(0x82, &noise);
    let echo = ws.next().unwrap();
    assert!(echo.first == 0x82 && echo.payload == noise);
    // And one of the largest size gets in, though it takes a longer frame.
    let deflated = deflate(&noise);
    assert!(deflated.len() > noise.len());
    ws.send(0xC2, &deflated);
    assert!(ws.next().unwrap().payload == noise);
}

#[test]
fn neither_end_keeps_a_context_whatever_is_offered() {
    let server = setup().start();
    const AGREED: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for offer in [
        "permessage-deflate",
        OFFER,
        "Permessage-Deflate;client_max_window_bits=8",
        "permessage-deflate; client_max_window_bits=\"1\\0\"; server_no_context_takeover",
        "x-webkit-deflate-frame, permessage-deflate; client_no_context_takeover",
        "other; a=1; b=\"2\", , permessage-deflate",
    ] {
        assert_eq!(answer(&server, offer), AGREED, "{offer}");
    }
    for (asked, bits) in (9..=15).zip([9, 9, 9, 12, 12, 12, 15]) {
        let offer = format!("permessage-deflate; server_max_window_bits={asked}");
        let answered = answer(&server, &offer);
        assert_eq!(answered, format!("{AGREED}; server_max_window_bits={bits}"));
    }
    let fallback = "permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10";
    assert!(answer(&server, fallback).ends_with("; server_max_window_bits=9"));
    assert_eq!(answer(&server, "other"), "");
}

/// Some of sixteen letters, without repetition.
fn letters(count: usize) -> String {
    let mut state = 1_u32;
    let letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from(state >> 28).unwrap())
    };
    std::iter::repeat_with(letter).take(count).collect()
}

#[test]
fn a_window_that_was_asked_for_is_kept() {
    let server = setup().start();
    for bits in 9..=15 {
        let mut ws = server.open(small(&format!(
            "permessage-deflate; server_max_window_bits={bits}"
        )));
        // The same letters twice, so far apart that only a larger window than this finds them again.
        let once = letters((1 << bits) + 16);
        let mut lengths = [once.clone(), once.clone() + &once]
            .into_iter()
            .map(|text| {
                let text = &text[text.len().saturating_sub(65_536)..];
                ws.text(text);
                let echo = ws.next().unwrap();
                assert_eq!(echo.first, 0xC1);
                assert_eq!(inflate(&echo.payload, bits), text.as_bytes());
                echo.payload.len() * 100 / text.len()
            });
        let (one, two) = (lengths.next().unwrap(), lengths.next().unwrap());
        assert!(two + 5 > one, "{bits}: {one} and {two} per cent are left");
    }
}

#[test]
fn a_route_that_does_not_compress_answers_no_offer() {
    let server = setup().start();
    let plain = small(OFFER).line("GET /echo HTTP/1.1");
    let mut connection = server.connect();
    connection.send(plain.text().as_bytes());
    let response = connection.response();
    assert_eq!(response.status, 101);
    assert_eq!(response.header("sec-websocket-extensions"), "");
}

/// What a frame says, and whether it came deflated for a window of so many bits.
fn read(frame: &Frame, window: u8) -> (bool, Value) {
    let deflated = frame.first == 0xC1;
    assert!(deflated || frame.first == 0x81, "{frame:?}");
    let text = if deflated {
        inflate(&frame.payload, window)
    } else {
        frame.payload.clone()
    };
    (deflated, serde_json::from_slice(&text).unwrap())
}

/// One who follows the lobby on a route that compresses, with this offer.
fn follower(server: &Server, subject: &str, offer: Option<&str>, window: u8) -> Ws {
    let token = server.issuer.token(subject).mint();
    let mut handshake = Handshake::new("/packed").bearer(&token);
    if let Some(offer) = offer {
        handshake = handshake.with("Sec-WebSocket-Extensions", offer);
    }
    let mut ws = server.open(handshake);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": { "channel": "chat/lobby" } });
    ws.text(&call.to_string());
    let (_, answer) = read(&ws.next().unwrap(), window);
    assert!(answer["error"].is_null(), "{answer}");
    ws
}

#[test]
fn a_publication_reaches_each_follower_in_the_encoding_that_it_agreed_on() {
    let server = setup().start();
    let small_window = "permessage-deflate; server_max_window_bits=9";
    let mut packed = [
        follower(&server, "alice", Some(OFFER), 15),
        follower(&server, "bob", Some(OFFER), 15),
    ];
    let mut narrow = follower(&server, "carol", Some(small_window), 9);
    let mut plain = follower(&server, "dave", None, 15);
    let mut publisher = server.socket("erin");
    for round in 0..20 {
        let data = format!("{round} {}", "the price of tea ".repeat(100));
        publisher.ok("publish", json!({ "channel": "chat/lobby", "data": data }));
        let bare = plain.next().unwrap();
        let (deflated, heard) = read(&bare, 15);
        assert!(!deflated, "nobody asked for that");
        assert_eq!(heard["params"]["data"], data);
        let [first, second] = packed.each_mut().map(|ws| ws.next().unwrap());
        assert_eq!(first, second, "who agreed on the same gets the same");
        assert_eq!(read(&first, 15), (true, heard.clone()));
        assert!(first.payload.len() < bare.payload.len() / 3);
        assert_eq!(read(&narrow.next().unwrap(), 9), (true, heard));
    }
}

#[test]
fn who_leaves_takes_no_others_publications_along() {
    let server = setup().start();
    let gone = follower(&server, "alice", Some(OFFER), 15);
    let mut stays = follower(&server, "bob", Some(OFFER), 15);
    let mut plain = follower(&server, "carol", None, 15);
    drop(gone);
    server.closed(1006, "dropped");
    let mut publisher = server.socket("dave");
    let data = "tea ".repeat(100);
    publisher.ok("publish", json!({ "channel": "chat/lobby", "data": data }));
    let (deflated, heard) = read(&stays.next().unwrap(), 15);
    assert!(deflated);
    assert_eq!(read(&plain.next().unwrap(), 15), (false, heard));
}

crate::harness::over_http2![
    the_examples_of_the_rfc_are_read,
    long_messages_go_deflated_and_short_ones_as_they_are,
    what_deflating_makes_no_shorter_goes_as_it_is,
    neither_end_keeps_a_context_whatever_is_offered,
    a_window_that_was_asked_for_is_kept,
    a_route_that_does_not_compress_answers_no_offer,
    a_publication_reaches_each_follower_in_the_encoding_that_it_agreed_on,
    who_leaves_takes_no_others_publications_along,
];
