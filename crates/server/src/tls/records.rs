//! One TLS connection's state by rustls' unbuffered API: the only file that knows that API. The caller owns every buffer.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{
        ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
    },
};

/// Keys and sequence numbers of one connection, and the start of a record or handshake message of which the end has not
/// come; nothing when idle.
///
/// INVARIANT: rustls is handed `cut` on every call. It counts on what it has not discarded being there, also when it is
/// asked for something else, and panics if it is not.
pub struct Records {
    conn: UnbufferedServerConnection,
    cut: Vec<u8>,
    peer_closed: bool,
    close_sent: bool,
    /// The peer broke TLS: rustls is not asked again.
    broken: bool,
}

/// A TLS record adds at most this much to its payload: header, content type, nonce, tag (RFC 5246 §6.2.3, RFC 8446 §5.2).
const RECORD_OVERHEAD: usize = 64;
/// What a record carries at most, where RFC 8446 §5.1 allows 16 KiB. rustls copies each record twice, and from 8 KiB on the C
/// library copies by `rep movsb`, which takes AMD's Zen several times as long.
const RECORD_PAYLOAD: usize = 8_000;
/// The same for rustls, which counts the header of five bytes too.
pub(super) const FRAGMENT: usize = RECORD_PAYLOAD + 5;

impl Records {
    /// A connection whose hello has not been read.
    ///
    /// # Errors
    /// As rustls refuses the settings.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            conn: UnbufferedServerConnection::new(config)?,
            cut: Vec::new(),
            peer_closed: false,
            close_sent: false,
            broken: false,
        })
    }

    /// What has come and has to stand before what comes next.
    #[must_use]
    pub fn cut(&self) -> &[u8] {
        &self.cut
    }

    /// Reads as many whole records as `incoming` holds, which begins with [`Self::cut`]. Appends what they carry to `plain`
    /// and what must be answered (handshake, key update, alerts) to `out`.
    ///
    /// # Errors
    /// The peer broke TLS. `out` then ends with the alert to send before the socket is dropped.
    pub fn read(
        &mut self,
        incoming: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), rustls::Error> {
        self.whole()?;
        let mut done = 0;
        loop {
            let rest = incoming.get_mut(done..).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.conn.process_tls_records(rest);
            done += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        plain.extend_from_slice(record?.payload);
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, out)?,
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Ok(ConnectionState::ReadEarlyData(_)) => {
                    return Err(rustls::Error::General("0-RTT is off".into()));
                }
                Ok(_) => {
                    self.keep(incoming.get(done..).unwrap_or_default());
                    return Ok(());
                }
                Err(broken) => {
                    self.keep(incoming.get(done..).unwrap_or_default());
                    self.alert(out);
                    self.broken = true;
                    return Err(broken);
                }
            }
        }
    }

    fn whole(&self) -> Result<(), rustls::Error> {
        match self.broken {
            true => Err(rustls::Error::General("broken by the peer".into())),
            false => Ok(()),
        }
    }

    fn keep(&mut self, rest: &[u8]) {
        if !self.cut.is_empty() || !rest.is_empty() {
            self.cut = rest.to_vec();
        }
    }

    /// Encrypts `plain` behind what `out` holds, in records of at most [`RECORD_PAYLOAD`].
    ///
    /// # Errors
    /// Before the handshake is over, and when the keys are worn out.
    pub fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), rustls::Error> {
        let records = plain.len() / RECORD_PAYLOAD + 1;
        self.when_writable(out, |traffic, out| {
            append(out, plain.len() + records * RECORD_OVERHEAD, |room| {
                traffic.encrypt(plain, room).map_err(required)
            })
        })
    }

    /// Appends `close_notify` once (RFC 8446 §6.1), so that the peer can tell an end from a cut.
    ///
    /// # Errors
    /// Before the handshake is over.
    pub fn close(&mut self, out: &mut Vec<u8>) -> Result<(), rustls::Error> {
        if std::mem::replace(&mut self.close_sent, true) {
            return Ok(());
        }
        self.when_writable(out, |traffic, out| {
            append(out, RECORD_OVERHEAD, |room| {
                traffic.queue_close_notify(room).map_err(required)
            })
        })
    }

    /// The peer said `close_notify`: nothing more will come.
    #[must_use]
    pub fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// The protocol agreed on by ALPN (RFC 7301), if any.
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        self.conn.alpn_protocol()
    }

    /// Whether the handshake is still under way.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.conn.is_handshaking()
    }

    fn when_writable(
        &mut self,
        out: &mut Vec<u8>,
        write: impl FnOnce(&mut Traffic<'_>, &mut Vec<u8>) -> Result<(), rustls::Error>,
    ) -> Result<(), rustls::Error> {
        self.whole()?;
        loop {
            let UnbufferedStatus { discard, state } = self.conn.process_tls_records(&mut self.cut);
            match state? {
                ConnectionState::WriteTraffic(mut traffic) => return write(&mut traffic, out),
                ConnectionState::EncodeTlsData(data) => encode(data, out)?,
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.peer_closed = true,
                _ => return Err(rustls::Error::HandshakeNotComplete),
            }
            self.cut.drain(..discard.min(self.cut.len()));
        }
    }

    /// The alert rustls has queued after an error, and what stands before it; there is nothing to do if it cannot be had.
    /// Asked once while there is something to read: to be asked more often, it would read the broken record over.
    fn alert(&mut self, out: &mut Vec<u8>) {
        loop {
            let state = self.conn.process_tls_records(&mut self.cut).state;
            let Ok(ConnectionState::EncodeTlsData(data)) = state else {
                return;
            };
            // What cannot be encoded is not sent.
            if encode(data, out).is_err() || !self.cut.is_empty() {
                return;
            }
        }
    }
}

type Traffic<'a> = WriteTraffic<'a, ServerConnectionData>;

fn encode(
    mut data: EncodeTlsData<'_, ServerConnectionData>,
    out: &mut Vec<u8>,
) -> Result<(), rustls::Error> {
    append(out, 0, |room| match data.encode(room) {
        Ok(written) => Ok(written),
        Err(EncodeError::InsufficientSize(short)) => Err(Some(short.required_size)),
        Err(EncodeError::AlreadyEncoded) => Err(None),
    })
}

fn required(error: EncryptError) -> Option<usize> {
    match error {
        EncryptError::InsufficientSize(short) => Some(short.required_size),
        EncryptError::EncryptExhausted => None,
    }
}

/// Lets `fill` write behind what `out` holds, in `room` bytes or as many as it then asks for.
fn append(
    out: &mut Vec<u8>,
    room: usize,
    mut fill: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>,
) -> Result<(), rustls::Error> {
    let start = out.len();
    out.resize(start + room, 0);
    loop {
        match fill(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(Some(required)) if required > out.len() - start => out.resize(start + required, 0),
            Err(_) => {
                out.truncate(start);
                return Err(rustls::Error::EncryptError);
            }
        }
    }
}
