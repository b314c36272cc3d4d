//! One channel: its log and its followers, behind one lock, so that its order is the same for everybody.

use std::{collections::HashMap, sync::Arc, task::Waker, time::Instant};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use wardwire_protocol::{channel::ChannelName, message::Prepared, rpc};

use crate::{
    engine::{Log, Position},
    guard::Cleared,
    outbox::Outbox,
};

pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    /// Tells its frames from others' in an outbox; never used again.
    number: u64,
    state: Mutex<State>,
}

struct State {
    log: Log,
    /// By the member's number.
    followers: HashMap<u64, Arc<Outbox>>,
    /// Taken off the map: whoever still holds it looks the name up again.
    retired: bool,
}

/// What a subscription begins with.
#[derive(Debug)]
pub struct Subscribed {
    /// The channel's end; what comes from now on comes after it.
    pub position: Position,
    /// Whether `publications` is everything since the position asked for.
    pub recovered: bool,
    /// What was missed, oldest first, as JSON.
    pub publications: Vec<Arc<str>>,
}

/// A publication as subscribers read it.
#[derive(Serialize)]
struct Publication<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    data: &'a RawValue,
    position: String,
    from: Option<&'a str>,
}

impl Channel {
    pub(crate) fn new(name: ChannelName, number: u64, log: Log) -> Self {
        let state = State {
            log,
            followers: HashMap::new(),
            retired: false,
        };
        Self {
            name,
            number,
            state: Mutex::new(state),
        }
    }

    /// Adds a follower. Under one lock with the log, so that nothing is missed and nothing comes twice. None if retired.
    pub(crate) fn follow(
        &self,
        member: u64,
        outbox: &Arc<Outbox>,
        since: Option<Position>,
        most: usize,
    ) -> Option<Subscribed> {
        let mut state = self.state.lock();
        if state.retired {
            return None;
        }
        let missed = since.and_then(|since| state.log.after(since, most, Instant::now()));
        state.followers.insert(member, outbox.clone());
        Some(Subscribed {
            position: state.log.end(),
            recovered: missed.is_some(),
            publications: missed.unwrap_or_default(),
        })
    }

    /// Removes a follower, and takes back what it was not sent yet: who comes back with a position would get it twice, and
    /// who has lost the right gets nothing more.
    pub(crate) fn leave(&self, member: u64) {
        let left = {
            let mut state = self.state.lock();
            let followers = &mut state.followers;
            let left = followers.remove(&member);
            if followers.len() < followers.capacity() / 4 {
                followers.shrink_to(followers.len() * 2);
            }
            left
        };
        if let Some(outbox) = left {
            outbox.withdraw(self.number);
        }
    }

    /// Appends a publication and hands it to every follower. None if retired.
    pub(crate) fn publish(&self, cleared: &Cleared<'_>) -> Option<Position> {
        // Whom it wakes would wait for the lock.
        let mut woken = Vec::new();
        let position = {
            let mut state = self.state.lock();
            if state.retired {
                return None;
            }
            let position = state.log.next();
            let mut publication = Publication {
                channel: None,
                data: cleared.data,
                position: position.to_string(),
                from: cleared.principal.subject(),
            };
            if state.log.keeps() {
                let kept = serde_json::to_string(&publication).unwrap_or_default();
                state.log.append(kept.into(), Instant::now());
            } else {
                state.log.pass();
            }
            if !state.followers.is_empty() {
                publication.channel = Some(self.name.as_str());
                let frame = Prepared::text(&rpc::notification("publication", &publication));
                let outboxes = state.followers.values();
                woken.extend(outboxes.filter_map(|outbox| outbox.push(self.number, &frame)));
            }
            position
        };
        woken.into_iter().for_each(Waker::wake);
        Some(position)
    }

    /// Whether nobody follows it and nothing is kept.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.followers.is_empty() && state.log.is_empty(now)
    }

    /// Retires the channel if it is idle. Called only by who takes it off the map, so that nobody finds a retired one there.
    pub(crate) fn retire(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.retired = state.followers.is_empty() && state.log.is_empty(now);
        state.retired
    }
}
