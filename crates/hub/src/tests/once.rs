//! What has an id is published once.

use super::*;

fn publish(socket: &Socket, id: &str, data: &str) -> Result<Published, HubError> {
    let id = PublicationId::parse(id);
    let published = socket
        .member
        .publish(&name("chat/lobby"), &raw(data), id, None);
    published.now().unwrap()
}

#[test]
fn a_repetition_is_not_published_whatever_it_says() {
    for size in [0, 5] {
        let mut hub = hub(size);
        let mut alice = hub.socket(user("alice", IN_LOBBY));
        alice.subscribe(&name("chat/lobby"), None).unwrap();
        let mut bob = hub.socket(user("bob", IN_LOBBY));
        let first = publish(&bob, "a", "1").unwrap();
        assert!(!first.duplicate);
        let again = publish(&bob, "a", "2").unwrap();
        assert!(again.duplicate && again.position == first.position);
        bob.renew(user("bob", r#"{"rooms":["lobby"],"fresh":true}"#));
        assert!(
            publish(&bob, "a", "1").unwrap().duplicate,
            "by a fresh proof"
        );
        assert!(!publish(&bob, "b", "3").unwrap().duplicate);
        assert!(!publish(&alice, "a", "4").unwrap().duplicate, "her own");
        let heard = received(&mut alice);
        let said: Vec<_> = heard
            .iter()
            .map(|it| (&it["params"]["data"], &it["params"]["id"]))
            .collect();
        let (a, b) = (serde_json::json!("a"), serde_json::json!("b"));
        assert_eq!(said, [(&1.into(), &a), (&3.into(), &b), (&4.into(), &a)]);
    }
}

#[test]
fn a_channel_that_nobody_follows_and_that_keeps_nothing_still_publishes_once() {
    let mut hub = hub(0);
    let bob = hub.socket(user("bob", IN_LOBBY));
    let first = publish(&bob, "a", "1").unwrap();
    assert_eq!(hub.hub.count(), 0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    let again = publish(&bob, "a", "1").unwrap();
    assert!(again.duplicate && again.position == first.position);
    assert!(received(&mut alice).is_empty());
}

#[test]
fn of_an_id_at_the_same_instant_on_two_loops_one_is_published() {
    let mut hub = hub(1000);
    let mut reader = hub.socket(user("carol", IN_LOBBY));
    reader.subscribe(&name("chat/lobby"), None).unwrap();
    let bobs = [(); 2].map(|()| hub.socket(user("bob", IN_LOBBY)));
    for n in 0..200 {
        let [one, other] = std::thread::scope(|scope| {
            let id = n.to_string();
            let threads = bobs.each_ref().map(|bob| {
                let id = id.clone();
                scope.spawn(move || publish(bob, &id, "1").unwrap())
            });
            threads.map(|thread| thread.join().unwrap())
        });
        assert!(one.duplicate != other.duplicate);
        assert_eq!(one.position, other.position);
    }
    assert_eq!(received(&mut reader).len(), 200);
}

#[test]
fn a_publication_that_is_refused_uses_up_no_id() {
    let mut hub = hub(0);
    let mut alice = hub.socket(user("alice", IN_LOBBY));
    let mut bob = hub.socket(user("bob", IN_LOBBY));
    alice.pace = Pace::Quick;
    alice.subscribe(&name("chat/lobby"), None).unwrap();
    let large = format!("\"{}\"", "x".repeat(50_000));
    let refused = (0..100).find(|n| publish(&bob, &n.to_string(), &large) == Err(HubError::Busy));
    let refused = refused.unwrap().to_string();
    alice.collect();
    assert!(!publish(&bob, &refused, &large).unwrap().duplicate);
    bob.renew(user("bob", "{}"));
    assert_eq!(publish(&bob, "new", "1"), Err(HubError::Forbidden));
    bob.renew(user("bob", IN_LOBBY));
    assert!(!publish(&bob, "new", "1").unwrap().duplicate);
}

#[test]
fn beyond_what_is_remembered_an_id_is_refused_and_never_forgotten() {
    let mut hub = hub(0);
    let (bob, alice) = (
        hub.socket(user("bob", IN_LOBBY)),
        hub.socket(user("alice", IN_LOBBY)),
    );
    let mut ids = (0..100_000).map(|n| n.to_string());
    let refused = ids.find(|id| publish(&bob, id, "1").is_err()).unwrap();
    assert_eq!(publish(&bob, &refused, "1"), Err(HubError::Busy));
    assert!(publish(&bob, "0", "1").unwrap().duplicate, "his first");
    bob.publish(&name("chat/lobby"), &raw("1")).unwrap();
    assert!(!publish(&alice, &refused, "1").unwrap().duplicate);
    hub.hub.sweep(Instant::now() + engine::Once::WINDOW);
    assert!(!publish(&bob, &refused, "1").unwrap().duplicate);
}

#[test]
fn who_has_lost_the_right_learns_nothing_by_repeating_and_who_has_it_again_what_was() {
    let mut hub = hub(0);
    let mut bob = hub.socket(user("bob", IN_LOBBY));
    let first = publish(&bob, "a", "1").unwrap();
    bob.renew(user("bob", "{}"));
    assert_eq!(publish(&bob, "a", "1"), Err(HubError::Forbidden));
    bob.renew(user("bob", IN_LOBBY));
    let mut closed = rules(0);
    let mut lobby = closed.channels.rule(&name("chat/lobby")).unwrap().clone();
    lobby.publish = Right::Nobody;
    closed.channels = ChannelRules::new(vec![lobby]).unwrap();
    hub.hub.reload(closed);
    bob.member
        .rejudge(&mut bob.fanout, &mut bob.outbox, |_, _| true);
    assert_eq!(publish(&bob, "a", "1"), Err(HubError::Forbidden));
    hub.hub.reload(rules(0));
    bob.member
        .rejudge(&mut bob.fanout, &mut bob.outbox, |_, _| true);
    let again = publish(&bob, "a", "2").unwrap();
    assert!(again.duplicate && again.position == first.position);
}

#[test]
fn a_repetition_after_its_channel_has_gone_brings_no_channel_to_life() {
    let mut hub = hub(5);
    let bob = hub.socket(user("bob", IN_LOBBY));
    let first = publish(&bob, "a", "1").unwrap();
    hub.hub.sweep(Instant::now() + Duration::from_secs(61));
    assert_eq!(hub.hub.count(), 0);
    let again = publish(&bob, "a", "1").unwrap();
    assert!(again.duplicate && again.position == first.position);
    assert_eq!(hub.hub.count(), 0);
}
