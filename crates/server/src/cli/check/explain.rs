//! `wardwire check --explain`: what a configuration does, in words.

use std::{fmt::Write as _, path::Path};

use serde_json::Value;
use wardwire_admission::head::BACKEND;

use super::{hosts, networks, notes, right, sign_in, whence};
use crate::config::{
    Addresses, Config, ForwardAuth, Introspection, Issuer, Kind, Profile, Route, Security,
};

pub(super) fn explain(config: &Config, path: &Path) -> String {
    let page = Page { config, path };
    let sections = [
        ("Where it listens", page.listening()),
        ("Which pages may connect", page.pages()),
        ("Who is believed", page.issuers()),
        ("Who may enter", page.routes()),
        (
            "Who may do what (the most specific pattern that fits decides)",
            page.channels(),
        ),
        ("What one peer may cost", page.limits()),
        ("Who operates it, and what is kept", page.operators()),
        ("What the environment sets", page.environment()),
        ("What is not safe, or not usual", page.notes()),
    ];
    let mut out = String::new();
    for (title, lines) in sections {
        if lines.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{title}");
        for line in lines {
            let _ = writeln!(out, "  {line}");
        }
        out.push('\n');
    }
    out.push_str("Everything else is refused.\n");
    out
}

struct Page<'a> {
    config: &'a Config,
    path: &'a Path,
}

impl Page<'_> {
    fn at(&self, key: &str) -> String {
        format!("({})", whence(self.config, self.path, key))
    }

    fn listening(&self) -> Vec<String> {
        let server = &self.config.file.server;
        let hosts = hosts(self.config).join(", ");
        let named = match (server.hosts.is_empty(), &server.acme) {
            (true, None) => "the certificate's names".to_owned(),
            (true, Some(_)) => whence(self.config, self.path, "server.acme.hosts"),
            (false, _) => whence(self.config, self.path, "server.hosts"),
        };
        let (listen, at) = (server.listen, self.at("server.listen"));
        let mut lines = match &self.config.security {
            Security::Tls(_) => vec![format!("{listen}, TLS 1.2 and 1.3 only {at}")],
            Security::Acme(acme) => vec![
                format!("{listen}, TLS 1.2 and 1.3 only {at}"),
                format!(
                    "The certificate is for {} and comes from {}, which sees by {} that the hosts are yours {}",
                    acme.hosts.join(", "),
                    acme.directory,
                    acme.challenge.name(),
                    self.at("server.acme.hosts")
                ),
            ],
            Security::EndedBy(balancers) => vec![
                format!("{listen}, WITHOUT TLS {at}"),
                format!(
                    "Only {balancers} may connect, which end TLS and name the client of each request {}",
                    self.at("server.tls.terminated_by")
                ),
            ],
        };
        if let Some(proxy_protocol) = &server.proxy_protocol {
            lines.push(format!(
                "Only {} may connect, and name the client by the PROXY protocol {}",
                networks(&proxy_protocol.from),
                self.at("server.proxy_protocol.from")
            ));
        }
        lines.extend(self.certificates());
        if let Some(redirect) = server.redirect {
            let at = self.at("server.redirect");
            lines.push(format!(
                "Browsers that come to {redirect} are sent to https {at}"
            ));
        }
        lines.push(format!(
            "It answers to {hosts} ({named}); a request for another host gets 421."
        ));
        lines.push(format!(
            "On SIGTERM sockets have {} to close {}",
            server.drain,
            self.at("server.drain")
        ));
        lines
    }

    fn certificates(&self) -> Vec<String> {
        let Some(demanded) = &self.config.file.server.client_certificates else {
            return Vec::new();
        };
        let at = |key: &str| self.at(&format!("server.client_certificates.{key}"));
        let (listen, ca) = (demanded.listen, &demanded.ca);
        let mut lines = vec![format!(
            "{listen} too, only for clients that show a certificate which {ca} has issued {}",
            at("listen")
        )];
        lines.push(match &*demanded.crl {
            [] => "  none of them is revoked: there is no revocation list".to_owned(),
            files => {
                let files: Vec<_> = files.iter().map(ToString::to_string).collect();
                format!("  but for what {} revokes {}", files.join(", "), at("crl"))
            }
        });
        if let Some(names) = &demanded.names {
            let names: Vec<_> = names
                .iter()
                .map(|it| it.escape_debug().to_string())
                .collect();
            lines.push(format!(
                "  and for one of {} {}",
                names.join(", "),
                at("names")
            ));
        }
        lines
    }

    fn pages(&self) -> Vec<String> {
        let file = &self.config.file;
        if file.development.any_origin {
            let at = self.at("development.any_origin");
            return vec![format!("EVERY page on the web {at}")];
        }
        let origins = file.server.origins.iter().enumerate();
        let mut lines: Vec<_> = origins
            .map(|(index, it)| format!("{it} {}", self.at(&format!("server.origins.{index}"))))
            .collect();
        lines.push("Any other page gets 403.".to_owned());
        lines
    }

    fn issuers(&self) -> Vec<String> {
        let file = &self.config.file;
        let with_users = file.issuer.iter().any(Issuer::has_users);
        if !with_users && file.forward_auth.is_none() {
            return vec!["Nobody: only anonymous routes can be entered.".to_owned()];
        }
        let mut lines = Vec::new();
        for (index, issuer) in file.issuer.iter().enumerate() {
            let at = self.at(&format!("issuer.{index}.issuer"));
            lines.push(format!(
                "{:?}, for the audience {:?} {at}",
                issuer.issuer, issuer.audience
            ));
            lines.push(format!("  {}", tokens(issuer)));
            if let Some(asked) = &issuer.introspection {
                let at = self.at(&format!("issuer.{index}.introspection"));
                lines.push(format!("  {} {at}", opaque(asked)));
            }
        }
        if let Some(asked) = &file.forward_auth {
            lines.extend(self.application(asked));
        }
        lines.push(
            "Users of any of them can enter every route, as far as it takes them.".to_owned(),
        );
        lines
    }

    fn application(&self, asked: &ForwardAuth) -> [String; 3] {
        let at = self.at("forward_auth.url");
        let shown = asked.cookies.iter().map(|it| format!("the cookie {it}"));
        let shown = shown.chain(asked.headers.iter().map(|it| format!("the header {it}")));
        let shown: Vec<_> = shown.map(|it| it.escape_debug().to_string()).collect();
        [
            format!(
                "whom the application at {:?} knows, as {}:SUB {at}",
                asked.url, asked.name
            ),
            format!("  it is shown {}, and nothing else", shown.join(", ")),
            format!(
                "  an answer counts for {} at most, and it is asked again about open sockets every {}; no answer is 503",
                asked.cache, asked.recheck
            ),
        ]
    }

    fn routes(&self) -> Vec<String> {
        let routes = self.config.file.route.iter().enumerate();
        routes
            .flat_map(|(index, route)| self.route(index, route))
            .collect()
    }

    fn route(&self, index: usize, route: &Route) -> Vec<String> {
        let kind = match route.kind {
            Kind::Channels => "channels, by wardwire.v1",
            Kind::Echo => "echo: every message comes back",
        };
        let at = self.at(&format!("route.{index}.path"));
        let mut lines = vec![format!("{} {at}: {kind}", route.path)];
        let signed_in = match &*sign_in(route) {
            [] => "whoever is signed in".to_owned(),
            terms => format!("whoever is signed in {}", terms.join(", ")),
        };
        lines.push(match route.anonymous {
            true => format!("  {signed_in}, and whoever brings no credential at all"),
            false => format!("  {signed_in}; without a credential it is 401"),
        });
        lines.push(match route.native_clients {
            true => {
                "  from the pages above; programs, which send no Origin, with a token or a ticket"
                    .to_owned()
            }
            false => {
                "  from the pages above only; programs, which send no Origin, get 403".to_owned()
            }
        });
        if route.require.client_certificate {
            let at = self.at(&format!("route.{index}.require.client_certificate"));
            lines.push(format!(
                "  by the listener for client certificates; by another it is 403 {at}"
            ));
        }
        if let Some(deflate) = route.compression.deflate() {
            let at = self.at(&format!("route.{index}.compression"));
            lines.push(format!(
                "  messages from {} on are compressed, for clients that offer it {at}",
                deflate.threshold
            ));
        }
        if let Ok(Value::Object(limits)) = serde_json::to_value(&route.limits) {
            for (key, value) in limits.iter().filter(|(_, value)| !value.is_null()) {
                let at = self.at(&format!("route.{index}.limits.{key}"));
                lines.push(format!("  {key} = {} here {at}", plain(value)));
            }
        }
        lines
    }

    fn channels(&self) -> Vec<String> {
        let channels = self.config.file.channel.iter().enumerate();
        let line = |(index, channel): (usize, &crate::config::Channel)| {
            let at = self.at(&format!("channel.{index}.name"));
            let latest = match (&channel.conflate, channel.last_value) {
                (Some(key), _) => format!(", and the newest of each {key}"),
                (None, true) => ", and the last value".to_owned(),
                (None, false) => String::new(),
            };
            let follow = right(&channel.subscribe);
            let mut lines = vec![
                format!("{} {at}", channel.name),
                format!("  follow: {follow}"),
                format!("  publish: {}", right(&channel.publish)),
            ];
            lines.push(match &channel.history {
                None => format!("  nothing is kept{latest}"),
                Some(it) => {
                    let who = it.read.as_ref().map_or(follow.clone(), right);
                    let (size, ttl) = (it.size, it.ttl);
                    format!("  the last {size} are kept for {ttl}{latest}; read: {who}")
                }
            });
            if let Some(seen) = channel.presence.seen() {
                let who = seen.see.as_ref().map_or(follow, right);
                let with = match &*seen.info {
                    [] => String::new(),
                    info => format!(", with the claims {}", info.join(", ")),
                };
                lines.push(format!("  see who follows{with}: {who}"));
            }
            lines
        };
        channels.flat_map(line).collect()
    }

    /// Every key of `[limits]`, whatever they are.
    fn limits(&self) -> Vec<String> {
        let file = &self.config.file.limits;
        let Ok(Value::Object(mut limits)) = serde_json::to_value(file) else {
            return Vec::new();
        };
        // What is made of others where nothing is written.
        let (messages, bytes) = (file.identity_messages(), file.identity_bytes());
        limits.insert("identity_messages".to_owned(), messages.into());
        limits.insert("identity_bytes".to_owned(), bytes.to_string().into());
        let width = limits.keys().map(String::len).max().unwrap_or_default();
        let line = |(key, value): (&String, &Value)| {
            let at = self.at(&format!("limits.{key}"));
            format!("{key:width$} = {} {at}", plain(value))
        };
        limits.iter().map(line).collect()
    }

    fn operators(&self) -> Vec<String> {
        let file = &self.config.file;
        let admin = match &file.admin {
            None => "There is no admin listener: no metrics, no health, no revocations by hand."
                .to_owned(),
            Some(admin) => {
                let at = self.at("admin.listen");
                format!(
                    "Operators connect to {}, with a token, from this machine only {at}",
                    admin.listen
                )
            }
        };
        let mut lines = vec![admin];
        if let Some(backend) = &file.backend {
            let at = self.at("backend.token_files");
            let count = backend.token_files.len();
            lines.push(format!(
                "The backend publishes by POST {BACKEND}, with one of {count} tokens {at}"
            ));
        }
        lines.extend(self.audit());
        lines
    }

    fn audit(&self) -> Vec<String> {
        let audit = &self.config.file.audit;
        let at = self.at("audit.file");
        let mut lines = vec![format!("Every event goes to {} {at}", audit.file)];
        lines.push(match &audit.signing_key {
            Some(key) => format!(
                "  its heads are signed with {key} {}",
                self.at("audit.signing_key")
            ),
            None => "  nobody signs its heads: who can write it can write it anew".to_owned(),
        });
        let (size, age) = (audit.rotate.size, audit.rotate.age);
        let bounds = [size.map(|it| it.to_string()), age.map(|it| it.to_string())];
        let bounds: Vec<_> = bounds.into_iter().flatten().collect();
        if !bounds.is_empty() {
            let at = self.at("audit.rotate");
            lines.push(format!(
                "  a segment is closed at {} {at}",
                bounds.join(" or ")
            ));
        }
        if let Some(keep) = audit.keep {
            lines.push(format!(
                "  {keep} closed segments are kept {}",
                self.at("audit.keep")
            ));
        }
        lines.extend((audit.addresses == Addresses::Shortened).then(|| {
            let at = self.at("audit.addresses");
            format!("  of a client's address its network: the /24, in IPv6 the /48 {at}")
        }));
        if let Some(ship) = &audit.ship {
            let needed = match audit.ship_required {
                true => ", and while that fails nobody new is let in",
                false => "",
            };
            lines.push(format!(
                "  each line goes to {ship} too{needed} {}",
                self.at("audit.ship")
            ));
        }
        lines
    }

    /// Names only: a value may be what nobody should see.
    fn environment(&self) -> Vec<String> {
        let each = self.config.overrides.iter();
        each.map(|it| format!("{}, by {}", it.path, it.name))
            .collect()
    }

    fn notes(&self) -> Vec<String> {
        let notes = notes::notes(self.config);
        let line = |(key, text): (String, String)| format!("{text} {}", self.at(&key));
        notes.into_iter().map(line).collect()
    }
}

fn opaque(asked: &Introspection) -> String {
    let place = match &asked.endpoint {
        Some(url) => url.as_str(),
        None => "it",
    };
    let again = match &asked.recheck {
        Some(every) => format!("and every {every} about those of open sockets"),
        None => "and never again about those of open sockets, which last until the token's `exp`"
            .to_owned(),
    };
    format!(
        "opaque tokens: {place} is asked as {:?}, an answer counts for {}, {again}",
        asked.client_id, asked.cache
    )
}

/// How its tokens are judged.
fn tokens(issuer: &Issuer) -> String {
    let mut told = match (issuer.profile, &issuer.discriminator) {
        (Profile::Jwt, Some(it)) => format!("access tokens have {} = {:?}", it.claim, it.equals),
        _ => "access tokens say typ at+jwt".to_owned(),
    };
    if issuer.grants() {
        let grants = "grants let a user into one channel, where its rule says \"granted\"";
        told = match issuer.has_users() {
            true => format!("{told}; {grants}"),
            false => format!("has no users: its {grants}"),
        };
    }
    let keys = match (&issuer.jwks_url, &issuer.jwks_file) {
        // A query may hold a key.
        (Some(url), _) => match url.split_once('?') {
            Some((url, _)) => format!("keys from {url:?}, with a query"),
            None => format!("keys from {url:?}"),
        },
        (None, Some(file)) => format!("keys in {file}"),
        (None, None) => "keys by its discovery document".to_owned(),
    };
    let algorithms = match &*issuer.algorithms {
        [] => "any asymmetric algorithm".to_owned(),
        named => named.join(", "),
    };
    format!("{told}; {keys}; {algorithms}")
}

/// As it would be written, without quotation marks.
fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
