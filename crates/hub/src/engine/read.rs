//! What is kept of a channel, and how it is read.

use super::{Placed, Position};
use crate::rights::History;

/// How much of a channel is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Of its publications.
    pub history: History,
    /// Of its values.
    pub latest: Latest,
}

/// Which values a channel keeps for those who come new. They last as long as its history, or a day where it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Latest {
    /// None.
    #[default]
    Nothing,
    /// The last publication.
    Channel,
    /// The last publication of each key. Of more than [`Latest::KEYS`], those go that were told longest ago.
    Keys,
}

impl Latest {
    /// The most keys of one channel.
    pub const KEYS: usize = 1000;
    /// How long a value lasts where there is no history to say so.
    pub const TTL: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
}

impl Keep {
    /// Whether nothing is ever kept.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.history.size == 0 && self.latest == Latest::Nothing
    }
}

/// Which publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The oldest after this position.
    After(Position),
    /// The newest before it.
    Before(Position),
    /// The newest.
    Newest,
}

/// How many of them at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// So many.
    pub count: usize,
    /// So many bytes, by [`Publication::size`](super::Publication::size); the first may be larger.
    pub bytes: usize,
}

/// What of a range is there.
#[derive(Clone, Debug)]
pub struct Page {
    /// Oldest first, without a gap among them.
    pub publications: Vec<Placed>,
    /// The channel's end when it was read.
    pub end: Position,
    /// There are more in that direction.
    pub more: bool,
    /// Nothing is missing between where the range begins and these, nor beyond them if there are no more: the retention still
    /// reaches, and the position is of this epoch.
    pub complete: bool,
}

/// The latest values.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// In the order in which they were published.
    pub values: Vec<Placed>,
    /// The offset behind which no value was let go of: of whatever was published after it, the newest of its key is here.
    pub floor: u64,
    /// The channel's end when they were read: what comes after it comes after all of them.
    pub end: Position,
}
