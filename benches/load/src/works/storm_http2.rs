//! How long a publication takes to sockets of others while one client floods the same core with HTTP/2: streams that are
//! opened to be reset, and ordinary requests, as many as are answered, from here and from nghttp2's `h2load`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    Figure, Spans, Work, count, entrance,
    latency::{CALM, Latency, Watched, Weather},
    storm::Storms,
};
use crate::{Failure, client::Group, server::Running};

pub(crate) struct StormHttp2 {
    pub(crate) followers: usize,
    /// Publications in a second.
    pub(crate) rate: u32,
    /// How long each weather is watched.
    pub(crate) span: Duration,
}

const RESETS: Weather = Weather(["resets p50", "resets p99", "resets p99.9", "resets most"]);
const REQUESTS: Weather = Weather([
    "requests p50",
    "requests p99",
    "requests p99.9",
    "requests most",
]);

const H2LOAD: Weather = Weather(["h2load p50", "h2load p99", "h2load p99.9", "h2load most"]);

impl Work for StormHttp2 {
    fn name(&self) -> String {
        "storm-h2".to_owned()
    }

    fn title(&self) -> String {
        format!(
            "delivery to {} followers, {} publications a second, under floods of HTTP/2",
            self.followers, self.rate
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        let latency = Latency {
            followers: self.followers,
            rate: self.rate,
            span: self.span,
            revoked: 0,
        };
        let mut watched = Watched::open(&entrance, &latency)?;
        watched.watch(Duration::from_millis(500))?;
        let mut figures = watched.weather(&CALM, self.span)?;

        let (resets, ended) = (Arc::default(), Arc::default());
        let mut storms = Storms::default();
        storms.rapid_resets(entrance.clone(), Arc::clone(&resets), Arc::clone(&ended));
        let begun = Instant::now();
        figures.extend(watched.weather(&RESETS, self.span)?);
        figures.push(a_second("resets a second", &resets, begun));
        figures.push(a_second("connections ended a second", &ended, begun));
        storms.end()?;

        let answered = Arc::default();
        let mut storms = Storms::default();
        storms.requests(entrance.clone(), Arc::clone(&answered));
        let begun = Instant::now();
        figures.extend(watched.weather(&REQUESTS, self.span)?);
        figures.push(a_second("requests a second", &answered, begun));
        storms.end()?;

        let answered = Arc::default();
        let mut storms = Storms::default();
        storms.h2load(entrance, self.span, Arc::clone(&answered));
        let begun = Instant::now();
        figures.extend(watched.weather(&H2LOAD, self.span)?);
        storms.end()?;
        figures.push(a_second("h2load's requests a second", &answered, begun));
        figures.push(count("lost", watched.lost as f64));
        Ok(figures)
    }
}

fn a_second(name: &'static str, counted: &AtomicU64, since: Instant) -> Figure {
    let counted = counted.load(Ordering::Relaxed) as f64;
    count(name, counted / since.elapsed().as_secs_f64())
}
