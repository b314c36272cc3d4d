//! Cookie sessions at the gate: opened, found, and signed out of with every socket in them.

use std::{sync::Arc, time::Duration};

use super::Gate;
use crate::{
    admit::{OriginChecked, Trail},
    credential::Credential,
    principal::{Identity, SessionId},
    refusal::{Reason, Refusal, Stage},
    revocation::{Holder, Revocation},
    secret::Secret,
    session::{AtProvider, PER_SUBJECT, Room},
    ticket,
};

/// A session, and what it ended.
pub(crate) struct OpenedSession {
    pub(crate) secret: Secret,
    pub(crate) id: SessionId,
    /// How many older ones of the same subject.
    pub(crate) surplus: usize,
    /// How many sockets of those.
    pub(crate) ended: usize,
    /// Somebody else's.
    pub(crate) gave_way: Option<GaveWay>,
}

/// A session that ended for another one's sake, as there were too many of all.
pub struct GaveWay {
    /// Whose it was.
    pub identity: Arc<Identity>,
    /// How many sockets ended with it.
    pub ended: usize,
}

impl Gate {
    /// Signs out: ends the cookie session of a request, or the bearer token's own session, and all its sockets. Returns
    /// how many sockets that ended.
    ///
    /// # Errors
    /// There is no such session, or a cookie comes from no page that says its name.
    pub async fn end_session(
        &self,
        checked: &OriginChecked<'_>,
        trail: &mut Trail,
    ) -> Result<usize, Refusal> {
        let identity = checked.authenticate(self, trail).await?;
        if let Some(ended) = self.forget_session(checked) {
            return Ok(ended);
        }
        self.sign_out(&identity)
            .ok_or_else(|| Refusal::new(Stage::Identity, Reason::SessionUnknown))
    }

    /// Opens a cookie session for somebody who has proved who they are by other means than a provider's.
    ///
    /// # Errors
    /// There are too many, or the system gives no random bytes.
    pub fn open_session(&self, identity: Identity) -> Result<(Secret, SessionId), Refusal> {
        let opened = self.open_session_at(identity, None, PER_SUBJECT)?;
        Ok((opened.secret, opened.id))
    }

    /// Opens a session, of which a subject may have so many, and all together as many as the caps say. Those that are too many
    /// end, with their sockets: out of sight, no sign-out would find them.
    pub(crate) fn open_session_at(
        &self,
        identity: Identity,
        provider: Option<AtProvider>,
        most: usize,
    ) -> Result<OpenedSession, Refusal> {
        let in_use = |identity: &Identity| self.leases.hold_session_of(identity);
        let now = self.now();
        let room = Room {
            of_subject: most,
            of_all: self.caps.sessions(),
        };
        let opened = self.sessions.open(identity, provider, room, now, in_use)?;
        let ended = opened.surplus.iter().filter_map(|it| self.sign_out(it));
        let gave_way = opened.gave_way.map(|identity| GaveWay {
            ended: self.sign_out(&identity).unwrap_or(0),
            identity,
        });
        Ok(OpenedSession {
            gave_way,
            ended: ended.sum(),
            surplus: opened.surplus.len(),
            secret: opened.secret,
            id: opened.id,
        })
    }

    /// Ends the cookie session that a browser brings to a sign-in, so that none can be planted on it beforehand. Returns
    /// how many sockets that ended; none without a session.
    pub fn forget_session(&self, checked: &OriginChecked<'_>) -> Option<usize> {
        let Ok(Credential::Session(secret)) = Credential::find(checked.headers(), &[]) else {
            return None;
        };
        let identity = self.sessions.end(&secret)?;
        self.sign_out(&identity)
    }

    /// Takes back the session that a proof belongs to, or else the proof itself. None if it has no name, which each token
    /// that was verified has.
    pub(crate) fn sign_out(&self, identity: &Identity) -> Option<usize> {
        let issuer = identity.issuer.clone();
        let revocation = match (&identity.session, &identity.token_id) {
            (Some(session), _) => {
                let id = session.as_str().into();
                Revocation::Session { issuer, id }
            }
            (None, Some(id)) => {
                let id = id.clone();
                Revocation::Token { issuer, id }
            }
            (None, None) => return None,
        };
        let until = match self.rules().issuers.is_application(&identity.issuer) {
            // Whether somebody has signed in anew with the same cookie is the application's to say: it is asked again as soon as no
            // ticket and no handshake of before is left.
            true => self.now().after(ticket::LIFETIME),
            // Neither a later token of the same session nor a later end of the same token must bring it back to life.
            false => identity.expires_at.max(self.now().after(SIGNED_OUT)),
        };
        let holder = Holder {
            subject: &identity.subject,
            issued_at: identity.issued_at,
        };
        Some(self.end_for(&holder, &revocation, until))
    }

    /// Whose session this is. One with an open socket is in use.
    pub(super) fn find_session(&self, secret: &Secret) -> Option<Arc<Identity>> {
        let in_use = |identity: &Identity| self.leases.hold_session_of(identity);
        self.sessions.find(secret, self.now(), in_use)
    }
}

/// How long it is remembered what was signed out of, at least.
const SIGNED_OUT: Duration = Duration::from_secs(24 * 3600);
