//! Who does not want its own publications back does not get them, and everybody else does.

use proptest::prelude::*;

use super::*;
use crate::fanout::Origin;

/// Several sockets on one loop.
struct Loop {
    fanout: Fanout,
    readers: Vec<(Member, Outbox)>,
}

impl Loop {
    fn new(server: &mut Server, readers: &[(&str, Option<Encoding>)]) -> Self {
        let mut fanout = server.sides.pop().unwrap();
        let readers = readers.iter().zip(1..).map(|(&(subject, encoding), key)| {
            let principal = user(subject, IN_LOBBY);
            let mut member = server.hub.join(principal, SocketKey(key), encoding);
            let seat = member.subscribe(&fanout, &name("chat/lobby"), None).now();
            member.join(seat.unwrap().unwrap(), &mut fanout).unwrap();
            (member, Outbox::default())
        });
        let readers = readers.collect();
        Self { fanout, readers }
    }

    fn publish(&self, reader: usize, data: &str, echo: bool) {
        let member = &self.readers[reader].0;
        let except: Option<Origin> = (!echo).then(|| member.origin(&self.fanout));
        let published = member.publish(&name("chat/lobby"), &raw(data), None, except);
        published.now().unwrap().unwrap();
    }

    /// A turn. Returns what each reader got, as it is sent.
    fn turn(&mut self) -> Vec<Vec<u8>> {
        let Self { fanout, readers } = self;
        fanout.collect(usize::MAX, usize::MAX, &mut Deflater::default());
        for batch in fanout.batches() {
            for follower in fanout.followers(batch) {
                let outbox = &mut readers[follower.socket.0 as usize - 1].1;
                let before = outbox.bytes();
                outbox.add(batch.part_of(follower), Pace::Quick);
                if batch.is_whole_for(follower) {
                    let mut whole = Outbox::default();
                    whole.add(batch.whole(), Pace::Quick);
                    assert_eq!(outbox.bytes() - before, whole.bytes());
                }
            }
        }
        fanout.clear();
        let each = readers.iter_mut().map(|(_, outbox)| {
            let mut out = Vec::new();
            outbox.drain(&mut out, usize::MAX);
            out
        });
        each.collect()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        for (member, _) in &mut self.readers {
            member.leave(&mut self.fanout);
        }
    }
}

fn deflating() -> Option<Encoding> {
    Some(Encoding {
        window: Window::within(15).unwrap(),
        level: Level::new(1).unwrap(),
        threshold: 0,
    })
}

#[test]
fn what_is_published_without_echo_is_for_everybody_but_its_socket() {
    let mut server = hub(0);
    let (plain, deflated) = (None, deflating());
    let readers = [("alice", plain), ("alice", plain), ("bob", plain)];
    let deflating = [("alice", deflated), ("alice", deflated), ("bob", deflated)];
    for readers in [readers, deflating] {
        let mut readers = Loop::new(&mut server, &readers);
        let long = format!("\"{}\"", "tea ".repeat(100));
        readers.publish(0, &long, false);
        let heard = readers.turn();
        assert!(heard[0].is_empty(), "not for the socket that published it");
        assert!(!heard[1].is_empty(), "for the same user's other one");
        assert_eq!(heard[1], heard[2], "the same bytes");
        readers.publish(0, &long, true);
        assert!(readers.turn().iter().all(|heard| !heard.is_empty()));
    }
}

#[test]
fn a_socket_of_the_same_name_on_another_loop_is_another_socket() {
    let mut server = hub(0);
    let mut loops = [(); 2].map(|()| Loop::new(&mut server, &[("alice", None)]));
    loops[0].publish(0, "1", false);
    assert!(loops[0].turn()[0].is_empty());
    assert!(!loops[1].turn()[0].is_empty());
    // Both in one turn of each.
    loops[0].publish(0, "1", false);
    loops[1].publish(0, "2", false);
    let heard = loops.each_mut().map(|it| it.turn().concat());
    let heard = heard.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(heard[0].contains("\"data\":2") && !heard[0].contains("\"data\":1"));
    assert!(heard[1].contains("\"data\":1") && !heard[1].contains("\"data\":2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each publication is by one of three, with echo or without, and turns end anywhere.
    #[test]
    fn nobody_else_misses_anything(steps in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), 1..40)) {
        let mut server = hub(0);
        let mut readers = Loop::new(&mut server, &[("alice", None), ("alice", None), ("bob", None)]);
        let mut heard = vec![Vec::new(); 3];
        let mut expected = vec![Vec::new(); 3];
        let last = steps.len();
        for (n, (by, echo, ends)) in steps.into_iter().enumerate() {
            readers.publish(by, &format!("\"<{n}>\""), echo);
            for (reader, expected) in expected.iter_mut().enumerate() {
                if echo || reader != by {
                    expected.push(n);
                }
            }
            if ends || n + 1 == last {
                for (heard, bytes) in heard.iter_mut().zip(readers.turn()) {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let numbers = text.split('<').skip(1);
                    heard.extend(numbers.map(|rest| rest.split_once('>').unwrap().0.parse::<usize>().unwrap()));
                }
            }
        }
        prop_assert_eq!(heard, expected);
    }
}
