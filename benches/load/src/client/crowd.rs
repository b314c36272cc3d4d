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
    socket::Stage,
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
    /// For a server that asks for proof.
    pub(crate) tokens: Option<Arc<Tokens>>,
}

/// Handshakes at once.
const AT_ONCE: usize = 64;
/// For so long nothing may happen while sockets are opened.
const PATIENCE: Duration = Duration::from_secs(20);

impl Entrance {
    /// The head of a handshake, with a token of its own.
    pub(crate) fn head(&self, purpose: Purpose) -> Result<Box<[u8]>, Failure> {
        let dialect = &self.dialect;
        let path = dialect.path.as_ref().unwrap_or(match purpose {
            Purpose::Echo => &dialect.echo_path,
            Purpose::Follow => &dialect.follow_path,
            Purpose::Publish => &dialect.publish_path,
        });
        let bearer = match &self.tokens {
            Some(tokens) => Some(format!("Bearer {}", tokens.mint("load")?)),
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
        let new = self.begin(swarm, count, Stage::Open, || self.head(purpose).map(Some))?;
        self.greet(swarm, new.clone(), purpose)?;
        Ok(new)
    }

    /// Opens `count` sockets that have done TLS and ask nothing.
    pub(crate) fn secure(&self, swarm: &mut Swarm, count: usize) -> Result<Range<usize>, Failure> {
        self.begin(swarm, count, Stage::Secured, || Ok(None))
    }

    /// Says what the dialect wants said first, and waits for the answers.
    pub(crate) fn greet(
        &self,
        swarm: &mut Swarm,
        sockets: Range<usize>,
        purpose: Purpose,
    ) -> Result<(), Failure> {
        let dialect = &self.dialect;
        let (greeting, ready) = match purpose {
            Purpose::Echo => return Ok(()),
            Purpose::Follow => (&dialect.greeting, &dialect.ready),
            Purpose::Publish => (&dialect.publisher_greeting, &dialect.publisher_ready),
        };
        let opcode = self.opcode();
        let said: Vec<u8> = greeting
            .iter()
            .flat_map(|text| frame(opcode, text.as_bytes()))
            .collect();
        let awaited = ready.as_ref().map(|ready| memmem::Finder::new(ready));
        for index in sockets.clone() {
            let (socket, scratch) = swarm.socket(index)?;
            socket.frames.keeps = true;
            if !said.is_empty() {
                socket.send(scratch, &said)?;
            }
        }
        let Some(awaited) = awaited else {
            return Ok(());
        };
        let mut waiting = vec![true; sockets.len()];
        let mut left = sockets.len();
        watch(swarm, |swarm, index| {
            let mut stands = false;
            let (socket, scratch) = swarm.socket(index)?;
            let stage = socket.ready(scratch, |message| {
                stands |= awaited.find(message.payload).is_some();
            })?;
            must_be_open(stage)?;
            let place = index
                .checked_sub(sockets.start)
                .and_then(|index| waiting.get_mut(index));
            if let Some(place) = place.filter(|place| **place && stands) {
                *place = false;
                left -= 1;
            }
            Ok(left == 0)
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
        let mut begin = |swarm: &mut Swarm, index| {
            swarm.connect(index, self.address, self.tls.clone(), head()?)
        };
        let mut next = (start + AT_ONCE).min(end);
        for index in start..next {
            begin(swarm, index)?;
        }
        let mut there = vec![false; count];
        let mut left = count;
        if count > 0 {
            watch(swarm, |swarm, index| {
                let (socket, scratch) = swarm.socket(index)?;
                let stage = socket.ready(scratch, |_| ())?;
                if stage == Stage::Closed {
                    return Err("the server closed a socket that was being opened".into());
                }
                let place = index
                    .checked_sub(start)
                    .and_then(|index| there.get_mut(index));
                if let Some(place) = place.filter(|place| !**place && stage == wanted) {
                    *place = true;
                    left -= 1;
                    if next < end {
                        begin(swarm, next)?;
                        next += 1;
                    }
                }
                Ok(left == 0)
            })?;
        }
        Ok(start..end)
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
