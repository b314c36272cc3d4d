//! Makes the parts of a server out of a safe configuration.

use std::{
    io,
    num::NonZero,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use http::HeaderMap;
use parking_lot::RwLock;
use tokio::sync::Notify;
use wardwire_admission::{
    caps::{CapLimits, Caps},
    clock::SystemClock,
    fetch::{Fetch, FetchError, Fetching, Form, Posting},
    gate::{Gate, GateConfig},
    host::Hosts,
    origin::{AllowedOrigins, Origin},
    proxy::{Balancers, TrustedProxies},
    route::{Compression, Requirement, Route, RouteKind, Routes},
    rules::Rules,
    token::{
        Algorithm, Audience, Discriminator, IssuerConfig, Issuers, KeySource,
        Profile as TokenProfile, Signs,
    },
};
use wardwire_hub::{
    self as hub, Hub, HubLimits,
    content::{Content, Key},
    engine::Latest,
    fanout::Fanout,
    guard::{ContentRule, Mode},
    rates::Rate,
    rights::{
        BadRight, ChannelRule, ChannelRules, History, Pattern, Presence, Right, Several, Template,
        Test,
    },
};
use wardwire_protocol::{connection, deflate::Level};

use super::{
    Config, Folder, Security, clients, file,
    file::{Addresses, Kind, Profile},
    forward_auth, path,
    right::{self as file_right, PlainRight},
    sign_in,
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

pub(super) fn issuer(issuer: &file::Issuer, folder: &Folder) -> io::Result<IssuerConfig> {
    let keys = match (&issuer.jwks_url, &issuer.jwks_file) {
        (Some(url), _) => KeySource::Url(url.clone()),
        (None, Some(file)) => KeySource::Static(path::read(&folder.find(file)?)?),
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
        .filter_map(|name| name.parse().ok())
        .collect();
    Ok(IssuerConfig {
        issuer: issuer.issuer.clone(),
        name: issuer.name.clone(),
        signs: signs(issuer),
        // Nothing in it where browsers only sign in there.
        audience: Audience::new([issuer.audience.as_str()]),
        profile,
        algorithms: if named.is_empty() {
            Algorithm::ALL.to_vec()
        } else {
            named
        },
        keys,
        leeway: issuer.leeway.0,
        max_lifetime: issuer.max_token_lifetime.0,
        sign_in: match &issuer.sign_in {
            Some(it) => Some(sign_in::settings(it, folder)?),
            None => None,
        },
        introspection: match &issuer.introspection {
            Some(it) => Some(sign_in::introspection(it, folder)?),
            None => None,
        },
    })
}

fn signs(issuer: &file::Issuer) -> Signs {
    match (issuer.has_users(), issuer.grants()) {
        (_, false) => Signs::Tokens,
        (true, true) => Signs::Both,
        (false, true) => Signs::Grants,
    }
}

/// Each issuer with its way out. A root of its own is trusted for its own keys only, and then no other is.
fn issuers(
    config: &Config,
    extra: Vec<IssuerConfig>,
    ways: &mut Ways,
    before: &Ways,
) -> io::Result<Vec<(IssuerConfig, Arc<dyn Fetch>)>> {
    let allow = &config.file.outbound.allow;
    let public = ways.open(allow, None, before)?;
    let mut issuers: Vec<_> = extra.into_iter().map(|it| (it, public.clone())).collect();
    for issuer in &config.file.issuer {
        let way = match &issuer.ca {
            Some(ca) => ways.open(allow, Some(path::read(&config.folder.find(ca)?)?), before)?,
            None => public.clone(),
        };
        issuers.push((self::issuer(issuer, &config.folder)?, way));
    }
    Ok(issuers)
}

fn with_application(
    issuers: Issuers,
    config: &Config,
    ways: &mut Ways,
    before: &Ways,
) -> io::Result<Issuers> {
    match forward_auth::settings(config, ways, before)? {
        Some((application, fetch)) => issuers
            .with_application(application, fetch)
            .map_err(io::Error::other),
        None => Ok(issuers),
    }
}

/// The routes, as admission knows them.
#[must_use]
pub fn routes(file: &file::File) -> Vec<Route> {
    let limits = &file.limits;
    file.route.iter().map(|it| route(it, limits)).collect()
}

/// The rules of channels, as the hub knows them.
///
/// # Errors
/// A schema that was sound a moment ago is not, or gone.
pub fn rules(config: &Config) -> io::Result<ChannelRules> {
    let each = config.file.channel.iter();
    let rules: io::Result<_> = each.map(|it| rule(it, &config.folder)).collect();
    ChannelRules::new(rules?).map_err(io::Error::other)
}

/// The issuers, of whom no key is ever fetched: for asking what a token's claims would do.
///
/// # Errors
/// A file that was there a moment ago is gone.
pub fn supposed(config: &Config) -> io::Result<Issuers> {
    let each = config.file.issuer.iter();
    let configs: io::Result<Vec<_>> = each.map(|it| issuer(it, &config.folder)).collect();
    Issuers::new(configs?, Arc::new(Nowhere), Arc::new(SystemClock)).map_err(io::Error::other)
}

/// The issuers, each with its own way out: for asking them what they would answer.
///
/// # Errors
/// A file that was there a moment ago is gone.
pub fn reachable(config: &Config) -> io::Result<Issuers> {
    let each = issuers(config, Vec::new(), &mut Ways::default(), &Ways::default())?;
    Issuers::each(each, Arc::new(SystemClock)).map_err(io::Error::other)
}

/// Fetches nothing.
pub(super) struct Nowhere;

impl Fetch for Nowhere {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }

    fn get_with<'a>(&'a self, url: &'a str, _: &'a HeaderMap) -> Posting<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }

    fn post<'a>(&'a self, url: &'a str, _: &'a Form) -> Posting<'a> {
        let url = url.to_owned();
        Box::pin(async { Err(FetchError::NotHttps(url)) })
    }
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
        path: route.path.as_str().into(),
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
            client_certificate: route.require.client_certificate,
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

fn rule(channel: &file::Channel, folder: &Folder) -> io::Result<ChannelRule> {
    let kept = channel.history.as_ref();
    let history = kept.map(|kept| History {
        size: kept.size,
        ttl: kept.ttl.0,
    });
    let asked = |written: &file_right::Right| right(written).map_err(io::Error::other);
    let subscribe = asked(&channel.subscribe)?;
    let or_follow = |own: Option<&file_right::Right>| match own {
        Some(own) => asked(own),
        None => Ok(subscribe.clone()),
    };
    let presence = channel.presence.seen();
    let presence = presence.map(|seen| {
        Ok::<_, io::Error>(Presence {
            see: or_follow(seen.see.as_ref())?,
            info: seen.info.into_iter().map(Into::into).collect(),
        })
    });
    Ok(ChannelRule {
        pattern: Pattern::parse(&channel.name).map_err(io::Error::other)?,
        publish: asked(&channel.publish)?,
        history: history.unwrap_or_default(),
        latest: match (&channel.conflate, channel.last_value) {
            (Some(_), _) => Latest::Keys,
            (None, true) => Latest::Channel,
            (None, false) => Latest::Nothing,
        },
        read: or_follow(kept.and_then(|it| it.read.as_ref()))?,
        presence: presence.transpose()?,
        content: content(channel, folder)?,
        subscribe,
    })
}

fn content(channel: &file::Channel, folder: &Folder) -> io::Result<ContentRule> {
    let schema = channel.schema.as_ref().map(|file| {
        let text = path::read_text(&folder.find(file)?)?;
        let content = Content::compile(&text);
        content.map(Arc::new).map_err(io::Error::other)
    });
    Ok(ContentRule {
        schema: schema.transpose()?,
        binary: channel.binary,
        key: (channel.conflate.as_deref())
            .map(|pointer| Key::parse(pointer).ok_or_else(|| io::Error::other("no JSON Pointer")))
            .transpose()?,
        rate: channel.rate.map(|rate| Rate {
            messages: rate.messages,
            bytes: rate.bytes.map(|bytes| bytes.0 as u64),
            per: rate.per.0,
        }),
        mode: match channel.mode {
            file::Mode::Enforce => Mode::Enforce,
            file::Mode::Report => Mode::Report,
        },
    })
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

fn right(right: &file_right::Right) -> Result<Right, BadRight> {
    use file_right::Right as Written;
    let claim = |claim: &str, test, value: &str| {
        Ok(Right::Claim {
            claim: claim.into(),
            test,
            value: Template::parse(value)?,
        })
    };
    let each = |several: &[Written]| -> Result<Several, BadRight> {
        Several::new(several.iter().map(self::right).collect::<Result<_, _>>()?)
    };
    match right {
        Written::Plain(PlainRight::Nobody) => Ok(Right::Nobody),
        Written::Plain(PlainRight::Authenticated) => Ok(Right::Authenticated),
        Written::Plain(PlainRight::Anyone) => Ok(Right::Anyone),
        Written::Plain(PlainRight::Server) => Ok(Right::Server),
        Written::Plain(PlainRight::Granted) => Ok(Right::Granted),
        Written::Scope(it) => Ok(Right::Scope(Template::parse(&it.scope)?)),
        Written::Contains(it) => claim(&it.claim, Test::Contains, &it.contains),
        Written::Equals(it) => claim(&it.claim, Test::Equals, &it.equals),
        Written::Any(it) => Ok(Right::Any(each(&it.any)?)),
        Written::All(it) => Ok(Right::All(each(&it.all)?)),
    }
}
