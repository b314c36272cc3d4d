//! Cookie sessions: opened by a sign-in, known by a secret of which only the hash is kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    principal::{Identity, SessionId},
    secret::{NoRandom, Secret, SecretHash},
};

/// The sessions that are open.
#[derive(Default)]
pub struct Sessions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: HashMap<SecretHash, Open>,
    /// Oldest first; some of them may have ended.
    of_subject: HashMap<Named, VecDeque<SecretHash>>,
    /// By the issuer's own session; some of them may have ended.
    at_provider: HashMap<Named, Vec<SecretHash>>,
    /// The next time at which ended sessions are looked for.
    sweep: Option<Timestamp>,
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
    /// Whose it ended, as it was one too many.
    pub(crate) surplus: Vec<Arc<Identity>>,
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
/// How often ended sessions are looked for, in milliseconds.
const SWEEP: u64 = 60_000;

impl Sessions {
    /// Opens a session for `identity` until that identity expires. Always a new secret: nobody can fix it beforehand. Of one
    /// subject `most` are open at once: the oldest that are too many end, of which the caller ends the sockets. `in_use` says
    /// whether anything uses a session, such as an open socket.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub(crate) fn open(
        &self,
        identity: Identity,
        provider: Option<AtProvider>,
        most: usize,
        now: Timestamp,
        in_use: impl Fn(&Identity) -> bool,
    ) -> Result<Opened, NoRandom> {
        let secret = Secret::random()?;
        let hash = secret.hash();
        let id = SessionId::new(hash.public_name());
        let identity = Arc::new(Identity {
            session: Some(id.clone()),
            ..identity
        });
        let mut state = self.state.lock();
        state.sweep(now, &in_use);
        let surplus = state.make_room(&identity, most, now, &in_use);
        let subject = (identity.issuer.clone(), identity.subject.clone());
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
        })
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
        let open = self.state.lock().open.remove(&secret.hash());
        open.map(|it| it.identity)
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
}

impl State {
    fn end(&mut self, hash: &SecretHash) -> Option<Arc<Identity>> {
        self.open.remove(hash).map(|it| it.identity)
    }

    /// INVARIANT: what has an open socket is kept, though nobody enters by it any more, so that a sign-out finds that socket.
    fn sweep(&mut self, now: Timestamp, in_use: impl Fn(&Identity) -> bool) {
        if self.sweep.is_some_and(|due| now < due) {
            return;
        }
        let next = now.as_millis().saturating_add(SWEEP);
        self.sweep = Some(Timestamp::from_millis(next));
        let Self {
            open,
            of_subject,
            at_provider,
            ..
        } = self;
        // One that is unused may come to be used; it goes when its time is over.
        open.retain(|_, open| !open.has_expired(now) || in_use(&open.identity));
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
    fn make_room(
        &mut self,
        identity: &Identity,
        most: usize,
        now: Timestamp,
        in_use: impl Fn(&Identity) -> bool,
    ) -> Vec<Arc<Identity>> {
        let Self {
            open, of_subject, ..
        } = self;
        let subject = (identity.issuer.clone(), identity.subject.clone());
        let Some(theirs) = of_subject.get_mut(&subject) else {
            return Vec::new();
        };
        if theirs.len() >= most {
            theirs.retain(|hash| {
                let is_over = |it: &Open| it.has_expired(now) || it.is_idle(now);
                let over = |it: &Open| is_over(it) && !in_use(&it.identity);
                if open.get(hash).is_some_and(over) {
                    open.remove(hash);
                }
                open.contains_key(hash)
            });
        }
        let mut surplus = Vec::new();
        while theirs.len() >= most.max(1) {
            let oldest = theirs.pop_front().and_then(|hash| open.remove(&hash));
            surplus.extend(oldest.map(|it| it.identity));
        }
        surplus
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::tests::identity;

    const NOW: Timestamp = Timestamp::from_secs(1000);

    fn unused(_: &Identity) -> bool {
        false
    }

    impl Sessions {
        /// As many as there may be, and none with a socket.
        fn open_for(
            &self,
            who: Identity,
            at: Option<AtProvider>,
            now: Timestamp,
        ) -> (Secret, SessionId) {
            let opened = self.open(who, at, PER_SUBJECT, now, unused).unwrap();
            (opened.secret, opened.id)
        }
    }

    fn at_provider(session: &str) -> Option<AtProvider> {
        Some(AtProvider {
            session: Some(session.into()),
            id_token: "".into(),
            idle: Duration::from_secs(60),
        })
    }

    #[test]
    fn a_session_that_nothing_uses_ends_and_one_with_an_open_socket_does_not() {
        let sessions = Sessions::default();
        let open = || {
            sessions
                .open_for(identity("alice"), at_provider("s"), NOW)
                .0
        };
        let (used, socket) = (open(), open());
        let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
        assert!(sessions.find(&used, at(59), unused).is_some());
        assert!(
            sessions.find(&used, at(118), unused).is_some(),
            "it was used"
        );
        assert!(sessions.find(&used, at(178), unused).is_none());
        assert!(sessions.find(&socket, at(60), unused).is_none());
        assert!(sessions.find(&socket, at(60), |_| true).is_some());
        assert!(
            sessions.find(&socket, at(119), unused).is_some(),
            "the socket used it"
        );
    }

    #[test]
    fn a_provider_ends_what_was_opened_by_its_session_and_nothing_else() {
        let sessions = Sessions::default();
        let open = |name: &str, session| {
            sessions
                .open_for(identity(name), at_provider(session), NOW)
                .0
        };
        let ended = [open("alice", "one"), open("alice", "one")];
        let (other, bobs) = (open("alice", "two"), open("bob", "three"));
        assert!(
            sessions
                .end_at_provider("https://other.example", "one")
                .is_empty()
        );
        assert_eq!(
            sessions.end_at_provider("https://id.example", "one").len(),
            2
        );
        for secret in &ended {
            assert!(sessions.find(secret, NOW, unused).is_none());
        }
        assert!(sessions.find(&other, NOW, unused).is_some());
        assert_eq!(sessions.end_of("https://id.example", "alice").len(), 1);
        assert!(sessions.find(&other, NOW, unused).is_none());
        assert!(sessions.find(&bobs, NOW, unused).is_some());
    }

    #[test]
    fn every_sign_in_makes_a_new_session() {
        let sessions = Sessions::default();
        let (first, first_id) = sessions.open_for(identity("alice"), None, NOW);
        let (second, second_id) = sessions.open_for(identity("alice"), None, NOW);
        assert!(first != second && first_id != second_id);
        assert_eq!(
            sessions.find(&first, NOW, unused).unwrap().session,
            Some(first_id)
        );
    }

    #[test]
    fn a_session_ends_with_its_identity_or_when_told() {
        let sessions = Sessions::default();
        let (secret, _) = sessions.open_for(identity("alice"), None, NOW);
        assert!(
            sessions
                .find(&secret, Timestamp::from_millis(1_999_999), unused)
                .is_some()
        );
        assert!(
            sessions
                .find(&secret, Timestamp::from_secs(2000), unused)
                .is_none()
        );
        assert!(sessions.end(&secret).is_some());
        assert!(sessions.find(&secret, NOW, unused).is_none() && sessions.end(&secret).is_none());
    }

    #[test]
    fn signing_in_again_and_again_ends_ones_own_oldest_session() {
        let sessions = Sessions::default();
        let open = |name: &str| sessions.open_for(identity(name), None, NOW).0;
        let (bobs, first, second) = (open("bob"), open("alice"), open("alice"));
        for _ in 2..PER_SUBJECT {
            open("alice");
        }
        assert!(sessions.find(&first, NOW, unused).is_some());
        sessions.end(&second);
        open("alice");
        assert!(
            sessions.find(&first, NOW, unused).is_some(),
            "one had made room"
        );
        open("alice");
        assert!(sessions.find(&first, NOW, unused).is_none());
        assert!(sessions.find(&bobs, NOW, unused).is_some());
        assert_eq!(sessions.state.lock().open.len(), PER_SUBJECT + 1);
    }

    #[test]
    fn as_many_as_may_be_are_open_and_those_that_are_over_go_first() {
        let sessions = Sessions::default();
        let at = |seconds: u64| Timestamp::from_secs(1000 + seconds);
        let open = |seconds: u64, in_use: &dyn Fn(&Identity) -> bool| {
            let opened = sessions.open(identity("alice"), at_provider("s"), 2, at(seconds), in_use);
            let Opened {
                secret,
                id,
                surplus,
            } = opened.unwrap();
            let ended: Vec<_> = surplus
                .iter()
                .map(|it| it.session.clone().unwrap())
                .collect();
            (secret, id, ended)
        };
        let (first, one, _) = open(0, &unused);
        let (_, two, ended) = open(10, &unused);
        assert!(ended.is_empty());
        let (_, three, ended) = open(20, &unused);
        assert_eq!(ended, [one]);
        assert!(sessions.find(&first, at(20), unused).is_none());
        // The second would be next, but for its socket; the third was unused for too long.
        let (_, _, ended) = open(80, &|it| it.session.as_ref() == Some(&two));
        assert!(ended.is_empty(), "{three:?}");
        let (_, _, ended) = open(80, &|it| it.session.as_ref() == Some(&two));
        assert_eq!(ended, [two]);
    }

    #[test]
    fn a_session_that_is_over_but_has_a_socket_is_found_by_a_sign_out() {
        let sessions = Sessions::default();
        let (_, id) = sessions.open_for(identity("alice"), at_provider("s"), NOW);
        let later = Timestamp::from_secs(3000);
        let bob = || Identity {
            expires_at: Timestamp::from_secs(9000),
            ..identity("bob")
        };
        let in_use = |it: &Identity| it.session.as_ref() == Some(&id);
        sessions
            .open(bob(), None, PER_SUBJECT, later, in_use)
            .unwrap();
        let ended = sessions.end_at_provider("https://id.example", "s");
        assert_eq!(ended.first().and_then(|it| it.session.clone()), Some(id));
    }

    #[test]
    fn ended_sessions_are_not_kept() {
        let sessions = Sessions::default();
        sessions.open_for(identity("alice"), None, NOW);
        let later = Timestamp::from_secs(2100);
        let bob = Identity {
            expires_at: later,
            ..identity("bob")
        };
        sessions.open_for(bob, None, later);
        assert_eq!(sessions.state.lock().open.len(), 1);
    }
}
