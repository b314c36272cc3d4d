//! A socket's stream (RFC 8441 §5): what a TCP connection is to a socket of HTTP/1.1.
//!
//! Nothing here blocks: where the peer has sent nothing, or its flow-control window is full, the socket's waker is left
//! with h2, which wakes it as soon as that changes.

use std::{
    io,
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};

use super::life::Carried;

/// Bytes to and from a socket, in `DATA` frames of one stream.
pub struct Stream {
    received: RecvStream,
    sending: SendStream<Bytes>,
    /// The rest of a frame, of which not everything was taken.
    rest: Bytes,
    waker: Waker,
    /// The peer does not take what it was sent.
    blocked: bool,
    /// We have ended our half.
    finished: bool,
    _carried: Carried,
}

/// A frame's worth: what is handed to h2 at once is a copy of its own.
const WRITE: usize = 16 * 1024;

impl Stream {
    pub(super) fn new(
        received: RecvStream,
        sending: SendStream<Bytes>,
        carried: Carried,
    ) -> Box<Self> {
        Box::new(Self {
            received,
            sending,
            rest: Bytes::new(),
            waker: Waker::noop().clone(),
            blocked: false,
            finished: false,
            _carried: carried,
        })
    }

    /// Whom to wake from now on.
    pub fn attend(&mut self, waker: Waker) {
        self.waker = waker;
    }

    /// Ends our half: `END_STREAM` behind what is still on its way.
    ///
    /// # Errors
    /// The stream is gone.
    pub fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        let end = self.sending.send_data(Bytes::new(), true);
        end.map_err(gone)
    }

    fn poll_frame(&mut self) -> Poll<io::Result<Option<Bytes>>> {
        let mut cx = Context::from_waker(&self.waker);
        match self.received.poll_data(&mut cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Ok(Some(frame))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(gone(error))),
        }
    }

    fn poll_room(&mut self, wanted: usize) -> Poll<io::Result<usize>> {
        self.sending.reserve_capacity(wanted);
        let mut cx = Context::from_waker(&self.waker);
        loop {
            // It may be there at once; else a change of it is waited for.
            match self.sending.capacity() {
                0 => {}
                room => return Poll::Ready(Ok(room)),
            }
            match self.sending.poll_capacity(&mut cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(gone(error))),
                Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }
}

impl io::Read for Stream {
    /// Takes all there is, as far as it finds room: one that comes short has left the waker behind.
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(left) = room.get_mut(filled..).filter(|left| !left.is_empty()) {
            if self.rest.is_empty() {
                match self.poll_frame() {
                    Poll::Ready(Ok(Some(frame))) => {
                        self.rest = frame;
                        continue;
                    }
                    Poll::Pending if filled == 0 => return Err(io::ErrorKind::WouldBlock.into()),
                    Poll::Pending => break,
                    Poll::Ready(end) if filled == 0 => return end.map(|_| 0),
                    // What has come is taken first. The end is there to stay.
                    Poll::Ready(_) => {
                        self.waker.wake_by_ref();
                        break;
                    }
                }
            }
            let taken = left.len().min(self.rest.len());
            self.rest
                .copy_to_slice(left.get_mut(..taken).unwrap_or_default());
            filled += taken;
        }
        // More than came is never released.
        let _ = self.received.flow_control().release_capacity(filled);
        Ok(filled)
    }
}

impl io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = bytes.len().min(WRITE);
        if wanted == 0 {
            return Ok(0);
        }
        let room = self.poll_room(wanted);
        self.blocked = room.is_pending();
        let room = match room {
            Poll::Ready(room) => room?,
            Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
        };
        let bytes = bytes.get(..room.min(wanted)).unwrap_or_default();
        let data = Bytes::copy_from_slice(bytes);
        self.sending.send_data(data, false).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    /// RFC 8441 §5: `END_STREAM` is TCP's FIN, and `RST_STREAM` with CANCEL its RST. Where the peer has not ended its half,
    /// h2 resets that with `NO_ERROR` behind ours (RFC 9113 §8.1).
    fn drop(&mut self) {
        match self.blocked {
            // Nothing waits for a peer that had its time.
            true => self.sending.send_reset(Reason::CANCEL),
            false => drop(self.finish()),
        }
    }
}

fn gone(error: h2::Error) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, error)
}
