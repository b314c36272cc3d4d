//! Cookie sessions: opened by a sign-in, known by a secret of which only the hash is kept.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    principal::{Identity, SessionId},
    refusal::{Reason, Refusal, Stage},
    secret::{Secret, SecretHash},
};

/// The sessions that are open.
#[derive(Default)]
pub struct Sessions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<SecretHash, Open>,
    /// Oldest first. INVARIANT: those that are open, no others, and no subject without any.
    of_subject: HashMap<Named, VecDeque<SecretHash>>,
    /// By the issuer's own session; some of them may have ended.
    at_provider: HashMap<Named, Vec<SecretHash>>,
    /// When ended sessions were last looked for.
    swept: Option<Timestamp>,
}

/// Something of an issuer.
type Named = (Box<str>, Box<str>);

struct Open {
    identity: Arc<Identity>,
    provider: Option<AtProvider>,
    /// When it was last used.
    used: Timestamp,
}

/// A session that was opened.
pub(crate) struct Opened {
    pub(crate) secret: Secret,
    pub(crate) id: SessionId,
    /// The subject's own older ones that it ended, as they were too many.
    pub(crate) surplus: Vec<Arc<Identity>>,
    /// Somebody else's that it ended, as there were too many of all.
    pub(crate) gave_way: Option<Arc<Identity>>,
}

/// How many sessions may be open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Of the subject that opens one.
    pub(crate) of_subject: usize,
    /// Of all.
    pub(crate) of_all: usize,
}

/// What a session that was opened by a sign-in at a provider stands on.
#[derive(Clone)]
pub struct AtProvider {
    /// The provider's own session: the ID token's `sid`.
    pub session: Option<Box<str>>,
    /// Shown to the provider when the user signs out. No script is shown it.
    pub id_token: Arc<str>,
    /// For how long it may be unused.
    pub idle: Duration,
}

/// The most sessions of one subject: whoever signs in again and again ends the oldest of their own, and fills nobody's memory.
pub const PER_SUBJECT: usize = 256;
/// Nobody who has no more sessions than this loses one to somebody else.
const KEPT: usize = 8;
/// How often ended sessions are looked for, in milliseconds.
const SWEEP: u64 = 60_000;
/// And how often at most when there are as many as there may be.
const SWEEP_FULL: u64 = 1000;

impl Sessions {
    /// Opens a session for `identity` until that identity expires. Always a new secret: nobody can fix it beforehand. Those that
    /// are too many end for it, of which the caller ends the sockets. `in_use` says whether anything uses a session, such as an
    /// open socket.
    ///
    /// A subject's own oldest goes first. Where it has none, the oldest goes of whoever has most, if those are more than
    /// [`KEPT`]. So whoever takes all they can with an account locks out no one else, and ends of others only what is beyond their
    /// first few.
    ///
    /// # Errors
    /// As many are open as may be and none gives way, or the system gives no random bytes.
    pub(crate) fn open(
        &self,
        identity: Identity,
        provider: Option<AtProvider>,
        room: Room,
        now: Timestamp,
        in_use: impl Fn(&Identity) -> bool,
    ) -> Result<Opened, Refusal> {
        let random =
            |error| Refusal::new(Stage::Identity, Reason::ProviderUnavailable).because(error);
        let secret = Secret::random().map_err(random)?;
        let hash = secret.hash();
        let id = SessionId::new(hash.public_name());
        let identity = Arc::new(Identity {
            session: Some(id.clone()),
            ..identity
        });
        let mut state = self.state.lock();
        // One that is unused may come to be used; it goes when its time is over.
        state.sweep(SWEEP, now, |it| {
            it.has_expired(now) && !in_use(&it.identity)
        });
        let subject = subject(&identity);
        let mut surplus = state.make_room_of(&subject, room.of_subject, now, &in_use);
        let mut gave_way = None;
        if surplus.is_empty() && state.is_full(room.of_all, now, &in_use) {
            match state.end_oldest_of(&subject) {
                Some(own) => surplus.push(own),
                None => gave_way = Some(state.end_one_of_many().ok_or_else(full)?),
            }
        }
        state.of_subject.entry(subject).or_default().push_back(hash);
        if let Some(session) = provider.as_ref().and_then(|it| it.session.clone()) {
            let theirs = state.at_provider.entry((identity.issuer.clone(), session));
            theirs.or_default().push(hash);
        }
        let open = Open {
            identity,
            provider,
            used: now,
        };
        state.open.insert(hash, open);
        Ok(Opened {
            secret,
            id,
            surplus,
            gave_way,
        })
    }

    /// How many are kept, some of which may be over.
    #[must_use]
    pub fn count(&self) -> usize {
        self.state.lock().open.len()
    }

    /// Whose session this is, which is used by that. None if it never was, has ended, has expired, or was unused for too
    /// long: `in_use` says whether anything else uses it, such as an open socket.
    #[must_use]
    pub fn find(
        &self,
        secret: &Secret,
        now: Timestamp,
        in_use: impl FnOnce(&Identity) -> bool,
    ) -> Option<Arc<Identity>> {
        let mut state = self.state.lock();
        let open = state.open.get_mut(&secret.hash())?;
        if open.has_expired(now) || (open.is_idle(now) && !in_use(&open.identity)) {
            return None;
        }
        open.used = open.used.max(now);
        Some(open.identity.clone())
    }

    /// What a session stands on at its provider, if it was opened by a sign-in there.
    pub(crate) fn at_provider(&self, secret: &Secret) -> Option<AtProvider> {
        self.state.lock().open.get(&secret.hash())?.provider.clone()
    }

    /// Ends a session. Returns whose it was.
    pub fn end(&self, secret: &Secret) -> Option<Arc<Identity>> {
        self.state.lock().end(&secret.hash())
    }

    /// Ends every session that was opened by this one of the provider's. Returns whose they were.
    pub(crate) fn end_at_provider(&self, issuer: &str, session: &str) -> Vec<Arc<Identity>> {
        let mut state = self.state.lock();
        let theirs = state.at_provider.remove(&(issuer.into(), session.into()));
        let hashes = theirs.into_iter().flatten();
        hashes.filter_map(|hash| state.end(&hash)).collect()
    }

    /// Ends every session of a subject that was opened by a sign-in of which the provider named no session of its own. Returns
    /// whose they were.
    pub(crate) fn end_unnamed(&self, issuer: &str, subject: &str) -> Vec<Arc<Identity>> {
        let mut state = self.state.lock();
        let theirs = state.of_subject.get(&(issuer.into(), subject.into()));
        let unnamed = |hash: &&SecretHash| {
            let provider = state.open.get(*hash).and_then(|it| it.provider.as_ref());
            provider.is_some_and(|it| it.session.is_none())
        };
        let hashes: Vec<SecretHash> = theirs
            .into_iter()
            .flatten()
            .filter(unnamed)
            .copied()
            .collect();
        hashes.iter().filter_map(|hash| state.end(hash)).collect()
    }

    /// Ends every session of a subject. Returns whose they were, each once.
    pub(crate) fn end_of(&self, issuer: &str, subject: &str) -> Vec<Arc<Identity>> {
        let mut state = self.state.lock();
        let theirs = state.of_subject.remove(&(issuer.into(), subject.into()));
        let hashes = theirs.into_iter().flatten();
        hashes.filter_map(|hash| state.end(&hash)).collect()
    }
}

impl Open {
    fn has_expired(&self, now: Timestamp) -> bool {
        self.identity.expires_at <= now
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        let idle = |it: &AtProvider| self.used.after(it.idle) <= now;
        self.provider.as_ref().is_some_and(idle)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.has_expired(now) || self.is_idle(now)
    }
}

impl State {
    fn end(&mut self, hash: &SecretHash) -> Option<Arc<Identity>> {
        let identity = self.open.remove(hash)?.identity;
        if let Entry::Occupied(mut theirs) = self.of_subject.entry(subject(&identity)) {
            theirs.get_mut().retain(|known| known != hash);
            if theirs.get().is_empty() {
                theirs.remove();
            }
        }
        Some(identity)
    }

    /// Looks for sessions that are over, if that was not done for so many milliseconds.
    ///
    /// INVARIANT: what has an open socket is kept, though nobody enters by it any more, so that a sign-out finds that socket.
    fn sweep(&mut self, every: u64, now: Timestamp, is_over: impl Fn(&Open) -> bool) {
        let due = |swept: Timestamp| swept.as_millis().saturating_add(every) <= now.as_millis();
        if !self.swept.is_none_or(due) {
            return;
        }
        self.swept = Some(now);
        let Self {
            open,
            of_subject,
            at_provider,
            ..
        } = self;
        open.retain(|_, open| !is_over(open));
        of_subject.retain(|_, theirs| {
            theirs.retain(|hash| open.contains_key(hash));
            !theirs.is_empty()
        });
        at_provider.retain(|_, theirs| {
            theirs.retain(|hash| open.contains_key(hash));
            !theirs.is_empty()
        });
    }

    /// Ends a subject's oldest sessions until one more has room. Those that are over anyway make room first.
    fn make_room_of(
        &mut self,
        subject: &Named,
        most: usize,
        now: Timestamp,
        in_use: impl Fn(&Identity) -> bool,
    ) -> Vec<Arc<Identity>> {
        let most = most.max(1);
        let theirs = self.of_subject.get(subject);
        if theirs.map_or(0, VecDeque::len) < most {
            return Vec::new();
        }
        let over = |it: &Open| it.is_over(now) && !in_use(&it.identity);
        let over = |hash: &&SecretHash| self.open.get(*hash).is_some_and(over);
        let over: Vec<_> = theirs.into_iter().flatten().filter(over).copied().collect();
        for hash in &over {
            self.end(hash);
        }
        let count = self.of_subject.get(subject).map_or(0, VecDeque::len);
        let oldest = (most..=count).filter_map(|_| self.end_oldest_of(subject));
        oldest.collect()
    }

    /// Whether as many are open as may be, once those are gone that are over anyway.
    fn is_full(&mut self, most: usize, now: Timestamp, in_use: impl Fn(&Identity) -> bool) -> bool {
        if self.open.len() >= most {
            self.sweep(SWEEP_FULL, now, |it| {
                it.is_over(now) && !in_use(&it.identity)
            });
        }
        self.open.len() >= most
    }

    fn end_oldest_of(&mut self, subject: &Named) -> Option<Arc<Identity>> {
        let oldest = *self.of_subject.get(subject)?.front()?;
        self.end(&oldest)
    }

    /// Ends the oldest session of whoever has most, if those are many.
    fn end_one_of_many(&mut self) -> Option<Arc<Identity>> {
        let most = self.of_subject.values().max_by_key(|theirs| theirs.len())?;
        let oldest = *most.front()?;
        match most.len() > KEPT {
            true => self.end(&oldest),
            false => None,
        }
    }
}

fn subject(identity: &Identity) -> Named {
    (identity.issuer.clone(), identity.subject.clone())
}

fn full() -> Refusal {
    let refusal = Refusal::new(Stage::Limits, Reason::TooManySessions);
    refusal.retry_after(Duration::from_secs(60))
}

#[cfg(test)]
mod tests;
