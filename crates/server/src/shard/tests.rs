//! A shard with a crowd of sockets, turned by hand.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use serde_json::{Value, value::RawValue};
use tokio::sync::mpsc::{UnboundedReceiver, error::TryRecvError, unbounded_channel};
use wardwire_hub::{HubLimits, Member, Rules, rights::ChannelRules};
use wardwire_protocol::channel::ChannelName;

use super::{
    rejudging::BATCH,
    simulation::{CHANNEL, World, call, masked, parse},
    *,
};
use crate::tls::{Ended, Parts, Protection};

/// A shard whose sockets all follow one channel.
struct Crowd {
    shard: Shard,
    publisher: Member,
    peers: Vec<UnixStream>,
}

/// More than are judged in one turn, and more than are brought what was published.
const SIZE: usize = BATCH + 88;
const TURNS: usize = 2;
/// A shard that has more to do after so many turns has for ever.
const ENOUGH: usize = 1000;

impl Crowd {
    fn new() -> Self {
        assert!(SIZE > FLUSH && SIZE.div_ceil(BATCH) == TURNS);
        let world = World::new();
        let handle = world.server.shards[0].clone();
        let peers = (0..SIZE).map(|_| {
            let (arrival, mut peer) = arrive(&world);
            handle.adopt(arrival);
            let subscribe = masked(0x81, &call("subscribe", b""));
            peer.write_all(&subscribe).unwrap();
            peer
        });
        let peers = peers.collect();
        let World {
            server,
            fanout,
            publisher,
            ..
        } = world;
        let mut crowd = Self {
            shard: Shard::new(server, handle, fanout).unwrap(),
            publisher,
            peers,
        };
        crowd.settle();
        crowd.heard(&["answer"]);
        crowd
    }

    fn turn(&mut self) -> bool {
        self.shard.turn().unwrap()
    }

    /// Turns until it would rest.
    fn settle(&mut self) {
        assert!((0..ENOUGH).any(|_| !self.turn()), "it turns for ever");
    }

    fn publish(&self, data: &str) {
        let name = ChannelName::parse(CHANNEL).unwrap();
        let data = RawValue::from_string(data.to_owned()).unwrap();
        let published = self.publisher.publish(&name, &data, None, None);
        published.now().unwrap().unwrap();
    }

    /// Has all be judged anew.
    fn ask(&self) -> UnboundedReceiver<usize> {
        let (told, left) = unbounded_channel();
        self.shard.handle.rejudge(told);
        left
    }

    /// Demands that each was sent this since it was asked last: answers, what was published, and notifications by their name.
    fn heard(&mut self, owed: &[&str]) {
        for (number, peer) in self.peers.iter_mut().enumerate() {
            let mut bytes = Vec::new();
            let end = peer.read_to_end(&mut bytes).map_err(|error| error.kind());
            assert_eq!(end, Err(ErrorKind::WouldBlock), "it is open");
            let mut rest = &bytes[..];
            let frames = std::iter::from_fn(|| {
                let (frame, used) = parse(rest)?;
                rest = &rest[used..];
                Some(said(&frame.payload))
            });
            assert_eq!(frames.collect::<Vec<_>>(), owed, "socket {number}");
        }
    }
}

/// A socket on its way to a shard, and its peer. What one writes the other can read at once.
fn arrive(world: &World) -> (Arrival, UnixStream) {
    let (own, peer) = UnixStream::pair().unwrap();
    for end in [&own, &peer] {
        end.set_nonblocking(true).unwrap();
    }
    let (session, principal) = world.admit("/live");
    let parts = Parts {
        tcp: OwnedFd::from(own).into(),
        protection: Protection::Ended(Ended::below_http2()),
        plain: Vec::new(),
        unsent: Vec::new(),
    };
    let arrival = Arrival {
        session,
        principal,
        carrier: Carrier::Tcp(parts),
    };
    (arrival, peer)
}

fn said(message: &[u8]) -> String {
    let message: Value = serde_json::from_slice(message).unwrap();
    match message["method"].as_str() {
        None => "answer".to_owned(),
        Some("publication") => message["params"]["data"].to_string(),
        Some(other) => other.to_owned(),
    }
}

#[tokio::test]
async fn all_are_judged_in_a_round_of_turns_however_much_is_published_and_however_many_ask() {
    let mut crowd = Crowd::new();
    let mut asked = Vec::new();
    let publications: Vec<_> = (0..=2 * TURNS).map(|it| it.to_string()).collect();
    let publications: Vec<_> = publications.iter().map(String::as_str).collect();
    crowd.publish(publications[0]);
    crowd.turn();
    for data in &publications[1..] {
        crowd.publish(data);
        asked.push(crowd.ask());
        crowd.turn();
    }
    let heard: Vec<_> = asked.iter_mut().map(|it| it.try_recv()).collect();
    let [answered, waits] = [TryRecvError::Disconnected, TryRecvError::Empty].map(Err::<usize, _>);
    assert_eq!(heard, [answered, answered, answered, waits]);
    crowd.settle();
    assert_eq!(asked[3].try_recv(), answered);
    crowd.heard(&publications);
}

#[tokio::test]
async fn what_was_brought_together_before_a_right_goes_is_sent_before_that_is_told() {
    let mut crowd = Crowd::new();
    crowd.publish("1");
    let none = Rules {
        channels: ChannelRules::new(Vec::new()).unwrap(),
        limits: HubLimits::default(),
    };
    assert!(crowd.shard.server.hub.reload(none));
    let mut asked = crowd.ask();
    crowd.settle();
    crowd.publish("2");
    crowd.settle();
    crowd.heard(&["1", "revoked"]);
    let left = std::iter::from_fn(|| asked.try_recv().ok());
    assert_eq!(left.sum::<usize>(), SIZE);
    assert_eq!(asked.try_recv(), Err(TryRecvError::Disconnected));
}
