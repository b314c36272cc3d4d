//! Looks whether the configuration, or a file that it names, is another than before.
//!
//! Files are looked at, not subscribed to: that works the same on every file system, through symbolic links of which one far
//! up is exchanged (as Kubernetes does it), for files that are renamed into place, and for those that are not there yet. A
//! certificate and its key are two files; only when nothing has changed from one look to the next is it reloaded. Half of a
//! pair is refused, and the other half is the next change.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{Cause, Reloader};
use crate::config;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// What tells a file from another of the same name, through all symbolic links: device, inode, length, and when it was
/// written and last changed at all, in nanoseconds. None of one that is not there.
type Stamp = Option<(u64, u64, u64, (i64, i64), (i64, i64))>;

fn stamp(path: &Path) -> Stamp {
    let meta = fs::metadata(path).ok()?;
    Some((
        meta.dev(),
        meta.ino(),
        meta.len(),
        (meta.mtime(), meta.mtime_nsec()),
        (meta.ctime(), meta.ctime_nsec()),
    ))
}

/// How a configuration file, and those that it names, looked at some time.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    path: PathBuf,
    files: Vec<(PathBuf, Stamp)>,
}

impl Seen {
    /// Looks at the file at this path, and at those that it names now.
    #[must_use]
    pub fn now(path: &Path) -> Self {
        let files = config::named_files(path).into_iter();
        Self::of(path, files)
    }

    /// Where the configuration is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn of(path: &Path, files: impl Iterator<Item = PathBuf>) -> Self {
        let stamped = |file: PathBuf| {
            let stamp = stamp(&file);
            (file, stamp)
        };
        Self {
            path: path.to_owned(),
            files: files.map(stamped).collect(),
        }
    }

    /// Looks at the same files.
    fn again(&self) -> Self {
        Self::of(&self.path, self.files.iter().map(|(file, _)| file.clone()))
    }

    /// Those that are named by now. Of a file that is known it keeps what was seen of it, so that what it became meanwhile is
    /// a change.
    fn renewed(&self) -> Self {
        let mut now = Self::now(&self.path);
        for (file, stamp) in &mut now.files {
            if let Some((_, seen)) = self.files.iter().find(|(known, _)| known == file) {
                *stamp = *seen;
            }
        }
        now
    }
}

/// Reloads when a file is another than it was seen, until the task is dropped.
pub(crate) async fn watch(reloader: Arc<Reloader>, seen: Seen) {
    let mut known = seen;
    let mut last = known.clone();
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(now) = looked(last.clone(), Seen::again).await else {
            continue;
        };
        let is_quiet = now == last;
        last = now;
        if !is_quiet || last == known || !reloader.watches().await {
            continue;
        }
        reloader.reload(Cause::Files).await;
        if let Some(renewed) = looked(last.clone(), Seen::renewed).await {
            last = renewed;
        }
        known = last.clone();
    }
}

/// A disk that hangs holds up nobody else.
async fn looked(at: Seen, look: fn(&Seen) -> Seen) -> Option<Seen> {
    tokio::task::spawn_blocking(move || look(&at)).await.ok()
}
