//! A release server under test: its own folder, certificate authority and free port.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    shell::{Failure, Result, cargo, output, program, root, run, scratch, target},
    tools,
};

/// How long a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "wardwire-test";

/// Builds `wardwire` as it is released, and says where it is.
pub(crate) fn build_server() -> Result<PathBuf> {
    run(cargo().args(["build", "--release", "--package", "wardwire"]))?;
    Ok(target().join("release/wardwire"))
}

/// A server that runs until this is dropped.
pub(crate) struct Fixture {
    /// Holds everything of this server; kept for who wants to look after a failure.
    pub(crate) folder: PathBuf,
    /// The port it listens on.
    pub(crate) port: u16,
    binary: PathBuf,
    server: Child,
}

impl Fixture {
    /// Starts the release server by the configuration `template`, in a scratch folder `name`.
    pub(crate) fn start(name: &str, template: &str) -> Result<Self> {
        Self::of(&target().join("release/wardwire"), name, template)
    }

    /// Starts another build of the server.
    pub(crate) fn of(binary: &Path, name: &str, template: &str) -> Result<Self> {
        Self::launched(binary, name, template, |folder| {
            let mut command = Command::new(binary);
            command.args(["serve", "--config"]);
            command.arg(folder.join("server.toml"));
            Ok(command)
        })
    }

    /// Starts a server by what `launch` makes of its folder, which holds `server.toml`, made of `template`, and what that
    /// names: `cert.pem` and `key.pem` for localhost, wardwire.test and 127.0.0.1, and the issuer's `issuer.pem.jwks.json`.
    pub(crate) fn launched(
        binary: &Path,
        name: &str,
        template: &str,
        launch: impl FnOnce(&Path) -> Result<Command>,
    ) -> Result<Self> {
        let folder = scratch(name)?;
        make_certificate(&folder)?;
        output(
            program(binary)
                .args(["token", "--new-key", "--key"])
                .arg(folder.join("issuer.pem")),
        )?;
        fs::copy(root().join(template), folder.join("server.toml"))?;
        let log = folder.join("server.log");
        let mut server = launch(&folder)?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()?;
        match wait_for_port(&mut server, &log) {
            Ok(port) => Ok(Self {
                folder,
                port,
                binary: binary.to_owned(),
                server,
            }),
            Err(failure) => {
                let _ = server.kill();
                let _ = server.wait();
                Err(failure)
            }
        }
    }

    /// Waits for the end of a server that was told to stop.
    pub(crate) fn ended(mut self) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait()? {
                return Ok(status);
            }
            if started.elapsed() > PATIENCE {
                return Err(Failure::Broken("the server did not stop".into()));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The certificate authority that clients trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// An access token for `subject`, good for an hour.
    pub(crate) fn token(&self, subject: &str) -> Result<String> {
        let mut command = program(&self.binary);
        command.args(["token", "--issuer", ISSUER, "--audience", AUDIENCE]);
        command.args(["--subject", subject, "--key"]);
        output(command.arg(self.folder.join("issuer.pem")))
    }

    /// Tells a test where the server is, without a way in.
    pub(crate) fn tell_address(&self, command: &mut Command) {
        command
            .env("WARDWIRE_HOST", format!("localhost:{}", self.port))
            .env("WARDWIRE_CA", self.authority());
    }

    /// Tells a client's test where the server is and how to get in.
    pub(crate) fn tell(&self, command: &mut Command) -> Result<()> {
        self.tell_address(command);
        command.env("WARDWIRE_TOKEN", self.token("alice")?);
        command.env("WARDWIRE_OTHER_TOKEN", self.token("bob")?);
        Ok(())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The port, from the server's log line. It listens on port 0, so that runs beside each other never collide.
fn wait_for_port(server: &mut Child, log: &Path) -> Result<u16> {
    let started = Instant::now();
    loop {
        let said = fs::read_to_string(log).unwrap_or_default();
        if let Some(port) = said.lines().find_map(listening) {
            return Ok(port);
        }
        if server.try_wait()?.is_some() || started.elapsed() > PATIENCE {
            return Err(Failure::Broken(format!(
                "the server did not start. It said:\n{said}"
            )));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn listening(line: &str) -> Option<u16> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let address = line.pointer("/fields/address")?.as_str()?;
    address.rsplit_once(':')?.1.parse().ok()
}

/// An authority constrained to this machine, whose key is thrown away, and a certificate of it. As one of a public authority,
/// it lasts 90 days and names a list of revocations.
pub(crate) fn make_certificate(folder: &Path) -> Result<()> {
    tools::system("openssl", &["openssl"])?;
    let openssl = |arguments: &str| {
        let mut command = program("openssl");
        command.current_dir(folder).args(arguments.split(' '));
        output(&mut command).map(|_| ())
    };
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    fs::write(
        folder.join("leaf.ext"),
        "subjectAltName=DNS:localhost,DNS:wardwire.test,IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n\
         keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n\
         crlDistributionPoints=URI:http://wardwire.test/ca.crl\n",
    )?;
    openssl(&format!(
        "req -x509 {new_key} -keyout ca.key -out ca.pem -days 90 -subj /CN=wardwire-test-authority \
         -addext basicConstraints=critical,CA:TRUE,pathlen:0 -addext keyUsage=critical,keyCertSign \
         -addext nameConstraints=critical,permitted;DNS:localhost,permitted;DNS:wardwire.test,permitted;IP:127.0.0.1/255.255.255.255"
    ))?;
    openssl(&format!(
        "req -new {new_key} -keyout key.pem -out leaf.csr -subj /CN=localhost"
    ))?;
    openssl(
        "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile leaf.ext -out cert.pem",
    )?;
    for used in ["ca.key", "leaf.csr", "leaf.ext", "ca.srl"] {
        fs::remove_file(folder.join(used))?;
    }
    Ok(())
}
