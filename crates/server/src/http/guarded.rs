//! The stream that hyper reads: it hands on only what [`head`] has passed, one request at a time.
//!
//! hyper is lenient where a gate must not be (it takes bare LF, and Content-Length beside Transfer-Encoding), and its own
//! refusals never reach the audit log. So each head is checked here on its raw bytes, and a refusal is answered here.
//! INVARIANT: no byte of a second request reaches hyper before the first was answered, and none that arrived before a
//! `101` was written reaches a session.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};
use wardwire_admission::{
    head,
    refusal::{Reason, Refusal, Stage},
};

use crate::tls::TlsStream;

/// Answers a refused head: writes the audit event and gives the bytes of the response.
pub(super) type Refuse = Box<dyn Fn(&Refusal) -> Vec<u8> + Send>;

/// A TLS stream with a strict reader of heads in front of it.
pub struct Guarded {
    stream: TlsStream,
    /// Decrypted and not yet handed on: at most one head and one read.
    received: Vec<u8>,
    phase: Phase,
    exchange: Arc<Exchange>,
    deadline: Pin<Box<Sleep>>,
    refuse: Refuse,
}

/// Where the request under way stands.
enum Phase {
    /// Waiting for a whole head.
    Head,
    /// This many checked bytes, head and body, may be handed on.
    Handing { left: usize, upgrade: bool },
    /// The service has the request; reading waits until it has answered.
    Serving { upgrade: bool },
    /// The head was refused: the answer, and how much of it is written.
    Refusing { answer: Vec<u8>, written: usize },
    /// Answered and shut down: what still comes is read and dropped, so that a reset does not overtake the answer.
    Lingering { left: usize },
}

/// What the service and the stream tell each other.
pub struct Exchange {
    state: Mutex<ExchangeState>,
    span: Duration,
}

struct ExchangeState {
    answered: bool,
    reader: Option<Waker>,
    deadline: Instant,
}

const READ: usize = 4 * 1024;
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

impl Exchange {
    /// For a connection of which the first request must be over by `deadline`, each later one within `span`.
    #[must_use]
    pub fn new(deadline: Instant, span: Duration) -> Arc<Self> {
        let state = ExchangeState {
            answered: false,
            reader: None,
            deadline,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            span,
        })
    }

    /// When the request under way must be over.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.state.lock().deadline
    }

    /// The service has answered: the next head may be read.
    pub fn answered(&self) {
        let mut state = self.state.lock();
        state.answered = true;
        state.deadline = Instant::now() + self.span;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    fn poll_answered(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        if std::mem::take(&mut state.answered) {
            return Poll::Ready(());
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn end_within(&self, span: Duration) {
        self.state.lock().deadline = Instant::now() + span;
    }
}

impl Guarded {
    /// Guards `stream`.
    #[must_use]
    pub fn new(stream: TlsStream, exchange: Arc<Exchange>, refuse: Refuse) -> Self {
        let deadline = Box::pin(sleep_until(exchange.deadline()));
        Self {
            stream,
            received: Vec::new(),
            phase: Phase::Head,
            exchange,
            deadline,
            refuse,
        }
    }

    /// The stream after a `101`, unless bytes came before it: those belong to nobody who was admitted.
    ///
    /// # Errors
    /// How many bytes came too early.
    pub fn into_upgraded(self) -> Result<TlsStream, usize> {
        if self.received.is_empty() {
            Ok(self.stream)
        } else {
            Err(self.received.len())
        }
    }

    /// Whether the request under way has had its time. Wakes the task when it has.
    fn overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.exchange.deadline();
        if self.deadline.deadline() != due {
            self.deadline.as_mut().reset(due);
        }
        self.deadline.as_mut().poll(cx).is_ready()
    }

    /// Reads once. Nothing read means that the peer has said all it will say.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunk = [MaybeUninit::uninit(); READ];
        let mut read = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        self.received.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match head::examine(&self.received) {
                Err(refusal) => self.begin_refusal(&refusal),
                Ok(Some(facts)) if facts.upgrade && self.received.len() > facts.length => {
                    let early = self.received.len() - facts.length;
                    let refusal = Refusal::new(Stage::Head, Reason::UpgradeWithBody)
                        .because(format_args!("{early} bytes behind the handshake request"));
                    self.begin_refusal(&refusal);
                }
                Ok(Some(facts)) => {
                    let left = facts.length + facts.body;
                    self.phase = Phase::Handing {
                        left,
                        upgrade: facts.upgrade,
                    };
                }
                Ok(None) => {
                    if self.overdue(cx) {
                        if self.received.is_empty() {
                            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                        }
                        let refusal = Refusal::new(Stage::Head, Reason::HandshakeTimeout);
                        self.begin_refusal(&refusal);
                    } else if ready!(self.poll_fill(cx))? == 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    } else {
                        continue;
                    }
                }
            }
            return Poll::Ready(Ok(()));
        }
    }

    fn begin_refusal(&mut self, refusal: &Refusal) {
        self.received = Vec::new();
        self.exchange.end_within(LINGER);
        self.phase = Phase::Refusing {
            answer: (self.refuse)(refusal),
            written: 0,
        };
    }

    /// Writes the refusal, shuts down, and lingers. Always ends in an error, so that hyper lets go.
    fn poll_refuse(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if self.overdue(cx) {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        match ready!(self.poll_refuse_within(cx)) {
            Ok(()) => Poll::Ready(io::ErrorKind::ConnectionAborted.into()),
            Err(error) => Poll::Ready(error),
        }
    }

    fn poll_refuse_within(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.phase {
                Phase::Refusing { answer, written } => {
                    while let Some(rest) = answer.get(*written..).filter(|rest| !rest.is_empty()) {
                        *written += ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
                    }
                    ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
                    self.phase = Phase::Lingering { left: LINGER_BYTES };
                }
                Phase::Lingering { left } => {
                    let before = *left;
                    let came = ready!(self.poll_fill(cx))?;
                    self.received = Vec::new();
                    if came == 0 || came >= before {
                        return Poll::Ready(Ok(()));
                    }
                    self.phase = Phase::Lingering {
                        left: before - came,
                    };
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Hands on at most what the check allowed.
    fn hand(&mut self, buf: &mut ReadBuf<'_>) -> usize {
        let Phase::Handing { left, upgrade } = &mut self.phase else {
            return 0;
        };
        let count = self.received.len().min(*left).min(buf.remaining());
        buf.put_slice(self.received.get(..count).unwrap_or_default());
        self.received.drain(..count);
        *left -= count;
        if *left == 0 {
            self.phase = Phase::Serving { upgrade: *upgrade };
        }
        if self.received.is_empty() {
            self.received = Vec::new();
        }
        count
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            match this.phase {
                Phase::Head => ready!(this.poll_head(cx))?,
                Phase::Handing { .. } => {
                    if !this.received.is_empty() {
                        this.hand(buf);
                        return Poll::Ready(Ok(()));
                    }
                    if this.overdue(cx) {
                        let refusal = Refusal::new(Stage::Head, Reason::HandshakeTimeout);
                        this.begin_refusal(&refusal);
                    } else if ready!(this.poll_fill(cx))? == 0 {
                        return Poll::Ready(Ok(()));
                    }
                }
                Phase::Serving { .. } => {
                    ready!(this.exchange.poll_answered(cx));
                    this.phase = Phase::Head;
                }
                Phase::Refusing { .. } | Phase::Lingering { .. } => {
                    return Poll::Ready(Err(ready!(this.poll_refuse(cx))));
                }
            }
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if let Phase::Serving { upgrade: true } = this.phase {
            // The answer to a handshake is about to leave. Anything that is here already came too early.
            let early = matches!(this.poll_fill(cx), Poll::Ready(Ok(count)) if count > 0);
            if early {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            this.phase = Phase::Serving { upgrade: false };
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, data);
        if written.is_pending() && this.overdue(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_pending() && this.overdue(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        if shut.is_pending() && this.overdue(cx) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        shut
    }
}
