//! What of sessions is kept, and what gives way.

use super::*;
use crate::principal::tests::identity;

const NOW: Timestamp = Timestamp::from_secs(1000);
const ROOM: Room = Room {
    of_subject: PER_SUBJECT,
    of_all: 1000,
};

fn unused(_: &Identity) -> bool {
    false
}

impl Sessions {
    /// As many as there may be, and none with a socket.
    fn open_for(
        &self,
        who: Identity,
        at: Option<AtProvider>,
        now: Timestamp,
    ) -> (Secret, SessionId) {
        let opened = self.open(who, at, ROOM, now, unused).unwrap();
        (opened.secret, opened.id)
    }
}

fn at_provider(session: &str) -> Option<AtProvider> {
    Some(AtProvider {
        session: Some(session.into()),
        id_token: "".into(),
        idle: Duration::from_secs(60),
    })
}

#[test]
fn a_session_that_nothing_uses_ends_and_one_with_an_open_socket_does_not() {
    let sessions = Sessions::default();
    let open = || {
        sessions
            .open_for(identity("alice"), at_provider("s"), NOW)
            .0
    };
    let (used, socket) = (open(), open());
    let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
    assert!(sessions.find(&used, at(59), unused).is_some());
    assert!(
        sessions.find(&used, at(118), unused).is_some(),
        "it was used"
    );
    assert!(sessions.find(&used, at(178), unused).is_none());
    assert!(sessions.find(&socket, at(60), unused).is_none());
    assert!(sessions.find(&socket, at(60), |_| true).is_some());
    assert!(
        sessions.find(&socket, at(119), unused).is_some(),
        "the socket used it"
    );
}

#[test]
fn a_provider_ends_what_was_opened_by_its_session_and_nothing_else() {
    let sessions = Sessions::default();
    let open = |name: &str, session| {
        sessions
            .open_for(identity(name), at_provider(session), NOW)
            .0
    };
    let ended = [open("alice", "one"), open("alice", "one")];
    let (other, bobs) = (open("alice", "two"), open("bob", "three"));
    assert!(
        sessions
            .end_at_provider("https://other.example", "one")
            .is_empty()
    );
    assert_eq!(
        sessions.end_at_provider("https://id.example", "one").len(),
        2
    );
    for secret in &ended {
        assert!(sessions.find(secret, NOW, unused).is_none());
    }
    assert!(sessions.find(&other, NOW, unused).is_some());
    assert_eq!(sessions.end_of("https://id.example", "alice").len(), 1);
    assert!(sessions.find(&other, NOW, unused).is_none());
    assert!(sessions.find(&bobs, NOW, unused).is_some());
}

#[test]
fn every_sign_in_makes_a_new_session() {
    let sessions = Sessions::default();
    let (first, first_id) = sessions.open_for(identity("alice"), None, NOW);
    let (second, second_id) = sessions.open_for(identity("alice"), None, NOW);
    assert!(first != second && first_id != second_id);
    assert_eq!(
        sessions.find(&first, NOW, unused).unwrap().session,
        Some(first_id)
    );
}

#[test]
fn a_session_ends_with_its_identity_or_when_told() {
    let sessions = Sessions::default();
    let (secret, _) = sessions.open_for(identity("alice"), None, NOW);
    assert!(
        sessions
            .find(&secret, Timestamp::from_millis(1_999_999), unused)
            .is_some()
    );
    assert!(
        sessions
            .find(&secret, Timestamp::from_secs(2000), unused)
            .is_none()
    );
    assert!(sessions.end(&secret).is_some());
    assert!(sessions.find(&secret, NOW, unused).is_none() && sessions.end(&secret).is_none());
}

#[test]
fn signing_in_again_and_again_ends_ones_own_oldest_session() {
    let sessions = Sessions::default();
    let open = |name: &str| sessions.open_for(identity(name), None, NOW).0;
    let (bobs, first, second) = (open("bob"), open("alice"), open("alice"));
    for _ in 2..PER_SUBJECT {
        open("alice");
    }
    assert!(sessions.find(&first, NOW, unused).is_some());
    sessions.end(&second);
    open("alice");
    assert!(
        sessions.find(&first, NOW, unused).is_some(),
        "one had made room"
    );
    open("alice");
    assert!(sessions.find(&first, NOW, unused).is_none());
    assert!(sessions.find(&bobs, NOW, unused).is_some());
    assert_eq!(sessions.state.lock().open.len(), PER_SUBJECT + 1);
}

#[test]
fn as_many_as_may_be_are_open_and_those_that_are_over_go_first() {
    let sessions = Sessions::default();
    let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
    let open = |seconds: u64, in_use: &dyn Fn(&Identity) -> bool| {
        let room = Room {
            of_subject: 2,
            ..ROOM
        };
        let opened = sessions.open(
            identity("alice"),
            at_provider("s"),
            room,
            at(seconds),
            in_use,
        );
        let Opened {
            secret,
            id,
            surplus,
            gave_way,
        } = opened.unwrap();
        assert!(gave_way.is_none());
        let ended: Vec<_> = surplus
            .iter()
            .map(|it| it.session.clone().unwrap())
            .collect();
        (secret, id, ended)
    };
    let (first, one, _) = open(0, &unused);
    let (_, two, ended) = open(10, &unused);
    assert!(ended.is_empty());
    let (_, three, ended) = open(20, &unused);
    assert_eq!(ended, [one]);
    assert!(sessions.find(&first, at(20), unused).is_none());
    // The second would be next, but for its socket; the third was unused for too long.
    let (_, _, ended) = open(80, &|it| it.session.as_ref() == Some(&two));
    assert!(ended.is_empty(), "{three:?}");
    let (_, _, ended) = open(80, &|it| it.session.as_ref() == Some(&two));
    assert_eq!(ended, [two]);
}

#[test]
fn a_session_that_is_over_but_has_a_socket_is_found_by_a_sign_out() {
    let sessions = Sessions::default();
    let (_, id) = sessions.open_for(identity("alice"), at_provider("s"), NOW);
    let later = Timestamp::from_secs(3000);
    let bob = || Identity {
        expires_at: Timestamp::from_secs(9000),
        ..identity("bob")
    };
    let in_use = |it: &Identity| it.session.as_ref() == Some(&id);
    sessions.open(bob(), None, ROOM, later, in_use).unwrap();
    let ended = sessions.end_at_provider("https://id.example", "s");
    assert_eq!(ended.first().and_then(|it| it.session.clone()), Some(id));
}

#[test]
fn ended_sessions_are_not_kept() {
    let sessions = Sessions::default();
    sessions.open_for(identity("alice"), None, NOW);
    let later = Timestamp::from_secs(2100);
    let bob = Identity {
        expires_at: later,
        ..identity("bob")
    };
    sessions.open_for(bob, None, later);
    assert_eq!(sessions.state.lock().open.len(), 1);
}

/// Room for so many sessions of everybody together.
fn of_all(of_all: usize) -> Room {
    Room { of_all, ..ROOM }
}

#[test]
fn where_there_are_too_many_of_all_ones_own_oldest_ends_and_nobody_elses() {
    let sessions = Sessions::default();
    let open = |name: &str| sessions.open(identity(name), None, of_all(3), NOW, unused);
    let bobs = open("bob").unwrap();
    let (first, second) = (open("alice").unwrap(), open("alice").unwrap());
    let third = open("alice").unwrap();
    assert!(third.gave_way.is_none());
    let ended = third.surplus.iter().map(|it| it.session.clone());
    assert_eq!(ended.collect::<Vec<_>>(), [Some(first.id)]);
    for kept in [&bobs, &second, &third] {
        assert!(sessions.find(&kept.secret, NOW, unused).is_some());
    }
    // Whoever has none is refused, and nobody loses one to them.
    let refusal = open("carol").err().unwrap();
    assert_eq!(refusal.reason, Reason::TooManySessions);
    assert!(refusal.retry_after.is_some());
    assert_eq!(sessions.count(), 3);
    // What is signed out of makes room.
    sessions.end(&second.secret);
    assert!(open("carol").unwrap().gave_way.is_none());
}

#[test]
fn who_has_most_gives_way_to_who_has_none_down_to_a_few() {
    let sessions = Sessions::default();
    let room = of_all(2 * KEPT + 3);
    let open = |name: &str| sessions.open(identity(name), None, room, NOW, unused);
    let bobs: Vec<_> = (0..=KEPT).map(|_| open("bob").unwrap()).collect();
    let alices: Vec<_> = (0..KEPT + 2).map(|_| open("alice").unwrap()).collect();
    for (name, whose) in [("carol", &alices[0]), ("dave", &alices[1])] {
        // By then bob and alice have as many; either may be next.
        let gave_way = open(name).unwrap().gave_way.unwrap();
        let expected = [Some(whose.id.clone()), Some(bobs[0].id.clone())];
        assert!(expected.contains(&gave_way.session), "{name}: {gave_way:?}");
    }
    assert!(open("erin").unwrap().gave_way.is_some());
    assert_eq!(open("frank").err().unwrap().reason, Reason::TooManySessions);
    let left = |name| sessions.end_of("https://id.example", name).len();
    assert_eq!(
        ["alice", "bob", "carol", "dave", "erin"].map(left),
        [KEPT, KEPT, 1, 1, 1]
    );
}

#[test]
fn where_there_are_too_many_of_all_those_that_are_over_go_before_anybody_is_asked_to() {
    let sessions = Sessions::default();
    let room = of_all(2);
    let idle = sessions.open(identity("alice"), at_provider("s"), room, NOW, unused);
    let idle = idle.unwrap();
    let later = Timestamp::from_secs(1030);
    sessions
        .open(identity("bob"), at_provider("t"), room, later, unused)
        .unwrap();
    let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
    let carol = |now, in_use: &dyn Fn(&Identity) -> bool| {
        sessions.open(identity("carol"), None, room, now, in_use)
    };
    // Unused for too long, but for an open socket; then not even that.
    let socket = |it: &Identity| it.session == Some(idle.id.clone());
    assert!(carol(at(60), &socket).is_err());
    assert!(carol(at(62), &socket).is_err());
    assert!(
        carol(at(62), &unused).is_err(),
        "it was looked for just now"
    );
    let opened = carol(at(63), &unused).unwrap();
    assert!(opened.surplus.is_empty() && opened.gave_way.is_none());
    assert_eq!(sessions.count(), 2);
}
