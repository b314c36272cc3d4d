//! What the configuration says of who may come, as one value: a reload exchanges it as a whole.
//!
//! A request is judged by the rules that held when its head was read, and asks at the end whether they still do.

use std::sync::Arc;

use crate::{
    certificate::{ClientCertificate, Judge},
    clock::Timestamp,
    host::Hosts,
    lease::{EndReason, Entrance},
    origin::AllowedOrigins,
    principal::Principal,
    proxy::Balancers,
    route::Routes,
    token::Issuers,
};

/// Who may come, from where, to what, and who is believed about it.
pub struct Rules {
    /// The hosts it answers to.
    pub hosts: Hosts,
    /// The pages it answers.
    pub origins: AllowedOrigins,
    /// Where sockets may lead.
    pub routes: Routes,
    /// Whom it trusts.
    pub issuers: Issuers,
    /// Who may bring connections of others.
    pub balancers: Balancers,
    /// What clients' certificates must be. None where there is no listener for them.
    pub certificates: Option<Arc<dyn Judge>>,
}

impl Rules {
    /// Until when a socket that other rules let in may stay. Asked is what would be asked at a handshake and can change by a
    /// reload alone: who vouches for its user, to whom and for how long, its page, its route and what that demands of a
    /// sign-in, and its client certificate.
    ///
    /// # Errors
    /// How it ends: `Revoked` where signing in anew may help, `Forbidden` where that does not.
    pub fn keep(&self, principal: &Principal, entrance: &Entrance) -> Result<Timestamp, EndReason> {
        let Entrance {
            route,
            origin,
            certificate,
        } = entrance;
        if !self.verify(certificate.as_deref()) {
            return Err(EndReason::Revoked);
        }
        let now = self.routes.find(&route.path);
        let now = now.filter(|now| now.kind == route.kind);
        let now = now.ok_or(EndReason::Forbidden)?;
        let may_come = match origin {
            Some(origin) => self.origins.allow(origin),
            None => now.native_clients,
        };
        if !may_come {
            return Err(EndReason::Forbidden);
        }
        let vouched = match principal.identity() {
            Some(identity) => self.issuers.vouch(identity).is_ok(),
            None => true,
        };
        match vouched && now.keeps(principal) {
            true => Ok(now.until(principal)),
            false => Err(EndReason::Revoked),
        }
    }

    /// Whether the certificate, if one was shown, would be taken now.
    pub(crate) fn verify(&self, shown: Option<&ClientCertificate>) -> bool {
        shown.is_none_or(|shown| {
            let judge = self.certificates.as_ref();
            judge.is_some_and(|judge| judge.verifies(shown))
        })
    }
}
