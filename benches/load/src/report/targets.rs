//! What Wardwire must reach.

use crate::rounds::Results;

/// A ratio to a rival, or a figure of its own, that a work must reach.
struct Target {
    work: &'static str,
    aim: Aim,
}

enum Aim {
    /// Better than this rival by this factor.
    Ratio { rival: &'static str, least: f64 },
    /// This figure, at most.
    AtMost { figure: &'static str, most: f64 },
    /// This figure at most so many times that one.
    Times {
        figure: &'static str,
        of: &'static str,
        most: f64,
    },
    /// This figure, at least.
    AtLeast { figure: &'static str, least: f64 },
    /// This figure of Wardwire's better than that of the rival by this factor.
    Beside {
        figure: &'static str,
        rival: &'static str,
        of: &'static str,
        least: f64,
    },
}

/// Whether a target is met. None where it was not measured.
pub(super) struct Verdict {
    pub(super) target: String,
    pub(super) measured: Option<String>,
    pub(super) met: Option<bool>,
}

const fn ratio(work: &'static str, rival: &'static str, least: f64) -> Target {
    Target {
        work,
        aim: Aim::Ratio { rival, least },
    }
}

const fn guarded(rival: &'static str, least: f64) -> Target {
    Target {
        work: "fan-out-guarded-1000",
        aim: Aim::Beside {
            figure: "guarded",
            rival,
            of: "plain",
            least,
        },
    }
}

/// Round trips, and what both ends may take beside them.
const fn trips(figure: &'static str, most: f64) -> Target {
    Target {
        work: "opening",
        aim: Aim::AtMost {
            figure,
            most: most + 0.3,
        },
    }
}

/// Bun has uWebSockets inside, which is the anchor; crates and products are floors.
const TARGETS: &[Target] = &[
    ratio("echo-64-100-1", "bun", 0.95),
    ratio("echo-64-1000-1", "bun", 0.95),
    ratio("echo-1024-100-1", "bun", 0.95),
    ratio("echo-64-100-16", "bun", 0.90),
    ratio("echo-64-100-16", "tungstenite", 1.3),
    ratio("echo-65536-100-1", "bun", 1.2),
    ratio("browser-64-100", "bun", 0.95),
    ratio("fan-out-1000-1", "bun", 1.0),
    ratio("fan-out-1000-1", "tokio-websockets", 1.2),
    ratio("fan-out-1000-1", "sockudo", 2.0),
    ratio("fan-out-1000-1", "centrifuge", 1.5),
    ratio("fan-out-1000-1", "socket.io", 3.0),
    ratio("fan-out-1000-1", "nats", 3.0),
    ratio("fan-out-1000-16", "bun", 1.0),
    ratio("fan-out-1000-16", "tokio-websockets", 1.2),
    ratio("fan-out-1000-16", "tokio-websockets-send", 8.0),
    ratio("fan-out-1000-16", "sockudo", 2.0),
    ratio("fan-out-1000-16", "centrifuge", 1.5),
    ratio("fan-out-1000-16", "socket.io", 3.0),
    ratio("fan-out-1000-16", "nats", 3.0),
    ratio("handshake", "bun", 0.85),
    ratio("handshake", "sockudo", 1.2),
    Target {
        work: "idle-memory-10000",
        aim: Aim::AtMost {
            figure: "subscribed",
            most: 6_000.0,
        },
    },
    Target {
        work: "idle-memory-10000",
        aim: Aim::AtMost {
            figure: "after a 16 KB message each",
            most: 6_000.0,
        },
    },
    Target {
        work: "fan-out-guarded-1000",
        aim: Aim::AtLeast {
            figure: "guarded, of plain",
            least: 0.9,
        },
    },
    Target {
        work: "fan-out-guarded-1000",
        aim: Aim::AtLeast {
            figure: "guarded, of plain, 16",
            least: 0.9,
        },
    },
    guarded("sockudo", 2.0),
    guarded("socket.io", 3.0),
    guarded("nats", 3.0),
    Target {
        work: "revocation-10000",
        aim: Aim::AtMost {
            figure: "p99",
            most: 100_000.0,
        },
    },
    Target {
        work: "revocation-10000",
        aim: Aim::AtMost {
            figure: "open all the same",
            most: 0.0,
        },
    },
    Target {
        work: "revocation-10000",
        aim: Aim::AtMost {
            figure: "of others closed",
            most: 0.0,
        },
    },
    Target {
        work: "revocation-10000",
        aim: Aim::AtMost {
            figure: "of others without an answer",
            most: 0.0,
        },
    },
    Target {
        work: "recovery-10000",
        aim: Aim::AtMost {
            figure: "without exactly that",
            most: 0.0,
        },
    },
    trips("HTTP/1.1, ticket: connect, more", 1.0),
    trips("HTTP/1.1, ticket: SecureWebSocket, more", 1.0),
    trips("HTTP/1.1, cookie: connect, more", 0.0),
    trips("HTTP/1.1, cookie: SecureWebSocket, more", 0.0),
    trips("HTTP/2, ticket: connect, more", 1.0),
    trips("HTTP/2, ticket: SecureWebSocket, more", 1.0),
    trips("HTTP/2, cookie: connect, more", 0.0),
    trips("HTTP/2, cookie: SecureWebSocket, more", 0.0),
    Target {
        work: "latency-500",
        aim: Aim::Times {
            figure: "handshakes p99",
            of: "calm p99",
            most: 2.0,
        },
    },
    Target {
        work: "latency-500",
        aim: Aim::Times {
            figure: "storm p99",
            of: "calm p99",
            most: 2.0,
        },
    },
    Target {
        work: "latency-500",
        aim: Aim::AtMost {
            figure: "lost",
            most: 0.0,
        },
    },
    Target {
        work: "latency-500",
        aim: Aim::AtMost {
            figure: "revoked but open",
            most: 0.0,
        },
    },
];

/// How each target of this work stands.
pub(super) fn verdicts(results: &Results) -> Vec<Verdict> {
    TARGETS
        .iter()
        .filter(|target| target.work == results.work)
        .map(|target| target.aim.judge(results))
        .collect()
}

impl Aim {
    fn judge(&self, results: &Results) -> Verdict {
        let summaries = results.summaries();
        let own = |name: &str| {
            let (_, figures) = summaries.first()?;
            let figure = figures.iter().find(|figure| figure.name == name)?;
            Some(figure.value.median)
        };
        match self {
            Self::Ratio { rival, least } => {
                let of = summaries.iter().find(|(rounds, _)| rounds.name == *rival);
                let ratio = of.and_then(|(_, figures)| figures.first()?.ratio);
                Verdict {
                    target: format!("≥ {least} × {rival}"),
                    measured: ratio.map(|ratio| format!("{:.2}", ratio.median)),
                    met: ratio.map(|ratio| ratio.median >= *least),
                }
            }
            Self::AtMost { figure, most } => Verdict {
                target: format!("{figure} ≤ {most}"),
                measured: own(figure).map(|value| match most.fract() {
                    0.0 => format!("{value:.0}"),
                    _ => format!("{value:.2}"),
                }),
                met: own(figure).map(|value| value <= *most),
            },
            Self::AtLeast { figure, least } => Verdict {
                target: format!("{figure} ≥ {least}"),
                measured: own(figure).map(|value| format!("{value:.2}")),
                met: own(figure).map(|value| value >= *least),
            },
            Self::Beside {
                figure,
                rival,
                of,
                least,
            } => {
                let them = summaries.iter().find(|(rounds, _)| rounds.name == *rival);
                let beside = them.and_then(|(_, figures)| {
                    let theirs = figures.iter().find(|it| it.name == *of)?;
                    Some(theirs.beside.filter(|(ours, _)| ours == figure)?.1.median)
                });
                Verdict {
                    target: format!("{figure} ≥ {least} × {rival}"),
                    measured: beside.map(|ratio| format!("{ratio:.2}")),
                    met: beside.map(|ratio| ratio >= *least),
                }
            }
            Self::Times { figure, of, most } => {
                let times = own(figure).zip(own(of)).map(|(figure, of)| figure / of);
                Verdict {
                    target: format!("{figure} ≤ {most} × {of}"),
                    measured: times.map(|times| format!("{times:.2}")),
                    met: times.map(|times| times <= *most),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_target_is_of_a_work_that_a_whole_run_does() {
        let mut works = catalogue::works("all", None).unwrap();
        for more in ["channels", "opening"] {
            works.extend(catalogue::works(more, None).unwrap());
        }
        for target in TARGETS {
            assert!(
                works.iter().any(|work| work.name() == target.work),
                "{}",
                target.work
            );
        }
    }
}
