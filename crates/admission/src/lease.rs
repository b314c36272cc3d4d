//! What a live socket holds for as long as its proof is good, and the index by which a revocation finds it.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak, atomic::Ordering},
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
    fn forget(&self, key: u64) {
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

#[cfg(test)]
pub(crate) fn entrance() -> Entrance {
    Entrance {
        route: Arc::new(crate::route::tests::route("/live")),
        origin: None,
        certificate: None,
    }
}

#[cfg(not(feature = "loom"))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{principal::tests::identity, revocation::Revocations};

    const NOW: Timestamp = Timestamp::from_secs(1500);
    const END: Timestamp = Timestamp::from_secs(2000);

    fn user(subject: &str) -> Principal {
        Principal::User(Arc::new(identity(subject)))
    }

    fn of(subject: &str) -> Revocation {
        Revocation::Subject {
            issuer: "https://id.example".into(),
            subject: subject.into(),
            issued_before: NOW,
        }
    }

    #[test]
    fn a_lease_ends_with_its_token() {
        let lease = Leases::new().begin(user("alice"), END, entrance());
        assert_eq!(
            lease.status(NOW),
            LeaseStatus::Valid {
                until: Timestamp::from_secs(2000)
            }
        );
        assert_eq!(
            lease.status(Timestamp::from_secs(2000)),
            LeaseStatus::Expired
        );
    }

    #[test]
    fn a_revocation_ends_every_lease_it_covers_and_no_other() {
        let leases = Leases::new();
        let alices = [
            leases.begin(user("alice"), END, entrance()),
            leases.begin(user("alice"), END, entrance()),
        ];
        let bob = leases.begin(user("bob"), END, entrance());
        let nobody = leases.begin(Principal::Anonymous, Timestamp::NEVER, entrance());
        assert_eq!(leases.revoke(&of("alice"), EndReason::Revoked), 2);
        assert_eq!(leases.revoke(&of("alice"), EndReason::Revoked), 0, "once");
        assert!(
            alices
                .iter()
                .all(|it| it.status(NOW) == LeaseStatus::Ended(EndReason::Revoked))
        );
        assert!(matches!(bob.status(NOW), LeaseStatus::Valid { .. }));
        assert!(matches!(nobody.status(NOW), LeaseStatus::Valid { .. }));
    }

    #[test]
    fn what_is_taken_back_of_one_user_is_looked_for_at_that_users_sockets_alone() {
        let leases = Leases::new();
        let holder = |subject: &str| Identity {
            token_id: Some("t1".into()),
            ..identity(subject)
        };
        let begin =
            |identity: Identity| leases.begin(Principal::User(Arc::new(identity)), END, entrance());
        let ended = [begin(holder("alice")), begin(holder("alice"))];
        let kept = [begin(identity("alice")), begin(holder("bob"))];
        let token = Revocation::Token {
            issuer: "https://id.example".into(),
            id: "t1".into(),
        };
        let revoke = || leases.revoke_of(&holder("alice"), &token, EndReason::Revoked);
        assert_eq!((revoke(), revoke()), (2, 0));
        let is_valid = |it: &Arc<Lease>| matches!(it.status(NOW), LeaseStatus::Valid { .. });
        assert!(!ended.iter().any(is_valid) && kept.iter().all(is_valid));
        assert_eq!(leases.revoke(&token, EndReason::Revoked), 1, "everybody's");
    }

    #[test]
    fn a_lease_that_is_gone_is_forgotten() {
        let leases = Leases::new();
        let lease = leases.begin(user("alice"), END, entrance());
        let other = leases.begin(Principal::Anonymous, Timestamp::NEVER, entrance());
        assert_eq!(leases.count(), 2);
        drop((lease, other));
        assert!(leases.live.lock().groups.is_empty());
    }

    #[test]
    fn of_many_under_one_key_only_the_live_are_counted_and_few_others_kept() {
        let leases = Leases::new();
        let mut held: Vec<_> = (0..100)
            .map(|_| leases.begin(Principal::Anonymous, Timestamp::NEVER, entrance()))
            .collect();
        held.truncate(10);
        assert_eq!(leases.count(), 10);
        assert!(leases.live.lock().groups[&0].leases.len() <= 20);
        assert_eq!(leases.end_all(), 10);
        drop(held);
        assert_eq!(leases.count(), 0);
        assert!(leases.live.lock().groups.is_empty());
    }

    #[test]
    fn a_revocation_beside_an_upgrade_is_seen_by_one_of_the_two() {
        for _ in 0..300 {
            let leases = Leases::new();
            let revocations = Revocations::default();
            let escaped = std::thread::scope(|scope| {
                let upgrade = scope.spawn(|| {
                    let lease = leases.begin(user("alice"), END, entrance());
                    let refused = revocations.cover(&identity("alice"), NOW);
                    (lease, refused)
                });
                revocations.insert(&of("alice"), Timestamp::NEVER, NOW);
                leases.revoke(&of("alice"), EndReason::Revoked);
                let (lease, refused) = upgrade.join().unwrap();
                !refused && matches!(lease.status(NOW), LeaseStatus::Valid { .. })
            });
            assert!(!escaped);
        }
    }
}

#[cfg(feature = "loom")]
#[cfg(test)]
mod interleavings {
    use std::{future::poll_fn, task::Poll};

    use loom::{future::block_on, thread};

    use super::*;
    use crate::{principal::tests::identity, revocation::Revocations, sync::Exchanged};

    const NOW: Timestamp = Timestamp::from_secs(1500);
    const END: Timestamp = Timestamp::from_secs(2000);

    fn alice() -> Principal {
        Principal::User(Arc::new(identity("alice")))
    }

    fn of_alice() -> Revocation {
        Revocation::Subject {
            issuer: "https://id.example".into(),
            subject: "alice".into(),
            issued_before: NOW,
        }
    }

    /// A shard says whom to wake, looks, and rests.
    #[test]
    fn interleavings_a_socket_that_rests_learns_that_its_lease_ended() {
        loom::model(|| {
            let lease = Leases::new().begin(alice(), END, entrance());
            let ending = {
                let lease = lease.clone();
                thread::spawn(move || assert!(lease.end(EndReason::Revoked)))
            };
            block_on(poll_fn(|cx| {
                lease.register(cx.waker());
                match lease.status(NOW) {
                    LeaseStatus::Ended(EndReason::Revoked) => Poll::Ready(()),
                    _ => Poll::Pending,
                }
            }));
            ending.join().unwrap();
        });
    }

    #[test]
    fn interleavings_a_fresh_proof_does_not_undo_an_end() {
        loom::model(|| {
            let lease = Leases::new().begin(alice(), END, entrance());
            let renewing = {
                let lease = lease.clone();
                thread::spawn(move || lease.renew(Arc::new(identity("alice")), END))
            };
            lease.end(EndReason::Revoked);
            renewing.join().unwrap();
            let ended = LeaseStatus::Ended(EndReason::Revoked);
            assert_eq!(lease.status(NOW), ended);
        });
    }

    #[test]
    fn interleavings_a_reload_beside_a_refresh_leaves_the_fresh_proof_its_time() {
        loom::model(|| {
            let leases = Leases::new();
            let lease = leases.begin(alice(), END, entrance());
            let until = Timestamp::from_secs(3000);
            let renewing = {
                let lease = lease.clone();
                let fresh = Arc::new(Identity {
                    expires_at: until,
                    ..identity("alice")
                });
                thread::spawn(move || lease.renew(fresh, until))
            };
            leases.judge(NOW, |principal, _| match principal.identity() {
                Some(fresh) if fresh.expires_at == until => Ok(until),
                _ => Ok(Timestamp::from_secs(1600)),
            });
            renewing.join().unwrap();
            assert_eq!(lease.status(NOW), LeaseStatus::Valid { until });
        });
    }

    #[test]
    fn interleavings_a_reload_beside_an_upgrade_is_seen_by_one_of_the_two() {
        loom::model(|| {
            let leases = Leases::new();
            let rules = Arc::new(Exchanged::new("before"));
            let upgrade = {
                let (leases, rules) = (leases.clone(), rules.clone());
                let judged_by = rules.now();
                thread::spawn(move || {
                    let lease = leases.begin(alice(), END, entrance());
                    let refused = !rules.is(&judged_by);
                    (lease, refused)
                })
            };
            rules.replace("after");
            leases.judge(NOW, |_, _| Err(EndReason::Forbidden));
            let (lease, refused) = upgrade.join().unwrap();
            assert!(refused || !matches!(lease.status(NOW), LeaseStatus::Valid { .. }));
        });
    }

    #[test]
    fn interleavings_a_revocation_beside_an_upgrade_is_seen_by_one_of_the_two() {
        loom::model(|| {
            let leases = Leases::new();
            let revocations = Arc::new(Revocations::default());
            let upgrade = {
                let (leases, revocations) = (leases.clone(), revocations.clone());
                thread::spawn(move || {
                    let lease = leases.begin(alice(), END, entrance());
                    let refused = revocations.cover(&identity("alice"), NOW);
                    (lease, refused)
                })
            };
            revocations.insert(&of_alice(), Timestamp::NEVER, NOW);
            leases.revoke(&of_alice(), EndReason::Revoked);
            let (lease, refused) = upgrade.join().unwrap();
            assert!(refused || !matches!(lease.status(NOW), LeaseStatus::Valid { .. }));
        });
    }
}
