//! The demo's issuer: three accounts without passwords, and a key that lives as long as the process.

use std::{io, sync::Arc, time::Duration};

use jsonwebtoken::EncodingKey;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Map, Value, json};
use wardwire_admission::{
    clock::Timestamp,
    principal::{Authentication, Identity, Principal, SessionId},
    secret::Secret,
    token::{Algorithm, Audience, IssuerConfig, KeySource, Profile, Signs},
};

use crate::cli::token;

/// How long a sign-in lasts.
pub(super) const LIFETIME: Duration = Duration::from_secs(3600);
const AUDIENCE: &str = "wardwire";

/// Somebody who may sign in, the rooms they may enter, and what else they may do.
#[derive(Clone, Copy)]
pub(super) struct Account {
    name: &'static str,
    rooms: &'static [&'static str],
    scope: &'static str,
}

const ACCOUNTS: [Account; 3] = [
    Account {
        name: "alice",
        rooms: &["lobby", "staff", "raw"],
        scope: "market arena",
    },
    Account {
        name: "bob",
        rooms: &["lobby", "raw"],
        scope: "market arena",
    },
    Account {
        name: "mallory",
        rooms: &[],
        scope: "",
    },
];

/// Who publishes the market's prices. It is not among those who may sign in.
const FEED: Account = Account {
    name: "feed",
    rooms: &[],
    scope: "feed",
};

impl Account {
    pub(super) fn named(name: &str) -> Option<Self> {
        ACCOUNTS.into_iter().find(|account| account.name == name)
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }
}

/// Vouches for the accounts.
pub(super) struct DemoIssuer {
    name: String,
    key: EncodingKey,
}

impl DemoIssuer {
    /// An issuer of this origin, with a key of its own.
    pub(super) fn new(origin: &str) -> io::Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(io::Error::other)?;
        Ok(Self {
            name: format!("{origin}/demo"),
            key: EncodingKey::from_ec_der(&key.serialize_der()),
        })
    }

    /// What the gate has to know to believe it.
    pub(super) fn config(&self) -> io::Result<IssuerConfig> {
        Ok(IssuerConfig {
            issuer: self.name.clone(),
            name: None,
            signs: Signs::default(),
            audience: Audience::new([AUDIENCE]),
            profile: Profile::Rfc9068,
            algorithms: vec![Algorithm::Es256],
            keys: KeySource::Static(token::jwks(&self.key)?.to_string().into_bytes()),
            leeway: Duration::ZERO,
            max_lifetime: LIFETIME,
            sign_in: None,
            introspection: None,
        })
    }

    /// Who publishes the market's prices.
    pub(super) fn feed(&self) -> Principal {
        Principal::User(Arc::new(self.identity(FEED, Timestamp::from_secs(0))))
    }

    /// Who signs in, for a cookie session.
    pub(super) fn identity(&self, account: Account, now: Timestamp) -> Identity {
        let mut claims = Map::new();
        claims.insert("rooms".to_owned(), json!(account.rooms));
        claims.insert("scope".to_owned(), json!(account.scope));
        Identity {
            issuer: self.name.as_str().into(),
            subject: account.name.into(),
            audience: AUDIENCE.into(),
            qualified: None,
            session: None,
            token_id: None,
            bound_to: None,
            introspected: None,
            claims,
            authentication: Authentication {
                acr: None,
                amr: Vec::new(),
                time: Some(now),
            },
            issued_at: Some(now),
            expires_at: now.after(LIFETIME),
        }
    }

    /// An access token (RFC 9068) that is good for an hour from `issued`.
    pub(super) fn token(
        &self,
        account: Account,
        session: Option<&SessionId>,
        issued: Timestamp,
    ) -> io::Result<String> {
        let id = Secret::random().map_err(io::Error::other)?;
        let mut claims = Map::new();
        let mut claim = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        claim("iss", json!(self.name));
        claim("aud", json!(AUDIENCE));
        claim("sub", json!(account.name));
        claim("client_id", json!("demo"));
        claim("iat", json!(issued.as_secs()));
        claim("auth_time", json!(issued.as_secs()));
        claim("exp", json!(issued.after(LIFETIME).as_secs()));
        claim("jti", json!(id.reveal()));
        claim("rooms", json!(account.rooms));
        claim("scope", json!(account.scope));
        if let Some(session) = session {
            claim("sid", json!(session.as_str()));
        }
        token::mint(&self.key, claims)
    }
}

#[cfg(test)]
mod tests {
    use wardwire_admission::{
        clock::{Clock, SystemClock},
        refusal::Reason,
        token::Issuers,
    };

    use super::*;
    use crate::outbound::Outbound;

    fn trusting(issuer: &DemoIssuer) -> Issuers {
        let outbound = Arc::new(Outbound::new(Vec::new(), &[]).unwrap());
        Issuers::new(
            vec![issuer.config().unwrap()],
            outbound,
            Arc::new(SystemClock),
        )
        .unwrap()
    }

    #[tokio::test]
    async fn its_tokens_say_what_its_sessions_say() {
        let issuer = DemoIssuer::new("https://localhost:8443").unwrap();
        let now = SystemClock.now();
        for name in ["alice", "bob", "mallory"] {
            let account = Account::named(name).unwrap();
            let session = SessionId::new("s");
            let token = issuer.token(account, Some(&session), now).unwrap();
            let told = trusting(&issuer).verify(&token).await.unwrap();
            let known = issuer.identity(account, now);
            assert_eq!(
                (&told.issuer, &told.subject),
                (&known.issuer, &known.subject)
            );
            for claim in ["rooms", "scope"] {
                assert_eq!(told.claims.get(claim), known.claims.get(claim));
            }
            assert_eq!(told.session, Some(session));
        }
        for nobody in ["root", "feed"] {
            assert!(Account::named(nobody).is_none());
        }
    }

    #[tokio::test]
    async fn another_demo_s_tokens_and_old_ones_are_refused() {
        let [issuer, other] = [(); 2].map(|()| DemoIssuer::new("https://localhost:8443").unwrap());
        let alice = Account::named("alice").unwrap();
        let reason = async |token: io::Result<String>| {
            let refused = trusting(&issuer).verify(&token.unwrap()).await;
            refused.unwrap_err().reason
        };
        let now = SystemClock.now();
        let of_other = reason(other.token(alice, None, now)).await;
        assert_eq!(of_other, Reason::TokenKey);
        let old = Timestamp::from_secs(now.as_secs() - LIFETIME.as_secs());
        assert_eq!(
            reason(issuer.token(alice, None, old)).await,
            Reason::TokenExpired
        );
    }
}
