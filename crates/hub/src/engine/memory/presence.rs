//! Who is present, in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use wardwire_protocol::channel::ChannelName;

use crate::engine::{
    Answer, Attendance, Attendant, Change, EngineError, Presence, Present, Reply, Watcher,
};

/// Who is present in all channels. A channel in which nobody is, and which nobody watches, does not stand here.
pub(super) struct Attendants {
    rooms: Mutex<HashMap<ChannelName, Room>>,
    /// The most sockets in one channel: more are not taken.
    most: usize,
}

#[derive(Default)]
struct Room {
    seats: HashMap<u128, Seat>,
    /// INVARIANT: each seat by its end.
    ends: BTreeSet<(Instant, u128)>,
    /// By name. Nobody stands here without a seat.
    members: BTreeMap<Arc<str>, Member>,
    /// How many seats are nobody's in particular.
    anonymous: usize,
    watchers: Vec<Weak<dyn Watcher>>,
}

struct Seat {
    until: Instant,
    from: Option<Arc<str>>,
    info: Option<Arc<str>>,
}

#[derive(Default)]
struct Member {
    seats: usize,
    info: Option<Arc<str>>,
}

impl Attendants {
    pub(super) fn new(most: usize) -> Self {
        let rooms = Mutex::default();
        Self { rooms, most }
    }

    pub(super) fn sweep(&self, now: Instant) {
        let mut rooms = self.rooms.lock();
        rooms.retain(|_, room| {
            room.expire(now);
            !room.is_idle()
        });
        if rooms.len() < rooms.capacity() / 4 {
            let most = rooms.len() * 2;
            rooms.shrink_to(most);
        }
    }
}

impl Presence for Attendants {
    fn enter(
        &self,
        channel: &ChannelName,
        attendant: &Attendant,
        lease: Duration,
        now: Instant,
    ) -> Reply<Attendance> {
        let mut rooms = self.rooms.lock();
        if !rooms.contains_key(channel) {
            rooms.insert(channel.clone(), Room::default());
        }
        let entered = rooms
            .get_mut(channel)
            .and_then(|room| room.enter(attendant, self.most, now.checked_add(lease)?, now));
        Answer::Now(entered.ok_or(EngineError::Full))
    }

    fn leave(
        &self,
        channel: &ChannelName,
        attendant: &Attendant,
        now: Instant,
    ) -> Reply<Attendance> {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(channel) else {
            let nobody = Attendance {
                changed: false,
                count: 0,
            };
            return Answer::Now(Ok(nobody));
        };
        room.expire(now);
        let changed = room.leave(attendant.socket);
        let count = room.members.len();
        if room.is_idle() {
            rooms.remove(channel);
        }
        Answer::Now(Ok(Attendance { changed, count }))
    }

    fn watch(&self, channel: &ChannelName, watcher: Weak<dyn Watcher>) {
        let mut rooms = self.rooms.lock();
        let room = rooms.entry(channel.clone()).or_default();
        room.watchers.retain(|known| known.strong_count() > 0);
        room.watchers.push(watcher);
    }

    fn list(&self, channel: &ChannelName, most: usize, now: Instant) -> Reply<Present> {
        let mut rooms = self.rooms.lock();
        let Some(room) = rooms.get_mut(channel) else {
            return Answer::Now(Ok(Present::default()));
        };
        room.expire(now);
        let named = room.members.iter().take(most);
        Answer::Now(Ok(Present {
            count: room.members.len(),
            anonymous: room.anonymous,
            members: named
                .map(|(name, member)| (name.clone(), member.info.clone()))
                .collect(),
        }))
    }
}

impl Room {
    /// None if it is full.
    fn enter(
        &mut self,
        attendant: &Attendant,
        most: usize,
        until: Instant,
        now: Instant,
    ) -> Option<Attendance> {
        self.expire(now);
        let Attendant { socket, from, info } = attendant;
        if self.seats.len() >= most && !self.seats.contains_key(socket) {
            return None;
        }
        // One that only stays takes back nothing that a newer one says.
        let seat = self.seats.get(socket);
        let stays = seat.is_some_and(|seat| seat.from == *from && seat.info == *info);
        let (mut changed, mut told) = (false, false);
        match from {
            None => self.anonymous += 1,
            Some(name) => {
                let member = self.members.entry(name.clone()).or_default();
                changed = member.seats == 0;
                told = changed || !stays && member.info != *info;
                member.seats += 1;
                if told {
                    member.info.clone_from(info);
                }
            }
        }
        // After the new one is counted, so that who stays does not go meanwhile.
        self.leave(*socket);
        let (from, info) = (from.clone(), info.clone());
        self.seats.insert(*socket, Seat { until, from, info });
        self.ends.insert((until, *socket));
        if told && let Some(from) = &attendant.from {
            self.tell(from, (true, !changed), attendant.info.clone());
        }
        Some(Attendance {
            changed,
            count: self.members.len(),
        })
    }

    /// True if a member went with it.
    fn leave(&mut self, socket: u128) -> bool {
        let Some(Seat { until, from, .. }) = self.seats.remove(&socket) else {
            return false;
        };
        self.ends.remove(&(until, socket));
        let Some(name) = from else {
            self.anonymous -= 1;
            return false;
        };
        match self.members.get_mut(&name) {
            Some(member) if member.seats > 1 => {
                member.seats -= 1;
                false
            }
            _ => {
                let gone = self.members.remove(&name);
                if let Some(Member { info, .. }) = &gone {
                    self.tell(&name, (false, false), info.clone());
                }
                gone.is_some()
            }
        }
    }

    fn tell(&self, from: &Arc<str>, (here, stayed): (bool, bool), info: Option<Arc<str>>) {
        let change = Change {
            from: from.clone(),
            here,
            stayed,
            info,
            count: self.members.len(),
        };
        for watcher in self.watchers.iter().filter_map(Weak::upgrade) {
            watcher.changed(&change);
        }
    }

    fn is_idle(&self) -> bool {
        let is_watched = |watcher: &Weak<dyn Watcher>| watcher.strong_count() > 0;
        self.seats.is_empty() && !self.watchers.iter().any(is_watched)
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(until, socket)) = self.ends.first()
            && until <= now
        {
            self.leave(socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory::ROOM;

    #[test]
    fn a_room_holds_so_many_sockets_and_one_that_stays_is_none_more() {
        let (mut room, now) = (Room::default(), Instant::now());
        let mut enters = |socket: usize| {
            let attendant = Attendant {
                socket: socket as u128,
                from: None,
                info: None,
            };
            let until = now + Duration::from_secs(1);
            room.enter(&attendant, ROOM, until, now).is_some()
        };
        assert!((0..ROOM).all(&mut enters));
        assert!(!enters(ROOM) && enters(0));
        assert_eq!((room.seats.len(), room.anonymous), (ROOM, ROOM));
        room.expire(now + Duration::from_secs(1));
        assert!(room.is_idle() && room.ends.is_empty());
    }
}
