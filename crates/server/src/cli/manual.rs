//! `wardwire completions` and `wardwire man`: what shells and `man` know of the command line, made from itself.

use std::{fs, io, path::Path, process::ExitCode};

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{Arguments, print};

const NAME: &str = "wardwire";

pub(super) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    print(&String::from_utf8_lossy(&script))
}

pub(super) fn pages(into: Option<&Path>) -> ExitCode {
    let done = match into {
        None => page().map(|page| print(&page)),
        Some(folder) => write(folder).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        let name = into.map_or("the manual page".into(), |it| it.display().to_string());
        eprintln!("{name}: {error}");
        ExitCode::FAILURE
    })
}

fn page() -> io::Result<String> {
    let command = Arguments::command().after_help(None);
    let man = Man::new(command);
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut more = Roff::new();
    for (title, paragraphs) in MORE {
        more.control("SH", [*title]);
        for (term, text) in *paragraphs {
            more.control("TP", []);
            more.text([bold(*term)]);
            more.text([roman(*text)]);
        }
    }
    more.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Arguments::command(), folder)?;
    fs::write(folder.join("wardwire.1"), page()?)
}

/// What the command line does not know of itself.
const MORE: &[(&str, &[(&str, &str)])] = &[
    (
        "ENVIRONMENT",
        &[
            (
                "WARDWIRE_TABLE__KEY",
                "Sets a key over the configuration file, as WARDWIRE_SERVER__LISTEN=0.0.0.0:443 or WARDWIRE_LIMITS__MESSAGE=16KiB. Lists have commas between. serve and check read it; a name that is no key is refused.",
            ),
            (
                "WARDWIRE_LOG",
                "What is logged on standard error: info by default, debug, or wardwire=debug,warn.",
            ),
            (
                "CREDENTIALS_DIRECTORY",
                "Where files are that the configuration names as \"credential:NAME\"; systemd sets it.",
            ),
        ],
    ),
    (
        "FILES",
        &[(
            "wardwire.toml",
            "The configuration, in the current folder unless --config names another. Paths in it are relative to its own folder.",
        )],
    ),
    (
        "EXIT STATUS",
        &[
            ("0", "All is well."),
            ("1", "What was asked for failed."),
            ("2", "The command line was not understood."),
        ],
    ),
];
