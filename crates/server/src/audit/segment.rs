//! The files of a log: the one that is written, and the segments that were closed before it.
//!
//! `audit.jsonl` is always the one that is written. When it is full or old it is renamed to `audit.N.jsonl`, where N is the
//! number of its first line in 20 digits: so names sort, and none is used twice, as no number is. The chain goes on.
//!
//! A crash between the two steps leaves no `audit.jsonl`, or an empty one; the chain is then carried on from the last
//! segment. A lock on `audit.jsonl.lock`, which is never renamed, keeps a second server out.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use super::{
    chain::{Chain, LONGEST, Link, owned},
    time,
};

/// What the files of a log are called.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The one that is written.
    pub(super) active: PathBuf,
    folder: PathBuf,
    stem: String,
    /// With its dot, if there is one.
    extension: String,
}

/// A log that this process alone writes.
pub(super) struct Log {
    pub(super) place: Place,
    file: File,
    /// Bytes in the segment under way.
    pub(super) size: u64,
    /// The number of its first line.
    pub(super) first: u64,
    pub(super) began: SystemTime,
    /// Whether the segment before got its name and this one has yet to be made.
    is_moved: bool,
    _lock: File,
}

/// What an opened log holds.
pub(super) struct Resumed {
    pub(super) chain: Chain,
    /// The digest of what a crash left behind the chain's end.
    pub(super) torn: Option<String>,
    /// The last line, unless the log is new.
    pub(super) last: Option<Link>,
    /// Whether the segment has no line yet.
    pub(super) is_empty: bool,
    /// Whether its last line has no end.
    is_cut: bool,
}

/// For the lock, and between two tries.
const PATIENCE: Duration = Duration::from_secs(2);
const LOCKED: Duration = Duration::from_millis(10);
const DIGITS: usize = 20;
const NO_LOG: &str = "the end of the audit log is none of ours, nor what a crash leaves of it: run `wardwire audit verify`, and move the log away";

impl Place {
    /// # Errors
    /// The path names no file, or one whose name is not UTF-8.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let no_name = || io::Error::other("the audit log needs a file name in UTF-8");
        let stem = path.file_stem().and_then(OsStr::to_str);
        let stem = stem.ok_or_else(no_name)?;
        let extension = match path.extension() {
            Some(it) => format!(".{}", it.to_str().ok_or_else(no_name)?),
            None => String::new(),
        };
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        Ok(Self {
            active: path.to_owned(),
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
            stem: stem.to_owned(),
            extension,
        })
    }

    /// The name that the segment gets whose first line has this number.
    pub(super) fn name(&self, first: u64) -> String {
        format!("{}.{first:0DIGITS$}{}", self.stem, self.extension)
    }

    /// The closed segments by their first line, oldest first.
    pub(super) fn segments(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let first = entry.file_name().to_str().and_then(|name| self.first(name));
            if let Some(first) = first
                && entry.file_type()?.is_file()
            {
                found.push((first, entry.path()));
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    fn first(&self, name: &str) -> Option<u64> {
        let (stem, first, extension) = segment(name)?;
        (stem == self.stem && extension == self.extension).then_some(first)
    }

    /// The only log in a folder.
    ///
    /// # Errors
    /// The folder cannot be read, or holds none or several.
    pub(super) fn within(folder: &Path) -> io::Result<Self> {
        let mut closed = BTreeSet::new();
        let mut others = BTreeSet::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let name = name.to_str().unwrap_or_default();
            if let Some((stem, _, extension)) = segment(name) {
                closed.insert(format!("{stem}{extension}"));
            } else if name.ends_with(".jsonl") {
                others.insert(name.to_owned());
            }
        }
        let mut found = if closed.is_empty() { others } else { closed };
        match (found.pop_first(), found.pop_first()) {
            (Some(only), None) => Self::of(&folder.join(only)),
            (None, _) => Err(io::Error::other("there is no audit log in this folder")),
            _ => Err(io::Error::other(
                "there are several logs in this folder: name the file of one",
            )),
        }
    }
}

/// The parts of a closed segment's name, if it is one: `audit`, the number of its first line, `.jsonl`.
pub(super) fn segment(name: &str) -> Option<(&str, u64, &str)> {
    let mut dots = name.match_indices('.');
    dots.find_map(|(dot, _)| {
        let (stem, rest) = name.split_at_checked(dot)?;
        let (digits, extension) = rest.get(1..)?.split_at_checked(DIGITS)?;
        let is_number = digits.bytes().all(|it| it.is_ascii_digit());
        let is_whole = extension.is_empty() || extension.rfind('.') == Some(0);
        let first = digits.parse().ok()?;
        (is_number && is_whole && !stem.is_empty()).then_some((stem, first, extension))
    })
}

impl Log {
    /// Opens the log, or makes it, and finds the chain's end.
    ///
    /// # Errors
    /// A file cannot be made, read or appended to; another server writes it; its end is none of a log's.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Resumed)> {
        let place = Place::of(path)?;
        // By two names it would have two locks, and a rotation would rename the link.
        if place.active.is_symlink() {
            return Err(io::Error::other(
                "the audit log is a symbolic link: name the file that it leads to",
            ));
        }
        let lock = lock(&place)?;
        let file = open(&place.active, OpenOptions::new().create(true))?;
        sync_folder(&place.folder)?;
        let mut resumed = resume(&file)?;
        if resumed.is_cut {
            (&file).write_all(b"\n")?;
        }
        let mut opening = None;
        if resumed.last.is_some() {
            opening = first_link(&file)?;
        } else if let Some((_, before)) = place.segments()?.pop() {
            let before = resume(&File::open(&before)?)?;
            // A segment is closed with whole lines: whatever is torn in it was torn since.
            if before.is_cut || before.torn.is_some() || before.last.is_none() {
                return Err(io::Error::other(NO_LOG));
            }
            resumed.chain = before.chain;
            resumed.last = before.last;
        }
        let log = Self {
            size: file.metadata()?.len(),
            first: opening.as_ref().map_or(resumed.chain.next, |link| link.seq),
            began: opening
                .and_then(|link| time::read(&link.time))
                .unwrap_or_else(SystemTime::now),
            is_moved: false,
            place,
            file,
            _lock: lock,
        };
        Ok((log, resumed))
    }

    /// Whether the segment has this age. A clock that went back begins it anew, as an age from the future would never come.
    pub(super) fn is_older(&mut self, age: Duration) -> bool {
        let now = SystemTime::now();
        self.began = self.began.min(now);
        now.duration_since(self.began).is_ok_and(|it| it >= age)
    }

    /// What the segment under way will be called.
    pub(super) fn name(&self) -> String {
        self.place.name(self.first)
    }

    /// Appends bytes, as many as the disk takes.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.size += written as u64;
        Ok(written)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Closes the segment and begins the next, whose first line has this number. After an error it can be tried again,
    /// and nothing may be appended until it went well.
    pub(super) fn next(&mut self, first: u64) -> io::Result<()> {
        if !self.is_moved {
            let closed = self.place.folder.join(self.name());
            if closed.symlink_metadata().is_ok() {
                let message = format!("{} is there already: move it away", closed.display());
                return Err(io::Error::other(message));
            }
            fs::rename(&self.place.active, closed)?;
            self.is_moved = true;
        }
        let file = match open(&self.place.active, OpenOptions::new().create_new(true)) {
            // What is there then is not ours: the lock says that no server made it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let message = format!("somebody else made {}", self.place.active.display());
                return Err(io::Error::other(message));
            }
            outcome => outcome?,
        };
        // Moved and made, in this order, also after a power cut.
        if let Err(error) = sync_folder(&self.place.folder) {
            let _ = fs::remove_file(&self.place.active);
            return Err(error);
        }
        self.file = file;
        self.size = 0;
        self.first = first;
        self.began = SystemTime::now();
        self.is_moved = false;
        Ok(())
    }
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.read(true).append(true).mode(0o600).open(path)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Two writers would break each other's chain. A server that is just going down is waited for.
///
/// # Errors
/// Another server writes this log.
fn lock(place: &Place) -> io::Result<File> {
    let mut path = place.active.as_os_str().to_owned();
    path.push(".lock");
    let file = open(Path::new(&path), OpenOptions::new().create(true))?;
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCKED),
            Err(TryLockError::WouldBlock) => {
                let message = "another server writes this audit log; give each its own";
                return Err(io::Error::other(message));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Finds the end of the chain in a file. What stands behind it, as a line torn by a crash, is kept as it is, on a line of
/// its own; its digest is for the next line, which has to own up to it.
///
/// # Errors
/// More stands behind it than `verify` lets pass as torn.
fn resume(mut file: &File) -> io::Result<Resumed> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(2 * LONGEST)))?;
    let mut tail = Vec::new();
    file.take(2 * LONGEST).read_to_end(&mut tail)?;
    let is_cut = !tail.is_empty() && !tail.ends_with(b"\n");
    if is_cut {
        tail.push(b'\n');
    }
    let mut lines = tail.split_inclusive(|&byte| byte == b'\n').rev();
    let mut behind = 0;
    let last = lines.find_map(|line| {
        let link = Link::of(line).ok();
        behind += if link.is_none() { line.len() } else { 0 };
        link
    });
    if behind as u64 > LONGEST {
        return Err(io::Error::other(NO_LOG));
    }
    let torn = tail.get(tail.len().saturating_sub(behind)..);
    Ok(Resumed {
        chain: last.as_ref().map_or_else(Chain::start, Chain::behind),
        torn: owned(torn.unwrap_or_default()),
        is_empty: last.is_none(),
        last,
        is_cut,
    })
}

/// The first line that holds. What a crash left before it is short.
fn first_link(mut file: &File) -> io::Result<Option<Link>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader = BufReader::new(file.take(4 * LONGEST));
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Ok(link) = Link::of(&line) {
            return Ok(Some(link));
        }
        line.clear();
    }
    Ok(None)
}
