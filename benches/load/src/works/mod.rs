//! What is measured. Each work opens its sockets on a server that has just been started, warms up, and measures.

mod browser;
mod churn;
mod echo;
mod fan_out;
mod guarded;
mod handshake;
mod idle_memory;
mod latency;
mod presence;
mod recovery;
mod revocation;
mod storm;
mod storm_http2;
mod subscriptions;

use std::time::{Duration, Instant};

use crate::{
    Failure,
    client::{Entrance, Group, Path, settings},
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
    /// Of something that should be none.
    Count,
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

fn entrance(server: &Running, group: Group) -> Result<Entrance, Failure> {
    Ok(Entrance {
        address: server.address,
        tls: settings(group, server.certificate.clone())?,
        dialect: server.dialect.clone(),
        path: Path::Loopback,
        tokens: server.tokens.clone(),
    })
}
