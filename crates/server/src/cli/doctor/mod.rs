//! `wardwire doctor`: asks those on whom the configuration relies, and says in plain words what is not as it has to be, with
//! the line to write. Nobody is signed in or let in by it; what it asks is what the server would.

mod application;
mod asking;
mod document;
mod issuer;
mod report;
mod sign_in;

use std::{path::PathBuf, process::ExitCode};

use self::report::Report;
use super::print;
use crate::config::{Config, reachable};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Each issuer: discovery, keys, algorithms, clock, sign-in, logout, introspection; and the application that is asked
    Identity {
        /// The configuration file
        #[arg(long, default_value = "wardwire.toml")]
        config: PathBuf,
    },
}

pub(super) fn command(command: &Command) -> ExitCode {
    let Command::Identity { config: path } = command;
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let report = runtime.and_then(|runtime| runtime.block_on(examined(&config)));
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    let code = print(&report.to_string());
    match report.faults() {
        0 => code,
        _ => ExitCode::FAILURE,
    }
}

async fn examined(config: &Config) -> std::io::Result<Report> {
    let issuers = reachable(config)?;
    let mut report = Report::default();
    for index in 0..config.file.issuer.len() {
        issuer::examine(config, index, &issuers, &mut report).await?;
    }
    application::examine(config, &mut report).await?;
    Ok(report)
}
