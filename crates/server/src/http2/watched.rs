//! The stream that HTTP/2 is read from and written to: it counts what passes, and takes no more in than the
//! [`Allowance`] lets it.
//!
//! h2 decodes and judges frames, and answers those that break RFC 9113 by itself. What it does not do is to tell of it, and to bound what
//! is legal frame by frame. Both is done here, on the bytes.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::frames::{Allowance, Exhausted, Frame, Frames, Kind};
use crate::tls::TlsStream;

/// A TLS stream, watched.
pub(super) struct Watched {
    stream: TlsStream,
    watch: Arc<Watch>,
    /// It was shut down: what still comes is read and dropped for so long, so that a reset does not overtake our GOAWAY.
    lingering: Option<Pin<Box<Sleep>>>,
    left: usize,
}

/// What the stream and the connection's loop know of what has passed.
pub(super) struct Watch(Mutex<State>);

struct State {
    received: Frames,
    sent: Frames,
    allowance: Allowance,
    /// Of sockets that it opens. What they send pays for frames, so that these do not bound how often one is opened: each is
    /// two events of the audit log, and over HTTP/1.1 a handshake of TLS.
    openings: Allowance,
    /// The connection carries sockets.
    carries: bool,
    /// What was read since others had their turn: frames, bytes.
    quota: (usize, usize),
    paused: bool,
    exhausted: bool,
    faults: Vec<Fault>,
}

/// What h2 found wrong: the error code of a `RST_STREAM` or GOAWAY that it sent (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Stream(u32),
    Connection(u32),
}

/// What the loop has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    GoOn,
    /// Let others have their turn.
    Pause,
    /// The peer sent more than it may.
    HangUp,
}

/// What is read in one turn. Sockets take in between what came for them.
const QUOTA: (usize, usize) = (128, 64 * 1024);
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;
/// A fault costs as many frames, and so does a request that is refused.
const FAULT: u32 = 8;
/// Faults that are kept until the loop takes them.
const FAULTS: usize = 32;

impl Watch {
    /// Of a connection with so many streams: all may be opened twice in a row.
    pub(super) fn new(streams: u32) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self(Mutex::new(State {
            received: Frames::of_client(),
            sent: Frames::of_server(),
            allowance: Allowance::new(now),
            openings: Allowance::of(streams.saturating_mul(2), now),
            carries: false,
            quota: (0, 0),
            paused: false,
            exhausted: false,
            faults: Vec::new(),
        })))
    }

    /// What the loop has to do, and what went wrong meanwhile.
    pub(super) fn advise(&self, carries: bool) -> (Advice, Vec<Fault>) {
        let mut state = self.0.lock();
        state.carries = carries;
        let faults = std::mem::take(&mut state.faults);
        let advice = match (state.exhausted, state.paused) {
            (true, _) => Advice::HangUp,
            (false, true) => Advice::Pause,
            (false, false) => Advice::GoOn,
        };
        (advice, faults)
    }

    /// Others had their turn.
    pub(super) fn go_on(&self) {
        let mut state = self.0.lock();
        state.quota = (0, 0);
        state.paused = false;
    }

    /// A socket was admitted.
    pub(super) fn opened(&self) {
        let mut state = self.0.lock();
        let spent = state.openings.take(1, Instant::now());
        state.exhausted |= spent.is_err();
    }

    /// A request was refused.
    pub(super) fn refused(&self) {
        self.0.lock().charge(FAULT);
    }
}

impl State {
    fn charge(&mut self, cost: u32) {
        if self.allowance.take(cost, Instant::now()) == Err(Exhausted) {
            self.exhausted = true;
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let Self {
            received,
            allowance,
            carries,
            exhausted,
            quota: (frames, total),
            paused,
            ..
        } = self;
        received.see(bytes, |frame| {
            *frames += 1;
            *exhausted |= allowance.received(frame, *carries, now).is_err();
        });
        *total += bytes.len();
        *paused = *frames >= QUOTA.0 || *total >= QUOTA.1;
    }

    fn send(&mut self, bytes: &[u8]) {
        let Self {
            sent,
            allowance,
            faults,
            exhausted,
            ..
        } = self;
        let mut wrong = 0;
        sent.see(bytes, |frame| {
            allowance.sent(frame);
            // Of a peer that was hung up on, the reason is known.
            if let Some(fault) = fault(frame).filter(|_| !*exhausted) {
                wrong += FAULT;
                if faults.len() < FAULTS {
                    faults.push(fault);
                }
            }
        });
        if wrong > 0 {
            self.charge(wrong);
        }
    }
}

/// `NO_ERROR` and `CANCEL` are how streams end that nothing was wrong with.
fn fault(frame: Frame) -> Option<Fault> {
    const NO_ERROR: u32 = 0;
    const CANCEL: u32 = 8;
    match (frame.kind, frame.error) {
        (_, NO_ERROR) | (Kind::Reset, CANCEL) => None,
        (Kind::Reset, error) => Some(Fault::Stream(error)),
        (Kind::GoAway, error) => Some(Fault::Connection(error)),
        _ => None,
    }
}

impl Watched {
    pub(super) fn new(stream: TlsStream, watch: Arc<Watch>) -> Self {
        Self {
            stream,
            watch,
            lingering: None,
            left: LINGER_BYTES,
        }
    }

    /// Reads and drops until the peer has hung up, or has had its time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lingering = self
            .lingering
            .get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if lingering.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut chunk = [MaybeUninit::uninit(); 4096];
        while self.left > 0 {
            let mut read = ReadBuf::uninit(&mut chunk);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    self.left = self.left.saturating_sub(read.filled().len());
                }
                _ => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Watched {
    /// Pending without a wake-up where the loop has something to do: it looks after every poll.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        {
            let state = this.watch.0.lock();
            if state.paused || state.exhausted {
                return Poll::Pending;
            }
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let came = buf.filled().get(before..).unwrap_or_default();
        let mut state = this.watch.0.lock();
        state.receive(came);
        if state.exhausted {
            // What was too much is not handed on.
            buf.set_filled(before);
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, data))?;
        let sent = data.get(..written).unwrap_or_default();
        this.watch.0.lock().send(sent);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        ready!(this.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
