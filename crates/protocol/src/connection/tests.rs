mod bounds;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::deflate::Inflater;

/// What a peer heard, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Closing(u16),
    Closed(u16),
}

struct Peer {
    connection: Connection,
    heard: Vec<Heard>,
    inflater: Inflater,
    out: Vec<u8>,
    now: Instant,
}

const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

impl Peer {
    fn server(limits: Limits) -> Self {
        let now = Instant::now();
        let connection = Connection::server(Arc::new(limits), now);
        Self {
            connection,
            heard: Vec::new(),
            inflater: Inflater::default(),
            out: Vec::new(),
            now,
        }
    }

    fn hears(&mut self, bytes: &[u8]) -> &mut Self {
        let mut bytes = bytes.to_vec();
        let mut at = 0;
        while at < bytes.len() {
            let step = self.connection.receive(
                &mut bytes[at..],
                self.now,
                &mut self.inflater,
                &mut self.out,
            );
            at += step.consumed;
            let heard = match step.action {
                Action::More => None,
                Action::Deliver(Message::Text(text)) => Some(Heard::Text(text.into_owned())),
                Action::Deliver(Message::Binary(bytes)) => Some(Heard::Binary(bytes.into_owned())),
                Action::Closing(close) => Some(Heard::Closing(close.code_or_1005())),
                Action::Closed(close) => Some(Heard::Closed(close.code_or_1005())),
            };
            self.heard.extend(heard);
        }
        self
    }
}

fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, opcode, fin, Some(MASK), payload);
    out
}

fn close_of(bytes: &[u8]) -> u16 {
    assert_eq!(bytes[0], 0x88, "a Close frame: {bytes:?}");
    u16::from_be_bytes([bytes[2], bytes[3]])
}

fn verdict(bytes: &[u8]) -> u16 {
    let limits = Limits {
        message: 100,
        frame: 80,
        fragments: 4,
        ..Limits::default()
    };
    let mut peer = Peer::server(limits);
    peer.hears(bytes);
    match peer.heard[..] {
        [Heard::Closing(code)] => {
            assert_eq!(close_of(&peer.out), code);
            code
        }
        ref heard => panic!("{heard:?}"),
    }
}

#[test]
fn broken_frames_are_failed_as_soon_as_their_first_bytes_tell() {
    assert_eq!(verdict(&[0xC1]), 1002, "RSV1");
    assert_eq!(verdict(&[0x83]), 1002, "reserved opcode");
    assert_eq!(verdict(&[0x8B]), 1002, "reserved control opcode");
    assert_eq!(verdict(&[0x81, 0x00]), 1002, "unmasked");
    assert_eq!(verdict(&[0x09, 0x80, 0, 0, 0, 0]), 1002, "fragmented ping");
    assert_eq!(
        verdict(&frame(Opcode::Ping, true, &[0; 126])),
        1002,
        "long ping"
    );
    assert_eq!(
        verdict(&frame(Opcode::Continuation, true, b"x")),
        1002,
        "stray continuation"
    );
    let two = [
        frame(Opcode::Text, false, b"a"),
        frame(Opcode::Text, true, b"b"),
    ]
    .concat();
    assert_eq!(verdict(&two), 1002, "interleaved");
}

#[test]
fn sizes_are_judged_from_the_header() {
    assert_eq!(
        verdict(&[0x82, 0xFF, 0x7F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        1009,
        "2^62 bytes"
    );
    assert_eq!(
        verdict(&frame(Opcode::Binary, true, &[0; 81])),
        1009,
        "frame"
    );
    let parts = [
        frame(Opcode::Binary, false, &[0; 60]),
        frame(Opcode::Continuation, true, &[0; 60]),
    ];
    assert_eq!(verdict(&parts.concat()), 1009, "message");
}

#[test]
fn fragments_are_counted_also_when_they_are_empty() {
    let mut bytes = frame(Opcode::Text, false, b"");
    for _ in 0..5 {
        bytes.extend(frame(Opcode::Continuation, false, b""));
    }
    assert_eq!(verdict(&bytes), 1008);
}

#[test]
fn text_is_failed_at_its_first_bad_byte_inside_an_unfinished_frame() {
    let whole = frame(Opcode::Text, true, b"ok \xff and more");
    assert_eq!(verdict(&whole[..whole.len() - 9]), 1007);
    assert_eq!(
        verdict(&frame(Opcode::Text, true, b"cut \xe2\x82")),
        1007,
        "cut at the end"
    );
    let surrogate = [
        frame(Opcode::Text, false, b"\xed"),
        frame(Opcode::Continuation, true, b"\xa0"),
    ];
    assert_eq!(verdict(&surrogate.concat()), 1007, "split across frames");
}

#[test]
fn after_a_violation_the_peers_close_is_still_found() {
    let mut peer = Peer::server(Limits {
        message: 10,
        ..Limits::default()
    });
    peer.hears(&frame(Opcode::Binary, true, &[7; 200]));
    peer.hears(&frame(Opcode::Text, true, b"late"))
        .hears(&frame(Opcode::Close, true, b"\x03\xf1"));
    assert_eq!(peer.heard, [Heard::Closing(1009), Heard::Closed(1009)]);
    assert_eq!(
        peer.out.len(),
        4 + "size".len(),
        "one Close and nothing after it"
    );
}

#[test]
fn a_close_is_answered_in_kind_and_nothing_after_it_counts() {
    let mut peer = Peer::server(Limits::default());
    let close = frame(Opcode::Close, true, b"\x0f\xa0bye");
    peer.hears(&[close, frame(Opcode::Text, true, b"x")].concat());
    assert_eq!(peer.heard, [Heard::Closed(4000)]);
    assert_eq!(close_of(&peer.out), 4000);
    assert!(!peer.connection.send(
        &Message::Text("x".into()),
        &mut Deflater::default(),
        &mut peer.out
    ));
}

#[test]
fn a_broken_close_is_the_peers_last_word() {
    for (payload, code) in [
        (&b"\x03"[..], 1002),
        (b"\x03\xed", 1002),
        (b"\x03\xe8\xff", 1007),
        (&[b'x'; 126], 1002),
    ] {
        let mut peer = Peer::server(Limits::default());
        peer.hears(&frame(Opcode::Close, true, payload));
        assert_eq!(peer.heard, [Heard::Closed(code)]);
        assert_eq!(close_of(&peer.out), code);
    }
}

#[test]
fn ten_pings_in_a_row_are_answered_in_order_and_a_flood_ends() {
    let mut peer = Peer::server(Limits {
        control_frames: 50,
        ..Limits::default()
    });
    let pings: Vec<u8> = (0..10)
        .flat_map(|n| frame(Opcode::Ping, true, &[n]))
        .collect();
    peer.hears(&pings);
    let pongs: Vec<u8> = (0..10).flat_map(|n| [0x8A, 1, n]).collect();
    assert_eq!(peer.out, pongs);
    let flood: Vec<u8> = (0..30)
        .flat_map(|n| frame(Opcode::Ping, true, &[n]))
        .collect();
    peer.out.clear();
    peer.hears(&flood);
    assert_eq!(
        peer.out.len(),
        16 * 3,
        "sixteen answers, the last one newest"
    );
    assert_eq!(peer.out[peer.out.len() - 1], 29);
    peer.hears(&flood);
    assert_eq!(peer.heard, [Heard::Closing(1008)]);
}

#[test]
fn a_silent_peer_is_pinged_and_then_dropped() {
    let mut peer = Peer::server(Limits::default());
    let begun = peer.now;
    assert_eq!(peer.connection.deadline(), begun + Duration::from_secs(25));
    let due = begun + Duration::from_secs(25);
    assert_eq!(peer.connection.tick(due, &mut peer.out), Liveness::Alive);
    assert_eq!(peer.out, [0x89, 0]);
    assert_eq!(peer.connection.deadline(), due + Duration::from_secs(20));
    let gone = peer
        .connection
        .tick(due + Duration::from_secs(20), &mut peer.out);
    assert_eq!(gone, Liveness::Gone(Close::new(CloseCode::TIMEOUT, "idle")));
}

#[test]
fn a_pong_keeps_a_peer_alive() {
    let mut peer = Peer::server(Limits::default());
    peer.now += Duration::from_secs(25);
    peer.connection.tick(peer.now, &mut peer.out);
    peer.now += Duration::from_secs(10);
    peer.hears(&frame(Opcode::Pong, true, b""));
    peer.now += Duration::from_secs(20);
    assert_eq!(
        peer.connection.tick(peer.now, &mut peer.out),
        Liveness::Alive
    );
}

#[test]
fn a_message_that_takes_too_long_is_ended() {
    let mut peer = Peer::server(Limits::default());
    peer.hears(&frame(Opcode::Text, false, b"begun"));
    let due = peer.now + Duration::from_secs(10);
    assert_eq!(peer.connection.deadline(), due);
    peer.connection.tick(due, &mut peer.out);
    assert_eq!(close_of(&peer.out), 1008);
    assert!(peer.connection.is_closing());
}

#[test]
fn a_peer_that_never_answers_close_is_dropped() {
    let mut peer = Peer::server(Limits::default());
    peer.connection.close(
        &Close::new(CloseCode::NORMAL, "bye"),
        peer.now,
        &mut peer.out,
    );
    let due = peer.now + Duration::from_secs(5);
    assert_eq!(peer.connection.deadline(), due);
    assert!(matches!(
        peer.connection.tick(due, &mut peer.out),
        Liveness::Gone(_)
    ));
}

#[test]
fn an_idle_connection_is_small_and_owns_no_memory() {
    assert!(
        size_of::<Connection>() <= 256,
        "{}",
        size_of::<Connection>()
    );
    let mut peer = Peer::server(Limits::default());
    let text = frame(Opcode::Text, true, &[b'x'; 60_000]);
    peer.hears(&text[..100]).hears(&text[100..]);
    assert_eq!(peer.heard.len(), 1);
    assert!(peer.connection.message.is_none() && peer.connection.frame.is_none());
}

#[derive(Clone, Debug)]
enum Sent {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        any::<String>().prop_map(Sent::Text),
        prop::collection::vec(any::<u8>(), 0..400).prop_map(Sent::Binary),
        prop::collection::vec(any::<u8>(), 0..125).prop_map(Sent::Ping),
    ]
}

/// A stream of messages, each in up to three fragments.
fn encode(messages: &[Sent], pieces: usize) -> Vec<u8> {
    let mut out = Vec::new();
    for message in messages {
        let (opcode, payload) = match message {
            Sent::Text(text) => (Opcode::Text, text.as_bytes()),
            Sent::Binary(bytes) => (Opcode::Binary, &bytes[..]),
            Sent::Ping(bytes) => {
                out.extend(frame(Opcode::Ping, true, bytes));
                continue;
            }
        };
        let size = payload.len() / pieces + 1;
        let chunks: Vec<&[u8]> = if payload.is_empty() {
            vec![&[]]
        } else {
            payload.chunks(size).collect()
        };
        for (at, chunk) in chunks.iter().enumerate() {
            let opcode = if at == 0 {
                opcode
            } else {
                Opcode::Continuation
            };
            out.extend(frame(opcode, at + 1 == chunks.len(), chunk));
        }
    }
    out
}

proptest! {
    #[test]
    fn the_cut_of_a_stream_changes_nothing(
        messages in prop::collection::vec(sent(), 0..6), pieces in 1usize..4, cuts: Vec<prop::sample::Index>,
    ) {
        let stream = encode(&messages, pieces);
        let mut whole = Peer::server(Limits::default());
        whole.hears(&stream);
        let mut cut = Peer::server(Limits::default());
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        for pair in at.windows(2) {
            cut.hears(&stream[pair[0]..pair[1]]);
        }
        let expected: Vec<Heard> = messages.iter().filter_map(|message| match message {
            Sent::Text(text) => Some(Heard::Text(text.clone())),
            Sent::Binary(bytes) => Some(Heard::Binary(bytes.clone())),
            Sent::Ping(_) => None,
        }).collect();
        prop_assert_eq!(&whole.heard, &expected);
        prop_assert_eq!(&cut.heard, &expected);
        prop_assert_eq!(whole.out, cut.out);
    }

    #[test]
    fn random_bytes_end_in_at_most_one_close_and_hold_no_more_than_came(
        bytes in prop::collection::vec(any::<u8>(), 0..600), cut in 1usize..50,
    ) {
        let mut peer = Peer::server(Limits { message: 256, ..Limits::default() });
        for piece in bytes.chunks(cut) {
            peer.hears(piece);
        }
        let held = peer.connection.message.as_ref().map_or(0, |message| message.data.len());
        prop_assert!(held <= 256);
        let mut client = Connection::client(Arc::new(Limits::default()), || MASK, peer.now);
        let mut inflater = Inflater::default();
        let mut at = 0;
        let mut ended = false;
        while at < peer.out.len() {
            prop_assert!(!ended, "nothing follows a Close");
            let step = client.receive(&mut peer.out[at..], peer.now, &mut inflater, &mut Vec::new());
            at += step.consumed;
            ended = matches!(step.action, Action::Closed(_));
            prop_assert!(matches!(step.action, Action::More | Action::Closed(_)));
        }
    }

    #[test]
    fn what_a_client_sends_a_server_hears(text: String, bytes: Vec<u8>) {
        let mut server = Peer::server(Limits::default());
        let mut client = Connection::client(Arc::new(Limits::default()), || MASK, server.now);
        let mut wire = Vec::new();
        let mut deflater = Deflater::default();
        client.send(&Message::Text(text.as_str().into()), &mut deflater, &mut wire);
        client.send(&Message::Binary(bytes.as_slice().into()), &mut deflater, &mut wire);
        server.hears(&wire);
        prop_assert_eq!(server.heard, [Heard::Text(text), Heard::Binary(bytes)]);
    }

    #[test]
    fn a_deflated_message_is_the_same_however_its_frames_and_reads_are_cut(
        words in prop::collection::vec("[a-zé世]{0,8}", 1..60), repeat in 1usize..30,
        frames in 1usize..90, reads in prop::collection::vec(1usize..40, 1..8),
    ) {
        let text = words.join(" ").repeat(repeat);
        let mut deflater = Deflater::default();
        let (level, window) = (crate::deflate::Level::new(6).unwrap(), crate::deflate::Window::LARGEST);
        let Some(deflated) = deflater.deflate(text.as_bytes(), level, window) else {
            return Ok(());
        };
        let pieces: Vec<&[u8]> = deflated.chunks(deflated.len().div_ceil(frames).max(1)).collect();
        let mut wire = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            let opcode = if at == 0 { Opcode::Text } else { Opcode::Continuation };
            let mut bytes = frame(opcode, at + 1 == pieces.len(), piece);
            bytes[0] |= if at == 0 { 0x40 } else { 0 };
            wire.extend(bytes);
            wire.extend(frame(Opcode::Ping, true, b"between"));
        }
        let limits = Limits { message: text.len(), fragments: 100, ..Limits::default() };
        let mut peer = Peer::server(limits);
        peer.connection.encoding = Some(Encoding { window, level, threshold: 0 });
        let mut rest = &wire[..];
        for size in reads.iter().cycle() {
            let (now, later) = rest.split_at((*size).min(rest.len()));
            peer.hears(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(peer.heard, [Heard::Text(text)]);
    }
}
