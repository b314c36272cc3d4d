//! permessage-deflate (RFC 7692), without context takeover in either direction: each message is a stream of its own.
//!
//! So no socket owns a window. A loop has one [`Inflater`] and one [`Deflater`] for all of its sockets, and what is sent to
//! many is deflated once ([`Prepared`](crate::message::Prepared)). What a peer can make them hold is bounded by the
//! message limit; see [`Inflater`].

mod deflater;
mod inflater;
mod offer;

pub use deflater::Deflater;
pub use inflater::Inflater;
pub(crate) use inflater::{Broken, Stream};
pub(crate) use offer::choose;
pub use offer::{CLIENT_OFFER, Terms, accepted};

/// How far back a deflated message may refer, in bits: 9, 12 or 15, so 512 bytes, 4 KiB or 32 KiB.
///
/// A peer asks for any of 8 to 15, and may be answered with fewer (RFC 7692 §7.1.2.1). With three, peers cannot make a
/// publication be deflated, nor kept, more often than that. 8 is none of them: zlib makes it 9 without saying so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window(u8);

impl Window {
    /// What is meant where nothing is said (RFC 7692 §7.1.2.1).
    pub const LARGEST: Self = Self(15);

    /// The largest that is no larger than so many bits. None outside 9 to 15.
    #[must_use]
    pub const fn within(bits: u8) -> Option<Self> {
        match bits {
            9..=11 => Some(Self(9)),
            12..=14 => Some(Self(12)),
            15 => Some(Self::LARGEST),
            _ => None,
        }
    }
}

/// How hard the deflater looks for repetition: 1 is quickest, 9 smallest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Level(u8);

impl Level {
    /// None outside 1 to 9.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=9 => Some(Self(level)),
            _ => None,
        }
    }
}

/// How messages to a peer are deflated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Encoding {
    /// The peer can look back so far.
    pub window: Window,
    /// How hard we try.
    pub level: Level,
    /// Messages of fewer bytes go as they are.
    pub threshold: usize,
}

/// The longest that a deflater which knows what it does makes of so many bytes: with fixed codes none takes more than nine
/// bits (RFC 1951 §3.2.6). Frames of a deflated message may be that long, so that whatever fits into a message gets
/// through however it was deflated.
pub(crate) fn longest(bytes: usize) -> usize {
    bytes.saturating_add(bytes / 8).saturating_add(64)
}

#[cfg(test)]
mod tests;
