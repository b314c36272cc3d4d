//! `[admin]`: a file that must be ours alone.

use super::{super::certificate::is_shared, Judge};

pub(super) fn judge(judge: &mut Judge<'_>) {
    let Some(admin) = &judge.file.admin else {
        return;
    };
    if !admin.listen.get_ref().ip().is_loopback() {
        judge.refuse(
            "admin.listen",
            "admin.listen is not a loopback address",
            "Write 127.0.0.1:9090, and reach it through a tunnel.",
        );
    }
    let remedy = "Run: (umask 077; openssl rand -hex 32 > admin.token)";
    let path = judge.path(admin.token_file.get_ref());
    if is_shared(&path) {
        judge.refuse(
            "admin.token_file",
            "the admin token can be read or written by others",
            remedy,
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
