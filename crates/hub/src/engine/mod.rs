//! Where publications live. An engine gives each its position, keeps the newest as a channel's rules say, and tells what came
//! after a position: all of it or, where something is missing, nothing.
//!
//! There is one engine, [`memory`], whose answers wait for nothing. One that waits for a disk or a network will make a trait
//! of it. Nothing outside knows where a log is kept.

mod memory;

use std::fmt;

pub(crate) use memory::{Log, Memory};

/// Where a publication stands: `epoch:offset`. An epoch is one life of a channel's log; offsets count from 1 in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    epoch: u64,
    offset: u64,
}

impl Position {
    pub(crate) fn offset(self) -> u64 {
        self.offset
    }

    /// Reads `epoch:offset`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.split_once(':')?;
        let digits = |text: &str, most: usize| (1..=most).contains(&text.len());
        if !digits(epoch, 16) || !digits(offset, 20) || text.contains('+') {
            return None;
        }
        Some(Self {
            epoch: u64::from_str_radix(epoch, 16).ok()?,
            offset: offset.parse().ok()?,
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{}", self.epoch, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_their_text() {
        let position = Position {
            epoch: u64::MAX,
            offset: 12,
        };
        assert_eq!(position.to_string(), "ffffffffffffffff:12");
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        for text in [
            "",
            ":",
            "1",
            "1:",
            ":1",
            "x:1",
            "1:x",
            "1:+1",
            "+1:1",
            "-1:1",
            " 1:1",
            "1:1:1",
            "1:99999999999999999999",
            "11111111111111111:1",
        ] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
