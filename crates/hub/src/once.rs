//! What a publisher calls its own publication, so that repeating it does not publish it twice.
//!
//! Who does not know whether a publication arrived says it again with the same id. Ids are a publisher's own: another's of the
//! same text, or of the same text in another channel, is another.

use aws_lc_rs::digest::{Context, SHA256};
use wardwire_protocol::channel::ChannelName;

use crate::{engine::Once, rights::Standing};

/// What a publisher calls a publication: 1 to 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicationId<'a>(&'a str);

/// The most bytes of an id.
const LONGEST: usize = 64;

impl<'a> PublicationId<'a> {
    /// Reads an id. None if it is too long, or nothing.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        (1..=LONGEST).contains(&text.len()).then_some(Self(text))
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

/// Who publishes.
#[derive(Clone, Copy)]
pub(crate) struct Publisher<'a> {
    pub(crate) standing: &'a Standing,
    /// The socket among those of all processes: who is anonymous is nobody else than it. Without meaning for a backend, which
    /// is one, however many processes and requests it has.
    pub(crate) socket: (u64, u64),
    /// What stands for whose it is, all their sockets together.
    pub(crate) who: u64,
}

impl Publisher<'_> {
    /// What makes a publication of this id happen once. Each part goes in with its length, so that no two are spelt alike.
    pub(crate) fn once(self, channel: &ChannelName, id: PublicationId<'_>) -> Once {
        let mut hash = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(channel.as_str().as_bytes());
        part(id.0.as_bytes());
        match self.standing.principal().identity() {
            _ if self.standing.is_backend() => part(b"backend"),
            Some(identity) => {
                part(identity.issuer.as_bytes());
                part(identity.subject.as_bytes());
            }
            None => {
                let (process, socket) = self.socket;
                part(&process.to_be_bytes());
                part(&socket.to_be_bytes());
                part(b"anonymous");
            }
        }
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(hash.finish().as_ref()) {
            *to = *from;
        }
        Once {
            key,
            publisher: self.who,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::tests::{anonymous, user};

    #[test]
    fn an_id_is_the_publishers_own_and_the_channels() {
        let name = |text| ChannelName::parse(text).unwrap();
        let once = |channel, id, standing: &Standing, socket| {
            let publisher = Publisher {
                standing,
                socket,
                who: 1,
            };
            publisher.once(&name(channel), PublicationId(id)).key
        };
        let [alice, bob, nobody] =
            [user("alice", "{}"), user("bob", "{}"), anonymous()].map(Standing::from);
        let backend = Standing::backend();
        let keys = [
            once("a", "1", &alice, (1, 1)),
            once("a", "2", &alice, (1, 1)),
            once("b", "1", &alice, (1, 1)),
            once("a", "1", &bob, (1, 1)),
            once("a", "1", &nobody, (1, 1)),
            once("a", "1", &nobody, (1, 2)),
            once("a", "1", &nobody, (2, 1)),
            once("a", "1", &backend, (1, 1)),
            once("a1", "1", &alice, (1, 1)),
            once("a", "11", &alice, (1, 1)),
        ];
        assert_eq!(HashSet::from(keys).len(), keys.len());
        let elsewhere = once("a", "1", &alice, (2, 7));
        assert_eq!(elsewhere, keys[0], "whatever socket a user comes by");
    }

    #[test]
    fn ids_have_their_length() {
        assert!(PublicationId::parse("").is_none());
        assert!(PublicationId::parse(&"x".repeat(LONGEST)).is_some());
        assert!(PublicationId::parse(&"x".repeat(LONGEST + 1)).is_none());
    }
}
