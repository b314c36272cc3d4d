//! What is counted, as Prometheus reads it. Names and labels are bounded by the code.
//!
//! What happens on a message's way is counted by each [`shard`] for itself, and added up when somebody asks.

mod reload;
mod shard;

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use wardwire_admission::refusal::Refusal;

pub use reload::Reloads;
pub use shard::{Histogram, ShardMetrics, Tally};

use crate::{logging, server::Server};

/// What a server counts beside its shards.
#[derive(Default)]
pub struct Metrics {
    /// Connections accepted.
    pub accepted: Counter,
    /// Connections dropped without an answer, as the pool was overfull.
    pub dropped: Counter,
    /// TLS handshakes that failed.
    pub tls_failures: Counter,
    /// Sockets admitted.
    pub admissions: Counter,
    /// Reloads of the configuration.
    pub reloads: Reloads,
    /// HTTP/2 connections.
    pub http2: Gauge,
    refusals: Labelled<(&'static str, &'static str)>,
    closes: Labelled<u16>,
}

/// Something that only grows.
#[derive(Default)]
pub struct Counter(AtomicU64);

/// Counters by a label from a small set. Not on a message's way.
type Labelled<K> = Mutex<std::collections::BTreeMap<K, u64>>;

impl Counter {
    /// One more.
    pub fn inc(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are now.
#[derive(Default)]
pub struct Gauge(AtomicU64);

/// One of them, until it is dropped.
pub struct Entered<'a>(&'a Gauge);

impl Gauge {
    /// One more.
    #[must_use]
    pub fn enter(&self) -> Entered<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(self)
    }

    /// How many.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a refusal by stage and reason.
    pub fn refusal(&self, refusal: &Refusal) {
        let key = (refusal.stage.as_str(), refusal.reason.code());
        *self.refusals.lock().entry(key).or_default() += 1;
    }

    /// Counts the end of a socket by its close code. Of those that no standard and not this server gives a meaning, a peer has
    /// 2,000 to choose from: they are counted as 4000.
    pub fn close(&self, code: u16) {
        let label = match code {
            ..=3000 | 3003 | 3008 => code,
            _ => 4000,
        };
        *self.closes.lock().entry(label).or_default() += 1;
    }
}

/// The text format of Prometheus, version 0.0.4.
#[must_use]
pub fn render(server: &Server) -> String {
    let mut out = String::new();
    counters(server, &mut out);
    gauges(server, &mut out);
    histograms(server, &mut out);
    labelled(&server.metrics, &mut out);
    server.metrics.reloads.render(&mut out);
    certificate(server, &mut out);
    out
}

fn counters(server: &Server, out: &mut String) {
    let metrics = &server.metrics;
    let all = |tally: fn(&ShardMetrics) -> &Tally| -> u64 {
        let each = server.shards.iter().map(|shard| tally(&shard.metrics));
        each.map(Tally::get).sum()
    };
    for (name, help, value) in [
        (
            "connections_accepted_total",
            "Connections accepted.",
            metrics.accepted.get(),
        ),
        (
            "connections_dropped_total",
            "Connections dropped without an answer.",
            metrics.dropped.get(),
        ),
        (
            "tls_failures_total",
            "TLS handshakes that failed.",
            metrics.tls_failures.get(),
        ),
        (
            "admissions_total",
            "Sockets admitted.",
            metrics.admissions.get(),
        ),
        (
            "panics_total",
            "Faults of the server's own that ended in a panic.",
            logging::panics(),
        ),
        (
            "audit_unshipped_total",
            "Audit lines that could not be shipped and stand in the file only.",
            server.audit.unshipped(),
        ),
        (
            "messages_received_total",
            "Messages received.",
            all(|shard| &shard.messages_in),
        ),
        (
            "sent_bytes_total",
            "Frame bytes sent, before TLS.",
            all(|shard| &shard.bytes_out),
        ),
        (
            "publications_total",
            "Publications accepted.",
            all(|shard| &shard.publications),
        ),
        (
            "publications_invalid_total",
            "Publications refused as not what the channel takes.",
            all(|shard| &shard.invalid),
        ),
        (
            "publications_reported_total",
            "Publications let through that a channel in the mode report would have refused.",
            all(|shard| &shard.reported),
        ),
        (
            "rpc_errors_total",
            "In-band errors answered.",
            all(|shard| &shard.errors),
        ),
        (
            "presence_full_total",
            "How often a socket could not be present in a channel, as no more fitted.",
            server.hub.crowded(),
        ),
    ] {
        family(out, name, help, "counter");
        let _ = writeln!(out, "wardwire_{name} {value}");
    }
}

fn gauges(server: &Server, out: &mut String) {
    let gate = &server.gate;
    for (name, help, value) in [
        (
            "sockets_open",
            "Live sockets.",
            gate.leases().count() as u64,
        ),
        (
            "connections_unadmitted",
            "Connections not admitted.",
            u64::from(gate.caps().unadmitted()),
        ),
        (
            "sessions_open",
            "Cookie sessions that are kept.",
            gate.sessions().count() as u64,
        ),
        (
            "http2_connections_open",
            "HTTP/2 connections.",
            server.metrics.http2.get(),
        ),
        (
            "audit_healthy",
            "1 while audit events reach the disk.",
            u64::from(server.audit.is_healthy()),
        ),
        (
            "audit_shipping",
            "1 while audit lines arrive where they are shipped to, if anywhere.",
            u64::from(server.audit.is_shipping()),
        ),
    ] {
        family(out, name, help, "gauge");
        let _ = writeln!(out, "wardwire_{name} {value}");
    }
    family(out, "shard_sockets", "Live sockets by shard.", "gauge");
    for shard in &*server.shards {
        let (number, sockets) = (shard.number, shard.sockets());
        let _ = writeln!(
            out,
            "wardwire_shard_sockets{{shard=\"{number}\"}} {sockets}"
        );
    }
}

fn histograms(server: &Server, out: &mut String) {
    type Part = fn(&ShardMetrics) -> &Histogram;
    let parts: [(&str, &str, f64, Part); 4] = [
        (
            "shard_turn_seconds",
            "How long turns took in which there was something to do.",
            1e6,
            |shard| &shard.turn,
        ),
        (
            "flush_bytes",
            "Bytes handed to the kernel for one socket at once.",
            1.0,
            |shard| &shard.flush,
        ),
        (
            "outbox_bytes",
            "Bytes that waited for a socket when its peer did not take all.",
            1.0,
            |shard| &shard.outbox,
        ),
        (
            "handshakes_waiting",
            "Connections that waited for a handshake's step, by turn.",
            1.0,
            |shard| &shard.waiting,
        ),
    ];
    for (name, help, scale, part) in parts {
        family(out, name, help, "histogram");
        let each = server.shards.iter().map(|shard| part(&shard.metrics));
        Histogram::render(each, name, scale, out);
    }
}

fn labelled(metrics: &Metrics, out: &mut String) {
    family(
        out,
        "refusals_total",
        "Refusals by stage and reason.",
        "counter",
    );
    for ((stage, reason), count) in &*metrics.refusals.lock() {
        let _ = writeln!(
            out,
            "wardwire_refusals_total{{stage=\"{stage}\",reason=\"{reason}\"}} {count}"
        );
    }
    family(
        out,
        "closes_total",
        "Ended sockets by close code.",
        "counter",
    );
    for (code, count) in &*metrics.closes.lock() {
        let _ = writeln!(out, "wardwire_closes_total{{code=\"{code}\"}} {count}");
    }
}

/// Where certificates renew themselves.
fn certificate(server: &Server, out: &mut String) {
    let Some(acme) = server.acme() else {
        return;
    };
    for (name, help, kind, value) in [
        (
            "certificates_obtained_total",
            "Certificates obtained by ACME.",
            "counter",
            acme.tally.obtained.get(),
        ),
        (
            "certificate_failures_total",
            "Attempts to obtain a certificate that came to nothing.",
            "counter",
            acme.tally.failed.get(),
        ),
        (
            "certificate_ends_seconds",
            "When the certificate in use ends, in seconds since 1970; 0 if there is none.",
            "gauge",
            acme.ends().unwrap_or_default(),
        ),
    ] {
        family(out, name, help, kind);
        let _ = writeln!(out, "wardwire_{name} {value}");
    }
}

fn family(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(
        out,
        "# HELP wardwire_{name} {help}\n# TYPE wardwire_{name} {kind}"
    );
}
