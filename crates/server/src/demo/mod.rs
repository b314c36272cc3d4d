//! `wardwire demo`: a whole Wardwire on this machine, with accounts that need no password and a page that attacks it.
//!
//! [`local`] makes its certificate and [`trust`] has it believed, [`identity`] is its issuer and its accounts, [`pages`]
//! what it shows, [`site`] its endpoints, [`feed`] the market's prices, and [`hostile`] the attacker's own origin. The accounts exist only here: the
//! issuer and the sign-in are values that this module makes and hands to the server, and no configuration can name them.

mod feed;
mod hostile;
mod identity;
mod local;
mod pages;
mod site;
mod trust;

use std::{
    io::{self, IsTerminal as _, Write as _},
    net::{Ipv6Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::{
    cli,
    config::{self, Certificate, Config, Running, assemble},
    logging,
    service::Inherited,
    tls,
};
use identity::DemoIssuer;
use rustix::process::Signal;
use site::DemoSite;
use wardwire_admission::principal::Principal;

/// What `wardwire demo` is told.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen: a loopback address. The hostile page gets the next port
    #[arg(long, default_value = "127.0.0.1:8443")]
    listen: SocketAddr,
    /// Where the certificate and the audit log are kept [default: wardwire/demo in the user's data folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Speak HTTP/2 with browsers, sockets included
    #[arg(long)]
    http2: bool,
    /// Have this machine and its browsers believe the demo's certificate, after asking
    #[arg(long)]
    trust: bool,
    /// Do not ask
    #[arg(long, requires = "trust")]
    yes: bool,
    /// Have people sign in at the OpenID provider two ports up, and end with standard input. `cargo xtask demo --provider` starts it
    #[arg(long, hide = true)]
    provider: bool,
}

/// The ports of one demo.
#[derive(Clone, Copy)]
struct Ports {
    ours: u16,
    hostile: u16,
    /// Of the provider, where people sign in at one.
    provider: Option<u16>,
}

impl Ports {
    fn origin(self) -> String {
        format!("https://localhost:{}", self.ours)
    }

    fn provider(self) -> Option<String> {
        Some(format!("https://localhost:{}", self.provider?))
    }
}

pub(crate) fn command(arguments: &Arguments) -> ExitCode {
    logging::start();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends when standard input does: whoever started it beside a provider is gone then, however they ended.
fn end_with_provider() {
    if io::stdin().is_terminal() {
        return;
    }
    std::thread::spawn(|| {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::TERM);
    });
}

fn run(arguments: &Arguments) -> io::Result<()> {
    if arguments.provider {
        end_with_provider();
    }
    let listen = arguments.listen;
    let ports = ports(listen, arguments.provider)?;
    let data = match &arguments.data {
        Some(folder) => folder.clone(),
        None => local::data_folder()?,
    };
    let certificate = local::certificate(&data)?;
    if arguments.trust {
        trust::install(&data.join(local::AUTHORITY), arguments.yes)?;
    }
    let hostile = hostile::Origin::bind(
        SocketAddr::new(listen.ip(), ports.hostile),
        tls::server_config(certificate.certified.clone(), false).map_err(io::Error::other)?,
        ports,
    )?;
    let issuer = DemoIssuer::new(&ports.origin())?;
    let config = configuration(arguments, ports, &data, certificate)?;
    let trusted = match ports.provider {
        None => vec![issuer.config()?],
        Some(_) => Vec::new(),
    };
    let publisher = issuer.feed();
    let running = assemble(
        config,
        trusted,
        Some(Box::new(DemoSite::new(issuer, ports))),
    )?;
    serve(running, publisher, ports, hostile, &data)
}

fn ports(listen: SocketAddr, provider: bool) -> io::Result<Ports> {
    if !listen.ip().is_loopback() {
        return Err(io::Error::other(format!(
            "{listen} can be reached from elsewhere, and the demo's accounts need no password: name a loopback address"
        )));
    }
    match (listen.port(), listen.port().checked_add(2)) {
        (ours @ 1.., Some(next)) => Ok(Ports {
            ours,
            hostile: next - 1,
            provider: provider.then_some(next),
        }),
        _ => Err(io::Error::other(
            "name a port from 1 to 65533: the demo's page has to know it",
        )),
    }
}

fn serve(
    running: Running,
    publisher: Principal,
    ports: Ports,
    hostile: hostile::Origin,
    data: &Path,
) -> io::Result<()> {
    let origin = ports.origin();
    let authority = data.join(local::AUTHORITY);
    let second = second_loopback(&running);
    let hub = running.server.hub.clone();
    cli::serve(running, Inherited::default(), &second, |_| {
        hostile.serve();
        feed::start(hub, publisher);
        // Whoever started it may not be listening; that is no reason to end.
        let _ = writeln!(
            io::stdout(),
            "Wardwire's demo is ready: {origin}\n\
             Its certificate is signed by {}, which is valid for this machine alone.\n\
             `wardwire demo --trust` has browsers believe it. The audit log is {}.",
            authority.display(),
            data.join(AUDIT).display(),
        );
    })
}

/// `localhost` is `::1` to some browsers first. Listened on where that is possible.
fn second_loopback(running: &Running) -> Vec<SocketAddr> {
    let listen = running.config.file.server.listen;
    let second = SocketAddr::from((Ipv6Addr::LOCALHOST, listen.port()));
    let is_free = listen.is_ipv4() && TcpListener::bind(second).is_ok();
    is_free.then_some(second).into_iter().collect()
}

const AUDIT: &str = "audit.jsonl";

/// What the demos publish, and who may.
const CHANNELS: &str = include_str!("channels.toml");
const SCHEMAS: [(&str, &str); 5] = [
    ("message.json", include_str!("schemas/message.json")),
    ("typing.json", include_str!("schemas/typing.json")),
    ("order.json", include_str!("schemas/order.json")),
    ("move.json", include_str!("schemas/move.json")),
    ("coin.json", include_str!("schemas/coin.json")),
];

/// What the demo serves, in the same words as any configuration.
fn configuration(
    &Arguments { listen, http2, .. }: &Arguments,
    ports: Ports,
    data: &Path,
    certificate: Certificate,
) -> io::Result<Config> {
    let text = format!(
        r#"
        [server]
        listen = "{listen}"
        origins = ["{origin}"]
        hosts = ["localhost"]
        drain = "3s"

        [audit]
        file = "{AUDIT}"

        [http2]
        websockets = {http2}

        [[route]]
        path = "/live"
        native_clients = true

        [[route]]
        path = "/echo"
        kind = "echo"
        native_clients = true

        {CHANNELS}

        {sign_in}
        "#,
        origin = ports.origin(),
        sign_in = sign_in(ports),
    );
    let file: config::File = toml::from_str(&text).map_err(io::Error::other)?;
    local::files(&data.join("schemas"), &SCHEMAS)?;
    Ok(Config {
        file,
        folder: config::Folder {
            own: data.to_path_buf(),
            credentials: None,
        },
        written: config::Written::default(),
        overrides: Vec::new(),
        values: config::Values::new(),
        prints: config::Prints::new(),
        security: config::Security::Tls(certificate.into()),
        warnings: config::Problems::default(),
    })
}

/// The provider in place of our own accounts, and a route that asks it for a second factor.
fn sign_in(ports: Ports) -> String {
    let Some(issuer) = ports.provider() else {
        return String::new();
    };
    format!(
        r#"
        [[route]]
        path = "/vault"
        kind = "echo"
        require = {{ acr = "mfa" }}

        [outbound]
        allow = ["127.0.0.1/32"]

        [[issuer]]
        issuer = "{issuer}"
        ca = "{authority}"

        [issuer.sign_in]
        client_id = "demo"
        client_auth = "none"
        callback = "{origin}/.wardwire/callback"
        after_logout = "{origin}/"
        "#,
        authority = local::AUTHORITY,
        origin = ports.origin(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_is_of_this_machine_only() {
        for refused in [
            "0.0.0.0:8443",
            "192.168.0.1:8443",
            "[::]:8443",
            "127.0.0.1:0",
            "127.0.0.1:65534",
        ] {
            assert!(ports(refused.parse().unwrap(), false).is_err(), "{refused}");
        }
        let ports = ports("127.0.0.1:8443".parse().unwrap(), true).unwrap();
        let Ports {
            ours,
            hostile,
            provider,
        } = ports;
        assert_eq!((ours, hostile, provider), (8443, 8444, Some(8445)));
    }

    #[test]
    fn the_demo_is_configured_in_the_words_of_any_configuration() {
        let data = tempfile();
        let certificate = local::certificate(&data).unwrap();
        let listen = "127.0.0.1:8443".parse().unwrap();
        let arguments = Arguments {
            listen,
            data: None,
            http2: false,
            trust: false,
            yes: false,
            provider: false,
        };
        let ports = ports(listen, false).unwrap();
        let config = configuration(&arguments, ports, &data, certificate).unwrap();
        assert!(!config.file.http2.websockets);
        assert_eq!(config.file.route.len(), 2);
        assert!(config.file.issuer.is_empty() && config.file.admin.is_none());
        std::fs::remove_dir_all(&data).unwrap();
    }

    /// A folder that is not there yet.
    pub(super) fn tempfile() -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "wardwire-demo-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        std::env::temp_dir().join(name)
    }
}
