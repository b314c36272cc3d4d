//! Where the account's key and the certificate are between two runs: a folder for each authority in one that only the
//! server's user reads.
//!
//! A certificate and its key are one file, so that no crash leaves one of them without the other.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::config::is_shared;

/// The folder of one authority.
#[derive(Clone)]
pub struct Storage(PathBuf);

/// The account's URL and key.
const ACCOUNT: &str = "account.json";
/// The key, and the chain behind it.
const CERTIFICATE: &str = "certificate.pem";
/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

impl Storage {
    /// Whether a folder can be used as it is. One that is missing can: it is made.
    ///
    /// # Errors
    /// It is no folder, somebody else's, or others may look into it.
    pub fn examine(folder: &Path) -> io::Result<()> {
        let meta = match fs::symlink_metadata(folder) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if !meta.is_dir() {
            return Err(io::Error::other("it is not a folder"));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it is another user's"));
        }
        match meta.mode() & 0o077 {
            0 => Ok(()),
            _ => Err(io::Error::other("others may look into it or write there")),
        }
    }

    /// Makes what is missing, for the authority with this directory: no key is ever shown to another, and a certificate
    /// for trying it out is not taken for a real one.
    ///
    /// # Errors
    /// As [`examine`](Self::examine), or it cannot be written.
    pub fn open(folder: &Path, directory: &str) -> io::Result<Self> {
        let explain = |error: io::Error| {
            io::Error::new(error.kind(), format!("{}: {error}", folder.display()))
        };
        let own = folder.join(label(directory));
        for folder in [folder, &own] {
            Self::examine(folder).map_err(explain)?;
            DirBuilder::new()
                .mode(0o700)
                .recursive(true)
                .create(folder)
                .map_err(explain)?;
        }
        let storage = Self(own);
        // What cannot be kept would be asked for again at every start, until the authority has had enough.
        storage.write("probe", b"").map_err(explain)?;
        fs::remove_file(storage.0.join("probe")).map_err(explain)?;
        Ok(storage)
    }

    /// What is known of the account, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or others can read it.
    pub(super) fn account(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        self.read(ACCOUNT)
    }

    pub(super) fn keep_account(&self, account: &[u8]) -> io::Result<()> {
        self.write(ACCOUNT, account)
    }

    /// Puts aside an account that the authority does not know any more.
    pub(super) fn forget_account(&self) -> io::Result<()> {
        fs::rename(self.0.join(ACCOUNT), self.0.join("account.json.unknown"))
    }

    /// The file with the certificate and its key, if there is one.
    ///
    /// # Errors
    /// Others can read it.
    pub(super) fn certificate(&self) -> io::Result<Option<PathBuf>> {
        let path = self.0.join(CERTIFICATE);
        match path.try_exists()? {
            true => private(&path).map(|()| Some(path)),
            false => Ok(None),
        }
    }

    /// Writes a key and its chain beside the ones in use. They are in use once [`Draft::keep`] was called.
    pub(super) fn draft(&self, key: &str, chain: &str) -> io::Result<Draft> {
        let mut both = Zeroizing::new(String::with_capacity(key.len() + chain.len() + 1));
        both.push_str(key);
        both.push('\n');
        both.push_str(chain);
        let path = self.0.join("certificate.pem.new");
        remove(&path)?;
        create(&path, both.as_bytes())?;
        Ok(Draft {
            path,
            place: self.0.join(CERTIFICATE),
        })
    }

    fn read(&self, name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let path = self.0.join(name);
        if !path.try_exists()? {
            return Ok(None);
        }
        private(&path)?;
        if fs::metadata(&path)?.len() > LARGEST {
            return Err(io::Error::other("it is larger than 1 MiB"));
        }
        fs::read(&path).map(Zeroizing::new).map(Some)
    }

    /// Writes a file as a whole or not at all.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.0.join(format!("{name}.new"));
        remove(&new)?;
        create(&new, bytes)?;
        replace(&new, &self.0.join(name))
    }
}

/// A certificate that was obtained and may still be found wanting.
pub(super) struct Draft {
    path: PathBuf,
    place: PathBuf,
}

impl Draft {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in the place of the one before.
    pub(super) fn keep(self) -> io::Result<()> {
        replace(&self.path, &self.place)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already where it was kept.
        let _ = fs::remove_file(&self.path);
    }
}

fn private(path: &Path) -> io::Result<()> {
    match is_shared(path) {
        true => Err(io::Error::other(format!(
            "{} can be read by others: run `chmod 600` on it, or delete it",
            path.display()
        ))),
        false => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// After a power cut there is one or the other.
fn replace(new: &Path, place: &Path) -> io::Result<()> {
    fs::rename(new, place)?;
    match place.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// A folder's name for a directory: its host for people, and a hash, as two directories may share a host.
fn label(directory: &str) -> String {
    let rest = directory.strip_prefix("https://").unwrap_or(directory);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host: String = authority
        .chars()
        .take(100)
        .map(|it| match it {
            it if it.is_ascii_alphanumeric() || "-.".contains(it) => it,
            _ => '_',
        })
        .collect();
    let hash = digest(&SHA256, directory.as_bytes());
    let short: String = hash
        .as_ref()
        .iter()
        .take(4)
        .map(|it| format!("{it:02x}"))
        .collect();
    format!("{host}-{short}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let name = format!("wardwire-acme-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn nobody_else_can_read_what_is_kept() {
        let folder = scratch("modes");
        let storage = Storage::open(&folder, "https://ca.test/dir").unwrap();
        storage.keep_account(b"{}").unwrap();
        storage.draft("key", "chain").unwrap().keep().unwrap();
        assert_eq!((mode(&folder), mode(&storage.0)), (0o700, 0o700));
        for name in [ACCOUNT, CERTIFICATE] {
            assert_eq!(mode(&storage.0.join(name)), 0o600);
        }
        let files = fs::read_dir(&storage.0).unwrap().count();
        assert_eq!(files, 2, "no draft is left");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let folder = scratch("shared");
        let storage = Storage::open(&folder, "https://ca.test/dir").unwrap();
        storage.keep_account(b"{}").unwrap();
        storage.draft("key", "chain").unwrap().keep().unwrap();
        let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        for name in [ACCOUNT, CERTIFICATE] {
            open(&storage.0.join(name), 0o640).unwrap();
        }
        assert!(storage.account().is_err());
        assert!(storage.certificate().is_err());
        open(&storage.0, 0o750).unwrap();
        assert!(Storage::open(&folder, "https://ca.test/dir").is_err());
        open(&storage.0, 0o700).unwrap();
        open(&folder, 0o701).unwrap();
        assert!(Storage::examine(&folder).is_err());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_draft_that_is_not_kept_changes_nothing() {
        let folder = scratch("draft");
        let storage = Storage::open(&folder, "https://ca.test/dir").unwrap();
        storage.draft("key", "old").unwrap().keep().unwrap();
        drop(storage.draft("key", "new").unwrap());
        let kept = fs::read_to_string(storage.certificate().unwrap().unwrap()).unwrap();
        assert_eq!(kept, "key\nold");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn each_directory_has_a_folder_of_its_own_that_leads_nowhere_else() {
        let labels: Vec<_> = [
            "https://ca.test/a",
            "https://ca.test/b",
            "https://../..",
            "x",
        ]
        .map(label)
        .to_vec();
        assert!(
            labels.iter().all(|it| !it.contains('/') && it.len() > 9),
            "{labels:?}"
        );
        assert_ne!(labels[0], labels[1]);
    }
}
