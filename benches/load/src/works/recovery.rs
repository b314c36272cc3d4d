//! Everybody comes back at once, and wants what was missed.

use std::{ops::Range, time::Instant};

use serde::Deserialize;

use super::{Figure, Spans, Work, answered, call, count, entrance, microseconds};
use crate::{
    Failure,
    client::{Entrance, Group, Purpose, Swarm, frame, must_be_open, watch},
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
        let leave = call("unsubscribe", &format!(r#"{{"channel":"{CHANNEL}"}}"#));
        answered(&mut swarm, readers.clone(), &leave)?;
        let mut positions = Vec::new();
        for _ in 0..=MISSED {
            positions.push(publish(&entrance, &mut swarm, publisher)?);
        }
        // The first is the last that everybody has read.
        let (since, missed) = positions.split_first().ok_or("no position was told")?;
        let back = call(
            "subscribe",
            &format!(r#"{{"channel":"{CHANNEL}","since":"{since}"}}"#),
        );
        let (before, begun) = (server.usage()?, Instant::now());
        let mut told = ask(&mut swarm, &readers, &back)?;
        let wall = begun.elapsed().as_secs_f64();
        let used = server.usage()?.since(&before).on_core;
        // Whatever is sent behind an answer comes before the next one's.
        for (reader, more) in answered(&mut swarm, readers, &call("ping", "{}"))? {
            if let Some(told) = told.get_mut(reader) {
                told.push(more);
            }
        }
        let wrong = told.iter().filter(|it| !is_whole(it, missed)).count();
        Ok(vec![
            microseconds("until all have all", wall * 1e6),
            microseconds(
                "of the server's processor, each",
                used * 1e6 / self.readers as f64,
            ),
            count("without exactly that", wrong as f64),
        ])
    }
}

/// Publishes once, and gives the position.
fn publish(entrance: &Entrance, swarm: &mut Swarm, publisher: usize) -> Result<String, Failure> {
    let text = entrance.dialect.publish.replace("{data}", &data());
    let (socket, scratch) = swarm.socket(publisher)?;
    socket.frames.keeps = true;
    socket.send(scratch, &frame(entrance.opcode(), text.as_bytes()))?;
    let mut told = None;
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        must_be_open(socket.ready(scratch, |message| told = position(message.payload))?)?;
        Ok(told.is_some())
    })?;
    told.ok_or_else(|| "no position was told".into())
}

fn data() -> String {
    "x".repeat(100)
}

fn position(payload: &[u8]) -> Option<String> {
    let answer: serde_json::Value = serde_json::from_slice(payload).ok()?;
    Some(answer.pointer("/result/position")?.as_str()?.to_owned())
}

/// Has all of them ask, and gives what each was told until the last had an answer. It is read later, so that the load is
/// not what takes long.
fn ask(
    swarm: &mut Swarm,
    readers: &Range<usize>,
    question: &[u8],
) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
    for index in readers.clone() {
        let (socket, scratch) = swarm.socket(index)?;
        socket.send(scratch, question)?;
    }
    let mut told: Vec<Vec<Vec<u8>>> = vec![Vec::new(); readers.len()];
    let mut left = readers.len();
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        let told = index
            .checked_sub(readers.start)
            .and_then(|reader| told.get_mut(reader));
        let told = told.ok_or("somebody else was told something")?;
        let silent = told.is_empty();
        must_be_open(socket.ready(scratch, |message| told.push(message.payload.to_vec()))?)?;
        left -= usize::from(silent && !told.is_empty());
        Ok(left == 0)
    })?;
    Ok(told)
}

#[derive(Deserialize)]
struct Answer {
    result: Recovered,
}

#[derive(Deserialize)]
struct Recovered {
    recovered: bool,
    publications: Vec<Publication>,
}

#[derive(Deserialize)]
struct Publication {
    position: String,
    data: String,
}

/// Whether a reader was told one thing: each of these publications, once and in this order.
fn is_whole(told: &[Vec<u8>], missed: &[String]) -> bool {
    let [answer] = told else {
        return false;
    };
    let Ok(Answer { result }) = serde_json::from_slice(answer) else {
        return false;
    };
    let positions = result.publications.iter().map(|it| &it.position);
    result.recovered
        && positions.eq(missed)
        && result.publications.iter().all(|it| it.data == data())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(recovered: bool, positions: &[&str]) -> Vec<u8> {
        let publications: Vec<String> = positions
            .iter()
            .map(|it| format!(r#"{{"data":"{}","position":"{it}","from":"load"}}"#, data()))
            .collect();
        let publications = publications.join(",");
        format!(
            r#"{{"jsonrpc":"2.0","id":2,"result":{{"channel":"c","position":"e:3","recovered":{recovered},"publications":[{publications}]}}}}"#
        )
        .into()
    }

    #[test]
    fn each_publication_comes_once_in_order_and_nothing_else() {
        let missed = ["e:1", "e:2", "e:3"].map(String::from);
        let whole = told(true, &["e:1", "e:2", "e:3"]);
        assert!(is_whole(std::slice::from_ref(&whole), &missed));
        for wrong in [
            told(false, &["e:1", "e:2", "e:3"]),
            told(true, &["e:1", "e:1", "e:3"]),
            told(true, &["e:2", "e:1", "e:3"]),
            told(true, &["e:1", "e:2"]),
            told(true, &["e:1", "e:2", "e:3", "e:4"]),
        ] {
            assert!(!is_whole(&[wrong], &missed));
        }
        assert!(!is_whole(&[], &missed));
        assert!(!is_whole(&[whole.clone(), whole], &missed));
    }
}
