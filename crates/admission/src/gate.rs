//! The gate: what it knows, and the questions it answers for the stages of [`crate::admit`]. Beside it [`sessions`], and
//! how a live socket's proof is [replaced](refresh).

mod refresh;
mod sessions;

pub(crate) use self::sessions::OpenedSession;
pub use self::{
    refresh::{RefreshError, Renewed},
    sessions::GaveWay,
};

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
    principal::{Identity, Principal},
    refusal::{Reason, Refusal, Stage},
    revocation::{Holder, Revocation, Revocations},
    route::Route,
    rules::Rules,
    secret::Secret,
    session::Sessions,
    sync::Exchanged,
    ticket::{self, Binding, Tickets},
    token::{Grant, Terms},
};

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
        self.end_all_that_stands_on(revocation, reason)
    }

    /// The same of a token or a session that its holder signs out of.
    pub(crate) fn end_for(
        &self,
        holder: &Holder<'_>,
        revocation: &Revocation,
        until: Timestamp,
    ) -> usize {
        let now = self.now();
        self.revocations.insert_of(holder, revocation, until, now);
        self.end_all_that_stands_on(revocation, EndReason::LoggedOut)
    }

    fn end_all_that_stands_on(&self, revocation: &Revocation, reason: EndReason) -> usize {
        self.rules().issuers.forget(revocation);
        self.leases.revoke(revocation, reason)
    }

    /// Takes something back and ends one user's sockets alone. What was answered for the revoked is for the caller to forget.
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

#[cfg(test)]
mod tests;
