//! TLS over a TCP socket from the first byte to the `101`: an ordinary async stream for the handshake and for HTTP.
//! Its buffers exist only while they hold something.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use wardwire_admission::certificate::ClientCertificate;

use super::{Ended, HTTP2, Protection, Records, client, obtained::CHALLENGE, sni};

/// An agreed TLS connection, or one of a balancer that has ended TLS.
pub struct TlsStream {
    tcp: TcpStream,
    protection: Protection,
    /// Decrypted, not yet read.
    plain: Vec<u8>,
    /// Encrypted, not yet taken by the kernel.
    unsent: Vec<u8>,
}

/// What a session takes over.
pub struct Parts {
    /// The socket; it does not block.
    pub tcp: std::net::TcpStream,
    /// Keys and sequence numbers, or what stands for them.
    pub protection: Protection,
    /// Decrypted bytes that nobody has read.
    pub plain: Vec<u8>,
    /// Encrypted bytes that the kernel has not taken.
    pub unsent: Vec<u8>,
}

/// What a client says of itself in the handshake. It holds once that is over.
#[derive(Default)]
pub struct Said {
    /// The server name it asks for.
    pub server_name: Option<Box<str>>,
    /// The certificate it shows, where one is demanded.
    pub certificate: Option<Arc<ClientCertificate>>,
}

const READ: usize = 16 * 1024;
/// One `poll_write` takes no more than this, so that `unsent` stays bounded.
const WRITE: usize = 64 * 1024;

/// Runs the TLS handshake, which begins with the bytes in `early` if any have been read. Notes what the client says in `said`, also
/// if that is why it fails.
///
/// # Errors
/// The peer broke TLS, offered nothing acceptable, or went away. The caller sets the deadline.
pub async fn accept(
    tcp: TcpStream,
    config: Arc<ServerConfig>,
    mut early: Vec<u8>,
    said: &mut Said,
) -> io::Result<TlsStream> {
    let records = Records::new(config).map_err(io::Error::other)?;
    let mut stream = TlsStream {
        tcp,
        protection: records.into(),
        plain: Vec::new(),
        unsent: Vec::new(),
    };
    std::future::poll_fn(|cx| stream.poll_handshake(cx, said, &mut early)).await?;
    Ok(stream)
}

/// A connection of a balancer that has ended TLS, which begins with the bytes in `early`.
#[must_use]
pub fn in_the_clear(tcp: TcpStream, early: Vec<u8>, ended: Ended) -> TlsStream {
    TlsStream {
        tcp,
        protection: Protection::Ended(ended),
        plain: early,
        unsent: Vec::new(),
    }
}

impl TlsStream {
    /// Whether both ends agreed on HTTP/2, which they do in TLS alone.
    #[must_use]
    pub fn speaks_http2(&self) -> bool {
        self.protection.protocol() == Some(HTTP2)
    }

    /// Whether this is the authority's question whose host it is, and no connection of a client: the handshake was the
    /// answer, and nothing else may come (RFC 8737 §3).
    #[must_use]
    pub fn is_challenge(&self) -> bool {
        self.protection.protocol() == Some(CHALLENGE)
    }

    /// Takes the stream apart for a shard.
    ///
    /// # Errors
    /// The runtime cannot let go of the socket.
    pub fn into_parts(self) -> io::Result<Parts> {
        let Self {
            tcp,
            protection,
            plain,
            unsent,
        } = self;
        Ok(Parts {
            tcp: tcp.into_std()?,
            protection,
            plain,
            unsent,
        })
    }

    fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        said: &mut Said,
        early: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_send(cx))?;
            if !self.protection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let outcome = match std::mem::take(early) {
                early if early.is_empty() => ready!(self.poll_receive(cx)),
                mut early => {
                    let length = early.len();
                    self.take_in(cx, &mut early).map(|()| length)
                }
            };
            if let Some(asked) = sni::take() {
                said.server_name = Some(asked);
            }
            if let Some(shown) = client::take() {
                said.certificate = Some(shown);
            }
            if outcome? == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Reads once from the socket into `plain`. Returns how many encrypted bytes came; none means the peer is gone.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [MaybeUninit::uninit(); READ];
        let mut read = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut read))?;
        let came = read.filled().len();
        let mut joined;
        let incoming = if self.protection.cut().is_empty() {
            read.filled_mut()
        } else {
            joined = [self.protection.cut(), read.filled()].concat();
            &mut joined
        };
        Poll::Ready(self.take_in(cx, incoming).map(|()| came))
    }

    /// Decrypts what has come.
    fn take_in(&mut self, cx: &mut Context<'_>, incoming: &mut [u8]) -> io::Result<()> {
        let outcome = self
            .protection
            .read(incoming, &mut self.plain, &mut self.unsent);
        outcome.map_err(|broken| {
            // The alert is worth one try; a peer that broke TLS gets no patience.
            let _ = self.poll_send(cx);
            io::Error::new(io::ErrorKind::InvalidData, broken)
        })
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.tcp).poll_write(cx, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent);
        }
        self.unsent = Vec::new();
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.plain.is_empty() {
            if self.protection.peer_closed() || ready!(self.poll_receive(cx))? == 0 {
                return Poll::Ready(Ok(()));
            }
            // A key update or an alert may ask for an answer; it is sent when the socket takes it.
            let _ = self.poll_send(cx)?;
        }
        let take = self.plain.len().min(buf.remaining());
        buf.put_slice(self.plain.get(..take).unwrap_or_default());
        self.plain.drain(..take);
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_send(cx))?;
        let data = data.get(..WRITE).unwrap_or(data);
        let this = &mut *self;
        this.protection
            .write(data, &mut this.unsent)
            .map_err(io::Error::other)?;
        let _ = self.poll_send(cx)?;
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.protection
            .close(&mut this.unsent)
            .map_err(io::Error::other)?;
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
