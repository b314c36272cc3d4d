//! Frames from a client (RFC 6455 §5): any cutting of the bytes gives the same, and tungstenite reads the same messages.
//!
//! An input is a byte that says how to cut, then the stream.

use std::{
    io::{self, Read, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use tungstenite::protocol::{
    Message as Foreign, Role, WebSocket, WebSocketConfig, frame::coding::CloseCode as ForeignCode,
};
use wardwire_protocol::{
    close::{Close, CloseCode},
    connection::{Action, Connection, Limits},
    deflate::{Deflater, Inflater},
    message::Message,
};

/// Small, so that short inputs reach them.
const MESSAGE: usize = 1536;
const FRAME: usize = 1024;

/// Runs all of it. True if at least one message was taken.
pub fn check(input: &[u8]) -> bool {
    let Some((&cut, stream)) = input.split_first() else {
        return false;
    };
    let strict = limits(4, 8);
    let whole = heard(stream, stream.len(), &strict);
    for size in [1, 1 + usize::from(cut)] {
        assert_eq!(heard(stream, size, &strict), whole, "cut into {size}");
    }
    documented(&whole);
    if whole.end.is_none() {
        canonical(stream);
    }
    for message in &whole.messages {
        assert!(message.as_bytes().len() <= MESSAGE);
        returns(message);
    }
    agree(stream);
    !whole.messages.is_empty()
}

fn limits(fragments: u32, control_frames: u32) -> Arc<Limits> {
    Arc::new(Limits {
        message: MESSAGE,
        frame: FRAME,
        fragments,
        control_frames,
        message_time: Duration::MAX / 4,
        ..Limits::default()
    })
}

/// What a stream came to.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    messages: Vec<Message<'static>>,
    end: Option<End>,
    /// The Close that was answered, its payload.
    answer: Option<Vec<u8>>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// A rule was broken; the peer's Close is awaited.
    Violated(Close),
    /// The peer's Close, or what was wrong with it.
    Closed(Close),
}

/// Reads a stream in pieces of `size` bytes until its end, or its first fault.
fn heard(stream: &[u8], size: usize, limits: &Arc<Limits>) -> Heard {
    let now = Instant::now();
    let mut connection = Connection::server(limits.clone(), now);
    let mut inflater = Inflater::default();
    let (mut messages, mut out) = (Vec::new(), Vec::new());
    let mut end = None;
    'stream: for piece in stream.chunks(size.max(1)) {
        let mut piece = piece.to_vec();
        let mut at = 0;
        while at < piece.len() {
            let step = connection.receive(&mut piece[at..], now, &mut inflater, &mut out);
            at += step.consumed;
            match step.action {
                Action::More => assert_eq!(at, piece.len(), "more is wanted, and some is left"),
                Action::Deliver(message) => messages.push(owned(&message)),
                Action::Closing(close) => {
                    end = Some(End::Violated(close));
                    break 'stream;
                }
                Action::Closed(close) => {
                    end = Some(End::Closed(close));
                    break 'stream;
                }
            }
        }
    }
    assert_eq!(connection.is_closing(), end.is_some());
    let answer = close_in(&out);
    assert_eq!(
        answer.is_some(),
        end.is_some(),
        "a Close answers every end, and nothing else"
    );
    Heard {
        messages,
        end,
        answer,
    }
}

fn owned(message: &Message<'_>) -> Message<'static> {
    match message {
        Message::Text(text) => Message::Text(text.clone().into_owned().into()),
        Message::Binary(bytes) => Message::Binary(bytes.clone().into_owned().into()),
    }
}

/// The Close at the end of what the server sent, of which all else is pongs: whole, unmasked, at most 125 bytes.
fn close_in(mut out: &[u8]) -> Option<Vec<u8>> {
    while let [first, length, rest @ ..] = out {
        assert!(*length <= 125, "a control frame, not masked");
        let (payload, rest) = rest.split_at(usize::from(*length));
        out = rest;
        match first {
            0x8A => {}
            0x88 => {
                assert!(rest.is_empty(), "nothing follows a Close");
                return Some(payload.to_vec());
            }
            other => panic!("the server sent {other:#x}"),
        }
    }
    assert!(out.is_empty(), "half a frame");
    None
}

/// Why a stream may be ended (`spec/codes.toml`).
fn documented(heard: &Heard) {
    let allowed: &[(u16, &[&str])] = &[
        (
            1002,
            &[
                "reserved-bit",
                "opcode",
                "length",
                "control-frame",
                "mask",
                "continuation",
                "interleaved",
            ],
        ),
        (1007, &["utf-8"]),
        (1008, &["fragments", "flood"]),
        (1009, &["size"]),
    ];
    if let Some(End::Violated(close)) = &heard.end {
        let code = close.code_or_1005();
        let known = allowed.iter().find(|(known, _)| *known == code);
        assert!(
            known.is_some_and(|(_, words)| words.contains(&&*close.reason)),
            "{close:?}"
        );
    }
}

/// Of a stream that was taken every frame is masked, without reserved bits, and its length as short as it can be: what
/// tungstenite leaves open (RFC 6455 §5.2).
fn canonical(mut stream: &[u8]) {
    while let [first, second, rest @ ..] = stream {
        let (wide, least) = match second & 0x7F {
            126 => (2, 126),
            127 => (8, 1 << 16),
            _ => (0, 0),
        };
        let masked = second & 0x80 != 0;
        // A header that is cut short is not judged yet.
        let Some(body) = rest.get(wide + if masked { 4 } else { 0 }..) else {
            return;
        };
        assert!(first & 0x70 == 0 && masked, "{first:#x} {second:#x}");
        let length = match wide {
            0 => usize::from(second & 0x7F),
            _ => rest[..wide]
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
        };
        assert!(length >= least, "{length} was written too long");
        stream = body.get(length..).unwrap_or_default();
    }
}

/// A message that was taken is sent by a client as it was meant, and so by the server.
fn returns(message: &Message<'static>) {
    let now = Instant::now();
    let limits = Arc::new(Limits::default());
    let mut client = Connection::client(limits.clone(), || [0x1F, 0x80, 0, 0xFF], now);
    let mut server = Connection::server(limits, now);
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut client, &mut server];
        let mut sent = Vec::new();
        assert!(ends[from].send(message, &mut Deflater::default(), &mut sent));
        let (mut inflater, mut out) = (Inflater::default(), Vec::new());
        let step = ends[to].receive(&mut sent, now, &mut inflater, &mut out);
        assert_eq!(step.action, Action::Deliver(message.clone()));
        assert!(out.is_empty());
    }
}

/// tungstenite takes the same messages and comes to the same end. It differs in:
///
/// - **lengths**: it takes one that is written in more bytes than it needs, which RFC 6455 §5.2 forbids and we refuse;
/// - **1014**: it refuses this code in a Close; IANA has registered it (Bad Gateway) and we take it;
/// - **when**: we refuse a frame by its first byte, or its header, and text at the first byte that is not UTF-8; it reads
///   the whole frame first. So after a refusal of ours it is given the rest of the frame, as zeros;
/// - **a wrong Close**: we answer it with our own and are done; to it some are errors, others a Close with 1002.
///
/// What it has no limit for, the number of fragments and of control frames, is not asked here.
fn agree(stream: &[u8]) {
    let ours = heard(stream, stream.len(), &limits(u32::MAX, u32::MAX));
    let refused = matches!(&ours.end, Some(End::Violated(_))) || closed_for(&ours, None);
    let (messages, theirs) = foreign(stream, refused);
    let long_length = match &ours.end {
        Some(End::Violated(close) | End::Closed(close)) => {
            *close == Close::new(CloseCode::PROTOCOL_ERROR, "length")
        }
        None => false,
    };
    if long_length {
        assert!(messages.starts_with(&ours.messages));
        return;
    }
    assert_eq!(messages, ours.messages);
    match (&ours.end, theirs) {
        (None, Theirs::More) | (Some(End::Violated(_)), Theirs::Refused) => {}
        (Some(End::Closed(_)), Theirs::Closed(1002)) if closed_for(&ours, Some(1014)) => {}
        (Some(End::Closed(close)), Theirs::Closed(code)) => assert_eq!(close.code_or_1005(), code),
        (Some(End::Closed(close)), Theirs::Refused) => {
            assert!(matches!(close.code_or_1005(), 1002 | 1007), "{close:?}");
        }
        (ours, theirs) => panic!("we: {ours:?}, tungstenite: {theirs:?}"),
    }
}

/// Whether it ended with a Close of this code; or, without one, with a Close that was wrong.
fn closed_for(heard: &Heard, code: Option<u16>) -> bool {
    match &heard.end {
        Some(End::Closed(close)) => match code {
            Some(code) => close.code_or_1005() == code,
            None => matches!(close.code_or_1005(), 1002 | 1007),
        },
        _ => false,
    }
}

/// How it ended for tungstenite.
#[derive(Debug)]
enum Theirs {
    More,
    Refused,
    Closed(u16),
}

fn foreign(stream: &[u8], finish: bool) -> (Vec<Message<'static>>, Theirs) {
    let zeros = if finish { FRAME + 16 } else { 0 };
    let stream = Stream([stream, &vec![0; zeros]].concat(), 0);
    let config = WebSocketConfig::default()
        .read_buffer_size(512)
        .max_message_size(Some(MESSAGE))
        .max_frame_size(Some(FRAME));
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, Some(config));
    let mut messages = Vec::new();
    loop {
        match socket.read() {
            Ok(Foreign::Text(text)) => messages.push(Message::Text(text.to_string().into())),
            Ok(Foreign::Binary(bytes)) => messages.push(Message::Binary(bytes.to_vec().into())),
            Ok(Foreign::Close(close)) => {
                let code = close.map_or(ForeignCode::Status, |close| close.code);
                return (messages, Theirs::Closed(code.into()));
            }
            Ok(_) => {}
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => return (messages, Theirs::More),
            Err(_) => return (messages, Theirs::Refused),
        }
    }
}

/// Bytes to read, and nobody to hear the answers.
struct Stream(Vec<u8>, usize);

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = (&self.0[self.1..]).read(into)?;
        self.1 += count;
        Ok(count)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
