//! What a service manager does for the server, and is told by it: systemd's sockets, readiness and watchdog.
//!
//! Sockets that it has opened come as descriptors with names (`sd_listen_fds(3)`); what it is told goes as datagrams to the
//! socket that the environment names (`sd_notify(3)`).

use std::{
    env, io,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use listenfd::ListenFd;
use socket2::SockRef;

use crate::{config::File, listen, shard::Handle};

/// Listening sockets that were opened for us, by the names they have in their unit (`FileDescriptorName=`).
#[derive(Default)]
pub struct Inherited {
    /// In place of `server.listen`, under the name `public`.
    pub public: Vec<TcpListener>,
    /// In place of `server.client_certificates.listen`, under the name `client-certificates`.
    pub certificates: Vec<TcpListener>,
    /// In place of `admin.listen`, under the name `admin`.
    pub admin: Option<TcpListener>,
    /// In place of `server.redirect`, under the name `redirect`.
    pub redirect: Option<TcpListener>,
}

impl Inherited {
    /// Takes the sockets that are meant for this process; none without a service manager. Call it before there are
    /// threads: it clears what it read from the environment.
    ///
    /// # Errors
    /// A descriptor is not a listening TCP socket, has a name that says nothing here, or a name is used twice; or how many
    /// there are cannot be read.
    pub fn take() -> io::Result<Self> {
        let mut inherited = Self::default();
        // Without it, or with another's, the descriptors are somebody else's.
        if env::var("LISTEN_PID").ok() != Some(std::process::id().to_string()) {
            return Ok(inherited);
        }
        check_count()?;
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut passed = ListenFd::from_env();
        for place in 0..passed.len() {
            let name = names.next().unwrap_or_default();
            let explain = |error: io::Error| wrong(name, &error.to_string());
            let listener = passed.take_tcp_listener(place).map_err(explain)?;
            if let Some(listener) = listener {
                inherited.add(name, listener)?;
            }
        }
        Ok(inherited)
    }

    fn add(&mut self, name: &str, listener: TcpListener) -> io::Result<()> {
        if !SockRef::from(&listener).is_listener()? {
            return Err(wrong(name, "it does not listen; with Accept=no it would"));
        }
        listener.set_nonblocking(true)?;
        listen::bequeath(&SockRef::from(&listener))?;
        let place = match name {
            "public" => {
                self.public.push(listener);
                return Ok(());
            }
            "client-certificates" => {
                self.certificates.push(listener);
                return Ok(());
            }
            "admin" => &mut self.admin,
            "redirect" => &mut self.redirect,
            _ => {
                let remedy =
                    "set FileDescriptorName= to public, client-certificates, admin or redirect";
                return Err(wrong(name, remedy));
            }
        };
        match place.replace(listener) {
            None => Ok(()),
            Some(_) => Err(wrong(name, "there are two of this name")),
        }
    }

    /// Whether the configuration has a place for each. What a manager opens is judged like what we would open ourselves.
    ///
    /// # Errors
    /// It has none, or the admin listener could be reached from elsewhere.
    pub fn fit(&self, file: &File) -> io::Result<()> {
        if let Some(admin) = &self.admin {
            if file.admin.is_none() {
                return Err(wrong("admin", "the configuration has no [admin]"));
            }
            if !admin.local_addr()?.ip().is_loopback() {
                return Err(wrong("admin", "it is not on a loopback address"));
            }
        }
        if !self.certificates.is_empty() && file.server.client_certificates.is_none() {
            let why = "the configuration has no [server.client_certificates]";
            return Err(wrong("client-certificates", why));
        }
        if self.redirect.is_some() && file.server.redirect.is_none() {
            let why = "the configuration has no server.redirect";
            return Err(wrong("redirect", why));
        }
        Ok(())
    }
}

/// Whether `LISTEN_FDS` is a count of sockets. One that cannot be read must not pass for none, and one that is absurd costs
/// nothing.
fn check_count() -> io::Result<()> {
    // Of the crate that takes them: a service manager's begin at 3 (sd_listen_fds(3)), and others are not ours to close.
    if env::var_os("LISTEN_FDS_FIRST_FD").is_some() {
        return Err(io::Error::other(
            "LISTEN_FDS_FIRST_FD is set, but sockets are passed from descriptor 3 on: unset it",
        ));
    }
    let Some(written) = env::var_os("LISTEN_FDS") else {
        return Ok(());
    };
    let count = written.to_str().and_then(|text| text.parse::<usize>().ok());
    match count {
        Some(0..=MOST) => Ok(()),
        _ => Err(io::Error::other(format!(
            "LISTEN_FDS is {written:?}, and not a number of sockets from 0 to {MOST}"
        ))),
    }
}

/// More sockets than any unit has.
const MOST: usize = 64;

fn wrong(name: &str, why: &str) -> io::Error {
    let name = name.escape_debug();
    io::Error::other(format!(
        "the inherited socket \"{name}\" is of no use: {why}"
    ))
}

/// The service manager, if there is one.
#[derive(Clone, Default)]
pub struct Manager {
    /// Where it wants to be told; without it, nothing is said.
    address: Option<SocketAddr>,
    /// It wants to hear at least this often that all is well.
    patience: Option<Duration>,
}

impl Manager {
    /// Looks for it in the environment.
    #[must_use]
    pub fn find() -> Self {
        let Some(path) = env::var_os("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let address = match path.to_str().and_then(|path| path.strip_prefix('@')) {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(Path::new(&path)),
        };
        if let Err(error) = &address {
            tracing::warn!(%error, "NOTIFY_SOCKET names no socket");
        }
        Self {
            address: address.ok(),
            patience: patience(),
        }
    }

    /// Connections are served from now on.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}"), WORTH);
    }

    /// The configuration is read again (`Type=notify-reload`). The manager tells by the time which reload this answers.
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = i128::from(now.tv_sec) * 1_000_000;
        let micros = seconds + i128::from(now.tv_nsec) / 1000;
        self.tell(
            &format!("RELOADING=1\nMONOTONIC_USEC={micros}\nSTATUS=reloading"),
            WORTH,
        );
    }

    /// It was, or what was there before goes on.
    pub fn reloaded(&self, status: &str) {
        self.ready(status);
    }

    /// They will not be for long.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=letting sockets go", WORTH);
    }

    /// Tells it that all is well for as long as every shard turns. One that hangs, or is blocked by something that never
    /// ends, is silence; then the manager starts the server anew.
    pub async fn watch(self, shards: Arc<[Arc<Handle>]>) {
        let Some(patience) = self.patience else {
            return;
        };
        // Each quarter looks at what the one before asked for.
        let mut ticks = tokio::time::interval((patience / 4).max(LEAST));
        loop {
            ticks.tick().await;
            if all_turn(&shards) {
                // It is said four times as often as it must be heard.
                self.tell("WATCHDOG=1", None);
            }
        }
    }

    /// Waits for room in its queue for so long and no longer: operators and signals have the same thread.
    fn tell(&self, what: &str, wait: Option<Duration>) {
        let Some(address) = &self.address else {
            return;
        };
        let told = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(wait.is_none())?;
            socket.set_write_timeout(wait)?;
            socket.send_to_addr(what.as_bytes(), address)
        });
        if let Err(error) = told {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }
}

/// How long what is said only once may wait for a manager that is behind.
const WORTH: Option<Duration> = Some(Duration::from_secs(1));
/// However short the manager's patience is.
const LEAST: Duration = Duration::from_millis(10);

/// Every shard is asked, also behind one that has not turned.
fn all_turn(shards: &[Arc<Handle>]) -> bool {
    let still = shards.iter().filter(|shard| !shard.pulse()).count();
    still == 0
}

/// `WATCHDOG_USEC`, if it is meant for this process.
fn patience() -> Option<Duration> {
    let number = |name: &str| env::var(name).ok()?.parse::<u64>().ok();
    let pid = env::var("WATCHDOG_PID").ok();
    if pid.is_some_and(|pid| pid != std::process::id().to_string()) {
        return None;
    }
    let patience = number("WATCHDOG_USEC").filter(|usec| *usec > 0)?;
    Some(Duration::from_micros(patience))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_shard_that_hangs_is_silence() {
        let shards: Vec<_> = (0..3).map(Handle::new).collect();
        assert!(all_turn(&shards), "nobody was asked yet");
        // None of them is driven by a thread, so none turns.
        assert!(!all_turn(&shards));
    }
}
