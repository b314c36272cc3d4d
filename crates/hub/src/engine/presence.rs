//! Who is present in a channel, as the processes of a server tell it each other.

use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use wardwire_protocol::{channel::ChannelName, rpc::wire::Member};

use super::Reply;

/// Who is present. What is asked is done in the order in which it is asked, whether or not its answer is waited for. Whoever
/// enters does so for a time, and enters again before it is over: a process that dies takes its own with it.
pub trait Presence: Send + Sync {
    /// Enters for so long, or stays. Where no more can, it says so at once, as far as it knows
    /// ([`Full`](super::EngineError::Full)): nobody is let in first and put out later.
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

    /// Tells a watcher of the channel's members from now on, until it is gone. Each change is told once, whichever process's
    /// socket made it.
    fn watch(&self, channel: &ChannelName, watcher: Weak<dyn Watcher>);

    /// Who is there: all are counted, at most so many are named, by their names. This process's watchers are told of what changed
    /// before it first, and of what changes behind it afterwards.
    fn list(&self, channel: &ChannelName, most: usize, now: Instant) -> Reply<Present>;
}

/// One socket in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attendant {
    /// Its own, in all processes.
    pub socket: u128,
    /// Whose it is, as others are told. None if anonymous: then it is counted, and never named.
    pub from: Option<Arc<str>>,
    /// What others are told beside it, as JSON. What was said last counts, also when its socket has gone; to stay says nothing.
    pub info: Option<Arc<str>>,
}

/// Who is told of a channel's members.
pub trait Watcher: Send + Sync {
    /// Something has changed. Called by one thread at a time, possibly under a lock: what it does is short, and asks nothing of
    /// presence.
    fn changed(&self, change: &Change);
}

/// A change of a channel's members. Who is anonymous changes none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub from: Arc<str>,
    /// They are here now: they came, or what is told beside them is another. Otherwise they went.
    pub here: bool,
    /// They are here, and were before.
    pub stayed: bool,
    /// What others are told beside it, as JSON; of one who went, what they were told.
    pub info: Option<Arc<str>>,
    /// How many members there are now.
    pub count: usize,
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

impl Present {
    /// Its members as others are told, of some so many bytes, and whether there are more.
    #[must_use]
    pub fn told(&self, bytes: usize) -> (Vec<Member<'_>>, bool) {
        let mut left = bytes;
        let fit = self.members.iter().map_while(|(from, info)| {
            let info = info.as_deref();
            left = left.checked_sub(size(from, info))?;
            Some(member(from, info))
        });
        let told: Vec<_> = fit.collect();
        let more = told.len() < self.count;
        (told, more)
    }
}

/// Bytes of a member, about, as JSON spells its name.
pub(crate) fn size(from: &str, info: Option<&str>) -> usize {
    let spelt = |byte| match byte {
        ..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    from.bytes().map(spelt).sum::<usize>() + info.map_or(0, str::len) + 32
}

/// A member as others are told.
pub(crate) fn member<'a>(from: &'a str, info: Option<&'a str>) -> Member<'a> {
    Member {
        from: from.into(),
        info: info.and_then(|info| serde_json::from_str::<&RawValue>(info).ok()),
    }
}
