//! `[audit]`: a log that must be ours alone, and a key that whoever has the log must not have.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    super::{certificate::is_shared, path::FilePath},
    Judge,
};
use crate::audit::{Ship, SigningKey};

pub(super) fn judge(judge: &mut Judge<'_>) {
    file(judge);
    rotation(judge);
    signing_key(judge);
    shipping(judge);
}

fn rotation(judge: &mut Judge<'_>) {
    let audit = &judge.file.audit;
    if audit.keep.is_some() && audit.rotate.size.is_none() && audit.rotate.age.is_none() {
        judge.refuse(
            "audit.keep",
            "audit.keep counts closed segments, but none is ever closed",
            "Add rotate = { size = \"100MiB\" }, or leave keep out.",
        );
    }
}

fn signing_key(judge: &mut Judge<'_>) {
    let Some(written) = &judge.file.audit.signing_key else {
        return;
    };
    let place = "audit.signing_key";
    let Some(path) = judge.find(place, written) else {
        return;
    };
    if let Err(error) = SigningKey::read(&path) {
        judge.refuse(
            place,
            format!("the audit log's key is of no use: {error}"),
            "Run: wardwire audit key --out /etc/wardwire/audit.key",
        );
        return;
    }
    if is_shared(&path) {
        let message = format!("{} can be read or written by others", path.display());
        judge.refuse(
            place,
            message,
            "Run `chmod 600` on it; if others could read it, make another.",
        );
    }
    let log = judge.trial.folder.find(&judge.file.audit.file);
    if log.is_ok_and(|log| is_within(&path, &log)) {
        let message = format!(
            "{} lies in the audit log's folder: who can rewrite the log could sign it anew",
            path.display()
        );
        judge.refuse(
            place,
            message,
            "Move the key, as to /etc/wardwire/audit.key, or the log to a folder of its own.",
        );
    }
}

/// Whether a file, or what its name leads to, lies in the folder of another or below.
fn is_within(path: &Path, log: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    let keys = [real(&folder(path)), real(path)];
    real(&folder(log)).is_some_and(|log| keys.iter().flatten().any(|key| key.starts_with(&log)))
}

fn shipping(judge: &mut Judge<'_>) {
    let audit = &judge.file.audit;
    match audit.ship.as_deref().map(str::parse::<Ship>) {
        Some(Err(why)) => judge.refuse(
            "audit.ship",
            format!("audit.ship leads nowhere: {why}"),
            "Name the system's log or a descriptor that the server is started with.",
        ),
        None if audit.ship_required => judge.refuse(
            "audit.ship_required",
            "audit.ship_required is set, but nothing is shipped",
            "Add ship = \"syslog:/dev/log\", or leave it out.",
        ),
        _ => {}
    }
}

fn file(judge: &mut Judge<'_>) {
    let written = &judge.file.audit.file;
    let remedy =
        "Name a file in a folder that the server's user can write: [audit] file = \"...\".";
    if let FilePath::Credential(_) = written {
        judge.refuse(
            "audit.file",
            "the audit log is written, and a credential can only be read",
            remedy,
        );
        return;
    }
    let Some(path) = judge.find("audit.file", written) else {
        return;
    };
    if path.is_symlink() {
        judge.refuse(
            "audit.file",
            format!("the audit log {} is a symbolic link", path.display()),
            "Name the file that it leads to: by two names, two servers could write it.",
        );
        return;
    }
    if let Err(error) = appendable(&path) {
        let message = format!(
            "the audit log {} cannot be written: {error}",
            path.display()
        );
        judge.refuse("audit.file", message, remedy);
        return;
    }
    if is_open_to_all(&folder(&path)) {
        judge.refuse(
            "audit.file",
            format!(
                "anybody can remove files beside the audit log {}",
                path.display()
            ),
            "Run `chmod o-w` on its folder, and `wardwire audit verify`.",
        );
    }
    if fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0) {
        judge.refuse(
            "audit.file",
            format!("the audit log {} can be written by others", path.display()),
            "Run `chmod 600` on it, and `wardwire audit verify`.",
        );
    }
}

fn folder(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// Whether whoever has an account can rename and remove what others have in a folder: not so with the sticky bit.
fn is_open_to_all(folder: &Path) -> bool {
    let mode = fs::metadata(folder).map_or(0, |meta| meta.permissions().mode());
    mode & 0o1002 == 0o002
}

/// Whether a log can be appended to, or made. It is neither made nor touched here: it may be a running server's.
fn appendable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(_) => Err(io::Error::other("it is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let probe = folder(path).join(format!(".wardwire-probe-{}", std::process::id()));
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&probe)?;
            fs::remove_file(probe)
        }
        Err(error) => Err(error),
    }
}
