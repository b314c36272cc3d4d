//! Where a publication stands.

use std::fmt;

use serde::{Serialize, Serializer};

/// Where a publication stands: `epoch:offset`. An epoch is one life of a channel's log; offsets rise in it, from 1.
///
/// Nothing says by how much: a log may be one of many in a common stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Random, or at least never the same for two lives of a log.
    pub epoch: u64,
    /// 0 stands before the first.
    pub offset: u64,
}

impl Position {
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

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
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
