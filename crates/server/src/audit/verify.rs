//! Checks a log's chain from its first line to its last.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::Path,
};

use super::chain::{Chain, LONGEST, Link};

/// What became of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every line joins on to the one before it.
    Whole {
        /// How many lines.
        lines: u64,
    },
    /// The last line was cut short, as by a crash; all before it hold.
    Torn {
        /// How many lines hold.
        lines: u64,
    },
    /// Somebody edited, removed or moved a line, or wrote one.
    Broken {
        /// The first line that does not hold, counted from 1.
        line: u64,
        /// Why not.
        why: &'static str,
    },
}

/// Checks the log at `path`.
///
/// # Errors
/// The file cannot be read.
pub fn verify(path: &Path) -> io::Result<Verdict> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut chain = Chain::start();
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        if (&mut reader).take(LONGEST).read_until(b'\n', &mut text)? == 0 {
            return Ok(Verdict::Whole { lines: number - 1 });
        }
        if text.len() as u64 == LONGEST {
            return Ok(Verdict::Broken {
                line: number,
                why: "it is longer than any line the server writes",
            });
        }
        let Some(line) = text.strip_suffix(b"\n") else {
            return Ok(Verdict::Torn { lines: number - 1 });
        };
        let link = std::str::from_utf8(line)
            .map_err(|_| "it is not text")
            .and_then(Link::read);
        match link {
            Ok(link) if link.prev != chain.prev => {
                return Ok(Verdict::Broken {
                    line: number,
                    why: "it does not follow the line before",
                });
            }
            Ok(link) if link.seq != chain.next => {
                return Ok(Verdict::Broken {
                    line: number,
                    why: "its number is not the next",
                });
            }
            Ok(link) => {
                chain = Chain {
                    next: link.seq + 1,
                    prev: link.hash,
                }
            }
            Err(why) => return Ok(Verdict::Broken { line: number, why }),
        }
    }
    Ok(Verdict::Whole { lines: 0 })
}
