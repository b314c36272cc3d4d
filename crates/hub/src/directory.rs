//! Which channels live, and who opened them.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Instant,
};

use wardwire_protocol::channel::ChannelName;

use crate::{HubError, HubLimits, channel::Channel, rights::Standing};

#[derive(Default)]
pub(crate) struct Directory {
    channels: HashMap<ChannelName, Entry>,
    /// How many of them each subject opened. Nobody stands here with none.
    opened: HashMap<Opener, usize>,
    state: RandomState,
}

struct Entry {
    channel: Arc<Channel>,
    opener: Opener,
}

/// A subject of an issuer, all who are anonymous together, or the application's backend, by a hash of which nobody can find
/// collisions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Opener(u64);

impl Directory {
    pub(crate) fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether nobody stands here any more either.
    #[cfg(test)]
    pub(crate) fn is_bare(&self) -> bool {
        self.channels.is_empty() && self.opened.is_empty()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Channel>> {
        self.channels
            .values()
            .map(|entry| entry.channel.clone())
            .collect()
    }

    pub(crate) fn get(&self, name: &ChannelName) -> Option<Arc<Channel>> {
        self.channels.get(name).map(|entry| entry.channel.clone())
    }

    /// The channel of a name, made if it must be and there is room for it.
    pub(crate) fn open(
        &mut self,
        name: &ChannelName,
        standing: &Standing,
        limits: &HubLimits,
        make: impl FnOnce() -> Arc<Channel>,
    ) -> Result<Arc<Channel>, HubError> {
        if let Some(channel) = self.get(name) {
            return Ok(channel);
        }
        let opener = self.opener(standing);
        let own = self.opened.get(&opener).copied().unwrap_or_default();
        let most = match standing.is_backend() {
            true => usize::MAX,
            false => limits.channels_per_subject,
        };
        if self.channels.len() >= limits.channels || own >= most {
            return Err(HubError::Limit);
        }
        self.opened.insert(opener, own + 1);
        let channel = make();
        let entry = Entry {
            channel: channel.clone(),
            opener,
        };
        self.channels.insert(name.clone(), entry);
        Ok(channel)
    }

    /// Retires a channel and lets go of it, if it is still idle.
    pub(crate) fn retire(&mut self, channel: &Arc<Channel>, now: Instant) {
        let known = self.channels.get(&channel.name);
        let Some(opener) = known
            .filter(|known| Arc::ptr_eq(&known.channel, channel) && channel.retire(now))
            .map(|known| known.opener)
        else {
            return;
        };
        self.channels.remove(&channel.name);
        match self.opened.get_mut(&opener) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(self.opened.remove(&opener)),
        }
    }

    /// Gives back room that a flood has left.
    pub(crate) fn shrink(&mut self) {
        if self.channels.len() < self.channels.capacity() / 4 {
            self.channels.shrink_to(self.channels.len() * 2);
        }
        if self.opened.len() < self.opened.capacity() / 4 {
            self.opened.shrink_to(self.opened.len() * 2);
        }
    }

    fn opener(&self, standing: &Standing) -> Opener {
        let identity = standing.principal().identity();
        let who = identity.map(|identity| (&identity.issuer, &identity.subject));
        Opener(self.state.hash_one((standing.is_backend(), who)))
    }
}
