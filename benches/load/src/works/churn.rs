//! Sockets come and go, with messages of all sizes between, and the memory must not grow with them.

use std::time::{Duration, Instant};

use super::{Figure, Spans, Unit, Work, entrance, finished};
use crate::{
    Failure,
    client::{Entrance, Group, Purpose, Stage, Swarm, frame},
    server::Running,
};

pub(crate) struct Churn {
    pub(crate) connections: usize,
}

/// Sockets at once.
const AT_ONCE: usize = 128;
/// Each socket sends one; the next socket the next size.
const SIZES: [usize; 12] = [
    1, 125, 126, 1_000, 1_400, 4_096, 16_384, 16_385, 65_535, 65_536, 200_000, 1_000_000,
];

impl Work for Churn {
    fn name(&self) -> String {
        format!("churn-{}", self.connections)
    }

    fn title(&self) -> String {
        format!("{} connections come and go", self.connections)
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn is_steady(&self) -> bool {
        true
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        // Buffers of the thread, audit, allocator: what a server grows to once is not growth.
        come_and_go(&entrance, self.connections / 20)?;
        let start_memory = server.memory()?;
        let (before, start) = (server.usage()?, Instant::now());
        come_and_go(&entrance, self.connections)?;
        let rate = finished(server, self.connections as u64, start, &before)?;
        let end_memory = server.memory()?;
        let memory = |name, value: u64| Figure {
            name,
            value: value as f64,
            unit: Unit::Bytes,
            core: None,
        };
        Ok(vec![
            Figure {
                name: "connections",
                ..rate
            },
            memory("memory at the start", start_memory),
            memory("memory at the end", end_memory),
        ])
    }
}

/// Every second socket leaves by a reset.
fn come_and_go(entrance: &Entrance, connections: usize) -> Result<(), Failure> {
    let frames: Vec<Vec<u8>> = SIZES
        .iter()
        .map(|size| frame(entrance.opcode(), &vec![b'x'; *size]))
        .collect();
    let mut swarm = Swarm::new()?;
    let mut begun = 0;
    let mut left = connections;
    let mut sent = [false; AT_ONCE];
    let mut connect = |swarm: &mut Swarm, index| {
        if begun == connections {
            return Ok(());
        }
        begun += 1;
        let head = entrance.head(Purpose::Echo)?;
        swarm.connect(index, entrance.to(), entrance.tls.clone(), Some(head))
    };
    for index in 0..AT_ONCE {
        connect(&mut swarm, index)?;
    }
    let mut late = Instant::now();
    while left > 0 {
        let ready = swarm.wait(Duration::from_secs(1))?;
        for index in &ready {
            let Ok((socket, scratch)) = swarm.socket(*index) else {
                continue;
            };
            let mut back = false;
            let stage = socket.ready(scratch, |_| back = true)?;
            let sent = sent.get_mut(*index).ok_or("no such socket")?;
            if stage == Stage::Closed {
                return Err("the server let go of a socket".into());
            }
            if stage == Stage::Open && !*sent {
                *sent = true;
                let frame = frames.get((left + index) % SIZES.len());
                socket.send(scratch, frame.ok_or("no such size")?)?;
            } else if back {
                *sent = false;
                left -= 1;
                late = Instant::now();
                if let Some(socket) = swarm.remove(*index).filter(|_| left.is_multiple_of(2)) {
                    socket.reset()?;
                }
                connect(&mut swarm, *index)?;
            }
        }
        swarm.done(ready);
        if late.elapsed() > Duration::from_secs(10) {
            return Err("nothing has come for 10 seconds".into());
        }
    }
    Ok(())
}
