//! What is in the archive beside the program: how to run it, what it was made of, and under which licences.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::program::{TRIPLE, ingredients};
use crate::{
    shell::{Failure, Result, cargo, output, program, root},
    tools,
};

pub(super) const SBOM: &str = "wardwire.cdx.json";
pub(super) const LICENCES: &str = "THIRD-PARTY.txt";

/// Fills `folder` with everything that is released of `binary`.
pub(super) fn gather(folder: &Path, binary: &Path, epoch: &str) -> Result<()> {
    fs::create_dir_all(folder.join("completions"))?;
    fs::create_dir_all(folder.join("systemd"))?;
    fs::create_dir_all(folder.join("spec"))?;
    let program = folder.join("wardwire");
    fs::copy(binary, &program)?;
    for name in [
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "wardwire.example.toml",
    ] {
        fs::copy(root().join(name), folder.join(name))?;
    }
    fs::copy(
        root().join("docs/operations/install.md"),
        folder.join("INSTALL.md"),
    )?;
    for entry in fs::read_dir(root().join("packaging/systemd"))? {
        let unit = entry?.path();
        let name = unit.file_name().unwrap_or_default();
        fs::copy(&unit, folder.join("systemd").join(name))?;
    }
    of_the_program(folder, &program)?;
    let bill = bill(epoch)?;
    agree(&bill, &program)?;
    fs::write(folder.join(SBOM), bill)?;
    fs::write(folder.join(LICENCES), licences()?)?;
    sums(folder)
}

/// What the program says of itself.
fn of_the_program(folder: &Path, binary: &Path) -> Result<()> {
    output(
        program(binary)
            .args(["man", "--into"])
            .arg(folder.join("man")),
    )?;
    for (shell, name) in [
        ("bash", "wardwire.bash"),
        ("zsh", "_wardwire"),
        ("fish", "wardwire.fish"),
    ] {
        let script = output(program(binary).args(["completions", shell]))?;
        fs::write(folder.join("completions").join(name), script + "\n")?;
    }
    let schema = output(program(binary).arg("schema"))?;
    // Where the example says that it is.
    fs::write(folder.join("spec/wardwire.schema.json"), schema + "\n")?;
    Ok(())
}

/// The CycloneDX bill of materials. The tool writes one beside each crate's manifest; only the server's is wanted.
fn bill(epoch: &str) -> Result<String> {
    let tool = tools::installed("cargo-cyclonedx")?;
    let name = "wardwire-released";
    let made = output(
        program(tool)
            .args(["cyclonedx", "--format", "json", "--spec-version", "1.5"])
            .args(["--target", TRIPLE, "--no-build-deps", "--quiet"])
            .args(["--override-filename", name])
            .arg("--manifest-path")
            .arg(root().join("crates/server/Cargo.toml"))
            .env("SOURCE_DATE_EPOCH", epoch),
    );
    let file = format!("{name}.json");
    let bill = fs::read_to_string(root().join("crates/server").join(&file));
    for manifest in members()? {
        let _ = fs::remove_file(manifest.with_file_name(&file));
    }
    made?;
    Ok(bill?)
}

/// The manifests of the workspace.
fn members() -> Result<Vec<PathBuf>> {
    let known = metadata(&["--no-deps"])?;
    let packages = known.pointer("/packages").and_then(Value::as_array);
    let manifests = packages.into_iter().flatten();
    Ok(manifests
        .filter_map(|it| it.pointer("/manifest_path")?.as_str().map(PathBuf::from))
        .collect())
}

fn metadata(more: &[&str]) -> Result<Value> {
    let mut metadata = cargo();
    metadata.args(["metadata", "--locked", "--format-version", "1"]);
    let text = output(metadata.args(["--filter-platform", TRIPLE]).args(more))?;
    serde_json::from_str(&text).map_err(|error| Failure::Broken(format!("cargo metadata: {error}")))
}

/// Three say what is in the program: the bill, the list inside the program, and cargo. None may know of less than cargo.
fn agree(bill: &str, binary: &Path) -> Result<()> {
    let bill: Value =
        serde_json::from_str(bill).map_err(|error| Failure::Broken(format!("{SBOM}: {error}")))?;
    let inside = inside(binary)?;
    let listed = named(bill.pointer("/components"));
    let embedded = named(inside.pointer("/packages"));
    for (name, version) in ingredients()? {
        let it = (name, version);
        let (name, version) = &it;
        if name != "wardwire" && !listed.contains(&it) {
            return Err(Failure::Broken(format!("{SBOM} lacks {name} {version}")));
        }
        if !embedded.contains(&it) {
            let what = format!("the program's own list lacks {name} {version}");
            return Err(Failure::Broken(what));
        }
    }
    println!(
        "{} components in {SBOM}, {} in the program",
        listed.len(),
        embedded.len()
    );
    Ok(())
}

fn named(list: Option<&Value>) -> BTreeSet<(String, String)> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    let text = |it: &Value, key: &str| it.get(key).and_then(Value::as_str).map(str::to_owned);
    list.filter_map(|it| Some((text(it, "name")?, text(it, "version")?)))
        .collect()
}

/// The list that `cargo auditable` put into the program: JSON, deflated, in a section of its own.
fn inside(binary: &Path) -> Result<Value> {
    tools::system("objcopy", &["binutils"])?;
    tools::system("python3", &["python3"])?;
    let section = binary.with_extension("dep-v0");
    let mut objcopy = program("objcopy");
    objcopy.arg(format!("--dump-section=.dep-v0={}", section.display()));
    output(objcopy.arg(binary).arg("/dev/null"))?;
    let inflate =
        "import sys, zlib; print(zlib.decompress(open(sys.argv[1], 'rb').read()).decode())";
    let text = output(program("python3").args(["-c", inflate]).arg(&section));
    fs::remove_file(&section)?;
    serde_json::from_str(&text?)
        .map_err(|error| Failure::Broken(format!("the list in the program: {error}")))
}

/// The licence texts of everything that is linked in: each text once, with the names of those that are under it.
fn licences() -> Result<String> {
    let linked: BTreeSet<_> = ingredients()?.into_iter().collect();
    let known = metadata(&[])?;
    let packages = known.pointer("/packages").and_then(Value::as_array);
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut without = Vec::new();
    for package in packages.into_iter().flatten() {
        let text = |key: &str| package.get(key).and_then(Value::as_str).unwrap_or_default();
        let it = (text("name").to_owned(), text("version").to_owned());
        // What has no source is ours.
        if !linked.contains(&it) || package.get("source").is_none_or(Value::is_null) {
            continue;
        }
        let label = format!("{} {} ({})", it.0, it.1, text("license"));
        let found = of_crate(Path::new(text("manifest_path")))?;
        if found.is_empty() {
            without.push(label.clone());
        }
        for text in found {
            texts.entry(text).or_default().push(label.clone());
        }
    }
    for (label, text) in of_the_platform()? {
        texts.entry(text).or_default().push(label);
    }
    let mut out = String::from(
        "wardwire is linked with what is named here, each under the terms that follow its name.\n",
    );
    for (text, labels) in texts {
        let _ = write!(
            out,
            "\n{}\n{}\n\n{}\n",
            "=".repeat(80),
            labels.join("\n"),
            text.trim()
        );
    }
    if !without.is_empty() {
        let _ = write!(
            out,
            "\n{}\nThese carry no text of their own, only the name of a licence that stands above:\n{}\n",
            "=".repeat(80),
            without.join("\n")
        );
        println!("without a licence text: {}", without.join(", "));
    }
    Ok(out)
}

fn of_crate(manifest: &Path) -> Result<Vec<String>> {
    let folder = manifest.parent().unwrap_or(manifest);
    let mut files: Vec<_> = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.to_ascii_uppercase();
            let begins = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];
            path.is_file() && begins.iter().any(|it| name.starts_with(it))
        })
        .collect();
    files.sort();
    let texts = files.iter().map(fs::read);
    let texts = texts.map(|bytes| Ok(String::from_utf8_lossy(&bytes?).replace("\r\n", "\n")));
    texts.collect()
}

/// Of Rust's standard library and of musl, as they are installed.
fn of_the_platform() -> Result<Vec<(String, String)>> {
    let sysroot = PathBuf::from(output(program("rustc").args(["--print", "sysroot"]))?);
    let rustc = output(program("rustc").arg("--version"))?;
    let mut found = Vec::new();
    for name in ["MIT.txt", "Apache-2.0.txt"] {
        let file = sysroot.join("share/doc/rust/licenses").join(name);
        let explain = |error| Failure::Missing(format!("{}: {error}", file.display()));
        let text = fs::read_to_string(&file).map_err(explain)?;
        found.push((format!("Rust's standard library, {rustc}"), text));
    }
    let file = Path::new("/usr/share/doc/musl/copyright");
    let explain = |error| Failure::Missing(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(explain)?;
    found.push(("musl libc (MIT)".into(), text));
    Ok(found)
}

/// `SHA256SUMS` of all that lies in `folder`.
pub(super) fn sums(folder: &Path) -> Result<()> {
    let files = files(folder)?;
    let mut sum = program("sha256sum");
    sum.current_dir(folder).args(&files);
    let text = output(&mut sum)?;
    fs::write(folder.join("SHA256SUMS"), text + "\n")?;
    Ok(())
}

/// Every file below `folder` by its relative path, in order; but for what the image is laid out in.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at)? {
            let path = entry?.path();
            if path.ends_with("image") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if let Ok(relative) = path.strip_prefix(folder) {
                found.push(relative.to_owned());
            }
        }
    }
    found.retain(|it| !it.ends_with("SHA256SUMS"));
    found.sort();
    Ok(found)
}
