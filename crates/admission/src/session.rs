//! Cookie sessions: opened by a sign-in, known by a secret of which only the hash is kept.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
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
    open: HashMap<SecretHash, Arc<Identity>>,
    /// Oldest first; some of them may have ended.
    of_subject: HashMap<(Box<str>, Box<str>), VecDeque<SecretHash>>,
    /// The next time at which ended sessions are looked for.
    sweep: Option<Timestamp>,
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
        state.open.insert(hash, identity);
        Ok((secret, id))
    }

    /// Whose session this is. None if it never was, has ended, or has expired.
    #[must_use]
    pub fn find(&self, secret: &Secret, now: Timestamp) -> Option<Arc<Identity>> {
        let state = self.state.lock();
        state
            .open
            .get(&secret.hash())
            .filter(|identity| identity.expires_at > now)
            .cloned()
    }

    /// Ends a session. Returns whose it was.
    pub fn end(&self, secret: &Secret) -> Option<Arc<Identity>> {
        self.state.lock().open.remove(&secret.hash())
    }
}

impl State {
    fn sweep(&mut self, now: Timestamp) {
        if self.sweep.is_some_and(|due| now < due) {
            return;
        }
        let next = now.as_millis().saturating_add(SWEEP);
        self.sweep = Some(Timestamp::from_millis(next));
        let Self {
            open, of_subject, ..
        } = self;
        open.retain(|_, identity| identity.expires_at > now);
        of_subject.retain(|_, theirs| {
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

    #[test]
    fn every_sign_in_makes_a_new_session() {
        let sessions = Sessions::default();
        let (first, first_id) = sessions.open(identity("alice"), NOW).unwrap();
        let (second, second_id) = sessions.open(identity("alice"), NOW).unwrap();
        assert!(first != second && first_id != second_id);
        assert_eq!(sessions.find(&first, NOW).unwrap().session, Some(first_id));
    }

    #[test]
    fn a_session_ends_with_its_identity_or_when_told() {
        let sessions = Sessions::default();
        let (secret, _) = sessions.open(identity("alice"), NOW).unwrap();
        assert!(
            sessions
                .find(&secret, Timestamp::from_millis(1_999_999))
                .is_some()
        );
        assert!(sessions.find(&secret, Timestamp::from_secs(2000)).is_none());
        assert!(sessions.end(&secret).is_some());
        assert!(sessions.find(&secret, NOW).is_none() && sessions.end(&secret).is_none());
    }

    #[test]
    fn signing_in_again_and_again_ends_ones_own_oldest_session() {
        let sessions = Sessions::default();
        let open = |name: &str| sessions.open(identity(name), NOW).unwrap().0;
        let (bobs, first, second) = (open("bob"), open("alice"), open("alice"));
        for _ in 2..PER_SUBJECT {
            open("alice");
        }
        assert!(sessions.find(&first, NOW).is_some());
        sessions.end(&second);
        open("alice");
        assert!(sessions.find(&first, NOW).is_some(), "one had made room");
        open("alice");
        assert!(sessions.find(&first, NOW).is_none());
        assert!(sessions.find(&bobs, NOW).is_some());
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
