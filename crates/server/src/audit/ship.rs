//! Sends each line on to where the server's own machine cannot take it back: the system's log, or a descriptor that was
//! handed down.
//!
//! What is shipped was written to the file before. It goes through a bounded queue to a thread of its own, so that nothing
//! out there holds up the file. A line that cannot be sent is tried again while others gather; what the queue cannot hold is
//! dropped here, counted, and written down as an event `unshipped`. The file has it all the same.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        fs::{FileTypeExt as _, OpenOptionsExt as _},
        net::UnixDatagram,
    },
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::Event;

/// Where lines are shipped to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ship {
    /// `syslog:/dev/log`: a datagram socket that takes RFC 5424.
    Syslog(PathBuf),
    /// `fd:3`: a pipe, FIFO, terminal or file that the server was started with.
    Descriptor(u32),
}

/// The writer's end.
pub(super) struct Shipper {
    queue: SyncSender<Vec<u8>>,
    state: Arc<Shipping>,
    /// How many dropped lines the log owns up to, and since when.
    told: u64,
    turned: Instant,
}

/// What is known of the shipping.
#[derive(Default)]
pub(super) struct Shipping {
    queued: AtomicUsize,
    dropped: AtomicU64,
    failing: AtomicBool,
    overflown: AtomicBool,
}

/// Bytes that wait for a receiver that is slow or away.
const QUEUE: usize = 4 * 1024 * 1024;
/// Batches of them, which are seldom smaller than a line of 256 bytes.
const BATCHES: usize = QUEUE / 256;
/// Between two tries.
const RETRY: Duration = Duration::from_millis(200);
/// For a receiver that is slow.
const SLOW: Duration = Duration::from_secs(1);
/// Between two tries of a full pipe.
const FULL: Duration = Duration::from_millis(5);
/// Between two events that own up to dropped lines.
const TELL: Duration = Duration::from_secs(10);
/// Facility 13 (log audit), severity 6 (informational): RFC 5424 §6.2.1.
const PRIORITY: u32 = 13 * 8 + 6;

impl FromStr for Ship {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let explained = "it is \"syslog:/dev/log\" or \"fd:3\"";
        match text.split_once(':').ok_or(explained)? {
            ("syslog", path) if path.starts_with('/') => Ok(Self::Syslog(path.into())),
            ("syslog", _) => Err("the socket's path begins with a slash: \"syslog:/dev/log\""),
            ("fd", number) => match number.parse() {
                Ok(number) if number > 2 => Ok(Self::Descriptor(number)),
                _ => Err("a descriptor that is handed down is 3 or higher: \"fd:3\""),
            },
            _ => Err(explained),
        }
    }
}

impl Shipper {
    /// Begins to ship. To be called before the server opens anything that could take the descriptor's number.
    ///
    /// # Errors
    /// The descriptor was not handed down, or cannot be written.
    pub(super) fn start(ship: &Ship) -> io::Result<Self> {
        let way = match ship {
            Ship::Syslog(path) => Way::Syslog(path.clone(), None),
            Ship::Descriptor(number) => Way::Descriptor(handed_down(*number)?),
        };
        let state = Arc::new(Shipping::default());
        let (queue, batches) = sync_channel(BATCHES);
        let sender = Sender {
            way,
            state: state.clone(),
        };
        thread::Builder::new()
            .name("audit-ship".into())
            .spawn(move || sender.run(&batches))?;
        Ok(Self {
            queue,
            state,
            told: 0,
            turned: Instant::now(),
        })
    }

    pub(super) fn state(&self) -> Arc<Shipping> {
        self.state.clone()
    }

    /// Hands lines over, without waiting.
    pub(super) fn ship(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let Shipping {
            queued,
            dropped,
            overflown,
            ..
        } = &*self.state;
        let size = lines.len();
        let has_room = queued.fetch_add(size, Ordering::Relaxed) + size <= QUEUE;
        if has_room && self.queue.try_send(lines.to_vec()).is_ok() {
            return;
        }
        queued.fetch_sub(size, Ordering::Relaxed);
        let count = lines.iter().filter(|&&byte| byte == b'\n').count();
        dropped.fetch_add(count as u64, Ordering::Relaxed);
        if !overflown.swap(true, Ordering::Relaxed) {
            tracing::error!("audit lines are dropped on their way out: they are in the file only");
        }
    }

    /// The event that owns up to lines that were dropped, every ten seconds at most.
    pub(super) fn dropped(&mut self) -> Option<Event> {
        if self.turned.elapsed() < TELL {
            return None;
        }
        self.turned = Instant::now();
        self.owed()
    }

    /// The same at once.
    pub(super) fn owed(&mut self) -> Option<Event> {
        let dropped = self.state.dropped.load(Ordering::Relaxed);
        let count = dropped.saturating_sub(self.told);
        self.told = dropped;
        let mut event = Event::new("unshipped");
        event.outcome.count = Some(count);
        (count > 0).then_some(event)
    }

    /// Waits until everything is sent, or `patience` is over.
    pub(super) fn wait(&self, patience: Duration) {
        let until = Instant::now() + patience;
        while self.state.queued.load(Ordering::Relaxed) > 0 && Instant::now() < until {
            thread::sleep(FULL);
        }
    }
}

impl Shipping {
    /// Whether lines arrive.
    pub(super) fn is_well(&self) -> bool {
        !self.failing.load(Ordering::Relaxed) && !self.overflown.load(Ordering::Relaxed)
    }

    /// Lines that were dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The other end.
struct Sender {
    way: Way,
    state: Arc<Shipping>,
}

enum Way {
    /// Connected when it is first needed, and again after a failure.
    Syslog(PathBuf, Option<UnixDatagram>),
    Descriptor(File),
}

impl Sender {
    fn run(mut self, batches: &Receiver<Vec<u8>>) {
        while let Ok(batch) = batches.recv() {
            for line in batch.split_inclusive(|&byte| byte == b'\n') {
                self.deliver(line);
            }
            let queued = self.state.queued.fetch_sub(batch.len(), Ordering::Relaxed);
            if queued == batch.len() {
                self.state.overflown.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Sends a line, however long that takes.
    fn deliver(&mut self, line: &[u8]) {
        let mut sent = 0;
        while let Some(rest) = line.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.way.send(rest) {
                Ok(some) => {
                    sent += some;
                    self.state.failing.store(false, Ordering::Relaxed);
                }
                Err(error) => {
                    if !self.state.failing.swap(true, Ordering::Relaxed) {
                        tracing::error!(%error, "audit lines cannot be shipped");
                    }
                    thread::sleep(RETRY);
                }
            }
        }
    }
}

impl Way {
    fn send(&mut self, line: &[u8]) -> io::Result<usize> {
        match self {
            Self::Syslog(path, connected) => {
                let socket = match connected.take() {
                    Some(socket) => socket,
                    None => connect(path)?,
                };
                socket.send(&framed(line))?;
                *connected = Some(socket);
                Ok(line.len())
            }
            Self::Descriptor(file) => write_soon(file, line),
        }
    }
}

fn connect(path: &PathBuf) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SLOW))?;
    socket.connect(path)?;
    Ok(socket)
}

/// Writes what goes into a pipe, which may be full for a moment.
fn write_soon(file: &mut File, line: &[u8]) -> io::Result<usize> {
    let until = Instant::now() + SLOW;
    loop {
        match file.write(line) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => {
                thread::sleep(FULL);
            }
            outcome => return outcome,
        }
    }
}

/// Opens what stands behind a descriptor anew, which needs no trust that the number is ours to close, and lets its writes
/// not block.
fn handed_down(number: u32) -> io::Result<File> {
    let path = PathBuf::from(format!("/proc/self/fd/{number}"));
    let explain = |why: &dyn std::fmt::Display| {
        io::Error::other(format!("audit.ship: descriptor {number} {why}"))
    };
    let kind = fs::metadata(&path)
        .map_err(|_| {
            explain(&"was not handed down: start the server with it, as in `3>>copy.jsonl`")
        })?
        .file_type();
    if !kind.is_file() && !kind.is_fifo() && !kind.is_char_device() {
        return Err(explain(
            &"is no pipe, FIFO, terminal or file; for a datagram socket write syslog:PATH",
        ));
    }
    OpenOptions::new()
        .append(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed())
        .open(&path)
        .map_err(|error| explain(&format_args!("cannot be written: {error}")))
}

/// A line as a message of RFC 5424 §6. Its time and name are the event's own; the line is ASCII, and has no tab or line end
/// but its last. The receiver adds the host's name.
fn framed(line: &[u8]) -> Vec<u8> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let text = str::from_utf8(line).unwrap_or_default();
    let after = |name: &str| {
        let (_, rest) = text.split_once(name)?;
        rest.split_once('"').map(|(value, _)| value)
    };
    let time = after("\"time\":\"").unwrap_or("-");
    let name = after("\"event\":\"").unwrap_or("-");
    let process = std::process::id();
    format!("<{PRIORITY}>1 {time} - wardwire {process} {name} - {text}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_socket_or_a_descriptor_that_is_nobody_elses() {
        let syslog = Ship::Syslog("/dev/log".into());
        assert_eq!("syslog:/dev/log".parse(), Ok(syslog));
        assert_eq!("fd:3".parse(), Ok(Ship::Descriptor(3)));
        for wrong in [
            "fd:2",
            "fd:-1",
            "fd:",
            "syslog:log",
            "udp:1.2.3.4",
            "fd",
            "",
        ] {
            assert!(wrong.parse::<Ship>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_line_is_framed_as_rfc_5424_says() {
        let line = b"{\"seq\":0,\"time\":\"2026-01-31T23:59:59.999Z\",\"event\":\"start\",\"prev\":\"\"}\n";
        let framed = String::from_utf8(framed(line)).unwrap();
        let header = format!(
            "<110>1 2026-01-31T23:59:59.999Z - wardwire {} start - {{\"seq\":0,",
            std::process::id()
        );
        assert!(framed.starts_with(&header), "{framed}");
        assert!(framed.ends_with('}'));
    }
}
