//! Why somebody was not let in: one short generic answer for the peer, the precise reason for the audit log.

use std::{fmt, time::Duration};

use http::StatusCode;

/// A refusal: always before `101`, always final for this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which question was not answered.
    pub stage: Stage,
    /// The precise reason; goes to the audit log only.
    pub reason: Reason,
    /// More for the audit log, cut to 256 bytes; never holds a credential.
    pub detail: String,
    /// How long to wait, where waiting helps.
    pub retry_after: Option<Duration>,
    /// What a stronger sign-in would have to bring (RFC 9470).
    step_up: Option<Box<str>>,
}

impl Refusal {
    /// A refusal without detail.
    #[must_use]
    pub fn new(stage: Stage, reason: Reason) -> Self {
        Self {
            stage,
            reason,
            detail: String::new(),
            retry_after: None,
            step_up: None,
        }
    }

    /// The same, with a word for the audit log. Cut to 256 bytes at a character boundary.
    #[must_use]
    pub fn because(mut self, detail: impl fmt::Display) -> Self {
        let mut text = detail.to_string();
        text.truncate(text.floor_char_boundary(256));
        self.detail = text;
        self
    }

    /// The same, with the challenge of a route that wants a stronger sign-in.
    #[must_use]
    pub(crate) fn step_up(mut self, challenge: String) -> Self {
        self.step_up = Some(challenge.into());
        self
    }

    /// What `WWW-Authenticate` says (RFC 6750 §3): every 401 has one, and it gives no reason away.
    #[must_use]
    pub fn challenge(&self) -> Option<String> {
        if self.reason.status() != StatusCode::UNAUTHORIZED {
            return None;
        }
        let plain = match self.reason {
            Reason::CredentialMissing => "Bearer",
            _ => "Bearer error=\"invalid_token\"",
        };
        Some(self.step_up.as_deref().unwrap_or(plain).to_owned())
    }

    /// The same, with advice to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// The questions in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connection caps, before anything is read.
    Accept,
    /// Is the peer a balancer of ours, and whom does it speak for?
    Proxy,
    /// Agreeing on keys.
    Tls,
    /// The raw HTTP head.
    Head,
    /// Is this host ours, and the one TLS was agreed for?
    Host,
    /// Is the page allowed?
    Origin,
    /// Who is it?
    Identity,
    /// May they use this route?
    Permission,
    /// Per-address and per-subject limits.
    Limits,
}

impl Stage {
    /// As written in the audit log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Head => "head",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Identity => "identity",
            Self::Permission => "permission",
            Self::Limits => "limits",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $public:literal;)*) => {
        /// The precise reason of a refusal, its audit code, its HTTP status and the generic code a peer is told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, for the code table's test.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As written in the audit log.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status of the answer.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What the peer is told: one of a small set that gives nothing away.
            #[must_use]
            pub fn public_code(self) -> &'static str {
                match self { $(Self::$name => $public,)* }
            }
        }
    };
}

reasons! {
    /// A connection from a peer that is no balancer of ours, where only those may connect. There is no HTTP answer.
    ProxyUntrusted = "proxy-untrusted", FORBIDDEN, "forbidden";
    /// The PROXY protocol header is missing, late or breaks its specification; the detail says how. There is no HTTP answer.
    ProxyHeader = "proxy-header", BAD_REQUEST, "bad-request";
    /// A request of which a balancer that ended TLS does not say whom it is from: `X-Forwarded-For` is missing, unreadable
    /// or names balancers of ours only.
    ForwardedFor = "forwarded-for", BAD_REQUEST, "bad-request";
    /// The client of a balancer that ended TLS did not come over TLS, or the balancer does not say so; the detail says which.
    NotOverTls = "not-over-tls", FORBIDDEN, "forbidden";
    /// TLS was not agreed: an old version, nothing in common, or silence. There is no HTTP answer.
    TlsFailed = "tls-failed", BAD_REQUEST, "bad-request";
    /// On the listener for client certificates: none was shown, or one that is not taken; the detail says why. There is
    /// an HTTP answer only if it was taken by what was demanded before a reload.
    CertificateRefused = "certificate-refused", FORBIDDEN, "client-certificate-required";
    /// The head breaks HTTP/1.1 (RFC 9112); the detail says how.
    MalformedHead = "malformed-head", BAD_REQUEST, "bad-request";
    /// Head larger than 16 KiB or 100 fields.
    HeadTooLarge = "head-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large";
    /// Request target longer than 8 KiB.
    TargetTooLong = "target-too-long", URI_TOO_LONG, "target-too-long";
    /// Any Transfer-Encoding in a request.
    TransferEncoding = "transfer-encoding", NOT_IMPLEMENTED, "bad-request";
    /// A body over 16 KiB.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "bad-request";
    /// A handshake that brings a body, or bytes behind it.
    UpgradeWithBody = "upgrade-with-body", BAD_REQUEST, "bad-request";
    /// A body that is not what the endpoint takes.
    BadBody = "bad-body", BAD_REQUEST, "bad-request";
    /// Only `application/json` is taken.
    BadMediaType = "bad-media-type", UNSUPPORTED_MEDIA_TYPE, "bad-request";
    /// The handshake was not finished in time.
    HandshakeTimeout = "handshake-timeout", REQUEST_TIMEOUT, "timeout";
    /// Not a WebSocket handshake of RFC 6455; the detail says why.
    BadHandshake = "bad-handshake", BAD_REQUEST, "bad-request";
    /// `Sec-WebSocket-Version` other than 13.
    BadVersion = "bad-version", UPGRADE_REQUIRED, "upgrade-required";
    /// A method this path does not take.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "method-not-allowed";
    /// No such path.
    NotFound = "not-found", NOT_FOUND, "not-found";
    /// A credential in the URL.
    CredentialInUrl = "credential-in-url", BAD_REQUEST, "credential-in-url";
    /// Host missing, doubled or malformed.
    BadHost = "bad-host", BAD_REQUEST, "bad-request";
    /// A host that is not ours, or not the one TLS was agreed for.
    Misdirected = "misdirected", MISDIRECTED_REQUEST, "misdirected";
    /// Origin is not on the list.
    OriginNotAllowed = "origin-not-allowed", FORBIDDEN, "origin-not-allowed";
    /// Origin is missing where one is needed.
    OriginMissing = "origin-missing", FORBIDDEN, "origin-not-allowed";
    /// Origin is not a serialised origin, or there are two.
    OriginMalformed = "origin-malformed", FORBIDDEN, "origin-not-allowed";
    /// No credential at all.
    CredentialMissing = "credential-missing", UNAUTHORIZED, "unauthenticated";
    /// Two credentials, or two that do not go together.
    CredentialConflict = "credential-conflict", BAD_REQUEST, "credential-conflict";
    /// A credential that cannot be read.
    CredentialMalformed = "credential-malformed", UNAUTHORIZED, "unauthenticated";
    /// A token over 8 KiB.
    TokenTooLarge = "token-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large";
    /// Not a JWS of three parts with strict JSON.
    TokenMalformed = "token-malformed", UNAUTHORIZED, "unauthenticated";
    /// An algorithm that is not allowed for this issuer.
    TokenAlgorithm = "token-algorithm", UNAUTHORIZED, "unauthenticated";
    /// `typ` or the configured discriminator does not say "access token".
    TokenType = "token-type", UNAUTHORIZED, "unauthenticated";
    /// `crit` names something.
    TokenCritical = "token-critical", UNAUTHORIZED, "unauthenticated";
    /// No configured issuer of that name.
    TokenIssuer = "token-issuer", UNAUTHORIZED, "unauthenticated";
    /// `aud` does not name us.
    TokenAudience = "token-audience", UNAUTHORIZED, "unauthenticated";
    /// A required claim is missing or of the wrong type.
    TokenClaims = "token-claims", UNAUTHORIZED, "unauthenticated";
    /// No key of that id at that issuer.
    TokenKey = "token-key", UNAUTHORIZED, "unauthenticated";
    /// The signature does not verify.
    TokenSignature = "token-signature", UNAUTHORIZED, "unauthenticated";
    /// The token is bound to a client certificate (RFC 8705), and the connection was opened with another or none.
    TokenBinding = "token-binding", UNAUTHORIZED, "unauthenticated";
    /// Expired.
    TokenExpired = "token-expired", UNAUTHORIZED, "expired";
    /// It would hold for longer than `max_token_lifetime` of its issuer.
    TokenLifetime = "token-lifetime", UNAUTHORIZED, "unauthenticated";
    /// `nbf`, `iat` or `auth_time` lies in the future.
    TokenNotYetValid = "token-not-yet-valid", UNAUTHORIZED, "unauthenticated";
    /// The issuer says that it holds no longer, or does not know it.
    TokenInactive = "token-inactive", UNAUTHORIZED, "unauthenticated";
    /// The issuer's keys cannot be had.
    KeysUnavailable = "keys-unavailable", SERVICE_UNAVAILABLE, "unavailable";
    /// No such session, or it has ended.
    SessionUnknown = "session-unknown", UNAUTHORIZED, "unauthenticated";
    /// No sign-in that this browser began: none, another browser's, one that has ended or was answered before, or one at a
    /// provider that is asked no longer. Also a sign-in at no provider that there is.
    SignInUnknown = "sign-in-unknown", BAD_REQUEST, "bad-request";
    /// A sign-in would lead back to a page that may not connect here.
    SignInReturn = "sign-in-return", BAD_REQUEST, "bad-request";
    /// A sign-in's answer is not from the provider that was asked (RFC 9207).
    SignInIssuer = "sign-in-issuer", BAD_REQUEST, "bad-request";
    /// The provider took back a sign-in, or its tokens do not hold, or say less than was asked for; the detail says which.
    SignInRefused = "sign-in-refused", BAD_REQUEST, "bad-request";
    /// A provider or issuer cannot be asked, or answers what it should not.
    ProviderUnavailable = "provider-unavailable", SERVICE_UNAVAILABLE, "unavailable";
    /// A logout token that does not hold, or was used before (OpenID Connect Back-Channel Logout §2.6).
    LogoutToken = "logout-token", BAD_REQUEST, "bad-request";
    /// No such ticket: never issued, already used, or expired.
    TicketUnknown = "ticket-unknown", UNAUTHORIZED, "unauthenticated";
    /// The ticket was issued for another origin, route or session.
    TicketBinding = "ticket-binding", UNAUTHORIZED, "unauthenticated";
    /// Revoked: the token, the session, the subject, or everything issued before an instant.
    Revoked = "revoked", UNAUTHORIZED, "unauthenticated";
    /// Signed in, but not strongly or recently enough for this route (RFC 9470).
    InsufficientAuthentication = "insufficient-authentication", UNAUTHORIZED, "insufficient-authentication";
    /// The client certificate that the connection was opened with has expired since.
    CertificateExpired = "certificate-expired", FORBIDDEN, "client-certificate-required";
    /// The route takes connections with a client certificate only, which the listener for them asks for.
    CertificateRequired = "certificate-required", FORBIDDEN, "client-certificate-required";
    /// The route does not take anonymous or non-browser clients.
    RouteForbidden = "route-forbidden", FORBIDDEN, "forbidden";
    /// Offers none of the route's subprotocols.
    Subprotocol = "subprotocol", BAD_REQUEST, "subprotocol";
    /// Too many connections from one address (IPv6: one /64).
    TooManyFromAddress = "too-many-from-address", TOO_MANY_REQUESTS, "too-many-connections";
    /// Too many connections of one subject.
    TooManyOfSubject = "too-many-of-subject", TOO_MANY_REQUESTS, "too-many-connections";
    /// Too many tickets outstanding.
    TooManyTickets = "too-many-tickets", TOO_MANY_REQUESTS, "too-many-requests";
    /// As many cookie sessions are open as `limits.sessions` says, and nobody has so many that one gives way.
    TooManySessions = "too-many-sessions", SERVICE_UNAVAILABLE, "unavailable";
    /// The pool of connections that are not yet admitted is full.
    PoolFull = "pool-full", SERVICE_UNAVAILABLE, "unavailable";
    /// The configuration was reloaded while this request was judged by the one before.
    Reloaded = "reloaded", SERVICE_UNAVAILABLE, "unavailable";
    /// The server is shutting down.
    Draining = "draining", SERVICE_UNAVAILABLE, "unavailable";
    /// An HTTP/2 connection that asks for more than it brings: floods of frames, streams that are opened to be reset.
    Http2Flood = "http2-flood", TOO_MANY_REQUESTS, "too-many-requests";
    /// HTTP/2 that breaks RFC 9113.
    Http2Protocol = "http2-protocol", BAD_REQUEST, "bad-request";
    /// The audit log cannot be written, so nobody new is let in.
    AuditUnavailable = "audit-unavailable", SERVICE_UNAVAILABLE, "unavailable";
}
