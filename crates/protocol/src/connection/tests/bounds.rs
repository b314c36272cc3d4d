//! Limits are exact: what is as much as may be is taken, one more is not.

use super::*;

/// What comes of a message in fragments of these sizes.
fn fragments(limits: Limits, sizes: &[usize]) -> Vec<Heard> {
    let mut peer = Peer::server(limits);
    for (at, size) in sizes.iter().enumerate() {
        let opcode = match at {
            0 => Opcode::Binary,
            _ => Opcode::Continuation,
        };
        peer.hears(&frame(opcode, at + 1 == sizes.len(), &vec![7; *size]));
    }
    peer.heard
}

#[test]
fn a_message_comes_in_as_many_fragments_as_may_be() {
    let limits = || Limits {
        fragments: 4,
        ..Limits::default()
    };
    let five = [1; 5];
    assert_eq!(fragments(limits(), &five), [Heard::Binary(vec![7; 5])]);
    assert_eq!(fragments(limits(), &[1; 6]), [Heard::Closing(1008)]);
}

#[test]
fn frames_and_messages_are_as_long_as_may_be() {
    let limits = || Limits {
        message: 100,
        frame: 80,
        ..Limits::default()
    };
    for (sizes, taken) in [
        (&[80][..], true),
        (&[81], false),
        (&[60, 40], true),
        (&[60, 41], false),
    ] {
        let expected = match taken {
            true => Heard::Binary(vec![7; sizes.iter().sum()]),
            false => Heard::Closing(1009),
        };
        assert_eq!(fragments(limits(), sizes), [expected], "{sizes:?}");
    }
}

#[test]
fn control_frames_are_as_many_as_may_be_in_each_window() {
    let mut peer = Peer::server(Limits {
        control_frames: 50,
        ..Limits::default()
    });
    let pings = |count: usize| frame(Opcode::Ping, true, b"").repeat(count);
    peer.hears(&pings(50));
    peer.now += Limits::CONTROL_WINDOW;
    peer.hears(&pings(50));
    assert_eq!(peer.heard, []);
    peer.now += Limits::CONTROL_WINDOW - Duration::from_millis(1);
    peer.hears(&pings(1));
    assert_eq!(peer.heard, [Heard::Closing(1008)]);
}

/// Else a peer would hold a half-read head for as long as it sends a byte now and then.
#[test]
fn a_message_is_timed_from_the_first_byte_of_its_head() {
    let mut peer = Peer::server(Limits::default());
    let wire = frame(Opcode::Text, false, b"begun");
    peer.now += Duration::from_secs(3);
    let due = peer.now + Duration::from_secs(10);
    peer.hears(&wire[..1]);
    assert_eq!(peer.connection.deadline(), due);
    peer.now += Duration::from_secs(4);
    peer.hears(&wire[1..3]);
    assert_eq!(peer.connection.deadline(), due, "its second byte");
    peer.hears(&wire[3..]);
    peer.now += Duration::from_secs(1);
    peer.hears(&frame(Opcode::Ping, true, b"between"));
    peer.hears(&frame(Opcode::Continuation, false, b"more")[..1]);
    assert_eq!(peer.connection.deadline(), due, "frames in the midst of it");
}

/// RFC 7692 §7.2.2: what it deflates to ends with an empty block of which the sender left the last bytes out.
#[test]
fn a_deflated_message_in_fragments_that_ends_too_early_is_failed() {
    // A stored block of five bytes (RFC 1951 §3.2.4), of which three never come.
    let mut wire = frame(Opcode::Text, false, &[0x00, 0x05, 0x00, 0xFA, 0xFF, b'H']);
    wire[0] |= 0x40;
    wire.extend(frame(Opcode::Continuation, true, b"e"));
    let mut peer = Peer::server(Limits::default());
    peer.connection.encoding = Some(Encoding {
        window: crate::deflate::Window::LARGEST,
        level: crate::deflate::Level::new(6).unwrap(),
        threshold: 0,
    });
    peer.hears(&wire);
    assert_eq!(peer.heard, [Heard::Closing(1007)]);
}
