//! How long a publication takes to its followers, calm and under storms, and that none is lost.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use memchr::memmem;

use super::{
    Figure, Spans, Unit, Work, count, entrance,
    fan_out::{Deliveries, Kind},
    storm::Storms,
};
use crate::{
    Failure,
    client::{Entrance, Group, Message, Purpose, Stage, Swarm, frame, must_be_open},
    server::Running,
    statistics::quantile,
};

pub(crate) struct Latency {
    pub(crate) followers: usize,
    /// Publications in a second.
    pub(crate) rate: u32,
    /// How long each weather is watched.
    pub(crate) span: Duration,
    /// Users that are taken back during the full storm.
    pub(crate) revoked: usize,
}

/// Names of p50, p99, p99.9 and the most in one weather.
pub(super) struct Weather(pub(super) [&'static str; 4]);

pub(super) const CALM: Weather = Weather(["calm p50", "calm p99", "calm p99.9", "calm most"]);
const HANDSHAKES: Weather = Weather([
    "handshakes p50",
    "handshakes p99",
    "handshakes p99.9",
    "handshakes most",
]);
const FULL: Weather = Weather(["storm p50", "storm p99", "storm p99.9", "storm most"]);

impl Work for Latency {
    fn name(&self) -> String {
        format!("latency-{}", self.followers)
    }

    fn title(&self) -> String {
        format!(
            "delivery to {} followers, {} publications a second",
            self.followers, self.rate
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn measure(&self, server: &Running, _: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        let mut watched = Watched::open(&entrance, self)?;
        watched.watch(Duration::from_millis(500))?;
        let mut figures = watched.weather(&CALM, self.span)?;

        let made = Arc::new(AtomicU64::new(0));
        let mut storms = Storms::default();
        storms.handshakes(entrance.clone(), made.clone());
        let begun = Instant::now();
        figures.extend(watched.weather(&HANDSHAKES, self.span)?);
        let each_second = made.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
        storms.end()?;
        figures.push(count("handshakes a second", each_second));

        let subjects: Vec<String> = (0..self.revoked).map(|it| format!("user-{it}")).collect();
        let mut leaving = Swarm::new()?;
        let users = entrance.open_for(&mut leaving, &subjects)?;
        let mut storms = Storms::default();
        storms.handshakes(entrance.clone(), made);
        storms.echo(entrance.clone());
        storms.slow_readers(entrance.clone());
        let admin = server.admin.clone().ok_or("no admin listener")?;
        storms.revocations(admin, subjects);
        figures.extend(watched.weather(&FULL, self.span)?);
        storms.end()?;
        figures.push(count(
            "revoked but open",
            still_open(&mut leaving, &users)? as f64,
        ));
        figures.push(count("lost", watched.lost as f64));
        Ok(figures)
    }
}

/// Followers whose deliveries are timed.
pub(super) struct Watched {
    swarm: Swarm,
    followers: Range<usize>,
    publisher: usize,
    deliveries: Deliveries,
    publication: Vec<u8>,
    every: Duration,
    /// When each was published, by its offset from the first on.
    published: Vec<Instant>,
    /// The offset of the last that each follower got.
    got: Vec<u64>,
    pub(super) lost: u64,
    /// Microseconds.
    taken: Vec<f64>,
}

impl Watched {
    pub(super) fn open(entrance: &Entrance, latency: &Latency) -> Result<Self, Failure> {
        let mut swarm = Swarm::new()?;
        let followers = entrance.open(&mut swarm, Purpose::Follow, latency.followers)?;
        let publisher = entrance.open(&mut swarm, Purpose::Publish, 1)?.start;
        let text = entrance.dialect.publish.replace("{data}", &"x".repeat(40));
        Ok(Self {
            deliveries: Deliveries::of(entrance),
            publication: frame(entrance.opcode(), text.as_bytes()),
            every: Duration::from_secs(1) / latency.rate.max(1),
            published: Vec::new(),
            got: vec![0; followers.len()],
            lost: 0,
            taken: Vec::new(),
            swarm,
            followers,
            publisher,
        })
    }

    /// Publishes at a steady rate, and notes what came how late.
    pub(super) fn weather(
        &mut self,
        weather: &Weather,
        span: Duration,
    ) -> Result<Vec<Figure>, Failure> {
        self.taken.clear();
        self.watch(span)?;
        self.taken.sort_by(f64::total_cmp);
        let parts = [0.5, 0.99, 0.999, 1.0];
        let figures = weather.0.iter().zip(parts).map(|(name, part)| {
            Ok(Figure {
                name,
                value: quantile(&self.taken, part).ok_or("nothing was delivered")?,
                unit: Unit::Microseconds,
                core: None,
            })
        });
        figures.collect()
    }

    pub(super) fn watch(&mut self, span: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut next = begun;
        while begun.elapsed() < span || self.is_waiting() {
            let now = Instant::now();
            if now.duration_since(begun) > span + Duration::from_secs(10) {
                // Whatever has not come by now is lost.
                let end = self.published.len() as u64;
                self.lost += self
                    .got
                    .iter()
                    .map(|got| end.saturating_sub(*got))
                    .sum::<u64>();
                return Ok(());
            }
            if now >= next && begun.elapsed() < span {
                next += self.every;
                self.published.push(Instant::now());
                let (socket, scratch) = self.swarm.socket(self.publisher)?;
                socket.send(scratch, &self.publication)?;
            }
            // The kernel's timer is coarse; the last millisecond is polled.
            let rest = next.saturating_duration_since(Instant::now());
            let ready = self
                .swarm
                .wait(rest.saturating_sub(Duration::from_millis(1)))?;
            for index in &ready {
                self.receive(*index)?;
            }
            self.swarm.done(ready);
        }
        Ok(())
    }

    fn is_waiting(&self) -> bool {
        let end = self.published.len() as u64;
        self.got.iter().any(|got| *got < end)
    }

    fn receive(&mut self, index: usize) -> Result<(), Failure> {
        let Self {
            swarm,
            followers,
            deliveries,
            published,
            got,
            lost,
            taken,
            ..
        } = self;
        let (socket, scratch) = swarm.socket(index)?;
        let now = Instant::now();
        let follower = index
            .checked_sub(followers.start)
            .and_then(|follower| got.get_mut(follower));
        let Some(got) = follower else {
            must_be_open(socket.ready(scratch, |_| ())?)?;
            return Ok(());
        };
        let stage = socket.ready(scratch, |message| {
            if !matches!(deliveries.kind(&message), Kind::Deliveries(1)) {
                return;
            }
            let offset = offset(&message).unwrap_or(0);
            *lost += offset.abs_diff(*got + 1);
            *got = offset;
            let place = usize::try_from(offset)
                .ok()
                .and_then(|it| it.checked_sub(1));
            if let Some(at) = place.and_then(|place| published.get(place)) {
                taken.push(now.duration_since(*at).as_secs_f64() * 1e6);
            }
        })?;
        must_be_open(stage)
    }
}

/// Of a publication's `"position":"epoch:offset"`. This run's channel is published to by nobody else, so that offsets
/// count publications from 1 on.
pub(super) fn offset(message: &Message<'_>) -> Option<u64> {
    const MEMBER: &[u8] = br#""position":""#;
    let start = memmem::find(message.payload, MEMBER)? + MEMBER.len();
    let position = message
        .payload
        .get(start..)?
        .split(|it| *it == b'"')
        .next()?;
    std::str::from_utf8(position)
        .ok()?
        .split_once(':')?
        .1
        .parse()
        .ok()
}

/// How many of these sockets the server has not closed ten seconds from now.
fn still_open(swarm: &mut Swarm, sockets: &Range<usize>) -> Result<usize, Failure> {
    let mut open: Vec<usize> = sockets.clone().collect();
    let begun = Instant::now();
    loop {
        let mut left = Vec::new();
        for index in open {
            let (socket, scratch) = swarm.socket(index)?;
            let mut closed = false;
            let stage = socket.ready(scratch, |message| closed |= message.opcode == 8)?;
            if !closed && stage != Stage::Closed {
                left.push(index);
            }
        }
        open = left;
        if open.is_empty() || begun.elapsed() > Duration::from_secs(10) {
            return Ok(open.len());
        }
        let ready = swarm.wait(Duration::from_millis(100))?;
        swarm.done(ready);
    }
}
