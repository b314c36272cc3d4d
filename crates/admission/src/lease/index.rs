//! The leases of all live sockets, by whose they are.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak},
};

use super::{EndReason, Entrance, Lease, Mark, State, end};
use crate::{
    clock::Timestamp,
    principal::{Identity, Principal},
    revocation::Revocation,
    sync::{AtomicU64, Mutex},
};

/// The leases of all live sockets.
pub struct Leases {
    /// By a keyed hash of issuer and subject. INVARIANT: a collision costs a comparison, as every hit is judged itself.
    live: Mutex<Live>,
    hasher: RandomState,
}

#[derive(Default)]
struct Live {
    groups: HashMap<u64, Group>,
    count: usize,
}

/// The leases under one key.
#[derive(Default)]
struct Group {
    leases: Vec<Weak<Lease>>,
    /// How many of them are gone, at least.
    gone: usize,
}

impl Leases {
    /// No leases.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            live: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// Registers a lease for a socket that is about to live, until then or as long as the certificate holds.
    pub(crate) fn begin(
        self: &Arc<Self>,
        principal: Principal,
        until: Timestamp,
        entrance: Entrance,
    ) -> Arc<Lease> {
        let key = principal
            .identity()
            .map_or(0, |identity| self.key(&identity.issuer, &identity.subject));
        let state = State {
            principal,
            waker: None,
        };
        let lease = Arc::new(Lease {
            mark: AtomicU64::new(Mark::until(end(until, entrance.certificate.as_deref()))),
            state: Mutex::new(state),
            entrance,
            key,
            leases: self.clone(),
        });
        let mut live = self.live.lock();
        live.count += 1;
        let group = live.groups.entry(key).or_default();
        group.leases.push(Arc::downgrade(&lease));
        drop(live);
        lease
    }

    /// Ends every lease that the revocation covers. Returns how many.
    pub(crate) fn revoke(&self, revocation: &Revocation, reason: EndReason) -> usize {
        let found = match revocation {
            Revocation::Subject {
                issuer, subject, ..
            } => self.of(issuer, subject),
            _ => self.all(),
        };
        let ended = found.iter().filter(|it| it.end_if(revocation, reason));
        ended.count()
    }

    /// The same of one user's alone: where many are taken back at once, nobody has to look at everybody's for each.
    pub(crate) fn revoke_of(
        &self,
        user: &Identity,
        revocation: &Revocation,
        reason: EndReason,
    ) -> usize {
        let found = self.of(&user.issuer, &user.subject);
        let ended = found.iter().filter(|it| it.end_if(revocation, reason));
        ended.count()
    }

    /// Whether any socket lives in this identity's session.
    pub(crate) fn hold_session_of(&self, identity: &Identity) -> bool {
        let found = self.of(&identity.issuer, &identity.subject);
        let session = identity.session.as_ref();
        found.iter().any(|lease| {
            let held = lease.principal();
            let held = held.identity();
            session.is_some()
                && held.is_some_and(|it| {
                    it.issuer == identity.issuer && it.session.as_ref() == session
                })
                && !lease.has_ended()
        })
    }

    /// Ends every lease that these rules do not keep, and holds the others until when they say. Returns how many that ended.
    pub(crate) fn judge(
        &self,
        now: Timestamp,
        keep: impl Fn(&Principal, &Entrance) -> Result<Timestamp, EndReason>,
    ) -> usize {
        let judged = |lease: &&Arc<Lease>| {
            let principal = lease.principal();
            match keep(&principal, &lease.entrance) {
                Ok(until) => lease.hold(&principal, until, now),
                Err(reason) => lease.end(reason),
            }
        };
        self.all().iter().filter(judged).count()
    }

    /// Ends all, as the server goes down.
    pub(crate) fn end_all(&self) -> usize {
        let all = self.all();
        all.iter()
            .filter(|lease| lease.end(EndReason::Restart))
            .count()
    }

    /// Whom live sockets stand for, of those that are wanted: one for each socket.
    pub(crate) fn identities(&self, wanted: impl Fn(&Identity) -> bool) -> Vec<Arc<Identity>> {
        let wanted = |lease: &Arc<Lease>| match lease.principal() {
            Principal::User(identity) if wanted(&identity) && !lease.has_ended() => Some(identity),
            _ => None,
        };
        self.all().iter().filter_map(wanted).collect()
    }

    fn of(&self, issuer: &str, subject: &str) -> Vec<Arc<Lease>> {
        let live = self.live.lock();
        let of_subject = live.groups.get(&self.key(issuer, subject));
        of_subject.into_iter().flat_map(Group::live).collect()
    }

    fn all(&self) -> Vec<Arc<Lease>> {
        let live = self.live.lock();
        live.groups.values().flat_map(Group::live).collect()
    }

    /// How many sockets live.
    #[must_use]
    pub fn count(&self) -> usize {
        self.live.lock().count
    }

    fn key(&self, issuer: &str, subject: &str) -> u64 {
        self.hasher.hash_one((issuer, subject))
    }

    /// Takes a lease that is gone off the list. Many may stand under one key (all anonymous ones do), so a list is swept
    /// when half of it is gone: each lease costs a constant part of a sweep.
    pub(super) fn forget(&self, key: u64) {
        let mut live = self.live.lock();
        live.count = live.count.saturating_sub(1);
        let Some(group) = live.groups.get_mut(&key) else {
            return;
        };
        group.gone += 1;
        if group.gone * 2 >= group.leases.len() {
            group.leases.retain(|lease| lease.strong_count() > 0);
            group.gone = 0;
            if group.leases.is_empty() {
                live.groups.remove(&key);
            } else {
                let room = group.leases.len() * 2;
                group.leases.shrink_to(room);
            }
        }
    }
}

impl Group {
    fn live(&self) -> impl Iterator<Item = Arc<Lease>> {
        self.leases.iter().filter_map(Weak::upgrade)
    }
}

#[cfg(not(feature = "loom"))]
#[cfg(test)]
mod tests;
