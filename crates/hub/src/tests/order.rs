//! Everybody sees one order, without a gap and without a repetition, whoever comes and goes meanwhile.

use proptest::prelude::*;

use super::*;

#[test]
fn every_follower_sees_the_same_order() {
    let mut hub = hub(0);
    let mut followers: Vec<Socket> = (0..3)
        .map(|_| hub.socket(user("alice", IN_LOBBY)))
        .collect();
    for follower in &mut followers {
        follower.subscribe(&name("chat/lobby"), None).unwrap();
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let publisher = hub.socket(user("bob", IN_LOBBY));
            scope.spawn(move || {
                for n in 0..200 {
                    publisher
                        .publish(&name("chat/lobby"), &raw(&n.to_string()))
                        .unwrap();
                }
            });
        }
    });
    let first = received(&mut followers[0]);
    assert_eq!(first.len(), 800);
    assert!(
        followers[1..]
            .iter_mut()
            .all(|follower| received(follower) == first)
    );
}

/// Followers come and go with their last position while others publish: each hears every publication once, in order.
#[test]
fn coming_back_while_others_publish_misses_nothing_and_gets_nothing_twice() {
    const EACH: u64 = 500;
    let mut hub = hub(10_000);
    let lobby = name("chat/lobby");
    let mut anchor = hub.socket(user("carol", IN_LOBBY));
    let start = anchor.subscribe(&lobby, None).unwrap().position;
    let hear = |mut follower: Socket| {
        let (mut last, mut heard) = (start, Vec::new());
        while heard.len() < 2 * EACH as usize {
            let back = follower.subscribe(&lobby, Some(last)).unwrap();
            assert!(back.recovered);
            let missed = back
                .publications
                .iter()
                .map(|placed| serde_json::to_value(placed).unwrap());
            let live = received(&mut follower)
                .into_iter()
                .map(|mut message| message["params"].take());
            for publication in missed.chain(live) {
                last = Position::parse(publication["position"].as_str().unwrap()).unwrap();
                heard.push(publication["data"].as_u64().unwrap());
            }
            follower.unsubscribe(&lobby).unwrap();
        }
        heard
    };
    let heard: Vec<Vec<u64>> = std::thread::scope(|scope| {
        for publisher in 0..2 {
            let member = hub.socket(user("bob", IN_LOBBY));
            let lobby = &lobby;
            scope.spawn(move || {
                for n in 0..EACH {
                    member
                        .publish(lobby, &raw(&(publisher * EACH + n).to_string()))
                        .unwrap();
                }
            });
        }
        let followers = [(); 2].map(|()| hub.socket(user("alice", IN_LOBBY)));
        let followers = followers.map(|follower| scope.spawn(|| hear(follower)));
        followers
            .into_iter()
            .map(|follower| follower.join().unwrap())
            .collect()
    });
    assert_eq!(heard[0], heard[1]);
    for publisher in 0..2 {
        let own = publisher * EACH..(publisher + 1) * EACH;
        assert!(
            heard[0]
                .iter()
                .copied()
                .filter(|n| own.contains(n))
                .eq(own.clone())
        );
    }
    drop(anchor);
}

/// Channels begin and end all the time: nobody is left waiting, and nothing of them stays.
#[test]
fn channels_that_begin_and_end_at_once_stay_whole() {
    let mut hub = hub(0);
    let lobby = name("chat/lobby");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut member = hub.socket(user("alice", IN_LOBBY));
            let lobby = &lobby;
            scope.spawn(move || {
                for _ in 0..500 {
                    member.subscribe(lobby, None).unwrap();
                    let own = member.publish(lobby, &raw("1")).unwrap().to_string();
                    let heard = received(&mut member);
                    assert!(
                        heard
                            .iter()
                            .any(|message| message["params"]["position"] == own)
                    );
                    member.unsubscribe(lobby).unwrap();
                }
            });
        }
    });
    assert_eq!(hub.hub.count(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Publish,
    Leave,
    Return,
}

proptest! {
    #[test]
    fn whoever_returns_with_a_position_misses_nothing_and_gets_nothing_twice(
        steps in prop::collection::vec(
            prop_oneof![Just(Step::Publish), Just(Step::Leave), Just(Step::Return)], 0..60,
        ),
    ) {
        let mut hub = hub(100);
        let lobby = name("chat/lobby");
        let publisher = hub.socket(user("bob", IN_LOBBY));
        let mut follower = hub.socket(user("alice", IN_LOBBY));
        let mut last = follower.subscribe(&lobby, None).unwrap().position;
        let (mut heard, mut sent) = (Vec::new(), 0_u64);
        // Nobody was ever here and nothing is kept: then the channel is forgotten, and who returns is told so.
        publisher.publish(&lobby, &raw("0")).unwrap();
        let mut here = true;
        for step in steps.into_iter().chain([Step::Return]) {
            match step {
                Step::Publish => {
                    sent += 1;
                    publisher.publish(&lobby, &raw(&sent.to_string())).unwrap();
                }
                Step::Leave if here => {
                    follower.unsubscribe(&lobby).unwrap();
                    here = false;
                }
                Step::Return if !here => {
                    let back = follower.subscribe(&lobby, Some(last)).unwrap();
                    prop_assert!(back.recovered);
                    for publication in &back.publications {
                        let publication = serde_json::to_value(publication).unwrap();
                        heard.push(publication["data"].as_u64().unwrap());
                    }
                    last = back.position;
                    here = true;
                }
                _ => {}
            }
            for message in received(&mut follower) {
                heard.push(message["params"]["data"].as_u64().unwrap());
                last = Position::parse(message["params"]["position"].as_str().unwrap()).unwrap();
            }
        }
        prop_assert_eq!(heard, (0..=sent).collect::<Vec<_>>());
    }
}
