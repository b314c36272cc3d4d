//! `wardwire check`: every problem at once, or who may do what.

mod explain;
mod notes;
mod user;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::print;
use crate::config::{
    Channel, Config, Kind, Network, Place, PlainRight, Right, Route, Security, visible,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    #[arg(long, default_value = "wardwire.toml")]
    config: PathBuf,
    /// Say in words what it does, where each limit comes from, and what is not usual about it
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    user: User,
    /// Only what the user may do in this channel, and why; may stand several times
    #[arg(long = "channel", value_name = "NAME", requires = "User")]
    channels: Vec<String>,
}

/// Whose rights are asked for.
#[derive(clap::Args)]
#[group(id = "User", multiple = false)]
struct User {
    /// Say what a user with the claims of this token may do: a file with claims as JSON, or with a JWT, whose signature is
    /// not checked
    #[arg(long = "as", value_name = "FILE")]
    token: Option<PathBuf>,
    /// The same, with the claims here: '{"sub":"alice","rooms":["lobby"]}'
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
}

pub(super) fn command(arguments: &Arguments) -> ExitCode {
    let path = &arguments.config;
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{problems}");
            match problems.count() {
                1 => eprintln!("1 problem"),
                count => eprintln!("{count} problems"),
            }
            return ExitCode::FAILURE;
        }
    };
    let said = match (&arguments.user.token, &arguments.user.claims) {
        (None, None) if !arguments.explain => Ok(summary(&config)),
        (None, None) => Ok(explain::explain(&config, path)),
        (Some(file), _) => user::claims_of(file).and_then(|it| answer(&config, arguments, it)),
        (None, Some(text)) => user::parse(text).and_then(|it| answer(&config, arguments, it)),
    };
    let code = match said {
        Ok(said) => print(&shown(&said)),
        Err(error) => {
            eprintln!("{}", visible(&error));
            return ExitCode::FAILURE;
        }
    };
    for warning in config.warnings.lines() {
        eprintln!("warning: {warning}");
    }
    code
}

fn answer(config: &Config, arguments: &Arguments, claims: user::Claims) -> Result<String, String> {
    user::answer(config, &arguments.config, claims, &arguments.channels)
}

/// Words of a file steer no terminal.
fn shown(text: &str) -> String {
    text.lines().map(|line| visible(line) + "\n").collect()
}

/// Where a key was written.
fn whence(config: &Config, path: &Path, key: &str) -> String {
    match config.written.place(key) {
        Some(Place::Line(line, _)) => format!("{}:{line}", path.display()),
        Some(Place::Variable(name)) => format!("${name}"),
        Some(Place::Whole) | None => "default".to_owned(),
    }
}

fn summary(config: &Config) -> String {
    let file = &config.file;
    let (listen, hosts) = (file.server.listen, hosts(config).join(", "));
    let mut lines = vec![match &config.security {
        Security::Tls(_) => format!("listens on {listen} with TLS, for {hosts}"),
        Security::Acme(acme) => format!(
            "listens on {listen} with TLS, for {hosts}, with a certificate from {}",
            acme.directory
        ),
        Security::EndedBy(balancers) => {
            format!("listens on {listen} WITHOUT TLS, which only {balancers} may end, for {hosts}")
        }
    }];
    if let Some(proxy_protocol) = &file.server.proxy_protocol {
        let from = networks(&proxy_protocol.from);
        lines.push(format!("only {from} may connect, and name the client"));
    }
    if let Some(demanded) = &file.server.client_certificates {
        let (listen, ca) = (demanded.listen, &demanded.ca);
        lines.push(format!(
            "listens on {listen} too, for clients with a certificate of {ca}"
        ));
    }
    if let Some(redirect) = file.server.redirect {
        lines.push(format!("sends browsers from {redirect} to https"));
    }
    if file.development.any_origin {
        lines.push("pages of ANY origin may connect".to_owned());
    }
    for origin in &file.server.origins {
        lines.push(format!("pages of {origin} may connect"));
    }
    for issuer in &file.issuer {
        let only = match issuer.has_users() {
            true => "",
            false => ", for grants alone",
        };
        lines.push(format!(
            "trusts {:?} for the audience {:?}{only}",
            issuer.issuer, issuer.audience
        ));
    }
    for route in &file.route {
        lines.push(format!("route {}: {}", route.path, route_terms(route)));
    }
    lines.extend(file.channel.iter().map(channel_terms));
    if let Some(admin) = &file.admin {
        lines.push(format!(
            "operators connect to {}, with a token",
            admin.listen
        ));
    }
    for it in &config.overrides {
        lines.push(format!(
            "{} comes from the environment: {}",
            it.path, it.name
        ));
    }
    lines.push("everything else is refused\n".to_owned());
    lines.join("\n")
}

fn hosts(config: &Config) -> Vec<String> {
    config
        .hosts()
        .map(|name| name.escape_debug().to_string())
        .collect()
}

fn networks(listed: &[Network]) -> String {
    let listed: Vec<_> = listed.iter().map(|it| it.0.to_string()).collect();
    listed.join(", ")
}

fn channel_terms(channel: &Channel) -> String {
    let (follow, publish) = (right(&channel.subscribe), right(&channel.publish));
    let name = &channel.name;
    format!("channel {name}: {follow} may follow, {publish} may publish")
}

fn route_terms(route: &Route) -> String {
    let mut terms = vec![match route.kind {
        Kind::Channels => "channels".to_owned(),
        Kind::Echo => "echo".to_owned(),
    }];
    terms.push(
        if route.anonymous {
            "anybody"
        } else {
            "whoever is signed in"
        }
        .to_owned(),
    );
    terms.extend(sign_in(route));
    if route.require.client_certificate {
        terms.push("with a client certificate".to_owned());
    }
    terms.push(
        if route.native_clients {
            "browsers and others"
        } else {
            "browsers only"
        }
        .to_owned(),
    );
    if route.compression.deflate().is_some() {
        terms.push("compressed for clients that offer it".to_owned());
    }
    terms.join(", ")
}

/// How users must have signed in.
fn sign_in(route: &Route) -> Vec<String> {
    let mut terms = Vec::new();
    if let Some(acr) = &route.require.acr {
        terms.push(format!("with acr {acr:?}"));
    }
    if !route.require.amr.is_empty() {
        terms.push(format!("with amr {:?}", route.require.amr));
    }
    if let Some(age) = route.require.max_age {
        terms.push(format!("within {age} of the sign-in"));
    }
    terms
}

fn right(right: &Right) -> String {
    let each = |several: &[Right], between: &str| {
        let each = several.iter().map(|it| match it {
            Right::Any(_) | Right::All(_) => format!("({})", self::right(it)),
            single => self::right(single),
        });
        each.collect::<Vec<_>>().join(between)
    };
    match right {
        Right::Plain(PlainRight::Nobody) => "nobody".to_owned(),
        Right::Plain(PlainRight::Authenticated) => "whoever is signed in".to_owned(),
        Right::Plain(PlainRight::Anyone) => "whoever is connected".to_owned(),
        Right::Plain(PlainRight::Server) => "only the application's backend".to_owned(),
        Right::Plain(PlainRight::Granted) => "whoever was granted it".to_owned(),
        Right::Scope(it) => format!("whoever has the scope {:?}", it.scope),
        Right::Contains(it) => format!("whoever's claim {} contains {:?}", it.claim, it.contains),
        Right::Equals(it) => format!("whoever's claim {} is {:?}", it.claim, it.equals),
        Right::Any(it) => each(&it.any, " or "),
        Right::All(it) => each(&it.all, " and "),
    }
}
