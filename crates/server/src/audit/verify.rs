//! Judges a log from its first line to its last, in memory that does not grow with it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{
    Files,
    chain::{Chain, Hash, Head, LONGEST, Link, Told, owned},
    key::PublicKey,
    writer::HEAD_AFTER,
};

/// What a log has to show beside its chain.
#[derive(Default)]
pub struct Demands {
    /// Heads are signed by one of these. Without any, signatures are not looked at.
    pub keys: Vec<PublicKey>,
    /// Lines that were noted elsewhere are there, unchanged.
    pub heads: Vec<Noted>,
    /// What was before this line is kept elsewhere.
    pub begins: Option<u64>,
    /// The server was stopped in order, so the last line is the head that says so.
    pub stopped: bool,
}

/// A line that was noted elsewhere: `4120:9f2c...`, its `seq` and its `hash`.
#[derive(Clone, Debug)]
pub struct Noted {
    seq: u64,
    hash: Hash,
}

/// What became of a log.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every line joins on to the one before it, and all demands are met.
    Whole(Summary),
    /// The last line was cut short, as by a crash; all before it hold.
    Torn(Summary),
    /// Somebody edited, removed or moved a line, or wrote one.
    Broken(Fault),
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many lines.
    pub lines: u64,
    /// How many were torn by a crash, beside these; the line behind each owns up to it.
    pub torn: u64,
    /// How many files.
    pub files: usize,
    /// The number of the first line.
    pub first: u64,
    /// The line that says that what was before the first was deleted as configured.
    pub deleted_by: Option<u64>,
    /// Number and hash of the last line.
    pub last: Option<(u64, String)>,
    /// The last head whose signature holds.
    pub signed: Option<u64>,
    /// Lines behind it.
    pub unsigned: u64,
    /// Heads with a signature that nobody looked at, as there was no key.
    pub unjudged: u64,
    /// Where a server found that the one before did not stop in order, and how many lines no head had signed then. The
    /// first of them.
    pub unsealed: Vec<(u64, u64)>,
    /// Whether the last line is the head of a stop.
    pub is_stopped: bool,
}

/// What does not hold, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// In which file.
    pub file: PathBuf,
    /// The first line that does not hold, counted from 1; 0 is the whole file.
    pub line: u64,
    /// Its number in the chain: its own, or the one that should stand there.
    pub seq: u64,
    /// Why not.
    pub why: String,
}

/// So many crashes are told one by one.
const TOLD: usize = 20;
impl FromStr for Noted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let explained = "it is the seq and the hash of a line, as 4120:9f2c...";
        let (seq, hash) = text.split_once(':').ok_or(explained)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| explained)?,
            hash: Hash::read(hash).ok_or(explained)?,
        })
    }
}

impl Noted {
    /// Its number.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// Judges a log.
///
/// # Errors
/// A file cannot be read.
pub fn verify(files: &Files, demands: &Demands) -> io::Result<Verdict> {
    let mut reading = Reading::of(demands);
    for path in &files.paths {
        if let Err(fault) = reading.file(path)? {
            return Ok(Verdict::Broken(fault));
        }
    }
    Ok(reading.end(files.is_whole))
}

/// How far a log was read.
struct Reading<'a> {
    demands: &'a Demands,
    /// None before the first link.
    chain: Option<Chain>,
    summary: Summary,
    /// Deletion of what was before the first line that no head has signed yet.
    announced: Option<u64>,
    /// The last link.
    last: Option<Told>,
    /// What stands behind the last link, and where it begins, and what is wrong with it.
    between: Vec<u8>,
    first: Option<(u64, &'static str)>,
    opening: PathBuf,
    file: PathBuf,
    line: u64,
}

impl<'a> Reading<'a> {
    fn of(demands: &'a Demands) -> Self {
        Self {
            demands,
            chain: None,
            summary: Summary::default(),
            announced: None,
            last: None,
            between: Vec::new(),
            first: None,
            opening: PathBuf::new(),
            file: PathBuf::new(),
            line: 0,
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<Result<(), Fault>> {
        let mut reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
        // What a crash tears is owned up to in the same file.
        if let Some((line, why)) = self.first {
            return Ok(Err(self.fault(line, why.into())));
        }
        path.clone_into(&mut self.file);
        if self.summary.files == 0 {
            path.clone_into(&mut self.opening);
        }
        self.summary.files += 1;
        self.line = 0;
        let mut line = Vec::new();
        loop {
            line.clear();
            if (&mut reader).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                return Ok(Ok(()));
            }
            self.line += 1;
            if let Err((at, why)) = self.take(&line) {
                return Ok(Err(self.fault(at, why)));
            }
        }
    }

    fn fault(&self, line: u64, why: String) -> Fault {
        Fault {
            file: self.file.clone(),
            line,
            seq: self.chain.as_ref().map_or(0, |chain| chain.next),
            why,
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), (u64, String)> {
        let link = match Link::of(line) {
            Ok(link) => link,
            Err(why) => {
                let (at, first) = *self.first.get_or_insert((self.line, why));
                self.between.extend_from_slice(line);
                // More than a crash or two can leave.
                let bounded = self.between.len() as u64 <= LONGEST;
                return bounded.then_some(()).ok_or((at, first.into()));
            }
        };
        let torn = match &link.told {
            Told::Torn(digest) => Some(digest),
            _ => None,
        };
        if torn != owned(&self.between).as_ref() {
            let nothing = (self.line, "it owns up to what is not there");
            let (at, why) = self.first.unwrap_or(nothing);
            return Err((at, why.into()));
        }
        self.joins(&link).map_err(|why| (self.line, why))?;
        self.summary.torn += u64::from(self.first.is_some());
        self.between.clear();
        self.first = None;
        self.answers(&link).map_err(|why| (self.line, why))?;
        self.summary.lines += 1;
        self.summary.last = None;
        self.chain = Some(Chain::behind(&link));
        self.last = Some(link.told);
        Ok(())
    }

    /// Whether a line follows the one before it.
    fn joins(&mut self, link: &Link) -> Result<(), String> {
        let chain = match &self.chain {
            Some(chain) => chain,
            None if link.seq == 0 => &Chain::start(),
            None => {
                self.summary.first = link.seq;
                self.chain = Some(Chain {
                    next: link.seq,
                    prev: link.prev,
                });
                return Ok(());
            }
        };
        let (due, seq) = (chain.next, link.seq);
        if seq > due && self.line == 1 {
            let last = seq - 1;
            return Err(format!(
                "it is line {seq} of the chain, but {due} is due: the segment with the lines {due} to {last} is missing"
            ));
        }
        if seq != due {
            return Err(format!("it is line {seq} of the chain, but {due} is due"));
        }
        if link.prev != chain.prev {
            return Err("it does not follow the line before".into());
        }
        Ok(())
    }

    /// What a line says of the log itself.
    fn answers(&mut self, link: &Link) -> Result<(), String> {
        let mut noted = self.demands.heads.iter();
        if noted.any(|noted| noted.seq == link.seq && noted.hash != link.hash) {
            return Err("it is not the line that was noted elsewhere".into());
        }
        self.summary.unsigned += 1;
        match &link.told {
            Told::Head(head) => self.head(link.seq, head)?,
            Told::Deletion { begins } if *begins == self.summary.first => {
                self.announced = Some(link.seq);
                if self.demands.keys.is_empty() {
                    self.summary.deleted_by = self.announced;
                }
            }
            Told::Unsealed => {
                // Who wrote these lines is not known, so they excuse nothing.
                self.announced = None;
                let unsigned = self.summary.unsigned - 1;
                if self.summary.unsealed.len() < TOLD {
                    self.summary.unsealed.push((link.seq, unsigned));
                }
            }
            Told::Deletion { .. } | Told::Torn(_) | Told::Stop | Told::Else => {}
        }
        Ok(())
    }

    fn head(&mut self, seq: u64, head: &Head) -> Result<(), String> {
        let Some(signed) = &head.signed else {
            return Ok(());
        };
        let keys = &self.demands.keys;
        if keys.is_empty() {
            self.summary.unjudged += 1;
            self.summary.unsigned = 0;
            return Ok(());
        }
        let Some(key) = keys.iter().find(|key| key.id() == signed.key) else {
            return Err(format!("it is signed by another key, {:?}", signed.key));
        };
        if !key.has_signed(signed.text.as_bytes(), &signed.signature) {
            return Err("its signature is forged: the key that it names did not make it".into());
        }
        self.summary.signed = Some(seq);
        self.summary.unsigned = 0;
        if self.announced.is_some() {
            self.summary.deleted_by = self.announced;
        }
        Ok(())
    }

    /// At the end of the last file.
    fn end(mut self, is_whole: bool) -> Verdict {
        let was_cut = !self.between.ends_with(b"\n");
        if let Some((line, why)) = self.first.filter(|_| !was_cut) {
            return Verdict::Broken(self.fault(line, why.into()));
        }
        if let Some(fault) = self.begins() {
            return Verdict::Broken(fault);
        }
        if let Err(why) = self.ends(is_whole) {
            return Verdict::Broken(self.fault(self.line, why));
        }
        let chain = self.chain.take();
        self.summary.last = chain
            .filter(|chain| chain.next > 0)
            .map(|chain| (chain.next - 1, chain.prev.as_str().to_owned()));
        match self.first {
            Some(_) => Verdict::Torn(self.summary),
            None => Verdict::Whole(self.summary),
        }
    }

    /// Why the log may not begin where it does.
    fn begins(&self) -> Option<Fault> {
        let Summary {
            first, deleted_by, ..
        } = self.summary;
        if first == 0 || self.demands.begins == Some(first) || deleted_by.is_some() {
            return None;
        }
        let line = match self.demands.keys.as_slice() {
            [] => "line",
            _ => "signed line",
        };
        let why = format!(
            "the log begins with line {first}, and no {line} says that what was before was deleted"
        );
        Some(Fault {
            file: self.opening.clone(),
            line: 1,
            seq: 0,
            why,
        })
    }

    /// Whether the log may end where it does.
    fn ends(&mut self, is_whole: bool) -> Result<(), String> {
        let Demands {
            keys,
            heads,
            stopped,
            ..
        } = self.demands;
        let signed = self.summary.signed;
        let next = self.chain.as_ref().map_or(0, |chain| chain.next);
        if let Some(noted) = heads.iter().find(|noted| noted.seq >= next) {
            return Err(format!(
                "the end was cut off: line {} was noted elsewhere, and the log ends before line {next}",
                noted.seq
            ));
        }
        let why = match &self.last {
            Some(Told::Head(head)) => head.why.as_str(),
            _ => "",
        };
        let is_unsigned = !keys.is_empty() && signed.is_none_or(|seq| seq + 1 != next);
        self.summary.is_stopped = why == "stop" && !is_unsigned && self.first.is_none();
        if is_whole && why == "rotation" {
            return Err("a segment is missing behind it: removed, or the server was killed in the middle of a rotation and not started since".into());
        }
        if *stopped && !self.summary.is_stopped {
            return Err(
                "the last line is not the head of a stop: the end was cut off, or the server was killed"
                    .into(),
            );
        }
        if !keys.is_empty() && signed.is_none() {
            return Err(
                "no head is signed: anybody who can write the log can have written it".into(),
            );
        }
        if !keys.is_empty() && self.summary.unsigned > HEAD_AFTER {
            return Err(format!(
                "{} lines are behind the last signed head, and no server with a key leaves more than {HEAD_AFTER}",
                self.summary.unsigned
            ));
        }
        Ok(())
    }
}
