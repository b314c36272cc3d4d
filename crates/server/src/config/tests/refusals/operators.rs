//! What is for operators and the backend: the admin listener, tokens and the audit log.

use super::*;

#[test]
fn an_admin_listener_that_others_reach() {
    let folder = Folder::new();
    for address in [
        "0.0.0.0:9090",
        "[::]:9090",
        "192.0.2.1:9090",
        "[::ffff:192.0.2.1]:9090",
    ] {
        let text = with("127.0.0.1:0\"\ntoken", &format!("{address}\"\ntoken"));
        one(&folder, &text, address, "not a loopback address");
    }
    let text = with("127.0.0.1:0\"\ntoken", "[::1]:9090\"\ntoken");
    assert_eq!(folder.problems(&text), [""; 0]);
}

#[test]
fn an_admin_token_that_is_missing_empty_or_short() {
    let folder = Folder::new();
    for token in [
        "",
        "\n",
        "short",
        &"t".repeat(31),
        &format!("  {}\n\n", "t".repeat(31)),
    ] {
        folder.write("admin.token", token, 0o600);
        one(&folder, SAFE, "token_file =", "shorter than 32 bytes");
    }
    folder.write("admin.token", &"t\u{e9}\n".repeat(32), 0o600);
    one(&folder, SAFE, "token_file =", "visible ASCII");
    folder.write("admin.token", &"t".repeat(5000), 0o600);
    one(&folder, SAFE, "token_file =", "longer than");
    fs::remove_file(folder.0.join("admin.token")).unwrap();
    one(&folder, SAFE, "token_file =", "of no use");
}

#[test]
fn a_backends_tokens_are_judged_as_an_operators() {
    let folder = Folder::new();
    let and = |files: &str| format!("{SAFE}[backend]\ntoken_files = [{files}]\n");
    folder.write("backend.token", &"t".repeat(32), 0o600);
    assert_eq!(folder.problems(&and("\"backend.token\"")), [""; 0]);
    folder.write("short.token", "short", 0o600);
    folder.write("shared.token", &"t".repeat(32), 0o644);
    let five = ["\"backend.token\""; 5].join(", ");
    for (files, says) in [
        ("", "names 0 files"),
        (&*five, "names 5 files"),
        (
            "\"backend.token\", \"short.token\"",
            "shorter than 32 bytes",
        ),
        ("\"shared.token\"", "read or written by others"),
        ("\"none.token\"", "is of no use"),
        (
            "\"0123456789abcdef0123456789abcdef\"",
            "looks like the token itself",
        ),
    ] {
        one(&folder, &and(files), "token_files", says);
    }
}

#[test]
fn a_servers_right_without_a_server_is_worth_a_warning() {
    let folder = Folder::new();
    folder.write("backend.token", &"t".repeat(32), 0o600);
    let text = with("\"authenticated\"", "{ any = [\"server\", \"granted\"] }");
    let warnings = folder.warnings(&text);
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("[backend]"), "{warnings:?}");
    let text = format!("{text}[backend]\ntoken_files = [\"backend.token\"]\n");
    assert_eq!(folder.warnings(&text), [""; 0]);
}

#[test]
fn an_admin_token_that_others_can_read() {
    let folder = Folder::new();
    for mode in [0o640, 0o604, 0o620] {
        folder.write("admin.token", &"t".repeat(32), 0o600);
        let path = folder.0.join("admin.token");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        one(&folder, SAFE, "token_file =", "by others");
    }
}

#[test]
fn an_audit_log_that_cannot_be_written() {
    let folder = Folder::new();
    fs::create_dir(folder.0.join("folder")).unwrap();
    for file in [
        "nowhere/audit.jsonl",
        "folder",
        "/dev/null",
        "cert.pem/audit.jsonl",
    ] {
        let text = and(&format!("[audit]\nfile = \"{file}\""));
        one(&folder, &text, "\nfile =", "cannot be written");
    }
}

#[test]
fn an_audit_log_that_others_can_write() {
    let folder = Folder::new();
    for mode in [0o620, 0o602] {
        folder.write("audit.jsonl", "", mode);
        let text = and("[audit]\nfile = \"audit.jsonl\"");
        one(&folder, &text, "\nfile =", "can be written by others");
    }
}

#[test]
fn judging_does_not_touch_a_log() {
    let folder = Folder::new();
    folder.write("audit.jsonl", "evidence\n", 0o600);
    assert_eq!(folder.problems(SAFE), [""; 0]);
    let log = fs::read_to_string(folder.0.join("audit.jsonl")).unwrap();
    assert_eq!(log, "evidence\n");
}
