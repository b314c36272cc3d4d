//! The configuration: TOML in, parts of a server out, and every problem named at once with its place and its remedy.
//!
//! [`mod@file`] is the shape of the file, [`read`] reads it, [`unknown`] finds misspelt keys, [`judge`] refuses what is unsafe,
//! and [`runtime`] makes the parts.

mod certificate;
mod file;
mod judge;
mod places;
mod problem;
mod read;
mod runtime;
mod units;
mod unknown;

use std::path::{Path, PathBuf};

use wardwire_admission::proxy::TrustedProxies;

pub(crate) use certificate::is_shared;
pub use certificate::{Certificate, Fault, Part, load as load_certificate};
pub use file::{
    Admin, AuditFile, Channel, Compression, Deflate, Development, File, Issuer, Kind, Limits,
    Outbound, PlainRight, Profile, ProxyProtocol, Require, Right, Route, RouteLimits, Server, Tls,
};
pub use problem::{Problem, Problems};
use read::Reading;
pub use runtime::{Running, assemble};
pub use units::{Bytes, Network, Span};

/// Where TLS ends.
pub enum Security {
    /// Here, with this certificate.
    Tls(Certificate),
    /// At these balancers.
    EndedBy(TrustedProxies),
}

/// A configuration that was read and found safe.
pub struct Config {
    /// As it stands in the file.
    pub file: File,
    /// Paths in the file are relative to this folder.
    pub folder: PathBuf,
    /// Where TLS ends.
    pub security: Security,
    /// What is safe enough, but worth a second look.
    pub warnings: Problems,
}

impl Config {
    /// The hosts it answers to, as they are written, or as the certificate names them.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let named = self.file.server.hosts.iter();
        let named = named.map(|host| host.get_ref().as_str());
        let certified: &[String] = match &self.security {
            Security::Tls(certificate) if self.file.server.hosts.is_empty() => &certificate.names,
            _ => &[],
        };
        named.chain(certified.iter().map(String::as_str))
    }

    /// Reads and judges a file.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn load(path: &Path) -> Result<Self, Problems> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Problems::one(
                path,
                Problem::new(
                    format!("cannot be read: {error}"),
                    "Name a file that exists.",
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
        Self::parse(&text, path)
    }

    /// Reads and judges a text that stands in the file at `path`.
    ///
    /// # Errors
    /// Every problem that was found.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Problems> {
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        let Reading {
            file,
            places,
            mut problems,
        } = read::read(text);
        let Some(file) = file else {
            return Err(Problems::new(path, text, problems));
        };
        let (security, warnings) = judge::judge(&file, &folder, &places, &mut problems);
        match security {
            Some(security) if problems.is_empty() => Ok(Self {
                file,
                folder,
                security,
                warnings: Problems::new(path, text, warnings),
            }),
            _ => Err(Problems::new(path, text, problems)),
        }
    }
}

#[cfg(test)]
mod tests;
