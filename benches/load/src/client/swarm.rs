//! Many sockets in one thread, and one wait for all of them.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token};
use rustls::ClientConfig;

use super::socket::{Path, Scratch, Socket};
use crate::Failure;

pub(crate) struct Swarm {
    poll: Poll,
    events: Events,
    ready: Vec<usize>,
    sockets: Vec<Option<Socket>>,
    scratch: Scratch,
}

impl Swarm {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            ready: Vec::new(),
            sockets: Vec::new(),
            scratch: Scratch::new(),
        })
    }

    /// Begins to connect a socket in the place `index`.
    pub(crate) fn connect(
        &mut self,
        index: usize,
        (address, path): (SocketAddr, Path),
        tls: Arc<ClientConfig>,
        head: Option<Box<[u8]>>,
    ) -> Result<(), Failure> {
        let mut socket = Socket::connect(address, path, tls, head)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut socket.tcp, Token(index), interest)?;
        if self.sockets.len() <= index {
            self.sockets.resize_with(index + 1, || None);
        }
        if let Some(place) = self.sockets.get_mut(index) {
            *place = Some(socket);
        }
        Ok(())
    }

    /// How many places there are.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// The socket in the place `index`, with the thread's buffers.
    pub(crate) fn socket(&mut self, index: usize) -> Result<(&mut Socket, &mut Scratch), Failure> {
        match self.sockets.get_mut(index) {
            Some(Some(socket)) => Ok((socket, &mut self.scratch)),
            _ => Err("there is no such socket".into()),
        }
    }

    /// Takes a socket out.
    pub(crate) fn remove(&mut self, index: usize) -> Option<Socket> {
        self.sockets.get_mut(index)?.take()
    }

    /// Waits until sockets are ready. Give the list back with [`Self::done`].
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<Vec<usize>, Failure> {
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(error.into());
            }
            _ => {}
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        ready.extend(self.events.iter().map(|event| event.token().0));
        Ok(ready)
    }

    /// The same without sleeping. On a loopback it is the server that pays for waking a client that sleeps, which no
    /// network asks of it; and the less it does at once, the more often.
    pub(crate) fn wait_awake(&mut self, timeout: Duration) -> Result<Vec<usize>, Failure> {
        let until = Instant::now() + timeout;
        loop {
            let ready = self.wait(Duration::ZERO)?;
            if !ready.is_empty() || Instant::now() >= until {
                return Ok(ready);
            }
            self.done(ready);
        }
    }

    /// So that the list's memory is used again.
    pub(crate) fn done(&mut self, ready: Vec<usize>) {
        self.ready = ready;
    }
}
