//! Rounds: in each, every contestant is measured once, one right after the other, so that whatever the machine does
//! meanwhile it does to all. Comparisons are made within a round only.

use std::{io::IsTerminal as _, path::Path};

use crate::{
    Failure,
    server::{Certificate, Program},
    statistics::Spread,
    works::{Figure, Spans, Unit, Work},
};

/// Somebody that is measured.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) program: Program,
}

/// A work, with what every round came to.
pub(crate) struct Results {
    pub(crate) work: String,
    pub(crate) title: String,
    /// As [`Work::beside`] says.
    pub(crate) beside: &'static [(&'static str, &'static str)],
    pub(crate) contestants: Vec<Rounds>,
}

/// One contestant's figures: by round, then as the work gives them. None for a round that failed.
pub(crate) struct Rounds {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rounds: Vec<Option<Vec<Figure>>>,
    /// Why the last round that failed did.
    pub(crate) failure: Option<String>,
}

/// One figure of one contestant over all rounds.
pub(crate) struct Summary {
    pub(crate) name: &'static str,
    pub(crate) unit: Unit,
    pub(crate) value: Spread,
    /// How much better the first contestant is than this one, within rounds.
    pub(crate) ratio: Option<Spread>,
    /// The same of a figure by another name.
    pub(crate) beside: Option<(&'static str, Spread)>,
    pub(crate) busy: Option<Spread>,
    pub(crate) taken: Option<Spread>,
}

/// Measures a work in `rounds` rounds, the order turned by one each time.
pub(crate) fn run(
    work: &dyn Work,
    contestants: &[Contestant],
    rounds: usize,
    spans: Spans,
    scratch: &Path,
) -> Result<Results, Failure> {
    let certificate = Certificate::new()?;
    let takes = |contestant: &&Contestant| match &contestant.program {
        Program::Wardwire(_) => true,
        Program::Rival(rival) => rival.takes(work),
    };
    let mut taking: Vec<(&Contestant, Rounds)> = contestants
        .iter()
        .filter(takes)
        .map(|contestant| (contestant, Rounds::new(contestant)))
        .collect();
    let rounds = if work.is_steady() { 1 } else { rounds };
    for round in 0..rounds {
        let number = taking.len().max(1);
        for turn in 0..number {
            let Some((contestant, results)) = taking.get_mut((round + turn) % number) else {
                break;
            };
            progress(&format!(
                "{} {}/{rounds} {}",
                work.name(),
                round + 1,
                contestant.name
            ));
            let measured = contestant
                .program
                .start(scratch, &certificate)
                .and_then(|server| work.measure(&server, Spans { round, ..spans }));
            results.add(measured);
        }
    }
    progress("");
    Ok(Results {
        work: work.name(),
        title: work.title(),
        beside: work.beside(),
        contestants: taking.into_iter().map(|(_, rounds)| rounds).collect(),
    })
}

/// On a terminal, what is being done.
fn progress(what: &str) {
    if std::io::stderr().is_terminal() {
        eprint!("\r\x1b[K{what}");
    }
}

impl Rounds {
    fn new(contestant: &Contestant) -> Self {
        Self {
            name: contestant.name.clone(),
            version: contestant.version.clone(),
            rounds: Vec::new(),
            failure: None,
        }
    }

    fn add(&mut self, measured: Result<Vec<Figure>, Failure>) {
        match measured {
            Ok(figures) => self.rounds.push(Some(figures)),
            Err(failure) => {
                self.rounds.push(None);
                self.failure = Some(failure.to_string());
            }
        }
    }

    /// Its figure `name` in each round.
    pub(crate) fn figures(&self, name: &str) -> impl Iterator<Item = Option<&Figure>> {
        self.rounds.iter().map(move |figures| {
            let figures = figures.as_ref()?;
            figures.iter().find(|figure| figure.name == name)
        })
    }
}

impl Results {
    /// Each contestant's figures, in the contestants' order.
    pub(crate) fn summaries(&self) -> Vec<(&Rounds, Vec<Summary>)> {
        self.contestants
            .iter()
            .map(|contestant| (contestant, self.of(contestant)))
            .collect()
    }

    /// Whether the first contestant failed: what a rival cannot do is told in the table.
    pub(crate) fn ours_failed(&self) -> bool {
        self.contestants
            .first()
            .is_some_and(|ours| ours.failure.is_some())
    }

    fn of(&self, contestant: &Rounds) -> Vec<Summary> {
        let Some(first) = contestant.rounds.iter().flatten().next() else {
            return Vec::new();
        };
        first
            .iter()
            .filter_map(|figure| self.summary(contestant, figure))
            .collect()
    }

    fn summary(&self, contestant: &Rounds, figure: &Figure) -> Option<Summary> {
        let values = || contestant.figures(figure.name);
        let cores = || values().flatten().filter_map(|figure| figure.core);
        let ratio = |name: &str| {
            let anchor = self.contestants.first();
            let anchor = anchor.filter(|anchor| anchor.name != contestant.name)?;
            let pairs = anchor.figures(name).zip(values());
            Spread::of(pairs.filter_map(|(ours, theirs)| better(ours?, theirs?)))
        };
        let mut beside = self
            .beside
            .iter()
            .filter(|(theirs, _)| *theirs == figure.name);
        Some(Summary {
            name: figure.name,
            unit: figure.unit,
            value: Spread::of(values().flatten().map(|figure| figure.value))?,
            ratio: ratio(figure.name),
            beside: beside.find_map(|(_, ours)| Some((*ours, ratio(ours)?))),
            busy: Spread::of(cores().map(|core| core.busy)),
            taken: Spread::of(cores().map(|core| core.taken)),
        })
    }
}

/// Above 1 if the first is better. What is neither better nor worse is compared with its target only.
fn better(ours: &Figure, theirs: &Figure) -> Option<f64> {
    match ours.unit {
        Unit::PerCpuSecond => Some(ours.value / theirs.value),
        Unit::Bytes | Unit::Microseconds | Unit::Nanoseconds => Some(theirs.value / ours.value),
        Unit::Count | Unit::Part | Unit::PerSecond | Unit::RoundTrips | Unit::MoreRoundTrips => {
            None
        }
    }
}
