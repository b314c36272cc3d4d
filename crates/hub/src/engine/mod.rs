//! Where publications live, and the small things that all processes of a server know together.
//!
//! An [`Engine`] is asked, never known: it may be this process's memory, a disk or a cluster, so whatever it does may take its
//! time ([`Answer`]), may fail, and may be done by other processes too. It gives a channel's publications their order, keeps
//! the newest as the channel's rules say, and hands each to whoever follows, once and in that order. What every engine owes
//! is written down in `contract`, as tests; [`memory`] is the first to keep it.

mod answer;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
pub mod memory;
mod position;
mod presence;
mod publication;
mod read;
mod sets;

use std::{
    sync::{Arc, Weak},
    time::Instant,
};

use wardwire_protocol::channel::ChannelName;

pub use answer::Answer;
pub use position::Position;
pub use presence::{Attendance, Attendant, Change, Presence, Present, Watcher};
pub(crate) use presence::{member, size as size_of_member};
pub use publication::{Appended, Content, Entry, Except, Once, Placed, Publication, Stands};
pub use read::{Keep, Latest, Limit, Page, Range, Snapshot};
pub use sets::{Claim, Set, Sets};

/// What may come of a question that an engine is asked.
pub type Reply<T> = Answer<Result<T, EngineError>>;

/// Where publications live.
pub trait Engine: Send + Sync + 'static {
    /// What an acknowledged append survives.
    fn durability(&self) -> Durability;

    /// The log of a channel, of which so much is kept. Waits for nothing.
    ///
    /// INVARIANT: a process has one open log for a channel, or several of which all but one are let go of at once: where
    /// [durability](Self::durability) is that of memory, each opening begins a log of its own.
    fn open(&self, channel: &ChannelName, keep: Keep) -> Arc<dyn Log>;

    /// Who is present in which channel.
    fn presence(&self) -> &dyn Presence;

    /// The small shared sets.
    fn sets(&self) -> &dyn Sets;

    /// Bytes of publications kept in this process's memory.
    fn used(&self) -> usize;

    /// Lets go of what has expired in this process's memory.
    fn sweep(&self, now: Instant);
}

/// What an acknowledged append survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Nothing: it ends with the process.
    Memory,
    /// The process's end and a power cut.
    Disk,
    /// The loss of a machine.
    Replicated,
}

/// One channel's publications, in the one order that all processes see.
///
/// Every answer comes in time: after so long as the engine's makers find bearable, that it is unavailable.
///
/// Times are `now` for engines that keep it themselves; others have a clock of their own.
pub trait Log: Send + Sync {
    /// Hands publications to a sink, in place of any before: whatever stands after an answer that this log gives from now on
    /// to [`read`](Self::read), [`latest`](Self::latest) or [`append`](Self::append), also by other processes, once and in
    /// order. Ends when the sink is gone.
    fn follow(&self, sink: Weak<dyn Sink>);

    /// Appends, and answers for each where it stands now. What comes of one [`Once`] stands once, whoever appends it at the
    /// same instant. An error says nothing of whether they stand there: who repeats them does it with a [`Once`].
    ///
    /// Of two calls the first stands first, whenever they are answered. The entries of a batch keep their order among each other;
    /// others may come between.
    fn append(&self, batch: &[Entry], now: Instant) -> Reply<Stands>;

    /// What is kept of a range, oldest first.
    fn read(&self, range: Range, limit: Limit, now: Instant) -> Reply<Page>;

    /// The latest values, as the channel keeps them.
    fn latest(&self, now: Instant) -> Reply<Snapshot>;

    /// Keeps so much from now on, and lets go of what is more.
    fn keep(&self, keep: Keep, now: Instant);

    /// Whether something would be lost if this log were let go of.
    fn holds(&self, now: Instant) -> bool;

    /// Takes nothing more, unless it [holds](Self::holds) something: then it answers false and goes on. Of an append at the
    /// same instant, one sees the other: it answers [`EngineError::Closed`], or this answers false.
    fn close(&self, now: Instant) -> bool;
}

/// Who follows a log.
pub trait Sink: Send + Sync {
    /// Whether it can take more. An engine asks before it hands over what others appended, and waits if not.
    fn is_ready(&self) -> bool;

    /// Takes the next publication. Called by one thread at a time, possibly under a lock of the log: what it does is short, and
    /// asks nothing of the log.
    fn deliver(&self, next: &Placed);

    /// What stands up to this position and was not delivered will not be: the engine has lost it, or its trail.
    fn lost(&self, up_to: Position);

    /// Some were delivered, and no lock is held any more.
    fn wake(&self);
}

/// Why an engine did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// It is out of reach, or has failed. Worth another try, later.
    #[error("the engine does not answer")]
    Unavailable,
    /// Something of which it keeps so many is full. Worth another try when something has expired.
    #[error("the engine is full")]
    Full,
    /// The log was [closed](Log::close): it is to be opened again.
    #[error("the log is closed")]
    Closed,
}
