//! The application's own backend: it holds no socket, and does by single requests what the rights allow it.

use std::{sync::Arc, time::Instant};

use wardwire_protocol::channel::ChannelName;

use crate::{
    Hub, HubError, Published, Rules,
    engine::{Answer, Limit, Page, Present, Range},
    guard::{self, Payload},
    once::{PublicationId, Publisher},
    rights::{Action, Standing},
};

/// The application's own backend, under the rules that held when it was asked for.
pub struct Backend {
    hub: Arc<Hub>,
    rules: Arc<Rules>,
    standing: Standing,
}

impl Hub {
    /// The application's own backend. Whoever asks for it has proved to be that.
    #[must_use]
    pub fn backend(self: &Arc<Self>) -> Backend {
        Backend {
            hub: self.clone(),
            rules: self.rules(),
            standing: Standing::backend(),
        }
    }
}

impl Backend {
    /// Publishes, if the guard clears it, from nobody. An id is published once within
    /// [five minutes](crate::engine::Once::WINDOW), whichever request brings it.
    ///
    /// # Errors
    /// As for [`Member::publish`](crate::Member::publish).
    pub fn publish<'a>(
        &self,
        name: &ChannelName,
        payload: impl Into<Payload<'a>>,
        id: Option<PublicationId<'_>>,
    ) -> Answer<Result<Published, HubError>> {
        let (rules, hub) = (&*self.rules, &self.hub);
        let now = Instant::now();
        let payload = payload.into();
        let standing = &self.standing;
        let cleared = guard::clear(&rules.channels, standing, name, payload, &hub.rates, now);
        let publisher = Publisher {
            standing,
            socket: (0, 0),
            who: hub.identities.key("backend"),
        };
        match cleared {
            Ok(cleared) => {
                let id = id.map(|id| (id, publisher));
                hub.publish(cleared, id, None, &rules.limits, now)
            }
            Err(error) => Answer::Now(Err(error)),
        }
    }

    /// Reads what is kept of a channel.
    ///
    /// # Errors
    /// No right, or the engine does not answer.
    pub fn history(
        &self,
        name: &ChannelName,
        range: Range,
        limit: Limit,
    ) -> Answer<Result<Page, HubError>> {
        let channels = &self.rules.channels;
        match channels.verdict(&self.standing, name, Action::History) {
            Some(rule) => self.hub.history(name, rule.keep(), range, limit),
            None => Answer::Now(Err(HubError::Forbidden)),
        }
    }

    /// Says who is in a channel, and names so many.
    ///
    /// # Errors
    /// No right, or the engine does not answer.
    pub fn presence(&self, name: &ChannelName, most: usize) -> Answer<Result<Present, HubError>> {
        let channels = &self.rules.channels;
        match channels.verdict(&self.standing, name, Action::Presence) {
            Some(_) => self.hub.presence(name, most),
            None => Answer::Now(Err(HubError::Forbidden)),
        }
    }
}
