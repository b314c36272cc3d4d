//! Running other programs, and what it means when they fail.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It could not be tried: this is missing, and how to get it.
    Missing(String),
    /// It was tried and failed.
    Broken(String),
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) | Self::Broken(what) => f.write_str(what),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |it| root().join(it))
}

/// A folder for what a run writes, emptied.
pub(crate) fn scratch(name: &str) -> Result<PathBuf> {
    let folder = target().join("xtask").join(name);
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Where this clone's own Node is, if the system's was missing or too old.
pub(crate) fn own_node() -> PathBuf {
    root().join(".cache/tools/node")
}

/// The search path, of this and of what it runs.
fn search_path() -> Vec<PathBuf> {
    let own = own_node().join("node_modules/.bin");
    let inherited = env::var_os("PATH").unwrap_or_default();
    let own = own.join("node").is_file().then_some(own);
    own.into_iter()
        .chain(env::split_paths(&inherited))
        .collect()
}

/// A program to be run in the repository, without a terminal to ask on.
pub(crate) fn program(name: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    if let Ok(path) = env::join_paths(search_path()) {
        command.env("PATH", path);
    }
    command
}

/// The same, with what is in `folder` before all else on the search path.
pub(crate) fn program_beside(folder: &Path, name: &str) -> Command {
    let mut command = program(name);
    let path = std::iter::once(folder.to_owned()).chain(search_path());
    if let Ok(path) = env::join_paths(path) {
        command.env("PATH", path);
    }
    command
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs to the end, showing what it says.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Broken(format!("`{shown}` failed ({status})"))),
        Err(error) => Err(Failure::Missing(format!(
            "`{shown}` cannot be run: {error}"
        ))),
    }
}

/// Runs to the end and gives what it wrote to standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command
        .output()
        .map_err(|error| Failure::Missing(format!("`{shown}` cannot be run: {error}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::Broken(format!(
            "`{shown}` failed ({}): {}",
            output.status,
            said.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A program on the search path.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    search_path()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|it| it.is_file())
}

/// Program and arguments, shortened: arguments may hold tokens, so none that follows `--token` or is long is shown.
fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program());
    let mut words = vec![
        name.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
    ];
    words.extend(
        command
            .get_args()
            .map(|argument| argument.to_string_lossy().into_owned())
            .filter(|argument| argument.len() < 100)
            .take(5),
    );
    words.join(" ")
}
