//! What a live socket holds for as long as its proof is good, and the [`index`] by which a revocation finds it.

mod index;

pub use self::index::Leases;

use std::{
    sync::{Arc, atomic::Ordering},
    task::Waker,
};

use crate::{
    certificate::ClientCertificate,
    clock::Timestamp,
    origin::Origin,
    principal::{Identity, Principal},
    revocation::Revocation,
    route::Route,
    sync::{AtomicU64, Mutex},
};

/// The proof a socket stands on. It ends by time, or when somebody ends it; then the socket is woken and closes.
pub struct Lease {
    /// A [`Mark`]. Written under the lock, read without it before every message.
    mark: AtomicU64,
    state: Mutex<State>,
    entrance: Entrance,
    key: u64,
    leases: Arc<Leases>,
}

/// Where a socket came in. Rules that change are asked about it again.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// As it was then.
    pub route: Arc<Route>,
    /// The page. None of a client that is no browser.
    pub origin: Option<Origin>,
    /// What the connection was opened with. No proof outlives it.
    pub certificate: Option<Arc<ClientCertificate>>,
}

struct State {
    principal: Principal,
    waker: Option<Waker>,
}

/// How a lease stands, in one word: the milliseconds at which it expires, or one of the last values for how it ended.
struct Mark;

impl Mark {
    const REVOKED: u64 = u64::MAX - 1;
    const LOGGED_OUT: u64 = u64::MAX - 2;
    const RESTART: u64 = u64::MAX - 3;
    const FORBIDDEN: u64 = u64::MAX - 4;

    fn until(end: Timestamp) -> u64 {
        match end {
            Timestamp::NEVER => u64::MAX,
            end => end.as_millis().min(Self::FORBIDDEN - 1),
        }
    }

    fn ended(reason: EndReason) -> u64 {
        match reason {
            EndReason::Revoked => Self::REVOKED,
            EndReason::LoggedOut => Self::LOGGED_OUT,
            EndReason::Restart => Self::RESTART,
            EndReason::Forbidden => Self::FORBIDDEN,
        }
    }

    fn read(mark: u64) -> Result<Timestamp, EndReason> {
        match mark {
            Self::REVOKED => Err(EndReason::Revoked),
            Self::LOGGED_OUT => Err(EndReason::LoggedOut),
            Self::RESTART => Err(EndReason::Restart),
            Self::FORBIDDEN => Err(EndReason::Forbidden),
            millis => Ok(Timestamp::from_millis(millis)),
        }
    }
}

/// How a lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseStatus {
    /// Good until then.
    Valid {
        /// The instant at which it expires.
        until: Timestamp,
    },
    /// The token's time is over, or the client certificate's.
    Expired,
    /// Somebody ended it.
    Ended(EndReason),
}

/// Why a lease was ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Taken back.
    Revoked,
    /// The user signed out.
    LoggedOut,
    /// The server goes down.
    Restart,
    /// Its page or its route is not allowed any more.
    Forbidden,
}

impl Lease {
    /// Whether the socket may live on.
    #[must_use]
    pub fn status(&self, now: Timestamp) -> LeaseStatus {
        match Mark::read(self.mark.load(Ordering::Acquire)) {
            Err(reason) => LeaseStatus::Ended(reason),
            Ok(until) if until <= now => LeaseStatus::Expired,
            Ok(until) => LeaseStatus::Valid { until },
        }
    }

    /// Wakes this task when somebody ends the lease.
    pub fn register(&self, waker: &Waker) {
        let mut state = self.state.lock();
        if !state
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            state.waker = Some(waker.clone());
        }
    }

    /// Who holds the socket, as last proved.
    #[must_use]
    pub fn principal(&self) -> Principal {
        self.state.lock().principal.clone()
    }

    /// The client certificate that the connection was opened with.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.entrance.certificate.as_deref()
    }

    /// Where the socket came in.
    #[must_use]
    pub fn entrance(&self) -> &Entrance {
        &self.entrance
    }

    /// Stands on a fresh proof from now on, until then or as long as the certificate holds. The caller has checked that it
    /// is the same user's. Returns until when that is, if nobody ends it.
    pub(crate) fn renew(&self, identity: Arc<Identity>, until: Timestamp) -> Timestamp {
        let until = end(until, self.certificate());
        let mut state = self.state.lock();
        if !self.has_ended() {
            self.mark.store(Mark::until(until), Ordering::Release);
        }
        state.principal = Principal::User(identity);
        until
    }

    /// Stands on the proof that was judged until then from now on, or as long as the certificate holds; on a fresh one that
    /// has come meanwhile it goes on as that says. The socket is woken to look. True if that is the end of it.
    fn hold(&self, judged: &Principal, until: Timestamp, now: Timestamp) -> bool {
        let (waker, before) = {
            let state = self.state.lock();
            let mark = Mark::until(end(until, self.certificate()));
            let before = self.mark.load(Ordering::Acquire);
            if self.has_ended() || !state.principal.is(judged) || before == mark {
                return false;
            }
            self.mark.store(mark, Ordering::Release);
            (state.waker.clone(), before)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        let held = Mark::read(before).is_ok_and(|before| before > now);
        held && self.status(now) == LeaseStatus::Expired
    }

    /// Ends it and wakes the socket. False if it had ended before.
    pub(crate) fn end(&self, reason: EndReason) -> bool {
        let waker = {
            let mut state = self.state.lock();
            if self.has_ended() {
                return false;
            }
            self.mark.store(Mark::ended(reason), Ordering::Release);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    fn has_ended(&self) -> bool {
        Mark::read(self.mark.load(Ordering::Acquire)).is_err()
    }

    fn end_if(&self, revocation: &Revocation, reason: EndReason) -> bool {
        let covered = self
            .state
            .lock()
            .principal
            .identity()
            .is_some_and(|it| revocation.covers(it));
        covered && self.end(reason)
    }
}

/// When a socket ends that stands on both.
fn end(proof: Timestamp, certificate: Option<&ClientCertificate>) -> Timestamp {
    certificate.map_or(proof, |it| proof.min(it.expires_at))
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.forget(self.key);
    }
}

#[cfg(test)]
pub(crate) fn entrance() -> Entrance {
    Entrance {
        route: Arc::new(crate::route::tests::route("/live")),
        origin: None,
        certificate: None,
    }
}

#[cfg(feature = "loom")]
#[cfg(test)]
mod interleavings;
