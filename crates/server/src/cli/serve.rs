//! `wardwire serve`: listens until it is told to stop, then lets sockets go in order.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{
    admin::{self, Token},
    audit::Event,
    config::{Config, Running, assemble},
    listen, logging,
    server::Server,
};

/// How often the hub lets go of what nobody needs.
const SWEEP: Duration = Duration::from_secs(30);
/// For so long a second signal counts as the first.
const ECHO: Duration = Duration::from_secs(1);

pub(super) fn command(path: &Path) -> ExitCode {
    logging::start();
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            return ExitCode::FAILURE;
        }
    };
    warn(&config);
    let running = match assemble(config, Vec::new(), None) {
        Ok(running) => running,
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    };
    match run(&running, &[], |_| {}) {
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

/// Listens on the configured address, and on `more` for the same server, until SIGTERM or SIGINT. `ready` is told the
/// address it listens on.
///
/// # Errors
/// An address cannot be listened on.
pub fn run(
    running: &Running,
    more: &[SocketAddr],
    ready: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    raise_descriptor_limit();
    let runtime = Runtime::new()?;
    let served = runtime.block_on(async {
        let server = &running.server;
        let listener = bind(running.config.file.server.listen)?;
        let address = listener.local_addr()?;
        for other in more {
            tokio::spawn(listen::run(server.clone(), bind(*other)?));
        }
        let admin = start_admin(running).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        server.audit.record(started(running));
        let accepting = tokio::spawn(listen::run(server.clone(), listener));
        let sweeping = tokio::spawn(sweep(server.clone()));
        tracing::info!(%address, admin = admin.map(|it| it.to_string()), "listening");
        ready(address);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; a second signal stops at once");
        let told = server.gate.drain();
        tokio::select! {
            () = emptied(server, told, running.config.file.server.drain.0) => {}
            again = insisted() => again?,
        }
        accepting.abort();
        sweeping.abort();
        stopped(server, told);
        Ok(())
    });
    // A name look-up that hangs does not keep the process.
    runtime.shutdown_background();
    served
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

/// Binds as a server does: quickly again after a restart, with room for a crowd that reconnects at once.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let explain = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).map_err(explain)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into()).map_err(explain)?;
    socket.listen(4096).map_err(explain)?;
    TcpListener::from_std(socket.into())
}

async fn start_admin(running: &Running) -> io::Result<Option<SocketAddr>> {
    let Some(config) = &running.config.file.admin else {
        return Ok(None);
    };
    let token = Token::read(&running.config.folder.join(config.token_file.get_ref()))?;
    let listener = bind(*config.listen.get_ref())?;
    let address = listener.local_addr()?;
    tokio::spawn(admin::run(
        running.server.clone(),
        listener,
        Arc::new(token),
    ));
    Ok(Some(address))
}

async fn sweep(server: Arc<Server>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        server.hub.sweep(Instant::now());
    }
}

/// The first line of a run, which says if it is an unsafe one.
fn started(running: &Running) -> Event {
    let on = running.config.file.development;
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

/// Waits until the sockets that were told 1012 are gone, or `patience` is over.
async fn emptied(server: &Server, told: usize, patience: Duration) {
    tracing::info!(sockets = told, "draining");
    let gone = async {
        while server.gate.leases().count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(patience, gone).await.is_err() {
        tracing::warn!(
            sockets = server.gate.leases().count(),
            "some sockets did not close in time"
        );
    }
}

/// The last line of the log: how many sockets were ended by it.
fn stopped(server: &Server, told: usize) {
    let mut event = Event::new("stop");
    event.outcome.ended = Some(told);
    server.audit.record(event);
    server.audit.flush(Duration::from_secs(2));
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
