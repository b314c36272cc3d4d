//! Channels: who may do what in them, what is kept, and how a publication reaches everybody who follows.
//!
//! A [`Member`] is one socket's place here. [`guard`] clears what it publishes, the engine gives it a position, and it goes,
//! encoded once, to the [`mailbox`] of every event loop with followers. A loop's [`fanout`] brings it to its sockets, and an
//! [`outbox`] keeps what a slow one has not taken. A channel lives while somebody follows it or something of it is kept.
//! Nothing here knows a transport.

mod audience;
mod backend;
mod batch;
mod channel;
pub mod content;
mod directory;
pub mod engine;
pub mod fanout;
pub mod guard;
mod join;
pub mod mailbox;
mod member;
mod once;
pub mod outbox;
mod publish;
pub mod rates;
pub mod rights;
mod sync;

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use wardwire_admission::principal::Principal;
use wardwire_protocol::{channel::ChannelName, deflate::Encoding};

use audience::{Audience, Board};
pub use backend::Backend;
use channel::{Channel, Loops};
use content::Violation;
use directory::Directory;
pub use engine::Position;
use engine::{
    Answer, Engine, EngineError, Keep, Limit, Page, Present, Range, Sink, memory::Memory,
};
use fanout::{Fanout, SocketKey};
pub use join::{Seat, Subscribed};
use mailbox::Mailbox;
pub use member::Member;
pub use once::PublicationId;
pub use publish::Published;
use rates::{Rate, Rates};
use rights::{ChannelRule, ChannelRules, Standing};

/// The channels of a server.
pub struct Hub {
    /// Members have a share of their own, so that no message asks for it.
    rules: RwLock<Arc<Rules>>,
    engine: Arc<dyn Engine>,
    /// Locked before any channel's own lock, never after.
    channels: RwLock<Directory>,
    /// What channels have taken of late.
    rates: Rates,
    /// What identities have asked of late.
    identities: Rates,
    /// Numbers given to channels and sockets so far.
    numbers: AtomicU64,
    loops: Arc<Loops>,
    /// Channels of which it is to be told who came and went.
    board: Arc<Board>,
    /// How often a socket did not fit among those who are present.
    turned_away: AtomicU64,
}

/// Who may do what in which channel, and what that may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The most specific that a channel fits decides.
    pub channels: ChannelRules,
    /// Only those of channels and subscriptions can change while it runs.
    pub limits: HubLimits,
}

/// What the channels may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubLimits {
    /// Channels that live at once.
    pub channels: usize,
    /// Of these, the most that one subject opened, so that nobody can take the room of all others.
    pub channels_per_subject: usize,
    /// Subscriptions of one socket.
    pub subscriptions: usize,
    /// Bytes of history kept of all channels together. Beyond it, a channel that grows loses its own oldest.
    pub history: usize,
    /// Bytes of missed publications sent to one subscriber at once.
    pub recovery: usize,
    /// Bytes of publications on their way to one loop. Beyond it, publishers are told to slow down.
    pub mailbox: usize,
    /// What all sockets of one identity may ask together.
    pub identity: Rate,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            channels: 100_000,
            channels_per_subject: 10_000,
            subscriptions: 128,
            history: 256 * 1024 * 1024,
            recovery: 256 * 1024,
            mailbox: 16 * 1024 * 1024,
            identity: Rate::default(),
        }
    }
}

/// Why a socket did not get what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// No right, or no such channel.
    #[error("not allowed")]
    Forbidden,
    /// Too many channels or subscriptions.
    #[error("a limit is reached")]
    Limit,
    /// Subscribed already, or not at all.
    #[error("already, or not, subscribed")]
    Subscription,
    /// A loop has more publications than it can take, or the engine is full or does not answer: worth another try, later.
    #[error("too much at once")]
    Busy,
    /// The channel, or whoever it is, has had enough for now. The time after which it is not so.
    #[error("too much of late")]
    Rate(Duration),
    /// It is larger than the channel takes in one go: it never will.
    #[error("larger than the channel takes")]
    TooLarge,
    /// It is not what the channel takes.
    #[error("not what the channel takes")]
    Invalid(Violation),
}

impl From<EngineError> for HubError {
    fn from(_: EngineError) -> Self {
        Self::Busy
    }
}

impl Hub {
    /// A hub in memory, in which these rules hold, and each of so many loops' sides of it.
    #[must_use]
    pub fn new(rules: Rules, loops: usize) -> (Arc<Self>, Vec<Fanout>) {
        let engine = Memory::new(rules.limits.history);
        Self::with(Arc::new(engine), rules, loops)
    }

    /// A hub whose publications live in this engine.
    #[must_use]
    pub fn with(engine: Arc<dyn Engine>, rules: Rules, loops: usize) -> (Arc<Self>, Vec<Fanout>) {
        let most = rules.limits.mailbox;
        let mailboxes: Box<[_]> = (0..loops).map(|_| Arc::new(Mailbox::new(most))).collect();
        let sides = mailboxes.iter().cloned().enumerate();
        let sides = sides.map(|(number, mailbox)| Fanout::new(number, mailbox));
        let sides = sides.collect();
        let hub = Arc::new(Self {
            rules: RwLock::new(Arc::new(rules)),
            engine,
            channels: RwLock::default(),
            rates: Rates::default(),
            identities: Rates::default(),
            numbers: AtomicU64::new(0),
            loops: Arc::new(Loops {
                process: RandomState::new().hash_one("process"),
                mailboxes,
                keys: RandomState::new(),
            }),
            board: Arc::default(),
            turned_away: AtomicU64::new(0),
        });
        (hub, sides)
    }

    /// Gives a socket its place. What it follows comes to it in this encoding, if it agreed on one.
    #[must_use]
    pub fn join(
        self: &Arc<Self>,
        principal: Principal,
        socket: SocketKey,
        encoding: Option<Encoding>,
    ) -> Member {
        Member::new(self.clone(), socket, encoding, principal)
    }

    /// Puts other rules in the place of those before. They hold for whoever joins from now on, and for each member from when
    /// it is [judged anew](Member::rejudge). False if they are the same.
    pub fn reload(&self, rules: Rules) -> bool {
        let rules = Arc::new(rules);
        let before = std::mem::replace(&mut *self.rules.write(), rules.clone());
        *before != *rules
    }

    /// Keeps of each channel what the rules say now. Called once every member was judged anew, so that nobody opens a channel
    /// by the rules before.
    pub fn settle(&self, now: Instant) {
        let rules = self.rules();
        let all: Vec<Arc<Channel>> = self.channels.read().all();
        for channel in all {
            let rule = rules.channels.rule(&channel.name);
            let keep = rule.map_or_else(Keep::default, ChannelRule::keep);
            channel.keep(keep, now);
            self.tidy(&channel, now);
        }
    }

    /// Tells who came and who went. Called several times a second: nobody is told of one channel more often than once a second.
    pub fn tell(&self, now: Instant) {
        self.board.tell(now);
    }

    /// Who is in a channel.
    fn audience<'a>(&self, channel: &'a Channel) -> &'a Arc<Audience> {
        channel.audience_or(|| {
            let (engine, loops) = (self.engine.clone(), self.loops.clone());
            let (name, board) = (channel.name.clone(), self.board.clone());
            Audience::new(name, self.number(), engine, loops, board)
        })
    }

    /// Who is in a channel, of whom so many are named.
    fn presence(&self, name: &ChannelName, most: usize) -> Answer<Result<Present, HubError>> {
        let channel = self.channels.read().get(name);
        let asking = channel.and_then(|it| it.audience().map(Audience::ask));
        let listed = self.engine.presence().list(name, most, Instant::now());
        listed.map(|listed| {
            drop(asking);
            listed.map_err(HubError::from)
        })
    }

    fn turned_away(&self, count: usize) {
        self.turned_away.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How often a socket could not be present in a channel, as no more fitted.
    #[must_use]
    pub fn crowded(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    fn rules(&self) -> Arc<Rules> {
        self.rules.read().clone()
    }

    /// How many channels live.
    #[must_use]
    pub fn count(&self) -> usize {
        self.channels.read().len()
    }

    /// Bytes of history kept of all channels.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.engine.used()
    }

    /// Lets go of channels that nobody follows and of which nothing is kept any more.
    pub fn sweep(&self, now: Instant) {
        let all: Vec<Arc<Channel>> = self.channels.read().all();
        for channel in all {
            if let Some(audience) = channel.audience() {
                self.turned_away(audience.renew(now));
            }
            self.tidy(&channel, now);
        }
        self.channels.write().shrink();
        self.engine.sweep(now);
        self.rates.sweep(now);
        self.identities.sweep(now);
    }

    /// The channel of a name, made for this principal if it must be.
    fn open(
        &self,
        name: &ChannelName,
        keep: Keep,
        standing: &Standing,
        limits: &HubLimits,
    ) -> Result<Arc<Channel>, HubError> {
        if let Some(channel) = self.channels.read().get(name) {
            return Ok(channel);
        }
        self.channels.write().open(name, standing, limits, || {
            let log = self.engine.open(name, keep);
            let channel = Channel::new(name.clone(), self.number(), log, self.loops.clone());
            let channel = Arc::new(channel);
            let sink: Weak<dyn Sink> = Arc::downgrade(&channel) as _;
            channel.log.follow(sink);
            channel
        })
    }

    /// Reads what is kept of a channel. One that does not live is not brought to life by it.
    fn history(
        &self,
        name: &ChannelName,
        keep: Keep,
        range: Range,
        limit: Limit,
    ) -> Answer<Result<Page, HubError>> {
        let known = self.channels.read().get(name);
        let log = match known {
            Some(channel) => channel.log.clone(),
            None => self.engine.open(name, keep),
        };
        let page = log.read(range, limit, Instant::now());
        page.map(|page| page.map_err(HubError::from))
    }

    /// Lets go of a channel if nothing of it remains.
    fn tidy(&self, channel: &Arc<Channel>, now: Instant) {
        if channel.is_idle(now) {
            self.channels.write().retire(channel, now);
        }
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
