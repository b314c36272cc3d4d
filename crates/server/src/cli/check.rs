//! `wardwire check`: every problem at once, or who may do what.

use std::{path::Path, process::ExitCode};

use crate::config::{Channel, Config, Kind, PlainRight, Right, Route};

pub(super) fn command(path: &Path) -> ExitCode {
    match Config::load(path) {
        Ok(config) => {
            explain(&config);
            for warning in config.warnings.lines() {
                eprintln!("warning: {warning}");
            }
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprint!("{problems}");
            match problems.count() {
                1 => eprintln!("1 problem"),
                count => eprintln!("{count} problems"),
            }
            ExitCode::FAILURE
        }
    }
}

fn explain(config: &Config) {
    let file = &config.file;
    println!(
        "listens on {} with TLS, for {}",
        file.server.listen,
        hosts(config).join(", ")
    );
    if file.development.any_origin {
        println!("pages of ANY origin may connect");
    }
    for origin in &file.server.origins {
        println!("pages of {} may connect", origin);
    }
    for issuer in &file.issuer {
        println!(
            "trusts {:?} for the audience {:?}",
            issuer.issuer, issuer.audience
        );
    }
    for route in &file.route {
        println!("route {}: {}", route.path, route_terms(route));
    }
    for channel in &file.channel {
        println!("{}", channel_terms(channel));
    }
    if let Some(admin) = &file.admin {
        println!("operators connect to {}, with a token", admin.listen);
    }
    for it in &config.overrides {
        println!("{} comes from the environment: {}", it.path, it.name);
    }
    println!("everything else is refused");
}

fn hosts(config: &Config) -> Vec<String> {
    match &*config.file.server.hosts {
        [] => config
            .certificate
            .names
            .iter()
            .map(|name| name.escape_debug().to_string())
            .collect(),
        named => named.to_vec(),
    }
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
    if let Some(acr) = &route.require.acr {
        terms.push(format!("with acr {acr:?}"));
    }
    if !route.require.amr.is_empty() {
        terms.push(format!("with amr {:?}", route.require.amr));
    }
    if let Some(age) = route.require.max_age {
        terms.push(format!("within {} s of the sign-in", age.0.as_secs()));
    }
    terms.push(
        if route.native_clients {
            "browsers and others"
        } else {
            "browsers only"
        }
        .to_owned(),
    );
    terms.join(", ")
}

fn right(right: &Right) -> String {
    match right {
        Right::Plain(PlainRight::Nobody) => "nobody".to_owned(),
        Right::Plain(PlainRight::Authenticated) => "whoever is signed in".to_owned(),
        Right::Plain(PlainRight::Anyone) => "whoever is connected".to_owned(),
        Right::Contains(it) => format!("whoever's claim {} contains {:?}", it.claim, it.contains),
        Right::Equals(it) => format!("whoever's claim {} is {:?}", it.claim, it.equals),
    }
}
