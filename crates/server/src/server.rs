//! What every connection shares.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;
use rustls::ServerConfig;
use tokio::sync::{Notify, mpsc::unbounded_channel};
use wardwire_admission::{gate::Gate, refusal::Refusal};
use wardwire_hub::Hub;

use crate::{
    acme::Acme,
    audit::{Audit, Cause, Event},
    bearer::Bearer,
    http::Site,
    http2,
    metrics::Metrics,
    shard::Handle,
};
use wardwire_admission::admit::Trail;

/// What the configuration says of every connection, beside who may come: a reload exchanges it as a whole.
pub struct Terms {
    /// What both ends may agree on. None where a certificate [renews itself](Server::acme), and where balancers end TLS and
    /// nobody else may connect.
    pub tls: Option<Arc<ServerConfig>>,
    /// The same at the listener that demands client certificates. None where nobody may come by it.
    pub mutual: Option<Arc<ServerConfig>>,
    /// What the application's own backend shows: one of these. Without any there is no backend.
    pub backend: Box<[Bearer]>,
    /// HTTP/2, where it is spoken.
    pub http2: Option<http2::Settings>,
    /// From the accepted connection to the `101`.
    pub handshake: Duration,
    /// Bytes queued for one slow socket.
    pub outbox: usize,
    /// Whether browsers are told to come back over TLS only: everywhere but on localhost (RFC 6797).
    pub hsts: bool,
    /// How long sockets may take to close when the server goes down.
    pub drain: Duration,
}

/// A server's shared parts. Read without locks on a message's way.
pub struct Server {
    /// Who gets a socket, and who keeps one.
    pub gate: Gate,
    /// What the sockets of channels routes share.
    pub hub: Arc<Hub>,
    /// Where it is written down.
    pub audit: Audit,
    /// What is counted.
    pub metrics: Metrics,
    /// What is known of each shard.
    pub shards: Arc<[Arc<Handle>]>,
    /// Of every connection. Asked at handshakes, never on a message's way.
    pub terms: RwLock<Arc<Terms>>,
    /// The certificate that renews itself, where there is one.
    pub acme: Option<Arc<Acme>>,
    /// Told when the server goes down.
    pub stopping: Notify,
    /// Pages and endpoints beside our own; the demo has some.
    pub site: Option<Box<dyn Site>>,
    /// Numbers given to connections so far.
    pub connections: AtomicU64,
}

impl Server {
    /// The certificate that renews itself, where there is one.
    #[must_use]
    pub fn acme(&self) -> Option<&Arc<Acme>> {
        self.acme.as_ref()
    }

    /// A number that names a connection in the audit log.
    pub fn number(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Those that hold now.
    pub fn terms(&self) -> Arc<Terms> {
        self.terms.read().clone()
    }

    /// Counts a connection that was hung up on without an answer.
    pub fn dropped(&self, cause: Cause, trail: &Trail) {
        self.metrics.dropped.inc();
        self.audit.dropped(cause, trail);
    }

    /// Lets nobody new in and ends every socket. Returns how many.
    pub fn drain(&self) -> usize {
        let told = self.gate.drain();
        // Whoever begins to listen from here on asks the gate, and finds it draining.
        self.stopping.notify_waiters();
        told
    }

    /// Has every socket judge anew what it follows, and waits until all have. Returns how many channels they had to leave.
    pub async fn rejudge(&self) -> usize {
        let (told, mut left) = unbounded_channel();
        for shard in &*self.shards {
            shard.rejudge(told.clone());
        }
        drop(told);
        let mut channels = 0;
        while let Some(some) = left.recv().await {
            channels += some;
        }
        channels
    }

    /// Writes a refusal down.
    pub fn refused(&self, trail: &Trail, refusal: &Refusal) {
        self.metrics.refusal(refusal);
        self.audit.record(Event::refusal(trail, refusal));
    }
}
