//! One end of a WebSocket as a state machine (RFC 6455 §5 to §7): bytes and the time come in, actions and frames go out.
//!
//! It owns memory only while a frame is cut in two or a message comes in pieces, and never more than has really come.
//! INVARIANT: after our Close nothing is appended to `out`, and nothing that the peer sends is delivered.

mod limits;
mod receive;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

pub use limits::Limits;

use crate::{
    close::{Close, CloseCode},
    deflate::{Deflater, Encoding, Stream},
    frame::{self, LONGEST, Opcode},
    message::Message,
    utf8::Utf8,
};

/// One end of a connection.
#[derive(Debug)]
pub struct Connection {
    limits: Arc<Limits>,
    role: Role,
    /// That messages may be deflated is agreed, and so are ours (RFC 7692).
    encoding: Option<Encoding>,
    state: State,
    /// The start of a header of which the rest has not come.
    header: [u8; LONGEST],
    header_length: u8,
    /// The frame of which the payload is still coming.
    frame: Option<Incoming>,
    /// The message that is being put together.
    message: Option<Box<Partial>>,
    /// When the first byte of the last header was read.
    begun: Instant,
    heard: Instant,
    pinged: Option<Instant>,
    /// Control frames since `counting`.
    controls: u32,
    counting: Instant,
}

/// Which end this is.
#[derive(Clone, Copy, Debug)]
enum Role {
    Server,
    /// Masks with keys from this function (RFC 6455 §5.3 wants them unpredictable).
    Client(fn() -> [u8; 4]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Our Close is sent; the peer has until then to answer it.
    Closing {
        until: Instant,
    },
    Closed,
}

/// A frame under way.
#[derive(Debug)]
struct Incoming {
    opcode: Opcode,
    fin: bool,
    deflated: bool,
    mask: [u8; 4],
    offset: usize,
    left: u64,
    /// A control frame's payload: at most 125 bytes.
    control: Vec<u8>,
    /// Read over it: we are closing.
    skip: bool,
}

/// A message under way.
#[derive(Debug)]
struct Partial {
    text: bool,
    data: Vec<u8>,
    /// Of a deflated message: `data` is what of it is inflated.
    deflated: Option<Deflated>,
    utf8: Utf8,
    fragments: u32,
    begun: Instant,
}

/// A deflated message under way.
#[derive(Debug)]
struct Deflated {
    stream: Stream,
    /// Bytes of it that have come.
    came: usize,
}

/// What came of a call to [`Connection::receive`].
#[derive(Debug)]
pub struct Step<'a> {
    /// How many bytes of the input are done with. The caller offers the rest again.
    pub consumed: usize,
    /// What to do.
    pub action: Action<'a>,
}

/// What the caller is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// All was consumed; more is needed.
    More,
    /// A message is whole.
    Deliver(Message<'a>),
    /// The peer broke a rule. Our Close is in `out`; keep reading until `Closed` or [`Liveness::Gone`].
    Closing(Close),
    /// It is over. Send what is in `out` and drop the transport.
    Closed(Close),
}

/// What came of a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The peer is there, or may be.
    Alive,
    /// It is not. Send what is in `out` and drop the transport.
    Gone(Close),
}

impl Connection {
    /// The server's end.
    #[must_use]
    pub fn server(limits: Arc<Limits>, now: Instant) -> Self {
        Self::new(limits, Role::Server, now)
    }

    /// The client's end. `mask` gives a fresh, unpredictable key for every frame.
    #[must_use]
    pub fn client(limits: Arc<Limits>, mask: fn() -> [u8; 4], now: Instant) -> Self {
        Self::new(limits, Role::Client(mask), now)
    }

    fn new(limits: Arc<Limits>, role: Role, now: Instant) -> Self {
        Self {
            limits,
            role,
            encoding: None,
            state: State::Open,
            header: [0; LONGEST],
            header_length: 0,
            frame: None,
            message: None,
            begun: now,
            heard: now,
            pinged: None,
            controls: 0,
            counting: now,
        }
    }

    /// The peer may deflate its messages, and reads ours in this encoding.
    #[must_use]
    pub fn deflating(self, encoding: Option<Encoding>) -> Self {
        Self { encoding, ..self }
    }

    /// Sends a message. False, and nothing is sent, once we are closing.
    pub fn send(
        &mut self,
        message: &Message<'_>,
        deflater: &mut Deflater,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.state != State::Open {
            return false;
        }
        let (opcode, payload) = (message.opcode(), message.as_bytes());
        let deflated = self
            .encoding
            .filter(|encoding| payload.len() >= encoding.threshold)
            .and_then(|encoding| deflater.deflate(payload, encoding.level, encoding.window));
        match deflated {
            Some(deflated) => frame::write_deflated(out, opcode, self.mask(), deflated),
            None => self.write(opcode, payload, out),
        }
        true
    }

    /// Begins the closing handshake. A second call does nothing.
    pub fn close(&mut self, close: &Close, now: Instant, out: &mut Vec<u8>) {
        if self.state == State::Open {
            self.message = None;
            self.write_close(close, out);
            self.state = State::Closing {
                until: now + self.limits.close_within,
            };
            if let Some(frame) = &mut self.frame {
                frame.skip = frame.opcode != Opcode::Close;
            }
        }
    }

    /// Whether our Close has been sent.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.state != State::Open
    }

    /// When [`Self::tick`] is due next.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        match self.state {
            State::Open => {
                let live = match self.pinged {
                    Some(at) => at + self.limits.pong_within,
                    None => self.heard + self.limits.ping_every,
                };
                self.message_due().map_or(live, |due| due.min(live))
            }
            State::Closing { until } => until,
            State::Closed => self.heard,
        }
    }

    /// Does what time demands: a ping, the end of a peer that is silent or slow.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<u8>) -> Liveness {
        match self.state {
            State::Closed => Liveness::Gone(Close::new(CloseCode::NORMAL, "closed")),
            State::Closing { until } if now >= until => {
                self.state = State::Closed;
                Liveness::Gone(Close::new(CloseCode::TIMEOUT, "no-close"))
            }
            State::Closing { .. } => Liveness::Alive,
            State::Open => self.tick_open(now, out),
        }
    }

    /// When the message or the frame that has begun must be whole.
    fn message_due(&self) -> Option<Instant> {
        let begun = match &self.message {
            Some(message) => message.begun,
            None if self.header_length > 0 || self.frame.is_some() => self.begun,
            None => return None,
        };
        Some(begun + self.limits.message_time)
    }

    fn tick_open(&mut self, now: Instant, out: &mut Vec<u8>) -> Liveness {
        if self.message_due().is_some_and(|due| now >= due) {
            self.close(
                &Close::new(CloseCode::POLICY_VIOLATION, "slow-message"),
                now,
                out,
            );
            return Liveness::Alive;
        }
        match self.pinged {
            Some(at) if now >= at + self.limits.pong_within => {
                let idle = Close::new(CloseCode::TIMEOUT, "idle");
                self.write_close(&idle, out);
                self.state = State::Closed;
                return Liveness::Gone(idle);
            }
            None if now >= self.heard + self.limits.ping_every => {
                self.pinged = Some(now);
                self.write(Opcode::Ping, b"", out);
            }
            _ => {}
        }
        Liveness::Alive
    }

    fn write(&self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        frame::write(out, opcode, true, self.mask(), payload);
    }

    fn mask(&self) -> Option<[u8; 4]> {
        match self.role {
            Role::Server => None,
            Role::Client(mask) => Some(mask()),
        }
    }

    fn write_close(&self, close: &Close, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        close.write_payload(&mut payload);
        self.write(Opcode::Close, &payload, out);
    }
}
