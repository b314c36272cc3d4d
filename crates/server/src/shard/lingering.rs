//! A connection that was closed in order, until the peer hangs up too: what it still sends is read and dropped, so that a
//! reset does not overtake our Close (RFC 6455 §7.1.1).

use std::{
    io,
    time::{Duration, Instant},
};

use mio::net::TcpStream;
use wardwire_admission::caps::ConnectionSlot;

use super::{Turn, link::Transport, socket::Outcome};

pub(super) struct Lingering<T = TcpStream> {
    transport: T,
    until: Instant,
    left: usize,
    _slot: Option<ConnectionSlot>,
}

const TIME: Duration = Duration::from_secs(1);
const BYTES: usize = 256 * 1024;

impl<T: Transport> Lingering<T> {
    /// Says that nothing more is sent. None if the peer is gone already.
    pub(super) fn new(transport: T, slot: Option<ConnectionSlot>, now: Instant) -> Option<Self> {
        transport.finish().ok()?;
        Some(Self {
            transport,
            until: now + TIME,
            left: BYTES,
            _slot: slot,
        })
    }

    pub(super) fn transport(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Drops what has come.
    pub(super) fn turn(&mut self, turn: &mut Turn<'_>) -> Outcome {
        while turn.now < self.until && self.left > 0 {
            match self.transport.read(&mut turn.buffers.incoming) {
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
}
