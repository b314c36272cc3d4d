//! `[admin]`: a file that must be ours alone.

use super::{
    super::{
        certificate::is_shared,
        path::{FilePath, Folder},
    },
    Judge,
};

pub(super) fn judge(judge: &mut Judge<'_>) {
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
