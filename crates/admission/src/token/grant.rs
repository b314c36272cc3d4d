//! Grants: by which an issuer lets one user do something in one channel for a while, whoever says who that user is.
//!
//! A grant is no token: its `typ` is its own, so that neither passes for the other (RFC 8725 §3.11), and it says nothing of who
//! shows it. It counts for the user whom it names, and for nobody else who has got hold of it.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value};

use super::{
    Issuers, Proved, Signs,
    claims::{date, missing, name, wrong},
    kind_of, refuse,
};
use crate::{
    clock::Timestamp,
    principal::Principal,
    refusal::{Reason, Refusal},
};

/// What makes a signed object one of these.
const KIND: &str = "wardwire-grant+jwt";
/// The longest that one holds, where the issuer's tokens may hold for longer: it lets somebody in without asking again.
pub(super) const LONGEST_GRANT: Duration = Duration::from_secs(3600);

/// What is granted to the user who showed it.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its claims that are not in the terms, `channels` among them.
    pub claims: Map<String, Value>,
    /// For how long, and by whom.
    pub terms: Terms,
}

/// Under which a grant holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When it ends: `exp`, and the issuer's leeway.
    pub until: Timestamp,
    issuer: Box<str>,
    audience: Arc<str>,
    /// The user's handle here.
    subject: Box<str>,
    issued_at: Timestamp,
    id: Option<Box<str>>,
}

impl Issuers {
    /// What a grant gives this user.
    ///
    /// # Errors
    /// The first question that it does not answer. [`Reason::KeysUnavailable`] says that this may change by itself.
    pub async fn verify_grant(&self, grant: &str, holder: &Principal) -> Result<Grant, Refusal> {
        let kind = |_: &_, typ: Option<&str>| match kind_of(typ).as_deref() {
            Some(KIND) => Ok(()),
            _ => Err(refuse(Reason::TokenType).because(format_args!("typ {typ:?}"))),
        };
        self.prove(grant, Signs::grants, kind)
            .await?
            .grant(holder, self.clock.now())
    }

    /// Whether a grant that held before would hold still: its issuer may grant, means us by the same name, and for so long.
    #[must_use]
    pub fn uphold(&self, terms: &Terms) -> bool {
        let issuer = self.issuers.get(&terms.issuer);
        issuer.filter(|it| it.signs.grants()).is_some_and(|issuer| {
            let rules = &issuer.rules;
            let longest = rules.longest(Some(terms.issued_at), self.clock.now());
            rules.audience.contains(&terms.audience) && terms.until <= longest.after(rules.leeway)
        })
    }
}

impl Proved<'_, '_> {
    fn grant(self, holder: &Principal, now: Timestamp) -> Result<Grant, Refusal> {
        let rules = &self.issuer.rules;
        let mut claims = self.claims;
        claims.remove("iss");
        let audience = rules.judge_audience(claims.remove("aud"))?;
        let subject = name(&mut claims, "sub")?.ok_or_else(|| missing("sub"))?;
        let expires = date(&mut claims, "exp")?.ok_or_else(|| missing("exp"))?;
        let issued = date(&mut claims, "iat")?.ok_or_else(|| missing("iat"))?;
        let not_before = date(&mut claims, "nbf")?;
        let until = expires.after(rules.leeway);
        if now >= until {
            return Err(refuse(Reason::TokenExpired));
        }
        if not_before.max(Some(issued)) > Some(now.after(rules.leeway)) {
            return Err(refuse(Reason::TokenNotYetValid));
        }
        let begun = issued.min(now);
        if expires
            > rules
                .longest(Some(issued), now)
                .min(begun.after(LONGEST_GRANT))
        {
            return Err(refuse(Reason::TokenLifetime));
        }
        // A key of the holder's would have to be proved, and nothing here asks for that.
        if claims.contains_key("cnf") {
            return Err(refuse(Reason::TokenType).because("is bound by cnf"));
        }
        if holder.handle() != Some(&*subject) {
            return Err(wrong("sub").because("it is granted to somebody else"));
        }
        Ok(Grant {
            terms: Terms {
                until,
                issuer: self.name.into(),
                audience,
                subject,
                issued_at: issued,
                id: name(&mut claims, "jti")?,
            },
            claims,
        })
    }
}

impl Terms {
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn issued_at(&self) -> Timestamp {
        self.issued_at
    }
}
