//! The command line: `cargo xtask bench --help` tells it to people, and hands it on.

use std::{path::PathBuf, time::Duration};

use crate::{
    Failure, catalogue,
    rounds::Contestant,
    server::{Program, Rival},
    works::{Spans, Work},
};

/// What is to be done.
pub(crate) struct Plan {
    /// Also the name of what is written.
    pub(crate) name: String,
    pub(crate) works: Vec<Box<dyn Work>>,
    pub(crate) contestants: Vec<Contestant>,
    /// Rivals that were to be there and are not.
    pub(crate) missing: Vec<String>,
    pub(crate) rounds: usize,
    pub(crate) spans: Spans,
    /// A folder that servers may write to.
    pub(crate) scratch: PathBuf,
    /// Where results are written as JSON.
    pub(crate) out: Option<PathBuf>,
    /// Where the documentation is, for a run of everything.
    pub(crate) docs: Option<PathBuf>,
    /// Everything, against every rival, as often as it should be.
    pub(crate) complete: bool,
}

const USAGE: &str =
    "usage: wardwire-load all|quick|NAME --server PATH [--against PATH] [--sockets N]
    [--rounds N] [--seconds S] [--list FILE [--rivals a,b]] [--out FOLDER] [--docs FOLDER]";

/// Rounds of everything: an odd number has a middle.
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;

#[derive(Default)]
struct Options {
    server: Option<String>,
    against: Option<String>,
    list: Option<String>,
    rivals: Option<String>,
    sockets: Option<usize>,
    rounds: Option<usize>,
    seconds: Option<f64>,
    out: Option<PathBuf>,
    docs: Option<PathBuf>,
}

impl Options {
    fn read(mut rest: &[String]) -> Result<Self, Failure> {
        let mut options = Self::default();
        while let [flag, value, further @ ..] = rest {
            match flag.as_str() {
                "--server" => options.server = Some(value.clone()),
                "--against" => options.against = Some(value.clone()),
                "--list" => options.list = Some(value.clone()),
                "--rivals" => options.rivals = Some(value.clone()),
                "--sockets" => options.sockets = Some(value.parse()?),
                "--rounds" => options.rounds = Some(value.parse()?),
                "--seconds" => options.seconds = Some(value.parse()?),
                "--out" => options.out = Some(value.into()),
                "--docs" => options.docs = Some(value.into()),
                _ => return Err(format!("{flag}?\n{USAGE}").into()),
            }
            rest = further;
        }
        match rest {
            [] => Ok(options),
            _ => Err(USAGE.into()),
        }
    }
}

impl Plan {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, Failure> {
        let (name, rest) = arguments.split_first().ok_or(USAGE)?;
        let options = Options::read(rest)?;
        let works = catalogue::works(name, options.sockets)?;
        let mut contestants = vec![wardwire(
            "wardwire",
            options.server.as_deref().ok_or(USAGE)?,
        )?];
        if let Some(other) = &options.against {
            contestants.push(wardwire("the other build", other)?);
        }
        let mut missing = Vec::new();
        if let Some(list) = &options.list {
            let mut rivals = Rival::list(list.as_ref(), options.rivals.as_deref())?;
            rivals.retain(|rival| works.iter().any(|work| rival.takes(&**work)));
            for rival in rivals {
                match rival.is_there() {
                    true => contestants.push(contestant(rival)),
                    false => missing.push(rival.name),
                }
            }
        }
        let told = matches!(name.as_str(), "all" | "channels" | "opening");
        let rounds = options.rounds.unwrap_or(match told {
            true => ROUNDS,
            false => QUICK_ROUNDS,
        });
        let as_it_should_be = options.rivals.is_none()
            && options.sockets.is_none()
            && options.seconds.is_none()
            && rounds >= ROUNDS;
        Ok(Self {
            name: name.clone(),
            works,
            contestants,
            rounds,
            spans: Spans {
                warm_up: Duration::from_millis(200),
                measured: Duration::from_secs_f64(options.seconds.unwrap_or(1.0)),
                round: 0,
            },
            scratch: std::env::temp_dir().join(format!("wardwire-load-{}", std::process::id())),
            out: options.out,
            docs: options.docs.filter(|_| told),
            complete: told && as_it_should_be && missing.is_empty(),
            missing,
        })
    }
}

fn wardwire(name: &str, path: &str) -> Result<Contestant, Failure> {
    let binary = PathBuf::from(path)
        .canonicalize()
        .map_err(|error| format!("{path}: {error}"))?;
    Ok(Contestant {
        name: name.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        program: Program::Wardwire(binary),
    })
}

fn contestant(rival: Rival) -> Contestant {
    Contestant {
        name: rival.name.clone(),
        version: format!("{} ({})", rival.version, rival.kind),
        program: Program::Rival(Box::new(rival)),
    }
}
