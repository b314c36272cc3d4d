//! The command line: `serve`, `demo`, `check`, `schema`, `token`, `audit verify`.
//!
//! Exit codes: 0 all is well, 1 the thing asked for failed, 2 the command line was not understood.

mod audit;
mod check;
mod serve;
pub(crate) mod token;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

pub use serve::run as serve;

use crate::{config, demo};

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
    /// Name every problem of a configuration, or who may do what with it
    Check(check::Arguments),
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
    /// Mint an access token with a local key, for development
    Token(token::Arguments),
    /// Work with an audit log
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Check that no line was edited, removed or moved
    Verify {
        /// The log
        file: PathBuf,
    },
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    match command {
        Command::Serve { config } => serve::command(&config),
        Command::Demo(arguments) => demo::command(&arguments),
        Command::Check(arguments) => check::command(&arguments),
        Command::Schema => schema(),
        Command::Token(arguments) => token::command(&arguments),
        Command::Audit {
            command: AuditCommand::Verify { file },
        } => audit::verify(&file),
    }
}

fn schema() -> ExitCode {
    match serde_json::to_string_pretty(config::schema()) {
        Ok(schema) => print(&format!("{schema}\n")),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no failure.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("standard output: {error}");
            ExitCode::FAILURE
        }
    }
}
