//! Opening sockets: so many at once, each greeted as the server's dialect wants it.

use std::{
    net::SocketAddr,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use memchr::memmem;
use rustls::ClientConfig;
use wardwire_protocol::handshake;

use super::{
    frames::{BINARY, CLOSE, Message, TEXT, frame},
    pusher,
    socket::{Path, Stage},
    swarm::Swarm,
};
use crate::{Failure, dialect::Dialect, server::Tokens};

/// What a socket is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Echo,
    Follow,
    Publish,
}

/// Where a server is entered, and with what.
#[derive(Clone)]
pub(crate) struct Entrance {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) dialect: Dialect,
    pub(crate) path: Path,
    /// For a server that asks for proof.
    pub(crate) tokens: Option<Arc<Tokens>>,
}

/// Handshakes at once.
const AT_ONCE: usize = 64;
/// For so long nothing may happen while sockets are opened.
const PATIENCE: Duration = Duration::from_secs(20);

impl Entrance {
    pub(crate) fn to(&self) -> (SocketAddr, Path) {
        (self.address, self.path)
    }

    /// The head of a handshake, with a token of its own.
    pub(crate) fn head(&self, purpose: Purpose) -> Result<Box<[u8]>, Failure> {
        self.head_of("load", purpose)
    }

    /// The same for a user by name.
    pub(crate) fn head_of(&self, subject: &str, purpose: Purpose) -> Result<Box<[u8]>, Failure> {
        let dialect = &self.dialect;
        let path = dialect.path.as_ref().unwrap_or(match purpose {
            Purpose::Echo => &dialect.echo_path,
            Purpose::Follow => &dialect.follow_path,
            Purpose::Publish => &dialect.publish_path,
        });
        let bearer = match &self.tokens {
            Some(tokens) => Some(format!("Bearer {}", tokens.mint(subject)?)),
            None => None,
        };
        let mut fields: Vec<(&str, &str)> = Vec::new();
        fields.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        // The echo route of Wardwire speaks no subprotocol.
        let subprotocol = dialect
            .subprotocol
            .as_deref()
            .filter(|_| purpose != Purpose::Echo);
        fields.extend(subprotocol.map(|name| ("Sec-WebSocket-Protocol", name)));
        fields.extend(dialect.head.iter().map(|(name, value)| (&**name, &**value)));
        let head = handshake::request_head("localhost", path, *b"a nonce of load.", &fields);
        Ok(head.into_bytes().into())
    }

    /// Opens `count` further sockets of the swarm and waits until each is ready for its purpose.
    pub(crate) fn open(
        &self,
        swarm: &mut Swarm,
        purpose: Purpose,
        count: usize,
    ) -> Result<Range<usize>, Failure> {
        let new = self.admit(swarm, purpose, count)?;
        self.greet(swarm, new.clone(), purpose)?;
        Ok(new)
    }

    /// Opens `count` sockets that say nothing.
    pub(crate) fn admit(
        &self,
        swarm: &mut Swarm,
        purpose: Purpose,
        count: usize,
    ) -> Result<Range<usize>, Failure> {
        self.begin(swarm, count, Stage::Open, || self.head(purpose).map(Some))
    }

    /// Opens a socket for each of these users.
    pub(crate) fn open_for(
        &self,
        swarm: &mut Swarm,
        subjects: &[String],
    ) -> Result<Range<usize>, Failure> {
        let mut subjects_left = subjects.iter();
        self.begin(swarm, subjects.len(), Stage::Open, || {
            let subject = subjects_left.next().ok_or("too few users")?;
            self.head_of(subject, Purpose::Follow).map(Some)
        })
    }

    /// Opens `count` sockets that have done TLS and ask nothing.
    pub(crate) fn secure(&self, swarm: &mut Swarm, count: usize) -> Result<Range<usize>, Failure> {
        self.begin(swarm, count, Stage::Secured, || Ok(None))
    }

    /// Asks for the upgrade of sockets that have done TLS, and waits for every answer.
    pub(crate) fn upgrade(
        &self,
        swarm: &mut Swarm,
        sockets: Range<usize>,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let mut open = Once::each(sockets.clone());
        for index in sockets {
            let head = self.head(purpose)?;
            let (socket, scratch) = swarm.socket(index)?;
            socket.ask(scratch, &head)?;
        }
        watch(swarm, |swarm, index| {
            let (socket, scratch) = swarm.socket(index)?;
            let stage = socket.ready(scratch, |_| ())?;
            if stage == Stage::Open {
                open.note(index);
            }
            Ok(open.all())
        })
    }

    /// Says what the dialect wants said first, and waits for the answers.
    ///
    /// Where a follower's greeting begins with the publisher's, that opens a session, and must be answered before the rest
    /// is said.
    pub(crate) fn greet(
        &self,
        swarm: &mut Swarm,
        sockets: Range<usize>,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let Dialect {
            greeting,
            ready,
            publisher_greeting: opening,
            publisher_ready: opened,
            ..
        } = &self.dialect;
        if let Some(pusher) = &self.dialect.pusher {
            self.await_names(swarm, sockets.clone())?;
            let subscribe = |id: &str| vec![pusher.subscribe(id)];
            return self.say(swarm, sockets, subscribe, ready.as_deref());
        }
        let mut say = |messages: &[String], ready: &Option<String>| {
            let messages = |_: &str| messages.to_vec();
            self.say(swarm, sockets.clone(), messages, ready.as_deref())
        };
        match purpose {
            Purpose::Echo => Ok(()),
            Purpose::Publish => say(opening, opened),
            Purpose::Follow => match greeting.strip_prefix(opening.as_slice()) {
                Some(rest) if !opening.is_empty() => {
                    say(opening, opened)?;
                    say(rest, ready)
                }
                _ => say(greeting, ready),
            },
        }
    }

    /// Waits until the server has given each socket a name.
    fn await_names(&self, swarm: &mut Swarm, sockets: Range<usize>) -> Result<(), Failure> {
        let mut named = Once::each(sockets.clone());
        for index in sockets {
            if swarm.socket(index)?.0.id.is_some() {
                named.note(index);
            }
        }
        if named.all() {
            return Ok(());
        }
        watch(swarm, |swarm, index| {
            must_be_open(receive_name(swarm, index)?)?;
            if swarm.socket(index)?.0.id.is_some() {
                named.note(index);
            }
            Ok(named.all())
        })
    }

    /// Sends messages from each socket, by the name that it was given, and waits until each was sent one that holds `ready`.
    fn say(
        &self,
        swarm: &mut Swarm,
        sockets: Range<usize>,
        messages: impl Fn(&str) -> Vec<String>,
        ready: Option<&str>,
    ) -> Result<(), Failure> {
        let opcode = self.opcode();
        for index in sockets.clone() {
            let (socket, scratch) = swarm.socket(index)?;
            socket.frames.keeps = true;
            let frames: Vec<u8> = messages(socket.id.as_deref().unwrap_or_default())
                .iter()
                .flat_map(|text| frame(opcode, text.as_bytes()))
                .collect();
            if !frames.is_empty() {
                socket.send(scratch, &frames)?;
            }
        }
        let Some(ready) = ready.map(memmem::Finder::new) else {
            return Ok(());
        };
        let mut answered = Once::each(sockets);
        watch(swarm, |swarm, index| {
            let mut stands = false;
            let (socket, scratch) = swarm.socket(index)?;
            let stage = socket.ready(scratch, |message| {
                stands |= ready.find(message.payload).is_some();
            })?;
            must_be_open(stage)?;
            if stands {
                answered.note(index);
            }
            Ok(answered.all())
        })
    }

    /// Text or binary.
    pub(crate) fn opcode(&self) -> u8 {
        match self.dialect.binary {
            true => BINARY,
            false => TEXT,
        }
    }

    fn begin(
        &self,
        swarm: &mut Swarm,
        count: usize,
        wanted: Stage,
        mut head: impl FnMut() -> Result<Option<Box<[u8]>>, Failure>,
    ) -> Result<Range<usize>, Failure> {
        let start = swarm.len();
        let end = start + count;
        let mut begin =
            |swarm: &mut Swarm, index| swarm.connect(index, self.to(), self.tls.clone(), head()?);
        let mut next = (start + AT_ONCE).min(end);
        for index in start..next {
            begin(swarm, index)?;
        }
        let mut there = Once::each(start..end);
        if count > 0 {
            watch(swarm, |swarm, index| {
                let stage = receive_name(swarm, index)?;
                if stage == Stage::Closed {
                    return Err("the server closed a socket that was being opened".into());
                }
                if stage == wanted && there.note(index) && next < end {
                    begin(swarm, next)?;
                    next += 1;
                }
                Ok(there.all())
            })?;
        }
        Ok(start..end)
    }
}

/// Serves a socket to which nothing else is said yet than what it is called.
fn receive_name(swarm: &mut Swarm, index: usize) -> Result<Stage, Failure> {
    let (socket, scratch) = swarm.socket(index)?;
    let mut id = None;
    let stage = socket.ready(scratch, |message| id = pusher::id(message.payload))?;
    if id.is_some() {
        socket.id = id;
    }
    Ok(stage)
}

/// Something that must happen to each socket.
struct Once {
    start: usize,
    happened: Vec<bool>,
    left: usize,
}

impl Once {
    fn each(sockets: Range<usize>) -> Self {
        Self {
            start: sockets.start,
            happened: vec![false; sockets.len()],
            left: sockets.len(),
        }
    }

    /// Whether it is the first time for this socket, which is one of those.
    fn note(&mut self, index: usize) -> bool {
        let place = index.checked_sub(self.start);
        let happened = place.and_then(|place| self.happened.get_mut(place));
        let first = happened.is_some_and(|happened| !std::mem::replace(happened, true));
        self.left -= usize::from(first);
        first
    }

    fn all(&self) -> bool {
        self.left == 0
    }
}

/// Serves ready sockets until `serve` says that it is over.
pub(crate) fn watch(
    swarm: &mut Swarm,
    mut serve: impl FnMut(&mut Swarm, usize) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let mut last = Instant::now();
    let mut over = false;
    while !over {
        let ready = swarm.wait(Duration::from_secs(1))?;
        if !ready.is_empty() {
            last = Instant::now();
        } else if last.elapsed() > PATIENCE {
            return Err("the server has said nothing for 20 seconds".into());
        }
        for index in &ready {
            // The rest of the list is served too: readiness is told once.
            over |= serve(swarm, *index)?;
        }
        swarm.done(ready);
    }
    Ok(())
}

/// A work whose sockets are closed measures something else.
pub(crate) fn must_be_open(stage: Stage) -> Result<(), Failure> {
    match stage {
        Stage::Open => Ok(()),
        other => Err(format!("the server let go of a socket ({other:?})").into()),
    }
}

/// The opcode of a close frame ends a work.
pub(crate) fn is_close(message: &Message<'_>) -> bool {
    message.opcode == CLOSE
}
