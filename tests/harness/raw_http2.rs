//! HTTP/2 frame by frame (RFC 9113 §4), for what no client library would send.

use super::{Connection, Server, client::tls};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;

/// RFC 9113 §7.
pub(crate) const NO_ERROR: u32 = 0;
pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// The longest payload that every server takes (RFC 9113 §6.5.2).
const FRAME: usize = 16_384;

/// What an extended CONNECT begins with, for the echo route.
pub(crate) const CONNECT: [(&str, &str); 6] = [
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    (":scheme", "https"),
    (":authority", "localhost"),
    (":path", "/echo"),
    ("sec-websocket-version", "13"),
];

/// A connection on which the preface was sent.
pub(crate) struct Raw {
    connection: Connection,
}

/// A frame of the server.
#[derive(Debug)]
pub(crate) struct RawFrame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl RawFrame {
    /// Of `RST_STREAM` and GOAWAY.
    pub(crate) fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// Of HEADERS in which the status is the first field, as servers write it.
    pub(crate) fn status(&self) -> u16 {
        assert_eq!(self.kind, HEADERS, "{self:?}");
        // Of the static table (RFC 7541, appendix A), or a name of it with a literal behind.
        match self.payload[..] {
            [0x88, ..] => 200,
            [0x89, ..] => 204,
            [0x8C, ..] => 400,
            [0x8D, ..] => 404,
            _ => 0,
        }
    }
}

/// A frame.
pub(crate) fn raw(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A block of fields, each a literal that is not indexed (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// With a prefix of seven bits (RFC 7541 §5.1), and no Huffman code.
fn integer(value: usize, block: &mut Vec<u8>) {
    let Some(mut rest) = value.checked_sub(127) else {
        return block.push(u8::try_from(value).unwrap());
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 0x80);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}

impl Raw {
    /// Sends the preface and empty settings.
    pub(crate) fn connect(server: &Server) -> Self {
        let mut raw = Self::silent(server);
        raw.put(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        raw.send(SETTINGS, 0, 0, &[]);
        raw
    }

    /// Agrees on HTTP/2, and says nothing.
    pub(crate) fn silent(server: &Server) -> Self {
        let mut config = tls(server);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self {
            connection: Connection::over(server, config, "localhost"),
        }
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> bool {
        self.connection.try_send(bytes)
    }

    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.put(&raw(kind, flags, stream, payload))
    }

    /// Opens a stream with a request.
    pub(crate) fn request(&mut self, stream: u32, flags: u8, fields: &[(&str, &str)]) -> bool {
        let block = block(fields);
        let mut pieces = block.chunks(FRAME).peekable();
        let mut kind = (HEADERS, flags);
        let mut sent = true;
        while let Some(piece) = pieces.next() {
            let last = if pieces.peek().is_none() {
                END_HEADERS
            } else {
                0
            };
            sent &= self.send(kind.0, kind.1 | last, stream, piece);
            kind = (CONTINUATION, 0);
        }
        sent
    }

    /// The next frame. None at the end of the connection.
    pub(crate) fn next(&mut self) -> Option<RawFrame> {
        let head = self.connection.take(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        Some(RawFrame {
            kind: head[3],
            stream: u32::from_be_bytes(head[5..9].try_into().unwrap()),
            payload: self.connection.take(length)?,
        })
    }

    /// The next frame of a stream that is no WINDOW_UPDATE.
    pub(crate) fn next_of(&mut self, stream: u32) -> RawFrame {
        loop {
            let frame = self.next().expect("a frame before the end");
            if frame.stream == stream && frame.kind != WINDOW_UPDATE {
                return frame;
            }
        }
    }

    /// The error code of the server's last GOAWAY, after which it hangs up. None if it hung up without one.
    pub(crate) fn gone(&mut self) -> Option<u32> {
        let mut error = None;
        while let Some(frame) = self.next() {
            if frame.kind == GOAWAY {
                error = Some(frame.error());
            }
        }
        error
    }

    /// A socket on the echo route.
    pub(crate) fn echo(&mut self, stream: u32) {
        self.request(stream, 0, &CONNECT);
        assert_eq!(self.next_of(stream).status(), 200);
    }
}
