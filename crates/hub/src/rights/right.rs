//! Rights: what is asked of somebody before they may.

use super::{
    Action, BadTemplate, Standing, Template,
    claims::{any_value, has_scope},
    pattern::Fit,
};

/// Who may do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// Nobody.
    Nobody,
    /// Whoever is signed in.
    Authenticated,
    /// Whoever holds a socket.
    Anyone,
    /// The application's own backend, and so nobody who holds a socket.
    Server,
    /// Whose token names this channel and action.
    Granted,
    /// Whoever has a scope (RFC 9068 §2.2.3).
    Scope(Template),
    /// Whoever has a claim that is equal to a value, or contains it.
    Claim {
        /// The claim's name, or its way through objects: `realm_access.roles`. A claim that has the dots in its own name goes
        /// first. `sub`, `iss`, `acr` and `amr` are those that the identity was proved with; `sub` is
        /// [`Identity::handle`](wardwire_admission::principal::Identity::handle), so that users of two issuers are two.
        claim: Box<str>,
        /// How it is compared.
        test: Test,
        /// The value; `{room}` stands for what the pattern's hole took.
        value: Template,
    },
    /// Whoever has one of these.
    Any(Several),
    /// Whoever has all of these.
    All(Several),
}

/// How a claim is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The claim is this string.
    Equals,
    /// The claim is an array that holds this string. `scope` is a list between spaces (RFC 8693 §4.2).
    Contains,
}

/// Rights in a right. INVARIANT: there is at least one, as *all of none* would be everybody; and they are few and not deep, as
/// each publication asks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several(Box<[Right]>);

/// How many lists may lie in one another.
pub const DEPTH: usize = 4;
/// How many rights one may be made of, lists not counted.
pub const LEAVES: usize = 32;

/// Why rights make no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRight {
    /// A list of none.
    #[error("a list of no rights")]
    Empty,
    /// Over [`DEPTH`].
    #[error("rights in rights, more than {DEPTH} deep")]
    Deep,
    /// Over [`LEAVES`].
    #[error("a right made of more than {LEAVES}")]
    Many,
    /// A value that is none.
    #[error("a right's value: {0}")]
    Template(#[from] BadTemplate),
}

/// What a right is asked: whether somebody may do this in a channel that fits the rule.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) standing: &'a Standing,
    pub(super) fit: Fit<'a>,
    pub(super) action: Action,
}

impl Several {
    /// Rights in a right.
    ///
    /// # Errors
    /// There are none, too many, or they lie too deep.
    pub fn new(rights: Vec<Right>) -> Result<Self, BadRight> {
        if rights.is_empty() {
            return Err(BadRight::Empty);
        }
        if rights.iter().map(Right::leaves).sum::<usize>() > LEAVES {
            return Err(BadRight::Many);
        }
        if rights.iter().any(|right| right.depth() >= DEPTH) {
            return Err(BadRight::Deep);
        }
        Ok(Self(rights.into()))
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Right> {
        self.0.iter()
    }
}

impl Right {
    /// What it is made of; nothing if it asks one thing itself.
    fn several(&self) -> &[Self] {
        match self {
            Self::Any(several) | Self::All(several) => &several.0,
            _ => &[],
        }
    }

    fn depth(&self) -> usize {
        let deepest = self.several().iter().map(|it| it.depth() + 1).max();
        deepest.unwrap_or_default()
    }

    fn leaves(&self) -> usize {
        let inner: usize = self.several().iter().map(Self::leaves).sum();
        inner.max(1)
    }

    pub(super) fn holds(&self, asked: &Question<'_>) -> bool {
        let identity = asked.standing.principal().identity();
        match (self, identity) {
            (Self::Nobody, _) => false,
            (Self::Server, _) => asked.standing.is_backend(),
            (Self::Anyone, _) => true,
            (Self::Authenticated, identity) => identity.is_some(),
            (Self::Granted, _) => asked.standing.is_granted(asked.fit.channel, asked.action),
            (Self::Any(several), _) => several.iter().any(|it| it.holds(asked)),
            (Self::All(several), _) => several.iter().all(|it| it.holds(asked)),
            (Self::Scope(scope), Some(identity)) => {
                let scope = scope.fill(&asked.fit);
                scope.is_some_and(|scope| has_scope(identity, &scope))
            }
            (Self::Claim { claim, test, value }, Some(identity)) => {
                let value = value.fill(&asked.fit);
                value.is_some_and(|value| any_value(identity, claim, *test, |held| held == value))
            }
            (Self::Scope(_) | Self::Claim { .. }, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Result<Right, BadRight> {
        (0..depth).try_fold(Right::Anyone, |inner, _| {
            Several::new(vec![inner]).map(Right::All)
        })
    }

    #[test]
    fn a_right_is_made_of_few_and_not_deep() {
        assert_eq!(Several::new(Vec::new()), Err(BadRight::Empty));
        assert!(nested(DEPTH).is_ok());
        assert_eq!(nested(DEPTH + 1), Err(BadRight::Deep));
        let many = |count| Several::new(vec![Right::Anyone; count]);
        assert!(many(LEAVES).is_ok());
        assert_eq!(many(LEAVES + 1), Err(BadRight::Many));
        let half = || Right::Any(many(LEAVES / 2 + 1).unwrap());
        assert_eq!(Several::new(vec![half(), half()]), Err(BadRight::Many));
    }
}
