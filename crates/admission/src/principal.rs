//! Who is at the other end, as the gate has proved it. Nothing here is ever taken from a message.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::{
    certificate::{ClientCertificate, Thumbprint},
    clock::Timestamp,
    refusal::{Reason, Refusal, Stage},
    token::Introspected,
};

/// Who holds a socket. `Anonymous` is a principal too, allowed only where a route names it; it is never a bypass.
#[derive(Clone, Debug)]
pub enum Principal {
    /// Nobody in particular, on a route with `anonymous = true`.
    Anonymous,
    /// Somebody a trusted issuer vouched for.
    User(Arc<Identity>),
}

impl Principal {
    /// The proved identity, unless anonymous.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Anonymous => None,
            Self::User(identity) => Some(identity),
        }
    }

    /// Whether this is the same proof, and not only the same user's.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::User(one), Self::User(other)) => Arc::ptr_eq(one, other),
            (Self::Anonymous, Self::Anonymous) => true,
            _ => false,
        }
    }

    /// Whether its proof counts on a connection that was opened with this certificate, or with none (RFC 8705 §3).
    ///
    /// # Errors
    /// It is bound to another certificate.
    pub(crate) fn check_bound(
        &self,
        certificate: Option<&ClientCertificate>,
    ) -> Result<(), Refusal> {
        let Some(bound_to) = self.identity().and_then(|it| it.bound_to) else {
            return Ok(());
        };
        let detail = match certificate {
            Some(it) if it.thumbprint == bound_to => return Ok(()),
            Some(_) => "to another client certificate",
            None => "to a client certificate, and there is none",
        };
        Err(Refusal::new(Stage::Identity, Reason::TokenBinding).because(detail))
    }

    /// How others are told who this is, unless anonymous.
    #[must_use]
    pub fn handle(&self) -> Option<&str> {
        self.identity().map(Identity::handle)
    }
}

/// What an issuer said of one user, verified.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `iss`: unique together with `subject` (OpenID Connect Core §5.7).
    pub issuer: Box<str>,
    /// `sub`.
    pub subject: Box<str>,
    /// Our own name by which the issuer meant us: that one of `aud`.
    pub audience: Arc<str>,
    /// `name:sub`, where the issuer has a name here, as each of several has.
    pub qualified: Option<Box<str>>,
    /// The session this proof belongs to: our own cookie session, or the token's `sid`.
    pub session: Option<SessionId>,
    /// `jti`, or where there is none a hash of what was signed: names this one token.
    pub token_id: Option<Box<str>>,
    /// `cnf` with `x5t#S256`: the client certificate without which it proves nothing (RFC 8705 §3.1).
    pub bound_to: Option<Thumbprint>,
    /// What it stands on if its token is opaque: the issuer's word (RFC 7662) in place of its signature.
    pub introspected: Option<Introspected>,
    /// Every other claim, for rights.
    pub claims: Map<String, Value>,
    /// How and when the user proved who they are.
    pub authentication: Authentication,
    /// `iat`, if told; "issued before" revocations compare with it.
    pub issued_at: Option<Timestamp>,
    /// The instant at which this proof ends: `exp` plus the issuer's configured leeway (none by default).
    pub expires_at: Timestamp,
}

impl Identity {
    /// What this server calls the user: no two have the same. Subjects alone are unique for each issuer only.
    #[must_use]
    pub fn handle(&self) -> &str {
        self.qualified.as_deref().unwrap_or(&self.subject)
    }
}

/// The authentication context (OpenID Connect Core §2, RFC 9470).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// `acr`.
    pub acr: Option<Box<str>>,
    /// `amr`.
    pub amr: Vec<Box<str>>,
    /// `auth_time`.
    pub time: Option<Timestamp>,
}

/// Names a session in revocations and audit events. It is not a credential: the cookie's value is hashed to make one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Box<str>);

impl SessionId {
    /// A session by its public name.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self(name.into())
    }

    /// The public name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Somebody whom the issuer vouched for at 1,000 s, until 2,000 s.
    pub(crate) fn identity(subject: &str) -> Identity {
        Identity {
            issuer: "https://id.example".into(),
            subject: subject.into(),
            audience: "wardwire".into(),
            qualified: None,
            session: None,
            token_id: None,
            bound_to: None,
            introspected: None,
            claims: Map::new(),
            authentication: Authentication::default(),
            issued_at: Some(Timestamp::from_secs(1000)),
            expires_at: Timestamp::from_secs(2000),
        }
    }
}
