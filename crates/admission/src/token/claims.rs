//! What a token whose signature holds has to say (RFC 7519 §4.1, RFC 9068 §4), and the identity it makes.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{Audience, Profile, kind_of, refuse};
use crate::{
    certificate::Thumbprint,
    clock::Timestamp,
    principal::{Authentication, Identity, SessionId},
    refusal::{Reason, Refusal},
};

/// The longest `sub`, `jti`, `sid` or `acr`, in bytes (OpenID Connect Core §2 has it for `sub`).
const LONGEST_NAME: usize = 255;
/// The most entries of `amr`.
const METHODS: usize = 32;
/// 9999-12-31T23:59:59Z in seconds: a later date is a mistake.
const LATEST: f64 = 253_402_300_799.0;
/// Claims that ID tokens (OpenID Connect Core §2, §3.1.3.6) and logout tokens (Back-Channel Logout §2.4) have, access tokens not.
const OF_OTHER_TOKENS: [&str; 3] = ["nonce", "at_hash", "events"];

/// What becomes of a token that does not say when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Endless {
    /// It is refused, as nothing would end it.
    Refused,
    /// It lasts for as long as any could: its issuer is asked again and again.
    AskedAgain,
}

/// What one issuer's tokens have to say.
pub(super) struct Rules {
    pub(super) name: Option<Box<str>>,
    pub(super) audience: Audience,
    pub(super) profile: Profile,
    pub(super) leeway: Duration,
    pub(super) max_lifetime: Duration,
    /// Who we are where browsers sign in, and how long a session of theirs may last.
    pub(super) sign_in: Option<(Arc<str>, Duration)>,
}

impl Rules {
    /// Judges the header's `typ`.
    pub(super) fn judge_type(&self, typ: Option<&str>) -> Result<(), Refusal> {
        let kind = kind_of(typ);
        match (&self.profile, kind.as_deref()) {
            (_, Some("at+jwt")) | (Profile::Jwt(_), Some("jwt") | None) => Ok(()),
            _ => Err(refuse(Reason::TokenType).because(format_args!("typ {typ:?}"))),
        }
    }

    /// Judges the claims, whose `iss` is known to be `issuer`.
    pub(super) fn judge(
        &self,
        issuer: &str,
        claims: Map<String, Value>,
        now: Timestamp,
    ) -> Result<Identity, Refusal> {
        self.judge_until(issuer, claims, now, Endless::Refused)
    }

    /// Judges what `issuer` answered about an opaque token (RFC 7662 §2.2) by the same rules.
    pub(super) fn judge_answer(
        &self,
        issuer: &str,
        mut claims: Map<String, Value>,
        now: Timestamp,
        endless: Endless,
    ) -> Result<Identity, Refusal> {
        match claims.get("iss") {
            None => {}
            Some(named) if named == issuer => {}
            Some(named) => return Err(refuse(Reason::TokenIssuer).because(named)),
        }
        let token_type = claims.remove("token_type");
        let kind = token_type.as_ref().map(Value::as_str);
        let is_bearer = match (&self.profile, kind) {
            (_, Some(Some(kind))) => kind.eq_ignore_ascii_case("bearer"),
            // As with a JWT that has no `typ`: the discriminator tells.
            (Profile::Jwt(_), None) => true,
            (Profile::Rfc9068, None) | (_, Some(None)) => false,
        };
        let used_as = claims.get("token_use").and_then(Value::as_str);
        if !is_bearer || used_as.is_some_and(|it| it != "access_token") {
            let detail = format_args!("token_type {token_type:?}, token_use {used_as:?}");
            return Err(refuse(Reason::TokenType).because(detail));
        }
        self.judge_until(issuer, claims, now, endless)
    }

    fn judge_until(
        &self,
        issuer: &str,
        mut claims: Map<String, Value>,
        now: Timestamp,
        endless: Endless,
    ) -> Result<Identity, Refusal> {
        self.judge_kind(&claims)?;
        let audience = self.judge_audience(claims.remove("aud"))?;
        claims.remove("iss");
        let subject = name(&mut claims, "sub")?.ok_or_else(|| missing("sub"))?;
        let expires = date(&mut claims, "exp")?;
        let not_before = date(&mut claims, "nbf")?;
        let issued_at = date(&mut claims, "iat")?;
        let expires = match (expires, endless) {
            (Some(told), _) => told,
            (None, Endless::AskedAgain) => self.longest(issued_at, now),
            (None, Endless::Refused) => return Err(missing("exp")),
        };
        let expires_at = expires.after(self.leeway);
        // RFC 7519 §4.1.4: "on or after" exp it is over.
        if now >= expires_at {
            return Err(refuse(Reason::TokenExpired));
        }
        // A sign-in yet to come would never grow too old.
        let signed_in = date(&mut claims, "auth_time")?;
        let latest_start = now.after(self.leeway);
        if not_before.max(issued_at).max(signed_in) > Some(latest_start) {
            return Err(refuse(Reason::TokenNotYetValid));
        }
        if expires > self.longest(issued_at, now) {
            return Err(refuse(Reason::TokenLifetime));
        }
        let qualify = |name: &str| format!("{name}:{subject}").into();
        Ok(Identity {
            issuer: issuer.into(),
            qualified: self.name.as_deref().map(qualify),
            subject,
            audience,
            session: name(&mut claims, "sid")?.map(SessionId::new),
            token_id: name(&mut claims, "jti")?,
            bound_to: bound_to(claims.remove("cnf"))?,
            introspected: None,
            authentication: Authentication {
                acr: name(&mut claims, "acr")?,
                amr: methods(claims.remove("amr"))?,
                time: signed_in,
            },
            claims,
            issued_at,
            expires_at,
        })
    }

    /// Whether it means us by this name, and until when that may hold, with the leeway that is granted.
    pub(super) fn vouches(
        &self,
        audience: &str,
        issued_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let by_token = self.audience.contains(audience);
        let by_token = by_token.then(|| self.longest(issued_at, now).after(self.leeway));
        let by_session = self.sign_in.as_ref().filter(|(id, _)| **id == *audience);
        let begun = issued_at.map_or(now, |at| at.min(now));
        by_token.max(by_session.map(|(_, lifetime)| begun.after(*lifetime)))
    }

    /// The last `exp` that is taken. It counts from when a token was issued, if that says so: else it would begin at half its
    /// life.
    pub(super) fn longest(&self, issued_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
        issued_at
            .map_or(now, |at| at.min(now))
            .after(self.max_lifetime)
    }

    fn judge_kind(&self, claims: &Map<String, Value>) -> Result<(), Refusal> {
        if let Some(claim) = OF_OTHER_TOKENS
            .iter()
            .find(|claim| claims.contains_key(**claim))
        {
            return Err(refuse(Reason::TokenType).because(format_args!("has {claim}")));
        }
        match &self.profile {
            Profile::Rfc9068 => Ok(()),
            Profile::Jwt(told_by) => {
                match claims.get(&told_by.claim) {
                    Some(Value::String(value)) if *value == told_by.equals => Ok(()),
                    _ => Err(refuse(Reason::TokenType)
                        .because(format_args!("{} differs", told_by.claim))),
                }
            }
        }
    }

    /// `aud` is one name or several (RFC 7519 §4.1.3), of which one has to be ours.
    pub(super) fn judge_audience(&self, claim: Option<Value>) -> Result<Arc<str>, Refusal> {
        let ours = match claim {
            Some(Value::String(name)) => self.audience.find(&name),
            Some(Value::Array(names)) if names.iter().all(Value::is_string) => names
                .iter()
                .filter_map(Value::as_str)
                .find_map(|name| self.audience.find(name)),
            Some(_) => return Err(wrong("aud")),
            None => return Err(refuse(Reason::TokenAudience).because("no aud")),
        };
        ours.ok_or_else(|| refuse(Reason::TokenAudience))
    }
}

/// A claim that is a short string and not empty.
pub(super) fn name(
    claims: &mut Map<String, Value>,
    claim: &str,
) -> Result<Option<Box<str>>, Refusal> {
    match claims.remove(claim) {
        None => Ok(None),
        Some(Value::String(text)) if (1..=LONGEST_NAME).contains(&text.len()) => {
            Ok(Some(text.into()))
        }
        Some(_) => Err(wrong(claim)),
    }
}

/// A claim that is a `NumericDate`: seconds since 1970, fractions allowed (RFC 7519 §2).
pub(super) fn date(
    claims: &mut Map<String, Value>,
    claim: &str,
) -> Result<Option<Timestamp>, Refusal> {
    let Some(value) = claims.remove(claim) else {
        return Ok(None);
    };
    let seconds = value.as_f64().unwrap_or(f64::NAN);
    if !(0.0..=LATEST).contains(&seconds) {
        return Err(wrong(claim));
    }
    // Between 0 and LATEST, so the cast cuts off a part of a millisecond and nothing else.
    Ok(Some(Timestamp::from_millis((seconds * 1000.0) as u64)))
}

/// `amr`: the methods by which the user proved who they are (RFC 8176). Supabase has objects in the place of their names.
pub(super) fn methods(claim: Option<Value>) -> Result<Vec<Box<str>>, Refusal> {
    let list = match claim {
        None => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= METHODS => list,
        Some(_) => return Err(wrong("amr")),
    };
    list.into_iter()
        .map(|method| match method {
            Value::String(method) => Ok(method.into()),
            Value::Object(mut it) => name(&mut it, "method")?.ok_or_else(|| wrong("amr")),
            _ => Err(wrong("amr")),
        })
        .collect()
}

/// `cnf`: the one client certificate that a token is bound to (RFC 8705 §3.1). A token bound to a key in any other way opens
/// nothing without proof of that key, which this server does not ask for; taken as a plain one it would lose what its
/// issuer gave it.
fn bound_to(claim: Option<Value>) -> Result<Option<Thumbprint>, Refusal> {
    let members = match claim {
        None => return Ok(None),
        Some(Value::Object(members)) if members.len() == 1 => members,
        Some(_) => return Err(refuse(Reason::TokenType).because("cnf is not one binding")),
    };
    match members.get("x5t#S256") {
        Some(Value::String(text)) => {
            let thumbprint = Thumbprint::parse(text).ok_or_else(|| wrong("cnf"))?;
            Ok(Some(thumbprint))
        }
        Some(_) => Err(wrong("cnf")),
        None => Err(refuse(Reason::TokenType).because("is bound to a key by cnf")),
    }
}

pub(super) fn missing(claim: &str) -> Refusal {
    refuse(Reason::TokenClaims).because(format_args!("no {claim}"))
}

pub(super) fn wrong(claim: &str) -> Refusal {
    refuse(Reason::TokenClaims).because(format_args!("{claim} is not what it should be"))
}
