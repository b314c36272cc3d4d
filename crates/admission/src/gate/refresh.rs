//! A live socket's proof, replaced by a fresh one of the same user's.

use std::sync::Arc;

use super::Gate;
use crate::{
    clock::Timestamp,
    credential::Credential,
    lease::{EndReason, Lease},
    principal::{Identity, Principal},
    refusal::{Reason, Refusal, Stage},
    rules::Rules,
};

/// What a live socket stands on from now on.
#[derive(Clone, Debug)]
pub struct Renewed {
    /// Whom the token stands for.
    pub identity: Arc<Identity>,
    /// When it ends, unless it is renewed again.
    pub until: Timestamp,
}

/// Why a socket's proof was not replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshError {
    /// The token does not hold; the socket lives on with the old one.
    Refused(Refusal),
    /// The token is somebody else's: the socket ends (3003).
    OtherSubject,
}

impl Gate {
    /// Replaces a live socket's proof.
    ///
    /// # Errors
    /// The token does not hold or is too weak for the route, or it is not of the same issuer, subject, tenant, session and
    /// key.
    pub async fn refresh(&self, lease: &Lease, token: &str) -> Result<Renewed, RefreshError> {
        let mut stands_on_it = false;
        loop {
            let rules = self.rules();
            match self.renew(&rules, lease, token).await {
                Ok(fresh) if self.rules.is(&rules) => return Ok(fresh),
                // Asked again by the rules that hold now.
                Ok(_) => stands_on_it = true,
                Err(error) => {
                    if stands_on_it {
                        lease.end(EndReason::Revoked);
                    }
                    return Err(error);
                }
            }
        }
    }

    async fn renew(
        &self,
        rules: &Rules,
        lease: &Lease,
        token: &str,
    ) -> Result<Renewed, RefreshError> {
        let fresh = self.verify(rules, Credential::Bearer(token.into())).await;
        let fresh = fresh.map_err(RefreshError::Refused)?;
        let gone = || Refusal::new(Stage::Permission, Reason::RouteForbidden);
        let route = rules.routes.find(&lease.entrance().route.path);
        let route = route.ok_or_else(|| RefreshError::Refused(gone()))?;
        let held = lease.principal();
        let fresh = match held.identity() {
            Some(held) if is_same_user(held, &fresh) => in_session_of(held, fresh),
            _ => return Err(RefreshError::OtherSubject),
        };
        let principal = Principal::User(fresh.clone());
        let revoked = || self.check_revoked(&principal);
        principal
            .check_bound(lease.certificate())
            .and_then(|()| revoked())
            .and_then(|()| route.permit(&principal, self.now()))
            .map_err(RefreshError::Refused)?;
        let until = lease.renew(fresh.clone(), route.until(&principal));
        // Asked again after the lease stands on it, for the same reason as at the upgrade.
        if let Err(refusal) = revoked() {
            lease.end(EndReason::Revoked);
            return Err(RefreshError::Refused(refusal));
        }
        Ok(Renewed {
            identity: fresh,
            until,
        })
    }
}

/// A socket stays in its session, also when a token does not name it: signing out must still find the socket.
fn in_session_of(held: &Identity, fresh: Arc<Identity>) -> Arc<Identity> {
    if fresh.session.is_some() || held.session.is_none() {
        return fresh;
    }
    Arc::new(Identity {
        session: held.session.clone(),
        ..Identity::clone(&fresh)
    })
}

/// The same issuer and subject, and whatever else both tell of tenant and session. A binding to a key may be won, never
/// changed or lost.
fn is_same_user(held: &Identity, fresh: &Identity) -> bool {
    const TENANT: [&str; 4] = ["tid", "tenant", "tenant_id", "org_id"];
    let sessions = (&held.session, &fresh.session);
    let keeps_binding = held.bound_to.is_none() || held.bound_to == fresh.bound_to;
    keeps_binding
        && held.issuer == fresh.issuer
        && held.subject == fresh.subject
        && TENANT
            .iter()
            .all(|&name| held.claims.get(name) == fresh.claims.get(name))
        && !matches!(sessions, (Some(held), Some(fresh)) if held != fresh)
}
