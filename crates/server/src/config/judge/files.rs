//! `[admin]` and `[audit]`: files that must be ours alone.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use super::{
    super::{
        certificate::is_shared,
        path::{FilePath, Folder},
    },
    Judge,
};

pub(super) fn admin(judge: &mut Judge<'_>) {
    let Some(admin) = &judge.file.admin else {
        return;
    };
    if !admin.listen.ip().is_loopback() {
        judge.refuse(
            "admin.listen",
            "admin.listen is not a loopback address",
            "Write 127.0.0.1:9090, and reach it through a tunnel.",
        );
    }
    let remedy = "Run: (umask 077; openssl rand -hex 32 > admin.token)";
    if is_a_secret(&admin.token_file, judge.trial.folder) {
        judge.refuse(
            "admin.token_file",
            "admin.token_file looks like the token itself: it is the name of a file that holds it",
            "Write the token into a file of mode 0600, and its name here. What stood here may have been seen: make a new one.",
        );
        return;
    }
    let Some(path) = judge.find("admin.token_file", &admin.token_file) else {
        return;
    };
    if is_shared(&path) {
        judge.refuse(
            "admin.token_file",
            format!(
                "the admin token in {} can be read or written by others",
                path.display()
            ),
            format!("Make a new one, which they have not read. {remedy}"),
        );
    }
    if let Err(error) = crate::admin::Token::read(&path) {
        let message = format!(
            "the admin token in {} is of no use: {error}",
            path.display()
        );
        judge.refuse("admin.token_file", message, remedy);
    }
}

/// Whether a secret was put where the name of its file belongs: long, random, and like no file's name. It is never shown.
fn is_a_secret(file: &FilePath, folder: &Folder) -> bool {
    let FilePath::Path(path) = file else {
        return false;
    };
    let text = path.to_string_lossy();
    text.len() >= 32
        && !text.contains('.')
        && !text.starts_with('/')
        && !folder.own.join(path).exists()
        && text.bytes().any(|byte| byte.is_ascii_digit())
}

pub(super) fn audit(judge: &mut Judge<'_>) {
    let file = judge.file;
    if let FilePath::Credential(_) = &file.audit.file {
        judge.refuse(
            "audit.file",
            "the audit log is written, and a credential can only be read",
            "Name a file in a folder that the server's user can write: [audit] file = \"...\".",
        );
        return;
    }
    let Some(path) = judge.find("audit.file", &file.audit.file) else {
        return;
    };
    let remedy =
        "Name a file in a folder that the server's user can write: [audit] file = \"...\".";
    if let Err(error) = appendable(&path) {
        let message = format!(
            "the audit log {} cannot be written: {error}",
            path.display()
        );
        judge.refuse("audit.file", message, remedy);
        return;
    }
    if fs::metadata(&path).is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0) {
        judge.refuse(
            "audit.file",
            format!("the audit log {} can be written by others", path.display()),
            "Run `chmod 600` on it, and `wardwire audit verify`.",
        );
    }
}

/// Whether a log can be appended to, or made. It is neither made nor touched here: it may be a running server's.
fn appendable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(_) => Err(io::Error::other("it is not a file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
            let probe = folder
                .unwrap_or(Path::new("."))
                .join(format!(".wardwire-probe-{}", std::process::id()));
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&probe)?;
            fs::remove_file(probe)
        }
        Err(error) => Err(error),
    }
}
