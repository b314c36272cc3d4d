//! Everybody comes back at once, and wants what was missed.

use std::time::Instant;

use memchr::memmem::Finder;

use super::{Figure, Spans, Unit, Work, entrance, latency::count};
use crate::{
    Failure,
    client::{Group, Purpose, Swarm, frame, must_be_open, watch},
    dialect::Dialect,
    server::Running,
};

pub(crate) struct Recovery {
    pub(crate) readers: usize,
}

/// Publications that each has missed.
const MISSED: usize = 20;
const CHANNEL: &str = "kept/r";

impl Work for Recovery {
    fn name(&self) -> String {
        format!("recovery-{}", self.readers)
    }

    fn title(&self) -> String {
        format!(
            "{} readers ask at once for {MISSED} publications that they missed",
            self.readers
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let mut entrance = entrance(server, Group::X25519)?;
        entrance.dialect = Dialect::in_channel(CHANNEL, r#""{data}""#);
        let mut swarm = Swarm::new()?;
        let readers = entrance.open(&mut swarm, Purpose::Follow, self.readers)?;
        let publisher = entrance.open(&mut swarm, Purpose::Publish, 1)?.start;
        let call = |method: &str, params: &str| {
            let text =
                format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}","params":{params}}}"#);
            frame(entrance.opcode(), text.as_bytes())
        };
        let leave = call("unsubscribe", &format!(r#"{{"channel":"{CHANNEL}"}}"#));
        for index in readers.clone() {
            let (socket, scratch) = swarm.socket(index)?;
            socket.send(scratch, &leave)?;
        }
        answered(&mut swarm, self.readers, r#""result""#)?;
        let mut since = None;
        for _ in 0..=MISSED {
            let text = entrance.dialect.publish.replace("{data}", &"x".repeat(100));
            let (socket, scratch) = swarm.socket(publisher)?;
            socket.frames.keeps = true;
            socket.send(scratch, &frame(entrance.opcode(), text.as_bytes()))?;
            let mut told = None;
            watch(&mut swarm, |swarm, index| {
                let (socket, scratch) = swarm.socket(index)?;
                must_be_open(socket.ready(scratch, |message| told = position(message.payload))?)?;
                Ok(told.is_some())
            })?;
            // The first is the last that everybody has read.
            since = since.or(told);
        }
        let since = since.ok_or("no position was told")?;
        let back = call(
            "subscribe",
            &format!(r#"{{"channel":"{CHANNEL}","since":"{since}"}}"#),
        );
        let (before, begun) = (server.usage()?, Instant::now());
        for index in readers.clone() {
            let (socket, scratch) = swarm.socket(index)?;
            socket.send(scratch, &back)?;
        }
        let whole = Finder::new(r#""recovered":true"#);
        let each = Finder::new(r#""position""#);
        let (mut left, mut wrong) = (self.readers, 0_u32);
        watch(&mut swarm, |swarm, index| {
            let (socket, scratch) = swarm.socket(index)?;
            let stage = socket.ready(scratch, |message| {
                left = left.saturating_sub(1);
                // Each publication has its position, and so has the answer.
                let has = each.find_iter(message.payload).count() == MISSED + 1;
                if !has || whole.find(message.payload).is_none() {
                    wrong += 1;
                }
            })?;
            must_be_open(stage)?;
            Ok(left == 0)
        })?;
        let wall = begun.elapsed().as_secs_f64();
        let used = server.usage()?.since(&before).on_core;
        let time = |name, seconds: f64| Figure {
            name,
            value: seconds * 1e6,
            unit: Unit::Microseconds,
            core: None,
        };
        Ok(vec![
            time("until all have all", wall),
            time(
                "of the server's processor, each",
                used / self.readers as f64,
            ),
            count("without all of it", f64::from(wrong)),
        ])
    }
}

/// Waits until so many messages with this in them have come.
fn answered(swarm: &mut Swarm, count: usize, part: &str) -> Result<(), Failure> {
    let part = Finder::new(part);
    let mut left = count;
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        let stage = socket.ready(scratch, |message| {
            left -= usize::from(part.find(message.payload).is_some() && left > 0);
        })?;
        must_be_open(stage)?;
        Ok(left == 0)
    })
}

fn position(payload: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(payload).ok()?;
    Some(answer.pointer("/result/position")?.as_str()?.to_owned())
}
