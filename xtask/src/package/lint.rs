//! What is written for packaging, judged without building anything: the Dockerfile by hadolint, the units by systemd.

use std::{fs, path::PathBuf};

use crate::{
    marks,
    shell::{Failure, Result, output, program, root, run, scratch},
    tools,
};

const UNITS: &str = "packaging/systemd";
const UNIT: &str = "packaging/systemd/wardwire.service";
const DOCS: &str = "docs/operations/systemd.md";
/// Tenths of systemd's points for the sandbox, of which 100 is no sandbox. One point more and CI fails.
const MOST: u32 = 11;

/// What becomes of the figures in the documentation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Figures {
    Written,
    Compared,
}

pub(super) fn all(figures: Figures) -> Result<()> {
    dockerfile()?;
    units()?;
    exposure(figures)
}

/// hadolint, with every label that the OCI image specification names for who published it demanded.
fn dockerfile() -> Result<()> {
    let python = tools::environment_of("packaging", &root().join("packaging/requirements.txt"))?;
    let mut hadolint = program(python.join("bin/hadolint"));
    hadolint.args([
        "--no-color",
        "--failure-threshold",
        "style",
        "--strict-labels",
    ]);
    for (label, kind) in [
        ("title", "text"),
        ("description", "text"),
        ("source", "url"),
        ("documentation", "url"),
        ("licenses", "text"),
        ("version", "text"),
        ("revision", "text"),
        ("created", "text"),
    ] {
        hadolint.arg(format!(
            "--require-label=org.opencontainers.image.{label}:{kind}"
        ));
    }
    let file = root().join("packaging/Dockerfile");
    run(hadolint.arg(&file))?;
    by_nobody(&fs::read_to_string(file)?).map_err(Failure::Broken)?;
    println!("packaging/Dockerfile: hadolint has nothing to say, and it runs as nobody");
    Ok(())
}

/// What hadolint does not ask: the last `USER` is a number that is not root's, and no stage comes by a tag, which moves.
fn by_nobody(dockerfile: &str) -> std::result::Result<(), String> {
    let words = |key: &'static str| {
        let lines = dockerfile.lines();
        lines.filter_map(move |line| line.strip_prefix(key)?.split_whitespace().next())
    };
    let user = words("USER ").next_back().unwrap_or("root");
    let numbers: Vec<_> = user.split(':').map(str::parse::<u32>).collect();
    if !matches!(&*numbers, [Ok(user), Ok(group)] if *user > 0 && *group > 0) {
        return Err(format!(
            "packaging/Dockerfile: it runs as {user}, not as UID:GID"
        ));
    }
    match words("FROM ").find(|image| *image != "scratch" && !image.contains("@sha256:")) {
        Some(image) => Err(format!(
            "packaging/Dockerfile: {image} is not named by its digest"
        )),
        None => Ok(()),
    }
}

/// `systemd-analyze verify`, on copies whose program is one that this machine has.
fn units() -> Result<()> {
    tools::system("systemd-analyze", &["systemd"])?;
    let folder = scratch("packaging-units")?;
    let mut copies = Vec::new();
    for entry in fs::read_dir(root().join(UNITS))? {
        let path = entry?.path();
        let is_unit = path.extension().is_some_and(|it| it != "sysusers");
        if is_unit {
            let copy = folder.join(path.file_name().unwrap_or_default());
            let text = fs::read_to_string(&path)?;
            fs::write(&copy, text.replace("/usr/local/bin/wardwire", "/bin/true"))?;
            copies.push(copy);
        }
    }
    let mut verify = program("systemd-analyze");
    verify.args(["verify", "--man=no", "--recursive-errors=one"]);
    let told = verify.args(&copies).output()?;
    let said = String::from_utf8_lossy(&told.stderr);
    // Units of the machine's own that are looked at on the way are not ours to judge.
    let ours: Vec<_> = said.lines().filter(|it| it.contains("wardwire")).collect();
    if !ours.is_empty() {
        return Err(Failure::Broken(format!("{UNITS}:\n{}", ours.join("\n"))));
    }
    println!(
        "{UNITS}: systemd has nothing to say about {} units",
        copies.len()
    );
    Ok(())
}

/// How much of the machine the service could reach. The documentation gives the figure of the version that it names.
fn exposure(figures: Figures) -> Result<()> {
    let version = output(program("systemd-analyze").arg("--version"))?;
    let version = version
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let mut security = program("systemd-analyze");
    security.args(["--no-pager", "security", "--offline=true"]);
    security
        .arg(format!("--threshold={MOST}"))
        .arg(root().join(UNIT));
    let said = security.output()?;
    let text = String::from_utf8_lossy(&said.stdout);
    let overall = text
        .lines()
        .find_map(|it| it.split_once("service: ")?.1.split(' ').next());
    let overall = overall.ok_or_else(|| {
        let why = String::from_utf8_lossy(&said.stderr);
        Failure::Broken(format!("systemd-analyze security: {}", why.trim()))
    })?;
    if !said.status.success() {
        let open: Vec<_> = text.lines().filter(|it| it.contains('✗')).collect();
        return Err(Failure::Broken(format!(
            "{UNIT}: exposure {overall}, and at most {}.{} is wanted:\n{}",
            MOST / 10,
            MOST % 10,
            open.join("\n")
        )));
    }
    println!("{UNIT}: exposure {overall} by systemd {version}");
    let made = format!("\n    exposure {overall} of 10, by systemd {version}\n\n");
    let docs: PathBuf = root().join(DOCS);
    let known = marks::between(&fs::read_to_string(&docs)?, "exposure").map(str::to_owned);
    let same_version = known
        .as_ref()
        .is_some_and(|it| it.contains(&format!("systemd {version}\n")));
    match figures {
        Figures::Written => marks::write(&docs, "exposure", &made),
        Figures::Compared if same_version && known.as_deref() != Some(&made) => Err(
            Failure::Broken(format!("{DOCS} is stale: run `cargo xtask package`")),
        ),
        Figures::Compared => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::by_nobody;

    #[test]
    fn an_image_runs_as_a_number_that_is_not_root() {
        assert!(by_nobody("FROM scratch\nUSER 65532:65532\n").is_ok());
        for user in [
            "",
            "USER wardwire\n",
            "USER 0:0\n",
            "USER 65532\n",
            "USER 65532:65532\nUSER 0:65532\n",
        ] {
            assert!(
                by_nobody(&format!("FROM scratch\n{user}")).is_err(),
                "{user}"
            );
        }
    }

    #[test]
    fn a_stage_is_named_by_its_digest() {
        let user = "USER 65532:65532\n";
        assert!(by_nobody(&format!("FROM debian:bookworm\n{user}")).is_err());
        assert!(by_nobody(&format!("FROM debian@sha256:00ff AS build\n{user}")).is_ok());
    }
}
