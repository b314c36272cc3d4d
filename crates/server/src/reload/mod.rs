//! Reload: the configuration and the files that it names are read again, judged whole, made into parts whole, and only then
//! put in the place of what was there. Whatever is wrong with them changes nothing.
//!
//! SIGHUP, a file that [changed](mod@watch) and an operator's [call](answer) all come here, one after another.
//!
//! INVARIANT: once a reload has answered, nobody is let in by the rules before, and nobody is delivered what they may not
//! follow any more. The gate sees to the first ([`Gate::reload`](wardwire_admission::gate::Gate::reload)); for the second,
//! every shard has judged its sockets anew before the answer.

mod answer;
mod watch;

use std::{
    io,
    panic::resume_unwind,
    path::PathBuf,
    sync::Arc,
    time::{Instant, SystemTime},
};

use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinError,
};

pub(crate) use answer::respond;
pub use watch::Seen;
pub(crate) use watch::watch;

use crate::{
    audit::Event,
    config::{self, Changes, Config, Names, Parts, Problem, Problems},
    outbound::Ways,
    server::Server,
    service::Manager,
};

/// Reloads a server.
pub struct Reloader {
    server: Arc<Server>,
    path: PathBuf,
    /// Tells the service manager.
    manager: Manager,
    running: Mutex<Loaded>,
    /// For operators that wait.
    places: Arc<Semaphore>,
}

/// How many reloads may be asked for and not be done. Signals and changed files ask for one at a time each.
const WAITING: usize = 8;

/// A configuration with all that is compared with the next.
struct Loaded {
    config: Config,
    ways: Ways,
    names: Names,
}

/// Who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// SIGHUP.
    Signal,
    /// A file is another than before.
    Files,
    /// A call of the admin listener.
    Operator,
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Files => "files",
            Self::Operator => "operator",
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// It holds from now on.
    Reloaded(Report),
    /// There was nothing to change, but perhaps something that needs a restart.
    Unchanged(Report),
    /// What was there before goes on.
    Refused(Problems),
}

/// What a reload did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The keys that were written otherwise, or whose files hold something else.
    pub changes: Changes,
    /// Sockets that the new rules do not keep.
    pub sockets: usize,
    /// Channels that sockets had to leave.
    pub subscriptions: usize,
}

impl Outcome {
    /// In one word, for logs and counters.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reloaded(_) => "reloaded",
            Self::Unchanged(_) => "unchanged",
            Self::Refused(_) => "refused",
        }
    }
}

impl Reloader {
    /// Of a server that was made of this configuration, which stands in the file at `path`.
    #[must_use]
    pub fn new(
        server: Arc<Server>,
        path: PathBuf,
        manager: Manager,
        config: Config,
        ways: Ways,
    ) -> Arc<Self> {
        let names = Names::of(&config);
        let running = Loaded {
            config,
            ways,
            names,
        };
        Arc::new(Self {
            server,
            path,
            manager,
            running: Mutex::new(running),
            places: Arc::new(Semaphore::new(WAITING)),
        })
    }

    /// Whether changed files are a reason.
    async fn watches(&self) -> bool {
        self.running.lock().await.config.file.server.watch
    }

    /// Reloads, and writes down what came of it. It is carried through, whatever becomes of who asked for it.
    pub async fn reload(self: &Arc<Self>, cause: Cause) -> Outcome {
        let place = match cause {
            Cause::Operator => match self.places.clone().try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return Outcome::Refused(self.busy()),
            },
            Cause::Signal | Cause::Files => None,
        };
        let own = self.clone();
        let task = tokio::spawn(async move {
            let mut running = own.running.lock().await;
            own.manager.reloading();
            let outcome = own.attempt(&mut running).await;
            own.write_down(cause, &outcome);
            own.manager.reloaded(&status(&outcome));
            drop(place);
            outcome
        });
        let panicked = |_| {
            let problem = Problem::new("the reload ended in a fault of the server's", "Report it.");
            Outcome::Refused(Problems::one(&self.path, problem))
        };
        task.await.unwrap_or_else(panicked)
    }

    fn busy(&self) -> Problems {
        let message = format!("{WAITING} reloads are waiting already");
        let remedy =
            "Ask again when they are done; if none ever is, look whether a file's disk hangs.";
        Problems::one(&self.path, Problem::new(message, remedy))
    }

    async fn attempt(&self, running: &mut Loaded) -> Outcome {
        let (loaded, parts) = match self.load(running).await {
            Ok(loaded) => loaded,
            Err(problems) => return Outcome::Refused(problems),
        };
        let changes = config::changes(&running.config, &loaded.config);
        if changes.reloaded.is_empty() {
            return Outcome::Unchanged(Report {
                changes,
                ..Report::default()
            });
        }
        let (sockets, subscriptions) = self.exchange(parts).await;
        let report = Report {
            changes,
            sockets,
            subscriptions,
        };
        running.succeed(loaded);
        Outcome::Reloaded(report)
    }

    /// Reads, judges and makes everything. Nothing of the server is touched.
    async fn load(&self, running: &Loaded) -> Result<(Loaded, Parts), Problems> {
        let (path, ways) = (self.path.clone(), running.ways.clone());
        let rules = self.server.gate.rules();
        let acme = self.server.acme().cloned();
        // A disk that hangs holds up nobody else.
        let loading = tokio::task::spawn_blocking(move || {
            let config = Config::load(&path)?;
            let fault = |error: io::Error| Problems::one(&path, unreadable(&error));
            let made = config::parts(&config, Vec::new(), (&rules.issuers, &ways), acme.as_ref());
            let (parts, ways) = made.map_err(fault)?;
            Ok((config, ways, parts))
        });
        let ended = |error| {
            Err(Problems::one(
                &self.path,
                unreadable(&io::Error::other(error)),
            ))
        };
        let (config, ways, parts) = loading.await.unwrap_or_else(ended)?;
        config::bound_to_start(&running.config, &config, &self.path)?;
        let names = running.names.and(&config, &self.path)?;
        let loaded = Loaded {
            config,
            ways,
            names,
        };
        Ok((loaded, parts))
    }

    /// Puts the parts in the place of those before. Returns how many sockets and subscriptions that ended.
    async fn exchange(&self, parts: Parts) -> (usize, usize) {
        let Parts {
            rules,
            caps,
            channels,
            terms,
        } = parts;
        let server = &self.server;
        // What was shown was granted by these.
        let granted = server.gate.rules().issuers.grant();
        *server.terms.write() = Arc::new(terms);
        // Client certificates are verified anew, which takes its time where there are many.
        let own = server.clone();
        let judging = tokio::task::spawn_blocking(move || own.gate.reload(rules, caps));
        let sockets = match judging.await.map_err(JoinError::try_into_panic) {
            Ok(sockets) => sockets,
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) => 0,
        };
        if !server.hub.reload(channels) && !granted {
            return (sockets, 0);
        }
        let subscriptions = server.rejudge().await;
        server.hub.settle(Instant::now());
        (sockets, subscriptions)
    }

    fn write_down(&self, cause: Cause, outcome: &Outcome) {
        self.server
            .metrics
            .reloads
            .count(outcome.as_str(), SystemTime::now());
        let mut event = Event::new("reload");
        event.outcome.reason = Some(outcome.as_str().into());
        let cause = cause.as_str();
        match outcome {
            Outcome::Reloaded(report) => {
                event.outcome.ended = Some(report.sockets);
                event.outcome.detail = Some(format!("{cause}: {}", report.words()).into());
                let (sockets, subscriptions) = (report.sockets, report.subscriptions);
                let changed = list(&report.changes.reloaded);
                tracing::info!(cause, changed, sockets, subscriptions, "reloaded");
                warn_of_restart(report);
            }
            Outcome::Unchanged(report) => {
                event.outcome.detail = Some(format!("{cause}: {}", report.words()).into());
                tracing::info!(cause, "nothing to reload");
                warn_of_restart(report);
            }
            Outcome::Refused(problems) => {
                let first = problems.lines().next().unwrap_or_default();
                event.outcome.detail = Some(format!("{cause}: {first}").into());
                for line in problems.lines() {
                    tracing::error!("{line}");
                }
                let problems = problems.count();
                tracing::error!(
                    cause,
                    problems,
                    "not reloaded: what was there before goes on"
                );
            }
        }
        self.server.audit.record(event);
    }
}

impl Loaded {
    /// The next, but what needs a restart is as it was, and so is told again each time until it comes.
    fn succeed(&mut self, mut next: Self) {
        let stays = |key: &str| config::needs_restart(&config::spoken(key));
        next.config.values.retain(|key, _| !stays(key));
        let kept = self.config.values.iter().filter(|(key, _)| stays(key));
        let kept = kept.map(|(key, value)| (key.clone(), value.clone()));
        next.config.values.extend(kept);
        *self = next;
    }
}

impl Report {
    fn words(&self) -> String {
        let mut words = list(&self.changes.reloaded);
        if !self.changes.restart.is_empty() {
            words += &format!("; needs a restart: {}", list(&self.changes.restart));
        }
        if self.subscriptions > 0 {
            words += &format!("; subscriptions ended: {}", self.subscriptions);
        }
        words
    }
}

fn list<'a>(keys: impl IntoIterator<Item = &'a String>) -> String {
    let keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
    keys.join(", ")
}

fn warn_of_restart(report: &Report) {
    if !report.changes.restart.is_empty() {
        let keys = list(&report.changes.restart);
        tracing::warn!(keys, "changed, but needs a restart");
    }
}

/// In one line, for the service manager.
fn status(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Refused(problems) => format!(
            "not reloaded: {} problems, which the log names; what was there before goes on",
            problems.count()
        ),
        done => format!("{}; listening", done.as_str()),
    }
}

fn unreadable(error: &io::Error) -> Problem {
    Problem::new(
        format!("a file that it names was there a moment ago: {error}"),
        "Put files in place whole, by renaming them, and reload again.",
    )
}
