//! Every message of a page comes back: Chromium's own transport instead of the load's.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde::Deserialize;
use serde_json::json;

use super::{Figure, Spans, Unit, Work, rate};
use crate::{Failure, server::Running};

pub(crate) struct Browser {
    pub(crate) bytes: usize,
    pub(crate) sockets: usize,
}

/// What Chromium agreed on with Wardwire.
#[derive(Deserialize)]
struct Negotiated {
    protocol: String,
    group: String,
}

/// Microseconds of a lone socket's round trips, as JavaScript sees them.
#[derive(Deserialize)]
struct Alone {
    p50: f64,
    p99: f64,
}

impl Work for Browser {
    fn name(&self) -> String {
        format!("browser-{}-{}", self.bytes, self.sockets)
    }

    fn title(&self) -> String {
        format!(
            "echo to Chromium, {} B, {} sockets of one page, 1 in flight",
            self.bytes, self.sockets
        )
    }

    fn takes(&self) -> Option<&'static str> {
        Some("browser")
    }

    fn measure(&self, server: &Running, spans: Spans) -> Result<Vec<Figure>, Failure> {
        let mut page = Page::open(server, self)?;
        let messages = rate(server, spans, || page.came_back())?;
        let alone = page.alone()?;
        let figure = |name, value| Figure {
            name,
            value,
            unit: Unit::Microseconds,
            core: None,
        };
        Ok(vec![
            messages,
            figure("round trip p50", alone.p50),
            figure("round trip p99", alone.p99),
        ])
    }
}

/// A page that is open until this is dropped.
struct Page {
    node: Child,
    says: Lines<BufReader<ChildStdout>>,
    asks: Option<ChildStdin>,
}

impl Page {
    fn open(server: &Running, work: &Browser) -> Result<Self, Failure> {
        let tokens = match &server.tokens {
            None => None,
            Some(tokens) => Some(
                (0..work.sockets)
                    .map(|it| tokens.mint(&format!("page-{it}")))
                    .collect::<Result<Vec<_>, _>>()?,
            ),
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../browser/echo.mjs");
        let mut node = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut page = Self {
            says: BufReader::new(node.stdout.take().ok_or("no standard output")?).lines(),
            asks: node.stdin.take(),
            node,
        };
        page.ask(&json!({
            "certificate": server.certificate_file(),
            "port": server.address.port(),
            "tokens": tokens,
            "sockets": work.sockets,
            "bytes": work.bytes,
        }))?;
        let open = page.said("open ")?;
        if tokens.is_some() {
            let negotiated: Negotiated = serde_json::from_str(&open)?;
            if negotiated.protocol != "TLS 1.3" || negotiated.group != "X25519MLKEM768" {
                return Err(
                    format!("Chromium was expected to agree on other things: {open}").into(),
                );
            }
        }
        Ok(page)
    }

    fn ask(&mut self, what: &impl std::fmt::Display) -> Result<(), Failure> {
        let asks = self.asks.as_mut().ok_or("no standard input")?;
        Ok(writeln!(asks, "{what}")?)
    }

    fn line(&mut self) -> Result<String, Failure> {
        Ok(self.says.next().ok_or("the browser has gone")??)
    }

    /// The rest of the next line that begins so.
    fn said(&mut self, word: &str) -> Result<String, Failure> {
        loop {
            if let Some(rest) = self.line()?.strip_prefix(word) {
                return Ok(rest.to_owned());
            }
        }
    }

    fn came_back(&mut self) -> Result<u64, Failure> {
        let line = self.line()?;
        line.parse()
            .map_err(|_| format!("the page says {line:?}").into())
    }

    fn alone(&mut self) -> Result<Alone, Failure> {
        self.ask(&"one")?;
        Ok(serde_json::from_str(&self.said("alone ")?)?)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // It closes the browser at the end of its input.
        self.asks = None;
        let _ = self.node.wait();
    }
}
