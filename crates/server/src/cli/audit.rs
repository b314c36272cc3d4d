//! `wardwire audit verify` and `wardwire audit key`

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::audit::{
    Demands, Fault, Noted, PublicKey, SigningKey, Summary, Verdict, verify_running,
};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Check that no line was edited, removed, moved or forged
    Verify(Verify),
    /// Make the key that signs the log, and its public half beside it as FILE.pub
    Key {
        /// Where the private key goes: outside the log's folder
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(clap::Args)]
pub(super) struct Verify {
    /// The log's folder, the file that is written (its closed segments are found beside it), or closed segments in their order
    #[arg(required = true)]
    log: Vec<PathBuf>,
    /// The public half of a key that signs the log; may stand several times
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// A line that was noted elsewhere, by its seq and hash; may stand several times
    #[arg(long, value_name = "SEQ:HASH")]
    head: Vec<Noted>,
    /// What was before this line is kept elsewhere, on purpose
    #[arg(long, value_name = "SEQ")]
    begins: Option<u64>,
    /// The server was stopped in order: demand the head that it ends with
    #[arg(long)]
    stopped: bool,
}

pub(super) fn command(command: &Command) -> ExitCode {
    match command {
        Command::Verify(arguments) => verify(arguments),
        Command::Key { out } => match make_key(out) {
            Ok(printed) => {
                print!("{printed}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn make_key(out: &Path) -> Result<String, crate::audit::KeyError> {
    let (key, beside) = SigningKey::make(out)?;
    let (id, pem) = (key.public().id(), key.public().pem());
    eprintln!(
        "{} signs, and {} verifies; heads name the key {id}",
        out.display(),
        beside.display()
    );
    Ok(pem.to_owned())
}

fn verify(arguments: &Verify) -> ExitCode {
    let mut logs = arguments.log.iter().map(|path| path.display().to_string());
    let name = logs.next().unwrap_or_default();
    match run(arguments) {
        Ok(Verdict::Whole(summary)) => {
            print!("{}", told(&name, &summary, arguments));
            ExitCode::SUCCESS
        }
        Ok(Verdict::Torn(summary)) => {
            let lines = summary.lines;
            eprintln!("{name}: {lines} lines hold; the last was cut short, as by a crash");
            ExitCode::FAILURE
        }
        Ok(Verdict::Broken(fault)) => {
            let Fault {
                file,
                line,
                seq,
                why,
            } = fault;
            eprintln!("{}:{line}: seq {seq}: {why}", file.display());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Verify) -> io::Result<Verdict> {
    let keys = arguments.public_key.iter();
    let keys = keys.map(|path| PublicKey::read(path).map_err(io::Error::other));
    let demands = Demands {
        keys: keys.collect::<io::Result<_>>()?,
        heads: arguments.head.clone(),
        begins: arguments.begins,
        stopped: arguments.stopped,
    };
    verify_running(&arguments.log, &demands)
}

/// What holds, and what nobody can know.
fn told(name: &str, summary: &Summary, arguments: &Verify) -> String {
    let mut said = Vec::new();
    let Summary {
        lines,
        torn,
        files,
        first,
        unsigned,
        ..
    } = summary;
    let within = match files {
        1 => String::new(),
        _ => format!(" in {files} files"),
    };
    said.push(format!(
        "{lines} lines{within}, every one follows the line before it"
    ));
    if *torn > 0 {
        said.push(format!(
            "{torn} torn by a crash, as the line behind each says"
        ));
    }
    if *first > 0 {
        said.push(match summary.deleted_by {
            Some(by) => format!("begins with line {first}: what was before was deleted as configured, as line {by} says"),
            None => format!("begins with line {first}, as was asked"),
        });
    }
    for (seq, lines) in &summary.unsealed {
        said.push(format!(
            "line {seq}: the server before did not stop in order; {lines} lines before this one were not signed by it, and lines behind them may be lost"
        ));
    }
    match summary.signed {
        Some(signed) => said.push(format!(
            "signed up to line {signed}; {unsigned} lines behind it are not signed yet"
        )),
        None if summary.unjudged > 0 => said.push(format!(
            "{} signatures were not checked: name --public-key FILE",
            summary.unjudged
        )),
        None => {
            said.push("not signed: whoever can write the log can have written all of it".into())
        }
    }
    if !summary.is_stopped {
        said.push("does not end with a stop: the server runs, was killed, or the end was cut off; a line noted elsewhere tells (--head SEQ:HASH)".into());
    }
    let early = arguments.head.iter().filter(|noted| noted.seq() < *first);
    for noted in early {
        said.push(format!(
            "line {} was noted, but lies before the first that is left",
            noted.seq()
        ));
    }
    if let Some((seq, hash)) = &summary.last {
        said.push(format!("ends with {seq}:{hash}"));
    }
    let lines = said.iter().map(|line| format!("{name}: {line}\n"));
    lines.collect()
}
