//! `cargo xtask assets`: the web pages and the client that the server embeds.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    shell::{Result, program, root, run},
    tools,
};

/// Installs the packages when their lock file changed, and builds all workspaces when anything in them did. What has not
/// changed is left alone, so that cargo does not embed it once more.
pub(crate) fn build() -> Result<()> {
    packages()?;
    let made = root().join("packages/demos/dist");
    let stamp = root().join(".cache/assets.txt");
    if made.join("index.html").is_file() && is(&stamp, state(&made)?.as_bytes()) {
        return Ok(());
    }
    run(program("npm").args(["run", "--silent", "build"]))?;
    fs::create_dir_all(root().join(".cache"))?;
    fs::write(&stamp, state(&made)?)?;
    Ok(())
}

/// Size and time of every source, and of what was made of them.
fn state(made: &Path) -> Result<String> {
    let mut files = Vec::new();
    collect(&root().join("packages"), &mut files)?;
    collect(made, &mut files)?;
    files.push(root().join("package-lock.json"));
    files.sort();
    let mut state = String::new();
    for file in files {
        let metadata = fs::metadata(&file)?;
        let changed = metadata.modified()?;
        let _ = writeln!(state, "{} {} {changed:?}", file.display(), metadata.len());
    }
    Ok(state)
}

/// Every file below, but nothing that was installed or made.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let made = ["node_modules", "dist", ".build"];
        if path.is_file() {
            files.push(path);
        } else if !path
            .file_name()
            .is_some_and(|name| made.iter().any(|it| name == *it))
        {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// `npm ci`, once for each state of the lock file.
pub(crate) fn packages() -> Result<()> {
    tools::node()?;
    let stamp = root().join("node_modules/.wardwire-lock");
    let lock = fs::read(root().join("package-lock.json"))?;
    if is(&stamp, &lock) {
        return Ok(());
    }
    run(program("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    fs::write(&stamp, &lock)?;
    Ok(())
}

fn is(file: &Path, content: &[u8]) -> bool {
    fs::read(file).is_ok_and(|it| it == content)
}
