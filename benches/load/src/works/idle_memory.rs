//! What a socket that says nothing costs the server in user space, and what is left of what it once needed.

use std::{ops::Range, time::Duration};

use super::{Figure, Spans, Unit, Work, entrance};
use crate::{
    Failure,
    client::{Entrance, Group, Path, Purpose, Swarm, frame, must_be_open, watch},
    server::Running,
};

pub(crate) struct IdleMemory {
    pub(crate) sockets: usize,
    /// All do TLS before the first one asks for anything, so that what a handshake needs is needed for all at once.
    pub(crate) crowding: bool,
}

/// Of the message that each has once sent.
const MESSAGE: usize = 16_000;
/// Publications while nobody reads, and bytes of each: more than the kernel holds for a socket.
const UNREAD: usize = 16;
const PUBLICATION: usize = 16_000;

impl Work for IdleMemory {
    fn name(&self) -> String {
        match self.crowding {
            true => format!("idle-memory-crowding-{}", self.sockets),
            false => format!("idle-memory-{}", self.sockets),
        }
    }

    fn title(&self) -> String {
        let how = if self.crowding {
            " that came at once"
        } else {
            ""
        };
        format!("user space of one of {} TLS sockets{how}", self.sockets)
    }

    fn takes(&self) -> Option<&'static str> {
        (!self.crowding).then_some("fan-out")
    }

    fn is_steady(&self) -> bool {
        true
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = Entrance {
            path: Path::Narrow,
            ..entrance(server, Group::X25519)?
        };
        let mut swarm = Swarm::new()?;
        // Some sockets first: what the first ones ever need is not what each needs.
        for index in entrance.open(&mut swarm, Purpose::Follow, 64)? {
            swarm.remove(index);
        }
        let mut phases = Phases {
            server,
            empty: settled(server)?,
            figures: Vec::new(),
        };
        match server.tokens {
            Some(_) => self.all(&entrance, &mut swarm, &mut phases)?,
            None => {
                let followers = entrance.open(&mut swarm, Purpose::Follow, self.sockets)?;
                phases.note("subscribed", followers.len())?;
            }
        }
        Ok(phases.figures)
    }
}

impl IdleMemory {
    fn all(
        &self,
        entrance: &Entrance,
        swarm: &mut Swarm,
        phases: &mut Phases<'_>,
    ) -> Result<(), Failure> {
        let sockets = match self.crowding {
            true => {
                let sockets = entrance.secure(swarm, self.sockets)?;
                phases.note("TLS done, nothing asked", self.sockets)?;
                entrance.upgrade(swarm, sockets.clone(), Purpose::Follow)?;
                sockets
            }
            false => entrance.admit(swarm, Purpose::Follow, self.sockets)?,
        };
        phases.note("admitted", self.sockets)?;
        entrance.greet(swarm, sockets.clone(), Purpose::Follow)?;
        phases.note("subscribed", self.sockets)?;
        large_messages(entrance, swarm, &sockets)?;
        phases.note("after a 16 KB message each", self.sockets)?;
        let publisher = entrance.open(swarm, Purpose::Publish, 1)?.start;
        publish_unread(entrance, swarm, publisher)?;
        phases.note("while none reads publications", self.sockets)?;
        read_all(swarm, &sockets)?;
        phases.note("after all have read them", self.sockets)?;
        let half = self.sockets / 2;
        for index in sockets.take(half) {
            swarm.remove(index);
        }
        phases.note("after half have left", self.sockets - half)
    }
}

/// Memory after each phase.
struct Phases<'a> {
    server: &'a Running,
    empty: u64,
    figures: Vec<Figure>,
}

impl Phases<'_> {
    fn note(&mut self, name: &'static str, sockets: usize) -> Result<(), Failure> {
        let more = settled(self.server)? as f64 - self.empty as f64;
        self.figures.push(Figure {
            name,
            value: more / sockets.max(1) as f64,
            unit: Unit::Bytes,
            core: None,
        });
        Ok(())
    }
}

/// One message from each, answered.
fn large_messages(
    entrance: &Entrance,
    swarm: &mut Swarm,
    sockets: &Range<usize>,
) -> Result<(), Failure> {
    let pad = "x".repeat(MESSAGE);
    let call = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"ping","params":{{"pad":"{pad}"}}}}"#);
    let call = frame(entrance.opcode(), call.as_bytes());
    for index in sockets.clone() {
        let (socket, scratch) = swarm.socket(index)?;
        socket.send(scratch, &call)?;
    }
    let mut left = sockets.len();
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        let stage = socket.ready(scratch, |_| left = left.saturating_sub(1))?;
        must_be_open(stage)?;
        Ok(left == 0)
    })
}

/// Publications, acknowledged, that no follower reads.
fn publish_unread(entrance: &Entrance, swarm: &mut Swarm, publisher: usize) -> Result<(), Failure> {
    let data = "x".repeat(PUBLICATION);
    let text = entrance.dialect.publish.replace("{data}", &data);
    let publication = frame(entrance.opcode(), text.as_bytes());
    for _ in 0..UNREAD {
        let (socket, scratch) = swarm.socket(publisher)?;
        socket.send(scratch, &publication)?;
        let mut answered = false;
        watch(swarm, |swarm, index| {
            if index == publisher {
                let (socket, scratch) = swarm.socket(index)?;
                must_be_open(socket.ready(scratch, |_| answered = true)?)?;
            }
            Ok(answered)
        })?;
    }
    Ok(())
}

/// Every follower reads all that was published.
fn read_all(swarm: &mut Swarm, sockets: &Range<usize>) -> Result<(), Failure> {
    let mut left = UNREAD * sockets.len();
    let mut read = |swarm: &mut Swarm, index: usize| {
        let (socket, scratch) = swarm.socket(index)?;
        let stage = socket.ready(scratch, |message| {
            if message.length > PUBLICATION as u64 {
                left = left.saturating_sub(1);
            }
        })?;
        must_be_open(stage)?;
        Ok(left == 0)
    };
    // Their readiness was told while they did not listen.
    for index in sockets.clone() {
        read(swarm, index)?;
    }
    watch(swarm, read)
}

/// The server's memory once it no longer changes.
pub(super) fn settled(server: &Running) -> Result<u64, Failure> {
    let mut last = server.memory()?;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(250));
        let now = server.memory()?;
        if now == last {
            break;
        }
        last = now;
    }
    Ok(last)
}
