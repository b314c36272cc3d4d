//! Makes the parts of a server out of a safe configuration.

use std::{
    fs, io,
    num::NonZero,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
};

use wardwire_admission::{
    caps::{CapLimits, Caps},
    clock::SystemClock,
    fetch::Fetch,
    gate::{Gate, GateConfig},
    host::Hosts,
    origin::{AllowedOrigins, Origin},
    proxy::TrustedProxies,
    route::{Compression, Requirement, Route, RouteKind, Routes},
    token::{
        Algorithm, Audience, Discriminator, IssuerConfig, Issuers, KeySource,
        Profile as TokenProfile,
    },
};
use wardwire_hub::{
    Hub, HubLimits,
    fanout::Fanout,
    rights::{ChannelRule, History, Pattern, Right, Test},
};
use wardwire_protocol::{connection, deflate::Level};

use super::{
    Config, Security, file,
    file::{Kind, PlainRight, Profile},
    units::Network,
};
use crate::{
    audit::Audit,
    http::Site,
    metrics::Metrics,
    outbound::Outbound,
    server::{self, Server},
    shard::Handle,
    tls,
};

/// A server that is ready to listen.
pub struct Running {
    /// Its shared parts.
    pub server: Arc<Server>,
    /// Each shard's side of the hub.
    pub sides: Vec<Fanout>,
    /// Where it came from.
    pub config: Config,
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
    let issuers =
        Issuers::each(issuers(&config, extra)?, clock.clone()).map_err(io::Error::other)?;
    let limits = &config.file.limits;
    let caps = Caps::new(CapLimits {
        per_ip: limits.connections_per_ip,
        per_subject: limits.connections_per_subject,
        unadmitted: limits.unadmitted,
    });
    let gate = Gate::new(GateConfig {
        hosts: hosts(&config),
        origins: origins(&config),
        routes: Routes::new(
            config
                .file
                .route
                .iter()
                .map(|route| self::route(route, limits)),
        ),
        issuers,
        caps,
        clock,
    });
    let rules = config.file.channel.iter().filter_map(rule).collect();
    let hub_limits = HubLimits {
        channels: limits.channels,
        subscriptions: limits.subscriptions,
        ..HubLimits::default()
    };
    let audit = Audit::open(&config.folder.join(&config.file.audit.file), site.is_some())?;
    let threads = threads(&config);
    let (hub, sides) = Hub::new(rules, hub_limits, threads);
    let server = Server {
        gate,
        hub,
        audit,
        metrics: Metrics::default(),
        shards: (0..threads).map(Handle::new).collect(),
        security: security(&config)?,
        proxy_protocol: proxy_protocol(&config)?,
        handshake: limits.handshake.0,
        outbox: limits.outbox.0,
        hsts: !config.hosts().any(|name| name == "localhost"),
        site,
        connections: AtomicU64::new(0),
    };
    Ok(Running {
        server: Arc::new(server),
        sides,
        config,
    })
}

/// As many as the machine, its affinity mask and its cgroup give.
fn threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let configured = &config.file.server.threads;
    configured.as_ref().map_or_else(cores, |it| *it.get_ref())
}

fn proxy_protocol(config: &Config) -> io::Result<Option<TrustedProxies>> {
    let listed = config.file.server.proxy_protocol.as_ref();
    listed.map(|it| balancers(it.from.get_ref())).transpose()
}

fn balancers(listed: &[Network]) -> io::Result<TrustedProxies> {
    TrustedProxies::new(listed.iter().map(|it| it.0)).map_err(io::Error::other)
}

fn security(config: &Config) -> io::Result<server::Security> {
    Ok(match &config.security {
        Security::Tls(certificate) => {
            let config = tls::server_config(certificate.certified.clone());
            server::Security::Tls(config.map_err(io::Error::other)?)
        }
        Security::EndedBy(balancers) => server::Security::EndedBy(balancers.clone()),
    })
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
    AllowedOrigins::Listed(
        listed
            .filter_map(|origin| Origin::parse(origin.get_ref()))
            .collect(),
    )
}

pub(super) fn issuer(issuer: &file::Issuer, folder: &Path) -> io::Result<IssuerConfig> {
    let keys = match (&issuer.jwks_url, &issuer.jwks_file) {
        (Some(url), _) => KeySource::Url(url.get_ref().clone()),
        (None, Some(file)) => KeySource::Static(fs::read(folder.join(file.get_ref()))?),
        (None, None) => KeySource::Discovery,
    };
    let profile = match (issuer.profile, &issuer.discriminator) {
        (Profile::Jwt, Some(it)) => TokenProfile::Jwt(Discriminator {
            claim: it.claim.clone(),
            equals: it.equals.clone(),
        }),
        (Profile::Jwt, None) => {
            return Err(io::Error::other("profile \"jwt\" without a discriminator"));
        }
        (Profile::Rfc9068, _) => TokenProfile::Rfc9068,
    };
    let named: Vec<Algorithm> = issuer
        .algorithms
        .iter()
        .filter_map(|name| name.get_ref().parse().ok())
        .collect();
    Ok(IssuerConfig {
        issuer: issuer.issuer.get_ref().clone(),
        audience: Audience::new([issuer.audience.as_str()]),
        profile,
        algorithms: if named.is_empty() {
            Algorithm::ALL.to_vec()
        } else {
            named
        },
        keys,
        leeway: issuer.leeway.0,
    })
}

/// Each issuer with its way out. A root of its own is trusted for its own keys only.
fn issuers(
    config: &Config,
    extra: Vec<IssuerConfig>,
) -> io::Result<Vec<(IssuerConfig, Arc<dyn Fetch>)>> {
    let outbound = |authorities: &[Vec<u8>]| -> io::Result<Arc<dyn Fetch>> {
        let outbound = Outbound::new(config.file.outbound.allow.clone(), authorities);
        Ok(Arc::new(outbound.map_err(io::Error::other)?))
    };
    let public = outbound(&[])?;
    let mut issuers: Vec<_> = extra.into_iter().map(|it| (it, public.clone())).collect();
    for issuer in &config.file.issuer {
        let way = match &issuer.ca {
            Some(ca) => outbound(&[fs::read(config.folder.join(ca.get_ref()))?])?,
            None => public.clone(),
        };
        issuers.push((self::issuer(issuer, &config.folder)?, way));
    }
    Ok(issuers)
}

fn route(route: &file::Route, limits: &file::Limits) -> Route {
    let message = route.limits.message.unwrap_or(limits.message).0;
    let socket = connection::Limits {
        message,
        frame: message,
        fragments: route.limits.fragments.unwrap_or(limits.fragments),
        message_time: limits.message_time.0,
        ping_every: limits.ping.0,
        pong_within: limits.pong.0,
        ..connection::Limits::default()
    };
    Route {
        path: route.path.get_ref().as_str().into(),
        kind: match route.kind {
            Kind::Channels => RouteKind::Channels,
            Kind::Echo => RouteKind::Echo,
        },
        anonymous: route.anonymous,
        native_clients: route.native_clients,
        require: Requirement {
            acr: route.require.acr.as_deref().map(Into::into),
            amr: route
                .require
                .amr
                .iter()
                .map(|method| method.as_str().into())
                .collect(),
            max_age: route.require.max_age.map(|age| age.0),
        },
        limits: Arc::new(socket),
        messages_per_second: route
            .limits
            .messages_per_second
            .unwrap_or(limits.messages_per_second),
        compression: route.compression.deflate().and_then(compression),
    }
}

fn compression(deflate: file::Deflate) -> Option<Compression> {
    Some(Compression {
        threshold: deflate.threshold.0,
        level: Level::new(deflate.level)?,
    })
}

fn rule(channel: &file::Channel) -> Option<ChannelRule> {
    let history = channel.history.map(|kept| History {
        size: kept.size,
        ttl: kept.ttl.0,
    });
    Some(ChannelRule {
        pattern: Pattern::parse(channel.name.get_ref()).ok()?,
        subscribe: right(&channel.subscribe),
        publish: right(&channel.publish),
        history: history.unwrap_or_default(),
    })
}

pub(super) fn right(right: &file::Right) -> Right {
    let claim = |claim: &str, test, value: &str| Right::Claim {
        claim: claim.into(),
        test,
        value: value.into(),
    };
    match right {
        file::Right::Plain(PlainRight::Nobody) => Right::Nobody,
        file::Right::Plain(PlainRight::Authenticated) => Right::Authenticated,
        file::Right::Plain(PlainRight::Anyone) => Right::Anyone,
        file::Right::Contains(it) => claim(&it.claim, Test::Contains, &it.contains),
        file::Right::Equals(it) => claim(&it.claim, Test::Equals, &it.equals),
    }
}
