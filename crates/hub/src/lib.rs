//! Channels: who may do what in them, what is kept, and how a publication reaches everybody who follows.
//!
//! [`guard`] clears a publication, the channel's log gives it its position, and fan-out puts one encoded frame into every
//! follower's [`outbox`]. A channel lives while somebody follows it or something of it is kept.

mod channel;
pub mod guard;
mod log;
pub mod outbox;
pub mod rights;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use parking_lot::RwLock;
use serde_json::value::RawValue;
use wardwire_admission::principal::Principal;
use wardwire_protocol::channel::ChannelName;

use channel::Channel;
pub use channel::Subscribed;
use guard::Cleared;
pub use log::Position;
use outbox::Outbox;
use rights::{ChannelRule, rule_for};

/// The channels of a server.
pub struct Hub {
    rules: Vec<ChannelRule>,
    limits: HubLimits,
    channels: RwLock<HashMap<ChannelName, Arc<Channel>>>,
    members: AtomicU64,
}

/// What the channels may cost.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// Channels that live at once.
    pub channels: usize,
    /// Subscriptions of one socket.
    pub subscriptions: usize,
    /// Bytes of missed publications sent to one subscriber at once.
    pub recovery: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self {
            channels: 100_000,
            subscriptions: 128,
            recovery: 256 * 1024,
        }
    }
}

/// Why a socket did not get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
}

/// One socket's place in the hub. Dropping it leaves every channel.
pub struct Member {
    hub: Arc<Hub>,
    number: u64,
    principal: Principal,
    outbox: Arc<Outbox>,
    subscriptions: Vec<Arc<Channel>>,
}

impl Hub {
    /// A hub in which these rules hold; the first that fits a channel decides.
    #[must_use]
    pub fn new(rules: Vec<ChannelRule>, limits: HubLimits) -> Arc<Self> {
        Arc::new(Self {
            rules,
            limits,
            channels: RwLock::default(),
            members: AtomicU64::new(0),
        })
    }

    /// Gives a socket its place.
    #[must_use]
    pub fn join(self: &Arc<Self>, principal: Principal, outbox: Arc<Outbox>) -> Member {
        let number = self.members.fetch_add(1, Ordering::Relaxed);
        Member {
            hub: self.clone(),
            number,
            principal,
            outbox,
            subscriptions: Vec::new(),
        }
    }

    /// How many channels live.
    #[must_use]
    pub fn count(&self) -> usize {
        self.channels.read().len()
    }

    /// Lets go of channels that nobody follows and of which nothing is kept any more.
    pub fn sweep(&self, now: Instant) {
        self.channels
            .write()
            .retain(|_, channel| !channel.retire(now));
    }

    /// Publishes what the guard has cleared.
    fn publish(&self, cleared: &Cleared<'_>) -> Result<Position, HubError> {
        loop {
            let channel = self.channel(cleared.channel)?;
            if let Some(position) = channel.publish(cleared) {
                self.tidy(&channel);
                return Ok(position);
            }
        }
    }

    /// The channel of a name, made if it must be.
    fn channel(&self, name: &ChannelName) -> Result<Arc<Channel>, HubError> {
        if let Some(channel) = self.channels.read().get(name) {
            return Ok(channel.clone());
        }
        let (rule, _) = rule_for(&self.rules, name).ok_or(HubError::Forbidden)?;
        let mut channels = self.channels.write();
        if channels.len() >= self.limits.channels && !channels.contains_key(name) {
            return Err(HubError::Limit);
        }
        let made = || Arc::new(Channel::new(name.clone(), rule.history));
        Ok(channels.entry(name.clone()).or_insert_with(made).clone())
    }

    /// Lets go of a channel at once if nothing of it remains.
    fn tidy(&self, channel: &Arc<Channel>) {
        if channel.retire(Instant::now()) {
            let mut channels = self.channels.write();
            if channels
                .get(&channel.name)
                .is_some_and(|known| Arc::ptr_eq(known, channel))
            {
                channels.remove(&channel.name);
            }
        }
    }
}

impl Member {
    /// Follows a channel. With `since`, what was missed comes first, or the answer says that it cannot.
    ///
    /// # Errors
    /// No right, subscribed already, or a limit.
    pub fn subscribe(
        &mut self,
        name: &ChannelName,
        since: Option<Position>,
    ) -> Result<Subscribed, HubError> {
        if !self.may_follow(name) {
            return Err(HubError::Forbidden);
        }
        if self
            .subscriptions
            .iter()
            .any(|channel| channel.name == *name)
        {
            return Err(HubError::Subscription);
        }
        if self.subscriptions.len() >= self.hub.limits.subscriptions {
            return Err(HubError::Limit);
        }
        loop {
            let channel = self.hub.channel(name)?;
            let most = self.hub.limits.recovery;
            if let Some(subscribed) = channel.follow(self.number, &self.outbox, since, most) {
                self.subscriptions.push(channel);
                return Ok(subscribed);
            }
        }
    }

    /// Stops following a channel.
    ///
    /// # Errors
    /// Not subscribed.
    pub fn unsubscribe(&mut self, name: &ChannelName) -> Result<(), HubError> {
        let at = self
            .subscriptions
            .iter()
            .position(|channel| channel.name == *name);
        let channel = self
            .subscriptions
            .swap_remove(at.ok_or(HubError::Subscription)?);
        channel.leave(self.number);
        self.hub.tidy(&channel);
        Ok(())
    }

    /// Publishes, if the guard clears it. A follower gets its own publications too.
    ///
    /// # Errors
    /// No right, or a limit.
    pub fn publish(&self, name: &ChannelName, data: &RawValue) -> Result<Position, HubError> {
        let cleared = guard::clear(&self.hub.rules, &self.principal, name, data)?;
        self.hub.publish(&cleared)
    }

    /// Stands on a fresh proof from now on, and leaves the channels to which it gives no right. Returns their names.
    pub fn renew(&mut self, principal: Principal) -> Vec<ChannelName> {
        self.principal = principal;
        let all = std::mem::take(&mut self.subscriptions);
        let (kept, lost): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|channel| self.may_follow(&channel.name));
        self.subscriptions = kept;
        for channel in &lost {
            channel.leave(self.number);
            self.hub.tidy(channel);
        }
        lost.iter().map(|channel| channel.name.clone()).collect()
    }

    /// Leaves every channel.
    pub fn leave(&mut self) {
        for channel in std::mem::take(&mut self.subscriptions) {
            channel.leave(self.number);
            self.hub.tidy(&channel);
        }
    }

    fn may_follow(&self, name: &ChannelName) -> bool {
        rule_for(&self.hub.rules, name)
            .is_some_and(|(rule, captures)| rule.subscribe.holds(&self.principal, &captures))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests;
