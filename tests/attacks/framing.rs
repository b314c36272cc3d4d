use crate::harness::{Server, Setup, Ws, frame};

/// Sends bytes on a fresh echo and demands this Close, with nothing echoed before it.
fn ends(server: &Server, bytes: &[u8], code: u16, word: &str) {
    let mut ws = server.echo();
    ws.connection.send(bytes);
    let answer = ws.frame().expect("a Close");
    assert_eq!(answer.first, 0x88, "{answer:?}");
    assert_eq!(
        u16::from_be_bytes([answer.payload[0], answer.payload[1]]),
        code,
        "{answer:?}"
    );
    assert_eq!(&answer.payload[2..], word.as_bytes());
    ws.send(0x88, &code.to_be_bytes());
    assert_eq!(ws.connection.rest(), 0);
    server.closed(code, word);
}

#[test]
fn attack_044_masks_reserved_bits_and_opcodes() {
    let server = Server::start();
    ends(&server, &[0x81, 2, b'h', b'i'], 1002, "mask");
    for bit in [0x40, 0x20, 0x10] {
        ends(&server, &frame(0x81 | bit, b"hi"), 1002, "reserved-bit");
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        ends(&server, &frame(0x80 | opcode, b"hi"), 1002, "opcode");
    }
}

#[test]
fn attack_045_control_frames_and_lengths() {
    let server = Server::start();
    for opcode in [0x09, 0x0A] {
        ends(&server, &frame(opcode, b"hi"), 1002, "control-frame");
        ends(
            &server,
            &frame(0x80 | opcode, &[0; 126]),
            1002,
            "control-frame",
        );
    }
    ends(&server, &[0x82, 0xFE, 0, 125, 0, 0, 0, 0], 1002, "length");
    ends(
        &server,
        &[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0],
        1002,
        "length",
    );
    ends(
        &server,
        &[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
        1002,
        "length",
    );
}

#[test]
fn attack_046_a_huge_length_allocates_nothing() {
    let server = Server::start();
    let before = server.memory();
    let huge = [0x82, 0xFF, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut sockets: Vec<Ws> = (0..50).map(|_| server.echo()).collect();
    for ws in &mut sockets {
        ws.connection.send(&huge);
        assert_eq!(ws.closed(), (1009, "size".into()));
    }
    let mut ws = server.echo();
    ws.connection.send(&frame(0x02, &[0; 60_000]));
    ws.connection.send(&frame(0x80, &[0; 6000])[..14]);
    assert_eq!(ws.closed(), (1009, "size".into()));
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 32 * 1024 * 1024, "{grown} bytes");
}

#[test]
fn attack_047_text_that_is_no_text() {
    let server = Server::start();
    ends(&server, &frame(0x81, b"abc\xff"), 1007, "utf-8");
    ends(&server, &frame(0x81, b"abc\xe2\x82"), 1007, "utf-8");
    ends(&server, &frame(0x81, b"\xed\xa0\x80"), 1007, "utf-8");
    ends(&server, &frame(0x81, b"\xc0\xaf"), 1007, "utf-8");
    ends(
        &server,
        &[frame(0x01, b"\xf0\x9f"), frame(0x80, b"\x98\xff")].concat(),
        1007,
        "utf-8",
    );
    // As soon as it is known: the frame is not even half there.
    let whole = frame(0x81, &[b"ok \xf5", &[b'x'; 1000][..]].concat());
    ends(&server, &whole[..20], 1007, "utf-8");
}

#[test]
fn attack_048_continuations_out_of_place() {
    let server = Server::start();
    ends(&server, &frame(0x80, b"hi"), 1002, "continuation");
    ends(&server, &frame(0x00, b"hi"), 1002, "continuation");
    ends(
        &server,
        &[frame(0x01, b"a"), frame(0x81, b"b")].concat(),
        1002,
        "interleaved",
    );
}

#[test]
fn attack_049_fragments_without_end() {
    let server = Setup::new().limits("message_time = \"500ms\"\n").start();
    let empty: Vec<u8> = (0..65).flat_map(|_| frame(0x00, b"")).collect();
    ends(
        &server,
        &[frame(0x01, b""), empty].concat(),
        1008,
        "fragments",
    );
    let tiny: Vec<u8> = (0..65).flat_map(|_| frame(0x00, b"x")).collect();
    ends(
        &server,
        &[frame(0x02, b"x"), tiny].concat(),
        1008,
        "fragments",
    );
    ends(
        &server,
        &frame(0x01, b"begun and never ended"),
        1008,
        "slow-message",
    );
    ends(
        &server,
        &frame(0x81, &[b'x'; 1000])[..500],
        1008,
        "slow-message",
    );
}

#[test]
fn attack_050_a_flood_of_pings() {
    let server = Server::start();
    let mut ws = server.echo();
    let pings: Vec<u8> = (0..90_u8).flat_map(|n| frame(0x89, &[n])).collect();
    ws.connection.send(&pings);
    let mut pongs = 0;
    loop {
        let pong = ws.frame().unwrap();
        assert_eq!(pong.first, 0x8A);
        pongs += 1;
        if pong.payload == [89] {
            break;
        }
    }
    assert!(pongs < 90, "coalesced: {pongs}");
    ws.connection.send(&pings);
    assert_eq!(ws.closed(), (1008, "flood".into()));
    server.closed(1008, "flood");
}

#[test]
fn attack_051_closes_that_may_not_be_sent() {
    let server = Server::start();
    let close = |payload: &[u8]| frame(0x88, payload);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000] {
        ends(&server, &close(&code.to_be_bytes()), 1002, "close-code");
    }
    ends(&server, &close(b"x"), 1002, "close-body");
    ends(&server, &close(b"\x03\xe8\xff"), 1007, "close-reason");
}

#[test]
fn attack_052_a_close_that_is_never_answered() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let mut ws = server.open(crate::harness::Handshake::new("/native").bearer(&token));
    ws.send(0x82, b"binary on a text protocol");
    assert_eq!(ws.closed(), (1003, "text-only".into()));
    assert_eq!(ws.connection.rest(), 0, "dropped after 5 s");
}

#[test]
fn attack_087_nothing_counts_after_a_close() {
    let server = Server::start();
    let mut ws: Ws = server.socket("alice");
    let mut other = server.socket("bob");
    other.ok("subscribe", serde_json::json!({ "channel": "chat/lobby" }));
    let late = r#"{"jsonrpc":"2.0","id":9,"method":"publish","params":{"channel":"chat/lobby","data":"late"}}"#;
    ws.connection.send(
        &[
            frame(0x88, &1000_u16.to_be_bytes()),
            frame(0x81, late.as_bytes()),
        ]
        .concat(),
    );
    assert_eq!(ws.closed().0, 1000);
    assert_eq!(ws.connection.rest(), 0);
    let mut aside = Vec::new();
    other.call_aside("ping", serde_json::json!({}), &mut aside);
    assert!(aside.is_empty(), "{aside:?}");
}

#[test]
fn attack_087_nothing_counts_after_the_servers_close_either() {
    let server = Server::start();
    let mut bob = server.socket("bob");
    bob.ok("subscribe", serde_json::json!({ "channel": "chat/lobby" }));
    let mut ws = server.socket("alice");
    let body = r#"{"issuer":"https://id.test","subject":"alice"}"#;
    assert_eq!(server.admin("POST", "/revocations", body).status, 200);
    assert_eq!(ws.closed(), (3000, "revoked".into()));
    let late = r#"{"jsonrpc":"2.0","id":9,"method":"publish","params":{"channel":"chat/lobby","data":"late"}}"#;
    ws.text(late);
    ws.send(0x89, b"are you there");
    ws.send(0x88, &3000_u16.to_be_bytes());
    assert_eq!(ws.connection.rest(), 0, "no answer, no pong");
    let mut aside = Vec::new();
    bob.call_aside("ping", serde_json::json!({}), &mut aside);
    assert!(aside.is_empty(), "{aside:?}");
}

crate::harness::over_http2![
    attack_044_masks_reserved_bits_and_opcodes,
    attack_045_control_frames_and_lengths,
    attack_046_a_huge_length_allocates_nothing,
    attack_047_text_that_is_no_text,
    attack_048_continuations_out_of_place,
    attack_049_fragments_without_end,
    attack_050_a_flood_of_pings,
    attack_051_closes_that_may_not_be_sent,
    attack_052_a_close_that_is_never_answered,
    attack_087_nothing_counts_after_a_close,
    attack_087_nothing_counts_after_the_servers_close_either,
];
