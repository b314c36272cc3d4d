//! What is unsafe, and so refused before anything listens. Each refusal names the way out.

mod admin;
mod audit;
mod channel;
mod issuer;
mod limits;
mod network;
mod route;
mod server;

use std::path::{Path, PathBuf};

use super::{Problem, Security, file::File, places::Places};

/// A file on trial.
struct Judge<'a> {
    file: &'a File,
    folder: &'a Path,
    places: &'a Places,
    problems: &'a mut Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Judges a file. Problems are appended; what is returned beside where TLS ends is only worth a second look.
pub(super) fn judge(
    file: &File,
    folder: &Path,
    places: &Places,
    problems: &mut Vec<Problem>,
) -> (Option<Security>, Vec<Problem>) {
    let mut judge = Judge {
        file,
        folder,
        places,
        problems,
        warnings: Vec::new(),
    };
    let security = server::tls(&mut judge);
    server::origins(&mut judge);
    server::hosts(&mut judge, security.as_ref());
    issuer::judge(&mut judge);
    route::judge(&mut judge);
    channel::judge(&mut judge);
    limits::judge(&mut judge);
    network::judge(&mut judge);
    admin::judge(&mut judge);
    audit::judge(&mut judge);
    (security, judge.warnings)
}

impl Judge<'_> {
    /// Refuses what stands at `place`, or what should.
    fn refuse(&mut self, place: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems
            .push(Problem::new(message, remedy).at(self.places.at(place)));
    }

    fn warn(&mut self, place: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.warnings
            .push(Problem::new(message, remedy).at(self.places.at(place)));
    }

    /// Where a path in the file leads.
    fn path(&self, written: &Path) -> PathBuf {
        self.folder.join(written)
    }
}
