//! What is measured. Each work opens its sockets on a server that has just been started, warms up, and measures.

mod browser;
mod churn;
mod echo;
mod fan_out;
mod guarded;
mod handshake;
mod idle_memory;
mod latency;
mod market;
mod opening;
mod presence;
mod recovery;
mod revocation;
mod storm;
mod storm_http2;
mod subscriptions;

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use memchr::memmem::Finder;

use crate::{
    Failure,
    client::{Entrance, Group, Path, Swarm, TEXT, frame, must_be_open, settings, watch},
    server::Running,
};

pub(crate) use browser::Browser;
pub(crate) use churn::Churn;
pub(crate) use echo::Echo;
pub(crate) use fan_out::FanOut;
pub(crate) use guarded::Guarded;
pub(crate) use handshake::Handshake;
pub(crate) use idle_memory::IdleMemory;
pub(crate) use latency::Latency;
pub(crate) use market::Market;
pub(crate) use opening::Opening;
pub(crate) use presence::Presence;
pub(crate) use recovery::Recovery;
pub(crate) use revocation::Revocation;
pub(crate) use storm_http2::StormHttp2;
pub(crate) use subscriptions::Subscriptions;

/// One thing to measure.
pub(crate) trait Work {
    /// Also its name on the command line and in files.
    fn name(&self) -> String;

    /// In words, for tables.
    fn title(&self) -> String;

    /// What of a rival's `does` it takes; None if only Wardwire can do it.
    fn takes(&self) -> Option<&'static str>;

    /// Of a rival's figures, with which of Wardwire's they are compared beside the one of the same name.
    fn beside(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Whether one round tells as much as many.
    fn is_steady(&self) -> bool {
        false
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure>;
}

/// How long is warmed up, and measured.
#[derive(Clone, Copy)]
pub(crate) struct Spans {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
    /// Which round it is, from 0 on: what a work compares with each other takes turns in being first.
    pub(crate) round: usize,
}

/// A number that was measured.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// Empty for a work's only one.
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) core: Option<Core>,
}

/// How the server's core was used, as parts of the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core {
    /// By the server, or by others while the server wanted it.
    pub(crate) busy: f64,
    /// By others while the server wanted it.
    pub(crate) taken: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// In each second of the server's processor time. More is better.
    PerCpuSecond,
    /// For each socket. Less is better.
    Bytes,
    /// Less is better.
    Microseconds,
    /// Less is better.
    Nanoseconds,
    /// By the clock, as the work sets the pace.
    PerSecond,
    /// Of another figure of the same round. More is better.
    Part,
    /// Of something that should be none.
    Count,
    /// Of the network's. Less is better.
    RoundTrips,
    /// Than another figure of the same round has.
    MoreRoundTrips,
}

/// Measures how many things `turn` gets done in a second of the server's processor time. `turn` waits for readiness once.
fn rate(
    server: &Running,
    spans: Spans,
    mut turn: impl FnMut() -> Result<u64, Failure>,
) -> Result<Figure, Failure> {
    let warm = Instant::now();
    while warm.elapsed() < spans.warm_up {
        turn()?;
    }
    let (before, start) = (server.usage()?, Instant::now());
    let mut done = 0;
    let mut late = start;
    while start.elapsed() < spans.measured {
        let more = turn()?;
        done += more;
        if more > 0 {
            late = Instant::now();
        } else if late.elapsed() > Duration::from_secs(10) {
            return Err("nothing has come for 10 seconds".into());
        }
    }
    finished(server, done, start, &before)
}

fn finished(
    server: &Running,
    done: u64,
    start: Instant,
    before: &crate::server::Usage,
) -> Result<Figure, Failure> {
    let wall = start.elapsed().as_secs_f64();
    let used = server.usage()?.since(before);
    Ok(Figure {
        name: "",
        value: done as f64 / used.on_core.max(0.001),
        unit: Unit::PerCpuSecond,
        core: Some(Core {
            busy: (used.on_core + used.waiting) / wall,
            taken: used.waiting / wall,
        }),
    })
}

fn count(name: &'static str, value: f64) -> Figure {
    Figure {
        name,
        value,
        unit: Unit::Count,
        core: None,
    }
}

fn microseconds(name: &'static str, value: f64) -> Figure {
    Figure {
        name,
        value,
        unit: Unit::Microseconds,
        core: None,
    }
}

/// `figure` as a part of `whole`, both of this round.
fn part(name: &'static str, figure: &Figure, whole: &Figure) -> Figure {
    Figure {
        name,
        value: figure.value / whole.value,
        unit: Unit::Part,
        core: None,
    }
}

/// Measures two things that are compared, in an order that turns by one each round, and gives them in their own.
fn in_turns<T>(
    spans: Spans,
    mut first: impl FnMut() -> Result<T, Failure>,
    mut second: impl FnMut() -> Result<T, Failure>,
) -> Result<[T; 2], Failure> {
    if spans.round.is_multiple_of(2) {
        let it = first()?;
        Ok([it, second()?])
    } else {
        let it = second()?;
        Ok([first()?, it])
    }
}

/// A call of `wardwire.v1`, as a frame.
fn call(method: &str, params: &str) -> Vec<u8> {
    let text = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"{method}","params":{params}}}"#);
    frame(TEXT, text.as_bytes())
}

/// Makes a call from each of these sockets and waits until each has a result. What else they are told meanwhile is
/// given, by their place among them.
fn answered(
    swarm: &mut Swarm,
    sockets: Range<usize>,
    call: &[u8],
) -> Result<Vec<(usize, Vec<u8>)>, Failure> {
    for index in sockets.clone() {
        let (socket, scratch) = swarm.socket(index)?;
        socket.frames.keeps = true;
        socket.send(scratch, call)?;
    }
    let result = Finder::new(r#""result""#);
    let mut waiting = vec![true; sockets.len()];
    let (mut left, mut more) = (sockets.len(), Vec::new());
    watch(swarm, |swarm, index| {
        let (socket, scratch) = swarm.socket(index)?;
        let place = index.checked_sub(sockets.start).unwrap_or(usize::MAX);
        let stage = socket.ready(scratch, |message| match waiting.get_mut(place) {
            Some(waits) if *waits && result.find(message.payload).is_some() => {
                *waits = false;
                left -= 1;
            }
            Some(_) => more.push((place, message.payload.to_vec())),
            None => {}
        })?;
        must_be_open(stage)?;
        Ok(left == 0)
    })?;
    Ok(more)
}

fn entrance(server: &Running, group: Group) -> Result<Entrance, Failure> {
    Ok(Entrance {
        address: server.address,
        tls: settings(group, server.certificate.clone())?,
        dialect: server.dialect.clone(),
        path: Path::Loopback,
        tokens: server.tokens.clone(),
    })
}
