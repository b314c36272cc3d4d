//! The command line: `serve`, `demo`, `check`, `token`, `audit verify`, `audit key`.
//!
//! Exit codes: 0 all is well, 1 the thing asked for failed, 2 the command line was not understood.

mod audit;
mod check;
mod listeners;
mod serve;
pub(crate) mod token;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

pub use serve::run as serve;

use crate::demo;

#[derive(Parser)]
#[command(
    name = "wardwire",
    version,
    about = "A WebSocket server that nobody enters without proof",
    after_help = "Exit codes: 0 all is well, 1 what was asked for failed, 2 the command line was not understood"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve what a configuration says
    Serve {
        /// The configuration file
        #[arg(long, default_value = "wardwire.toml")]
        config: PathBuf,
    },
    /// Try Wardwire on this machine: a chat room, and buttons that try to break in
    Demo(demo::Arguments),
    /// Name every problem of a configuration, and who may do what with it
    Check {
        /// The configuration file
        #[arg(long, default_value = "wardwire.toml")]
        config: PathBuf,
    },
    /// Mint an access token with a local key, for development
    Token(token::Arguments),
    /// Work with an audit log
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Serve { config } => serve::command(&config),
        Command::Demo(arguments) => demo::command(&arguments),
        Command::Check { config } => check::command(&config),
        Command::Token(arguments) => token::command(&arguments),
        Command::Audit { command } => audit::command(&command),
    }
}
