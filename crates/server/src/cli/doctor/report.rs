//! What was found, as it is printed: one line each, and under what is not as it has to be the line to write.

use std::fmt;

use crate::config::visible;

/// How something is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grade {
    Good,
    /// It works, but not everything does, or nobody can tell.
    Note,
    /// Somebody is refused for it, or something that is configured does not work.
    Fault,
}

/// Findings, in their order.
#[derive(Default)]
pub(super) struct Report {
    lines: Vec<String>,
    faults: usize,
}

impl Report {
    pub(super) fn heading(&mut self, text: &str) {
        self.lines.push(text.to_owned());
    }

    pub(super) fn good(&mut self, what: &str, said: impl fmt::Display) {
        self.add(Grade::Good, what, &said.to_string(), "");
    }

    pub(super) fn note(&mut self, what: &str, said: impl fmt::Display, remedy: &str) {
        self.add(Grade::Note, what, &said.to_string(), remedy);
    }

    pub(super) fn fault(&mut self, what: &str, said: impl fmt::Display, remedy: &str) {
        self.faults += 1;
        self.add(Grade::Fault, what, &said.to_string(), remedy);
    }

    pub(super) fn faults(&self) -> usize {
        self.faults
    }

    fn add(&mut self, grade: Grade, what: &str, said: &str, remedy: &str) {
        let mark = match grade {
            Grade::Good => "ok",
            Grade::Note => "note",
            Grade::Fault => "FAULT",
        };
        self.lines.push(format!("  {mark:<5} {what}: {said}"));
        self.lines
            .extend((!remedy.is_empty()).then(|| format!("        {remedy}")));
    }
}

/// Words of others steer no terminal.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{}", visible(line))?;
        }
        match self.faults {
            0 => writeln!(f, "no faults"),
            1 => writeln!(f, "1 fault"),
            faults => writeln!(f, "{faults} faults"),
        }
    }
}
