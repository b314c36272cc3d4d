//! The stages of admission as types. Each consumes the one before it, and only the last can be upgraded.
//!
//! ```text
//! RequestHead -> OriginChecked -> Identified -> Permitted -> Admitted
//! ```
//!
//! Nothing outside this module can make an [`Admitted`]:
//!
//! ```compile_fail,E0451
//! let forged = wardwire_admission::admit::Admitted { admission: todo!() };
//! ```

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, Method, header, request};
use wardwire_protocol::{
    deflate::{Encoding, Terms},
    handshake::{Offer, OfferError},
};

use crate::{
    caps::{ConnectionSlot, Place},
    certificate::ClientCertificate,
    credential::{self, Credential, check_query},
    gate::Gate,
    host::HostName,
    lease::{Entrance, Lease},
    origin::Origin,
    principal::{Identity, Principal},
    refusal::{Reason, Refusal, Stage},
    route::{Route, WARDWIRE_SESSION},
    rules::Rules,
};

/// Where a request came in, as the connection knows it.
#[derive(Clone, Debug)]
pub struct Transport {
    /// The client, as far as it is known.
    pub peer: IpAddr,
    /// The balancer that brought the connection, where one does.
    pub balancer: Option<IpAddr>,
    /// The name TLS was agreed for.
    pub server_name: Option<Box<str>>,
    /// What TLS was agreed with on the listener that asks for it. Verified.
    pub certificate: Option<Arc<ClientCertificate>>,
}

impl Transport {
    /// The other end of the connection itself.
    #[must_use]
    pub fn connected(&self) -> IpAddr {
        self.balancer.unwrap_or(self.peer)
    }
}

/// What the audit log is told of a request, whatever becomes of it. Nothing here is trusted, and nothing opens anything.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// Names the connection.
    pub connection: u64,
    /// Which of its streams, over HTTP/2.
    pub stream: Option<u32>,
    /// The client, as far as it is known.
    pub peer: Option<IpAddr>,
    /// The balancer that says so: the other end of the connection, where that is not the client.
    pub balancer: Option<IpAddr>,
    /// The certificate that the client showed, taken or not.
    pub certificate: Option<Arc<ClientCertificate>>,
    /// Without the query, which may hold what must not be logged.
    pub path: Option<Box<str>>,
    /// As sent.
    pub origin: Option<Box<str>>,
    /// A correlation id of the client's own choice.
    pub trace: Option<Box<str>>,
    /// Which kind of credential was brought, good or not.
    pub credential: Option<&'static str>,
    /// Once known.
    pub issuer: Option<Box<str>>,
    /// Once known.
    pub subject: Option<Box<str>>,
}

/// A client may name its attempt with this subprotocol, or with the header [`TRACE_HEADER`].
pub const TRACE_PREFIX: &str = "wardwire.trace.";
/// See [`TRACE_PREFIX`].
pub const TRACE_HEADER: &str = "wardwire-trace";

impl Trail {
    /// What can be said before anything is judged.
    #[must_use]
    pub fn begin(connection: u64, peer: IpAddr, request: &request::Parts) -> Self {
        let text = |name: &str| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let offered = text("sec-websocket-protocol")
            .into_iter()
            .flat_map(|list| list.split(','));
        let trace = offered
            .filter_map(|name| name.trim().strip_prefix(TRACE_PREFIX))
            .chain(text(TRACE_HEADER))
            .find(|id| is_trace(id));
        Self {
            connection,
            stream: None,
            peer: Some(peer),
            certificate: None,
            path: Some(loggable(request.uri.path()).into()),
            origin: text("origin").map(Into::into),
            trace: trace.map(Into::into),
            ..Self::default()
        }
    }

    fn identified(&mut self, principal: &Principal) {
        if let Some(identity) = principal.identity() {
            self.issuer = Some(identity.issuer.clone());
            self.subject = Some(identity.subject.clone());
        }
    }
}

/// A path, or a channel's name, without what must not be logged: some clients put their token there.
#[must_use]
pub fn loggable(path: &str) -> &str {
    if path.split('/').any(credential::looks_signed) {
        "(holds a token)"
    } else {
        path
    }
}

fn is_trace(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (8..=64).contains(&id.len()) && id.bytes().all(allowed)
}

/// A request for a host of ours, without a credential in its URL.
pub struct RequestHead<'r> {
    request: &'r request::Parts,
    certificate: Option<&'r Arc<ClientCertificate>>,
    /// By which it is judged: those that held when its head was read.
    rules: Arc<Rules>,
}

impl<'r> RequestHead<'r> {
    /// Judges host, target and whether the connection may still ask for anything, by the rules that hold now, as does every
    /// stage after it.
    ///
    /// # Errors
    /// A malformed or foreign host, one TLS was not agreed for, a balancer that is trusted no longer, a credential in the
    /// URL, or a client's certificate that the connection has outlived or that is refused by now.
    pub fn parse(
        request: &'r request::Parts,
        transport: &'r Transport,
        gate: &Gate,
    ) -> Result<Self, Refusal> {
        let rules = gate.rules();
        let certificate = transport.certificate.as_ref();
        if certificate.is_some_and(|it| it.expires_at <= gate.now()) {
            return Err(Refusal::new(Stage::Tls, Reason::CertificateExpired));
        }
        // TLS may have been agreed by the demands before a reload.
        if !rules.verify(certificate.map(|it| &**it)) {
            let refusal = Refusal::new(Stage::Tls, Reason::CertificateRefused);
            return Err(refusal.because("by what is demanded since a reload"));
        }
        // Nobody brings whoever shows a certificate.
        if certificate.is_none() && !rules.balancers.admit(transport.connected()) {
            return Err(Refusal::new(Stage::Proxy, Reason::ProxyUntrusted));
        }
        let bad = |detail: &str| Refusal::new(Stage::Host, Reason::BadHost).because(detail);
        let text = request
            .headers
            .get(header::HOST)
            .and_then(|value| value.to_str().ok())
            .ok_or_else(|| bad("no Host"))?;
        let host = HostName::parse(text).ok_or_else(|| bad("malformed"))?;
        if let Some(authority) = request.uri.authority() {
            // RFC 9112 §3.2.2: in absolute form the target names a host too, and here both must agree.
            if HostName::parse(authority.as_str()).as_ref() != Some(&host) {
                return Err(bad("the target names another host"));
            }
        }
        let misdirected =
            |detail: &str| Refusal::new(Stage::Host, Reason::Misdirected).because(detail);
        if !rules.hosts.holds(&host) {
            return Err(misdirected("not a host of ours"));
        }
        let asked = transport.server_name.as_deref().map(HostName::parse);
        if asked.is_some_and(|name| name.as_ref() != Some(&host)) {
            return Err(misdirected("not the name that TLS was agreed for"));
        }
        check_query(request.uri.query().unwrap_or_default())?;
        Ok(Self {
            request,
            certificate,
            rules,
        })
    }

    /// Judges the page the request comes from. A wrong origin is refused whatever else the request brings.
    ///
    /// # Errors
    /// An origin that is malformed, doubled or not allowed.
    pub fn check_origin(self) -> Result<OriginChecked<'r>, Refusal> {
        let origin = origin(&self.request.headers)?;
        if let Some(origin) = &origin
            && !self.rules.origins.allow(origin)
        {
            return Err(Refusal::new(Stage::Origin, Reason::OriginNotAllowed));
        }
        Ok(OriginChecked {
            request: self.request,
            certificate: self.certificate,
            rules: self.rules,
            origin,
        })
    }
}

fn origin(headers: &HeaderMap) -> Result<Option<Origin>, Refusal> {
    let refuse =
        |detail: &str| Refusal::new(Stage::Origin, Reason::OriginMalformed).because(detail);
    let mut lines = headers.get_all(header::ORIGIN).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(refuse("Origin twice"));
    }
    let origin = line.to_str().ok().and_then(Origin::parse);
    origin
        .map(Some)
        .ok_or_else(|| refuse("not a serialised origin"))
}

/// A request from an allowed page, or from no page at all.
pub struct OriginChecked<'r> {
    request: &'r request::Parts,
    certificate: Option<&'r Arc<ClientCertificate>>,
    pub(crate) rules: Arc<Rules>,
    /// The page. None from a client that is no browser, or a browser's same-origin GET.
    pub origin: Option<Origin>,
}

impl<'r> OriginChecked<'r> {
    /// Judges whether the request is a handshake for a route, and who sent it.
    ///
    /// # Errors
    /// Whatever the first unanswered question is; network calls come last.
    pub async fn identify(self, gate: &Gate, trail: &mut Trail) -> Result<Identified, Refusal> {
        let offer = Offer::parse(self.request).map_err(not_a_handshake)?;
        let path = self.request.uri.path();
        let rules = self.rules.clone();
        let route = rules
            .routes
            .find(path)
            .cloned()
            .ok_or_else(|| Refusal::new(Stage::Head, Reason::NotFound))?;
        route.check_certificate(self.certificate())?;
        let subprotocol = route.select(&offer)?;
        let headers = &self.request.headers;
        let selection = rules.issuers.selection();
        let credential = Credential::find_any(headers, &offer.subprotocols, selection)?;
        trail.credential = credential.kind();
        if self.origin.is_none() && (credential.is_ambient() || !route.native_clients) {
            return Err(Refusal::new(Stage::Origin, Reason::OriginMissing));
        }
        if offer.offers(WARDWIRE_SESSION) && !credential.is_session() {
            return Err(Refusal::new(Stage::Identity, Reason::CredentialMissing));
        }
        let principal = match credential {
            Credential::Missing => Principal::Anonymous,
            Credential::Ticket {
                ticket,
                session,
                application,
            } => Principal::User(gate.redeem(
                &rules,
                &ticket,
                (session.as_ref(), application.as_ref()),
                self.origin.as_ref(),
                &route,
            )?),
            credential => Principal::User(gate.verify(&rules, credential).await?),
        };
        trail.identified(&principal);
        principal.check_bound(self.certificate())?;
        gate.check_revoked(&principal)?;
        Ok(Identified {
            rules,
            principal,
            certificate: self.certificate.cloned(),
            origin: self.origin,
            route,
            offer,
            subprotocol,
        })
    }

    /// Who sent an ordinary request to one of our own endpoints. A ticket opens sockets, not endpoints.
    ///
    /// # Errors
    /// No credential, or one that does not hold.
    pub async fn authenticate(
        &self,
        gate: &Gate,
        trail: &mut Trail,
    ) -> Result<Arc<Identity>, Refusal> {
        let selection = self.rules.issuers.selection();
        let credential = Credential::find_any(&self.request.headers, &[], selection)?;
        trail.credential = credential.kind();
        // A browser names the page in every request that changes something. Reading across origins is CORS' business.
        let reads = self.request.method == Method::GET;
        if self.origin.is_none() && credential.is_ambient() && !reads {
            return Err(Refusal::new(Stage::Origin, Reason::OriginMissing));
        }
        let identity = gate.verify(&self.rules, credential).await?;
        let principal = Principal::User(identity.clone());
        trail.identified(&principal);
        principal.check_bound(self.certificate())?;
        gate.check_revoked(&principal)?;
        Ok(identity)
    }

    /// What its connection was opened with.
    #[must_use]
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.map(|it| &**it)
    }

    /// The request's headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.request.headers
    }
}

fn not_a_handshake(error: OfferError) -> Refusal {
    let reason = match error {
        OfferError::Method => Reason::MethodNotAllowed,
        OfferError::Version => Reason::BadVersion,
        _ => Reason::BadHandshake,
    };
    Refusal::new(Stage::Head, reason).because(error)
}

/// A handshake of somebody known, or of nobody in particular.
pub struct Identified {
    rules: Arc<Rules>,
    principal: Principal,
    certificate: Option<Arc<ClientCertificate>>,
    origin: Option<Origin>,
    route: Arc<Route>,
    offer: Offer,
    subprotocol: Option<&'static str>,
}

impl Identified {
    /// Judges the right to the route.
    ///
    /// # Errors
    /// As the route demands more.
    pub fn permit(self, gate: &Gate) -> Result<Permitted, Refusal> {
        self.route.permit(&self.principal, gate.now())?;
        Ok(Permitted(self))
    }
}

/// A handshake with a right to its route.
pub struct Permitted(Identified);

impl Permitted {
    /// Takes a place among the subject's sockets and asks once more whether anything was taken back, and whether the rules
    /// still hold by which all of it was judged.
    ///
    /// # Errors
    /// Too many sockets, revoked meanwhile, other rules by now, or the server goes down.
    pub fn admit(self, place: &Place, gate: &Gate) -> Result<Admitted, Refusal> {
        let Self(Identified {
            rules,
            principal,
            certificate,
            origin,
            route,
            offer,
            subprotocol,
        }) = self;
        place.admit(&principal)?;
        let entrance = Entrance {
            route: route.clone(),
            origin,
            certificate,
        };
        // INVARIANT: the lease is registered before these checks, and a revocation is remembered, and other rules are put in
        // place, before they look for leases. So of either and an upgrade at the same instant, one always sees the other.
        let until = route.until(&principal);
        let lease = gate.begin_lease(principal.clone(), until, entrance)?;
        gate.check_revoked(&principal)?;
        gate.check_current(&rules)?;
        let slot = place.take()?;
        let admission = Admission {
            principal,
            lease,
            slot,
            route,
            offer,
            subprotocol,
        };
        Ok(Admitted { admission })
    }
}

/// Proof that every question was answered. Only [`Permitted::admit`] makes one, and the upgrade takes it by value:
/// an unauthenticated upgrade does not compile.
pub struct Admitted {
    admission: Admission,
}

impl Admitted {
    /// What the socket is made of.
    #[must_use]
    pub fn into_admission(self) -> Admission {
        self.admission
    }
}

/// What an admitted socket stands on.
#[non_exhaustive]
pub struct Admission {
    /// Who it is.
    pub principal: Principal,
    /// For how long.
    pub lease: Arc<Lease>,
    /// Its place.
    pub slot: ConnectionSlot,
    /// Where it leads.
    pub route: Arc<Route>,
    /// What the client offered.
    pub offer: Offer,
    /// What was selected of it.
    pub subprotocol: Option<&'static str>,
}

impl Admission {
    /// The terms on which messages are deflated: the client's, where the route wants it at all.
    #[must_use]
    pub fn deflate(&self) -> Option<Terms> {
        self.offer
            .deflate
            .filter(|_| self.route.compression.is_some())
    }

    /// What that makes of messages to the client.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        let compression = self.route.compression?;
        self.deflate().map(|terms| compression.agreed(terms))
    }
}
