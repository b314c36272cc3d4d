//! HTTP/2 (RFC 9113), where the configuration wants it: WebSockets by extended CONNECT (RFC 8441), and our own endpoints.
//!
//! A connection is one task that turns h2's state machine; each request is another, and each socket lives in the shard as
//! any other does. [`watched`] counts what passes, [`frames`] says how much of it is too much, [`life`] how long the
//! connection may be idle, [`requests`] answers, [`stream`] is what a socket reads and writes.
//!
//! INVARIANT: a request reaches [`admit`](wardwire_admission::admit) as one of HTTP/1.1 does, and passes the same stages:
//! there is no second way in.

mod frames;
mod life;
mod requests;
mod stream;
mod watched;

use std::{
    future::{Future as _, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use h2::{
    Reason as Error, RecvStream,
    server::{Builder, SendResponse},
};
use http::Request;
use tokio::{
    sync::futures::Notified,
    time::{Instant, Sleep, sleep_until, timeout, timeout_at},
};
use wardwire_admission::{
    admit::{Trail, Transport},
    caps::ConnectionSlot,
    head,
    refusal::{Reason, Refusal, Stage},
};

pub use stream::Stream;

use crate::{server::Server, shard::Handle, tls::TlsStream};
use life::Life;
use requests::Shared;
use watched::{Advice, Fault, Watch, Watched};

/// Whether HTTP/2 is spoken, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Streams of one connection that are open at once: sockets and requests.
    pub streams: u32,
}

/// A connection on which both ends agreed on HTTP/2.
pub(crate) struct Newcomer {
    pub(crate) server: Arc<Server>,
    pub(crate) settings: Settings,
    pub(crate) number: u64,
    pub(crate) transport: Transport,
    pub(crate) slot: ConnectionSlot,
    pub(crate) turned: Option<Refusal>,
    pub(crate) shard: Arc<Handle>,
}

type Connection = h2::server::Connection<Watched, Bytes>;

/// RFC 9113 §6.5.2 counts 32 bytes a field. What is over our own bound is refused by us, and so written down; what is far
/// over it, by h2.
const HEADER_LIST: u32 = (head::HEAD + head::FIELDS * 32 + 4096) as u32;
/// What one stream may send before it is read: as much as a message.
const STREAM_WINDOW: u32 = 65_535;
/// The same of a whole connection, once it carries sockets. Before, it is the least there is.
const WINDOW: u32 = 1024 * 1024;
/// What h2 may hold beside that for DATA of less than 256 bytes that nobody has taken yet, as each frame takes as much as that,
/// were there a single byte in it: 4096 frames.
const CRUMBS: usize = WINDOW as usize;
/// What h2 holds of a stream that the network does not take.
const SEND_BUFFER: usize = 16 * 1024;
/// Streams that were reset and of which frames may still come.
const RESET_STREAMS: usize = 20;
/// Streams that h2 resets as they break the protocol, in all the time of a connection. Of how many at a time the allowance
/// decides.
const BROKEN_STREAMS: usize = 1024;
/// For a GOAWAY to arrive.
const LINGER: Duration = Duration::from_secs(1);

/// Serves a connection until it ends, or is of no use any more.
pub(crate) async fn serve(newcomer: Newcomer, stream: TlsStream, deadline: Instant) {
    let Newcomer {
        server,
        settings,
        number,
        transport,
        slot,
        turned,
        shard,
    } = newcomer;
    let everybody = server.clone();
    let _open = everybody.metrics.http2.enter();
    let shared = Arc::new(Shared {
        life: Life::new(slot, deadline, server.terms().handshake),
        watch: Watch::new(settings.streams),
        server,
        number,
        transport,
        shard,
        turned,
    });
    let watched = Watched::new(stream, shared.watch.clone());
    let agreed = builder(settings).handshake(watched);
    let connection = match timeout_at(deadline, agreed).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return shared.refused(Reason::Http2Protocol, &error.to_string()),
        Err(_) => return shared.refused(Reason::HandshakeTimeout, "no HTTP/2 preface"),
    };
    let stopping = pin!(everybody.stopping.notified());
    let mut driver = Driver {
        connection,
        due: Box::pin(sleep_until(deadline)),
        going: Going::On,
        widened: false,
        shared,
    };
    driver.run(stopping).await;
}

fn builder(settings: Settings) -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(settings.streams)
        .max_header_list_size(HEADER_LIST)
        .initial_window_size(STREAM_WINDOW)
        .data_frame_budget(CRUMBS)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(RESET_STREAMS)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(Some(BROKEN_STREAMS));
    builder
}

struct Driver {
    shared: Arc<Shared>,
    connection: Connection,
    /// When it has to end, if nothing happens.
    due: Pin<Box<Sleep>>,
    going: Going,
    widened: bool,
}

/// Whether the client was told that the server goes down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Going {
    On,
    Down,
}

#[allow(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is made"
)]
enum Next {
    Request(Request<RecvStream>, SendResponse<Bytes>),
    /// Others have their turn first.
    Pause,
    /// It ends, with this for a reason.
    HangUp(Error),
    Ended,
}

impl Driver {
    async fn run(&mut self, mut stopping: Pin<&mut Notified<'_>>) {
        loop {
            match poll_fn(|cx| self.poll(cx, stopping.as_mut())).await {
                Next::Request(request, reply) => {
                    let shared = self.shared.clone();
                    // A task of its own: a panic in it costs one stream.
                    let busy = shared.life.begin();
                    tokio::spawn(Box::pin(requests::respond(shared, busy, request, reply)));
                }
                Next::Pause => {
                    tokio::task::yield_now().await;
                    self.shared.watch.go_on();
                }
                Next::HangUp(reason) => {
                    self.connection.abrupt_shutdown(reason);
                    let closed = poll_fn(|cx| self.connection.poll_closed(cx));
                    let _ = timeout(LINGER, closed).await;
                    return self.tell_faults();
                }
                Next::Ended => return self.tell_faults(),
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, stopping: Pin<&mut Notified<'_>>) -> Poll<Next> {
        self.widen();
        let told = self.going == Going::On && stopping.poll(cx).is_ready();
        if self.going == Going::On && (told || self.shared.server.gate.is_draining()) {
            self.going = Going::Down;
            self.connection.graceful_shutdown();
            self.shared.life.end_within(LINGER);
        }
        let until = self.shared.life.until(cx);
        let next = match self.connection.poll_accept(cx) {
            Poll::Ready(Some(Ok((request, reply)))) => Some(Next::Request(request, reply)),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(connection = self.shared.number, %error, "connection ended");
                Some(Next::Ended)
            }
            Poll::Ready(None) => Some(Next::Ended),
            Poll::Pending => None,
        };
        match self.advice() {
            Advice::HangUp => {
                let why = "more frames than they are worth";
                self.shared.refused(Reason::Http2Flood, why);
                return Poll::Ready(Next::HangUp(Error::ENHANCE_YOUR_CALM));
            }
            Advice::Pause if next.is_none() => return Poll::Ready(Next::Pause),
            _ => {}
        }
        if let Some(next) = next {
            return Poll::Ready(next);
        }
        match until {
            Some(until) if self.is_due(until, cx) => Poll::Ready(Next::HangUp(Error::NO_ERROR)),
            _ => Poll::Pending,
        }
    }

    /// Who was let in may send more at once.
    fn widen(&mut self) {
        if !self.widened && self.shared.life.carries() {
            self.widened = true;
            self.connection.set_target_window_size(WINDOW);
        }
    }

    fn is_due(&mut self, until: Instant, cx: &mut Context<'_>) -> bool {
        if self.due.deadline() != until {
            self.due.as_mut().reset(until);
        }
        self.due.as_mut().poll(cx).is_ready()
    }

    fn advice(&self) -> Advice {
        let (advice, faults) = self.shared.watch.advise(self.shared.life.carries());
        self.shared.tell(&faults);
        advice
    }

    /// What h2 has ended it for stands in its last bytes.
    fn tell_faults(&self) {
        self.advice();
    }
}

impl Shared {
    fn tell(&self, faults: &[Fault]) {
        for fault in faults {
            let (what, code) = match *fault {
                Fault::Stream(code) => ("RST_STREAM", code),
                Fault::Connection(code) => ("GOAWAY", code),
            };
            let error = Error::from(code);
            let reason = match error {
                Error::ENHANCE_YOUR_CALM => Reason::Http2Flood,
                _ => Reason::Http2Protocol,
            };
            self.refused(reason, &format!("{what}: {}", error.description()));
        }
    }

    fn refused(&self, reason: Reason, why: &str) {
        let trail = Trail {
            connection: self.number,
            peer: Some(self.transport.peer),
            balancer: self.transport.balancer,
            ..Trail::default()
        };
        let refusal = Refusal::new(Stage::Head, reason).because(why);
        self.server.refused(&trail, &refusal);
    }
}
