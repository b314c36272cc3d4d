//! The gate: what it knows, and the questions it answers for the stages of [`crate::admit`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::request;

use crate::{
    admit::{Admitted, OriginChecked, RequestHead, Trail, Transport},
    caps::{CapLimits, Caps, Place},
    clock::{Clock, Timestamp},
    credential::Credential,
    host::HostName,
    lease::{EndReason, Entrance, Lease, Leases},
    oidc::{Seal, Used},
    origin::Origin,
    presented::Presented,
    principal::{Identity, Principal, SessionId},
    refusal::{Reason, Refusal, Stage},
    revocation::{Revocation, Revocations},
    route::Route,
    rules::Rules,
    secret::Secret,
    session::{AtProvider, PER_SUBJECT, Room, Sessions},
    sync::Exchanged,
    ticket::{self, Binding, Tickets},
    token::{Grant, Terms},
};

/// How long it is remembered what was signed out of, at least.
const SIGNED_OUT: Duration = Duration::from_secs(24 * 3600);

/// What a gate is made of.
pub struct GateConfig {
    /// Who may come; these change with the configuration.
    pub rules: Rules,
    /// How many may be here.
    pub caps: Arc<Caps>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

/// Decides who gets a socket, and who keeps one.
pub struct Gate {
    rules: Exchanged<Rules>,
    caps: Arc<Caps>,
    clock: Arc<dyn Clock>,
    tickets: Tickets,
    sessions: Sessions,
    revocations: Revocations,
    leases: Arc<Leases>,
    seal: Seal,
    used: Used,
    draining: AtomicBool,
}

/// A ticket, as it is handed out.
pub struct IssuedTicket {
    /// Offered as the subprotocol `wardwire.ticket.<ticket>`.
    pub ticket: Secret,
    /// How long it lives.
    pub lifetime: Duration,
    /// Whose it is, as channels name them: [`Identity::handle`](crate::principal::Identity::handle).
    pub handle: Box<str>,
}

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
    /// A gate that has admitted nobody.
    #[must_use]
    pub fn new(config: GateConfig) -> Self {
        let GateConfig { rules, caps, clock } = config;
        Self {
            rules: Exchanged::new(rules),
            caps,
            clock,
            tickets: Tickets::default(),
            sessions: Sessions::default(),
            revocations: Revocations::default(),
            leases: Leases::new(),
            seal: Seal::new(),
            used: Used::default(),
            draining: AtomicBool::new(false),
        }
    }

    /// Asks every question of a handshake. The trail says what became known, whatever the outcome.
    ///
    /// # Errors
    /// The first question that was not answered.
    pub async fn admit(
        &self,
        request: &request::Parts,
        transport: &Transport,
        place: &Place,
        trail: &mut Trail,
    ) -> Result<Admitted, Refusal> {
        self.check_draining()?;
        RequestHead::parse(request, transport, self)?
            .check_origin()?
            .identify(self, trail)
            .await?
            .permit(self)?
            .admit(place, self)
    }

    /// Judges host and origin of an ordinary request.
    ///
    /// # Errors
    /// As for a handshake.
    pub fn check<'r>(
        &self,
        request: &'r request::Parts,
        transport: &'r Transport,
    ) -> Result<OriginChecked<'r>, Refusal> {
        RequestHead::parse(request, transport, self)?.check_origin()
    }

    /// Issues a ticket for a route, to whoever could enter it.
    ///
    /// # Errors
    /// The reason for which the handshake would be refused.
    pub async fn issue_ticket(
        &self,
        checked: &OriginChecked<'_>,
        path: &str,
        trail: &mut Trail,
    ) -> Result<IssuedTicket, Refusal> {
        self.check_draining()?;
        let identity = checked.authenticate(self, trail).await?;
        let route = checked.rules.routes.find(path);
        let route = route.ok_or_else(|| Refusal::new(Stage::Permission, Reason::RouteForbidden))?;
        route.check_certificate(checked.certificate())?;
        if checked.origin.is_none() && !route.native_clients {
            return Err(Refusal::new(Stage::Origin, Reason::OriginMissing));
        }
        route.permit(&Principal::User(identity.clone()), self.now())?;
        let handle = identity.handle().into();
        let binding = Binding {
            identity,
            origin: checked.origin.clone(),
            route: route.path.clone(),
        };
        let ticket = self.tickets.issue(binding, self.now())?;
        Ok(IssuedTicket {
            ticket,
            lifetime: ticket::LIFETIME,
            handle,
        })
    }

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
        Some(self.end(&revocation, until, EndReason::LoggedOut))
    }

    /// Whether tokens of this issuer are believed. What it did not issue cannot be taken back.
    #[must_use]
    pub fn trusts(&self, issuer: &str) -> bool {
        self.rules().issuers.trust(issuer)
    }

    /// Takes something back, now and for every later handshake. Returns how many sockets that ended.
    pub fn revoke(&self, revocation: &Revocation) -> usize {
        self.end(revocation, Timestamp::NEVER, EndReason::Revoked)
    }

    /// Puts other rules and limits in the place of those before, ends every socket that they do not keep, and has the others
    /// last as long as they say: once this returns, nobody is let in by the rules before. Revocations, sessions, tickets and
    /// sockets stay what they are; tickets and sessions are judged when they are brought, by the rules of that time. Returns
    /// how many sockets that ended.
    pub fn reload(&self, rules: Rules, caps: CapLimits) -> usize {
        let rules = self.rules.replace(rules);
        self.caps.limit(caps);
        let keep = |principal: &_, entrance: &_| rules.keep(principal, entrance);
        self.leases.judge(self.now(), keep)
    }

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

    /// What a grant gives the user of a live socket.
    ///
    /// # Errors
    /// It does not hold, was taken back, or is somebody else's.
    pub async fn grant(&self, lease: &Lease, grant: &str) -> Result<Grant, Refusal> {
        loop {
            let (rules, holder) = (self.rules(), lease.principal());
            let granted = rules.issuers.verify_grant(grant, &holder).await?;
            if !self.grant_stands(&granted.terms, &holder) {
                return Err(Refusal::new(Stage::Identity, Reason::Revoked));
            }
            // Else it is asked again by the rules that hold now.
            if self.rules.is(&rules) {
                return Ok(granted);
            }
        }
    }

    /// Whether a grant that held before would hold still, by the rules and revocations of now.
    #[must_use]
    pub fn upholds(&self, terms: &Terms, holder: &Principal) -> bool {
        self.rules().issuers.uphold(terms) && self.grant_stands(terms, holder)
    }

    fn grant_stands(&self, terms: &Terms, holder: &Principal) -> bool {
        let (holder, now) = (holder.identity(), self.now());
        holder.is_some_and(|holder| !self.revocations.cover_grant(terms, holder, now))
    }

    /// Lets nobody new in and ends every socket, as the server goes down. Returns how many.
    pub fn drain(&self) -> usize {
        self.draining.store(true, Ordering::SeqCst);
        self.leases.end_all()
    }

    /// Whether the server goes down.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// The open cookie sessions.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whose session this is. One with an open socket is in use.
    fn find_session(&self, secret: &Secret) -> Option<Arc<Identity>> {
        let in_use = |identity: &Identity| self.leases.hold_session_of(identity);
        self.sessions.find(secret, self.now(), in_use)
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.seal
    }

    /// What counts once, and was used.
    pub(crate) fn used(&self) -> &Used {
        &self.used
    }

    /// The live sockets' leases.
    #[must_use]
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The rules that hold now.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.now()
    }

    /// How many are here.
    #[must_use]
    pub fn caps(&self) -> &Arc<Caps> {
        &self.caps
    }

    /// Whether a host is ours.
    #[must_use]
    pub fn answers_to(&self, host: &HostName) -> bool {
        self.rules().hosts.holds(host)
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Who a token or a session cookie stands for.
    pub(crate) async fn verify(
        &self,
        rules: &Rules,
        credential: Credential,
    ) -> Result<Arc<Identity>, Refusal> {
        let refuse = |reason| Refusal::new(Stage::Identity, reason);
        match credential {
            Credential::Missing => Err(refuse(Reason::CredentialMissing)),
            Credential::Ticket { .. } => Err(refuse(Reason::CredentialConflict)),
            Credential::Application(presented) => {
                let identity = rules.issuers.ask_application(&presented).await;
                identity.map(Arc::new)
            }
            Credential::Bearer(token) => rules.issuers.verify(&token).await.map(Arc::new),
            Credential::Session(secret) => {
                let identity = self.find_session(&secret);
                let identity = identity.ok_or_else(|| refuse(Reason::SessionUnknown))?;
                rules.issuers.vouch(&identity)?;
                Ok(identity)
            }
        }
    }

    /// Whom a ticket admits. It is used up even if its binding does not fit: a ticket that was seen elsewhere is stolen.
    pub(crate) fn redeem(
        &self,
        rules: &Rules,
        ticket: &Secret,
        (cookie, application): (Option<&Secret>, Option<&Presented>),
        origin: Option<&Origin>,
        route: &Route,
    ) -> Result<Arc<Identity>, Refusal> {
        let refuse = |reason| Refusal::new(Stage::Identity, reason);
        let now = self.now();
        let binding = self
            .tickets
            .redeem(ticket, now)
            .ok_or_else(|| refuse(Reason::TicketUnknown))?;
        let other = |detail: &str| refuse(Reason::TicketBinding).because(detail);
        if binding.origin.as_ref() != origin {
            return Err(other("another origin"));
        }
        if binding.route != route.path {
            return Err(other("another route"));
        }
        if let Some(cookie) = cookie {
            let session = self.find_session(cookie).and_then(|it| it.session.clone());
            if session.is_none() || session != binding.identity.session {
                return Err(other("another session"));
            }
        }
        if application.is_some_and(|it| binding.identity.token_id != Some(it.name())) {
            return Err(other("another session of the application"));
        }
        if binding.identity.expires_at <= now {
            return Err(refuse(Reason::TokenExpired));
        }
        // It may have been issued by other rules.
        rules.issuers.vouch(&binding.identity)?;
        Ok(binding.identity)
    }

    pub(crate) fn check_revoked(&self, principal: &Principal) -> Result<(), Refusal> {
        match principal.identity() {
            Some(identity) if self.revocations.cover(identity, self.now()) => {
                Err(Refusal::new(Stage::Identity, Reason::Revoked))
            }
            _ => Ok(()),
        }
    }

    /// Registers a lease; draining is asked afterwards, so that a drain beside an upgrade sees one or the other.
    pub(crate) fn begin_lease(
        &self,
        principal: Principal,
        until: Timestamp,
        entrance: Entrance,
    ) -> Result<Arc<Lease>, Refusal> {
        let lease = self.leases.begin(principal, until, entrance);
        self.check_draining()?;
        Ok(lease)
    }

    /// Whether these rules still hold. Who was judged by others may come again at once.
    pub(crate) fn check_current(&self, rules: &Arc<Rules>) -> Result<(), Refusal> {
        if self.rules.is(rules) {
            return Ok(());
        }
        let refusal = Refusal::new(Stage::Accept, Reason::Reloaded);
        Err(refusal.retry_after(Duration::from_secs(1)))
    }

    pub(crate) fn end(
        &self,
        revocation: &Revocation,
        until: Timestamp,
        reason: EndReason,
    ) -> usize {
        self.revocations.insert(revocation, until, self.now());
        self.rules().issuers.forget(revocation);
        self.leases.revoke(revocation, reason)
    }

    /// The same of one user's sockets alone. What was answered for the revoked is for the caller to forget.
    pub(crate) fn end_of(
        &self,
        user: &Identity,
        revocation: &Revocation,
        until: Timestamp,
    ) -> usize {
        self.revocations.insert(revocation, until, self.now());
        let reason = EndReason::Revoked;
        self.leases.revoke_of(user, revocation, reason)
    }

    pub(crate) fn check_draining(&self) -> Result<(), Refusal> {
        if self.is_draining() {
            let refusal = Refusal::new(Stage::Accept, Reason::Draining);
            return Err(refusal.retry_after(Duration::from_secs(1)));
        }
        Ok(())
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

#[cfg(test)]
mod tests;
