//! From the guard to the log.

use std::{sync::Arc, time::Instant};

use crate::{
    Hub, HubError, HubLimits, Position,
    engine::{Answer, Content, EngineError, Entry, Except, Publication, Sink as _, Stands},
    fanout::Origin,
    guard::{Cleaned, Cleared},
    once::{PublicationId, Publisher},
};

/// A publication that entered its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Where.
    pub position: Position,
    /// It had entered before: this is where it stands since.
    pub duplicate: bool,
    /// Why it would not have, if the channel did more than report.
    pub reported: Option<HubError>,
}

impl Hub {
    /// Publishes what the guard has cleared, but not to the socket that is excepted. Where the engine answers at once, so does this.
    pub(crate) fn publish(
        self: &Arc<Self>,
        cleared: Cleared<'_>,
        id: Option<(PublicationId<'_>, Publisher<'_>)>,
        except: Option<Origin>,
        limits: &HubLimits,
        now: Instant,
    ) -> Answer<Result<Published, HubError>> {
        let Cleared {
            channel: name,
            keep,
            standing,
            key,
            ..
        } = cleared;
        let process = self.loops.process;
        let except = except.map(|origin| Except { process, origin });
        let publication = Publication {
            content: content(cleared.payload),
            from: standing.principal().handle().map(Into::into),
            id: id.map(|(id, _)| id.as_str().into()),
            key,
            except,
        };
        let entry = [Entry {
            publication: Arc::new(publication),
            once: id.map(|(id, publisher)| publisher.once(name, id)),
        }];
        let reported = cleared.reported;
        for _ in 0..TRIES {
            let known = self.channels.read().get(name);
            let is_new = known.is_none();
            let channel = match known {
                Some(channel) => channel,
                // Nobody follows it here and nothing of it is kept here: it passes.
                None if keep.is_nothing() => {
                    let log = self.engine.open(name, keep);
                    let appended = log.append(&entry, now);
                    return appended.map(|appended| published(appended, reported));
                }
                None => match self.open(name, keep, standing, limits) {
                    Ok(channel) => channel,
                    Err(error) => return Answer::Now(Err(error)),
                },
            };
            if !channel.is_ready() {
                return Answer::Now(Err(HubError::Busy));
            }
            match channel.log.append(&entry, now) {
                // It was let go of meanwhile.
                Answer::Now(Err(EngineError::Closed)) => {}
                Answer::Now(appended) => {
                    // One that nobody has followed yet may have nothing to keep: a repetition, or too much kept elsewhere.
                    if is_new {
                        self.tidy(&channel, now);
                    }
                    return Answer::Now(published(appended, reported));
                }
                Answer::Later(appended) => {
                    let hub = self.clone();
                    return Answer::later(async move {
                        let appended = appended.await;
                        if is_new {
                            hub.tidy(&channel, Instant::now());
                        }
                        published(appended, reported)
                    });
                }
            }
        }
        Answer::Now(Err(HubError::Busy))
    }
}

/// How often it looks for a log that takes a publication: each that does not was let go of while it looked.
const TRIES: u32 = 8;

fn content(payload: Cleaned<'_>) -> Content {
    match payload {
        Cleaned::Data(data) => Content::Data(data.into_owned()),
        Cleaned::Base64(text) => Content::Base64(text.into()),
    }
}

fn published(
    appended: Result<Stands, EngineError>,
    reported: Option<HubError>,
) -> Result<Published, HubError> {
    // An engine answers for each that it was given.
    let appended = appended?.first().copied().ok_or(HubError::Busy)?;
    Ok(Published {
        position: appended.position,
        duplicate: appended.duplicate,
        reported,
    })
}
