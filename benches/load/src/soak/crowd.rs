//! Sockets that all follow one channel and take turns at publishing to it, so that each reads and writes all the time.

use std::time::{Duration, Instant};

use memchr::memmem;

use crate::{
    Failure,
    client::{Entrance, Group, Message, Path, Purpose, Stage, Swarm, frame, is_close, settings},
    server::Running,
};

pub(super) struct Crowd {
    swarm: Swarm,
    publication: Vec<u8>,
    sockets: usize,
    /// When each was published, by its offset from the first on.
    published: Vec<Instant>,
    /// Each socket's last offset. None of one that was dropped.
    got: Vec<Option<u64>>,
    pub(super) delivered: u64,
    pub(super) dropped: u64,
    pub(super) lost: u64,
    /// Microseconds, of every so many deliveries.
    pub(super) taken: Vec<f64>,
}

/// Publications in a second: each is a delivery to every socket.
const RATE: u32 = 4;
/// One delivery of so many is timed.
const TIMED: u64 = 97;
/// After the last publication, for what is still on its way.
const PATIENCE: Duration = Duration::from_secs(20);

impl Crowd {
    pub(super) fn open(server: &Running, sockets: usize) -> Result<Self, Failure> {
        let entrance = Entrance {
            address: server.address,
            tls: settings(Group::X25519, server.certificate.clone())?,
            dialect: server.dialect.clone(),
            path: Path::Loopback,
            tokens: server.tokens.clone(),
        };
        let mut swarm = Swarm::new()?;
        entrance.open(&mut swarm, Purpose::Follow, sockets)?;
        let text = entrance.dialect.publish.replace("{data}", &"x".repeat(40));
        Ok(Self {
            swarm,
            publication: frame(entrance.opcode(), text.as_bytes()),
            sockets,
            published: Vec::new(),
            got: vec![Some(0); sockets],
            delivered: 0,
            dropped: 0,
            lost: 0,
            taken: Vec::new(),
        })
    }

    /// Publishes at a steady pace for so long, and reads what comes.
    pub(super) fn watch(&mut self, span: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut next = begun;
        while begun.elapsed() < span {
            if Instant::now() >= next {
                next += Duration::from_secs(1) / RATE;
                self.publish()?;
            }
            self.turn(next.saturating_duration_since(Instant::now()))?;
        }
        Ok(())
    }

    /// Waits for what is on its way. Whatever has not come then is lost.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        let end = self.published.len() as u64;
        let is_waiting = |got: &[Option<u64>]| got.iter().flatten().any(|got| *got < end);
        while is_waiting(&self.got) && begun.elapsed() < PATIENCE {
            self.turn(Duration::from_millis(100))?;
        }
        self.lost += self.got.iter().flatten().map(|got| end - *got).sum::<u64>();
        Ok(())
    }

    /// By the next whose turn it is.
    fn publish(&mut self) -> Result<(), Failure> {
        let index = self.published.len() % self.sockets;
        if self.got.get(index).is_some_and(Option::is_none) {
            return Ok(());
        }
        self.published.push(Instant::now());
        let (socket, scratch) = self.swarm.socket(index)?;
        socket.send(scratch, &self.publication)
    }

    fn turn(&mut self, wait: Duration) -> Result<(), Failure> {
        let ready = self.swarm.wait(wait)?;
        for index in &ready {
            self.receive(*index)?;
        }
        self.swarm.done(ready);
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Result<(), Failure> {
        let Some(Some(mut got)) = self.got.get(index).copied() else {
            return Ok(());
        };
        let now = Instant::now();
        let (socket, scratch) = self.swarm.socket(index)?;
        let (mut closed, mut gaps, mut came) = (false, 0, 0);
        let (published, taken) = (&self.published, &mut self.taken);
        let stage = socket.ready(scratch, |message| {
            closed |= is_close(&message);
            let Some(offset) = offset(&message) else {
                return;
            };
            gaps += offset.abs_diff(got + 1);
            got = offset;
            came += 1;
            let at = usize::try_from(offset - 1).ok();
            if let Some(at) = at.and_then(|at| published.get(at))
                && (offset + index as u64).is_multiple_of(TIMED)
            {
                taken.push(now.saturating_duration_since(*at).as_secs_f64() * 1e6);
            }
        });
        self.lost += gaps;
        self.delivered += came;
        // A connection that breaks off is one that was dropped.
        let is_gone = closed || !matches!(stage, Ok(Stage::Open));
        if is_gone {
            self.dropped += 1;
        }
        if let Some(place) = self.got.get_mut(index) {
            *place = (!is_gone).then_some(got);
        }
        Ok(())
    }
}

/// Of a publication: its position is `epoch:offset`, and offsets count from 1 on. Answers to calls have a position too.
fn offset(message: &Message<'_>) -> Option<u64> {
    const MEMBER: &[u8] = br#""position":""#;
    memmem::find(message.payload, br#""method":"publication""#)?;
    let start = memmem::find(message.payload, MEMBER)? + MEMBER.len();
    let rest = message.payload.get(start..)?;
    let position = rest.split(|it| *it == b'"').next()?;
    let (_, offset) = std::str::from_utf8(position).ok()?.split_once(':')?;
    offset.parse().ok().filter(|offset| *offset > 0)
}
