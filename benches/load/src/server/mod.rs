//! The servers under load: started on a core of their own, and what they use.

mod certificate;
mod pinned;
mod rival;
mod tokens;
mod usage;
mod wardwire;

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command},
};

use rustls::pki_types::CertificateDer;

use crate::{Failure, dialect::Dialect};

pub(crate) use certificate::Certificate;
pub(crate) use pinned::{become_pinned, pin};
pub(crate) use rival::Rival;
pub(crate) use tokens::{ISSUER, Tokens};
pub(crate) use usage::Usage;

/// The core of the server, and that of the load.
pub(crate) const SERVER_CORE: usize = 0;
pub(crate) const LOAD_CORE: usize = 1;

/// Something that can be measured.
#[derive(Clone)]
pub(crate) enum Program {
    /// A build of Wardwire.
    Wardwire(PathBuf),
    Rival(Box<Rival>),
}

/// A program that runs until this is dropped.
pub(crate) struct Running {
    child: Child,
    folder: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) dialect: Dialect,
    /// For a server that asks for proof.
    pub(crate) tokens: Option<std::sync::Arc<Tokens>>,
    /// Where operators speak to it, if they can.
    pub(crate) admin: Option<(SocketAddr, String)>,
    pub(crate) certificate: CertificateDer<'static>,
}

impl Program {
    /// Starts it in a folder of its own below `scratch`.
    pub(crate) fn start(
        &self,
        scratch: &std::path::Path,
        certificate: &Certificate,
    ) -> Result<Running, Failure> {
        let folder = scratch.join("server");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => std::fs::create_dir_all(&folder)?,
        }
        certificate.write(&folder)?;
        match self {
            Self::Wardwire(binary) => wardwire::start(binary, folder, certificate),
            Self::Rival(rival) => rival.start(folder, certificate),
        }
    }
}

impl Running {
    /// What it has used until now, with all processes that it started.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        Usage::of(self.child.id())
    }

    /// The program that it runs.
    pub(crate) fn binary(&self) -> Result<PathBuf, Failure> {
        Ok(std::fs::read_link(format!(
            "/proc/{}/exe",
            self.child.id()
        ))?)
    }

    /// Renames a file into its place, which only its owner may read.
    pub(crate) fn replace(&self, name: &str, content: &str) -> Result<(), Failure> {
        let partial = self.folder.join(format!("{name}.partial"));
        certificate::private(&partial, content)?;
        Ok(std::fs::rename(partial, self.folder.join(name))?)
    }

    /// What is in its configuration file.
    pub(crate) fn configuration(&self) -> Result<String, Failure> {
        Ok(std::fs::read_to_string(self.folder.join("wardwire.toml"))?)
    }

    /// The certificate that it shows, in PEM.
    pub(crate) fn certificate_file(&self) -> PathBuf {
        self.folder.join("cert.pem")
    }

    /// Its user-space memory in bytes: what is its own and not shared with a file.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        usage::memory(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The processes below it, for a wrapper that would leave them behind.
        for process in usage::tree(self.child.id()).into_iter().rev() {
            let process = i32::try_from(process).ok();
            if let Some(process) = process.and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
            }
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A command that runs on the server's core from its first instruction on.
fn on_its_core(program: &std::path::Path) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args(["pinned", &SERVER_CORE.to_string()])
        .arg(program);
    Ok(command)
}
