//! `[admin]` and `[backend]`: files that must be ours alone.

use super::{
    super::{
        certificate::is_shared,
        path::{FilePath, Folder},
    },
    Judge,
};

/// The most tokens of a backend.
const TOKENS: usize = 4;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let file = judge.file;
    if let Some(admin) = &file.admin {
        if !admin.listen.ip().is_loopback() {
            judge.refuse(
                "admin.listen",
                "admin.listen is not a loopback address",
                "Write 127.0.0.1:9090, and reach it through a tunnel.",
            );
        }
        token(judge, "admin.token_file", &admin.token_file, "admin");
    }
    if let Some(backend) = &file.backend {
        let count = backend.token_files.len();
        if !(1..=TOKENS).contains(&count) {
            judge.refuse(
                "backend.token_files",
                format!("backend.token_files names {count} files"),
                format!("Name 1 to {TOKENS}; without a backend, drop the table."),
            );
        }
        for (at, file) in backend.token_files.iter().enumerate() {
            token(judge, &format!("backend.token_files.{at}"), file, "backend");
        }
    }
}

/// Judges the file of a bearer token.
fn token(judge: &mut Judge<'_>, key: &str, file: &FilePath, whose: &str) {
    let remedy = format!("Run: (umask 077; openssl rand -hex 32 > {whose}.token)");
    if is_a_secret(file, judge.trial.folder) {
        judge.refuse(
            key,
            format!("{key} looks like the token itself: it is the name of a file that holds it"),
            "Write the token into a file of mode 0600, and its name here. What stood here may have been seen: make a new one.",
        );
        return;
    }
    let Some(path) = judge.find(key, file) else {
        return;
    };
    if is_shared(&path) {
        judge.refuse(
            key,
            format!(
                "the {whose} token in {} can be read or written by others",
                path.display()
            ),
            format!("Make a new one, which they have not read. {remedy}"),
        );
    }
    if let Err(error) = crate::bearer::Bearer::read(&path) {
        let message = format!(
            "the {whose} token in {} is of no use: {error}",
            path.display()
        );
        judge.refuse(key, message, remedy);
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
