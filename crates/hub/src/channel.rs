//! One channel: its log and who follows it, behind one lock, so that its order is the same on every loop.

use std::{sync::Arc, task::Waker, time::Instant};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::value::RawValue;
use wardwire_protocol::{channel::ChannelName, message::Prepared, rpc};

use crate::{
    engine::{Log, Position},
    fanout::{Delivery, Origin},
    guard::{Cleaned, Cleared},
    mailbox::Mailbox,
    rights::History,
};

pub(crate) struct Channel {
    pub(crate) name: ChannelName,
    /// Tells its frames from others'; never used again.
    pub(crate) number: u64,
    state: Mutex<State>,
}

struct State {
    log: Log,
    /// How many of each loop's sockets follow it.
    followers: Box<[usize]>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<&'a str>,
    position: String,
    from: Option<&'a str>,
}

/// Why a publication did not enter.
pub(crate) enum Unpublished {
    /// The channel is taken off the map: the name is to be looked up again.
    Retired,
    /// A loop has more than it can take.
    Busy,
}

impl State {
    fn is_idle(&mut self, now: Instant) -> bool {
        self.followers.iter().all(|&count| count == 0) && self.log.is_empty(now)
    }
}

impl Channel {
    pub(crate) fn new(name: ChannelName, number: u64, log: Log, loops: usize) -> Self {
        let state = State {
            log,
            followers: vec![0; loops].into(),
            retired: false,
        };
        Self {
            name,
            number,
            state: Mutex::new(state),
        }
    }

    /// Adds a follower of this loop. Under one lock with the log, so that nothing is missed and nothing comes twice: what is
    /// on its way to the loop stands at or before the position that this answers. None if retired.
    pub(crate) fn follow(
        &self,
        number: usize,
        since: Option<Position>,
        most: usize,
    ) -> Option<Subscribed> {
        let mut state = self.state.lock();
        if state.retired {
            return None;
        }
        let missed = since.and_then(|since| state.log.after(since, most, Instant::now()));
        if let Some(count) = state.followers.get_mut(number) {
            *count += 1;
        }
        Some(Subscribed {
            position: state.log.end(),
            recovered: missed.is_some(),
            publications: missed.unwrap_or_default(),
        })
    }

    /// Removes a follower of this loop.
    pub(crate) fn leave(&self, number: usize) {
        let mut state = self.state.lock();
        if let Some(count) = state.followers.get_mut(number) {
            *count = count.saturating_sub(1);
        }
    }

    /// Appends a publication and hands it to every loop with followers, unless one has more than it can take.
    pub(crate) fn publish(
        &self,
        cleared: &Cleared<'_>,
        except: Option<Origin>,
        mailboxes: &[Arc<Mailbox<Delivery>>],
    ) -> Result<Position, Unpublished> {
        // Whom it wakes would wait for the lock.
        let mut woken: Vec<Waker> = Vec::new();
        let position = {
            let mut state = self.state.lock();
            if state.retired {
                return Err(Unpublished::Retired);
            }
            let State { log, followers, .. } = &mut *state;
            let following = || {
                let each = followers.iter().zip(mailboxes);
                each.filter(|(count, _)| **count > 0)
                    .map(|(_, mailbox)| mailbox)
            };
            if following().any(|mailbox| mailbox.is_full()) {
                return Err(Unpublished::Busy);
            }
            let position = log.next();
            let (data, base64) = match &cleared.payload {
                Cleaned::Data(data) => (Some(&**data), None),
                Cleaned::Base64(text) => (None, Some(*text)),
            };
            let mut publication = Publication {
                channel: None,
                data,
                base64,
                position: position.to_string(),
                from: cleared.principal.handle(),
            };
            if log.keeps() {
                let kept = serde_json::to_string(&publication).unwrap_or_default();
                log.append(kept.into(), Instant::now());
            } else {
                log.pass();
            }
            publication.channel = Some(self.name.as_str());
            let mut encoded = None;
            for mailbox in following() {
                let frame = encoded.get_or_insert_with(|| {
                    Prepared::text(&rpc::notification("publication", &publication))
                });
                let delivery = Delivery {
                    channel: self.number,
                    offset: position.offset(),
                    frame: frame.clone(),
                    except,
                };
                let weight = frame.as_bytes().len() + size_of::<Delivery>();
                woken.extend(mailbox.post(delivery, weight));
            }
            position
        };
        woken.into_iter().for_each(Waker::wake);
        Ok(position)
    }

    /// Keeps so much from now on, and lets go of what is more.
    pub(crate) fn keep(&self, history: History, now: Instant) {
        self.state.lock().log.keep(history, now);
    }

    /// Whether nobody follows it and nothing is kept.
    pub(crate) fn is_idle(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.is_idle(now)
    }

    /// Retires the channel if it is idle. Called only by who takes it off the map, so that nobody finds a retired one there.
    pub(crate) fn retire(&self, now: Instant) -> bool {
        let mut state = self.state.lock();
        state.retired = state.is_idle(now);
        state.retired
    }
}
