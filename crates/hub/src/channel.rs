//! One channel: its log and its followers, behind one lock, so that its order is the same for everybody.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use wardwire_protocol::{channel::ChannelName, message::Prepared, rpc};

use crate::{
    guard::Cleared,
    log::{Log, Position},
    outbox::Outbox,
    rights::History,
};

pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    state: Mutex<State>,
}

struct State {
    log: Log,
    followers: Vec<Follower>,
    /// Taken off the map: whoever still holds it looks the name up again.
    retired: bool,
}

struct Follower {
    member: u64,
    outbox: Arc<Outbox>,
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
    pub(crate) fn new(name: ChannelName, history: History) -> Self {
        let state = State {
            log: Log::new(history),
            followers: Vec::new(),
            retired: false,
        };
        Self {
            name,
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
        state.followers.push(Follower {
            member,
            outbox: outbox.clone(),
        });
        Some(Subscribed {
            position: state.log.end(),
            recovered: missed.is_some(),
            publications: missed.unwrap_or_default(),
        })
    }

    pub(crate) fn leave(&self, member: u64) {
        let mut state = self.state.lock();
        if let Some(at) = state
            .followers
            .iter()
            .position(|follower| follower.member == member)
        {
            state.followers.swap_remove(at);
            state.followers.shrink_to(at.saturating_mul(2));
        }
    }

    /// Appends a publication and hands it to every follower. None if retired.
    pub(crate) fn publish(&self, cleared: &Cleared<'_>) -> Option<Position> {
        let mut state = self.state.lock();
        if state.retired {
            return None;
        }
        let position = state.log.next();
        let mut publication = Publication {
            channel: None,
            data: cleared.data,
            position: position.to_string(),
            from: cleared.from,
        };
        if cleared.history.size > 0 {
            let kept = serde_json::to_string(&publication).unwrap_or_default();
            state.log.append(kept.into(), Instant::now());
        } else {
            state.log.append(Arc::from(""), Instant::now());
        }
        if !state.followers.is_empty() {
            publication.channel = Some(self.name.as_str());
            let frame = Prepared::text(&rpc::notification("publication", &publication));
            for follower in &state.followers {
                follower.outbox.push(&frame);
            }
        }
        Some(position)
    }

    /// Retires the channel if nobody follows it and nothing is kept.
    pub(crate) fn retire(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.retired |= state.followers.is_empty() && state.log.is_empty(now);
        state.retired
    }
}
