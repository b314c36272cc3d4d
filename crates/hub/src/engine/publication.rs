//! What stands in a log.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use wardwire_protocol::{
    channel::ChannelName,
    rpc::wire::{self, PublicationNotice},
};

use super::Position;
use crate::fanout::Origin;

/// A publication, as it was cleared: everything but where it stands.
#[derive(Debug)]
pub struct Publication {
    /// What was published, as it is delivered.
    pub content: Content,
    /// Whose it is: the server's word. None if anonymous.
    pub from: Option<Box<str>>,
    /// What the publisher called it.
    pub id: Option<Box<str>>,
    /// Of what it is the value, where a channel keeps the latest [of each key](super::Latest::Keys).
    pub key: Option<Box<str>>,
    /// Whom it is not brought to.
    pub except: Option<Except>,
}

/// A socket of one process, which did not want its own publication back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Except {
    pub(crate) process: u64,
    pub(crate) origin: Origin,
}

/// What is in a publication.
#[derive(Debug)]
pub enum Content {
    /// JSON.
    Data(Box<RawValue>),
    /// Bytes, in canonical base64 (RFC 4648 §4).
    Base64(Box<str>),
}

impl Content {
    fn split(&self) -> (Option<&RawValue>, Option<Cow<'_, str>>) {
        match self {
            Self::Data(data) => (Some(data), None),
            Self::Base64(text) => (None, Some(Cow::Borrowed(text))),
        }
    }

    /// As it stands in a publication.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Data(data) => data.get(),
            Self::Base64(text) => text,
        }
    }
}

impl Publication {
    /// In bytes, about as many as it is on its way to a reader.
    #[must_use]
    pub fn size(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len());
        self.content.as_str().len() + text(&self.from) + text(&self.id) + text(&self.key) + AROUND
    }
}

/// The names of members, the position, and what it costs to keep it at all.
const AROUND: usize = 128;

/// A publication where it stands.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Where.
    pub position: Position,
    /// What.
    pub publication: Arc<Publication>,
}

impl Placed {
    /// As followers are told, who may follow several channels.
    pub(crate) fn notice<'a>(&'a self, channel: &'a ChannelName) -> PublicationNotice<'a> {
        let Publication {
            content, from, id, ..
        } = &*self.publication;
        let (data, base64) = content.split();
        PublicationNotice {
            id: id.as_deref().map(Into::into),
            channel: channel.as_str().into(),
            data,
            base64,
            position: self.position.to_string().into(),
            from: from.as_deref().map(Into::into),
        }
    }
}

/// As lists about one channel hold it.
impl Serialize for Placed {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Publication {
            content, from, id, ..
        } = &*self.publication;
        let (data, base64) = content.split();
        let publication = wire::Publication {
            id: id.as_deref().map(Into::into),
            position: self.position.to_string().into(),
            from: from.as_deref().map(Into::into),
            base64,
            data,
        };
        publication.serialize(to)
    }
}

/// What is appended.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What.
    pub publication: Arc<Publication>,
    /// By what it is known if it comes a second time.
    pub once: Option<Once>,
}

/// What makes an append happen once within [`Once::WINDOW`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// A hash of the channel, the publisher and the publisher's own id, of which nobody finds two alike.
    pub key: [u8; 32],
    /// Tells publishers apart, each of whom has so many remembered and no more.
    pub publisher: u64,
}

impl Once {
    /// For how long it is known, from when it was appended.
    pub const WINDOW: Duration = Duration::from_secs(300);
}

/// What came of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Where it stands.
    pub position: Position,
    /// It stood there already: nothing was appended.
    pub duplicate: bool,
}

/// What came of each entry of a batch, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Of most, which are one entry: no memory is taken for it.
    One([Appended; 1]),
    /// Of several, or none.
    Several(Vec<Appended>),
}

impl std::ops::Deref for Stands {
    type Target = [Appended];

    fn deref(&self) -> &[Appended] {
        match self {
            Self::One(one) => one,
            Self::Several(several) => several,
        }
    }
}
