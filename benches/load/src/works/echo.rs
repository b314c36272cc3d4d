//! Every message comes back.

use std::time::Duration;

use super::{Figure, Spans, Work, entrance, rate};
use crate::{
    Failure,
    client::{Entrance, Group, Purpose, Swarm, frame, is_close, must_be_open, watch},
    server::Running,
};

pub(crate) struct Echo {
    pub(crate) bytes: usize,
    pub(crate) sockets: usize,
    /// So many messages are sent in one write, and the next when all have come back.
    pub(crate) in_flight: usize,
}

impl Work for Echo {
    fn name(&self) -> String {
        let Self {
            bytes,
            sockets,
            in_flight,
        } = self;
        format!("echo-{bytes}-{sockets}-{in_flight}")
    }

    fn title(&self) -> String {
        let size = match self.bytes {
            small @ ..1024 => format!("{small} B"),
            large => format!("{} KiB", large / 1024),
        };
        format!(
            "echo, {size}, {} sockets, {} in flight",
            self.sockets, self.in_flight
        )
    }

    fn takes(&self) -> Option<&'static str> {
        Some("echo")
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        let mut busy = Busy::open(&entrance, self.sockets, self.bytes, self.in_flight)?;
        Ok(vec![rate(server, spans, || busy.turn())?])
    }
}

/// Sockets that always have something on the way.
pub(super) struct Busy {
    swarm: Swarm,
    bytes: usize,
    in_flight: usize,
    /// All messages of one write.
    burst: Vec<u8>,
    /// What each socket waits for.
    awaited: Vec<usize>,
}

impl Busy {
    pub(super) fn open(
        entrance: &Entrance,
        sockets: usize,
        bytes: usize,
        in_flight: usize,
    ) -> Result<Self, Failure> {
        let mut swarm = Swarm::new()?;
        entrance.open(&mut swarm, Purpose::Echo, sockets)?;
        let text: Vec<u8> = (b'a'..=b'z').cycle().take(bytes).collect();
        let one = frame(entrance.opcode(), &text);
        verify(&mut swarm, &one, &text)?;
        let burst = one.repeat(in_flight);
        for index in 0..sockets {
            let (socket, scratch) = swarm.socket(index)?;
            socket.send(scratch, &burst)?;
        }
        Ok(Self {
            swarm,
            bytes,
            in_flight,
            burst,
            awaited: vec![in_flight; sockets],
        })
    }

    /// Waits for readiness once. Gives the number of messages that have come back.
    pub(super) fn turn(&mut self) -> Result<u64, Failure> {
        let ready = self.swarm.wait_awake(Duration::from_secs(1))?;
        let mut done = 0;
        for index in &ready {
            let (socket, scratch) = self.swarm.socket(*index)?;
            let mut whole = 0;
            let stage = socket.ready(scratch, |message| {
                whole += usize::from(message.length == self.bytes as u64);
            })?;
            must_be_open(stage)?;
            done += whole as u64;
            let left = self.awaited.get_mut(*index).ok_or("no such socket")?;
            *left = left.checked_sub(whole).ok_or("more came than was sent")?;
            if *left == 0 {
                *left = self.in_flight;
                socket.send(scratch, &self.burst)?;
            }
        }
        self.swarm.done(ready);
        Ok(done)
    }
}

/// Whether what comes back is what was sent, before anything is counted.
fn verify(swarm: &mut Swarm, frame: &[u8], text: &[u8]) -> Result<(), Failure> {
    let (socket, scratch) = swarm.socket(0)?;
    socket.frames.keeps = true;
    socket.send(scratch, frame)?;
    let mut same = None;
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        let stage = socket.ready(scratch, |message| {
            same = Some(!is_close(&message) && message.payload == text);
        })?;
        must_be_open(stage)?;
        Ok(same.is_some())
    })?;
    swarm.socket(0)?.0.frames.keeps = false;
    match same {
        Some(true) => Ok(()),
        _ => Err("what came back is not what was sent".into()),
    }
}
