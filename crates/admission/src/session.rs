//! Cookie sessions: opened by a sign-in, known by a secret of which only the hash is kept.

use std::{collections::HashMap, sync::Arc};

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
    /// The next time at which ended sessions are looked for.
    sweep: Option<Timestamp>,
}

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
        if state.sweep.is_none_or(|due| now >= due) {
            state.open.retain(|_, identity| identity.expires_at > now);
            state.sweep = Some(Timestamp::from_millis(
                now.as_millis().saturating_add(SWEEP),
            ));
        }
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
