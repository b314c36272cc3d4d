//! One reader: what it has read, and whether that is a stretch of the channel.

use std::collections::HashMap;

use super::*;

/// What a reader has read.
#[derive(Clone, Debug)]
pub(super) enum Event {
    Heard(Position, u64),
    /// Nothing is missing before this position.
    Whole(Position),
    /// Something may be.
    Gap(Position),
}

pub(super) struct Reader {
    /// Which of all loops it is on.
    pub(super) at: usize,
    pub(super) key: SocketKey,
    pub(super) member: Member,
    pub(super) outbox: Outbox,
    pub(super) pace: Pace,
    pub(super) state: State,
    pub(super) last: Option<Position>,
    pub(super) log: Vec<Event>,
}

pub(super) enum State {
    Idle,
    Seeking(Sought),
    Following,
}

impl Reader {
    pub(super) fn come(&mut self, seat: Result<Seat, HubError>, fanout: &mut Fanout) {
        self.state = State::Idle;
        let joined = seat.and_then(|seat| self.member.join(seat, fanout));
        let Ok(subscribed) = joined else {
            assert_eq!(joined.unwrap_err(), HubError::Forbidden);
            return;
        };
        self.state = State::Following;
        for placed in &subscribed.publications {
            let number = placed.publication.content.as_str().parse().unwrap();
            self.log.push(Event::Heard(placed.position, number));
        }
        self.last = Some(subscribed.position);
        self.log.push(match subscribed.recovered {
            true => Event::Whole(subscribed.position),
            false => Event::Gap(subscribed.position),
        });
    }

    pub(super) fn read(&mut self, bytes: usize) {
        let mut out = Vec::new();
        self.outbox.drain(&mut out, bytes);
        let messages = payloads(&out);
        let follows = matches!(self.state, State::Following);
        assert!(
            follows || messages.is_empty(),
            "nothing is for who does not follow"
        );
        for message in messages {
            let params = &message["params"];
            let position = Position::parse(params["position"].as_str().unwrap()).unwrap();
            self.last = Some(position);
            self.log.push(match message["method"].as_str() {
                Some("publication") => Event::Heard(position, params["data"].as_u64().unwrap()),
                Some("lagged") => Event::Gap(position),
                other => panic!("{other:?}"),
            });
        }
    }

    /// Holds what was read against what was published.
    pub(super) fn judge(&self, truth: &[(Position, u64)]) -> Result<(), String> {
        let places: HashMap<(u64, u64), usize> = truth
            .iter()
            .enumerate()
            .map(|(place, (position, _))| ((position.epoch, position.offset), place))
            .collect();
        // How many of all stand at or before a position, as far as that can be known.
        let before = |position: &Position| match places.get(&(position.epoch, position.offset)) {
            Some(place) => Some(place + 1),
            None => truth.iter().position(|(it, _)| it.epoch == position.epoch),
        };
        let mut at: Option<usize> = None;
        for event in &self.log {
            match event {
                Event::Heard(position, number) => {
                    let place = places.get(&(position.epoch, position.offset));
                    let place = *place.ok_or(format!("{position} is nowhere"))?;
                    if truth[place].1 != *number {
                        return Err(format!("{number} at {position}"));
                    }
                    if at.is_none_or(|at| at != place) {
                        return Err(format!("{number} does not come next after {at:?}"));
                    }
                    at = Some(place + 1);
                }
                Event::Whole(position) => {
                    if at != before(position) {
                        return Err(format!("at {at:?} and not at {position}"));
                    }
                }
                Event::Gap(position) => {
                    let after = before(position);
                    if let (Some(at), Some(after)) = (at, after)
                        && after < at
                    {
                        return Err(format!("back from {at} to {position}"));
                    }
                    at = after;
                }
            }
        }
        match (&self.state, at) {
            (State::Following, Some(at)) if at != truth.len() => {
                Err(format!("ends at {at} of {}", truth.len()))
            }
            _ => Ok(()),
        }
    }
}
