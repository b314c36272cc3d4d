//! The image: built by buildah, which needs no daemon, and run by crun as an operator is told to run it, read-only and
//! without any right; and under what `wardwire.service` forbids, so that both sandboxes are tried at once.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use super::{contents, sandbox};
use crate::{
    blackbox,
    fixture::Fixture,
    shell::{Failure, Result, output, program, root, scratch, target},
    tools,
};

const DOCKERFILE: &str = "packaging/Dockerfile";
/// Whom the image runs as. Nobody on the host has this number.
const USER: u32 = 65532;
const CONTAINER: &str = "wardwire-packaged";
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(super) struct Image {
    /// Its files, as a folder.
    files: PathBuf,
    /// What it says about running it (OCI image-spec, `config`).
    config: Value,
    binary: PathBuf,
}

/// Builds the image of what was unpacked, writes it as an OCI archive, and looks into it.
pub(super) fn make(unpacked: &Path, version: &str, epoch: &str) -> Result<Image> {
    tools::system("buildah", &["buildah"])?;
    if !tools::is_root() {
        return Err(Failure::Missing("buildah and crun are run as root".into()));
    }
    tools::system("update-ca-certificates", &["ca-certificates"])?;
    stage(unpacked)?;
    if store().is_dir() {
        fs::remove_dir_all(store())?;
    }
    let revision = output(program("git").args(["rev-parse", "HEAD"]))?;
    let created = format!("@{epoch}");
    let created = output(program("date").args(["-u", "-d", &created, "+%FT%TZ"]))?;
    let mut build = buildah();
    build.args([
        "build",
        "--isolation",
        "chroot",
        "--quiet",
        "--timestamp",
        epoch,
    ]);
    for (name, value) in [
        ("VERSION", version),
        ("REVISION", &revision),
        ("CREATED", &created),
    ] {
        build.arg("--build-arg").arg(format!("{name}={value}"));
    }
    build.arg("--file").arg(root().join(DOCKERFILE));
    let id = output(build.arg(root()))?;
    let name = format!("wardwire-{version}-image.tar");
    let archive = super::folder().join(name);
    let place = format!("oci-archive:{}:wardwire:{version}", archive.display());
    output(buildah().args(["push", "--quiet", &id, &place]))?;
    contents::sums(&super::folder())?;
    println!("{}", archive.display());
    let said = output(buildah().args(["inspect", "--type", "image", &id]))?;
    let said: Value = serde_json::from_str(&said)
        .map_err(|error| Failure::Broken(format!("buildah inspect: {error}")))?;
    let container = output(buildah().args(["from", &id]))?;
    let image = Image {
        files: output(buildah().args(["mount", &container]))?.into(),
        config: said.pointer("/OCIv1/config").cloned().unwrap_or_default(),
        binary: unpacked.join("wardwire"),
    };
    image.look_into()?;
    Ok(image)
}

/// Storage of this clone's own: no image of the machine's is seen or touched.
fn store() -> PathBuf {
    target().join("package-store")
}

fn buildah() -> Command {
    let store = store();
    let mut buildah = program("buildah");
    buildah.arg("--root").arg(store.join("images"));
    buildah.arg("--runroot").arg(store.join("run"));
    buildah.args(["--storage-driver", "vfs"]);
    buildah
}

/// Lays out what `packaging/Dockerfile` copies.
fn stage(unpacked: &Path) -> Result<()> {
    let folder = super::folder().join("image");
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    for name in ["empty", "licences"] {
        fs::create_dir_all(folder.join(name))?;
    }
    for (from, to) in [
        ("wardwire", "wardwire"),
        ("LICENSE-APACHE", "licences/LICENSE-APACHE"),
        ("LICENSE-MIT", "licences/LICENSE-MIT"),
        (contents::LICENCES, "licences/THIRD-PARTY.txt"),
    ] {
        fs::copy(unpacked.join(from), folder.join(to))?;
    }
    fs::copy(AUTHORITIES, folder.join("ca-certificates.crt"))?;
    Ok(())
}

impl Image {
    /// Nothing is in it that was not meant to be, and it runs as nobody.
    fn look_into(&self) -> Result<()> {
        let mut found = BTreeSet::new();
        walk(&self.files, &self.files, &mut found)?;
        let meant = [
            "etc/ssl/certs/ca-certificates.crt",
            "usr/bin/wardwire",
            "usr/share/doc/wardwire/LICENSE-APACHE",
            "usr/share/doc/wardwire/LICENSE-MIT",
            "usr/share/doc/wardwire/THIRD-PARTY.txt",
        ];
        let meant: BTreeSet<PathBuf> = meant.iter().map(PathBuf::from).collect();
        if found != meant {
            return Err(Failure::Broken(format!("the image holds {found:?}")));
        }
        let mut own = BTreeSet::new();
        owned(&self.files, &self.files, &mut own)?;
        if own != BTreeSet::from([PathBuf::from("var/lib/wardwire")]) {
            return Err(Failure::Broken(format!("its user owns {own:?}")));
        }
        let text = |key: &str| self.config.get(key).and_then(Value::as_str);
        let user = format!("{USER}:{USER}");
        if text("User") != Some(&user) || text("StopSignal") != Some("SIGTERM") {
            return Err(Failure::Broken(format!("the image says {}", self.config)));
        }
        println!("it holds {} files, and runs as {user}", found.len());
        Ok(())
    }

    /// Starts it, has other people's clients enter, looks at what the kernel says of the process, and stops it in order.
    pub(super) fn try_it(&self) -> Result<()> {
        tools::system("crun", &["crun"])?;
        let volume = scratch("package-volume")?;
        chown(&volume, Some(USER), Some(USER))?;
        let template = "tests/clients/server.toml";
        let launch = |folder: &Path| self.launch(folder, &volume);
        let server = Fixture::launched(&self.binary, "package-image", template, launch)?;
        let running = Running;
        blackbox::enter(&server)?;
        let process = running.process()?;
        confined(&process)?;
        let stop = ["kill", CONTAINER, "TERM"];
        output(crun().args(stop))?;
        let status = server.ended()?;
        if !status.success() {
            return Err(Failure::Broken(format!(
                "at SIGTERM it ended with {status}"
            )));
        }
        let log = fs::read_to_string(volume.join("audit.jsonl"))?;
        if !log.lines().any(|line| line.contains(r#""event":"stop""#)) {
            let why = "its audit log does not say that it stopped";
            return Err(Failure::Broken(why.into()));
        }
        println!("it stopped in order, with its audit log on the volume");
        Ok(())
    }

    /// A bundle of the image, and what runs it.
    fn launch(&self, folder: &Path, volume: &Path) -> Result<Command> {
        let bundle = scratch("package-bundle")?;
        let spec = self.runtime(folder, volume)?;
        fs::write(bundle.join("config.json"), spec.to_string())?;
        // The folder is the operator's, and has been given to the image's user.
        for entry in fs::read_dir(folder)? {
            chown(entry?.path(), Some(USER), Some(USER))?;
        }
        // crun does not start where both kinds of control groups are mounted, so it is shown one.
        let mut command = program("unshare");
        command.args(["--mount", "--", "sh", "-c"]);
        command.arg("umount --lazy /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"");
        command.args(["sh", "crun", "--root"]).arg(state());
        command.args(["--cgroup-manager=disabled", "run", "--bundle"]);
        command.arg(bundle).arg(CONTAINER);
        Ok(command)
    }

    /// OCI runtime-spec, `config.json`: read-only, no capability, no new privileges; the host's network, on loopback.
    fn runtime(&self, folder: &Path, volume: &Path) -> Result<Value> {
        let list = |key: &str| {
            let list = self.config.get(key).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let mut arguments = list("Entrypoint");
        arguments.extend(["serve", "--config", "/etc/wardwire/server.toml"].map(Value::from));
        let mut environment = list("Env");
        environment.push("WARDWIRE_AUDIT__FILE=/var/lib/wardwire/audit.jsonl".into());
        let mount = |kind: &str, source: &str, to: &str, options: &[&str]| json!({ "type": kind, "source": source, "destination": to, "options": options });
        let (folder, volume) = (folder.to_string_lossy(), volume.to_string_lossy());
        let hardened = ["bind", "ro", "nosuid", "nodev", "noexec"];
        let written = ["bind", "rw", "nosuid", "nodev", "noexec"];
        let namespaces = ["pid", "mount", "ipc", "uts"].map(|it| json!({ "type": it }));
        Ok(json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": USER, "gid": USER },
                "args": arguments,
                "env": environment,
                "cwd": self.config.get("WorkingDir"),
                "capabilities": {},
                "noNewPrivileges": true,
            },
            "root": { "path": self.files, "readonly": true },
            "mounts": [
                mount("proc", "proc", "/proc", &["nosuid", "nodev", "noexec"]),
                mount("tmpfs", "tmpfs", "/dev", &["nosuid", "noexec", "mode=755", "size=64k"]),
                mount("bind", &folder, "/etc/wardwire", &hardened),
                mount("bind", &volume, "/var/lib/wardwire", &written),
            ],
            "linux": {
                "namespaces": namespaces,
                "seccomp": sandbox::seccomp()?,
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list"],
                "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"],
            },
        }))
    }
}

/// The container, which is gone when this is.
struct Running;

impl Running {
    /// The folder of its process in `/proc`.
    fn process(&self) -> Result<PathBuf> {
        let said = output(crun().args(["state", CONTAINER]))?;
        let state: Value = serde_json::from_str(&said)
            .map_err(|error| Failure::Broken(format!("crun state: {error}")))?;
        let id = state.get("pid").and_then(Value::as_u64);
        let id = id.ok_or_else(|| Failure::Broken(format!("crun says {said}")))?;
        Ok(Path::new("/proc").join(id.to_string()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = output(crun().args(["delete", "--force", CONTAINER]));
    }
}

fn state() -> PathBuf {
    store().join("crun")
}

fn crun() -> Command {
    let mut crun = program("crun");
    crun.arg("--root").arg(state());
    crun.arg("--cgroup-manager=disabled");
    crun
}

/// By the kernel's word: another user, no capability, none to be had, a filter, and nothing to write but the volume.
fn confined(process: &Path) -> Result<()> {
    let status = fs::read_to_string(process.join("status"))?;
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|it| it.split_whitespace().next())
            .unwrap_or("")
    };
    let user = USER.to_string();
    let none = "0000000000000000";
    for (key, wanted) in [
        ("Uid:", user.as_str()),
        ("Gid:", &user),
        ("CapEff:", none),
        ("CapPrm:", none),
        ("CapBnd:", none),
        ("NoNewPrivs:", "1"),
        ("Seccomp:", "2"),
    ] {
        if value(key) != wanted {
            return Err(Failure::Broken(format!(
                "{key} {}, not {wanted}",
                value(key)
            )));
        }
    }
    let mounts = fs::read_to_string(process.join("mountinfo"))?;
    let written: Vec<_> = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(4);
            let (place, options) = (words.next()?, words.next()?);
            options.split(',').any(|it| it == "rw").then_some(place)
        })
        .filter(|place| !["/dev", "/proc"].contains(place))
        .filter(|place| !place.starts_with("/proc/") && !place.starts_with("/dev/"))
        .collect();
    if written != ["/var/lib/wardwire"] {
        return Err(Failure::Broken(format!("it may write to {written:?}")));
    }
    println!("it has no right, and writes nowhere but to its volume");
    Ok(())
}

/// Everything below `at` that is not root's.
fn owned(top: &Path, at: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.uid() != 0
            && let Ok(relative) = path.strip_prefix(top)
        {
            found.insert(relative.to_owned());
        }
        if metadata.is_dir() {
            owned(top, &path, found)?;
        }
    }
    Ok(())
}

/// Every file below `at`, by its path in the image.
fn walk(top: &Path, at: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(at)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(top, &path, found)?;
        } else if let Ok(relative) = path.strip_prefix(top) {
            found.insert(relative.to_owned());
        }
    }
    Ok(())
}
