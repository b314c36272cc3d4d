//! What is taken back, for how long, and at whose cost when it is too much.

use super::*;
use crate::principal::tests::identity;

const NOW: Timestamp = Timestamp::from_secs(1500);

fn covered(revocation: Revocation, identity: &Identity) -> bool {
    let set = Revocations::default();
    assert!(!set.cover(identity, NOW));
    set.insert(&revocation, Timestamp::NEVER, NOW);
    assert_eq!(
        set.cover(identity, NOW),
        revocation.covers(identity),
        "both ways agree"
    );
    set.cover(identity, NOW)
}

#[test]
fn each_kind_covers_its_own_and_nothing_of_another_issuer() {
    let issuer: Box<str> = "https://id.example".into();
    let mut alice = identity("alice");
    alice.token_id = Some("t1".into());
    alice.session = Some(SessionId::new("s1"));
    let kinds = |issuer: &str| {
        let issuer: Box<str> = issuer.into();
        [
            Revocation::Token {
                issuer: issuer.clone(),
                id: "t1".into(),
            },
            Revocation::Session {
                issuer: issuer.clone(),
                id: "s1".into(),
            },
            Revocation::Subject {
                issuer: issuer.clone(),
                subject: "alice".into(),
                issued_before: NOW,
            },
            Revocation::Issuer {
                issuer,
                issued_before: NOW,
            },
        ]
    };
    assert!(kinds(&issuer).into_iter().all(|it| covered(it, &alice)));
    assert!(
        !kinds("https://id.example.evil")
            .into_iter()
            .any(|it| covered(it, &alice))
    );
}

#[test]
fn what_was_issued_later_counts_and_what_does_not_say_does_not() {
    let revocation = Revocation::Subject {
        issuer: "https://id.example".into(),
        subject: "alice".into(),
        issued_before: NOW,
    };
    let later = Identity {
        issued_at: Some(Timestamp::from_secs(1501)),
        ..identity("alice")
    };
    let silent = Identity {
        issued_at: None,
        ..identity("alice")
    };
    assert!(!covered(revocation.clone(), &later));
    assert!(covered(revocation, &silent));
}

#[test]
fn a_token_is_taken_back_until_then_and_no_longer() {
    let set = Revocations::default();
    let token = Revocation::Token {
        issuer: "https://id.example".into(),
        id: "t1".into(),
    };
    let alice = Identity {
        token_id: Some("t1".into()),
        ..identity("alice")
    };
    let end = Timestamp::from_secs(1530);
    set.insert(&token, end, NOW);
    assert!(set.cover(&alice, NOW) && set.cover(&alice, Timestamp::from_secs(1529)));
    assert!(!set.cover(&alice, end));
    set.insert(&token, Timestamp::NEVER, NOW);
    set.insert(&token, end, NOW);
    assert!(set.cover(&alice, end), "the longer counts");
}

#[test]
fn a_full_set_takes_back_more_and_never_less() {
    let set = Revocations::default();
    let one = |n: usize| Revocation::Token {
        issuer: "https://id.example".into(),
        id: n.to_string().into(),
    };
    for n in 0..=ENTRIES {
        set.insert(&one(n), Timestamp::NEVER, NOW);
    }
    let first = Identity {
        token_id: Some("0".into()),
        ..identity("alice")
    };
    assert!(set.cover(&first, NOW) && set.cover(&identity("bob"), NOW));
    assert_eq!(set.set.read().tokens.len(), 1);
}

#[test]
fn a_full_set_takes_back_more_for_no_longer_than_it_had_to_be_remembered() {
    let set = Revocations::default();
    let silent = Identity {
        issued_at: None,
        ..identity("bob")
    };
    let end = |n| NOW.after(Duration::from_secs(n));
    for n in 0..=ENTRIES {
        let token = Revocation::Token {
            issuer: "https://id.example".into(),
            id: n.to_string().into(),
        };
        let until = end(if n == 7 { 30 } else { 20 });
        set.insert(&token, until, NOW);
    }
    assert!(set.cover(&silent, end(29)));
    assert!(!set.cover(&silent, end(30)));
}

#[test]
fn an_issuer_that_takes_back_without_end_costs_its_own_users_only() {
    let set = Revocations::default();
    let out = |issuer: &str, subject: &str| {
        let revocation = Revocation::Subject {
            issuer: issuer.into(),
            subject: subject.into(),
            issued_before: NOW,
        };
        set.insert(&revocation, Timestamp::NEVER, NOW);
    };
    (0..ENTRIES).for_each(|n| out("https://crowd.example", &n.to_string()));
    out("https://id.example", "alice");
    assert!(set.cover(&identity("alice"), NOW) && !set.cover(&identity("bob"), NOW));
    let theirs = Identity {
        issuer: "https://crowd.example".into(),
        ..identity("carol")
    };
    assert!(set.cover(&theirs, NOW));
}

#[test]
fn sessions_that_are_over_need_not_be_remembered() {
    let set = Revocations::default();
    let end = |n: usize, now| {
        let session = Revocation::Session {
            issuer: "https://id.example".into(),
            id: n.to_string().into(),
        };
        set.insert(&session, NOW.after(SWEEP), now);
    };
    (0..ENTRIES / 2).for_each(|n| end(n, NOW));
    let first = Identity {
        session: Some(SessionId::new("0")),
        ..identity("alice")
    };
    assert!(set.cover(&first, NOW));
    end(ENTRIES, NOW.after(SWEEP));
    assert_eq!(set.set.read().sessions.len(), 1);
    assert!(!set.cover(&identity("bob"), NOW), "nobody else is hit");
}

const ISSUER: &str = "https://id.example";

impl Revocations {
    /// Somebody signs out of a session that was opened then, for as long as that is remembered.
    fn sign_out(&self, subject: &str, session: &str, issued_at: Timestamp, until: Timestamp) {
        let holder = Holder {
            subject,
            issued_at: Some(issued_at),
        };
        self.insert_of(&holder, &of_session(session), until, NOW);
    }

    fn sign_out_of_so_many(&self, subject: &str, count: usize) {
        for n in 0..count {
            self.sign_out(subject, &format!("{subject}-{n}"), NOW, Timestamp::NEVER);
        }
    }
}

fn of_session(id: &str) -> Revocation {
    Revocation::Session {
        issuer: ISSUER.into(),
        id: id.into(),
    }
}

fn in_session(subject: &str, session: &str) -> Identity {
    Identity {
        session: Some(SessionId::new(session)),
        ..identity(subject)
    }
}

fn issued_at(issued_at: Timestamp, identity: Identity) -> Identity {
    Identity {
        issued_at: Some(issued_at),
        ..identity
    }
}

#[test]
fn one_user_who_signs_out_without_end_costs_nobody_else_anything() {
    let set = Revocations::default();
    set.sign_out_of_so_many("bob", 1);
    set.sign_out_of_so_many("alice", ENTRIES + 1);
    assert!(set.cover(&in_session("bob", "bob-0"), NOW));
    assert!(!set.cover(&identity("bob"), NOW));
    assert!(set.cover(&in_session("alice", "alice-0"), NOW));
    assert!(set.cover(&identity("alice"), NOW));
    let later = issued_at(Timestamp::from_secs(1501), identity("alice"));
    assert!(!set.cover(&later, NOW));
    let theirs = Identity {
        issuer: "https://other.example".into(),
        ..identity("alice")
    };
    assert!(!set.cover(&theirs, NOW));
}

#[test]
fn of_a_crowd_that_signs_out_no_user_is_singled_out() {
    let crowded = |most: usize| {
        let set = Revocations::default();
        set.sign_out_of_so_many("alice", most);
        for n in most..=ENTRIES {
            let user = (n / (MANY - 1)).to_string();
            set.sign_out(&user, &n.to_string(), NOW, Timestamp::NEVER);
        }
        assert!(set.cover(&identity("alice"), NOW));
        set
    };
    assert!(!crowded(MANY).cover(&identity("bob"), NOW));
    assert!(crowded(MANY - 1).cover(&identity("bob"), NOW));
}

#[test]
fn what_a_user_signed_out_of_is_taken_back_as_long_as_it_had_to_be_and_whenever_it_was_issued() {
    let set = Revocations::default();
    let (ahead, end) = (NOW.after(Duration::from_secs(60)), NOW.after(SWEEP));
    set.sign_out("alice", "ahead", ahead, end.after(SWEEP));
    // An operator takes one back as well, and not only what was issued so far.
    set.sign_out("alice", "twice", NOW, end);
    set.insert(&of_session("twice"), Timestamp::NEVER, NOW);
    for n in 0..ENTRIES {
        set.sign_out("alice", &n.to_string(), NOW, end);
    }
    let by_clock_ahead = issued_at(ahead, in_session("alice", "ahead"));
    assert!(set.cover(&by_clock_ahead, end));
    assert!(!set.cover(&by_clock_ahead, end.after(SWEEP)));
    assert!(!set.cover(&identity("alice"), end.after(SWEEP)));
    let later = issued_at(Timestamp::from_secs(9000), in_session("alice", "twice"));
    assert!(set.cover(&later, end.after(SWEEP)));
}
