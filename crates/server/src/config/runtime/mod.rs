//! Makes the parts of a server out of a safe configuration.

mod channels;
mod issuers;
mod routes;

pub(super) use self::issuers::issuer;
pub use self::{
    channels::rules,
    issuers::{reachable, supposed},
    routes::routes,
};

use std::{
    io,
    num::NonZero,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use parking_lot::RwLock;
use tokio::sync::Notify;
use wardwire_admission::{
    caps::{CapLimits, Caps},
    clock::SystemClock,
    gate::{Gate, GateConfig},
    host::Hosts,
    origin::{AllowedOrigins, Origin},
    proxy::{Balancers, TrustedProxies},
    route::Routes,
    rules::Rules,
    token::{IssuerConfig, Issuers},
};
use wardwire_hub::{self as hub, Hub, HubLimits, fanout::Fanout, rates::Rate};

use self::issuers::{issuers, with_application};
use super::{
    Config, Security, clients,
    file::{self, Addresses},
    units::Network,
};
use crate::{
    acme::Acme,
    audit::{Audit, Keep, Settings, SigningKey},
    bearer::Bearer,
    http::Site,
    http2,
    metrics::Metrics,
    outbound::Ways,
    reload::Seen,
    server::{Server, Terms},
    shard::Handle,
    tls::{self, Demanding},
};

/// A server that is ready to listen.
pub struct Running {
    /// Its shared parts.
    pub server: Arc<Server>,
    /// Each shard's side of the hub.
    pub sides: Vec<Fanout>,
    /// Where it came from.
    pub config: Config,
    /// The ways to issuers' keys.
    pub ways: Ways,
    /// The files it was read from, and is read from again. None if it came from nowhere.
    pub source: Option<Seen>,
}

/// What a reload exchanges.
pub struct Parts {
    /// Who may come.
    pub rules: Rules,
    /// How many.
    pub caps: CapLimits,
    /// Who may do what in channels.
    pub channels: hub::Rules,
    /// What holds for every connection.
    pub terms: Terms,
}

/// Makes what a reload exchanges, with what can be kept of `before`, and with the certificate that renews itself, which is
/// the same as long as the server runs.
///
/// # Errors
/// A file that was there a moment ago is gone.
pub fn parts(
    config: &Config,
    extra: Vec<IssuerConfig>,
    before: (&Issuers, &Ways),
    acme: Option<&Arc<Acme>>,
) -> io::Result<(Parts, Ways)> {
    let (before, ways_before) = before;
    let mut ways = Ways::default();
    let issuers = issuers(config, extra, &mut ways, ways_before)?;
    let issuers = before.succeeded_by(issuers).map_err(io::Error::other)?;
    let issuers = with_application(issuers, config, &mut ways, ways_before)?;
    let limits = &config.file.limits;
    let demand = demand(config)?;
    let terms = terms(config, demand.as_ref(), acme)?;
    let parts = Parts {
        rules: Rules {
            hosts: hosts(config),
            origins: origins(config),
            routes: Routes::new(routes(&config.file)),
            issuers,
            balancers: Balancers {
                introducing: proxy_protocol(config)?,
                ending_tls: match &config.security {
                    Security::EndedBy(balancers) => Some(balancers.clone()),
                    Security::Tls(_) | Security::Acme(_) => None,
                },
            },
            certificates: demand.map(|it| it as _),
        },
        caps: CapLimits {
            per_ip: limits.connections_per_ip,
            per_subject: limits.connections_per_subject,
            unadmitted: limits.unadmitted,
            sessions: limits.sessions,
        },
        channels: hub::Rules {
            channels: rules(config)?,
            limits: HubLimits {
                channels: limits.channels,
                channels_per_subject: of_one(limits.channels),
                subscriptions: limits.subscriptions,
                identity: identities(limits),
                ..HubLimits::default()
            },
        },
        terms,
    };
    Ok((parts, ways))
}

fn terms(
    config: &Config,
    demand: Option<&Arc<Demanding>>,
    acme: Option<&Arc<Acme>>,
) -> io::Result<Terms> {
    let http2 = http2(config);
    let tls = match &config.security {
        Security::Tls(certificates) => {
            let config = tls::server_config(certificates, http2.is_some());
            Some(config.map_err(io::Error::other)?)
        }
        Security::Acme(_) | Security::EndedBy(_) => None,
    };
    let ordinary = tls.as_ref().or(acme.map(|it| it.tls.for_clients()));
    let mutual = ordinary.zip(demand);
    let mutual = mutual.map(|(tls, demand)| tls::mutual_config(tls, demand.clone()));
    Ok(Terms {
        tls,
        mutual: mutual.transpose().map_err(io::Error::other)?,
        http2,
        backend: backend(config)?,
        handshake: config.file.limits.handshake.0,
        outbox: config.file.limits.outbox.0,
        hsts: !config.hosts().any(|name| name == "localhost"),
        drain: config.file.server.drain.0,
    })
}

fn backend(config: &Config) -> io::Result<Box<[Bearer]>> {
    let files = config.file.backend.iter().flat_map(|it| &it.token_files);
    let read = |file| Bearer::read(&config.folder.find(file)?);
    files.map(read).collect()
}

/// Makes the parts. The demo brings its own issuer and pages.
///
/// # Errors
/// A file that was there a moment ago is gone, or the audit log cannot be opened.
pub fn assemble(
    config: Config,
    extra: Vec<IssuerConfig>,
    site: Option<Box<dyn Site>>,
) -> io::Result<Running> {
    let clock = Arc::new(SystemClock);
    let nobody = Issuers::each(Vec::new(), clock.clone()).map_err(io::Error::other)?;
    let acme = acme(&config)?;
    let before = (&nobody, &Ways::default());
    let (parts, ways) = parts(&config, extra, before, acme.as_ref())?;
    let gate = Gate::new(GateConfig {
        rules: parts.rules,
        caps: Caps::new(parts.caps),
        clock,
    });
    let audit = Audit::open(audit(&config, site.is_some())?)?;
    let threads = threads(&config);
    let (hub, sides) = Hub::new(parts.channels, threads);
    let server = Server {
        gate,
        hub,
        audit,
        metrics: Metrics::default(),
        shards: (0..threads).map(Handle::new).collect(),
        terms: RwLock::new(Arc::new(parts.terms)),
        acme,
        stopping: Notify::new(),
        site,
        connections: AtomicU64::new(0),
    };
    Ok(Running {
        server: Arc::new(server),
        sides,
        config,
        ways,
        source: None,
    })
}

fn audit(config: &Config, remember: bool) -> io::Result<Settings> {
    let file = &config.file.audit;
    let key = match &file.signing_key {
        Some(key) => Some(SigningKey::read(&config.folder.find(key)?).map_err(io::Error::other)?),
        None => None,
    };
    let ship = file.ship.as_deref().map(str::parse);
    Ok(Settings {
        file: config.folder.find(&file.file)?,
        keep: Keep {
            size: file.rotate.size.map(|size| size.0 as u64),
            age: file.rotate.age.map(|age| age.0),
            segments: file.keep,
        },
        key,
        ship: ship.transpose().map_err(io::Error::other)?,
        ship_required: file.ship_required,
        shorten: file.addresses == Addresses::Shortened,
        remember,
    })
}

/// As many as the machine, its affinity mask and its cgroup give.
fn threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let configured = &config.file.server.threads;
    configured.as_ref().map_or_else(cores, |it| *it)
}

fn proxy_protocol(config: &Config) -> io::Result<Option<TrustedProxies>> {
    let listed = config.file.server.proxy_protocol.as_ref();
    listed.map(|it| balancers(&it.from)).transpose()
}

fn balancers(listed: &[Network]) -> io::Result<TrustedProxies> {
    TrustedProxies::new(listed.iter().map(|it| it.0)).map_err(io::Error::other)
}

/// The certificate that renews itself, where there is one.
fn acme(config: &Config) -> io::Result<Option<Arc<Acme>>> {
    let Security::Acme(settings) = &config.security else {
        return Ok(None);
    };
    let allow = config.file.outbound.allow.clone();
    let acme = Acme::open(settings.clone(), allow, http2(config).is_some())?;
    Ok(Some(Arc::new(acme)))
}

/// What is demanded of clients' certificates, where a listener demands any.
fn demand(config: &Config) -> io::Result<Option<Arc<Demanding>>> {
    let wanted = config.file.server.client_certificates.as_ref();
    let demand = wanted.map(|wanted| clients::verifier(wanted, &config.folder));
    demand.transpose().map_err(|faults| {
        let messages: Vec<_> = faults.into_iter().map(|it| it.message).collect();
        io::Error::other(messages.join("; "))
    })
}

fn http2(config: &Config) -> Option<http2::Settings> {
    let http2 = &config.file.http2;
    let settings = http2::Settings {
        streams: http2.streams,
    };
    http2.websockets.then_some(settings)
}

fn hosts(config: &Config) -> Hosts {
    // A certificate can hold names that are no hosts; those are left out one by one.
    let sound = config.hosts().filter(|name| Hosts::new([*name]).is_ok());
    Hosts::new(sound).unwrap_or_default()
}

fn origins(config: &Config) -> AllowedOrigins {
    if config.file.development.any_origin {
        return AllowedOrigins::Any;
    }
    let listed = config.file.server.origins.iter();
    AllowedOrigins::Listed(listed.filter_map(|origin| Origin::parse(origin)).collect())
}

/// Of so many channels, those that one user may have opened: however few there are, half of them are for others.
fn of_one(channels: usize) -> usize {
    let usual = HubLimits::default().channels_per_subject;
    usual.min(channels.div_ceil(2))
}

/// What the sockets of one identity may do together.
fn identities(limits: &file::Limits) -> Rate {
    let (messages, bytes) = (limits.identity_messages(), limits.identity_bytes().0 as u64);
    Rate {
        messages: (messages > 0).then_some(messages),
        bytes: (bytes > 0).then_some(bytes),
        per: Duration::from_secs(1),
    }
}
