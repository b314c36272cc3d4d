//! `wardwire serve`: listens until it is told to stop, then lets sockets go in order.

use std::{
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpListener,
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use wardwire_hub::fanout::Fanout;

use super::listeners::Listeners;
use crate::{
    acme::Renewal,
    admin,
    audit::Event,
    bearer::Bearer,
    config::{Config, Running, assemble},
    listen::{self, Door},
    logging, recheck, redirect,
    reload::{self, Cause, Reloader, Seen},
    server::Server,
    service::{Inherited, Manager},
    shard::{Handle, Shard},
};

/// How often it is looked whether somebody came into a channel or went.
const TELL: Duration = Duration::from_millis(200);
/// How often the hub lets go of what nobody needs.
const SWEEP: Duration = Duration::from_secs(30);
/// Tasks that a shard's runtime runs between two of its turns.
const TASKS: u32 = 8;
/// How long shards may take to drop what they have.
const STOP: Duration = Duration::from_secs(2);
/// For so long a second signal counts as the first.
const ECHO: Duration = Duration::from_secs(1);

pub(super) fn command(path: &Path) -> ExitCode {
    // Before there are threads, as it reads and clears the environment.
    let inherited = Inherited::take();
    logging::start();
    let inherited = match inherited {
        Ok(inherited) => inherited,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    // Before it is read, so that nothing that changes from now on is missed.
    let seen = Seen::now(path);
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    warn(&config);
    for it in &config.overrides {
        tracing::info!(
            key = it.path,
            variable = it.name,
            "set from the environment"
        );
    }
    let running = match assemble(config, Vec::new(), None) {
        Ok(running) => Running {
            source: Some(seen),
            ..running
        },
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    match run(running, inherited, &[], |_| {}) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// No filter hides a warning: an override for development is as loud as it is unsafe.
fn warn(config: &Config) {
    for warning in config.warnings.lines() {
        if tracing::enabled!(tracing::Level::WARN) {
            tracing::warn!("{warning}");
        } else {
            eprintln!("warning: {warning}");
        }
    }
}

/// Listens on the configured address or on what a service manager has opened in its place, and on `more` for the same
/// server, until SIGTERM or SIGINT. `ready` is told the address it listens on.
///
/// The shards have a thread each; this one has a small runtime for operators and signals, which stay quick when the shards
/// are busy.
///
/// # Errors
/// An address cannot be listened on, or a shard ended.
pub fn run(
    running: Running,
    inherited: Inherited,
    more: &[SocketAddr],
    ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    raise_descriptor_limit();
    let Running {
        server,
        sides,
        config,
        ways,
        source,
    } = running;
    let Listeners {
        public,
        address,
        certificates,
        admin,
        redirect,
    } = Listeners::open(&config.file, inherited, more, sides.len())?;
    let manager = Manager::find();
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let mut hangup = source
            .is_some()
            .then(|| signal(SignalKind::hangup()))
            .transpose()?;
        let started = started(&config);
        let port = config.file.server.redirect_port.unwrap_or(address.port());
        let operators = config.file.admin.clone();
        let token = operators.map(|it| config.folder.find(&it.token_file));
        let token = token
            .transpose()?
            .map(|path| Bearer::read(&path))
            .transpose()?;
        let reloader = source.as_ref().map(|seen| {
            let path = seen.path().to_owned();
            Reloader::new(server.clone(), path, manager.clone(), config, ways)
        });
        let admin = start_admin(&server, token, admin, reloader.clone())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        server.audit.record(started);
        let mutual = certificates.first().map(std::net::TcpListener::local_addr);
        let mutual = mutual.transpose()?;
        let mut ended = start_shards(&server, sides, doors(public, certificates))?;
        let redirect = start_redirect(&server, redirect, port)?;
        let sweeping = tokio::spawn(sweep(server.clone()));
        let telling = tokio::spawn(tell(server.clone()));
        tokio::spawn(recheck::run(server.clone()));
        if let Some(acme) = server.acme() {
            tokio::spawn(Renewal::new(acme.clone(), server.clone()).run());
        }
        let threads = server.shards.len();
        let text = |address: Option<SocketAddr>| address.map(|it| it.to_string());
        let (admin, redirect, client_certificates) = (text(admin), text(redirect), text(mutual));
        tracing::info!(%address, client_certificates, admin, redirect, threads, "listening");
        ready(address);
        manager.ready(&format!("listening on {address}"));
        tokio::spawn(manager.clone().watch(server.shards.clone()));
        if let (Some(reloader), Some(seen), Some(hangup)) = (reloader, source, hangup.take()) {
            tokio::spawn(reload::watch(reloader.clone(), seen));
            tokio::spawn(reload_on(hangup, reloader));
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            outcome = ended.recv() => return Err(why(outcome)),
        }
        manager.stopping();
        tracing::info!("stopping; a second signal stops at once");
        let told = server.drain();
        tokio::select! {
            () = emptied(&server, told, server.terms().drain) => {}
            again = insisted() => again?,
        }
        sweeping.abort();
        telling.abort();
        stop_shards(&server, &mut ended).await;
        stopped(&server, told);
        Ok(())
    });
    // A name look-up that hangs does not keep the process.
    runtime.shutdown_background();
    served
}

/// What each listener asks of whoever comes by it.
fn doors(
    public: Vec<std::net::TcpListener>,
    certificates: Vec<std::net::TcpListener>,
) -> Vec<(std::net::TcpListener, Door)> {
    let public = public.into_iter().map(|it| (it, Door::Public));
    let mutual = certificates.into_iter();
    let mutual = mutual.map(|it| (it, Door::ClientCertificates));
    public.chain(mutual).collect()
}

/// Starts a thread for each shard. Each tells how it ended.
fn start_shards(
    server: &Arc<Server>,
    sides: Vec<Fanout>,
    listeners: Vec<(std::net::TcpListener, Door)>,
) -> io::Result<UnboundedReceiver<io::Result<()>>> {
    let (tell, ended) = unbounded_channel();
    let mut of_each: Vec<Vec<_>> = sides.iter().map(|_| Vec::new()).collect();
    let count = of_each.len();
    for (at, listener) in listeners.into_iter().enumerate() {
        if let Some(own) = of_each.get_mut(at % count) {
            own.push(listener);
        }
    }
    for ((handle, side), own) in server.shards.iter().zip(sides).zip(of_each) {
        let (server, handle, tell) = (server.clone(), handle.clone(), tell.clone());
        std::thread::Builder::new()
            .name(format!("shard-{}", handle.number))
            .spawn(move || shard(server, handle, side, own, &tell))?;
    }
    Ok(ended)
}

fn shard(
    server: Arc<Server>,
    handle: Arc<Handle>,
    side: Fanout,
    listeners: Vec<(std::net::TcpListener, Door)>,
    tell: &UnboundedSender<io::Result<()>>,
) {
    let run = || -> io::Result<()> {
        // Between two turns of the shard few tasks run, so that a crowd of handshakes does not hold up open sockets.
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(TASKS)
            .build()?;
        let ended = runtime.block_on(async {
            for (listener, door) in listeners {
                let listener = TcpListener::from_std(listener)?;
                tokio::spawn(listen::run(server.clone(), handle.clone(), listener, door));
            }
            Shard::new(server, handle, side)?.run().await
        });
        runtime.shutdown_background();
        ended
    };
    let outcome = catch_unwind(AssertUnwindSafe(run));
    let _ = tell.send(outcome.unwrap_or_else(|_| Err(io::Error::other("a shard panicked"))));
}

/// Why a shard ended that nobody stopped.
fn why(outcome: Option<io::Result<()>>) -> io::Error {
    let ended = || io::Error::other("a shard ended");
    outcome.and_then(Result::err).unwrap_or_else(ended)
}

/// Lets the shards drop what they still have.
async fn stop_shards(server: &Server, ended: &mut UnboundedReceiver<io::Result<()>>) {
    for shard in &*server.shards {
        shard.stop();
    }
    let all = async { while ended.recv().await.is_some() {} };
    if tokio::time::timeout(STOP, all).await.is_err() {
        tracing::warn!("a shard did not stop in time");
    }
}

/// Waits for a signal that is not the echo of the first: a terminal sends Ctrl-C to a whole group, whose parent may pass
/// it on once more.
async fn insisted() -> io::Result<()> {
    tokio::time::sleep(ECHO).await;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Reloads whenever this signal comes. Several that come during one reload are one.
async fn reload_on(mut signal: Signal, reloader: Arc<Reloader>) {
    while signal.recv().await.is_some() {
        reloader.reload(Cause::Signal).await;
    }
}

fn start_admin(
    server: &Arc<Server>,
    token: Option<Bearer>,
    listener: Option<std::net::TcpListener>,
    reloader: Option<Arc<Reloader>>,
) -> io::Result<Option<SocketAddr>> {
    let (Some(token), Some(listener)) = (token, listener) else {
        return Ok(None);
    };
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    tokio::spawn(admin::run(
        server.clone(),
        listener,
        Arc::new(token),
        reloader,
    ));
    Ok(Some(address))
}

/// Starts the thread of the plain port. It sends browsers to `port`.
fn start_redirect(
    server: &Arc<Server>,
    listener: Option<std::net::TcpListener>,
    port: u16,
) -> io::Result<Option<SocketAddr>> {
    let Some(listener) = listener else {
        return Ok(None);
    };
    let address = listener.local_addr()?;
    let server = server.clone();
    let run = move || -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener)?;
            redirect::run(server, listener, port).await;
            Ok(())
        })
    };
    std::thread::Builder::new()
        .name("redirect".into())
        .spawn(move || {
            if let Err(error) = run() {
                tracing::error!(%error, "the plain port is not served");
            }
        })?;
    Ok(Some(address))
}

/// Tells who came into channels and who went.
async fn tell(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(TELL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        server.hub.tell(Instant::now());
    }
}

async fn sweep(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        server.hub.sweep(Instant::now());
    }
}

/// The first line of a run, which says if it is an unsafe one.
fn started(config: &Config) -> Event {
    let on = config.file.development;
    let overrides = [
        ("development.any_origin", on.any_origin),
        ("development.without_issuer", on.without_issuer),
    ];
    let names: Vec<_> = overrides
        .into_iter()
        .filter_map(|(name, is_on)| is_on.then_some(name))
        .collect();
    let mut event = Event::new("start");
    event.outcome.detail = (!names.is_empty()).then(|| names.join(", ").into());
    event
}

/// Waits until the sockets that were told 1012 are gone, and the connections that were told GOAWAY, or `patience` is over.
async fn emptied(server: &Server, told: usize, patience: Duration) {
    tracing::info!(sockets = told, "draining");
    let gone = async {
        while server.gate.leases().count() > 0 || server.metrics.http2.get() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(patience, gone).await.is_err() {
        tracing::warn!(
            sockets = server.gate.leases().count(),
            http2 = server.metrics.http2.get(),
            "some sockets or HTTP/2 connections did not close in time"
        );
    }
}

/// The last line of the log: how many sockets were ended by it.
fn stopped(server: &Server, told: usize) {
    let mut event = Event::new("stop");
    event.outcome.ended = Some(told);
    server.audit.record(event);
    server.audit.close(Duration::from_secs(2));
}

/// Every socket is a descriptor: as many as the system lets this process have.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit on open files stays where it is");
    }
}
