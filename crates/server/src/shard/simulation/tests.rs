//! Whatever way the same bytes are cut, they come to the same.

use proptest::prelude::*;

use super::*;

const EVERYTHING: usize = 1 << 20;

#[test]
fn what_is_said_comes_back() {
    let mut world = World::new();
    let mut simulation = Simulation::new(&mut world, "/echo");
    simulation.act(Act::Take(EVERYTHING));
    simulation.act(Act::Frame(0x81, b"hello".to_vec()));
    simulation.act(Act::Arrive(EVERYTHING));
    simulation.act(Act::Take(0));
    let hello = Frame {
        first: 0x81,
        payload: b"hello".to_vec(),
    };
    assert_eq!(simulation.frames(), [hello]);
}

/// A peer that says all of it at once hears this.
fn heard_whole(world: &mut World, path: &str, said: &[Vec<u8>]) -> Vec<Frame> {
    let mut simulation = Simulation::new(world, path);
    simulation.act(Act::Take(EVERYTHING));
    simulation.act(Act::Say(said.concat()));
    simulation.act(Act::Arrive(EVERYTHING));
    simulation.act(Act::Take(0));
    simulation.frames().to_vec()
}

fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let text = "[a-z\u{e9}\u{20ac}]{0,40}".prop_map(String::into_bytes);
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let frame = prop_oneof![
        text.clone().prop_map(|text| masked(0x81, &text)),
        bytes.clone().prop_map(|bytes| masked(0x82, &bytes)),
        // Two fragments with a ping between them.
        (text, bytes.clone()).prop_map(|(text, ping)| {
            let (half, rest) = text.split_at(text.len() / 2);
            let ping = &ping[..ping.len().min(125)];
            [masked(0x01, half), masked(0x89, ping), masked(0x80, rest)].concat()
        }),
        bytes.prop_map(|bytes| masked(0x89, &bytes[..bytes.len().min(125)])),
        (5_000usize..70_000).prop_map(|size| masked(0x82, &vec![7; size])),
    ];
    prop::collection::vec(frame, 1..6)
}

/// Without pongs: of several pings that are read at once, the last is answered for all (RFC 6455 §5.5.3).
fn messages(frames: &[Frame]) -> Vec<&Frame> {
    frames.iter().filter(|frame| frame.first != 0x8A).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cutting_of_the_same_bytes_gives_the_same_messages(
        said in frames(),
        records in prop::collection::vec(1usize..3000, 1..20),
        segments in prop::collection::vec(1usize..5000, 1..20),
        room in prop::collection::vec(1usize..9000, 1..20),
    ) {
        let mut world = World::new();
        let whole = heard_whole(&mut world, "/echo", &said);
        let mut simulation = Simulation::new(&mut world, "/echo");
        let (said, mut at) = (said.concat(), 0);
        // Large messages are cut as often as small ones, not as finely.
        let coarse = 1 + said.len() / 2000;
        for size in records.iter().cycle() {
            let end = (at + size * coarse).min(said.len());
            simulation.act(Act::Say(said[at..end].to_vec()));
            at = end;
            if at == said.len() {
                break;
            }
        }
        let cuts = segments.iter().cycle().zip(room.iter().cycle());
        for (segment, room) in cuts {
            if simulation.pipe.0.borrow().coming.is_empty() {
                break;
            }
            simulation.act(Act::Arrive(segment * coarse));
            simulation.act(Act::Take(room * coarse));
        }
        while simulation.frames().len() < whole.len() && simulation.is_open() {
            let before = simulation.pipe.0.borrow().room;
            simulation.act(Act::Take(EVERYTHING));
            if before == EVERYTHING {
                break;
            }
        }
        prop_assert_eq!(messages(simulation.frames()), messages(&whole));
    }

    #[test]
    fn no_script_of_a_peer_is_too_much(script in prop::collection::vec(any::<u8>(), 0..2000)) {
        run(&mut World::new(), &script);
    }
}

/// What the fuzzer found worth keeping, in `fuzz/corpus/shard`.
#[test]
fn the_fuzzers_corpus_is_survived() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/shard");
    let mut world = World::new();
    let mut count = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        run(&mut world, &std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "there is a corpus");
}

#[test]
fn a_follower_hears_what_is_published() {
    let mut world = World::new();
    let mut simulation = Simulation::new(&mut world, "/live");
    simulation.act(Act::Take(EVERYTHING));
    simulation.act(Act::Frame(0x81, call("subscribe", b"")));
    simulation.act(Act::Arrive(EVERYTHING));
    simulation.act(Act::Publish(5));
    simulation.act(Act::Publish(6));
    simulation.act(Act::Take(0));
    let said = |at: usize| String::from_utf8_lossy(&simulation.frames()[at].payload).into_owned();
    assert!(said(0).contains("\"result\""), "{}", said(0));
    assert!(said(1).contains("\"ppppp\"") && said(2).contains("\"pppppp\""));
}
