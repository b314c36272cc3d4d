//! A connection's bytes: TLS, or what a balancer made of it, over a transport that never blocks, in buffers of the shard.

use std::{io, net::Shutdown};

use mio::net::TcpStream;
use wardwire_protocol::deflate::{Deflater, Inflater};

use super::{readiness::Cue, socket::Carrier};
use crate::{
    http2::Stream,
    metrics::ShardMetrics,
    tls::{Ended, Parts, Protection},
};

/// What carries a socket's bytes and never blocks: TCP, or memory in a test.
pub(super) trait Transport: io::Read + io::Write {
    /// Says that nothing more is written.
    fn finish(&mut self) -> io::Result<()>;

    /// Whether the socket's waker tells when it is ready, and not the poll.
    fn wakes(&self) -> bool {
        false
    }
}

/// What carries an admitted socket: a connection of its own, or a stream of one that it shares.
pub(super) enum Line {
    Tcp(TcpStream),
    Stream(Box<Stream>),
}

impl io::Read for Line {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.read(room),
            Self::Stream(stream) => stream.read(room),
        }
    }
}

impl io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => tcp.write(bytes),
            Self::Stream(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Transport for Line {
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => tcp.shutdown(Shutdown::Write),
            Self::Stream(stream) => stream.finish(),
        }
    }

    fn wakes(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

/// A transport, what protects it, and what an idle connection does not have.
pub(super) struct Link<T> {
    transport: T,
    protection: Protection,
    /// Encrypted bytes the kernel has not taken.
    unsent: Vec<u8>,
    /// There may be something to read.
    readable: bool,
    /// The peer has said its last: what is read until then may come short.
    last: bool,
    /// The kernel may take what it did not take before.
    writable: bool,
}

/// Buffers that belong to the shard, not to a socket. Empty between turns.
pub(super) struct Buffers {
    /// What is read: scratch space, never empty.
    pub(super) incoming: Vec<u8>,
    /// What it carried.
    pub(super) plain: Vec<u8>,
    /// What is answered.
    pub(super) frames: Vec<u8>,
    /// The same in records.
    pub(super) cipher: Vec<u8>,
    /// For messages that come deflated, and those that go.
    pub(super) inflater: Inflater,
    pub(super) deflater: Deflater,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    Nothing,
    Something,
    /// The peer is gone.
    End,
}

/// Room for one read behind a record cut short: a message of 64 KiB comes in one.
const INCOMING: usize = 128 * 1024;
/// A buffer that grew beyond this for one message is let go.
const KEEP: usize = 512 * 1024;

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            incoming: vec![0; INCOMING],
            plain: Vec::new(),
            frames: Vec::new(),
            cipher: Vec::new(),
            inflater: Inflater::default(),
            deflater: Deflater::default(),
        }
    }

    pub(super) fn clear(&mut self) {
        for buffer in [&mut self.plain, &mut self.frames, &mut self.cipher] {
            buffer.clear();
            buffer.shrink_to(KEEP);
        }
        self.inflater.shrink(KEEP);
        self.deflater.shrink(KEEP);
    }
}

impl Link<Line> {
    pub(super) fn adopt(carrier: Carrier) -> Self {
        match carrier {
            Carrier::Tcp(Parts {
                tcp,
                protection,
                plain: _,
                unsent,
            }) => Self {
                unsent,
                ..Self::new(Line::Tcp(TcpStream::from_std(tcp)), protection)
            },
            // TLS is below HTTP/2, and sealed there. Nobody has been told yet what there is to read.
            Carrier::Stream(stream) => Self {
                readable: true,
                ..Self::new(
                    Line::Stream(stream),
                    Protection::Ended(Ended::below_http2()),
                )
            },
        }
    }
}

impl<T: Transport> Link<T> {
    pub(super) fn new(transport: T, protection: Protection) -> Self {
        Self {
            transport,
            protection,
            unsent: Vec::new(),
            readable: false,
            last: false,
            writable: false,
        }
    }

    pub(super) fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// The transport, and encrypted bytes that the kernel has not taken.
    pub(super) fn into_parts(self) -> (T, Vec<u8>) {
        (self.transport, self.unsent)
    }

    pub(super) fn ready(&mut self, cue: Cue) {
        self.readable |= cue.readable;
        self.last |= cue.ended;
        self.writable |= cue.writable;
    }

    /// The socket's waker was called: it may be for what is waited for here.
    pub(super) fn woken(&mut self) {
        if self.transport.wakes() {
            self.readable = true;
            self.writable = true;
        }
    }

    /// Whether what it was sent has not been taken yet. Then nothing is read.
    pub(super) fn is_blocked(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether there may be something to read, and it may be read.
    pub(super) fn is_readable(&self) -> bool {
        self.readable && !self.is_blocked()
    }

    /// The peer said `close_notify`.
    pub(super) fn peer_closed(&self) -> bool {
        self.protection.peer_closed()
    }

    /// Reads once, and decrypts what came into `buffers.plain`.
    ///
    /// # Errors
    /// The transport broke, or the peer broke TLS; then it has had its alert.
    pub(super) fn read(&mut self, buffers: &mut Buffers) -> io::Result<Came> {
        let cut = self.protection.cut();
        let had = cut.len();
        let Some((front, room)) = buffers.incoming.split_at_mut_checked(had) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        front.copy_from_slice(cut);
        let came = match self.transport.read(room) {
            Ok(0) => return Ok(Came::End),
            Ok(came) => came,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Came::Nothing),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(Came::Nothing);
            }
            Err(error) => return Err(error),
        };
        // As much as was asked for: more may be there. Less: nothing is, until readiness says so again.
        self.readable = came == room.len() || self.last;
        self.decrypt(had + came, buffers)?;
        Ok(Came::Something)
    }

    fn decrypt(&mut self, came: usize, buffers: &mut Buffers) -> io::Result<()> {
        let Buffers {
            incoming,
            plain,
            cipher,
            ..
        } = buffers;
        let incoming = incoming.get_mut(..came).unwrap_or_default();
        match self.protection.read(incoming, plain, cipher) {
            Ok(()) => Ok(()),
            Err(broken) => {
                // One try for the alert.
                let _ = self.transport.write(cipher);
                Err(io::Error::new(io::ErrorKind::InvalidData, broken))
            }
        }
    }

    /// Encrypts frames behind what `cipher` holds.
    ///
    /// # Errors
    /// The keys are worn out.
    pub(super) fn seal(&mut self, frames: &[u8], cipher: &mut Vec<u8>) -> io::Result<()> {
        match frames.is_empty() {
            true => Ok(()),
            false => self
                .protection
                .write(frames, cipher)
                .map_err(io::Error::other),
        }
    }

    /// Writes `close_notify` behind what `cipher` holds.
    ///
    /// # Errors
    /// As above.
    pub(super) fn seal_end(&mut self, cipher: &mut Vec<u8>) -> io::Result<()> {
        self.protection.close(cipher).map_err(io::Error::other)
    }

    /// Sends what earlier turns could not, if the kernel may take it now.
    pub(super) fn send_rest(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.writable) || !self.is_blocked() {
            return Ok(());
        }
        let sent = send(&mut self.transport, &self.unsent)?;
        self.unsent.drain(..sent);
        // Its room is given back as it empties.
        self.unsent.shrink_to(self.unsent.len() * 2);
        Ok(())
    }

    /// Sends records, behind what earlier turns could not.
    pub(super) fn send(&mut self, cipher: &[u8], metrics: &ShardMetrics) -> io::Result<()> {
        if cipher.is_empty() {
            return Ok(());
        }
        let sent = match self.is_blocked() {
            true => 0,
            false => send(&mut self.transport, cipher)?,
        };
        metrics.flush.record(cipher.len() as u64);
        if let Some(left) = cipher.get(sent..).filter(|left| !left.is_empty()) {
            self.unsent.extend_from_slice(left);
            metrics.outbox.record(self.unsent.len() as u64);
        }
        Ok(())
    }
}

/// Writes until the kernel takes no more. Returns how much it took.
pub(super) fn send(transport: &mut impl Transport, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match transport.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
