//! Which files are to be judged, and what to do while a server writes them.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    segment::{Place, segment},
    verify::{Demands, Verdict, verify},
};

/// The files of a log in their order.
pub struct Files {
    pub(super) paths: Vec<PathBuf>,
    /// Whether the log ends with them.
    pub(super) is_whole: bool,
}

/// For a log that is being written.
const TRIES: u32 = 5;
const MOMENT: Duration = Duration::from_millis(200);

impl Files {
    /// Finds the files: a folder stands for the log in it, the file that is written for its closed segments too, and a
    /// closed segment for itself.
    ///
    /// # Errors
    /// There is no log, or a folder cannot be read.
    pub fn find(named: &[PathBuf]) -> io::Result<Self> {
        let mut paths = Vec::new();
        let mut is_whole = true;
        for path in named {
            let name = path.file_name().and_then(|name| name.to_str());
            let is_closed = name.and_then(segment).is_some();
            is_whole = path.is_dir() || !is_closed;
            if is_whole {
                let place = if path.is_dir() {
                    Place::within(path)?
                } else {
                    Place::of(path)?
                };
                let closed = place.segments()?;
                let is_open = place.active.is_file();
                if closed.is_empty() && !is_open {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let known = paths.clone();
                let closed = closed.into_iter().map(|(_, path)| path);
                paths.extend(closed.filter(|path| !known.contains(path)));
                paths.extend(is_open.then_some(place.active));
            } else {
                paths.push(path.clone());
            }
        }
        Ok(Self { paths, is_whole })
    }

    /// Each file and its size.
    fn state(&self) -> Vec<(&Path, Option<u64>)> {
        let size = |path: &PathBuf| path.metadata().ok().map(|it| it.len());
        let paths = self.paths.iter();
        paths.map(|path| (path.as_path(), size(path))).collect()
    }
}

/// Judges a log that a server may be writing: a fault is one only if nothing has changed a moment later. Otherwise a
/// rotation or half a line may have been looked at, and it is judged again, a few times at most.
///
/// # Errors
/// There is no log, or a file cannot be read.
pub fn verify_running(named: &[PathBuf], demands: &Demands) -> io::Result<Verdict> {
    let mut tries = 0;
    loop {
        let files = Files::find(named)?;
        let before = files.state();
        let outcome = verify(&files, demands);
        tries += 1;
        if matches!(outcome, Ok(Verdict::Whole(_))) || tries == TRIES {
            return outcome;
        }
        thread::sleep(MOMENT);
        let after = Files::find(named)?;
        if after.state() == before {
            return outcome;
        }
    }
}
