//! The configuration: TOML in, parts of a server out, and every problem named at once with its place and its remedy.
//!
//! [`mod@file`] is the shape of the file and describes every key, [`schema`](mod@schema) is that as JSON Schema, [`read`]
//! reads a file, [`environment`] lays variables over it, [`unknown`] finds misspelt keys, [`ranges`] and [`judge`] refuse
//! what is unsafe, and [`runtime`] makes the parts.

mod certificate;
mod certificates;
mod clients;
mod environment;
mod file;
mod forward_auth;
mod judge;
mod names;
mod path;
mod places;
mod problem;
mod ranges;
mod read;
mod reloaded;
mod right;
mod runtime;
mod schema;
mod sign_in;
mod units;
mod unknown;

use std::{path::Path, sync::Arc};

use wardwire_admission::proxy::TrustedProxies;

use crate::acme::Settings;

pub(crate) use certificate::is_shared;
pub use certificate::{Certificate, Fault, Part, load as load_certificate};
pub use certificates::Certificates;
pub use environment::{Override, Variable};
pub use file::{
    Acme, Addresses, Admin, AuditFile, Backend, CertificateFiles, Challenge, Channel, ChannelRate,
    ClientAuth, ClientProof, Compression, Deflate, Development, Discriminator, ExternalAccount,
    File, ForwardAuth, History, Introspection, Issuer, Kind, Limits, Mode, Outbound, Profile,
    ProxyProtocol, Require, Rotate, Route, RouteLimits, Server, SignIn, Tls,
};
pub use names::Names;
pub(crate) use path::read as read_file;
pub use path::{FilePath, Folder, NoCredentials};
pub use places::{Values, Written};
use problem::Source;
pub(crate) use problem::visible;
pub use problem::{Place, Problem, Problems, Told};
use read::Reading;
pub use reloaded::{Changes, Prints, bound_to_start, changes, named_files, needs_restart, spoken};
pub use right::{PlainRight, Presence, Right, Seen};
pub use runtime::{Parts, Running, assemble, parts, reachable, routes, rules, supposed};
pub use schema::schema;
pub use units::{Bytes, Network, Span};

/// Where TLS ends.
pub enum Security {
    /// Here, with these certificates.
    Tls(Certificates),
    /// Here, with certificates that are obtained.
    Acme(Arc<Settings>),
    /// At these balancers.
    EndedBy(TrustedProxies),
}

/// A configuration that was read and found safe.
pub struct Config {
    /// As it stands in the file.
    pub file: File,
    /// Where the files are that it names.
    pub folder: Folder,
    /// Where each key was written.
    pub written: Written,
    /// What was written for each key, to tell one configuration from another.
    pub values: Values,
    /// What was in the files that it names, before any was judged: who changes one meanwhile has changed it since.
    pub prints: Prints,
    /// What the environment set, in the order of the variables' names.
    pub overrides: Vec<Override>,
    /// Where TLS ends.
    pub security: Security,
    /// What is safe enough, but worth a second look.
    pub warnings: Problems,
}

impl Config {
    /// The hosts it answers to, as they are written, or as the certificate names them or will.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let named = self.file.server.hosts.iter();
        let named = named.map(|host| host.as_str());
        let certified: Vec<&str> = match &self.security {
            _ if !self.file.server.hosts.is_empty() => Vec::new(),
            Security::Tls(certificates) => certificates.names().collect(),
            Security::Acme(acme) => acme.hosts.iter().map(String::as_str).collect(),
            Security::EndedBy(_) => Vec::new(),
        };
        named.chain(certified)
    }

    /// Reads and judges a file, with what the environment sets over it.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let text = path::read_text(path).map_err(|error| {
            Problems::one(
                path,
                Problem::new(
                    format!("cannot be read: {error}"),
                    "Name a file that exists with --config; wardwire.example.toml is one to begin with.",
                ),
            )
        })?;
        if certificate::is_anybodys(path) {
            return Err(Problems::one(
                path,
                Problem::new(
                    "can be written by everybody, who could let anybody in",
                    "Run `chmod o-w` on it, and read it again before use.",
                ),
            ));
        }
        Self::parse_with(&text, path, &environment::variables())
    }

    /// Reads and judges a text that stands in the file at `path`, and nothing else.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Problems> {
        Self::parse_with(text, path, &[])
    }

    /// The same, with these variables over it.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn parse_with(text: &str, path: &Path, variables: &[Variable]) -> Result<Self, Problems> {
        let folder = Folder::of(path);
        let Reading {
            file,
            places,
            mut problems,
            overrides,
            out_of_range,
        } = read::read(text, variables);
        let source = Source::new(path, text, &overrides);
        let Some(file) = file else {
            return Err(Problems::new(&source, problems));
        };
        let prints = reloaded::prints(&file, &folder);
        let trial = judge::Trial {
            source: &source,
            file: &file,
            folder: &folder,
            places: &places,
            out_of_range: &out_of_range,
        };
        let (security, warnings) = judge::judge(trial, &mut problems);
        match security {
            Some(security) if problems.is_empty() => Ok(Self {
                written: places.written(&source),
                values: places.values.clone(),
                prints,
                warnings: Problems::new(&source, warnings),
                file,
                folder,
                security,
                overrides,
            }),
            _ => Err(Problems::new(&source, problems)),
        }
    }
}

#[cfg(test)]
mod tests;
