//! Rows 15 and 16, and what else only HTTP/2 makes possible, frame by frame. That the other rows have the same verdicts
//! over HTTP/2 is tested beside them (`over_http2`).

use crate::harness::{
    KeyServer, Server, Setup, frame,
    raw_http2::{
        ACK, CANCEL, CONNECT, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
        GOAWAY, HEADERS, NO_ERROR, PADDED, PING, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM,
        RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, raw,
    },
};

fn server() -> Server {
    setup("").start()
}

fn setup(lines: &str) -> Setup {
    let mut setup = Setup::new();
    setup
        .rest
        .insert_str(0, &format!("[http2]\nwebsockets = true\n{lines}\n"));
    setup
}

/// Sends what `flood` makes until the server hangs up, and demands that it does so for this reason while others are not
/// harmed.
fn ends_in_calm(server: &Server, connection: &mut Raw, mut flood: impl FnMut(u32) -> Vec<u8>) {
    let mut other = server.echo();
    let before = server.memory();
    send(connection, &mut flood);
    assert_eq!(connection.gone(), Some(ENHANCE_YOUR_CALM));
    server.refused("http2-flood");
    assert!(server.memory().saturating_sub(before) < 8 * 1024 * 1024);
    other.text("still here");
    assert_eq!(other.next().unwrap().payload, b"still here");
    let refusals = server.audit();
    let floods = refusals.iter().filter(|it| it["reason"] == "http2-flood");
    assert_eq!(floods.count(), 1, "it is told once");
}

/// Until the server hangs up, or so often that it should have. It does not listen for ever to a peer that goes on all the
/// same, which then would not hear why.
fn send(connection: &mut Raw, flood: &mut impl FnMut(u32) -> Vec<u8>) {
    for round in 0..1200 {
        if !connection.put(&flood(round)) {
            break;
        }
    }
}

/// Streams that are the client's have odd numbers.
fn odd(round: u32) -> u32 {
    2 * round + 1
}

#[test]
fn attack_015_rapid_reset() {
    let server = server();
    let mut connection = Raw::connect(&server);
    ends_in_calm(&server, &mut connection, |round| {
        let stream = odd(round);
        let request = raw(HEADERS, END_HEADERS, stream, &block(&CONNECT));
        [request, raw(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())].concat()
    });
}

#[test]
fn attack_015_resets_that_the_server_is_made_to_send() {
    // CVE-2025-8671: the client breaks each stream a little, so that the server resets it.
    let server = server();
    let mut connection = Raw::connect(&server);
    send(&mut connection, &mut |round| {
        let stream = odd(round);
        let request = raw(HEADERS, END_HEADERS, stream, &block(&CONNECT));
        [
            request,
            raw(WINDOW_UPDATE, 0, stream, &0x7FFF_FFFF_u32.to_be_bytes()),
        ]
        .concat()
    });
    assert_eq!(connection.gone(), Some(ENHANCE_YOUR_CALM));
    server.refused("http2-protocol");
    server.refused("http2-flood");
}

#[test]
fn attack_015_a_flood_of_continuations() {
    let server = server();
    let mut connection = Raw::connect(&server);
    connection.send(HEADERS, 0, 1, &block(&CONNECT));
    ends_in_calm(&server, &mut connection, |_| raw(CONTINUATION, 0, 1, &[]));
}

#[test]
fn attack_015_floods_of_frames_that_bring_nothing() {
    let ping = raw(PING, 0, 0, &[0; 8]);
    let pong = raw(PING, ACK, 0, &[0; 8]);
    let settings = raw(SETTINGS, 0, 0, &[]);
    let priority = raw(PRIORITY, 0, 1, &[0, 0, 0, 3, 7]);
    let window = raw(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes());
    let unknown = raw(0x42, 0, 0, b"grease");
    for flood in [ping, pong, settings, priority, window, unknown] {
        let server = server();
        let mut connection = Raw::connect(&server);
        ends_in_calm(&server, &mut connection, |_| flood.clone());
    }
}

#[test]
fn attack_015_a_flood_of_empty_data_on_an_open_socket() {
    for (flags, payload) in [(0, &[][..]), (PADDED, &[3, 0, 0, 0][..])] {
        let server = server();
        let mut connection = Raw::connect(&server);
        connection.echo(1);
        ends_in_calm(&server, &mut connection, |_| raw(DATA, flags, 1, payload));
    }
}

#[test]
fn attack_015_requests_that_are_refused_one_after_another() {
    let server = server();
    let mut connection = Raw::connect(&server);
    let fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/nowhere"),
    ];
    // Each waits for the answer to the one before, so that no other bound is met.
    let mut refused = 0;
    let error = 'all: loop {
        assert!(refused < 500, "it could go on for ever");
        connection.request(odd(refused), END_STREAM, &fields);
        loop {
            let frame = connection.next().expect("a GOAWAY before the end");
            match frame.kind {
                GOAWAY => break 'all frame.error(),
                DATA => break,
                _ => {}
            }
        }
        refused += 1;
    };
    assert_eq!(error, ENHANCE_YOUR_CALM);
    assert!(refused > 30, "a few are no flood");
    server.refused("http2-flood");
}

#[test]
fn attack_015_header_lists_without_end() {
    let server = server();
    let mut connection = Raw::connect(&server);
    let large = "y".repeat(8_000);
    // Over our bound and under h2's: refused as over HTTP/1.1.
    let fields = [
        &CONNECT[..],
        &[("x", &large), ("y", &large), ("z", &large[..400])],
    ]
    .concat();
    connection.request(1, 0, &fields);
    let refusal = server.refused("head-too-large");
    assert_eq!(refusal["status"], 431);
    // Over h2's bound: that answers by itself, which is read off its reset.
    connection.request(3, 0, &[&CONNECT[..], &[("x", large.as_str()); 4]].concat());
    server.refused("http2-protocol");
    // Far over it, the connection ends.
    connection.send(HEADERS, 0, 5, &block(&CONNECT));
    for _ in 0..30 {
        connection.send(CONTINUATION, 0, 5, &block(&[("x", &large)]));
    }
    assert_eq!(connection.gone(), Some(ENHANCE_YOUR_CALM));
    server.refused("http2-flood");
}

#[test]
fn attack_015_more_streams_than_a_connection_has() {
    let server = setup("streams = 3").start();
    let mut connection = Raw::connect(&server);
    for stream in [1, 3, 5] {
        connection.echo(stream);
    }
    connection.request(7, 0, &CONNECT);
    let reset = connection.next_of(7);
    assert_eq!((reset.kind, reset.error()), (RST_STREAM, REFUSED_STREAM));
    let refusal = server.refused("http2-protocol");
    assert!(
        refusal["detail"]
            .as_str()
            .unwrap()
            .starts_with("RST_STREAM")
    );
    connection.send(DATA, 0, 5, &frame(0x81, b"alive"));
    assert_eq!(connection.next_of(5).payload, b"\x81\x05alive");
}

#[test]
fn attack_015_a_window_that_never_opens() {
    let server = Setup::new();
    let mut server = server;
    server.rest.insert_str(0, "[http2]\nwebsockets = true\n");
    server.limits = "outbox = \"4KiB\"\nping = \"200ms\"\npong = \"200ms\"\n".into();
    let server = server.start();
    let mut connection = Raw::connect(&server);
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    connection.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    connection.request(1, 0, &CONNECT);
    assert_eq!(connection.next_of(1).status(), 200);
    let before = server.memory();
    for _ in 0..3 {
        connection.send(DATA, 0, 1, &frame(0x82, &[7; 16_000]));
    }
    // Neither its echoes nor the ping pass, and it is let go of.
    server.closed(3008, "idle");
    let reset = connection.next_of(1);
    assert_eq!((reset.kind, reset.error()), (RST_STREAM, CANCEL));
    assert!(server.memory().saturating_sub(before) < 4 * 1024 * 1024);
}

#[test]
fn attack_015_data_in_crumbs_that_nobody_reads() {
    let server = server();
    let mut connection = Raw::connect(&server);
    // A socket that does not get rid of its echo reads no further.
    connection.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    connection.echo(1);
    connection.send(DATA, 0, 1, &frame(0x82, &[7; 100]));
    // A byte each, of a message that is as it should be.
    let message = frame(0x82, &[7; 6_000]);
    let mut crumbs = message.chunks(5).map(|bytes| {
        let frames = bytes.chunks(1).map(|byte| raw(DATA, 0, 1, byte));
        frames.collect::<Vec<_>>().concat()
    });
    ends_in_calm(&server, &mut connection, |_| {
        crumbs.next().expect("it was hung up on")
    });
}

#[test]
fn attack_015_data_in_crumbs_that_are_read_does_no_harm() {
    let server = server();
    let mut connection = Raw::connect(&server);
    connection.echo(1);
    // More crumbs than may wait, each taken as it comes.
    let message = frame(0x82, &[7; 100]);
    for round in 0..100 {
        for byte in &message {
            assert!(connection.send(DATA, 0, 1, &[*byte]), "round {round}");
        }
        assert_eq!(connection.next_of(1).payload.len(), 102);
    }
}

#[test]
fn attack_006_a_preface_that_never_ends() {
    let server = quick().start();
    let mut connection = Raw::silent(&server);
    connection.put(b"PRI * HTTP/2.0\r\n");
    assert_eq!(connection.gone(), None);
    server.refused("handshake-timeout");
}

#[test]
fn attack_006_what_is_no_preface() {
    let server = server();
    let mut connection = Raw::silent(&server);
    connection.put(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    while connection.next().is_some() {}
    server.refused("http2-protocol");
}

fn quick() -> Setup {
    let mut setup = setup("");
    setup.limits = "handshake = \"1s\"\n".into();
    setup
}

#[test]
fn attack_006_a_block_of_fields_that_never_ends() {
    let server = quick().start();
    let mut connection = Raw::connect(&server);
    connection.send(HEADERS, 0, 1, &block(&CONNECT));
    assert_eq!(connection.gone(), Some(NO_ERROR));
}

#[test]
fn attack_006_a_body_that_never_ends() {
    let server = quick().start();
    let mut connection = Raw::connect(&server);
    connection.request(1, 0, &ticket_request());
    connection.send(DATA, 0, 1, b"{");
    server.refused("handshake-timeout");
    assert_eq!(connection.gone(), Some(NO_ERROR));
}

#[test]
fn attack_006_a_connection_of_which_nothing_comes() {
    let server = quick().start();
    let mut connection = Raw::connect(&server);
    assert_eq!(connection.gone(), Some(NO_ERROR));
}

#[test]
fn attack_004_bytes_behind_an_extended_connect() {
    let server = server();
    let mut connection = Raw::connect(&server);
    let request = raw(HEADERS, END_HEADERS, 1, &block(&CONNECT));
    let early = raw(DATA, 0, 1, &frame(0x81, b"early"));
    connection.put(&[request, early].concat());
    assert_eq!(connection.next_of(1).status(), 400);
    server.refused("upgrade-with-body");
    // The end of the stream is no better.
    connection.request(3, END_STREAM, &CONNECT);
    assert_eq!(connection.next_of(3).status(), 400);
}

/// A connection with an extended CONNECT that waits for the issuer's keys.
fn asking() -> (Server, KeyServer, Raw) {
    let mut setup = setup("");
    let keys = KeyServer::start(&setup);
    setup.issuers = keys.issuer();
    let server = setup.start();
    keys.serve_keys(&server.issuer.jwks());
    keys.hold();
    let bearer = format!("Bearer {}", server.issuer.token("alice").mint());
    let mut fields = CONNECT.to_vec();
    fields[4].1 = "/native";
    fields.push(("sec-websocket-protocol", "wardwire.v1"));
    fields.push(("authorization", &bearer));
    let mut connection = Raw::connect(&server);
    connection.request(1, 0, &fields);
    keys.wait_for(1);
    (server, keys, connection)
}

#[test]
fn attack_004_bytes_while_the_gate_asks_over_http_2() {
    let (server, keys, mut connection) = asking();
    connection.send(DATA, 0, 1, &frame(0x81, b"early"));
    // Once this is answered, they have come.
    connection.send(PING, 0, 0, b"have you");
    while connection.next().expect("a PING").kind != PING {}
    keys.release();
    assert_eq!(connection.next_of(1).status(), 400);
    server.refused("upgrade-with-body");
    server.closed(1006, "bytes before the 200");
    assert_eq!(server.metric("wardwire_sockets_open"), 0);
}

#[test]
fn attack_015_sockets_that_are_opened_to_be_reset() {
    let server = setup("streams = 10").start();
    let mut connection = Raw::connect(&server);
    let mut opened = 0;
    let error = 'all: loop {
        assert!(opened < 2000, "it could go on for ever");
        let ten: Vec<u32> = (opened..opened + 10).map(odd).collect();
        for stream in &ten {
            connection.request(*stream, 0, &CONNECT);
        }
        let mut answered = 0;
        while answered < ten.len() {
            let frame = connection.next().expect("a GOAWAY before the end");
            match frame.kind {
                GOAWAY => break 'all frame.error(),
                HEADERS => answered += 1,
                _ => {}
            }
        }
        opened += 10;
        for stream in ten {
            connection.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        }
    };
    assert_eq!(error, ENHANCE_YOUR_CALM);
    assert!(opened >= 20, "all streams twice is no flood");
    server.refused("http2-flood");
    server.until_metric("wardwire_sockets_open", 0);
    server.until_metric("wardwire_connections_unadmitted", 0);
}

#[test]
fn attack_015_requests_that_wait_for_their_bodies_are_counted_one_by_one() {
    let mut setup = setup("");
    setup.limits = "unadmitted = 8\n".into();
    let server = setup.start();
    let mut connection = Raw::connect(&server);
    let fields = ticket_request();
    // Half of the pool is one address's: the connection and three requests.
    for stream in [1, 3, 5] {
        connection.request(stream, 0, &fields);
    }
    server.until_metric("wardwire_connections_unadmitted", 4);
    connection.request(7, 0, &fields);
    assert_eq!(server.refused("pool-full")["stream"], 7);
    for stream in [1, 3, 5] {
        connection.send(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
    }
    server.until_metric("wardwire_connections_unadmitted", 1);
    connection.echo(9);
}

/// Asks for a ticket, and is yet to say for what.
fn ticket_request() -> [(&'static str, &'static str); 5] {
    [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", "/.wardwire/tickets"),
        ("content-type", "application/json"),
    ]
}

#[test]
fn attack_003_a_length_that_the_body_does_not_have() {
    for (length, body) in [("5", &b"{}"[..]), ("1", b"{}")] {
        let server = server();
        let mut connection = Raw::connect(&server);
        let fields = [&ticket_request()[..], &[("content-length", length)]].concat();
        connection.request(1, 0, &fields);
        connection.send(DATA, END_STREAM, 1, body);
        let reset = connection.next_of(1);
        assert_eq!((reset.kind, reset.error()), (RST_STREAM, PROTOCOL_ERROR));
        server.refused("http2-protocol");
    }
}

#[test]
fn attack_016_trailers_end_a_socket_as_a_broken_connection_does() {
    let server = server();
    let mut connection = Raw::connect(&server);
    // A second request on the same stream is trailers as well (RFC 9113 §8.1), and opens nothing.
    let trailers: [(u32, &[(&str, &str)]); 2] = [(1, &[("x", "y")]), (3, &CONNECT)];
    for (stream, fields) in trailers {
        connection.echo(stream);
        connection.request(stream, END_STREAM, fields);
        let end = connection.next_of(stream);
        assert_eq!((end.kind, end.payload.len()), (DATA, 0), "{end:?}");
        server.until_metric("wardwire_sockets_open", 0);
    }
    server.closed(1006, "dropped");
}

#[test]
fn attack_016_a_goodbye_of_the_client_gives_every_place_back() {
    let server = quick().start();
    let mut connection = Raw::connect(&server);
    connection.echo(1);
    connection.send(GOAWAY, 0, 0, &[0; 8]);
    connection.send(DATA, 0, 1, &frame(0x81, b"alive"));
    assert_eq!(connection.next_of(1).payload, b"\x81\x05alive");
    connection.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes());
    server.closed(1006, "dropped");
    while connection.next().is_some() {}
    server.until_metric("wardwire_http2_connections_open", 0);
    server.until_metric("wardwire_sockets_open", 0);
    server.until_metric("wardwire_connections_unadmitted", 0);
}

#[test]
fn attack_015_a_handshake_that_is_taken_back_gives_its_place_back() {
    let (server, keys, mut connection) = asking();
    assert_eq!(server.metric("wardwire_connections_unadmitted"), 2);
    connection.send(RST_STREAM, 0, 1, &CANCEL.to_be_bytes());
    server.until_metric("wardwire_connections_unadmitted", 1);
    let events = server.audit();
    assert!(
        events.iter().all(|it| it["event"] != "refusal"),
        "nobody waited for the keys any longer"
    );
    keys.release();
}

#[test]
fn attack_016_fields_that_http_2_forbids() {
    let server = server();
    let spoilt: [&[(&str, &str)]; 8] = [
        &[("connection", "Upgrade")],
        &[("upgrade", "websocket")],
        &[("transfer-encoding", "chunked")],
        &[("te", "gzip")],
        &[("Origin", "https://app.localhost")],
        &[("x", "a\r\nb: c")],
        &[("x", "a\0b")],
        &[(":path", "/native")],
    ];
    for fields in spoilt {
        let events = server.audit().len();
        let mut connection = Raw::connect(&server);
        connection.request(1, 0, &[&CONNECT[..], fields].concat());
        let refused = loop {
            match connection.next() {
                Some(frame) if matches!(frame.kind, RST_STREAM | GOAWAY) => break frame,
                Some(frame) => assert_ne!(frame.kind, HEADERS, "{fields:?}"),
                None => panic!("{fields:?}: no word of why"),
            }
        };
        assert_eq!(refused.error(), PROTOCOL_ERROR, "{fields:?}");
        server.refused_since(events, "http2-protocol");
    }
}

#[test]
fn attack_010_hosts_over_http_2() {
    let server = server();
    let with = |authority: &'static str, more: &[(&'static str, &'static str)]| {
        let mut fields = CONNECT.to_vec();
        fields[3].1 = authority;
        fields.extend(more);
        fields
    };
    let mut events = server.audit().len();
    let spoilt = [
        (with("localhost", &[("host", "evil.test")]), "bad-host"),
        (
            with("localhost", &[("host", "localhost"), ("host", "localhost")]),
            "bad-host",
        ),
        (with("user@localhost", &[]), "bad-host"),
        (with("evil.test", &[]), "misdirected"),
        (with("other.localhost", &[]), "misdirected"),
    ];
    for (fields, reason) in spoilt {
        let mut connection = Raw::connect(&server);
        connection.request(1, 0, &fields);
        let answer = connection.next_of(1);
        assert_eq!(answer.kind, HEADERS, "{answer:?}");
        server.refused_since(events, reason);
        events = server.audit().len();
    }
    let mut connection = Raw::connect(&server);
    connection.request(1, 0, &with("localhost:8443", &[("host", "localhost:8443")]));
    assert_eq!(connection.next_of(1).status(), 200);
}

#[test]
fn attack_011_tunnels_and_other_protocols() {
    let server = server();
    let mut connection = Raw::connect(&server);
    connection.request(
        1,
        0,
        &[(":method", "CONNECT"), (":authority", "localhost:443")],
    );
    let refusal = server.refused("method-not-allowed");
    assert_eq!(refusal["status"], 405);
    let mut other = CONNECT;
    other[1].1 = "connect-udp";
    connection.request(3, 0, &other);
    server.refused("bad-handshake");
    let mut plain = CONNECT;
    plain[2].1 = "http";
    connection.request(5, 0, &plain);
    server.refused("malformed-head");
}

#[test]
fn attack_011_a_tunnel_that_leads_nowhere_is_told_so_at_once() {
    let server = server();
    let mut connection = Raw::connect(&server);
    let mut nowhere = CONNECT;
    for field in &mut nowhere {
        if field.0 == ":path" {
            field.1 = "/nowhere";
        }
    }
    // It stays open, so that whoever took what it brings for a body would wait for its end.
    connection.request(1, 0, &nowhere);
    assert_eq!(connection.next_of(1).status(), 404);
}

#[test]
fn attack_016_nothing_of_it_where_it_is_off() {
    // A client that speaks HTTP/2 all the same gets what any malformed head gets.
    let server = Server::start();
    let mut connection = server.connect();
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!(connection.response().status, 400);
    server.refused("malformed-head");
}
