//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4): by which a provider ends what was opened by a sign-in there.

use serde_json::Value;

use super::{
    Issuers, Proved, Signs,
    claims::{date, missing, name},
    kind_of, refuse,
};
use crate::{
    clock::Timestamp,
    refusal::{Reason, Refusal},
};

/// What makes a token one of these.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Whose sessions end.
#[derive(Debug)]
pub(crate) struct LogoutToken {
    pub(crate) issuer: Box<str>,
    /// `jti`, which counts once.
    pub(crate) id: Box<str>,
    /// One of the two is there.
    pub(crate) subject: Option<Box<str>>,
    pub(crate) session: Option<Box<str>>,
    /// When it would be refused by itself.
    pub(crate) ends: Timestamp,
}

impl Issuers {
    /// What a logout token says.
    ///
    /// # Errors
    /// The first question that it does not answer.
    pub(crate) async fn verify_logout_token(&self, token: &str) -> Result<LogoutToken, Refusal> {
        // §2.4 recommends logout+jwt; older providers say JWT or nothing, and then `events` tells.
        let kind = |_: &_, typ: Option<&str>| match kind_of(typ).as_deref() {
            Some("logout+jwt" | "jwt") | None => Ok(()),
            _ => Err(refuse(Reason::TokenType).because(format_args!("typ {typ:?}"))),
        };
        self.prove(token, Signs::tokens, kind)
            .await?
            .logout_token(self.clock.now())
    }
}

impl Proved<'_, '_> {
    /// §2.6, in its order.
    fn logout_token(self, now: Timestamp) -> Result<LogoutToken, Refusal> {
        let rules = &self.issuer.rules;
        let mut claims = self.claims;
        let client = rules.sign_in.as_ref().map(|(id, _)| &**id);
        let client = client.ok_or_else(|| refuse(Reason::TokenAudience))?;
        let meant = match claims.get("aud") {
            Some(Value::String(name)) => name == client,
            Some(Value::Array(names)) => names.iter().any(|name| name == client),
            _ => false,
        };
        if !meant {
            return Err(refuse(Reason::TokenAudience));
        }
        let issued = date(&mut claims, "iat")?.ok_or_else(|| missing("iat"))?;
        let expires = date(&mut claims, "exp")?.ok_or_else(|| missing("exp"))?;
        let ends = expires.after(rules.leeway);
        if now >= ends {
            return Err(refuse(Reason::TokenExpired));
        }
        if issued > now.after(rules.leeway) {
            return Err(refuse(Reason::TokenNotYetValid));
        }
        if expires > rules.longest(Some(issued), now) {
            return Err(refuse(Reason::TokenLifetime));
        }
        let subject = name(&mut claims, "sub")?;
        let session = name(&mut claims, "sid")?;
        if subject.is_none() && session.is_none() {
            return Err(missing("sub and no sid"));
        }
        let event = claims.get("events").and_then(|events| events.get(EVENT));
        if !event.is_some_and(Value::is_object) {
            return Err(refuse(Reason::TokenType).because("no logout among its events"));
        }
        // With one it could be an ID token in disguise.
        if claims.contains_key("nonce") {
            return Err(refuse(Reason::TokenType).because("has nonce"));
        }
        Ok(LogoutToken {
            issuer: self.name.into(),
            id: name(&mut claims, "jti")?.ok_or_else(|| missing("jti"))?,
            subject,
            session,
            ends,
        })
    }
}
