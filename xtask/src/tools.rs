//! What tests need beside Rust: Python environments and cargo's tools in `.cache/tools`, the rest from the system.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    assets, autobahn,
    shell::{Failure, Result, cargo, find, output, own_node, program, root, run},
};

/// The oldest Node whose `fetch`, `node --test` and WebSocket clients the tests use.
const NODE: u32 = 20;
/// The one that is installed where the system's is older.
const OWN_NODE: u32 = 22;
/// What the client is tested on: the oldest Node that it is for, which has no `WebSocket`, and the first that has.
const CLIENT_NODES: [u32; 2] = [20, 22];

/// Installs everything that `test` needs.
pub(crate) fn everything() -> Result<()> {
    assets::packages()?;
    nextest()?;
    python("clients")?;
    python("tls")?;
    browser()?;
    firefox()?;
    client_nodes()?;
    runtimes()?;
    balancers()?;
    authority()?;
    system("testssl", &["testssl.sh"])?;
    autobahn::wstest()?;
    Ok(())
}

/// Where tools of this clone are kept.
pub(crate) fn folder() -> PathBuf {
    root().join(".cache/tools")
}

/// Node and npm. Where Node is too old, as Debian's may be, npm fetches one for this clone alone.
pub(crate) fn node() -> Result<()> {
    system("node", &["nodejs", "npm"])?;
    system("npm", &["npm"])?;
    if node_version()? >= NODE {
        return Ok(());
    }
    install_node(OWN_NODE, &own_node())?;
    match node_version()? {
        new if new >= NODE => Ok(()),
        old => Err(Failure::Missing(format!(
            "Node {NODE} or newer is needed; this is Node {old}. Install a newer one and try again."
        ))),
    }
}

/// A Node of this clone's own.
fn install_node(version: u32, folder: &Path) -> Result<()> {
    eprintln!("Installing Node {version} for this clone ...");
    install(folder, &[&format!("node@{version}")])
}

/// Packages of npm, into `folder`.
fn install(folder: &Path, packages: &[&str]) -> Result<()> {
    let mut npm = program("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
        "--prefix",
    ]);
    run(npm.arg(folder).args(packages))
}

/// Deno and Bun, each with the variable that names it to the tests.
pub(crate) fn runtimes() -> Result<[(&'static str, PathBuf); 2]> {
    node()?;
    let own = folder().join("runtimes");
    let bin = own.join("node_modules/.bin");
    let programs = [("DENO", bin.join("deno")), ("BUN", bin.join("bun"))];
    if !programs.iter().all(|(_, program)| program.is_file()) {
        eprintln!("Installing Deno and Bun for this clone ...");
        install(&own, &["deno@2", "bun@1"])?;
    }
    Ok(programs)
}

/// Each Node that the client is tested on, with the folder that it is in: the one at hand, if it is one of them, and
/// others of this clone's own.
pub(crate) fn client_nodes() -> Result<Vec<(u32, PathBuf)>> {
    node()?;
    let at_hand = node_version()?;
    let programs = |version| {
        if version == at_hand {
            let found = find("node").and_then(|it| it.parent().map(Path::to_owned));
            return found.ok_or_else(|| Failure::Missing("there is no node".into()));
        }
        let own = folder().join(format!("node-{version}"));
        let bin = own.join("node_modules/.bin");
        if !bin.join("node").is_file() {
            install_node(version, &own)?;
        }
        Ok(bin)
    };
    let versions = CLIENT_NODES.into_iter();
    versions
        .map(|version| Ok((version, programs(version)?)))
        .collect()
}

fn node_version() -> Result<u32> {
    let said = output(program("node").arg("--version"))?;
    let major = said.trim_start_matches('v').split('.').next();
    major
        .and_then(|it| it.parse().ok())
        .ok_or_else(|| Failure::Broken(format!("`node --version` says {said:?}")))
}

/// cargo-nextest. Optimising it would take longer than it runs.
pub(crate) fn nextest() -> Result<PathBuf> {
    installed("cargo-nextest")
}

/// cargo-fuzz, and the compiler that its sanitizers need.
pub(crate) fn cargo_fuzz() -> Result<PathBuf> {
    let nightly = program("cargo").args(["+nightly", "--version"]).output();
    if !nightly.is_ok_and(|it| it.status.success()) {
        let profile = ["toolchain", "install", "nightly", "--profile", "minimal"];
        run(program("rustup").args(profile))?;
    }
    installed("cargo-fuzz")
}

/// A tool of cargo's, from the search path or else built into `.cache/tools`.
pub(crate) fn installed(name: &str) -> Result<PathBuf> {
    let ours = folder().join("cargo");
    let built = ours.join("bin").join(name);
    if built.is_file() {
        return Ok(built);
    }
    if let Some(installed) = find(name) {
        return Ok(installed);
    }
    eprintln!("Installing {name} ... (a few minutes, once)");
    run(cargo()
        .args(["install", "--quiet", "--locked", "--debug", name, "--root"])
        .arg(&ours))?;
    Ok(built)
}

/// Chromium, and what makes it trust a certificate authority.
pub(crate) fn browser() -> Result<()> {
    if env::var_os("CHROMIUM").is_none() {
        system("chromium", &["chromium", "fonts-dejavu-core"])?;
    }
    system("certutil", &["libnss3-tools"])
}

/// Firefox, which Debian has with long-term support, and what makes it trust a certificate authority.
pub(crate) fn firefox() -> Result<()> {
    if env::var_os("FIREFOX").is_none() {
        system("firefox-esr", &["firefox-esr"])?;
    }
    system("certutil", &["libnss3-tools"])
}

/// HAProxy, and nginx with its part for TCP, which Debian has in a package of its own.
pub(crate) fn balancers() -> Result<()> {
    system("haproxy", &["haproxy"])?;
    system("nginx", &["nginx-light", "libnginx-mod-stream"])?;
    if Path::new(NGINX_STREAM).exists() {
        return Ok(());
    }
    let missing = |why| Failure::Missing(format!("nginx has no {NGINX_STREAM}. {why}"));
    apt(&["libnginx-mod-stream"]).map_err(missing)
}

/// Let's Encrypt's authority for tests.
pub(crate) fn authority() -> Result<()> {
    system("pebble", &["pebble"])
}

/// nghttp2's load generator.
pub(crate) fn h2load() -> Result<()> {
    system("h2load", &["nghttp2-client"])
}

/// Where nginx has its part for TCP.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// The Python environment of `tests/NAME/requirements.txt`.
pub(crate) fn python(name: &str) -> Result<PathBuf> {
    let wanted = root().join("tests").join(name).join("requirements.txt");
    environment_of(name, &wanted)
}

/// The Python environment `name`, with what the file `wanted` lists.
pub(crate) fn environment_of(name: &str, wanted: &Path) -> Result<PathBuf> {
    environment(&folder().join("python").join(name), wanted, |folder| {
        system("python3", &["python3", "python3-venv"])?;
        let make = || {
            output(
                program("python3")
                    .args(["-m", "venv", "--clear"])
                    .arg(folder),
            )
        };
        if make().is_err() {
            // Debian keeps half of venv in a package of its own.
            apt(&["python3-venv"])?;
            make()?;
        }
        Ok(())
    })
}

/// A Python environment in `folder` that holds what the file `wanted` lists; made anew when the list changed.
pub(crate) fn environment(
    folder: &Path,
    wanted: &Path,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let list = fs::read(wanted)?;
    let stamp = folder.join("installed.txt");
    if fs::read(&stamp).is_ok_and(|it| it == list) {
        return Ok(folder.to_owned());
    }
    eprintln!(
        "Installing {} ...",
        wanted.strip_prefix(root()).unwrap_or(wanted).display()
    );
    make(folder)?;
    let mut pip = program(folder.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
    ]);
    output(pip.arg(wanted).env("PYTHONWARNINGS", "ignore"))?;
    fs::write(&stamp, &list)?;
    Ok(folder.to_owned())
}

/// A program of the system, installed from `packages` if it is not there.
pub(crate) fn system(name: &str, packages: &[&str]) -> Result<()> {
    if find(name).is_some() {
        return Ok(());
    }
    apt(packages).map_err(|failure| Failure::Missing(format!("{name} is not installed. {failure}")))
}

/// Installs Debian packages when run as root, and else says what to do.
fn apt(packages: &[&str]) -> Result<()> {
    static UPDATED: OnceLock<bool> = OnceLock::new();
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        return Err(Failure::Missing(format!(
            "Install it by your system's package manager (on Debian: {by_hand})."
        )));
    }
    if !is_root() {
        return Err(Failure::Missing(format!("Run: sudo {by_hand}")));
    }
    eprintln!("{by_hand} ...");
    UPDATED.get_or_init(|| output(apt_get().arg("update")).is_ok());
    let mut install = apt_get();
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages);
    output(&mut install)
        .map(|_| ())
        .map_err(|failure| Failure::Missing(format!("`{by_hand}` failed: {failure}")))
}

/// `apt-get` that asks nothing.
pub(crate) fn apt_get() -> Command {
    let mut command = program("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
    command
}

pub(crate) fn is_root() -> bool {
    output(program("id").arg("-u")).is_ok_and(|id| id == "0")
}
