//! Embeds the demo's pages, if they have been built: `packages/demos/dist` becomes a list of names and bytes.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let demos = here.join("../../packages/demos");
    let pages = demos.join("dist");
    // Cargo looks into a folder for changes; one that is not there would make every build start over.
    for watched in [&pages, &demos] {
        if watched.is_dir() {
            println!("cargo::rerun-if-changed={}", watched.display());
            break;
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    if pages.is_dir() {
        collect(&pages, &mut files)?;
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&pages).unwrap_or(&file);
        let name = name.display().to_string().replace('\\', "/");
        let path = file.canonicalize()?;
        let _ = writeln!(list, "    ({name:?}, include_bytes!({path:?})),");
    }
    list.push_str("]\n");
    let made = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("pages.rs");
    fs::write(made, list)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|it| it != "map" && it != "tsbuildinfo")
        {
            files.push(path);
        }
    }
    Ok(())
}
