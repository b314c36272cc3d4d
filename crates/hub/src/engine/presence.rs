//! Who is present in a channel, as the processes of a server tell it each other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wardwire_protocol::channel::ChannelName;

use super::Reply;

/// Who is present. Whoever enters does so for a time, and enters again before it is over: a process that dies takes its own
/// with it.
pub trait Presence: Send + Sync {
    /// Enters for so long, or stays.
    fn enter(
        &self,
        channel: &ChannelName,
        attendant: &Attendant,
        lease: Duration,
        now: Instant,
    ) -> Reply<Attendance>;

    /// Leaves. To leave twice, or without having entered, changes nothing.
    fn leave(
        &self,
        channel: &ChannelName,
        attendant: &Attendant,
        now: Instant,
    ) -> Reply<Attendance>;

    /// Who is there: all are counted, at most so many are named, by their names.
    fn list(&self, channel: &ChannelName, most: usize, now: Instant) -> Reply<Present>;
}

/// One socket in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendant {
    /// Its own, in all processes.
    pub socket: u128,
    /// Whose it is, as others are told. None if anonymous: then it is counted, and never named.
    pub from: Option<Arc<str>>,
    /// What others are told beside it, as JSON. That of the newest socket counts.
    pub info: Option<Arc<str>>,
}

/// What an entry or a departure changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attendance {
    /// The member came with it or went with it: it is the first or the last of its sockets. Never for one that is anonymous.
    pub changed: bool,
    /// How many members there are now.
    pub count: usize,
}

/// Who is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// How many members: all sockets of one are one.
    pub count: usize,
    /// How many anonymous sockets.
    pub anonymous: usize,
    /// Each with what others are told beside it, in the order of their names.
    pub members: Vec<(Arc<str>, Option<Arc<str>>)>,
}
