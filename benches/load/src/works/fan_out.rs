//! One publisher, many followers.

use std::{ops::Range, time::Duration};

use memchr::memmem::Finder;

use super::{Figure, Spans, Work, entrance, rate};
use crate::{
    Failure,
    client::{Entrance, Group, Message, Purpose, Swarm, frame, must_be_open, watch},
    server::Running,
};

pub(crate) struct FanOut {
    pub(crate) followers: usize,
    /// The next publication goes out when all followers have got the one so many before it.
    pub(crate) in_flight: usize,
}

/// What a follower is sent, envelope and all: the same for every server. Wardwire's envelope (channel, position, sender)
/// is 117 of it.
pub(crate) const LENGTH: usize = 160;

impl Work for FanOut {
    fn name(&self) -> String {
        format!("fan-out-{}-{}", self.followers, self.in_flight)
    }

    fn title(&self) -> String {
        format!(
            "fan-out to {}, {LENGTH} B, {} in flight",
            self.followers, self.in_flight
        )
    }

    fn takes(&self) -> Option<&'static str> {
        Some("fan-out")
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let entrance = entrance(server, Group::X25519)?;
        Ok(vec![self.through(&entrance, server, spans)?])
    }
}

impl FanOut {
    /// Measures it through the channel that this dialect speaks of.
    pub(super) fn through(
        &self,
        entrance: &Entrance,
        server: &Running,
        spans: Spans,
    ) -> Result<Figure, Failure> {
        let mut swarm = Swarm::new()?;
        let followers = entrance.open(&mut swarm, Purpose::Follow, self.followers)?;
        let publisher = entrance.open(&mut swarm, Purpose::Publish, 1)?.start;
        let publication = fitting(entrance, &mut swarm, &followers, publisher)?;
        let mut window = Window::new(self.followers, self.in_flight);
        let deliveries = Deliveries::of(entrance);
        let mut burst = Vec::new();
        rate(server, spans, || {
            let more = window.opened();
            if more > 0 {
                burst.clear();
                (0..more).for_each(|_| burst.extend_from_slice(&publication));
                let (socket, scratch) = swarm.socket(publisher)?;
                socket.send(scratch, &burst)?;
            }
            let ready = swarm.wait_awake(Duration::from_secs(1))?;
            let mut done = 0;
            for index in &ready {
                let (socket, scratch) = swarm.socket(*index)?;
                let mut delivered = 0;
                let mut asked = 0;
                let stage = socket.ready(scratch, |message| match deliveries.kind(&message) {
                    Kind::Deliveries(count) => delivered += count,
                    Kind::KeepAlive => asked += 1,
                    Kind::Other => {}
                })?;
                must_be_open(stage)?;
                if asked > 0 {
                    socket.send(scratch, &deliveries.answer)?;
                }
                if followers.contains(index) {
                    window.deliver(*index - followers.start, delivered)?;
                    done += delivered;
                }
            }
            swarm.done(ready);
            Ok(done)
        })
    }
}

/// Tells deliveries from what else a follower is sent.
pub(crate) struct Deliveries {
    delivery: Option<Finder<'static>>,
    keep_alive: Option<Finder<'static>>,
    answer: Vec<u8>,
}

pub(crate) enum Kind {
    /// So many; a server may put several into one message.
    Deliveries(u64),
    /// Something that must be answered.
    KeepAlive,
    Other,
}

impl Deliveries {
    pub(crate) fn of(entrance: &Entrance) -> Self {
        let dialect = &entrance.dialect;
        let finder = |text: &String| Finder::new(text).into_owned();
        let keep_alive = dialect.keep_alive.as_ref();
        Self {
            delivery: dialect.delivery.as_ref().map(finder),
            keep_alive: keep_alive.map(|it| finder(&it.ask)),
            answer: keep_alive
                .map(|it| frame(entrance.opcode(), it.answer.as_bytes()))
                .unwrap_or_default(),
        }
    }

    pub(crate) fn kind(&self, message: &Message<'_>) -> Kind {
        if message.opcode >= 8 {
            return Kind::Other;
        }
        let holds = |finder: &Finder<'_>| finder.find(message.payload).is_some();
        match (&self.delivery, &self.keep_alive) {
            (_, Some(ask)) if holds(ask) => Kind::KeepAlive,
            (Some(delivery), _) => match delivery.find_iter(message.payload).count() {
                0 => Kind::Other,
                count => Kind::Deliveries(count as u64),
            },
            (None, _) => Kind::Deliveries(1),
        }
    }
}

/// A publication of which each follower is sent [`LENGTH`] bytes. Asked of the server, whose envelope it is: a first
/// publication tells how long that is.
fn fitting(
    entrance: &Entrance,
    swarm: &mut Swarm,
    followers: &Range<usize>,
    publisher: usize,
) -> Result<Vec<u8>, Failure> {
    let publication = |data: usize| {
        let publish = &entrance.dialect.publish;
        let text = publish
            .replace("{length}", &data.to_string())
            .replace("{data}", &"x".repeat(data));
        frame(entrance.opcode(), text.as_bytes())
    };
    let try_out = |swarm: &mut Swarm, data: usize| {
        let (socket, scratch) = swarm.socket(publisher)?;
        socket.send(scratch, &publication(data))?;
        let deliveries = Deliveries::of(entrance);
        let mut length = 0;
        let mut left = followers.len();
        watch(swarm, |swarm, index| {
            let (socket, scratch) = swarm.socket(index)?;
            let stage = socket.ready(scratch, |message| {
                let delivered = matches!(deliveries.kind(&message), Kind::Deliveries(_));
                if delivered && followers.contains(&index) {
                    length = message.length as usize;
                    left = left.saturating_sub(1);
                }
            })?;
            must_be_open(stage)?;
            Ok(left == 0)
        })?;
        Ok::<_, Failure>(length)
    };
    const FIRST: usize = 16;
    let length = try_out(swarm, FIRST)?;
    let data = (FIRST + LENGTH)
        .checked_sub(length)
        .ok_or_else(|| format!("its envelope is longer than {LENGTH} bytes"))?;
    let length = try_out(swarm, data)?;
    match length.abs_diff(LENGTH) <= 2 {
        true => Ok(publication(data)),
        false => Err(format!("a delivery is {length} bytes, not {LENGTH}").into()),
    }
}

/// Which publications all followers have got.
struct Window {
    in_flight: u64,
    /// How many each follower has got.
    got: Vec<u64>,
    /// How many followers have got a publication, in a ring.
    reached: Vec<usize>,
    published: u64,
    complete: u64,
}

impl Window {
    fn new(followers: usize, in_flight: usize) -> Self {
        Self {
            in_flight: in_flight as u64,
            got: vec![0; followers],
            reached: vec![0; in_flight.max(1)],
            published: 0,
            complete: 0,
        }
    }

    /// How many publications may go out now. They count as gone.
    fn opened(&mut self) -> u64 {
        let more = self.complete + self.in_flight - self.published;
        self.published += more;
        more
    }

    fn deliver(&mut self, follower: usize, delivered: u64) -> Result<(), Failure> {
        let followers = self.got.len();
        let got = self.got.get_mut(follower).ok_or("no such follower")?;
        let ring = self.reached.len() as u64;
        for number in *got..*got + delivered {
            if number >= self.published {
                return Err("a follower got more than was published".into());
            }
            let place = usize::try_from(number % ring)?;
            let reached = self.reached.get_mut(place).ok_or("no such publication")?;
            *reached += 1;
            if *reached == followers {
                *reached = 0;
                self.complete += 1;
            }
        }
        *got += delivered;
        Ok(())
    }
}
