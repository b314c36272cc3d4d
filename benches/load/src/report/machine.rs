//! Where and of what was measured.

use std::{fs, process::Command};

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// UTC.
    pub(crate) date: String,
    /// Of this repository, with a `+` if files differ from it.
    pub(crate) commit: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cores = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: u64 = value(&memory, "MemTotal")
            .trim_end_matches(" kB")
            .parse()
            .unwrap_or(0);
        let changed = told("git", &["status", "--porcelain", "--untracked-files=no"]);
        let commit = told("git", &["rev-parse", "--short=12", "HEAD"]);
        Self {
            processor: value(&cores, "model name").to_owned(),
            cores: cores
                .lines()
                .filter(|line| line.starts_with("processor"))
                .count(),
            memory_gib: (kib + (1 << 19)) >> 20,
            kernel: told("uname", &["-sr"]),
            date: told("date", &["-u", "+%Y-%m-%d %H:%M"]),
            commit: commit + if changed.is_empty() { "" } else { "+" },
        }
    }
}

/// Of `name : value`.
fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(its, _)| its.trim() == name);
    found.map_or("", |(_, value)| value.trim())
}

/// What a program says, or nothing.
fn told(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&said).trim().to_owned()
}
