//! A channel in which thousands are present, while some come and go all the time.

use std::time::{Duration, Instant};

use memchr::memmem::Finder;

use super::{Figure, Spans, Unit, Work, call, entrance, idle_memory::settled, rate};
use crate::{
    Failure,
    client::{Group, Purpose, Swarm, must_be_open},
    dialect::Dialect,
    server::Running,
};

pub(crate) struct Presence {
    pub(crate) members: usize,
}

/// Who come and go.
const RESTLESS: usize = 100;

impl Work for Presence {
    fn name(&self) -> String {
        format!("presence-{}", self.members)
    }

    fn title(&self) -> String {
        format!(
            "{RESTLESS} come and go in a channel of {} who are told",
            self.members
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let mut entrance = entrance(server, Group::X25519)?;
        entrance.dialect = Dialect::in_channel("here/r", "1");
        let mut swarm = Swarm::new()?;
        let subjects = |name: &str, count: usize| -> Vec<String> {
            (0..count).map(|it| format!("{name}-{it}")).collect()
        };
        let members = entrance.open_for(&mut swarm, &subjects("member", self.members))?;
        let before = settled(server)? as f64;
        entrance.greet(&mut swarm, members.clone(), Purpose::Follow)?;
        let each = (settled(server)? as f64 - before) / self.members as f64;
        let restless = entrance.open_for(&mut swarm, &subjects("restless", RESTLESS))?;
        let calls = ["subscribe", "unsubscribe"].map(|it| call(it, r#"{"channel":"here/r"}"#));
        let mut turn_of = vec![0_usize; RESTLESS];
        for index in restless.clone() {
            let (socket, scratch) = swarm.socket(index)?;
            socket.frames.keeps = true;
            socket.send(scratch, &calls[0])?;
        }
        let answer = Finder::new(r#""result""#);
        let (mut notices, begun) = (0_u64, Instant::now());
        let figure = rate(server, spans, || {
            let ready = swarm.wait_awake(Duration::from_secs(1))?;
            let mut done = 0;
            for index in &ready {
                let (socket, scratch) = swarm.socket(*index)?;
                let (mut answers, mut told) = (0, 0);
                let stage = socket.ready(scratch, |message| {
                    match message.opcode < 8 && answer.find(message.payload).is_some() {
                        true => answers += 1,
                        false => told += 1,
                    }
                })?;
                must_be_open(stage)?;
                if members.contains(index) {
                    notices += told;
                }
                let place = index.checked_sub(restless.start);
                if let Some(turn) = place.and_then(|place| turn_of.get_mut(place)) {
                    for _ in 0..answers {
                        *turn += 1;
                        done += 1;
                        let next = calls.get(*turn % 2).ok_or("no call")?;
                        socket.send(scratch, next)?;
                    }
                }
            }
            swarm.done(ready);
            Ok(done)
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        let told = notices as f64 / self.members as f64 / seconds;
        // Who came, and who went, once a second.
        if told > 2.5 {
            return Err(format!("each member was told {told:.1} times a second").into());
        }
        Ok(vec![
            Figure {
                name: "coming and going",
                ..figure
            },
            Figure {
                name: "a member who is told",
                value: each,
                unit: Unit::Bytes,
                core: None,
            },
        ])
    }
}
