//! The configuration: any text is a safe configuration, or problems that each name their place and what to do.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use wardwire::config::{Config, Problems};

/// True if the configuration was taken.
pub fn check(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else {
        return false;
    };
    if leads_away(text) {
        return false;
    }
    let path = folder().join("wardwire.toml");
    let first = Config::parse(text, &path);
    let again = Config::parse(text, &path);
    assert_eq!(told(&first), told(&again), "the same text, another verdict");
    match &first {
        Ok(config) => {
            safe(config);
            named(&config.warnings, text, &path);
            unknown_keys_are_refused(text, &path);
            true
        }
        Err(problems) => {
            assert!(problems.count() > 0, "refused for nothing");
            named(problems, text, &path);
            false
        }
    }
}

/// Whether the text could name a file that never ends: names in it are opened. Escapes could spell one.
fn leads_away(text: &str) -> bool {
    let ways = ["/dev", "/proc", "/sys"];
    let escapes = ["\\u", "\\U", "\\x", "\\\n", "\\\r", "\\ ", "\\\t"];
    ways.iter().chain(&escapes).any(|way| text.contains(way))
}

/// A folder with what a configuration names. It is made once and stays, as the fuzzer ends without a word.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let name = format!("wardwire-properties-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let names = vec!["ws.example.com".to_owned(), "localhost".to_owned()];
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(names).expect("names");
        let cert = params.self_signed(&key).expect("a certificate").pem();
        for (name, text, mode) in [
            ("cert.pem", cert, 0o644),
            ("key.pem", key.serialize_pem(), 0o600),
            ("admin.token", "t".repeat(32), 0o600),
        ] {
            let path = folder.join(name);
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
        }
        folder
    })
}

fn told(verdict: &Result<Config, Problems>) -> (bool, Vec<String>) {
    match verdict {
        Ok(config) => (true, config.warnings.lines().collect()),
        Err(problems) => (false, problems.lines().collect()),
    }
}

/// Each problem has a place in the text, a message and a remedy, and no byte that steers a terminal.
fn named(problems: &Problems, text: &str, path: &Path) {
    let lines = text.matches('\n').count() + 1;
    for problem in problems.lines() {
        let rest = problem
            .strip_prefix(&path.display().to_string())
            .expect("the file's name");
        let (said, remedy) = rest.split_once("\n    ").expect("a remedy");
        assert!(
            !remedy.trim().is_empty() && !said.trim_matches([':', ' ']).is_empty(),
            "{problem}"
        );
        assert!(
            !said.chars().chain(remedy.chars()).any(char::is_control),
            "{problem:?}"
        );
        let line = said[1..]
            .split(':')
            .next()
            .and_then(|line| line.parse::<usize>().ok());
        assert!(
            line.is_none_or(|line| (1..=lines).contains(&line)),
            "{problem}"
        );
    }
}

/// What is taken holds what makes a gate: pages and issuers that are named, unless an override says so loudly.
fn safe(config: &Config) {
    let file = &config.file;
    assert!(file.server.tls.is_some());
    for origin in &file.server.origins {
        assert!(
            (origin.starts_with("https://") && !origin.contains('*'))
                || file.development.any_origin,
            "{origin}"
        );
    }
    for issuer in &file.issuer {
        assert!(!issuer.audience.is_empty() && !issuer.issuer.is_empty());
    }
    assert!(!file.issuer.is_empty() || file.development.without_issuer);
}

/// A key that nobody knows is never passed over.
fn unknown_keys_are_refused(text: &str, path: &Path) {
    let more = format!("zzz_unknown = 1\n{text}");
    let problems = Config::parse(&more, path)
        .err()
        .expect("an unknown key was taken");
    assert!(
        problems.lines().any(|line| line.contains("zzz_unknown")),
        "{problems}"
    );
}
