//! What somebody stands on when a right is asked for.

use wardwire_admission::principal::Principal;
use wardwire_protocol::channel::ChannelName;

use super::{Action, Grants};

/// What somebody stands on when a right is asked for: who they are, as the gate has proved it, and what their token grants.
#[derive(Clone, Debug)]
pub struct Standing {
    principal: Principal,
    /// Most have nothing, and take no memory for it.
    beside: Option<Box<Beside>>,
}

/// What somebody has beside who they are.
#[derive(Clone, Debug)]
enum Beside {
    /// Read once, as each publication asks. Nothing without a claim, or where anything in it is wrong.
    Grants(Grants),
    /// It is the application's own backend, which holds no socket.
    Backend,
}

impl From<Principal> for Standing {
    fn from(principal: Principal) -> Self {
        let granted = principal.identity().and_then(|it| Grants::of(it).ok());
        let granted = granted.filter(|it| !it.is_empty());
        Self {
            principal,
            beside: granted.map(|it| Box::new(Beside::Grants(it))),
        }
    }
}

impl Standing {
    /// Of the application's own backend. No socket has it, as sockets have what their principal gives them.
    pub(crate) fn backend() -> Self {
        Self {
            principal: Principal::Anonymous,
            beside: Some(Box::new(Beside::Backend)),
        }
    }

    /// Whether it is the application's own backend.
    pub(crate) fn is_backend(&self) -> bool {
        matches!(self.beside.as_deref(), Some(Beside::Backend))
    }

    fn grants(&self) -> Option<&Grants> {
        match self.beside.as_deref()? {
            Beside::Grants(grants) => Some(grants),
            Beside::Backend => None,
        }
    }

    /// Who they are.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether they were given this for one channel.
    pub(super) fn is_granted(&self, channel: &ChannelName, action: Action) -> bool {
        self.grants().is_some_and(|it| it.contains(channel, action))
    }

    /// The channels of which a grant speaks, in the order of their names.
    pub(super) fn granted_channels(&self) -> Vec<&ChannelName> {
        let granted = self.grants().into_iter();
        let mut all: Vec<_> = granted.flat_map(Grants::channels).collect();
        all.sort_unstable();
        all
    }

    /// The same, in words for an operator.
    pub(super) fn why_granted(&self, channel: &ChannelName, action: Action) -> String {
        let name = action.name();
        match self.principal.identity().map(Grants::of) {
            None => "nobody is signed in".to_owned(),
            Some(Err(error)) => format!("the claim `channels` grants nothing: {error}"),
            Some(Ok(_)) if self.is_granted(channel, action) => {
                format!("the claim `channels` grants \"{name}\" here")
            }
            Some(Ok(_)) => format!("the claim `channels` does not grant \"{name}\" here"),
        }
    }
}
