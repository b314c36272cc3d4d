//! Checks a log's chain from its first line to its last.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::Path,
};

use super::chain::{Chain, LONGEST, Link, owned};

/// What became of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every line joins on to the one before it.
    Whole {
        /// How many lines.
        lines: u64,
        /// How many were torn by a crash, beside these; the line behind each owns up to it.
        torn: u64,
    },
    /// The last line was cut short, as by a crash; all before it hold.
    Torn {
        /// How many lines hold.
        lines: u64,
    },
    /// Somebody edited, removed or moved a line, or wrote one.
    Broken {
        /// The first line that does not hold, counted from 1.
        line: u64,
        /// Why not.
        why: &'static str,
    },
}

/// Checks the log at `path`.
///
/// # Errors
/// The file cannot be read.
pub fn verify(path: &Path) -> io::Result<Verdict> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut reading = Reading {
        chain: Chain::start(),
        lines: 0,
        torn: 0,
        between: Vec::new(),
        first: None,
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if (&mut reader).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if let Err(why) = reading.take(number, &line) {
            let line = reading.first.map_or(number, |(line, _)| line);
            return Ok(Verdict::Broken { line, why });
        }
    }
    Ok(reading.verdict())
}

/// How far a log was read.
struct Reading {
    chain: Chain,
    lines: u64,
    torn: u64,
    /// What stands behind the last link, and where it begins, and what is wrong with it.
    between: Vec<u8>,
    first: Option<(u64, &'static str)>,
}

impl Reading {
    fn take(&mut self, number: u64, line: &[u8]) -> Result<(), &'static str> {
        let link = match Link::of(line) {
            Ok(link) => link,
            Err(why) => {
                let (_, first) = *self.first.get_or_insert((number, why));
                self.between.extend_from_slice(line);
                // More than a crash or two can leave.
                let bounded = self.between.len() as u64 <= LONGEST;
                return bounded.then_some(()).ok_or(first);
            }
        };
        if link.torn != owned(&self.between) {
            let (_, why) = self
                .first
                .unwrap_or((number, "it owns up to what is not there"));
            return Err(why);
        }
        if link.prev != self.chain.prev.as_str() {
            return Err("it does not follow the line before");
        }
        if link.seq != self.chain.next {
            return Err("its number is not the next");
        }
        self.torn += u64::from(self.first.is_some());
        self.lines += 1;
        self.between.clear();
        self.first = None;
        self.chain = Chain {
            next: link.seq + 1,
            prev: link.hash,
        };
        Ok(())
    }

    /// At the end of the file.
    fn verdict(self) -> Verdict {
        let Self { lines, torn, .. } = self;
        let cut = !self.between.ends_with(b"\n");
        match self.first {
            None => Verdict::Whole { lines, torn },
            Some(_) if cut => Verdict::Torn { lines },
            Some((line, why)) => Verdict::Broken { line, why },
        }
    }
}
