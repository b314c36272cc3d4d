//! ID tokens (OpenID Connect Core §2): what a provider says of somebody who has just signed in, to us and in answer to us.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    Algorithm, Issuers, Proved, Signs,
    claims::{date, methods, missing, name, wrong},
    kind_of, refuse,
};
use crate::{
    clock::Timestamp,
    oidc::Wish,
    principal::{Authentication, Identity},
    refusal::{Reason, Refusal},
};

/// What an ID token answers.
pub(crate) struct Expected<'a> {
    /// Who was asked.
    pub(crate) issuer: &'a str,
    /// Who asked.
    pub(crate) client_id: &'a str,
    /// What the request said once.
    pub(crate) nonce: &'a str,
    /// What came with it.
    pub(crate) access_token: &'a str,
    /// How the sign-in has to be, if that was asked for.
    pub(crate) wish: &'a Wish,
    /// When the question was asked.
    pub(crate) asked: Timestamp,
}

/// Whom an ID token that holds stands for.
#[derive(Debug)]
pub(crate) enum Answered {
    /// Somebody who signed in as was asked.
    As(Identity),
    /// Somebody who did not, which the detail tells: it opens nothing.
    Less(Identity, String),
}

/// How long an ID token may have been on its way, in seconds: it is fetched as soon as it is made.
const ON_ITS_WAY: u64 = 600;
/// Claims of the protocol, which say nothing of the user.
const OF_THE_PROTOCOL: [&str; 6] = ["nonce", "at_hash", "c_hash", "s_hash", "azp", "events"];

impl Issuers {
    /// Whom an ID token stands for, as of now, and the provider's own session. How long that counts is not the token's to say:
    /// its `exp` ends its own use only.
    ///
    /// # Errors
    /// The first question that it does not answer.
    pub(crate) async fn verify_id_token(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Answered, Refusal> {
        let kind = |_: &_, typ: Option<&str>| match kind_of(typ).as_deref() {
            Some("jwt") | None => Ok(()),
            _ => Err(refuse(Reason::TokenType).because(format_args!("typ {typ:?}"))),
        };
        let proved = self.prove(token, Signs::tokens, kind).await?;
        if proved.name != expected.issuer {
            return Err(refuse(Reason::TokenIssuer).because("not who was asked"));
        }
        let leeway = proved.issuer.rules.leeway;
        let identity = proved.id_token(expected, self.clock.now())?;
        Ok(match lacking(&identity.authentication, expected, leeway) {
            None => Answered::As(identity),
            Some(detail) => Answered::Less(identity, detail),
        })
    }
}

/// What a sign-in lacks of what was asked for.
fn lacking(found: &Authentication, expected: &Expected<'_>, leeway: Duration) -> Option<String> {
    let Wish { acr, max_age } = expected.wish;
    // Some providers answer by `amr` alone; then it is a route's to say whether that will do.
    if let (Some(asked), Some(found)) = (acr, &found.acr)
        && !asked.split(' ').any(|asked| *asked == **found)
    {
        return Some(format!("acr {found:?} in place of {asked:?}"));
    }
    let age = (*max_age)?;
    let Some(signed_in) = found.time else {
        return Some("no auth_time".into());
    };
    // As of the question, which is all that a provider can judge; `auth_time` counts whole seconds. With 0 whoever signed in
    // for it is recent enough, however long the way back took.
    let until = signed_in.after(Duration::from_secs(age)).after(leeway);
    let recent = until >= Timestamp::from_secs(expected.asked.as_secs());
    (!recent).then(|| "signed in too long ago".into())
}

impl Proved<'_, '_> {
    /// OpenID Connect Core §3.1.3.7, in its order.
    fn id_token(self, expected: &Expected<'_>, now: Timestamp) -> Result<Identity, Refusal> {
        let rules = &self.issuer.rules;
        let mut claims = self.claims;
        claims.remove("iss");
        let trusted = |name: &str| rules.audience.contains(name);
        judge_audience(&mut claims, expected.client_id, trusted)?;
        if claims.contains_key("events") {
            return Err(refuse(Reason::TokenType).because("has events"));
        }
        let expires = date(&mut claims, "exp")?.ok_or_else(|| missing("exp"))?;
        let issued = date(&mut claims, "iat")?.ok_or_else(|| missing("iat"))?;
        let not_before = date(&mut claims, "nbf")?;
        let signed_in = date(&mut claims, "auth_time")?;
        if now >= expires.after(rules.leeway) {
            return Err(refuse(Reason::TokenExpired));
        }
        let latest = now.after(rules.leeway);
        if not_before.max(Some(issued)).max(signed_in) > Some(latest) {
            return Err(refuse(Reason::TokenNotYetValid));
        }
        if issued.after(Duration::from_secs(ON_ITS_WAY)) < now {
            return Err(refuse(Reason::TokenExpired).because("issued long ago"));
        }
        if claims.get("nonce").and_then(Value::as_str) != Some(expected.nonce) {
            return Err(refuse(Reason::TokenClaims).because("another nonce"));
        }
        judge_hash(&claims, self.algorithm, expected.access_token)?;
        for name in OF_THE_PROTOCOL {
            claims.remove(name);
        }
        let subject = name(&mut claims, "sub")?.ok_or_else(|| missing("sub"))?;
        let qualify = |name: &str| format!("{name}:{subject}").into();
        Ok(Identity {
            issuer: self.name.into(),
            qualified: rules.name.as_deref().map(qualify),
            subject,
            audience: expected.client_id.into(),
            session: name(&mut claims, "sid")?.map(crate::principal::SessionId::new),
            token_id: name(&mut claims, "jti")?,
            bound_to: None,
            introspected: None,
            authentication: Authentication {
                acr: name(&mut claims, "acr")?,
                amr: methods(claims.remove("amr"))?,
                time: signed_in,
            },
            claims,
            issued_at: Some(issued),
            expires_at: expires,
        })
    }
}

/// `aud` holds us, and beside us only names that mean us too; of several, `azp` must say that it is we who asked.
fn judge_audience(
    claims: &mut Map<String, Value>,
    client: &str,
    trusted: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let names = match claims.remove("aud") {
        Some(Value::String(name)) => vec![Value::String(name)],
        Some(Value::Array(names)) => names,
        Some(_) => return Err(wrong("aud")),
        None => return Err(refuse(Reason::TokenAudience).because("no aud")),
    };
    let ours = names.iter().any(|name| name == client);
    let known = |name: &Value| name.as_str().is_some_and(|it| it == client || trusted(it));
    if !ours || !names.iter().all(known) {
        return Err(refuse(Reason::TokenAudience));
    }
    match claims.get("azp") {
        Some(party) if party == client => Ok(()),
        None if names.len() == 1 => Ok(()),
        _ => Err(refuse(Reason::TokenAudience).because("azp")),
    }
}

/// `at_hash`, where it is given, is that of the access token which came along (§3.1.3.6).
fn judge_hash(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    access_token: &str,
) -> Result<(), Refusal> {
    let Some(told) = claims.get("at_hash") else {
        return Ok(());
    };
    let by = match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 | Algorithm::Es256 => &SHA256,
        Algorithm::Rs384 | Algorithm::Ps384 | Algorithm::Es384 => &SHA384,
        Algorithm::Rs512 | Algorithm::Ps512 | Algorithm::EdDsa | Algorithm::Ed25519 => &SHA512,
    };
    let hash = digest(by, access_token.as_bytes());
    let half = hash.as_ref().get(..by.output_len() / 2).unwrap_or_default();
    match told.as_str() == Some(&*URL_SAFE_NO_PAD.encode(half)) {
        true => Ok(()),
        false => Err(refuse(Reason::TokenClaims).because("at_hash is another token's")),
    }
}
