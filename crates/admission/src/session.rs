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
const PER_SUBJECT: usize = 256;
/// How often ended sessions are looked for, in milliseconds.
const SWEEP: u64 = 60_000;

impl Sessions {
    /// Opens a session for `identity` until that identity expires. Always a new secret: nobody can fix it beforehand.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn open(
        &self,
        identity: Identity,
        now: Timestamp,
    ) -> Result<(Secret, SessionId), NoRandom> {
        self.open_at(identity, None, now)
    }

    /// The same, for somebody who signed in at a provider.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn open_at(
        &self,
        identity: Identity,
        provider: Option<AtProvider>,
        now: Timestamp,
    ) -> Result<(Secret, SessionId), NoRandom> {
        let secret = Secret::random()?;
        let hash = secret.hash();
        let id = SessionId::new(hash.public_name());
        let identity = Arc::new(Identity {
            session: Some(id.clone()),
            ..identity
        });
        let mut state = self.state.lock();
        state.sweep(now);
        state.make_room(&identity, hash);
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
        Ok((secret, id))
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
        let is_idle = |it: &AtProvider| open.used.after(it.idle) <= now;
        let idle = open.provider.as_ref().is_some_and(is_idle);
        if open.identity.expires_at <= now || (idle && !in_use(&open.identity)) {
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

impl State {
    fn end(&mut self, hash: &SecretHash) -> Option<Arc<Identity>> {
        self.open.remove(hash).map(|it| it.identity)
    }

    fn sweep(&mut self, now: Timestamp) {
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
        // One that is unused may have a socket; it goes when its time is over.
        open.retain(|_, open| open.identity.expires_at > now);
        of_subject.retain(|_, theirs| {
            theirs.retain(|hash| open.contains_key(hash));
            !theirs.is_empty()
        });
        at_provider.retain(|_, theirs| {
            theirs.retain(|hash| open.contains_key(hash));
            !theirs.is_empty()
        });
    }

    /// Notes one more session of a subject, in the place of their oldest if there are too many.
    fn make_room(&mut self, identity: &Identity, hash: SecretHash) {
        let subject = (identity.issuer.clone(), identity.subject.clone());
        let theirs = self.of_subject.entry(subject).or_default();
        if theirs.len() >= PER_SUBJECT {
            theirs.retain(|hash| self.open.contains_key(hash));
        }
        if theirs.len() >= PER_SUBJECT
            && let Some(oldest) = theirs.pop_front()
        {
            self.open.remove(&oldest);
        }
        theirs.push_back(hash);
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
        let open = || sessions.open_at(identity("alice"), at_provider("s"), NOW);
        let (used, socket) = (open().unwrap().0, open().unwrap().0);
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
            let opened = sessions.open_at(identity(name), at_provider(session), NOW);
            opened.unwrap().0
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
        let (first, first_id) = sessions.open(identity("alice"), NOW).unwrap();
        let (second, second_id) = sessions.open(identity("alice"), NOW).unwrap();
        assert!(first != second && first_id != second_id);
        assert_eq!(
            sessions.find(&first, NOW, unused).unwrap().session,
            Some(first_id)
        );
    }

    #[test]
    fn a_session_ends_with_its_identity_or_when_told() {
        let sessions = Sessions::default();
        let (secret, _) = sessions.open(identity("alice"), NOW).unwrap();
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
        let open = |name: &str| sessions.open(identity(name), NOW).unwrap().0;
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
    fn ended_sessions_are_not_kept() {
        let sessions = Sessions::default();
        sessions.open(identity("alice"), NOW).unwrap();
        let later = Timestamp::from_secs(2100);
        sessions
            .open(
                Identity {
                    expires_at: later,
                    ..identity("bob")
                },
                later,
            )
            .unwrap();
        assert_eq!(sessions.state.lock().open.len(), 1);
    }
}
