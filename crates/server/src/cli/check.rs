//! `wardwire check`: every problem at once, or who may do what.

use std::{path::Path, process::ExitCode};

use crate::config::{Config, Kind, PlainRight, Problem, Right, Route};

pub(super) fn command(path: &Path) -> ExitCode {
    match Config::load(path) {
        Ok(config) => {
            explain(&config);
            warn(&config.warnings);
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprint!("{problems}");
            eprintln!("{} problems", problems.count());
            ExitCode::FAILURE
        }
    }
}

/// Prints what is worth a second look.
pub(super) fn warn(warnings: &[Problem]) {
    for Problem {
        message, remedy, ..
    } in warnings
    {
        eprintln!("warning: {message}\n    {remedy}");
    }
}

fn explain(config: &Config) {
    let file = &config.file;
    println!(
        "listens on {} with TLS, for {}",
        file.server.listen,
        config.certificate.names.join(", ")
    );
    for origin in &file.server.origins {
        println!("pages of {} may connect", origin.get_ref());
    }
    for issuer in &file.issuer {
        println!(
            "trusts {} for the audience {:?}",
            issuer.issuer.get_ref(),
            issuer.audience
        );
    }
    for route in &file.route {
        println!("route {}: {}", route.path.get_ref(), route_terms(route));
    }
    for channel in &file.channel {
        let (follow, publish) = (right(&channel.subscribe), right(&channel.publish));
        println!(
            "channel {}: {follow} may follow, {publish} may publish",
            channel.name.get_ref()
        );
    }
    println!("everything else is refused");
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
