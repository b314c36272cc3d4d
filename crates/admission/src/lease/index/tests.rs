//! Which leases end, and which are counted.

use super::*;
use crate::{
    lease::{LeaseStatus, entrance},
    principal::tests::identity,
    revocation::Revocations,
};

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
