//! A connection that was closed in order, until the peer hangs up too: what it has not taken yet is still sent, and what it
//! still sends is read and dropped, so that a reset does not overtake our Close (RFC 6455 §7.1.1).

use std::{
    io,
    time::{Duration, Instant},
};

use wardwire_admission::caps::ConnectionSlot;

use super::{
    Turn,
    link::{Line, Transport, send},
    socket::Outcome,
};

pub(super) struct Lingering<T = Line> {
    transport: T,
    /// What the kernel has not taken: the last messages of a slow peer, and our Close.
    unsent: Vec<u8>,
    until: Instant,
    left: usize,
    _slot: Option<ConnectionSlot>,
}

/// For a peer that has everything, and for one that has to read first.
const TIME: Duration = Duration::from_secs(1);
const SLOW: Duration = Duration::from_secs(10);
const BYTES: usize = 256 * 1024;

impl<T: Transport> Lingering<T> {
    /// None if the peer is gone already.
    pub(super) fn new(
        transport: T,
        unsent: Vec<u8>,
        slot: Option<ConnectionSlot>,
        now: Instant,
    ) -> Option<Self> {
        let mut lingering = Self {
            transport,
            until: now + SLOW,
            unsent,
            left: BYTES,
            _slot: slot,
        };
        lingering.finish_if_sent(now).ok()?;
        Some(lingering)
    }

    pub(super) fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Sends what there is, and drops what has come.
    pub(super) fn turn(&mut self, turn: &mut Turn<'_>) -> Outcome {
        if self.send(turn.now).is_err() {
            return Outcome::Ended;
        }
        while turn.now < self.until && self.left > 0 {
            match self.transport.read(&mut turn.buffers.incoming) {
                // It has said its last, and may still read.
                Ok(0) if !self.unsent.is_empty() => return Outcome::Rest(self.until),
                Ok(0) => break,
                Ok(came) => self.left = self.left.saturating_sub(came),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Outcome::Rest(self.until);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        Outcome::Ended
    }

    fn send(&mut self, now: Instant) -> io::Result<()> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        let sent = send(&mut self.transport, &self.unsent)?;
        self.unsent.drain(..sent);
        self.finish_if_sent(now)
    }

    /// Says that nothing more is sent.
    fn finish_if_sent(&mut self, now: Instant) -> io::Result<()> {
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
            self.until = now + TIME;
            self.transport.finish()?;
        }
        Ok(())
    }
}
