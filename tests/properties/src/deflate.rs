//! Deflated messages (RFC 7692), in both directions: any cutting gives the same, and miniz_oxide inflates to the same.
//!
//! An input is a byte that says how to cut, then what a peer calls a deflated message. It is also taken for a message to
//! send.

use std::{sync::Arc, time::Instant};

use miniz_oxide::inflate::{
    TINFLStatus,
    core::{
        DecompressorOxide, decompress, inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
    },
};
use wardwire_protocol::{
    close::CloseCode,
    connection::{Action, Connection, Limits},
    deflate::{Deflater, Encoding, Inflater, Level, Window},
    message::{Message, Prepared},
};

/// Small, so that short inputs reach it.
const MESSAGE: usize = 16 * 1024;
/// What a sender takes off the end of a message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// Runs all of it. True if the message was taken.
pub fn check(input: &[u8]) -> bool {
    let Some((&cut, deflated)) = input.split_first() else {
        return false;
    };
    let whole = heard(deflated, deflated.len());
    assert_eq!(heard(deflated, 1), whole, "cut into single bytes");
    let size = 1 + usize::from(cut);
    assert_eq!(heard(deflated, size), whole, "cut into {size}");
    assert_eq!(whole, foreign(deflated), "miniz_oxide disagrees");
    returns(deflated);
    whole.is_some()
}

/// What a server makes of it, if it comes in fragments of `size` bytes. None if it refuses it: too large, or no deflated data,
/// and where it is both, what is seen first depends on the pieces.
fn heard(deflated: &[u8], size: usize) -> Option<Vec<u8>> {
    let now = Instant::now();
    let limits = Limits {
        message: MESSAGE,
        frame: MESSAGE,
        fragments: u32::MAX,
        ..Limits::default()
    };
    let mut server = Connection::server(Arc::new(limits), now).deflating(Some(encoding(15, 1)));
    let (mut inflater, mut out) = (Inflater::default(), Vec::new());
    let mut stream = frames(deflated, size);
    let length = stream.len();
    let step = server.receive(&mut stream, now, &mut inflater, &mut out);
    match step.action {
        Action::Deliver(message) => {
            assert_eq!(step.consumed, length, "all of it is the message");
            assert!(message.as_bytes().len() <= MESSAGE);
            Some(message.as_bytes().to_vec())
        }
        Action::Closing(close) => {
            let refusals = [CloseCode::MESSAGE_TOO_BIG, CloseCode::INVALID_PAYLOAD];
            assert!(
                close.code.is_some_and(|code| refusals.contains(&code)),
                "{close:?}"
            );
            None
        }
        other => panic!("neither a message nor its refusal: {other:?}"),
    }
}

/// A client's frames of one binary message, of `size` bytes each. Masked with zeros, which change nothing.
fn frames(deflated: &[u8], size: usize) -> Vec<u8> {
    let mut pieces: Vec<&[u8]> = deflated.chunks(size.max(1)).collect();
    if pieces.is_empty() {
        pieces.push(&[]);
    }
    let last = pieces.len() - 1;
    let mut out = Vec::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        let opcode = if at == 0 { 0x42 } else { 0 };
        let fin = if at == last { 0x80 } else { 0 };
        out.push(opcode | fin);
        match u8::try_from(piece.len()) {
            Ok(short) if short <= 125 => out.push(0x80 | short),
            _ => {
                out.push(0x80 | 126);
                out.extend(u16::try_from(piece.len()).unwrap().to_be_bytes());
            }
        }
        out.extend([0; 4]);
        out.extend(piece);
    }
    out
}

/// The same by miniz_oxide. An empty last block behind it ends the stream if all that came before was whole.
///
/// It is asked with all of its output in one piece: with a window that wraps, it takes references to before the beginning.
fn foreign(deflated: &[u8]) -> Option<Vec<u8>> {
    let input = [deflated, &TAIL, &[1, 0, 0, 0xFF, 0xFF]].concat();
    let mut input = input.as_slice();
    let mut message = vec![0; MESSAGE + 1];
    let mut held = 0;
    loop {
        // A sender may end a block as its last (RFC 7692 §7.2.3.4): what follows is a stream of its own.
        let mut stream = DecompressorOxide::new();
        let room = &mut message[held..];
        let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let (status, read, written) = decompress(&mut stream, input, room, 0, flags);
        held += written;
        input = &input[read..];
        if held > MESSAGE {
            return None;
        }
        match status {
            TINFLStatus::Done if input.is_empty() => {
                message.truncate(held);
                return Some(message);
            }
            TINFLStatus::Done => {}
            TINFLStatus::Failed | TINFLStatus::FailedCannotMakeProgress => {
                return None;
            }
            other => panic!("miniz_oxide: {other:?}"),
        }
    }
}

/// A message that is deflated with any of the windows is inflated to itself, by us and by miniz_oxide, and no larger than
/// it was.
fn returns(message: &[u8]) {
    let mut deflater = Deflater::default();
    for window in [9, 12, 15] {
        for level in [1, 6, 9] {
            let prepared = Prepared::binary(message);
            let sent = prepared.deflated(encoding(window, level), &mut deflater);
            assert!(sent.as_bytes().len() <= prepared.as_bytes().len());
            if let Some(payload) = deflated_payload(sent.as_bytes()) {
                assert_eq!(foreign(payload).as_deref(), Some(message));
            }
            assert_eq!(received(sent.as_bytes()), message);
        }
    }
}

/// What a client that agreed on compression makes of a frame.
fn received(frame: &[u8]) -> Vec<u8> {
    let now = Instant::now();
    let limits = Arc::new(Limits::default());
    let client = Connection::client(limits, || [0; 4], now);
    let mut client = client.deflating(Some(encoding(15, 1)));
    let (mut inflater, mut out) = (Inflater::default(), Vec::new());
    let mut frame = frame.to_vec();
    match client
        .receive(&mut frame, now, &mut inflater, &mut out)
        .action
    {
        Action::Deliver(Message::Binary(bytes)) => bytes.into_owned(),
        other => panic!("no message: {other:?}"),
    }
}

/// The payload of a server's frame, if it is deflated.
fn deflated_payload(frame: &[u8]) -> Option<&[u8]> {
    assert!(matches!(frame[0], 0x82 | 0xC2), "{:#x}", frame[0]);
    let header = if frame[1] < 126 { 2 } else { 4 };
    (frame[0] & 0x40 != 0).then(|| &frame[header..])
}

fn encoding(window: u8, level: u8) -> Encoding {
    Encoding {
        window: Window::within(window).unwrap(),
        level: Level::new(level).unwrap(),
        threshold: 0,
    }
}
