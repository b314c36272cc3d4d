//! Autobahn|Testsuite, the foreign judge of RFC 6455. It runs on CPython 2.7 only.

pub(crate) mod client;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    fixture::Fixture,
    shell::{Failure, Result, find, output, program, root},
    tools,
};

/// What the testsuite is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// 1.* to 10.*, and of compression 12.1.* and 13.1.*: minutes, so every run has them.
    Fast,
    /// All cases. Compression in all its sizes and parameters takes nearly all of the time.
    All,
}

impl Extent {
    /// INVARIANT: sections 12 and 13 have five and seven groups of 18.
    const fn count(self) -> usize {
        match self {
            Self::Fast => 301 + 2 * 18,
            Self::All => 301 + 12 * 18,
        }
    }

    fn cases(self) -> Vec<String> {
        let plain = (1..=10).map(|section| format!("{section}.*"));
        let deflated: &[&str] = match self {
            Self::Fast => &["12.1.*", "13.1.*"],
            Self::All => &["12.*", "13.*"],
        };
        plain
            .chain(deflated.iter().map(|it| (*it).to_owned()))
            .collect()
    }
}

/// Debian's last release with a Python 2.7.
const OLD_RELEASE: &str = "bullseye";
/// The last virtualenv that makes an environment for Python 2.7.
const VIRTUALENV: &str = "virtualenv==20.21.1";

/// The testsuite's program, installed if need be.
pub(crate) fn wstest() -> Result<PathBuf> {
    let wanted = root().join("tests/conformance/requirements.txt");
    let folder = tools::folder().join("python/conformance");
    let folder = tools::environment(&folder, &wanted, |folder| {
        let python = interpreter()?;
        let maker = tools::folder().join("python/virtualenv");
        tools::system("python3", &["python3", "python3-venv"])?;
        output(
            program("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&maker),
        )?;
        let mut pip = program(maker.join("bin/python"));
        output(pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            VIRTUALENV,
        ]))?;
        let mut make = program(maker.join("bin/virtualenv"));
        output(
            make.args(["--quiet", "--clear", "-p"])
                .arg(python)
                .arg(folder),
        )
        .map(|_| ())
    })?;
    Ok(folder.join("bin/wstest"))
}

/// A Python 2.7: of the search path, of pyenv, or of Debian's old release.
fn interpreter() -> Result<PathBuf> {
    let pyenv = env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".pyenv")));
    let versions = pyenv.and_then(|it| fs::read_dir(it.join("versions")).ok());
    let of_pyenv = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter(|it| it.file_name().to_string_lossy().starts_with("2.7"))
        .map(|it| it.path().join("bin/python2.7"));
    // pyenv's shims are on the search path whether they work or not, so each candidate is asked.
    if let Some(works) = of_pyenv
        .chain(find("python2.7"))
        .find(|it| is_python_2_7(it))
    {
        return Ok(works);
    }
    from_old_release()?;
    find("python2.7")
        .filter(|it| is_python_2_7(it))
        .ok_or_else(|| Failure::Missing("Python 2.7 was installed and does not run.".into()))
}

fn is_python_2_7(python: &Path) -> bool {
    let mut command = program(python);
    command.args([
        "-c",
        "import sys, zlib, ssl; print(sys.version_info[:2] == (2, 7))",
    ]);
    output(&mut command).is_ok_and(|said| said == "True")
}

/// Installs `python2.7` from Debian's old release. The source is the machine's own with the release exchanged; it and
/// the lists fetched from it live in a folder of ours, so that nothing else is ever installed or upgraded from it.
fn from_old_release() -> Result<()> {
    let missing = |why: &str| {
        Failure::Missing(format!(
            "There is no Python 2.7, which Autobahn|Testsuite needs: {why} Install one by pyenv, or put it on the PATH as python2.7."
        ))
    };
    if !tools::is_root() {
        return Err(missing("only root can install Debian's."));
    }
    let source =
        machine_source().ok_or_else(|| missing("this machine has no Debian package source."))?;
    let folder = tools::folder().join("apt");
    for part in ["sources", "preferences", "lists/partial"] {
        fs::create_dir_all(folder.join(part))?;
    }
    for file in package_sources() {
        if let Some(name) = file.file_name() {
            fs::copy(&file, folder.join("sources").join(name))?;
        }
    }
    fs::write(folder.join("sources/old-release.sources"), source)?;
    fs::write(
        folder.join("preferences/old-release"),
        format!("Package: *\nPin: release n={OLD_RELEASE}\nPin-Priority: 50\n"),
    )?;
    let apt = |arguments: &[&str]| {
        let mut command: Command = tools::apt_get();
        for (option, part) in [
            ("Dir::Etc::sourceparts", "sources"),
            ("Dir::Etc::preferencesparts", "preferences"),
            ("Dir::State::lists", "lists"),
        ] {
            command
                .arg("-o")
                .arg(format!("{option}={}", folder.join(part).display()));
        }
        command.args([
            "-o",
            "Dir::Etc::sourcelist=/dev/null",
            "-o",
            "APT::Sandbox::User=root",
        ]);
        output(command.args(arguments)).map_err(|failure| missing(&failure.to_string()))
    };
    eprintln!("Installing python2.7 from Debian {OLD_RELEASE} ...");
    apt(&["update"])?;
    apt(&["install", "-y", "--no-install-recommends", "python2.7"])?;
    Ok(())
}

/// Every file that names package sources.
fn package_sources() -> Vec<PathBuf> {
    let parts = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    let mut files: Vec<PathBuf> = parts.map(|it| it.path()).collect();
    files.push("/etc/apt/sources.list".into());
    files.retain(|it| it.is_file());
    files
}

/// The machine's main Debian source, for the old release.
fn machine_source() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?
        .trim_matches('"')
        .to_owned();
    package_sources().iter().find_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        if file.extension().is_some_and(|it| it == "sources") {
            text.split("\n\n")
                .find_map(|stanza| of_stanza(stanza, &codename))
        } else {
            text.lines().find_map(|line| of_line(line, &codename))
        }
    })
}

/// From the format of `*.sources`.
fn of_stanza(stanza: &str, codename: &str) -> Option<String> {
    let mut fields: Vec<String> = Vec::new();
    let mut ours = false;
    for line in stanza.lines().filter(|line| !line.starts_with('#')) {
        if let Some(suites) = line.strip_prefix("Suites:") {
            ours = suites.split_whitespace().any(|it| it == codename);
            fields.push(format!("Suites: {OLD_RELEASE}"));
        } else {
            fields.push(line.to_owned());
        }
    }
    ours.then(|| fields.join("\n") + "\n")
}

/// From a line of `sources.list`: `deb [options] address suite components`.
fn of_line(line: &str, codename: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    let rest = rest
        .strip_prefix('[')
        .and_then(|it| it.split_once(']'))
        .map_or(rest, |it| it.1);
    let mut words = rest.split_whitespace();
    let (address, suite) = (words.next()?, words.next()?);
    (suite == codename)
        .then(|| format!("Types: deb\nURIs: {address}\nSuites: {OLD_RELEASE}\nComponents: main\n"))
}

/// Has the testsuite judge a server. What it came to, as a table.
pub(crate) fn judge(wstest: &Path, server: &Fixture, extent: Extent) -> Result<String> {
    let reports = server.folder.join("reports");
    let specification = json!({
        "outdir": reports,
        "servers": [{ "agent": "wardwire", "url": format!("wss://127.0.0.1:{}/echo", server.port) }],
        "cases": extent.cases(),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    });
    let file = server.folder.join("autobahn.json");
    fs::write(&file, specification.to_string())?;
    output(
        program(wstest)
            .args(["-m", "fuzzingclient", "-s"])
            .arg(&file),
    )?;
    // Its exit code says nothing about the cases.
    let index = read_json(&reports.join("index.json"))?;
    read_verdicts(&index, &reports, extent)
}

fn read_json(file: &Path) -> Result<Value> {
    serde_json::from_slice(&fs::read(file)?)
        .map_err(|error| Failure::Broken(format!("{}: {error}", file.display())))
}

/// What the testsuite says of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    behavior: String,
    close: String,
}

impl Verdict {
    /// Whether all of it is OK, or nothing that the RFC has an answer to.
    fn is_good(&self) -> bool {
        [&self.behavior, &self.close]
            .into_iter()
            .all(|it| it == "OK" || it == "INFORMATIONAL")
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, closing {}", self.behavior, self.close)
    }
}

/// The verdicts of a report's `index.json` on one agent, by case.
fn verdicts(index: &Value, agent: &str) -> BTreeMap<String, Verdict> {
    let cases = index.get(agent).and_then(Value::as_object);
    let word = |case: &Value, key: &str| case[key].as_str().unwrap_or("?").to_owned();
    let verdict = |case| Verdict {
        behavior: word(case, "behavior"),
        close: word(case, "behaviorClose"),
    };
    let cases = cases.into_iter().flatten();
    cases
        .map(|(id, case)| (id.clone(), verdict(case)))
        .collect()
}

/// How many there are of each.
fn counts(verdicts: &BTreeMap<String, Verdict>) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for verdict in verdicts.values() {
        *counts.entry(&verdict.behavior).or_default() += 1;
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    format!("{} cases: {}", verdicts.len(), words.join(", "))
}

fn read_verdicts(index: &Value, reports: &Path, extent: Extent) -> Result<String> {
    let cases = verdicts(index, "wardwire");
    let mut sections = BTreeMap::<u8, [usize; 2]>::new();
    let mut bad = Vec::new();
    for (id, verdict) in &cases {
        let section = id.split('.').next().and_then(|it| it.parse().ok());
        let [ok, informational] = sections.entry(section.unwrap_or(0)).or_default();
        match verdict.behavior.as_str() {
            "OK" => *ok += 1,
            _ => *informational += 1,
        }
        if !verdict.is_good() {
            bad.push(format!("{id}: {verdict}"));
        }
    }
    println!("Autobahn|Testsuite over wss: {}", counts(&cases));
    println!("Reports: {}", reports.display());
    let wanted = extent.count();
    if cases.len() != wanted {
        bad.push(format!("{} cases were judged, not {wanted}", cases.len()));
    }
    if bad.is_empty() {
        Ok(table(&sections))
    } else {
        Err(Failure::Broken(bad.join("\n")))
    }
}

/// How many cases of each section were OK, and how many have no right answer.
fn table(sections: &BTreeMap<u8, [usize; 2]>) -> String {
    let mut table = String::from("| section | OK | informational |\n| --- | --- | --- |\n");
    for (section, [ok, informational]) in sections {
        table.push_str(&format!("| {section}.* | {ok} | {informational} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(cases: usize, last: Value) -> Value {
        let mut all = serde_json::Map::new();
        for case in 1..cases {
            let good = json!({ "behavior": "OK", "behaviorClose": "OK" });
            all.insert(format!("1.{case}"), good);
        }
        all.insert("last".into(), last);
        json!({ "wardwire": all })
    }

    #[test]
    fn every_case_has_to_be_judged_well() {
        let passes = |cases, behavior: &str, close: &str| {
            let last = json!({ "behavior": behavior, "behaviorClose": close });
            let index = index(cases, last);
            read_verdicts(&index, Path::new("reports"), Extent::All).is_ok()
        };
        let all = Extent::All.count();
        assert_eq!((all, Extent::Fast.count()), (517, 337));
        assert!(passes(all, "INFORMATIONAL", "OK"));
        assert!(!passes(all, "NON-STRICT", "OK"));
        assert!(!passes(all, "FAILED", "OK"));
        assert!(!passes(all, "OK", "FAILED BY CLIENT"));
        assert!(!passes(all - 1, "OK", "OK"));
        assert!(read_verdicts(&json!({}), Path::new("reports"), Extent::All).is_err());
    }

    #[test]
    fn the_old_release_comes_from_where_the_machine_gets_its_own() {
        let stanza = "Types: deb\n# a comment\nURIs: http://mirror.test/debian\nSuites: bookworm bookworm-updates\n\
                      Components: main\nSigned-By: /a/key.gpg";
        let expected = "Types: deb\nURIs: http://mirror.test/debian\nSuites: bullseye\nComponents: main\nSigned-By: /a/key.gpg\n";
        assert_eq!(of_stanza(stanza, "bookworm").as_deref(), Some(expected));
        assert_eq!(of_stanza(stanza, "trixie"), None);
        let line = "deb [signed-by=/a/key.gpg] http://mirror.test/debian bookworm main";
        let expected =
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: bullseye\nComponents: main\n";
        assert_eq!(of_line(line, "bookworm").as_deref(), Some(expected));
        assert_eq!(
            of_line(
                "deb http://mirror.test/security bookworm-security main",
                "bookworm"
            ),
            None
        );
    }
}
