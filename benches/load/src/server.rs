//! The server under load: started with a certificate, a key and a configuration of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;

use crate::Failure;

/// A running server. Dropping it ends the process.
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    binary: PathBuf,
    /// Where it listens.
    pub(crate) address: String,
}

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
origins = ["https://localhost"]
tls = { cert = "cert.pem", key = "key.pem" }

[limits]
connections_per_ip = 100000
connections_per_subject = 100000
ping = "1h"

[[issuer]]
issuer = "https://load.test"
audience = "wardwire"
jwks_file = "issuer.pem.jwks.json"

[[route]]
path = "/live"
native_clients = true

[[channel]]
name = "load/{any}"
subscribe = "authenticated"
publish = "authenticated"
"#;

impl Server {
    /// Starts `binary` in a folder of its own.
    pub(crate) fn start(binary: &Path) -> Result<Self, Failure> {
        let binary = binary.canonicalize()?;
        let folder = std::env::temp_dir().join(format!("wardwire-load-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        certificates(&folder)?;
        fs::write(folder.join("wardwire.toml"), CONFIG)?;
        let made = Command::new(&binary)
            .args(["token", "--new-key", "--key", "issuer.pem"])
            .current_dir(&folder)
            .output()?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into());
        }
        let mut child = Command::new(&binary)
            .args(["serve", "--config", "wardwire.toml"])
            .current_dir(&folder)
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let mut lines = BufReader::new(stderr).lines();
        for line in lines.by_ref() {
            let line: Value = serde_json::from_str(&line?).unwrap_or_default();
            if let Some(address) = line.pointer("/fields/address").and_then(Value::as_str) {
                let address = address.to_owned();
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self {
                    child,
                    folder,
                    binary,
                    address,
                });
            }
        }
        Err("the server did not start".into())
    }

    /// A token for `subject`.
    pub(crate) fn token(&self, subject: &str) -> Result<String, Failure> {
        let arguments = [
            "token",
            "--key",
            "issuer.pem",
            "--issuer",
            "https://load.test",
            "--audience",
            "wardwire",
        ];
        let minted = Command::new(&self.binary)
            .args(arguments)
            .args(["--subject", subject])
            .current_dir(&self.folder)
            .output()?;
        Ok(String::from_utf8(minted.stdout)?.trim().to_owned())
    }

    /// The authority that its certificate hangs on, PEM.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Its user-space memory, in bytes: what is its own and not shared with a file.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let line = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Anonymous:"));
        let kib: u64 = line
            .ok_or("no Anonymous line")?
            .trim()
            .trim_end_matches(" kB")
            .parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn certificates(folder: &Path) -> Result<(), Failure> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let leaf = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &ca)?;
    fs::write(folder.join("ca.pem"), ca.pem())?;
    fs::write(folder.join("cert.pem"), leaf.pem())?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(folder.join("key.pem"))?;
    Ok(file.write_all(key.serialize_pem().as_bytes())?)
}
