//! Small sets that all processes of a server share: what was used, what was taken back, who is signed in.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::Reply;

/// Sets of short-lived keys with small values. Every operation is one step: of two at the same instant, one sees the other.
///
/// What does not fit is refused ([`Full`](super::EngineError::Full)) and never takes another's place: who asks decides what
/// is safe then.
pub trait Sets: Send + Sync {
    /// Takes a key for so long, if nobody has it.
    fn claim(&self, set: Set, key: &[u8], lease: Duration, now: Instant) -> Reply<Claim>;

    /// Puts a value in place of any before, for so long.
    fn put(&self, set: Set, key: &[u8], value: &[u8], lease: Duration, now: Instant) -> Reply<()>;

    /// The value, as long as it lasts.
    fn get(&self, set: Set, key: &[u8], now: Instant) -> Reply<Option<Arc<[u8]>>>;

    /// Takes it away: of several who ask, one gets it.
    fn remove(&self, set: Set, key: &[u8], now: Instant) -> Reply<Option<Arc<[u8]>>>;
}

/// Which set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Set {
    /// Tickets that wait for their use.
    Tickets,
    /// Proofs that were used, by `jti`.
    Proofs,
    /// What was taken back.
    Revocations,
    /// Cookie sessions.
    Sessions,
}

impl Set {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Tickets,
        Self::Proofs,
        Self::Revocations,
        Self::Sessions,
    ];

    /// The most keys at once.
    pub const KEYS: usize = 200_000;
    /// The longest key, in bytes: longer ones are hashed before they come here.
    pub const KEY: usize = 64;
    /// The largest value, in bytes.
    pub const VALUE: usize = 4096;
}

/// What came of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the asker's.
    First,
    /// Somebody has it.
    Taken,
}
