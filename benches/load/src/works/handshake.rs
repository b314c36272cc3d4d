//! From TCP to the `101`, with proof.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Figure, Spans, Work, entrance, finished};
use crate::{
    Failure,
    client::{Entrance, Group, Purpose, Stage, Swarm},
    server::Running,
};

pub(crate) struct Handshake {
    pub(crate) group: Group,
    pub(crate) at_once: usize,
}

/// Handshakes for each second that a round is to last: of tokens that are minted before.
const PER_SECOND: f64 = 8_000.0;

impl Work for Handshake {
    fn name(&self) -> String {
        match self.group {
            Group::X25519 => "handshake".into(),
            Group::X25519MlKem768 => "handshake-mlkem".into(),
        }
    }

    fn title(&self) -> String {
        match self.group {
            Group::X25519 => "handshake and upgrade, X25519".into(),
            Group::X25519MlKem768 => "handshake and upgrade, X25519MLKEM768".into(),
        }
    }

    fn takes(&self) -> Option<&'static str> {
        Some(match self.group {
            Group::X25519 => "handshake",
            Group::X25519MlKem768 => "handshake-mlkem",
        })
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, self.group)?;
        let count = |span: Duration| (span.as_secs_f64() * PER_SECOND) as usize;
        self.storm(&entrance, count(spans.warm_up))?;
        let heads = heads(&entrance, count(spans.measured))?;
        let number = heads.len() as u64;
        let (before, start) = (server.usage()?, Instant::now());
        self.run(&entrance, heads)?;
        Ok(vec![finished(server, number, start, &before)?])
    }
}

impl Handshake {
    fn storm(&self, entrance: &Entrance, count: usize) -> Result<(), Failure> {
        self.run(entrance, heads(entrance, count)?)
    }

    /// Makes a connection with each head, some at once, and resets each as soon as it is open.
    fn run(&self, entrance: &Entrance, mut heads: VecDeque<Box<[u8]>>) -> Result<(), Failure> {
        let mut swarm = Swarm::new()?;
        let mut left = heads.len();
        let mut connect = |swarm: &mut Swarm, index| match heads.pop_front() {
            Some(head) => swarm.connect(index, entrance.to(), entrance.tls.clone(), Some(head)),
            None => Ok(()),
        };
        for index in 0..self.at_once {
            connect(&mut swarm, index)?;
        }
        let mut late = Instant::now();
        while left > 0 {
            let ready = swarm.wait_awake(Duration::from_secs(1))?;
            for index in &ready {
                // Readiness may be told of a socket that has gone since.
                let Ok((socket, scratch)) = swarm.socket(*index) else {
                    continue;
                };
                match socket.ready(scratch, |_| ())? {
                    Stage::Open => {
                        if let Some(socket) = swarm.remove(*index) {
                            socket.reset()?;
                        }
                        left -= 1;
                        late = Instant::now();
                        connect(&mut swarm, *index)?;
                    }
                    Stage::Closed => return Err("the server dropped a handshake".into()),
                    _ => {}
                }
            }
            swarm.done(ready);
            if late.elapsed() > Duration::from_secs(10) {
                return Err("no handshake was finished for 10 seconds".into());
            }
        }
        Ok(())
    }
}

/// Every head before the first is sent: signing tokens is no part of it.
fn heads(entrance: &Entrance, count: usize) -> Result<VecDeque<Box<[u8]>>, Failure> {
    (0..count).map(|_| entrance.head(Purpose::Echo)).collect()
}
