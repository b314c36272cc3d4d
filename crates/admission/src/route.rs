//! Where a socket may lead, and what a route demands of who enters it.

use std::{sync::Arc, time::Duration};

use wardwire_protocol::{
    connection::Limits,
    deflate::{Encoding, Level, Terms},
    handshake::Offer,
};

use crate::{
    certificate::ClientCertificate,
    clock::Timestamp,
    principal::{Authentication, Principal},
    refusal::{Reason, Refusal, Stage},
};

/// One path that can be upgraded.
#[derive(Clone, Debug)]
pub struct Route {
    /// Matched exactly.
    pub path: Box<str>,
    /// What is spoken there.
    pub kind: RouteKind,
    /// Takes sockets without a credential.
    pub anonymous: bool,
    /// Takes clients that are no browsers, and so send no Origin.
    pub native_clients: bool,
    /// How strongly and how recently users must have signed in.
    pub require: Requirement,
    /// Of each socket.
    pub limits: Arc<Limits>,
    /// Messages a second from each socket; 0 is no limit.
    pub messages_per_second: u32,
    /// Deflates messages, for those who offer it. None does not.
    pub compression: Option<Compression>,
}

/// How a route deflates (RFC 7692).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Messages of fewer bytes go as they are.
    pub threshold: usize,
    /// How hard it tries.
    pub level: Level,
}

impl Compression {
    /// On these terms.
    #[must_use]
    pub fn agreed(self, terms: Terms) -> Encoding {
        Encoding {
            window: terms.server_window(),
            level: self.level,
            threshold: self.threshold,
        }
    }
}

/// What a route is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// `wardwire.v1`: channels.
    Channels,
    /// Every message comes back: for tests and measurements.
    Echo,
}

/// The channel protocol.
pub const WARDWIRE_V1: &str = "wardwire.v1";
/// What a client offers that comes by its session's cookie alone, never as nobody: on a route of channels it is told first whose
/// the socket is. It is not selected.
pub const WARDWIRE_SESSION: &str = "wardwire.session";
/// What a client without an application protocol offers beside its ticket, as a browser needs one to be selected.
pub const WARDWIRE_RAW: &str = "wardwire.raw";

impl Route {
    /// Selects the subprotocol.
    ///
    /// # Errors
    /// A channels route speaks `wardwire.v1` only.
    pub(crate) fn select(&self, offer: &Offer) -> Result<Option<&'static str>, Refusal> {
        match self.kind {
            RouteKind::Channels if offer.offers(WARDWIRE_V1) => Ok(Some(WARDWIRE_V1)),
            RouteKind::Channels => Err(Refusal::new(Stage::Permission, Reason::Subprotocol)),
            RouteKind::Echo => Ok(offer.offers(WARDWIRE_RAW).then_some(WARDWIRE_RAW)),
        }
    }

    /// Whether it takes a connection that was opened with this certificate, or with none.
    ///
    /// # Errors
    /// It takes none without.
    pub(crate) fn check_certificate(
        &self,
        certificate: Option<&ClientCertificate>,
    ) -> Result<(), Refusal> {
        match (self.require.client_certificate, certificate) {
            (true, None) => Err(Refusal::new(Stage::Permission, Reason::CertificateRequired)),
            _ => Ok(()),
        }
    }

    /// Whether this principal may stay, but for how long ago they signed in: [`until`](Self::until) tells how long that counts.
    pub(crate) fn keeps(&self, principal: &Principal) -> bool {
        match principal.identity() {
            Some(identity) => self.require.weakness(&identity.authentication).is_none(),
            None => self.anonymous,
        }
    }

    /// Whether this principal may enter.
    ///
    /// # Errors
    /// Anonymous where a credential is needed, or not signed in strongly or recently enough (RFC 9470).
    pub fn permit(&self, principal: &Principal, now: Timestamp) -> Result<(), Refusal> {
        let Some(identity) = principal.identity() else {
            return if self.anonymous {
                Ok(())
            } else {
                Err(Refusal::new(Stage::Identity, Reason::CredentialMissing))
            };
        };
        match self.require.unmet(&identity.authentication, now) {
            None => Ok(()),
            Some(detail) => {
                let refusal = Refusal::new(Stage::Permission, Reason::InsufficientAuthentication);
                Err(refusal.because(detail).step_up(self.require.challenge()))
            }
        }
    }

    /// Until when a socket here may stand on this proof: as long as that holds, and the sign-in behind it is recent enough.
    #[must_use]
    pub fn until(&self, principal: &Principal) -> Timestamp {
        // An anonymous socket has no token that could end.
        let Some(identity) = principal.identity() else {
            return Timestamp::NEVER;
        };
        let Some(age) = self.require.max_age else {
            return identity.expires_at;
        };
        let signed_in = identity.authentication.time;
        let stale = signed_in.map_or(Timestamp::from_secs(0), |time| time.after(age));
        stale.min(identity.expires_at)
    }
}

/// What a route demands of the connection and of the sign-in itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirement {
    /// `acr` must be this: visible ASCII without `"` and `\\`, as clients are told of it in a quoted string.
    pub acr: Option<Box<str>>,
    /// `amr` must hold all of these.
    pub amr: Vec<Box<str>>,
    /// `auth_time` must be no older.
    pub max_age: Option<Duration>,
    /// The connection was opened with a client certificate. It is asked before anybody is identified, and of anonymous ones too.
    pub client_certificate: bool,
}

impl Requirement {
    fn unmet(&self, authentication: &Authentication, now: Timestamp) -> Option<&'static str> {
        let fresh = |age| {
            authentication
                .time
                .is_some_and(|time| now < time.after(age))
        };
        let stale = self.max_age.is_some_and(|age| !fresh(age));
        let weakness = self.weakness(authentication);
        weakness.or_else(|| stale.then_some("auth_time"))
    }

    /// What a sign-in lacks, whenever it was.
    fn weakness(&self, authentication: &Authentication) -> Option<&'static str> {
        if self.acr.is_some() && self.acr != authentication.acr {
            return Some("acr");
        }
        if !self
            .amr
            .iter()
            .all(|method| authentication.amr.contains(method))
        {
            return Some("amr");
        }
        None
    }

    /// RFC 9470 §3.
    fn challenge(&self) -> String {
        let mut challenge = String::from("Bearer error=\"insufficient_user_authentication\"");
        if let Some(acr) = &self.acr {
            challenge.push_str(&format!(", acr_values=\"{acr}\""));
        }
        if let Some(age) = self.max_age {
            challenge.push_str(&format!(", max_age=\"{}\"", age.as_secs()));
        }
        challenge
    }
}

/// All routes, by exact path.
#[derive(Clone, Debug, Default)]
pub struct Routes(Vec<Arc<Route>>);

impl Routes {
    /// From a list without two of the same path.
    #[must_use]
    pub fn new(routes: impl IntoIterator<Item = Route>) -> Self {
        Self(routes.into_iter().map(Arc::new).collect())
    }

    /// The route of a path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.0.iter().find(|route| *route.path == *path)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.0.iter()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An echo for users with a page.
    pub(crate) fn route(path: &str) -> Route {
        Route {
            path: path.into(),
            kind: RouteKind::Echo,
            anonymous: false,
            native_clients: false,
            require: Requirement::default(),
            limits: Arc::default(),
            messages_per_second: 0,
            compression: None,
        }
    }

    const NOW: Timestamp = Timestamp::from_secs(10_000);

    #[test]
    fn a_route_can_demand_how_strongly_and_how_recently_one_signed_in() {
        let require = Requirement {
            acr: Some("mfa".into()),
            amr: vec!["otp".into()],
            max_age: Some(Duration::from_secs(60)),
            client_certificate: false,
        };
        let strong = Authentication {
            acr: Some("mfa".into()),
            amr: vec!["pwd".into(), "otp".into()],
            time: Some(Timestamp::from_secs(9_941)),
        };
        assert_eq!(require.unmet(&strong, NOW), None);
        assert_eq!(
            require.unmet(
                &Authentication {
                    acr: None,
                    ..strong.clone()
                },
                NOW
            ),
            Some("acr")
        );
        assert_eq!(
            require.unmet(
                &Authentication {
                    amr: vec![],
                    ..strong.clone()
                },
                NOW
            ),
            Some("amr")
        );
        let old = Authentication {
            time: Some(Timestamp::from_secs(9_940)),
            ..strong.clone()
        };
        assert_eq!(require.unmet(&old, NOW), Some("auth_time"));
        assert_eq!(
            require.unmet(
                &Authentication {
                    time: None,
                    ..strong
                },
                NOW
            ),
            Some("auth_time")
        );
        assert_eq!(
            require.challenge(),
            "Bearer error=\"insufficient_user_authentication\", acr_values=\"mfa\", max_age=\"60\""
        );
    }
}
