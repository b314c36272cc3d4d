//! What costs whoever does it next to nothing, and so costs no more than a count here, before the queue of which everybody's
//! admission hangs: connections that are hung up on without an answer, and calls on live sockets that fail. The first of a
//! second are events of their own, with their address, and the rest are one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::flood::Kind;

/// Of each cause, those that are written one by one before the writer next collects what was counted.
const SINGLY: u64 = 10;
/// Of calls, the same: few of the queue's places, and as many as the writer takes of refusals anyway.
const CALLS_SINGLY: u64 = 1000;

/// Why a connection was hung up on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The pool of those who are not admitted was overfull, or its part for one address was.
    PoolFull,
    /// There was no descriptor left for it.
    NoDescriptor,
    /// So many were served on the plain port already.
    RedirectFull,
}

/// What was dropped, refused of calls and reported of them, since the writer last asked.
#[derive(Default)]
pub(super) struct Drops {
    pool: AtomicU64,
    descriptors: AtomicU64,
    redirect: AtomicU64,
    calls: AtomicU64,
    reports: AtomicU64,
    losses: AtomicU64,
}

impl Cause {
    const ALL: [Self; 3] = [Self::PoolFull, Self::NoDescriptor, Self::RedirectFull];

    /// As written in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PoolFull => "pool-full",
            Self::NoDescriptor => "no-descriptor",
            Self::RedirectFull => "redirect-full",
        }
    }
}

impl Drops {
    /// Counts one. True if it is to be written itself.
    pub(super) fn add(&self, cause: Cause) -> bool {
        self.of(cause).fetch_add(1, Ordering::Relaxed) < SINGLY
    }

    /// Counts a call that failed. True if it is to be written itself.
    pub(super) fn add_call(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) < CALLS_SINGLY
    }

    /// Counts a call that was let through and reported. True if it is to be written itself.
    pub(super) fn add_report(&self) -> bool {
        self.reports.fetch_add(1, Ordering::Relaxed) < CALLS_SINGLY
    }

    /// Counts a channel that a socket had to leave. True if it is to be written itself.
    pub(super) fn add_loss(&self) -> bool {
        self.losses.fetch_add(1, Ordering::Relaxed) < CALLS_SINGLY
    }

    /// What was counted and not written, by kind, and begins anew.
    pub(super) fn take(&self) -> impl Iterator<Item = (Kind, u64)> {
        let calls = [
            (&self.calls, "refusals", Some("call")),
            (&self.reports, "reports", None),
            (&self.losses, "rights-lost", Some("subscribe")),
        ];
        let calls = calls.into_iter().filter_map(|(count, counted, stage)| {
            let all = count.swap(0, Ordering::Relaxed);
            let kind = Kind {
                counted,
                stage,
                reason: None,
            };
            (all > CALLS_SINGLY).then(|| (kind, all - CALLS_SINGLY))
        });
        let dropped = Cause::ALL.into_iter().filter_map(|cause| {
            let all = self.of(cause).swap(0, Ordering::Relaxed);
            let kind = Kind {
                counted: "drops",
                stage: Some("accept"),
                reason: Some(cause.as_str().into()),
            };
            (all > SINGLY).then(|| (kind, all - SINGLY))
        });
        dropped.chain(calls)
    }

    fn of(&self, cause: Cause) -> &AtomicU64 {
        match cause {
            Cause::PoolFull => &self.pool,
            Cause::NoDescriptor => &self.descriptors,
            Cause::RedirectFull => &self.redirect,
        }
    }
}
