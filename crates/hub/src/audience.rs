//! Who is present in a channel, as this process knows it and tells its followers.
//!
//! A channel's own sockets enter and leave with the engine, which tells every process of each member who came or went. What
//! changed is gathered, and told at most once in [`EVERY`]: a member who goes and comes back meanwhile was never away. So a
//! storm of thousands costs each follower one or two short messages a second.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Weak},
    task::Waker,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use wardwire_protocol::{
    channel::ChannelName,
    message::Prepared,
    rpc::{
        self,
        wire::{JoinedNotice, LeftNotice, Member},
    },
};

use crate::{
    HubError,
    channel::Loops,
    engine::{
        Answer, Attendant, Change, Engine, EngineError, Watcher, member, size_of_member as size,
    },
    fanout::Delivery,
};

/// How often a channel's followers are told at most.
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// The most members that are named at once, and the most bytes of their names and what is told beside them.
const NAMED: (usize, usize) = (100, 32 * 1024);
/// How long a socket is present unless it says so again. [`Hub::sweep`](crate::Hub::sweep) does, several times as often.
const LEASE: Duration = Duration::from_secs(150);
/// The most members of which it is known what they were before.
const KNOWN: usize = 1024;

/// One channel's.
pub(crate) struct Audience {
    name: ChannelName,
    /// Tells its frames from others'; never used again.
    pub(crate) number: u64,
    engine: Arc<dyn Engine>,
    loops: Arc<Loops>,
    board: Arc<Board>,
    me: Weak<Self>,
    state: Mutex<State>,
}

/// Where channels stand of which something is to be told.
#[derive(Default)]
pub(crate) struct Board(Mutex<Vec<Arc<Audience>>>);

struct State {
    /// The sockets of this process.
    own: HashMap<u128, Attendant>,
    /// How many of each loop's sockets are told.
    seers: Box<[u32]>,
    news: News,
    told: Option<Instant>,
    /// It stands on the board.
    posted: bool,
    /// How many ask who is here, and have no answer yet.
    asking: usize,
}

/// A question who is here, until it is answered.
pub(crate) struct Asking(Arc<Audience>);

/// What has changed since it was told.
#[derive(Default)]
struct News {
    members: HashMap<Arc<str>, Turned>,
    /// Somebody came, or went, of whom no more is known than that.
    beyond: (bool, bool),
    count: usize,
}

/// What became of a member.
struct Turned {
    was: Before,
    here: bool,
    info: Option<Arc<str>>,
}

/// What a member was before.
enum Before {
    Away,
    /// Here, with this beside it.
    Here(Option<Arc<str>>),
    /// Here with something else beside it, or somebody may have been told another thing than all others.
    Another,
}

impl Audience {
    pub(crate) fn new(
        name: ChannelName,
        number: u64,
        engine: Arc<dyn Engine>,
        loops: Arc<Loops>,
        board: Arc<Board>,
    ) -> Arc<Self> {
        let state = State {
            own: HashMap::new(),
            seers: vec![0; loops.mailboxes.len()].into(),
            news: News::default(),
            told: None,
            posted: false,
            asking: 0,
        };
        let new = Arc::new_cyclic(|me| Self {
            name,
            number,
            engine,
            loops,
            board,
            me: me.clone(),
            state: Mutex::new(state),
        });
        let watcher: Weak<dyn Watcher> = new.me.clone();
        new.engine.presence().watch(&new.name, watcher);
        new
    }

    /// A socket is here, or something else is told of it from now on. Where it does not fit it is not, until it
    /// [leaves](Self::leave) or there is room when it is [renewed](Self::renew).
    pub(crate) fn enter(&self, attendant: Attendant, now: Instant) -> Result<(), HubError> {
        // First, so that nobody who says meanwhile that all are here says what was true before.
        let own = attendant.clone();
        self.state.lock().own.insert(own.socket, own);
        match self.stay(&attendant, now) {
            true => Ok(()),
            false => Err(EngineError::Full.into()),
        }
    }

    /// Tells the engine that a socket is here. False if it does not fit.
    fn stay(&self, attendant: &Attendant, now: Instant) -> bool {
        // Nobody waits for the answer: who comes and goes is told by the engine itself.
        let presence = self.engine.presence();
        let entered = presence.enter(&self.name, attendant, LEASE, now);
        !matches!(entered, Answer::Now(Err(EngineError::Full)))
    }

    /// A socket is here no longer, if it was.
    pub(crate) fn leave(&self, socket: u128, now: Instant) {
        let left = {
            let mut state = self.state.lock();
            let left = state.own.remove(&socket);
            if state.own.len() < state.own.capacity() / 4 {
                let most = state.own.len() * 2;
                state.own.shrink_to(most);
            }
            left
        };
        if let Some(attendant) = left {
            let _ = self.engine.presence().leave(&self.name, &attendant, now);
        }
    }

    /// Says that everybody is still here. Returns how many did not fit.
    pub(crate) fn renew(&self, now: Instant) -> usize {
        let own: Vec<Attendant> = self.state.lock().own.values().cloned().collect();
        let mut out = 0;
        for attendant in own {
            out += usize::from(!self.stay(&attendant, now));
            // It may have left before it was said to be here.
            let known = self.state.lock().own.get(&attendant.socket) == Some(&attendant);
            if !known {
                let _ = self.engine.presence().leave(&self.name, &attendant, now);
                let other = self.state.lock().own.get(&attendant.socket).cloned();
                if let Some(other) = other {
                    self.stay(&other, now);
                }
            }
        }
        out
    }

    /// Somebody asks who is here. The answer may lie between two changes that are none together, as where somebody goes and
    /// comes back: so whatever changes until it is there is told, and what waits to be told too.
    pub(crate) fn ask(self: &Arc<Self>) -> Asking {
        let mut state = self.state.lock();
        state.asking += 1;
        for turned in state.news.members.values_mut() {
            turned.was = Before::Another;
        }
        Asking(self.clone())
    }

    /// A socket of this loop is told from now on, or no longer.
    pub(crate) fn seen(&self, number: usize, by_one_more: bool) {
        let mut state = self.state.lock();
        if let Some(count) = state.seers.get_mut(number) {
            *count = match by_one_more {
                true => *count + 1,
                false => count.saturating_sub(1),
            };
        }
        if state.is_unseen() {
            state.news = News::default();
        }
    }

    /// Tells what has changed. False if that is for later.
    fn tell(&self, now: Instant, woken: &mut Vec<Waker>) -> bool {
        let mut state = self.state.lock();
        let State {
            seers, news, told, ..
        } = &mut *state;
        let early = told.is_some_and(|told| now.saturating_duration_since(told) < EVERY);
        let full = seers
            .iter()
            .zip(&self.loops.mailboxes)
            .any(|(count, mailbox)| *count > 0 && mailbox.is_full());
        if early || full {
            return false;
        }
        let frames = std::mem::take(news).frames(&self.name);
        if !frames.is_empty() {
            *told = Some(now);
        }
        for frame in frames {
            let weight = frame.as_bytes().len() + size_of::<Delivery>();
            for (count, mailbox) in seers.iter().zip(&self.loops.mailboxes) {
                if *count > 0 {
                    let delivery = Delivery {
                        channel: self.number,
                        offset: u64::MAX,
                        frame: frame.clone(),
                        except: None,
                        key: None,
                    };
                    woken.extend(mailbox.post(delivery, weight));
                }
            }
        }
        state.posted = false;
        true
    }
}

impl Watcher for Audience {
    fn changed(&self, change: &Change) {
        let mut state = self.state.lock();
        if state.is_unseen() {
            return;
        }
        let asked = state.asking > 0;
        state.news.add(change, asked);
        if !std::mem::replace(&mut state.posted, true)
            && let Some(own) = self.me.upgrade()
        {
            self.board.0.lock().push(own);
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.state.lock().asking -= 1;
    }
}

impl State {
    fn is_unseen(&self) -> bool {
        self.seers.iter().all(|&count| count == 0)
    }
}

impl Board {
    /// Tells what is to be told by now.
    pub(crate) fn tell(&self, now: Instant) {
        let all = std::mem::take(&mut *self.0.lock());
        let mut woken = Vec::new();
        for audience in all {
            if !audience.tell(now, &mut woken) {
                self.0.lock().push(audience);
            }
        }
        woken.into_iter().for_each(Waker::wake);
    }
}

impl News {
    /// Adds a change, [while](Audience::ask) somebody asks or not.
    fn add(&mut self, change: &Change, asked: bool) {
        let Change {
            from,
            here,
            stayed,
            info,
            count,
        } = change;
        self.count = *count;
        let room = self.members.len() < KNOWN;
        match self.members.entry(from.clone()) {
            Entry::Occupied(mut known) => {
                let turned = known.get_mut();
                if asked {
                    turned.was = Before::Another;
                }
                turned.here = *here;
                turned.info.clone_from(info);
                let as_before = match &turned.was {
                    Before::Here(before) => turned.here && *before == turned.info,
                    Before::Another => false,
                    Before::Away => !turned.here,
                };
                if as_before {
                    known.remove();
                }
            }
            Entry::Vacant(unknown) if room => {
                let was = match (*here, *stayed) {
                    _ if asked => Before::Another,
                    (false, _) => Before::Here(info.clone()),
                    (true, true) => Before::Another,
                    (true, false) => Before::Away,
                };
                unknown.insert(Turned {
                    was,
                    here: *here,
                    info: info.clone(),
                });
            }
            Entry::Vacant(_) => {
                let (came, went) = &mut self.beyond;
                *came |= here;
                *went |= !here;
            }
        }
    }

    /// What followers are told: who came, and who went.
    fn frames(self, name: &ChannelName) -> Vec<Prepared> {
        let Self {
            members,
            beyond: (more_came, more_went),
            count,
        } = self;
        let count = count as u64;
        let (came, went): (Vec<_>, Vec<_>) = members.iter().partition(|(_, it)| it.here);
        let mut frames = Vec::new();
        let channel = || name.as_str().into();
        if let Some((members, truncated)) = named(&came, more_came) {
            let notice = JoinedNotice {
                channel: channel(),
                members,
                truncated,
                count,
            };
            frames.push(Prepared::text(&rpc::notification("joined", notice)));
        }
        if let Some((members, truncated)) = named(&went, more_went) {
            let notice = LeftNotice {
                channel: channel(),
                members,
                truncated,
                count,
            };
            frames.push(Prepared::text(&rpc::notification("left", notice)));
        }
        frames
    }
}

/// All of them, or none where they are too many. None if there is nobody to tell of.
fn named<'a>(all: &[(&'a Arc<str>, &'a Turned)], more: bool) -> Option<(Vec<Member<'a>>, bool)> {
    if all.is_empty() && !more {
        return None;
    }
    let (most, bytes) = NAMED;
    let size = |(from, turned): &(&Arc<str>, &Turned)| size(from, turned.info.as_deref());
    let fit = !more && all.len() <= most && all.iter().map(size).sum::<usize>() <= bytes;
    let each = all.iter().filter(|_| fit);
    let members = each.map(|(from, turned)| member(from, turned.info.as_deref()));
    Some((members.collect(), !fit))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(from: &str, here: bool, info: &str) -> Change {
        Change {
            from: from.into(),
            stayed: false,
            here,
            info: Some(info.into()),
            count: 7,
        }
    }

    /// What is told of these, each as its method and its parameters.
    fn told(changes: impl IntoIterator<Item = Change>) -> Vec<(String, Value)> {
        let mut news = News::default();
        changes.into_iter().for_each(|it| news.add(&it, false));
        let frames = news.frames(&ChannelName::parse("a").unwrap());
        let notice = |frame: Prepared| {
            let bytes = frame.as_bytes();
            let text = &bytes[bytes.iter().position(|&it| it == b'{').unwrap()..];
            let notice: Value = serde_json::from_slice(text).unwrap();
            let method = notice["method"].as_str().unwrap().to_owned();
            (method, notice["params"].clone())
        };
        frames.into_iter().map(notice).collect()
    }

    fn names(notices: &[(String, Value)]) -> Vec<String> {
        let one = |(method, params): &(String, Value)| {
            let members = params["members"].as_array().unwrap();
            let mut names: Vec<_> = members
                .iter()
                .map(|it| it["from"].as_str().unwrap())
                .collect();
            names.sort_unstable();
            format!("{method} {}", names.join(" "))
        };
        notices.iter().map(one).collect()
    }

    #[test]
    fn who_is_as_before_is_not_told() {
        let comes = || change("alice", true, "1");
        let goes = || change("alice", false, "1");
        assert!(told([]).is_empty());
        assert!(told([comes(), goes()]).is_empty());
        assert!(told([goes(), comes()]).is_empty());
        assert!(told([goes(), comes(), goes(), comes()]).is_empty());
        assert_eq!(names(&told([comes()])), ["joined alice"]);
        assert_eq!(names(&told([comes(), goes(), comes()])), ["joined alice"]);
        assert_eq!(names(&told([goes()])), ["left alice"]);
        assert_eq!(names(&told([goes(), comes(), goes()])), ["left alice"]);
        let anew = told([goes(), change("alice", true, "2")]);
        let member = json!([{ "from": "alice", "info": 2 }]);
        assert_eq!(
            anew[0].1,
            json!({ "channel": "a", "members": member, "count": 7 })
        );
    }

    #[test]
    fn who_stays_as_another_and_then_goes_was_here() {
        let stays = |info| Change {
            stayed: true,
            ..change("alice", true, info)
        };
        let goes = || change("alice", false, "2");
        assert_eq!(names(&told([stays("2")])), ["joined alice"]);
        assert_eq!(names(&told([stays("2"), goes()])), ["left alice"]);
        let back = [stays("2"), goes(), change("alice", true, "2")];
        assert_eq!(names(&told(back)), ["joined alice"]);
    }

    #[test]
    fn who_comes_and_who_goes_is_told_apart() {
        let notices = told([
            change("alice", true, "1"),
            change("bob", false, "1"),
            change("carol", true, "1"),
        ]);
        assert_eq!(names(&notices), ["joined alice carol", "left bob"]);
    }

    #[test]
    fn too_many_are_counted_and_not_named() {
        let many = |count: usize| (0..count).map(|n| change(&format!("user {n}"), true, "1"));
        let (most, bytes) = NAMED;
        let all = told(many(most));
        assert_eq!(all[0].1["members"].as_array().unwrap().len(), most);
        assert!(all[0].1.get("truncated").is_none());
        for notices in [told(many(most + 1)), told(many(3 * KNOWN))] {
            assert_eq!(notices.len(), 1);
            let owed = json!({ "channel": "a", "members": [], "truncated": true, "count": 7 });
            assert_eq!(notices[0].1, owed);
        }
        let long = format!("\"{}\"", "x".repeat(1000));
        let large = (0..bytes / 1000 + 1).map(|n| change(&format!("user {n}"), false, &long));
        assert_eq!(told(large)[0].1["truncated"], true);
        // As JSON spells them, six bytes for one.
        let odd = (0..most).map(|n| change(&format!("{n:02}{}", "\u{1}".repeat(200)), true, "1"));
        assert_eq!(told(odd)[0].1["truncated"], true);
    }

    #[test]
    fn of_a_storm_only_so_much_is_remembered() {
        let mut news = News::default();
        for n in 0..10 * KNOWN {
            news.add(&change(&format!("user {n}"), n % 2 == 0, "1"), false);
        }
        assert_eq!(news.members.len(), KNOWN);
        assert_eq!(news.beyond, (true, true));
    }
}
