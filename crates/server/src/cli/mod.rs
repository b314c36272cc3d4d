//! The command line: `serve`, `demo`, `check`, `doctor identity`, `schema`, `types`, `completions`, `man`, `token`, `audit verify`, `audit key`.
//!
//! Exit codes: 0 all is well, 1 the thing asked for failed, 2 the command line was not understood.

mod audit;
mod check;
mod doctor;
mod listeners;
mod manual;
mod serve;
pub(crate) mod token;
mod types;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use clap_complete::Shell;

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
    /// Try Wardwire on this machine: three demos, and buttons that try to break in
    Demo(demo::Arguments),
    /// Name every problem of a configuration, or who may do what with it
    Check(check::Arguments),
    /// Ask what the configuration relies on whether it is as it has to be
    Doctor {
        #[command(subcommand)]
        command: doctor::Command,
    },
    /// Print the JSON Schema of the configuration file, for editors
    Schema,
    /// Print what is said in each channel as TypeScript types, for `connect<Channels>` of @wardwire/client
    Types(types::Arguments),
    /// Print what a shell needs to complete this command
    Completions {
        /// For which shell
        shell: Shell,
    },
    /// Print the manual page, or write those of every command
    Man {
        /// Write wardwire.1, wardwire-check.1 and so on into this folder
        #[arg(long, value_name = "FOLDER")]
        into: Option<PathBuf>,
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
        Command::Check(arguments) => check::command(&arguments),
        Command::Doctor { command } => doctor::command(&command),
        Command::Schema => schema(),
        Command::Types(arguments) => types::command(&arguments),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { into } => manual::pages(into.as_deref()),
        Command::Token(arguments) => token::command(&arguments),
        Command::Audit { command } => audit::command(&command),
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
