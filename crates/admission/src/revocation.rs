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
mod tests {
    use super::*;
    use crate::principal::tests::identity;

    const NOW: Timestamp = Timestamp::from_secs(1500);

    fn covered(revocation: Revocation, identity: &Identity) -> bool {
        let set = Revocations::default();
        assert!(!set.cover(identity, NOW));
        set.insert(&revocation, Timestamp::NEVER, NOW);
        assert_eq!(
            set.cover(identity, NOW),
            revocation.covers(identity),
            "both ways agree"
        );
        set.cover(identity, NOW)
    }

    #[test]
    fn each_kind_covers_its_own_and_nothing_of_another_issuer() {
        let issuer: Box<str> = "https://id.example".into();
        let mut alice = identity("alice");
        alice.token_id = Some("t1".into());
        alice.session = Some(SessionId::new("s1"));
        let kinds = |issuer: &str| {
            let issuer: Box<str> = issuer.into();
            [
                Revocation::Token {
                    issuer: issuer.clone(),
                    id: "t1".into(),
                },
                Revocation::Session {
                    issuer: issuer.clone(),
                    id: "s1".into(),
                },
                Revocation::Subject {
                    issuer: issuer.clone(),
                    subject: "alice".into(),
                    issued_before: NOW,
                },
                Revocation::Issuer {
                    issuer,
                    issued_before: NOW,
                },
            ]
        };
        assert!(kinds(&issuer).into_iter().all(|it| covered(it, &alice)));
        assert!(
            !kinds("https://id.example.evil")
                .into_iter()
                .any(|it| covered(it, &alice))
        );
    }

    #[test]
    fn what_was_issued_later_counts_and_what_does_not_say_does_not() {
        let revocation = Revocation::Subject {
            issuer: "https://id.example".into(),
            subject: "alice".into(),
            issued_before: NOW,
        };
        let later = Identity {
            issued_at: Some(Timestamp::from_secs(1501)),
            ..identity("alice")
        };
        let silent = Identity {
            issued_at: None,
            ..identity("alice")
        };
        assert!(!covered(revocation.clone(), &later));
        assert!(covered(revocation, &silent));
    }

    #[test]
    fn a_token_is_taken_back_until_then_and_no_longer() {
        let set = Revocations::default();
        let token = Revocation::Token {
            issuer: "https://id.example".into(),
            id: "t1".into(),
        };
        let alice = Identity {
            token_id: Some("t1".into()),
            ..identity("alice")
        };
        let end = Timestamp::from_secs(1530);
        set.insert(&token, end, NOW);
        assert!(set.cover(&alice, NOW) && set.cover(&alice, Timestamp::from_secs(1529)));
        assert!(!set.cover(&alice, end));
        set.insert(&token, Timestamp::NEVER, NOW);
        set.insert(&token, end, NOW);
        assert!(set.cover(&alice, end), "the longer counts");
    }

    #[test]
    fn a_full_set_takes_back_more_and_never_less() {
        let set = Revocations::default();
        let one = |n: usize| Revocation::Token {
            issuer: "https://id.example".into(),
            id: n.to_string().into(),
        };
        for n in 0..=ENTRIES {
            set.insert(&one(n), Timestamp::NEVER, NOW);
        }
        let first = Identity {
            token_id: Some("0".into()),
            ..identity("alice")
        };
        assert!(set.cover(&first, NOW) && set.cover(&identity("bob"), NOW));
        assert_eq!(set.set.read().tokens.len(), 1);
    }

    #[test]
    fn a_full_set_takes_back_more_for_no_longer_than_it_had_to_be_remembered() {
        let set = Revocations::default();
        let silent = Identity {
            issued_at: None,
            ..identity("bob")
        };
        let end = |n| NOW.after(Duration::from_secs(n));
        for n in 0..=ENTRIES {
            let token = Revocation::Token {
                issuer: "https://id.example".into(),
                id: n.to_string().into(),
            };
            let until = end(if n == 7 { 30 } else { 20 });
            set.insert(&token, until, NOW);
        }
        assert!(set.cover(&silent, end(29)));
        assert!(!set.cover(&silent, end(30)));
    }

    #[test]
    fn an_issuer_that_takes_back_without_end_costs_its_own_users_only() {
        let set = Revocations::default();
        let out = |issuer: &str, subject: &str| {
            let revocation = Revocation::Subject {
                issuer: issuer.into(),
                subject: subject.into(),
                issued_before: NOW,
            };
            set.insert(&revocation, Timestamp::NEVER, NOW);
        };
        (0..ENTRIES).for_each(|n| out("https://crowd.example", &n.to_string()));
        out("https://id.example", "alice");
        assert!(set.cover(&identity("alice"), NOW) && !set.cover(&identity("bob"), NOW));
        let theirs = Identity {
            issuer: "https://crowd.example".into(),
            ..identity("carol")
        };
        assert!(set.cover(&theirs, NOW));
    }

    #[test]
    fn sessions_that_are_over_need_not_be_remembered() {
        let set = Revocations::default();
        let end = |n: usize, now| {
            let session = Revocation::Session {
                issuer: "https://id.example".into(),
                id: n.to_string().into(),
            };
            set.insert(&session, NOW.after(SWEEP), now);
        };
        (0..ENTRIES / 2).for_each(|n| end(n, NOW));
        let first = Identity {
            session: Some(SessionId::new("0")),
            ..identity("alice")
        };
        assert!(set.cover(&first, NOW));
        end(ENTRIES, NOW.after(SWEEP));
        assert_eq!(set.set.read().sessions.len(), 1);
        assert!(!set.cover(&identity("bob"), NOW), "nobody else is hit");
    }
}
