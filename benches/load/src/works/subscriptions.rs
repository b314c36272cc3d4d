//! What a subscription costs, what a channel does that somebody follows, and one that nobody does.

use memchr::memmem::Finder;

use super::{Figure, Spans, Unit, Work, entrance, idle_memory::settled};
use crate::{
    Failure,
    client::{Entrance, Group, Swarm, frame, must_be_open, watch},
    server::Running,
};

pub(crate) struct Subscriptions {
    pub(crate) sockets: usize,
}

/// Of each socket, to channels that all follow, and to channels of its own.
const SHARED: usize = 96;
const OWN: usize = 32;
/// Calls in a batch.
const BATCH: usize = 32;

impl Work for Subscriptions {
    fn name(&self) -> String {
        format!("memory-subscriptions-{}", self.sockets)
    }

    fn title(&self) -> String {
        format!(
            "memory of each of {} subscriptions and of {} channels",
            self.sockets * SHARED,
            self.sockets * OWN
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn is_steady(&self) -> bool {
        true
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        let mut swarm = Swarm::new()?;
        let subjects: Vec<String> = (0..self.sockets).map(|it| format!("user-{it}")).collect();
        let sockets = entrance.open_for(&mut swarm, &subjects)?;
        let mut figures = Vec::new();
        let mut before = settled(server)? as f64;
        let mut note = |name, things: usize| {
            let now = settled(server)? as f64;
            let value = (now - std::mem::replace(&mut before, now)) / things.max(1) as f64;
            figures.push(Figure {
                name,
                value,
                unit: Unit::Bytes,
                core: None,
            });
            Ok::<_, Failure>(())
        };
        let all: Vec<usize> = sockets.collect();
        for part in 0..SHARED / BATCH {
            let channel = |_: usize, n: usize| format!("idle/shared-{}", part * BATCH + n);
            say(&entrance, &mut swarm, &all, "subscribe", &channel, "")?;
        }
        note("a subscription", self.sockets * SHARED)?;
        let own = |socket: usize, n: usize| format!("idle/{socket}-{n}");
        say(&entrance, &mut swarm, &all, "subscribe", &own, "")?;
        note("a channel that one follows", self.sockets * OWN)?;
        let kept = |socket: usize, n: usize| format!("kept/{socket}-{n}");
        let data = format!(r#","data":"{}""#, "x".repeat(100));
        say(&entrance, &mut swarm, &all, "publish", &kept, &data)?;
        note("an idle channel that keeps 100 B", self.sockets * OWN)?;
        Ok(figures)
    }
}

/// Has each socket make a batch of calls, each of another channel, and waits for all the answers.
fn say(
    entrance: &Entrance,
    swarm: &mut Swarm,
    sockets: &[usize],
    method: &str,
    channel: &dyn Fn(usize, usize) -> String,
    more: &str,
) -> Result<(), Failure> {
    for &index in sockets {
        let call = |n: usize| {
            let channel = channel(index, n);
            format!(
                r#"{{"jsonrpc":"2.0","id":{n},"method":"{method}","params":{{"channel":"{channel}"{more}}}}}"#
            )
        };
        let calls: Vec<String> = (0..BATCH).map(call).collect();
        let batch = frame(
            entrance.opcode(),
            format!("[{}]", calls.join(",")).as_bytes(),
        );
        let (socket, scratch) = swarm.socket(index)?;
        socket.frames.keeps = true;
        socket.send(scratch, &batch)?;
    }
    let failed = Finder::new(r#""error""#);
    let (mut left, mut errors) = (sockets.len(), 0_usize);
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        let stage = socket.ready(scratch, |message| {
            left = left.saturating_sub(1);
            errors += usize::from(failed.find(message.payload).is_some());
        })?;
        must_be_open(stage)?;
        Ok(left == 0)
    })?;
    match errors {
        0 => Ok(()),
        some => Err(format!("{some} batches failed").into()),
    }
}
