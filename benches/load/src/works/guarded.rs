//! A fan-out through everything that a channel can ask of a publication, beside one through nothing but a right.

use super::{FanOut, Figure, Spans, Work, entrance};
use crate::{Failure, client::Group, dialect::Dialect, server::Running};

/// Rights by a claim, a schema, a string made safe, and a history.
pub(crate) struct Guarded {
    pub(crate) followers: usize,
}

impl Work for Guarded {
    fn name(&self) -> String {
        format!("fan-out-guarded-{}", self.followers)
    }

    fn title(&self) -> String {
        format!(
            "fan-out to {} through a right by claim, a schema, sanitising and a history",
            self.followers
        )
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let plain = entrance(server, Group::X25519)?;
        let mut guarded = plain.clone();
        guarded.dialect = Dialect::in_channel("g/r", r#"{"text":"{data}"}"#);
        let mut figures = Vec::new();
        for (in_flight, names) in [
            (1, ["plain", "guarded"]),
            (16, ["plain, 16", "guarded, 16"]),
        ] {
            let work = FanOut {
                followers: self.followers,
                in_flight,
            };
            for (name, entrance) in names.into_iter().zip([&plain, &guarded]) {
                let figure = work.through(entrance, server, spans)?;
                figures.push(Figure { name, ..figure });
            }
        }
        Ok(figures)
    }
}
