//! One client socket: TCP, TLS, the opening handshake and frames, driven by readiness.

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
};

use mio::net::TcpStream;
use rustix::io::Errno;
use rustls::ClientConfig;
use socket2::{Domain, SockRef, Type};

use super::{
    frames::{Frames, Message},
    tls::{Outgoing, Tls},
};
use crate::Failure;

/// How far a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Connecting,
    /// The TLS handshake is under way.
    Securing,
    /// TLS is done, and nothing was asked.
    Secured,
    /// The request is sent.
    Asking,
    Open,
    /// The server ended it.
    Closed,
}

/// Buffers of the thread, for whichever socket has its turn.
pub(crate) struct Scratch {
    incoming: Vec<u8>,
    outgoing: Outgoing,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            incoming: vec![0; 512 * 1024],
            outgoing: Outgoing::new(2 * 1024 * 1024),
        }
    }
}

pub(crate) struct Socket {
    pub(crate) tcp: TcpStream,
    tls: Tls,
    stage: Stage,
    /// Sent as soon as TLS is done.
    head: Option<Box<[u8]>>,
    /// Of the answer to it.
    answer: Vec<u8>,
    /// A record cut short.
    cut: Vec<u8>,
    /// What the kernel did not take.
    unsent: Vec<u8>,
    pub(crate) frames: Frames,
    /// What a server that speaks first calls it.
    pub(crate) id: Option<String>,
}

/// What lies between the two sides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// As the kernel makes it: segments of 64 KiB, and megabytes in its buffers.
    Loopback,
    /// Segments as on an ethernet, and as little in the kernel's buffers as can be: a peer that does not read is soon felt.
    Narrow,
}

/// Of an ethernet, in bytes.
const SEGMENT: u32 = 1448;

fn connect(address: SocketAddr, path: Path) -> io::Result<TcpStream> {
    if path == Path::Loopback {
        return TcpStream::connect(address);
    }
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_tcp_mss(SEGMENT)?;
    socket.set_recv_buffer_size(4096)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

impl Socket {
    /// Begins to connect. Without a `head` it stays at [`Stage::Secured`].
    pub(crate) fn connect(
        address: SocketAddr,
        path: Path,
        tls: Arc<ClientConfig>,
        head: Option<Box<[u8]>>,
    ) -> Result<Self, Failure> {
        Ok(Self {
            tcp: connect(address, path)?,
            tls: Tls::new(tls)?,
            stage: Stage::Connecting,
            head,
            answer: Vec::new(),
            cut: Vec::new(),
            unsent: Vec::new(),
            frames: Frames::default(),
            id: None,
        })
    }

    /// Closes without a farewell and leaves nothing behind in the kernel: no port waits for stray packets.
    pub(crate) fn reset(self) -> Result<(), Failure> {
        SockRef::from(&self.tcp).set_linger(Some(std::time::Duration::ZERO))?;
        Ok(())
    }

    /// Sends frames, or a request's head.
    pub(crate) fn send(&mut self, scratch: &mut Scratch, plain: &[u8]) -> Result<(), Failure> {
        self.tls.write(plain, &mut scratch.outgoing)?;
        self.flush(scratch)
    }

    /// Asks for the upgrade.
    pub(crate) fn ask(&mut self, scratch: &mut Scratch, head: &[u8]) -> Result<(), Failure> {
        self.stage = Stage::Asking;
        self.send(scratch, head)
    }

    /// Does whatever can be done now that the socket is ready, and shows each message.
    pub(crate) fn ready(
        &mut self,
        scratch: &mut Scratch,
        mut message: impl FnMut(Message<'_>),
    ) -> Result<Stage, Failure> {
        if self.stage == Stage::Connecting && !self.connected(scratch)? {
            return Ok(self.stage);
        }
        self.flush(scratch)?;
        loop {
            let emptied = self.receive(scratch, &mut message)?;
            if self.stage == Stage::Securing && !self.tls.is_handshaking() {
                self.stage = Stage::Secured;
                if let Some(head) = self.head.take() {
                    self.ask(scratch, &head)?;
                }
            }
            self.flush(scratch)?;
            if emptied {
                return Ok(self.stage);
            }
        }
    }

    fn connected(&mut self, scratch: &mut Scratch) -> Result<bool, Failure> {
        if let Some(error) = self.tcp.take_error()? {
            return Err(error.into());
        }
        if self.tcp.peer_addr().is_err() {
            return Ok(false);
        }
        self.tcp.set_nodelay(true)?;
        self.stage = Stage::Securing;
        self.tls.read(&mut [], &mut scratch.outgoing, |_| ())?;
        self.flush(scratch)?;
        Ok(true)
    }

    /// Reads once. True if there is nothing more: readiness is told by edges, and a read that did not fill its buffer has
    /// emptied the socket (epoll(7)).
    fn receive(
        &mut self,
        scratch: &mut Scratch,
        message: &mut impl FnMut(Message<'_>),
    ) -> Result<bool, Failure> {
        let before = self.cut.len();
        let Scratch { incoming, outgoing } = scratch;
        incoming
            .get_mut(..before)
            .ok_or("a record over 512 KiB")?
            .copy_from_slice(&self.cut);
        let room = incoming.get_mut(before..).unwrap_or_default();
        let size = room.len();
        let count = match self.tcp.read(room) {
            Ok(0) => {
                self.stage = Stage::Closed;
                return Ok(true);
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.stage = Stage::Closed;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        let filled = incoming.get_mut(..before + count).unwrap_or_default();
        let Self {
            tls,
            stage,
            answer,
            frames,
            ..
        } = self;
        let mut broken = None;
        let read = tls.read(filled, outgoing, |plain| {
            if let Err(failure) = take(plain, stage, answer, frames, message) {
                broken = Some(failure);
            }
        })?;
        if let Some(failure) = broken {
            return Err(failure);
        }
        self.cut.clear();
        self.cut
            .extend_from_slice(filled.get(read.consumed..).unwrap_or_default());
        if self.cut.is_empty() {
            self.cut = Vec::new();
        }
        if read.ended {
            self.stage = Stage::Closed;
        }
        Ok(count < size)
    }

    fn flush(&mut self, scratch: &mut Scratch) -> Result<(), Failure> {
        let fresh = scratch.outgoing.take();
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(fresh);
            let sent = write(&mut self.tcp, &self.unsent)?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                self.unsent = Vec::new();
            }
        } else if !fresh.is_empty() {
            let sent = write(&mut self.tcp, fresh)?;
            self.unsent
                .extend_from_slice(fresh.get(sent..).unwrap_or_default());
        }
        Ok(())
    }
}

/// Writes until the kernel takes no more.
fn write(tcp: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
        match tcp.write(rest) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

/// What came decrypted: of the answer to the handshake, or frames.
fn take(
    mut plain: &[u8],
    stage: &mut Stage,
    answer: &mut Vec<u8>,
    frames: &mut Frames,
    message: &mut impl FnMut(Message<'_>),
) -> Result<(), Failure> {
    const END: &[u8] = b"\r\n\r\n";
    if *stage != Stage::Open {
        let before = answer.len();
        answer.extend_from_slice(plain);
        let Some(end) = memchr::memmem::find(answer, END) else {
            return Ok(());
        };
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(answer).into());
        }
        *stage = Stage::Open;
        *answer = Vec::new();
        plain = plain.get(end + END.len() - before..).unwrap_or_default();
    }
    Ok(frames.scan(plain, message)?)
}
