//! What has been taken back. Asked before and at the upgrade, and followed by every live socket.

use std::{collections::HashMap, time::Duration};

use crate::{
    clock::Timestamp,
    principal::{Identity, SessionId},
    sync::RwLock,
    token::Terms,
};

/// Takes back what an issuer vouched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// One token, by its `jti`.
    Token {
        /// Who issued it.
        issuer: Box<str>,
        /// `jti`.
        id: Box<str>,
    },
    /// One session: a cookie session of ours, or an issuer's `sid`.
    Session {
        /// Who issued it.
        issuer: Box<str>,
        /// The session's public name.
        id: Box<str>,
    },
    /// Everything of one subject that was issued up to an instant.
    Subject {
        /// Who issued it.
        issuer: Box<str>,
        /// `sub`.
        subject: Box<str>,
        /// What was issued later counts again. A token that does not say when it was issued never does.
        issued_before: Timestamp,
    },
    /// Everything of one issuer that was issued up to an instant.
    Issuer {
        /// Who issued it.
        issuer: Box<str>,
        /// As above.
        issued_before: Timestamp,
    },
}

impl Revocation {
    /// Of whom.
    pub(crate) fn issuer(&self) -> &str {
        match self {
            Self::Token { issuer, .. }
            | Self::Session { issuer, .. }
            | Self::Subject { issuer, .. }
            | Self::Issuer { issuer, .. } => issuer,
        }
    }

    /// Whether this takes back what `identity` stands on.
    #[must_use]
    pub fn covers(&self, identity: &Identity) -> bool {
        match self {
            Self::Token { issuer, id } => {
                *issuer == identity.issuer && identity.token_id.as_ref() == Some(id)
            }
            Self::Session { issuer, id } => {
                let session = identity.session.as_ref();
                *issuer == identity.issuer && session.is_some_and(|it| it.as_str() == &**id)
            }
            Self::Subject {
                issuer,
                subject,
                issued_before,
            } => {
                *issuer == identity.issuer
                    && *subject == identity.subject
                    && issued_up_to(identity, *issued_before)
            }
            Self::Issuer {
                issuer,
                issued_before,
            } => *issuer == identity.issuer && issued_up_to(identity, *issued_before),
        }
    }
}

/// `iat` counts whole seconds: what was issued within the second of the revocation is taken back too.
fn issued_up_to(identity: &Identity, instant: Timestamp) -> bool {
    identity.issued_at.is_none_or(|issued| issued <= instant)
}

/// Everything that was taken back since the server started.
#[derive(Default)]
pub struct Revocations {
    set: RwLock<Set>,
}

#[derive(Default)]
struct Set {
    /// Each with the instant until which it has to be remembered.
    tokens: HashMap<Named, Timestamp>,
    /// The same.
    sessions: HashMap<Named, Timestamp>,
    /// When those that need not be remembered were last looked for.
    swept: Option<Timestamp>,
    subjects: HashMap<Named, Timestamp>,
    issuers: HashMap<Box<str>, Whole>,
}

/// What was taken back of a whole issuer.
struct Whole {
    issued_before: Timestamp,
    /// The instant until which it has to be remembered.
    until: Timestamp,
}

/// Something of an issuer.
type Named = (Box<str>, Box<str>);

/// The most entries of a kind. One more takes back everything that the issuer with the most of them issued before, for as long as
/// any of them had to be remembered: too much, never too little, and of nobody else's users.
const ENTRIES: usize = 200_000;
/// Between two looks for what need not be remembered.
const SWEEP: Duration = Duration::from_secs(10);

impl Revocations {
    /// Remembers a revocation: a token's or a session's until `until`, any other for as long as the server runs.
    pub fn insert(&self, revocation: &Revocation, until: Timestamp, now: Timestamp) {
        let mut set = self.set.write();
        set.sweep(now);
        let Set {
            tokens,
            sessions,
            subjects,
            issuers,
            ..
        } = &mut *set;
        let crowded = match revocation {
            Revocation::Token { .. } => make_room(tokens),
            Revocation::Session { .. } => make_room(sessions),
            Revocation::Subject { .. } => {
                make_room(subjects).map(|(issuer, _)| (issuer, Timestamp::NEVER))
            }
            Revocation::Issuer { .. } => None,
        };
        if let Some((issuer, until)) = crowded {
            raise_whole(issuers, issuer, now, until);
        }
        match revocation.clone() {
            Revocation::Token { issuer, id } => {
                raise(tokens.entry((issuer, id)).or_insert(until), until);
            }
            Revocation::Session { issuer, id } => {
                raise(sessions.entry((issuer, id)).or_insert(until), until);
            }
            Revocation::Subject {
                issuer,
                subject,
                issued_before,
            } => {
                raise(
                    subjects.entry((issuer, subject)).or_insert(issued_before),
                    issued_before,
                );
            }
            Revocation::Issuer {
                issuer,
                issued_before,
            } => raise_whole(issuers, issuer, issued_before, Timestamp::NEVER),
        }
    }

    /// Whether anything of what `identity` stands on was taken back, and still is.
    #[must_use]
    pub fn cover(&self, identity: &Identity, now: Timestamp) -> bool {
        self.set.read().covers(&Proof {
            now,
            issuer: &identity.issuer,
            subject: &identity.subject,
            token: identity.token_id.as_deref(),
            session: identity.session.as_ref().map(SessionId::as_str),
            issued_at: identity.issued_at,
        })
    }

    /// Whether a grant was taken back: as itself, or with what its user was given up to an instant.
    pub(crate) fn cover_grant(&self, terms: &Terms, holder: &Identity, now: Timestamp) -> bool {
        let (set, issued_at) = (self.set.read(), Some(terms.issued_at()));
        let itself = Proof {
            now,
            issuer: terms.issuer(),
            subject: terms.subject(),
            token: terms.id(),
            session: None,
            issued_at,
        };
        let of_user = Proof {
            now,
            issuer: &holder.issuer,
            subject: &holder.subject,
            token: None,
            session: None,
            issued_at,
        };
        set.covers(&itself) || set.covers(&of_user)
    }
}

/// What something signed can be taken back by.
struct Proof<'a> {
    now: Timestamp,
    issuer: &'a str,
    subject: &'a str,
    token: Option<&'a str>,
    session: Option<&'a str>,
    issued_at: Option<Timestamp>,
}

impl Set {
    fn covers(&self, proof: &Proof<'_>) -> bool {
        let of = |name: &str| (Box::<str>::from(proof.issuer), Box::<str>::from(name));
        let named = |set: &HashMap<Named, Timestamp>, name: Option<&str>| {
            let until = name
                .filter(|_| !set.is_empty())
                .and_then(|name| set.get(&of(name)));
            until.is_some_and(|&until| until > proof.now)
        };
        let up_to = |before: Option<&Timestamp>| {
            before.is_some_and(|&before| proof.issued_at.is_none_or(|issued| issued <= before))
        };
        let whole = self.issuers.get(proof.issuer);
        let whole = whole.filter(|it| it.until > proof.now);
        named(&self.tokens, proof.token)
            || named(&self.sessions, proof.session)
            || (!self.subjects.is_empty() && up_to(self.subjects.get(&of(proof.subject))))
            || up_to(whole.map(|it| &it.issued_before))
    }

    /// Forgets what is over by itself, so that users who sign out day after day never fill the set.
    fn sweep(&mut self, now: Timestamp) {
        let due = |swept: Timestamp| swept.after(SWEEP) <= now;
        let most = self.sessions.len().max(self.tokens.len());
        if most >= ENTRIES / 2 && self.swept.is_none_or(due) {
            self.swept = Some(now);
            self.sessions.retain(|_, until| *until > now);
            self.tokens.retain(|_, until| *until > now);
        }
    }
}

/// Forgets all of the issuer that has the most, if they are too many. Returns which that is, and the latest of their instants.
fn make_room(kind: &mut HashMap<Named, Timestamp>) -> Option<(Box<str>, Timestamp)> {
    if kind.len() < ENTRIES {
        return None;
    }
    let mut each: HashMap<&str, usize> = HashMap::new();
    for (issuer, _) in kind.keys() {
        *each.entry(issuer).or_default() += 1;
    }
    let (crowded, _) = each.into_iter().max_by_key(|(_, count)| *count)?;
    let crowded: Box<str> = crowded.into();
    let theirs = kind.extract_if(|(issuer, _), _| *issuer == crowded);
    let latest = theirs.map(|(_, instant)| instant).max()?;
    Some((crowded, latest))
}

fn raise_whole(
    issuers: &mut HashMap<Box<str>, Whole>,
    issuer: Box<str>,
    issued_before: Timestamp,
    until: Timestamp,
) {
    let whole = issuers.entry(issuer).or_insert(Whole {
        issued_before,
        until,
    });
    raise(&mut whole.issued_before, issued_before);
    raise(&mut whole.until, until);
}

fn raise(entry: &mut Timestamp, to: Timestamp) {
    *entry = (*entry).max(to);
}

#[cfg(test)]
mod tests;
