//! What is refused, with its place and its remedy. Files are real, each test in a folder of its own.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::*;

mod acme;
mod audit;
mod environment;
mod forward_auth;
mod grants;
mod introspection;
mod network;
mod refusals;
mod shape;
mod sign_in;

/// Safe as it stands; tests break one thing at a time.
const SAFE: &str = r#"
[server]
listen = "127.0.0.1:0"
origins = ["https://app.example.com"]
tls = { cert = "cert.pem", key = "key.pem" }

[admin]
listen = "127.0.0.1:0"
token_file = "admin.token"

[[issuer]]
issuer = "https://id.example.com"
audience = "wardwire"

[[route]]
path = "/live"

[[channel]]
name = "chat/{room}"
subscribe = { claim = "rooms", contains = "{room}" }
publish = "authenticated"
"#;

/// A folder with everything that [`SAFE`] names.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("wardwire-config-{}-{number}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        folder.certify(|_| {});
        folder.write("admin.token", &"t".repeat(32), 0o600);
        folder
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Makes `audit.key`, and a folder for a log.
    fn signing_key(&self) {
        crate::audit::SigningKey::make(&self.0.join("audit.key")).unwrap();
        fs::create_dir(self.0.join("log")).unwrap();
    }

    /// Makes `cert.pem` and `key.pem`.
    fn certify(&self, change: impl FnOnce(&mut rcgen::CertificateParams)) {
        let names = vec!["ws.example.com".to_owned(), "*.example.com".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = rcgen::KeyPair::generate().unwrap();
        self.write("cert.pem", &params.self_signed(&key).unwrap().pem(), 0o644);
        self.write("key.pem", &key.serialize_pem(), 0o600);
    }

    fn judge(&self, text: &str) -> Result<Config, Problems> {
        Config::parse(text, &self.0.join("wardwire.toml"))
    }

    /// Each problem as `line: message | remedy`.
    fn problems(&self, text: &str) -> Vec<String> {
        match self.judge(text) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.lines().map(|line| self.bare(&line)).collect(),
        }
    }

    fn warnings(&self, text: &str) -> Vec<String> {
        let config = self
            .judge(text)
            .unwrap_or_else(|problems| panic!("{problems}"));
        config
            .warnings
            .lines()
            .map(|line| self.bare(&line))
            .collect()
    }

    /// Without the folder and the column, which no test wants to count.
    fn bare(&self, line: &str) -> String {
        let place = format!("{}/wardwire.toml:", self.0.display());
        let line = line.replace(&place, "").replace("\n    ", " | ");
        let mut parts = line.splitn(3, ':');
        let (number, _column, rest) = (parts.next(), parts.next(), parts.next());
        format!(
            "{}:{}",
            number.unwrap(),
            rest.unwrap_or_else(|| panic!("no place: {line}"))
        )
    }
}

/// [`SAFE`] with one text in it replaced.
fn with(old: &str, new: &str) -> String {
    assert!(SAFE.contains(old), "{old}");
    SAFE.replace(old, new)
}

/// [`SAFE`] with more at its end.
fn and(more: &str) -> String {
    format!("{SAFE}\n{more}\n")
}

/// A key set with one public key.
fn keys() -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let key = EncodingKey::from_ec_pem(pem.as_bytes()).unwrap();
    let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap();
    serde_json::json!({ "keys": [jwk] }).to_string()
}

/// The line of the only place where `text` contains `what`.
#[track_caller]
fn line_of(text: &str, what: &str) -> usize {
    let places: Vec<_> = text.match_indices(what).collect();
    assert_eq!(places.len(), 1, "{what} stands {} times", places.len());
    let at = places[0].0 + usize::from(what.starts_with('\n'));
    text[..at].matches('\n').count() + 1
}

/// There is exactly one problem: at the line that holds `at`, saying `says`, with a remedy.
#[track_caller]
fn one(folder: &Folder, text: &str, at: &str, says: &str) {
    let problems = folder.problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let (message, remedy) = problems[0].split_once(" | ").unwrap();
    assert!(!remedy.is_empty());
    assert!(message.contains(says), "{message}");
    let line = line_of(text, at);
    assert!(
        message.starts_with(&format!("{line}: ")),
        "line {line}: {message}"
    );
}

#[test]
fn a_safe_file_is_taken_and_probing_the_log_leaves_nothing() {
    let folder = Folder::new();
    let config = folder
        .judge(SAFE)
        .unwrap_or_else(|problems| panic!("{problems}"));
    let hosts: Vec<_> = config.hosts().collect();
    assert_eq!(hosts, ["ws.example.com", "*.example.com"]);
    assert_eq!(config.warnings.count(), 0, "{}", config.warnings);
    let mut left: Vec<_> = fs::read_dir(&folder.0)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["admin.token", "cert.pem", "key.pem"]);
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    let missing = Path::new("/nowhere/wardwire.toml");
    let problems = Config::load(missing).err().unwrap();
    assert_eq!(problems.count(), 1);
    assert!(
        problems
            .to_string()
            .starts_with("/nowhere/wardwire.toml: cannot be read")
    );
}

#[test]
fn a_file_that_everybody_can_write_is_refused() {
    let folder = Folder::new();
    let path = folder.0.join("wardwire.toml");
    for (mode, taken) in [(0o644, true), (0o664, true), (0o646, false), (0o666, false)] {
        folder.write("wardwire.toml", SAFE, mode);
        assert_eq!(Config::load(&path).is_ok(), taken, "{mode:o}");
    }
}

#[test]
fn every_problem_is_named_at_once_in_the_order_of_the_file() {
    let folder = Folder::new();
    folder.write(
        "key.pem",
        &fs::read_to_string(folder.0.join("key.pem")).unwrap(),
        0o644,
    );
    folder.write("admin.token", "short", 0o604);
    let text = with("https://app.example.com", "https://*.example.com")
        .replace(
            "audience = \"wardwire\"",
            "audiense = \"wardwire\"\nalgorithms = [\"HS256\"]",
        )
        .replace("127.0.0.1:0\"\ntoken", "0.0.0.0:1\"\ntoken")
        .replace(
            "path = \"/live\"",
            "path = \"live\"\nlimits = { message = 0 }",
        )
        .replace("{room}\" }", "{house}\" }");
    let problems = folder.problems(&text);
    let says = [
        "stands for pages nobody listed",
        "key.pem can be read by others",
        "not a loopback address",
        "read or written by others",
        "shorter than 32 bytes",
        "no `audience`",
        "no key `audiense` | Did you mean `audience`?",
        "\"HS256\" is not taken",
        "\"live\" is not a path",
        "a route's limits.message is 0",
        "{house}",
    ];
    assert_eq!(problems.len(), says.len(), "{problems:#?}");
    for (problem, says) in problems.iter().zip(says) {
        assert!(problem.contains(says), "{says}: {problems:#?}");
    }
}
