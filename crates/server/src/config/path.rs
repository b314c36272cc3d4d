//! Files that a configuration names: in its own folder, anywhere else, or as a credential that systemd hands over.

use std::{
    borrow::Cow,
    fmt,
    fs::{File, Metadata},
    io::{self, Read as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Before the name of a credential.
const CREDENTIAL: &str = "credential:";
/// Where systemd says that credentials are (systemd.exec(5), `LoadCredential=`).
const VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The largest file that is read, in bytes: a configuration, and what it names.
const LARGEST: u64 = 4 * 1024 * 1024;
/// The longest name that Linux takes (`PATH_MAX`, limits.h), without the zero at its end.
const LONGEST_NAME: usize = 4095;

/// A file as a configuration names it: `"cert.pem"`, relative to the configuration's folder, or `"credential:admin-token"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilePath {
    /// A path.
    Path(PathBuf),
    /// A file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(Box<str>),
}

/// Where the files are that a configuration names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// The configuration's own; relative paths begin here.
    pub own: PathBuf,
    /// What `$CREDENTIALS_DIRECTORY` said, if it is an absolute path.
    pub credentials: Option<PathBuf>,
}

/// A credential is named, but this process was given none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no $CREDENTIALS_DIRECTORY to look for the credential {0:?} in")]
pub struct NoCredentials(Box<str>);

impl From<NoCredentials> for io::Error {
    fn from(error: NoCredentials) -> Self {
        Self::new(io::ErrorKind::NotFound, error)
    }
}

impl Folder {
    /// The folder of a configuration file, with the credentials of this process.
    #[must_use]
    pub fn of(configuration: &Path) -> Self {
        Self {
            own: configuration
                .parent()
                .unwrap_or(Path::new(""))
                .to_path_buf(),
            credentials: credentials(),
        }
    }

    /// Where a file is.
    ///
    /// # Errors
    /// It is a credential, and there are none.
    pub fn find(&self, file: &FilePath) -> Result<PathBuf, NoCredentials> {
        match file {
            FilePath::Path(path) => Ok(self.own.join(path)),
            FilePath::Credential(name) => match &self.credentials {
                Some(folder) => Ok(folder.join(&**name)),
                None => Err(NoCredentials(name.clone())),
            },
        }
    }
}

/// What `$CREDENTIALS_DIRECTORY` says, if it is an absolute path.
pub(super) fn credentials() -> Option<PathBuf> {
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from);
    folder.filter(|folder| folder.is_absolute())
}

/// Opens a file to be read, which must be one: a pipe that nobody writes into would let the start and every later reload hang
/// for ever, and a device has no end.
///
/// # Errors
/// It cannot be opened, or is no regular file.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = File::options()
        .read(true)
        // Of a pipe, opening alone would wait for a writer (open(2)).
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path)?;
    let meta = file.metadata()?;
    match meta.is_file() {
        true => Ok((file, meta)),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// All of a file, if that is no more than anybody needs: a log that was named by mistake must not fill the memory.
///
/// # Errors
/// It cannot be read, is no regular file, or is too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let (file, meta) = open(path)?;
    // In one piece, so that no half of a key stays behind where the bytes were moved from.
    let room = meta.len().min(LARGEST) + 1;
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::other("it is larger than 4 MiB")),
        false => Ok(bytes),
    }
}

/// The same, as a text.
///
/// # Errors
/// As above, or it is not UTF-8.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| io::Error::other("it is not UTF-8"))
}

impl FilePath {
    /// No error shows the text: who puts a key where its file belongs must not find it in a log.
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains(char::is_control) || text.len() > LONGEST_NAME {
            return Err(
                "it is no file's name, but perhaps what stands in the file: write that into a file of mode 0600, and its name here",
            );
        }
        match text.strip_prefix(CREDENTIAL) {
            Some(name) if is_name(name) => Ok(Self::Credential(name.into())),
            Some(_) => Err(
                "a credential is written \"credential:NAME\", and NAME holds letters, digits and - . _ only",
            ),
            None if text.is_empty() => Err("a file needs a name"),
            None => Ok(Self::Path(text.into())),
        }
    }
}

/// What systemd takes as a credential's name, of which none can lead out of the folder.
fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && !matches!(name, "." | "..")
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

impl From<&str> for FilePath {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "{CREDENTIAL}{name}"),
        }
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, sink: S) -> Result<S::Ok, S::Error> {
        sink.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = String::deserialize(source)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl JsonSchema for FilePath {
    fn schema_name() -> Cow<'static, str> {
        "FilePath".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "x-type": "file",
            "minLength": 1,
            "maxLength": LONGEST_NAME,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_never_leads_out_of_its_folder() {
        let folder = Folder {
            own: "/etc/wardwire".into(),
            credentials: Some("/run/credentials/wardwire.service".into()),
        };
        let find = |text: &str| folder.find(&FilePath::parse(text).unwrap()).unwrap();
        assert_eq!(
            find("credential:admin-token"),
            Path::new("/run/credentials/wardwire.service/admin-token")
        );
        assert_eq!(find("a/key.pem"), Path::new("/etc/wardwire/a/key.pem"));
        assert_eq!(find("/key.pem"), Path::new("/key.pem"));
        for text in [
            "",
            "credential:",
            "credential:.",
            "credential:..",
            "credential:../key",
            "credential:/etc/shadow",
            "credential:a/b",
            "credential:a\0",
            "credential:a\n",
        ] {
            assert!(FilePath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_stands_in_a_file_is_not_taken_for_its_name_and_not_shown() {
        let key = ["BEGIN", "MIGHAgEAMBMGByqGSM49", "END"].join(" PRIVATE KEY-----\n");
        let long = "x".repeat(LONGEST_NAME + 1);
        for text in [&*key, "a\0", &long] {
            let error = FilePath::parse(text).unwrap_err();
            assert!(error.contains("what stands in the file"), "{error}");
        }
        assert!(FilePath::parse(&"x".repeat(LONGEST_NAME)).is_ok());
    }

    #[test]
    fn no_file_is_read_without_end() {
        let name = format!("wardwire-large-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = File::create(&path).unwrap();
        file.set_len(LARGEST).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, LARGEST);
        file.set_len(LARGEST + 1).unwrap();
        let error = read(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert!(error.to_string().contains("4 MiB"), "{error}");
    }

    #[test]
    fn what_is_no_file_is_not_read_and_not_waited_for() {
        let name = format!("wardwire-pipe-{}", std::process::id());
        let pipe = std::env::temp_dir().join(name);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let folder = std::env::temp_dir();
        for path in [&*pipe, Path::new("/dev/zero"), &folder] {
            let error = read(path).unwrap_err();
            assert!(error.to_string().contains("no regular file"), "{error}");
        }
        std::fs::remove_file(&pipe).unwrap();
    }

    #[test]
    fn without_credentials_none_is_found() {
        let folder = Folder::default();
        let file = FilePath::parse("credential:admin-token").unwrap();
        assert!(folder.find(&file).is_err());
    }
}
