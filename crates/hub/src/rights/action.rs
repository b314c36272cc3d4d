//! What somebody can do in a channel, and sets of that.

/// What somebody can do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Follow it, and get what was missed meanwhile.
    Subscribe,
    /// Publish to it.
    Publish,
    /// Read what is kept of it.
    History,
    /// See who follows it.
    Presence,
}

/// Some of all actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions(u8);

impl Action {
    /// All there are.
    pub const ALL: [Self; 4] = [
        Self::Subscribe,
        Self::Publish,
        Self::History,
        Self::Presence,
    ];

    /// What it is called in tokens, and as a call of `wardwire.v1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::History => "history",
            Self::Presence => "presence",
        }
    }

    /// By its name, written exactly so.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Actions {
    /// Whether this is one of them.
    #[must_use]
    pub fn contains(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |it| self.contains(*it))
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<T: IntoIterator<Item = Action>>(actions: T) -> Self {
        Self(actions.into_iter().fold(0, |all, it| all | it.bit()))
    }
}
