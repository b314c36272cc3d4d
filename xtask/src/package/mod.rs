//! `cargo xtask package`: what is released, and whether it holds.
//!
//! One static program for Linux on x86-64, an archive around it, and an image of nothing but it. Each is tried as it is
//! handed out: other people's clients enter through the program from the archive, and through the image in a container.
//! What could not be tried is said at the end, and is a failure with `CI=true`.

mod contents;
mod image;
mod lint;
mod program;
mod sandbox;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::{
    blackbox,
    fixture::Fixture,
    shell::{Failure, Result, output, program as command_of, root, scratch, target},
};

const USAGE: &str = "usage: cargo xtask package [--check | --twice]";

/// Builds and tries what is released; with `--check`, only judges what is written for it, in seconds; with `--twice`,
/// also builds once more elsewhere and compares.
pub(crate) fn command(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => release(false),
        [only] if only == "--check" => lint::all(lint::Figures::Compared),
        [only] if only == "--twice" => release(true),
        _ => Err(Failure::Broken(USAGE.into())),
    }
}

fn release(twice: bool) -> Result<()> {
    lint::all(lint::Figures::Written)?;
    let epoch = epoch()?;
    say("the program");
    let binary = program::build(&program::folder(), &epoch)?;
    program::inspect(&binary)?;
    if twice {
        again(&binary, &epoch)?;
    }
    say("the archive");
    let archive = archive(&binary, &epoch)?;
    let unpacked = unpack(&archive)?;
    try_program(&unpacked)?;
    say("the image");
    let of_image = image::make(&unpacked, &version()?, &epoch).and_then(|image| image.try_it());
    say("made");
    println!("{}", archive.display());
    match of_image {
        Err(Failure::Missing(why)) if !is_continuous() => {
            println!("\nThe image was NOT TRIED: {why}");
            Ok(())
        }
        other => other,
    }
}

fn say(what: &str) {
    println!("\n== {what} ==");
}

fn is_continuous() -> bool {
    env::var("CI").is_ok_and(|it| it == "true")
}

/// Where it all goes.
fn folder() -> PathBuf {
    target().join("package")
}

fn version() -> Result<String> {
    let text = fs::read_to_string(root().join("Cargo.toml"))?;
    let broken = |why: String| Failure::Broken(format!("Cargo.toml: {why}"));
    let manifest: toml::Table = toml::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let package = manifest.get("workspace").and_then(|it| it.get("package"));
    let version = package.and_then(|it| it.get("version")?.as_str());
    version
        .map(str::to_owned)
        .ok_or_else(|| broken("no workspace.package.version".into()))
}

/// The time that everything is dated by, in seconds since 1970: that of the last commit, so that two builds of it agree
/// (`SOURCE_DATE_EPOCH`, <https://reproducible-builds.org/specs/source-date-epoch/>).
fn epoch() -> Result<String> {
    match env::var("SOURCE_DATE_EPOCH") {
        Ok(given) => Ok(given),
        Err(_) => output(command_of("git").args(["log", "-1", "--format=%ct"])),
    }
}

/// `wardwire-VERSION-TRIPLE.tar.gz`, whose bytes depend on nothing but its content.
fn archive(binary: &Path, epoch: &str) -> Result<PathBuf> {
    let name = format!("wardwire-{}-{}", version()?, program::TRIPLE);
    let folder = folder();
    if folder.is_dir() {
        fs::remove_dir_all(&folder)?;
    }
    contents::gather(&folder.join(&name), binary, epoch)?;
    let (tar, archive) = (format!("{name}.tar"), format!("{name}.tar.gz"));
    output(
        command_of("tar")
            .current_dir(&folder)
            .args(["--create", "--format=gnu", "--sort=name"])
            .args(["--owner=0", "--group=0", "--numeric-owner"])
            .arg("--mode=u=rwX,go=rX")
            .arg(format!("--mtime=@{epoch}"))
            .args(["--file", &tar, &name]),
    )?;
    let mut gzip = command_of("gzip");
    output(gzip.current_dir(&folder).args(["-9", "--no-name", &tar]))?;
    // Beside the archive too, for those who only want to know what is in it.
    let bill = folder.join(&name).join(contents::SBOM);
    fs::rename(bill, folder.join(format!("{name}.cdx.json")))?;
    fs::remove_dir_all(folder.join(&name))?;
    contents::sums(&folder)?;
    Ok(folder.join(archive))
}

/// The archive as someone gets it who has checked the sums.
fn unpack(archive: &Path) -> Result<PathBuf> {
    let into = scratch("package")?;
    let verify = |folder: &Path| {
        let mut sum = command_of("sha256sum");
        output(
            sum.current_dir(folder)
                .args(["--check", "--strict", "SHA256SUMS"]),
        )
    };
    verify(&folder())?;
    output(
        command_of("tar")
            .arg("-xzf")
            .arg(archive)
            .arg("-C")
            .arg(&into),
    )?;
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let unpacked = into.join(name.trim_end_matches(".tar.gz"));
    verify(&unpacked)?;
    Ok(unpacked)
}

/// It says who it is, takes a configuration, and other people's clients are admitted by it and refused without proof.
fn try_program(unpacked: &Path) -> Result<()> {
    let binary = unpacked.join("wardwire");
    let said = output(command_of(&binary).arg("--version"))?;
    if said != format!("wardwire {}", version()?) {
        return Err(Failure::Broken(format!("`--version` says {said:?}")));
    }
    let server = Fixture::of(&binary, "package-program", "tests/clients/server.toml")?;
    let config = server.folder.join("server.toml");
    output(command_of(&binary).args(["check", "--config"]).arg(config))?;
    blackbox::enter(&server)
}

/// Builds in another folder, and with other paths to everything of this one.
fn again(first: &Path, epoch: &str) -> Result<()> {
    let into = scratch("package-again")?;
    let second = program::build(&into, epoch)?;
    if fs::read(first)? == fs::read(&second)? {
        println!("two builds are the same to the byte");
        return fs::remove_dir_all(into).map_err(Into::into);
    }
    Err(Failure::Broken(format!(
        "{} and {} differ",
        first.display(),
        second.display()
    )))
}
