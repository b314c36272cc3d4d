//! What has been taken back. Asked before and at the upgrade, and followed by every live socket.

use std::{
    collections::{HashMap, hash_map},
    hash::Hash,
    time::Duration,
};

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
    tokens: HashMap<Named, Entry>,
    sessions: HashMap<Named, Entry>,
    subjects: HashMap<Named, Entry>,
    issuers: HashMap<Box<str>, Entry>,
    /// When those that need not be remembered were last looked for.
    swept: Option<Timestamp>,
}

/// Something of an issuer.
type Named = (Box<str>, Box<str>);

/// Something that was taken back.
struct Entry {
    /// Of a subject or an issuer, what was issued later counts. A token or a session does not, whenever it was issued; as far as
    /// is known, that was no later.
    issued_before: Timestamp,
    /// The instant until which it has to be remembered.
    until: Timestamp,
    /// The user who signed out of it. None if somebody else took it back, alone or as well.
    of: Option<Box<str>>,
}

/// Who signs out of a token or a session.
pub(crate) struct Holder<'a> {
    /// `sub`.
    pub(crate) subject: &'a str,
    /// When that was issued, if told.
    pub(crate) issued_at: Option<Timestamp>,
}

/// The most entries of a kind. For one more, all that the user with the most of them signed out of becomes one entry: everything
/// of theirs that was issued before, for as long as any of it had to be remembered. Where nobody signed out of [`MANY`], it is
/// everything of the issuer with the most entries. Too much, never too little, and of nobody else.
pub(crate) const ENTRIES: usize = 200_000;
/// So many make room enough: each that comes in their place pays for a small part of the look through all.
const MANY: usize = 1000;
/// Between two looks for what need not be remembered.
const SWEEP: Duration = Duration::from_secs(10);

impl Revocations {
    /// Remembers a revocation until then.
    pub fn insert(&self, revocation: &Revocation, until: Timestamp, now: Timestamp) {
        self.set.write().insert(revocation, None, until, now);
    }

    /// The same of a token or a session that its holder signs out of.
    pub(crate) fn insert_of(
        &self,
        holder: &Holder<'_>,
        revocation: &Revocation,
        until: Timestamp,
        now: Timestamp,
    ) {
        let mut set = self.set.write();
        set.insert(revocation, Some(holder), until, now);
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
    fn insert(
        &mut self,
        revocation: &Revocation,
        holder: Option<&Holder<'_>>,
        until: Timestamp,
        now: Timestamp,
    ) {
        self.sweep(now);
        let crowd = match revocation {
            Revocation::Token { .. } => make_room(&mut self.tokens, now),
            Revocation::Session { .. } => make_room(&mut self.sessions, now),
            Revocation::Subject { .. } => make_room(&mut self.subjects, now),
            Revocation::Issuer { .. } => None,
        };
        if let Some((more, until)) = crowd {
            self.insert(&more, None, until, now);
        }
        let issued_at = holder.and_then(|it| it.issued_at);
        let one = Entry {
            issued_before: issued_at.map_or(now, |at| at.max(now)),
            until,
            of: holder.map(|it| it.subject.into()),
        };
        let whole = |issued_before| Entry {
            issued_before,
            until,
            of: None,
        };
        match revocation.clone() {
            Revocation::Token { issuer, id } => keep(&mut self.tokens, (issuer, id), one),
            Revocation::Session { issuer, id } => keep(&mut self.sessions, (issuer, id), one),
            Revocation::Subject {
                issuer,
                subject,
                issued_before,
            } => keep(&mut self.subjects, (issuer, subject), whole(issued_before)),
            Revocation::Issuer {
                issuer,
                issued_before,
            } => keep(&mut self.issuers, issuer, whole(issued_before)),
        }
    }

    fn covers(&self, proof: &Proof<'_>) -> bool {
        let of = |name: &str| (Box::<str>::from(proof.issuer), Box::<str>::from(name));
        let lasts = |entry: &&Entry| entry.until > proof.now;
        let named = |kind: &HashMap<Named, Entry>, name: Option<&str>| {
            let name = name.filter(|_| !kind.is_empty());
            let entry = name.and_then(|name| kind.get(&of(name)));
            entry.filter(lasts).map(|it| it.issued_before)
        };
        let up_to = |before| proof.issued_at.is_none_or(|issued| issued <= before);
        let whole = self.issuers.get(proof.issuer).filter(lasts);
        named(&self.tokens, proof.token).is_some()
            || named(&self.sessions, proof.session).is_some()
            || named(&self.subjects, Some(proof.subject)).is_some_and(up_to)
            || whole.is_some_and(|it| up_to(it.issued_before))
    }

    /// Forgets what is over by itself, so that users who sign out day after day never fill the set.
    fn sweep(&mut self, now: Timestamp) {
        let due = |swept: Timestamp| swept.after(SWEEP) <= now;
        let mut kinds = [&mut self.tokens, &mut self.sessions, &mut self.subjects];
        let large = kinds.iter().any(|kind| kind.len() >= ENTRIES / 2);
        if large && self.swept.is_none_or(due) {
            self.swept = Some(now);
            for kind in &mut kinds {
                kind.retain(|_, entry| entry.until > now);
            }
        }
    }
}

fn keep<K: Eq + Hash>(kind: &mut HashMap<K, Entry>, name: K, entry: Entry) {
    match kind.entry(name) {
        hash_map::Entry::Vacant(place) => {
            place.insert(entry);
        }
        hash_map::Entry::Occupied(mut known) => {
            let known = known.get_mut();
            raise(&mut known.issued_before, entry.issued_before);
            raise(&mut known.until, entry.until);
            if known.of != entry.of {
                known.of = None;
            }
        }
    }
}

/// Forgets all that one user signed out of, or all of an issuer, if they are too many. Returns what has to be taken back in
/// their place, and until when.
fn make_room(kind: &mut HashMap<Named, Entry>, now: Timestamp) -> Option<(Revocation, Timestamp)> {
    if kind.len() < ENTRIES {
        return None;
    }
    let each = kind.iter().map(|((issuer, _), entry)| (&**issuer, entry));
    let users = each.filter_map(|(issuer, entry)| Some((issuer, entry.of.as_deref()?)));
    let (issuer, subject): (Box<str>, Option<Box<str>>) = match most(users) {
        Some(((issuer, subject), MANY..)) => (issuer.into(), Some(subject.into())),
        _ => {
            let (issuer, _) = most(kind.keys().map(|(issuer, _)| &**issuer))?;
            (issuer.into(), None)
        }
    };
    let theirs = kind
        .extract_if(|(of, _), entry| *of == issuer && (subject.is_none() || entry.of == subject));
    let (mut issued_before, mut until) = (now, now);
    for (_, entry) in theirs {
        raise(&mut issued_before, entry.issued_before);
        raise(&mut until, entry.until);
    }
    let more = match subject {
        Some(subject) => Revocation::Subject {
            issuer,
            subject,
            issued_before,
        },
        None => Revocation::Issuer {
            issuer,
            issued_before,
        },
    };
    Some((more, until))
}

/// What there is most of, and how often.
fn most<T: Eq + Hash>(all: impl Iterator<Item = T>) -> Option<(T, usize)> {
    let mut each = HashMap::new();
    for one in all {
        *each.entry(one).or_default() += 1;
    }
    each.into_iter().max_by_key(|(_, count)| *count)
}

fn raise(entry: &mut Timestamp, to: Timestamp) {
    *entry = (*entry).max(to);
}

#[cfg(test)]
mod tests;
