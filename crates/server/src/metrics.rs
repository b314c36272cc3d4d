//! What is counted, as Prometheus reads it. Counting is one atomic addition; names and labels are bounded by the code.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;
use wardwire_admission::{gate::Gate, refusal::Refusal};

/// All counters of a server.
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
    /// Messages received.
    pub messages_in: Counter,
    /// Frame bytes sent.
    pub bytes_out: Counter,
    /// Publications accepted.
    pub publications: Counter,
    /// In-band errors answered.
    pub errors: Counter,
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
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

impl Metrics {
    /// Counts a refusal by stage and reason.
    pub fn refusal(&self, refusal: &Refusal) {
        let key = (refusal.stage.as_str(), refusal.reason.code());
        *self.refusals.lock().entry(key).or_default() += 1;
    }

    /// Counts the end of a socket by its close code. Codes of a peer's own choice are counted as 4000.
    pub fn close(&self, code: u16) {
        *self.closes.lock().entry(code.min(4000)).or_default() += 1;
    }

    /// The text format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn render(&self, gate: &Gate, audit_healthy: bool) -> String {
        let mut out = String::new();
        let counters = [
            (
                "connections_accepted_total",
                "Connections accepted.",
                &self.accepted,
            ),
            (
                "connections_dropped_total",
                "Connections dropped as the pool was overfull.",
                &self.dropped,
            ),
            (
                "tls_failures_total",
                "TLS handshakes that failed.",
                &self.tls_failures,
            ),
            ("admissions_total", "Sockets admitted.", &self.admissions),
            (
                "messages_received_total",
                "Messages received.",
                &self.messages_in,
            ),
            (
                "sent_bytes_total",
                "Frame bytes sent, before TLS.",
                &self.bytes_out,
            ),
            (
                "publications_total",
                "Publications accepted.",
                &self.publications,
            ),
            ("rpc_errors_total", "In-band errors answered.", &self.errors),
        ];
        for (name, help, counter) in counters {
            let value = counter.0.load(Ordering::Relaxed);
            family(&mut out, name, help, "counter");
            let _ = writeln!(out, "wardwire_{name} {value}");
        }
        let audit = u64::from(audit_healthy);
        let gauges = [
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
                "audit_healthy",
                "1 while audit events reach the disk.",
                audit,
            ),
        ];
        for (name, help, value) in gauges {
            family(&mut out, name, help, "gauge");
            let _ = writeln!(out, "wardwire_{name} {value}");
        }
        family(
            &mut out,
            "refusals_total",
            "Refusals by stage and reason.",
            "counter",
        );
        for ((stage, reason), count) in &*self.refusals.lock() {
            let _ = writeln!(
                out,
                "wardwire_refusals_total{{stage=\"{stage}\",reason=\"{reason}\"}} {count}"
            );
        }
        family(
            &mut out,
            "closes_total",
            "Ended sockets by close code.",
            "counter",
        );
        for (code, count) in &*self.closes.lock() {
            let _ = writeln!(out, "wardwire_closes_total{{code=\"{code}\"}} {count}");
        }
        out
    }
}

fn family(out: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(
        out,
        "# HELP wardwire_{name} {help}\n# TYPE wardwire_{name} {kind}"
    );
}
