//! What is refused of `[audit]` so that the log is evidence.

use super::*;

/// A table with these lines, and a log in a folder of its own.
fn log(lines: &str) -> String {
    and(&format!("[audit]\nfile = \"log/audit.jsonl\"\n{lines}"))
}

const KEY: &str = "signing_key = \"audit.key\"";

#[test]
fn a_key_that_others_can_read_or_write() {
    let folder = Folder::new();
    folder.signing_key();
    for mode in [0o640, 0o604, 0o620, 0o602] {
        let path = folder.0.join("audit.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        one(&folder, &log(KEY), "signing_key", "by others");
    }
}

#[test]
fn a_key_in_the_logs_folder_by_whatever_name() {
    let folder = Folder::new();
    folder.signing_key();
    let (key, log_folder) = (folder.0.join("audit.key"), folder.0.join("log"));
    fs::create_dir(log_folder.join("below")).unwrap();
    fs::copy(&key, log_folder.join("below/audit.key")).unwrap();
    fs::copy(&key, log_folder.join("own.key")).unwrap();
    std::os::unix::fs::symlink(log_folder.join("own.key"), folder.0.join("link.key")).unwrap();
    std::os::unix::fs::symlink(&key, log_folder.join("out.key")).unwrap();
    for inside in [
        "log/own.key",
        "log/below/audit.key",
        "log/../log/own.key",
        "link.key",
        "log/out.key",
    ] {
        let text = log(&format!("signing_key = \"{inside}\""));
        one(
            &folder,
            &text,
            "signing_key",
            "lies in the audit log's folder",
        );
    }
}

#[test]
fn a_log_by_another_name() {
    let folder = Folder::new();
    folder.signing_key();
    folder.write("log/real.jsonl", "", 0o600);
    std::os::unix::fs::symlink("real.jsonl", folder.0.join("log/audit.jsonl")).unwrap();
    one(&folder, &log(""), "file = \"log", "is a symbolic link");
}

#[test]
fn a_log_that_anybody_can_remove() {
    let folder = Folder::new();
    folder.signing_key();
    let chmod = |mode| {
        fs::set_permissions(folder.0.join("log"), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod(0o777);
    one(
        &folder,
        &log(""),
        "file = \"log",
        "anybody can remove files",
    );
    chmod(0o1777);
    assert_eq!(folder.problems(&log("")), [""; 0]);
}

#[test]
fn a_key_that_is_none() {
    let folder = Folder::new();
    folder.signing_key();
    one(
        &folder,
        &log("signing_key = \"gone.key\""),
        "signing_key",
        "is of no use",
    );
    let tls = "signing_key = \"key.pem\"";
    one(
        &folder,
        &log(tls),
        "signing_key",
        "holds no Ed25519 private key",
    );
    let public = "signing_key = \"audit.key.pub\"";
    one(
        &folder,
        &log(public),
        "signing_key",
        "holds no Ed25519 private key",
    );
}

#[test]
fn segments_without_measure() {
    let folder = Folder::new();
    folder.signing_key();
    for rotate in [
        "size = 0",
        "size = \"15KiB\"",
        "age = \"59s\"",
        "age = \"367d\"",
    ] {
        let text = log(&format!("rotate = {{ {rotate} }}"));
        one(&folder, &text, "rotate", "audit.rotate.");
    }
    for keep in [0, 100_001] {
        let text = log(&format!("rotate = {{ age = \"1d\" }}\nkeep = {keep}"));
        one(&folder, &text, "keep", "audit.keep is ");
    }
    one(&folder, &log("keep = 5"), "keep", "none is ever closed");
}

#[test]
fn shipping_that_leads_nowhere() {
    let folder = Folder::new();
    folder.signing_key();
    for ship in ["udp:192.0.2.1:514", "fd:1", "syslog:dev/log", "/dev/log"] {
        let text = log(&format!("ship = \"{ship}\""));
        one(&folder, &text, "ship =", "leads nowhere");
    }
    one(
        &folder,
        &log("ship_required = true"),
        "ship_required",
        "nothing is shipped",
    );
}
