//! A fan-out through everything that a channel can ask of a publication, beside one through nothing but a right, and
//! beside what others make of theirs.

use super::{FanOut, Figure, Spans, Work, entrance, in_turns, part};
use crate::{Failure, client::Group, dialect::Dialect, server::Running};

/// Rights by a claim, a schema, a string made safe, and a history.
pub(crate) struct Guarded {
    pub(crate) followers: usize,
}

/// Publications in flight, and what the figures are called.
const LOADS: [(usize, [&str; 3]); 2] = [
    (1, ["plain", "guarded", "guarded, of plain"]),
    (16, ["plain, 16", "guarded, 16", "guarded, of plain, 16"]),
];

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
        Some("fan-out-guarded")
    }

    fn beside(&self) -> &'static [(&'static str, &'static str)] {
        &[("plain", "guarded"), ("plain, 16", "guarded, 16")]
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let plain = entrance(server, Group::X25519)?;
        let mut guarded = plain.clone();
        guarded.dialect = Dialect::in_channel("g/r", r#"{"text":"{data}"}"#);
        let mut figures = Vec::new();
        for (in_flight, [unguarded, with_all, share]) in LOADS {
            let work = FanOut {
                followers: self.followers,
                in_flight,
            };
            let named = |name, entrance| {
                let figure = work.through(entrance, server, spans)?;
                Ok(Figure { name, ..figure })
            };
            // Whoever asks for no token has no guard either.
            if server.tokens.is_none() {
                figures.push(named(unguarded, &plain)?);
                continue;
            }
            let [plain, guarded] = in_turns(
                spans,
                || named(unguarded, &plain),
                || named(with_all, &guarded),
            )?;
            let share = part(share, &guarded, &plain);
            figures.extend([plain, guarded, share]);
        }
        Ok(figures)
    }
}
