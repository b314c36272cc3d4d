//! Leases that end beside sockets that rest, refreshes, reloads and upgrades.

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
