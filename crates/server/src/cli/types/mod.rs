//! `wardwire types`: what is said in each channel, as TypeScript types out of the channels' schemas.

mod typescript;

use std::{fmt::Write as _, io, path::Path, path::PathBuf, process::ExitCode};

use serde_json::Value;

use self::typescript::{Declared, comment, key};
use super::print;
use crate::config::{Channel, Config, Mode, read_file, visible};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, default_value = "wardwire.toml")]
    config: PathBuf,
}

pub(super) fn command(arguments: &Arguments) -> ExitCode {
    let config = match Config::load(&arguments.config) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    match types(&config, &arguments.config) {
        Ok(types) => print(&types),
        Err(error) => {
            eprintln!("{}", visible(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

const HEAD: &str =
    "// Made by `wardwire types` from the channels of a configuration and their schemas.\n\n";

fn types(config: &Config, path: &Path) -> io::Result<String> {
    let mut declared = Declared::default();
    let mut channels = String::new();
    for channel in &config.file.channel {
        let data = match &channel.schema {
            None if channel.binary => "Uint8Array".to_owned(),
            None => "unknown".to_owned(),
            Some(file) => {
                let text = read_file(&config.folder.find(file)?)?;
                let schema: Value = serde_json::from_slice(&text)?;
                declared.root(&channel.name, schema)
            }
        };
        let _ = writeln!(
            channels,
            "{}  readonly {}: {data};",
            comment(&about(channel), 2),
            key(&channel.name)
        );
    }
    let name = path.file_name().unwrap_or_default().display().to_string();
    let about = comment(&format!("What is said in each channel of {name}."), 0);
    let types = declared.into_text();
    Ok(format!(
        "{HEAD}{about}export interface Channels {{\n{channels}}}\n{types}"
    ))
}

fn about(channel: &Channel) -> String {
    let Some(schema) = &channel.schema else {
        return String::new();
    };
    match channel.mode {
        Mode::Enforce => format!("{schema}"),
        Mode::Report => format!("{schema}, which is only reported on: anything may be said."),
    }
}
