//! What opening a socket takes from a page in Chromium, a fixed round trip away: how much more the client needs than a
//! `WebSocket` of the browser's own.

use std::{path::Path, process::Command};

use super::{Figure, Spans, Unit, Work};
use crate::{Failure, server::Running};

pub(crate) struct Opening;

impl Work for Opening {
    fn name(&self) -> String {
        "opening".into()
    }

    fn title(&self) -> String {
        "round trips until a socket is open in Chromium".into()
    }

    fn takes(&self) -> Option<&'static str> {
        None
    }

    /// By a server of the script's own, which knows the pages that the script has and asks it about cookies.
    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../browser/opening.mjs");
        let output = Command::new("node")
            .arg(script)
            .arg(spans.round.to_string())
            .env("WARDWIRE_BIN", server.binary()?)
            .stderr(std::process::Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err("the pages did not come to their end".into());
        }
        let figures: Vec<(String, String, f64)> = serde_json::from_slice(&output.stdout)?;
        figures
            .into_iter()
            .map(|(name, unit, value)| {
                Ok(Figure {
                    // As many in each round, and for as long as the run.
                    name: name.leak(),
                    value,
                    unit: match unit.as_str() {
                        "trips" => Unit::RoundTrips,
                        "more" => Unit::MoreRoundTrips,
                        "requests" => Unit::Count,
                        _ => return Err(format!("what is {unit}?").into()),
                    },
                    core: None,
                })
            })
            .collect()
    }
}
