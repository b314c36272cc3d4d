//! What is unsafe, and so refused before anything listens. Each refusal names the way out.

mod acme;
mod admin;
mod audit;
mod channel;
mod clients;
mod forward_auth;
mod issuer;
mod network;
mod route;
mod server;

use std::path::PathBuf;

use super::{
    Problem, Security,
    file::File,
    path::{FilePath, Folder},
    places::Places,
    problem::{Place, Source},
};

/// A file on trial, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct Trial<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) file: &'a File,
    pub(super) folder: &'a Folder,
    pub(super) places: &'a Places,
    /// The paths of values that were refused already.
    pub(super) out_of_range: &'a [String],
}

struct Judge<'a> {
    file: &'a File,
    trial: Trial<'a>,
    problems: &'a mut Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Judges a file. Problems are appended; what is returned beside where TLS ends is only worth a second look.
pub(super) fn judge(
    trial: Trial<'_>,
    problems: &mut Vec<Problem>,
) -> (Option<Security>, Vec<Problem>) {
    let mut judge = Judge {
        file: trial.file,
        trial,
        problems,
        warnings: Vec::new(),
    };
    let security = server::tls(&mut judge);
    server::origins(&mut judge);
    server::hosts(&mut judge, security.as_ref());
    issuer::judge(&mut judge);
    forward_auth::judge(&mut judge);
    route::judge(&mut judge);
    channel::judge(&mut judge);
    network::judge(&mut judge);
    clients::judge(&mut judge);
    admin::judge(&mut judge);
    audit::judge(&mut judge);
    (security, judge.warnings)
}

impl Judge<'_> {
    /// Refuses what stands at `place`, or what should.
    fn refuse(&mut self, place: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems
            .push(Problem::new(message, remedy).at(self.trial.places.at(place)));
    }

    fn warn(&mut self, place: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.warnings
            .push(Problem::new(message, remedy).at(self.trial.places.at(place)));
    }

    /// Where something else stands of which a problem speaks, in words.
    fn line(&self, place: &str) -> String {
        match self.trial.source.place(&self.trial.places.at(place)) {
            Place::Line(line, _) => format!("in line {line}"),
            Place::Variable(name) => format!("in ${name}"),
            Place::Whole => "elsewhere".to_owned(),
        }
    }

    /// Where the file is that is named at `place`. A credential where there are none is refused.
    fn find(&mut self, place: &str, file: &FilePath) -> Option<PathBuf> {
        match self.trial.folder.find(file) {
            Ok(path) => Some(path),
            Err(error) => {
                self.refuse(
                    place,
                    error.to_string(),
                    "Start it by systemd, with LoadCredential=NAME:FILE in the unit, or name a file.",
                );
                None
            }
        }
    }
}
