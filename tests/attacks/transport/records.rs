//! Records that no TLS library would send.

use serde_json::json;

use super::{echoes, ended, serves_others};
use crate::harness::{
    CLOSE_NOTIFY, DATA, FULL, HANDSHAKE, Handshake, Opening, Server, Setup, Wire, frame, header,
};

const ALERT: u8 = 21;
/// A fatal alert's level.
const FATAL: u8 = 2;
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;
const ILLEGAL_PARAMETER: u8 = 47;
const DECODE_ERROR: u8 = 50;
const USER_CANCELED: (u8, u8) = (1, 90);
const NO_RENEGOTIATION: (u8, u8) = (1, 100);

/// No alert at all: rustls sends none for what only tires it.
const NONE: u8 = 0;

/// Sends what breaks TLS, with a good message behind it. Demands one of these alerts, the end, and silence about the
/// message.
fn breaks(server: &Server, opening: Opening, alerts: &[u8], bytes: impl Fn(&mut Wire) -> Vec<u8>) {
    let mut wire = opening.on(server);
    echoes(&mut wire, "before");
    let broken = bytes(&mut wire);
    let after = wire.data(&frame(0x81, b"after"));
    let before = server.audit().len();
    wire.put(&[broken, after].concat());
    assert_eq!(wire.ws.connection.rest(), 0, "no more frames");
    let heard = match wire.heard().alerts[..] {
        [] => NONE,
        [(FATAL, description)] => description,
        ref more => panic!("{more:?}"),
    };
    assert!(alerts.contains(&heard), "{heard}, not one of {alerts:?}");
    // Of those who were served well, some end only now.
    let event = server.audited(|event| {
        event["event"] == "close"
            && event["code"] != 1000
            && event["seq"].as_u64() >= u64::try_from(before).ok()
    });
    assert_eq!(
        (&event["code"], &event["reason"]),
        (&1006.into(), &"dropped".into())
    );
    serves_others(server);
}

fn flipped(mut record: Vec<u8>) -> Vec<u8> {
    *record.last_mut().unwrap() ^= 1;
    record
}

#[test]
fn transport_a_record_that_was_tampered_with_ends_the_socket() {
    let server = Server::start();
    let text = |wire: &mut Wire| flipped(wire.data(&frame(0x81, b"x")));
    breaks(&server, Opening::echo(), &[BAD_RECORD_MAC], text);
    breaks(&server, Opening::echo().tls12(), &[BAD_RECORD_MAC], text);
    // Its length is what protects it in TLS 1.3, and its number in both.
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        breaks(&server, opening, &[BAD_RECORD_MAC], |wire| {
            let record = wire.data(&frame(0x81, b"x"));
            wire.put(&record);
            assert_eq!(wire.ws.frame().expect("an echo").payload, b"x");
            record
        });
    }
    breaks(
        &server,
        Opening::echo(),
        &[BAD_RECORD_MAC, DECODE_ERROR],
        |_| [&header(DATA, 3)[..], b"abc"].concat(),
    );
}

#[test]
fn transport_a_record_larger_than_tls_allows_ends_the_socket() {
    let server = Server::start();
    // RFC 8446 §5.2 asks for record_overflow. rustls allows any version what TLS 1.2 allows, and calls the rest unreadable.
    let overflow = [RECORD_OVERFLOW, DECODE_ERROR, BAD_RECORD_MAC];
    for length in [FULL + 257, FULL + 2049] {
        breaks(&server, Opening::echo(), &overflow, |_| {
            [&header(DATA, length)[..], &vec![0; length]].concat()
        });
    }
    // No need to wait for the rest of it.
    breaks(&server, Opening::echo(), &overflow, |_| {
        header(DATA, 65_535).to_vec()
    });
    let carries = |wire: &mut Wire| wire.seal(DATA, &[0; FULL + 1]);
    breaks(&server, Opening::echo(), &[RECORD_OVERFLOW], carries);
    breaks(
        &server,
        Opening::echo().tls12(),
        &[RECORD_OVERFLOW],
        carries,
    );
    // The largest that it allows is welcome.
    let mut wire = Opening::echo().on(&server);
    let record = wire.seal(DATA, &frame(0x82, &[1; FULL - 8]));
    wire.put(&record);
    assert_eq!(wire.ws.frame().unwrap().payload, [1; FULL - 8]);
}

#[test]
fn transport_a_record_of_an_unknown_type_ends_the_socket() {
    let server = Server::start();
    // rustls tries to open it first.
    let unknown = [UNEXPECTED_MESSAGE, DECODE_ERROR, BAD_RECORD_MAC];
    for kind in [0, 24, 25, 99, 255] {
        breaks(&server, Opening::echo(), &unknown, |_| {
            [&header(kind, 3)[..], b"abc"].concat()
        });
        breaks(&server, Opening::echo(), &unknown, |wire| {
            wire.seal(kind, b"abc")
        });
        breaks(&server, Opening::echo().tls12(), &unknown, |wire| {
            wire.seal(kind, b"abc")
        });
    }
    // A change of cipher spec is only for the handshake (RFC 8446 §5).
    breaks(&server, Opening::echo(), &[UNEXPECTED_MESSAGE], |_| {
        [&header(20, 1)[..], &[1]].concat()
    });
}

#[test]
fn transport_an_empty_record_is_nothing_and_a_flood_of_them_ends() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    for _ in 0..50 {
        let empty: Vec<u8> = (0..20).flat_map(|_| wire.seal(DATA, b"")).collect();
        wire.put(&empty);
        echoes(&mut wire, "between");
    }
    let before = server.memory();
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        breaks(&server, opening, &[NONE, UNEXPECTED_MESSAGE], |wire| {
            (0..50_000).flat_map(|_| wire.seal(DATA, b"")).collect()
        });
    }
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes");
    server.assert_rests();
    echoes(&mut wire, "still here");
}

#[test]
fn transport_key_updates_are_answered_for_as_long_as_something_is_said() {
    let server = Server::start();
    let mut wire = Opening::echo().on(&server);
    let before = server.memory();
    for n in 1..=300 {
        let update = wire.key_update(true);
        wire.put(&update);
        echoes(&mut wire, "with new keys");
        assert_eq!(
            wire.heard().key_updates,
            n,
            "each is answered before the next record"
        );
    }
    // Those that ask for no answer get none.
    for _ in 0..300 {
        let update = wire.key_update(false);
        wire.put(&update);
        echoes(&mut wire, "with newer keys");
    }
    assert_eq!(wire.heard().key_updates, 300);
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * 1024 * 1024, "{grown} bytes");
    let close = wire.data(&frame(0x88, b""));
    wire.put(&close);
    assert_eq!(wire.ws.frame().unwrap().first, 0x88);
    wire.ends_with(CLOSE_NOTIFY);
    serves_others(&server);
}

#[test]
fn transport_key_updates_with_nothing_between_end_the_socket() {
    let server = Server::start();
    let before = server.memory();
    for requested in [true, false] {
        breaks(
            &server,
            Opening::echo(),
            &[NONE, UNEXPECTED_MESSAGE],
            |wire| (0..2000).flat_map(|_| wire.key_update(requested)).collect(),
        );
    }
    breaks(
        &server,
        Opening::echo(),
        &[ILLEGAL_PARAMETER, DECODE_ERROR],
        |wire| wire.seal(HANDSHAKE, &[24, 0, 0, 1, 2]),
    );
    let grown = server.memory().saturating_sub(before);
    assert!(grown < 4 * 1024 * 1024, "{grown} bytes");
    server.assert_rests();
}

#[test]
fn transport_an_empty_alert_ends_the_socket() {
    let server = Server::start();
    let alerts = [NONE, UNEXPECTED_MESSAGE, DECODE_ERROR];
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        breaks(&server, opening, &alerts, |wire| wire.seal(ALERT, b""));
    }
}

#[test]
fn transport_an_empty_part_of_a_handshake_message_harms_nobody() {
    let server = Server::start();
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        let mut wire = opening.on(&server);
        let empty = wire.seal(HANDSHAKE, b"");
        wire.put_alone(&empty);
        let text = wire.data(&frame(0x81, b"after"));
        wire.put(&text);
        // RFC 8446 §5.4 ends the connection, rustls takes it for nothing.
        let echo = wire.ws.frame();
        assert!(echo.is_none_or(|echo| echo.payload == b"after"));
        wire.fin();
    }
    ended(&server, 2, 1006, "dropped");
    serves_others(&server);
}

/// A KeyUpdate that asks for an answer, in two records.
fn key_update_in_two(wire: &mut Wire) -> [Vec<u8>; 2] {
    [
        wire.seal(HANDSHAKE, &[24, 0]),
        wire.seal(HANDSHAKE, &[0, 1, 1]),
    ]
}

#[test]
fn transport_a_handshake_message_may_come_in_two_records() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let mut wire = Opening::new(Handshake::new("/native").bearer(&token)).on(&server);
    wire.ws.ok("subscribe", json!({ "channel": "chat/lobby" }));
    let [first, second] = key_update_in_two(&mut wire);
    wire.put_alone(&first);
    // The server writes before the rest of it has come.
    let mut bob = server.socket("bob");
    bob.ok(
        "publish",
        json!({ "channel": "chat/lobby", "data": "between" }),
    );
    assert_eq!(wire.ws.json()["params"]["data"], "between");
    wire.put(&second);
    wire.next_keys();
    wire.ws.ok("ping", json!({}));
    assert_eq!(wire.heard().key_updates, 1);
    serves_others(&server);
}

#[test]
fn transport_half_a_handshake_message_from_a_stranger_harms_nobody() {
    let server = Setup::new().limits("handshake = \"500ms\"\n").start();
    let mut wire = Opening::echo().tls(&server);
    let [first, _] = key_update_in_two(&mut wire);
    wire.put(&first);
    // It is told that its time is over, or just dropped.
    wire.ws.connection.rest();
    serves_others(&server);
}

#[test]
fn transport_nobody_renegotiates() {
    let server = Server::start();
    let mut wire = Opening::echo().tls12().on(&server);
    let hello = wire.seal(HANDSHAKE, &client_hello());
    wire.put(&hello);
    echoes(&mut wire, "on the old keys");
    assert_eq!(wire.heard().alerts, [NO_RENEGOTIATION]);
    let hellos: Vec<u8> = (0..100)
        .flat_map(|_| wire.seal(HANDSHAKE, &client_hello()))
        .collect();
    wire.put(&hellos);
    assert_eq!(wire.ws.connection.rest(), 0);
    ended(&server, 1, 1006, "dropped");
    // TLS 1.3 does not know it.
    breaks(&server, Opening::echo(), &[UNEXPECTED_MESSAGE], |wire| {
        wire.seal(HANDSHAKE, &client_hello())
    });
    server.assert_rests();
}

/// A good one, of TLS 1.2.
fn client_hello() -> Vec<u8> {
    let body = [
        &[3, 3][..],
        &[0x5A; 32],
        &[0],
        &[0, 2, 0xC0, 0x2B],
        &[1, 0],
        &[0, 0],
    ]
    .concat();
    [&[1, 0, 0, u8::try_from(body.len()).unwrap()][..], &body].concat()
}

#[test]
fn transport_alerts_that_only_warn_are_borne_but_not_without_end() {
    let server = Server::start();
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        let mut wire = opening.on(&server);
        for _ in 0..3 {
            let warning = wire.alert(USER_CANCELED);
            wire.put(&warning);
            echoes(&mut wire, "go on");
        }
    }
    ended(&server, 2, 1006, "dropped");
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        breaks(&server, opening, &[NONE, UNEXPECTED_MESSAGE], |wire| {
            (0..1000).flat_map(|_| wire.alert(USER_CANCELED)).collect()
        });
    }
}

#[test]
fn transport_a_fatal_alert_ends_the_socket_without_a_word() {
    let server = Server::start();
    const INTERNAL_ERROR: u8 = 80;
    for opening in [Opening::echo(), Opening::echo().tls12()] {
        breaks(&server, opening, &[NONE], |wire| {
            wire.alert((FATAL, INTERNAL_ERROR))
        });
    }
}
