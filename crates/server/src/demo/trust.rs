//! `--trust`: has this machine believe the demo's authority, after asking, and says how to take that back.

use std::{
    env, fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

/// Where Debian and its relatives look for authorities that an administrator adds.
const SYSTEM: &str = "/usr/local/share/ca-certificates";
const SYSTEM_FILE: &str = "wardwire-demo.crt";
/// The authority's name in browsers' databases.
const NICKNAME: &str = "Wardwire demo";

/// Installs the authority wherever this machine keeps them.
///
/// # Errors
/// Nobody could be asked, the answer was no, or a tool failed.
pub(super) fn install(authority: &Path, yes: bool) -> io::Result<()> {
    println!(
        "This makes the programs of this machine believe {}.\n\
         It can vouch for localhost, 127.0.0.1 and ::1 only, and its key no longer exists.",
        authority.display()
    );
    if !yes && !agreed()? {
        return Err(io::Error::other("nothing was changed"));
    }
    system(authority)?;
    browsers(authority)
}

fn agreed() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(io::Error::other(
            "nobody is there to be asked: run it in a terminal, or add --yes",
        ));
    }
    print!("Go on? [y/N] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn system(authority: &Path) -> io::Result<()> {
    let target = Path::new(SYSTEM).join(SYSTEM_FILE);
    if !Path::new(SYSTEM).is_dir() {
        println!("System: not changed, there is no {SYSTEM} here.");
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        println!(
            "System: not changed, that takes an administrator:\n  \
             sudo cp {} {} && sudo update-ca-certificates",
            authority.display(),
            target.display()
        );
        return Ok(());
    }
    fs::copy(authority, &target)?;
    // The copy is for everybody to read; the original's folder is private.
    fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    run(&mut Command::new("update-ca-certificates"))?;
    println!(
        "System: installed. To undo: rm {} && update-ca-certificates --fresh",
        target.display()
    );
    Ok(())
}

/// Chromium and others keep their authorities in NSS databases.
fn browsers(authority: &Path) -> io::Result<()> {
    let Some(home) = env::var_os("HOME").map(PathBuf::from) else {
        println!("Browsers: not changed, there is no HOME.");
        return Ok(());
    };
    let folder = home.join(".pki/nssdb");
    let database = format!("sql:{}", folder.display());
    let certutil = |arguments: &[&str]| {
        let mut command = Command::new("certutil");
        command.args(["-d", &database]).args(arguments);
        command
    };
    if certutil(&["-L"]).output().is_err() {
        println!("Browsers: not changed, certutil is missing (Debian: libnss3-tools).");
        return Ok(());
    }
    if !folder.join("cert9.db").is_file() {
        fs::create_dir_all(&folder)?;
        run(&mut certutil(&["-N", "--empty-password"]))?;
    }
    // An authority of an earlier demo is replaced; that there is none is fine.
    let _ = certutil(&["-D", "-n", NICKNAME]).output();
    run(certutil(&["-A", "-t", "C,,", "-n", NICKNAME, "-i"]).arg(authority))?;
    println!("Browsers: installed. To undo: certutil -d {database} -D -n '{NICKNAME}'");
    Ok(())
}

fn run(command: &mut Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |why: String| io::Error::other(format!("{name} failed: {why}"));
    let output = command
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(said.trim().to_owned()))
}
