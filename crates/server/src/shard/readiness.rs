//! Which sockets can be read or written: a poll of its own beside the runtime's, so that a socket costs no task, no waker
//! and no registration in the heap. The runtime sees one descriptor.

use std::{
    io,
    task::{Context, Poll, Waker},
    time::Duration,
};

use mio::{Events, Interest, Token};
use tokio::io::unix::AsyncFd;
use wardwire_hub::fanout::SocketKey;

use super::{link::Line, sockets::place};

/// What can be done with a socket, until it would block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cue {
    /// The place of the socket in the slab.
    pub(super) place: usize,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has said its last, so a read that came short does not mean that nothing follows.
    pub(super) ended: bool,
}

/// The sockets of a shard, waited for.
pub(super) struct Readiness {
    poll: AsyncFd<mio::Poll>,
    events: Events,
}

/// Sockets that are told of at once.
const MOST: usize = 128;
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

impl Readiness {
    pub(super) fn new() -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe; what is demanded there holds: the poll owns its descriptor and keeps it"
        )]
        let poll = AsyncFd::new(mio::Poll::new()?)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(MOST),
        })
    }

    /// Waits for a socket from now on, until it is dropped. A stream tells the waker.
    pub(super) fn register(
        &self,
        line: &mut Line,
        key: SocketKey,
        waker: &Waker,
    ) -> io::Result<()> {
        let registry = self.poll.get_ref().registry();
        match line {
            Line::Tcp(tcp) => registry.register(tcp, Token(place(key)), BOTH),
            Line::Stream(stream) => {
                stream.attend(waker.clone());
                Ok(())
            }
        }
    }

    /// Waits for it under another key.
    pub(super) fn move_to(&self, line: &mut Line, key: SocketKey, waker: &Waker) -> io::Result<()> {
        let registry = self.poll.get_ref().registry();
        match line {
            Line::Tcp(tcp) => registry.reregister(tcp, Token(place(key)), BOTH),
            Line::Stream(stream) => {
                stream.attend(waker.clone());
                Ok(())
            }
        }
    }

    /// Tells which are ready now, without waiting. True if there may be more.
    pub(super) fn poll(&mut self, cues: &mut Vec<Cue>) -> io::Result<bool> {
        let polled = self
            .poll
            .get_mut()
            .poll(&mut self.events, Some(Duration::ZERO));
        match polled {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            other => other?,
        }
        cues.extend(self.events.iter().map(|event| Cue {
            place: event.token().0,
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable() || event.is_write_closed() || event.is_error(),
            ended: event.is_read_closed() || event.is_error(),
        }));
        Ok(cues.len() >= MOST)
    }

    /// Forgets that something was ready: [`Self::poll`] has told all of it.
    ///
    /// INVARIANT: the runtime's driver has not run since that call, or what came meanwhile would be forgotten too.
    pub(super) fn told(&self, cx: &mut Context<'_>) {
        if let Poll::Ready(Ok(mut guard)) = self.poll.poll_read_ready(cx) {
            guard.clear_ready();
        }
    }

    /// Wakes the task when a socket is ready.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll.poll_read_ready(cx).map_ok(drop)
    }
}
