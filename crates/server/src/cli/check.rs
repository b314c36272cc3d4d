//! `wardwire check`: every problem at once, or who may do what.

use std::{path::Path, process::ExitCode};

use crate::config::{Channel, Config, Kind, PlainRight, Right, Route, Security};

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
    let hosts: Vec<_> = config
        .hosts()
        .map(|it| it.escape_debug().to_string())
        .collect();
    let (listen, hosts) = (file.server.listen, hosts.join(", "));
    match &config.security {
        Security::Tls(_) => println!("listens on {listen} with TLS, for {hosts}"),
        Security::EndedBy(balancers) => {
            println!("listens on {listen} WITHOUT TLS, which only {balancers} may end, for {hosts}")
        }
    }
    if let Some(proxy_protocol) = &file.server.proxy_protocol {
        let from = proxy_protocol.from.get_ref().iter();
        let from: Vec<_> = from.map(|it| it.0.to_string()).collect();
        println!("only {} may connect, and name the client", from.join(", "));
    }
    if let Some(redirect) = &file.server.redirect {
        println!("sends browsers from {} to https", redirect.get_ref());
    }
    if file.development.any_origin {
        println!("pages of ANY origin may connect");
    }
    for origin in &file.server.origins {
        println!("pages of {} may connect", origin.get_ref());
    }
    for issuer in &file.issuer {
        println!(
            "trusts {:?} for the audience {:?}",
            issuer.issuer.get_ref(),
            issuer.audience
        );
    }
    for route in &file.route {
        println!("route {}: {}", route.path.get_ref(), route_terms(route));
    }
    for channel in &file.channel {
        println!("{}", channel_terms(channel));
    }
    if let Some(admin) = &file.admin {
        println!(
            "operators connect to {}, with a token",
            admin.listen.get_ref()
        );
    }
    println!("everything else is refused");
}

fn channel_terms(channel: &Channel) -> String {
    let (follow, publish) = (right(&channel.subscribe), right(&channel.publish));
    let name = channel.name.get_ref();
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
    if route.compression.deflate().is_some() {
        terms.push("compressed for clients that offer it".to_owned());
    }
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
