//! The command line.

use std::{path::PathBuf, time::Duration};

use crate::{
    Failure,
    client::Group,
    rounds::Contestant,
    server::{Program, Rival},
    works::{Echo, FanOut, Handshake, Spans, Work},
};

/// What is to be done.
pub(crate) struct Plan {
    pub(crate) works: Vec<Box<dyn Work>>,
    pub(crate) contestants: Vec<Contestant>,
    pub(crate) rounds: usize,
    pub(crate) spans: Spans,
    /// A folder that servers may write to.
    pub(crate) scratch: PathBuf,
}

const USAGE: &str =
    "usage: wardwire-load quick|NAME --server PATH [--against PATH] [--rounds N] [--seconds S]
    [--rivals FILE [--only a,b]]";

impl Plan {
    pub(crate) fn read(arguments: &[String]) -> Result<Self, Failure> {
        let (name, mut rest) = arguments.split_first().ok_or(USAGE)?;
        let mut contestants = Vec::new();
        let mut rounds = None;
        let mut seconds = None;
        while let [flag, value, further @ ..] = rest {
            match flag.as_str() {
                "--server" => contestants.insert(0, wardwire("wardwire", value)?),
                "--against" => contestants.push(wardwire("the other build", value)?),
                "--rivals" => contestants.extend(rivals(value)?),
                "--rounds" => rounds = Some(value.parse()?),
                "--seconds" => seconds = Some(value.parse()?),
                _ => return Err(USAGE.into()),
            }
            rest = further;
        }
        if contestants.is_empty() || !rest.is_empty() {
            return Err(USAGE.into());
        }
        let works: Vec<Box<dyn Work>> = all()
            .into_iter()
            .filter(|work| match name.as_str() {
                "quick" => QUICK.contains(&&*work.name()),
                name => work.name().starts_with(name),
            })
            .collect();
        if works.is_empty() {
            let names: Vec<String> = all().iter().map(|work| work.name()).collect();
            return Err(format!("no such work; there are {}", names.join(", ")).into());
        }
        let scratch = std::env::temp_dir().join(format!("wardwire-load-{}", std::process::id()));
        Ok(Self {
            works,
            contestants,
            rounds: rounds.unwrap_or(3),
            spans: Spans {
                warm_up: Duration::from_millis(200),
                measured: Duration::from_secs_f64(seconds.unwrap_or(1.0)),
            },
            scratch,
        })
    }
}

/// What a developer wants to know.
const QUICK: [&str; 5] = [
    "echo-64-100-1",
    "echo-64-100-16",
    "fan-out-1000-1",
    "fan-out-1000-16",
    "handshake",
];

fn wardwire(name: &str, path: &str) -> Result<Contestant, Failure> {
    let binary = PathBuf::from(path)
        .canonicalize()
        .map_err(|error| format!("{path}: {error}"))?;
    Ok(Contestant {
        name: name.into(),
        version: String::new(),
        program: Program::Wardwire(binary),
    })
}

fn rivals(file: &str) -> Result<Vec<Contestant>, Failure> {
    let rivals = Rival::list(file.as_ref())?;
    Ok(rivals
        .into_iter()
        .map(|rival| Contestant {
            name: rival.name.clone(),
            version: rival.version.clone(),
            program: Program::Rival(rival),
        })
        .collect())
}

fn all() -> Vec<Box<dyn Work>> {
    let mut works: Vec<Box<dyn Work>> = Vec::new();
    for sockets in [100, 1000] {
        for bytes in [64, 1024, 65_536] {
            for in_flight in [1, 16] {
                works.push(Box::new(Echo {
                    bytes,
                    sockets,
                    in_flight,
                }));
            }
        }
    }
    for in_flight in [1, 16] {
        works.push(Box::new(FanOut {
            followers: 1000,
            in_flight,
        }));
    }
    for group in [Group::X25519, Group::X25519MlKem768] {
        works.push(Box::new(Handshake { group, at_once: 64 }));
    }
    works
}
