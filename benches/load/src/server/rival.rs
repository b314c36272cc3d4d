//! Other servers, started as `benches/rivals/rivals.toml` says.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde::Deserialize;

use super::{Certificate, Running, on_its_core};
use crate::{Failure, dialect::Dialect, works::Work};

/// One server to compare with. It listens on a free port of 127.0.0.1, TLS only, and prints `listening PORT`.
#[derive(Clone, Deserialize)]
pub(crate) struct Rival {
    pub(crate) name: String,
    /// `crate`, `npm` or `product`.
    pub(crate) kind: String,
    pub(crate) version: String,
    /// Program and arguments; the program is relative to the list's folder.
    pub(crate) command: Vec<String>,
    /// `echo`, `fan-out`, `fan-out-guarded` (the same beside Wardwire's guarded one), `handshake`, and `handshake-mlkem` if its TLS library has X25519MLKEM768.
    pub(crate) does: Vec<String>,
    #[serde(default)]
    pub(crate) dialect: Dialect,
    #[serde(skip)]
    pub(crate) folder: PathBuf,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    rival: Vec<Rival>,
}

impl Rival {
    /// Those of a list, or only those of them whose names, between commas, are in `only`.
    pub(crate) fn list(file: &Path, only: Option<&str>) -> Result<Vec<Self>, Failure> {
        let text = std::fs::read_to_string(file)?;
        let list: List =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let folder = file.parent().unwrap_or(file).canonicalize()?;
        let mut rivals = list.rival;
        if let Some(only) = only {
            for name in only.split(',').filter(|name| *name != "none") {
                if !rivals.iter().any(|rival| rival.name == name) {
                    return Err(format!("There is no rival {name} in {}", file.display()).into());
                }
            }
            rivals.retain(|rival| only.split(',').any(|name| name == rival.name));
        }
        for rival in &mut rivals {
            rival.folder.clone_from(&folder);
        }
        Ok(rivals)
    }

    /// Whether it can do this.
    pub(crate) fn takes(&self, work: &dyn Work) -> bool {
        let kind = work.takes();
        kind.is_some_and(|kind| self.does.iter().any(|does| does == kind))
    }

    /// Whether it was prepared: every part of its command that is a file's path is there.
    pub(crate) fn is_there(&self) -> bool {
        let mut paths = self.command.iter().filter(|word| word.contains('/'));
        paths.all(|path| self.folder.join(path).exists())
    }

    pub(super) fn start(
        &self,
        folder: PathBuf,
        certificate: &Certificate,
    ) -> Result<Running, Failure> {
        let (program, arguments) = self.command.split_first().ok_or("an empty command")?;
        let mut child = on_its_core(Path::new(program))?
            .args(arguments)
            .arg("--cert")
            .arg(folder.join("cert.pem"))
            .arg("--key")
            .arg(folder.join("key.pem"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut running = Running {
            child,
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            dialect: self.dialect.clone(),
            tokens: None,
            admin: None,
            certificate: certificate.leaf.clone(),
        };
        let mut lines = BufReader::new(stdout).lines();
        for line in lines.by_ref() {
            let line = line?;
            if let Some(port) = line.strip_prefix("listening ") {
                running.address.set_port(port.trim().parse()?);
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(running);
            }
        }
        Err(format!("{} did not start", self.name).into())
    }
}
