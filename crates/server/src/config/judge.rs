//! What is unsafe, and so refused before anything listens. Each refusal names the way out.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
    path::Path,
};

use wardwire_admission::{host::Hosts, origin::Origin, token};
use wardwire_hub::rights::Pattern;

use super::{
    Problem,
    certificate::{self, Certificate},
    file::{Channel, File, Issuer, Limits, Profile, Route},
    runtime,
};

/// Judges a file. Problems are appended; what is returned beside the certificate is only worth a second look.
pub(super) fn judge(
    file: &File,
    folder: &Path,
    text: &str,
    problems: &mut Vec<Problem>,
) -> (Option<Certificate>, Vec<Problem>) {
    let mut warnings = Vec::new();
    let certificate = tls(file, folder, text, problems);
    origins(file, text, problems, &mut warnings);
    hosts(file, certificate.as_ref(), problems, &mut warnings);
    issuers(file, folder, problems, &mut warnings);
    routes(file, problems);
    channels(&file.channel, problems);
    limits(&file.limits, text, problems);
    admin(file, folder, problems);
    audit(file, folder, problems);
    (certificate, warnings)
}

/// Where a table begins, for what is missing in it.
fn table(text: &str, name: &str) -> std::ops::Range<usize> {
    let at = text.find(&format!("[{name}]")).unwrap_or(0);
    at..at
}

fn tls(file: &File, folder: &Path, text: &str, problems: &mut Vec<Problem>) -> Option<Certificate> {
    let Some(tls) = &file.server.tls else {
        problems.push(
            Problem::new(
                "[server] has no `tls`: nothing is ever served without TLS",
                "Add tls = { cert = \"cert.pem\", key = \"key.pem\" }. `wardwire demo` makes a local certificate.",
            )
            .at(table(text, "server")),
        );
        return None;
    };
    let (cert, key) = (
        folder.join(tls.cert.get_ref()),
        folder.join(tls.key.get_ref()),
    );
    match certificate::load(&cert, &key) {
        Ok(certificate) => Some(certificate),
        Err((message, remedy)) => {
            problems.push(Problem::new(message, remedy).at(tls.cert.span()));
            None
        }
    }
}

fn origins(file: &File, text: &str, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    if file.development.any_origin {
        warnings.push(Problem::new(
            "development.any_origin is on: every page on the web may reach this server",
            "Never in production. List the pages in server.origins.",
        ));
    } else if file.server.origins.is_empty() {
        problems.push(
            Problem::new(
                "[server] has no `origins`: no page could reach it",
                "Add origins = [\"https://app.example.com\"].",
            )
            .at(table(text, "server")),
        );
    }
    for origin in &file.server.origins {
        let written = origin.get_ref();
        match Origin::parse(written) {
            Some(parsed) if parsed.is_secure() => {}
            Some(_) => problems.push(
                Problem::new(
                    format!("the origin {written:?} is not https: whoever is on its network could speak for it"),
                    "Serve the page over https.",
                )
                .at(origin.span()),
            ),
            None if written.contains('*') => problems.push(
                Problem::new(
                    format!("the origin {written:?} stands for pages nobody listed"),
                    "List each page. For development only: development.any_origin = true.",
                )
                .at(origin.span()),
            ),
            None => problems.push(
                Problem::new(
                    format!("{written:?} is not an origin"),
                    "Write scheme, host and port, and nothing after them: \"https://app.example.com\".",
                )
                .at(origin.span()),
            ),
        }
    }
}

fn hosts(
    file: &File,
    certificate: Option<&Certificate>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    for host in &file.server.hosts {
        if Hosts::new([host.get_ref().as_str()]).is_err() {
            problems.push(
                Problem::new(
                    format!("{:?} is not a host", host.get_ref()),
                    "Write a name, \"*.example.com\", or an address; no port, and never \"*\".",
                )
                .at(host.span()),
            );
        }
    }
    let Some(certificate) = certificate else {
        return;
    };
    if file.server.hosts.is_empty() && certificate.names.is_empty() {
        problems.push(Problem::new(
            "the certificate names no host, and server.hosts is missing",
            "Use a certificate with subject alternative names, or set server.hosts.",
        ));
    }
    let ours = |name: &str| site(name);
    let sites: HashSet<String> = if file.server.hosts.is_empty() {
        certificate.names.iter().map(|name| ours(name)).collect()
    } else {
        file.server
            .hosts
            .iter()
            .map(|name| ours(name.get_ref()))
            .collect()
    };
    for origin in &file.server.origins {
        let Some(parsed) = Origin::parse(origin.get_ref()) else {
            continue;
        };
        if !sites.contains(&site(parsed.host())) {
            warnings.push(
                Problem::new(
                    format!("{parsed} is not on the site of any of this server's hosts"),
                    "Its pages cannot use the session cookie; they need a token for the ticket.",
                )
                .at(origin.span()),
            );
        }
    }
}

/// A host's registrable domain, by rule of thumb: its last two labels. Enough for a warning.
fn site(host: &str) -> String {
    if host.parse::<std::net::IpAddr>().is_ok() {
        return host.to_owned();
    }
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

fn issuers(file: &File, folder: &Path, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    if file.issuer.is_empty() {
        if file.development.without_issuer {
            warnings.push(Problem::new(
                "development.without_issuer is on: nobody can sign in, only anonymous routes can be entered",
                "Never in production. Add an [[issuer]].",
            ));
        } else {
            problems.push(Problem::new(
                "there is no [[issuer]]: nobody could prove who they are",
                "Add [[issuer]] with issuer and audience. For development only: development.without_issuer = true.",
            ));
        }
    }
    let mut seen = HashSet::new();
    for issuer in &file.issuer {
        if !seen.insert(issuer.issuer.get_ref()) {
            problems.push(
                Problem::new("this issuer stands twice", "Give it one [[issuer]].")
                    .at(issuer.issuer.span()),
            );
        }
        judge_issuer(issuer, folder, problems);
    }
}

fn judge_issuer(issuer: &Issuer, folder: &Path, problems: &mut Vec<Problem>) {
    let mut push = |message: &str, remedy: &str, span: std::ops::Range<usize>| {
        problems.push(Problem::new(message, remedy).at(span));
    };
    let here = issuer.issuer.span();
    if issuer.issuer.get_ref().is_empty() {
        push(
            "the issuer is empty",
            "Write the issuer's URL, exactly as its tokens' `iss` does.",
            here.clone(),
        );
    }
    if issuer.audience.is_empty() {
        push(
            "the issuer has no `audience`: tokens made for other services would be taken",
            "Add audience = \"wardwire\", and have the issuer put that into its tokens' `aud`.",
            here.clone(),
        );
    }
    if issuer.profile == Profile::Jwt && issuer.discriminator.is_none() {
        push(
            "profile \"jwt\" needs a `discriminator`: an ID token could pass for an access token",
            "Name a claim that only access tokens have: discriminator = { claim = \"azp\", equals = \"web\" }.",
            here.clone(),
        );
    }
    for algorithm in &issuer.algorithms {
        if algorithm.get_ref().parse::<token::Algorithm>().is_err() {
            push(
                &format!("the algorithm {:?} is not taken", algorithm.get_ref()),
                "Asymmetric ones only: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.",
                algorithm.span(),
            );
        }
    }
    if issuer.jwks_url.is_some() && issuer.jwks_file.is_some() {
        push(
            "both `jwks_url` and `jwks_file`",
            "Name one place for the keys.",
            here.clone(),
        );
    }
    let https = |url: &str| url.starts_with("https://");
    if let Some(url) = &issuer.jwks_url {
        if !https(url.get_ref()) {
            push(
                "the jwks_url is not https",
                "Fetch keys over https only.",
                url.span(),
            );
        }
    } else if let Some(file) = &issuer.jwks_file {
        if let Err(error) = fs::read(folder.join(file.get_ref())) {
            push(
                &format!("the jwks_file cannot be read: {error}"),
                "Name a file with a JWK set.",
                file.span(),
            );
        }
    } else if !https(issuer.issuer.get_ref()) {
        push(
            "the issuer is not an https URL, so its keys cannot be found",
            "Write its https URL, or name the keys with jwks_url or jwks_file.",
            here,
        );
    }
    if let Some(ca) = &issuer.ca
        && let Err(error) = fs::read(folder.join(ca.get_ref()))
    {
        push(
            &format!("the ca cannot be read: {error}"),
            "Name a PEM file.",
            ca.span(),
        );
    }
    if issuer.leeway.0.as_secs() > 300 {
        push(
            "a leeway over 5 minutes",
            "Set the machines' clocks (NTP).",
            issuer.issuer.span(),
        );
    }
}

fn routes(file: &File, problems: &mut Vec<Problem>) {
    if file.route.is_empty() {
        problems.push(Problem::new(
            "there is no [[route]]",
            "Add [[route]] with path = \"/live\".",
        ));
    }
    let mut seen = HashSet::new();
    for route in &file.route {
        judge_route(route, problems);
        if !seen.insert(route.path.get_ref()) {
            problems.push(
                Problem::new("two routes have this path", "Give each its own.")
                    .at(route.path.span()),
            );
        }
    }
}

fn judge_route(route: &Route, problems: &mut Vec<Problem>) {
    let path = route.path.get_ref();
    let shaped = path.starts_with('/')
        && path
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if !shaped {
        problems.push(
            Problem::new(
                format!("{path:?} is not a path"),
                "Begin with /, and use letters, digits and - . _ ~ between slashes.",
            )
            .at(route.path.span()),
        );
    }
    if path.starts_with("/.wardwire") {
        problems.push(
            Problem::new(
                "paths under /.wardwire are the server's own",
                "Choose another path.",
            )
            .at(route.path.span()),
        );
    }
    let require = &route.require;
    if route.anonymous
        && (require.acr.is_some() || !require.amr.is_empty() || require.max_age.is_some())
    {
        problems.push(
            Problem::new(
                "an anonymous route that requires a strong sign-in: whoever brings nothing would pass",
                "Drop `anonymous` or `require`.",
            )
            .at(route.path.span()),
        );
    }
}

fn channels(channels: &[Channel], problems: &mut Vec<Problem>) {
    let mut seen: Vec<Pattern> = Vec::new();
    for channel in channels {
        let name = &channel.name;
        match Pattern::parse(name.get_ref()) {
            Ok(pattern) => {
                for right in [&channel.subscribe, &channel.publish] {
                    let right = runtime::right(right);
                    for hole in right.holes().filter(|hole| !pattern.has_hole(hole)) {
                        problems.push(
                            Problem::new(
                                format!(
                                    "a right speaks of {{{hole}}}, which {:?} does not have",
                                    name.get_ref()
                                ),
                                "Name a hole of the channel's pattern.",
                            )
                            .at(name.span()),
                        );
                    }
                }
                if seen.iter().any(|earlier| earlier.covers(&pattern)) {
                    problems.push(
                        Problem::new(
                            format!("every name that fits {:?} fits one above", name.get_ref()),
                            "The first that fits decides: put what is more exact first.",
                        )
                        .at(name.span()),
                    );
                }
                seen.push(pattern);
            }
            Err(error) => problems.push(
                Problem::new(error.to_string(), "Write a pattern like \"chat/{room}\".")
                    .at(name.span()),
            ),
        }
    }
}

fn limits(limits: &Limits, text: &str, problems: &mut Vec<Problem>) {
    const GIB: usize = 1024 * 1024 * 1024;
    let table = table(text, "limits");
    let mut within = |name: &str, value: u128, least: u128, most: u128| {
        if value < least || value > most {
            problems.push(
                Problem::new(
                    format!("limits.{name} is {value}"),
                    format!("Choose {least} to {most}."),
                )
                .at(table.clone()),
            );
        }
    };
    within("message", limits.message.0 as u128, 1, GIB as u128);
    within("fragments", limits.fragments.into(), 1, 1 << 20);
    within("outbox", limits.outbox.0 as u128, 1024, GIB as u128);
    within(
        "connections_per_ip",
        limits.connections_per_ip.into(),
        1,
        1 << 24,
    );
    within(
        "connections_per_subject",
        limits.connections_per_subject.into(),
        1,
        1 << 24,
    );
    within("unadmitted", limits.unadmitted.into(), 1, 1 << 24);
    within("subscriptions", limits.subscriptions as u128, 1, 1 << 20);
    within("channels", limits.channels as u128, 1, 1 << 24);
    for (name, span) in [
        ("message_time", limits.message_time),
        ("handshake", limits.handshake),
        ("ping", limits.ping),
        ("pong", limits.pong),
    ] {
        within(&format!("{name} (ms)"), span.0.as_millis(), 100, 3_600_000);
    }
}

fn admin(file: &File, folder: &Path, problems: &mut Vec<Problem>) {
    let Some(admin) = &file.admin else { return };
    if !admin.listen.get_ref().ip().is_loopback() {
        problems.push(
            Problem::new(
                "admin.listen is not a loopback address",
                "Write 127.0.0.1:9090, and reach it through a tunnel.",
            )
            .at(admin.listen.span()),
        );
    }
    let path = folder.join(admin.token_file.get_ref());
    let problem = match fs::read_to_string(&path) {
        Err(error) => Some(format!("the admin token cannot be read: {error}")),
        Ok(token) if token.trim().len() < 32 => {
            Some("the admin token is shorter than 32 bytes".to_owned())
        }
        Ok(_) if certificate::is_shared(&path) => {
            Some("the admin token can be read by others".to_owned())
        }
        Ok(_) => None,
    };
    if let Some(message) = problem {
        let remedy = "Run: (umask 077; openssl rand -hex 32 > admin.token)";
        problems.push(Problem::new(message, remedy).at(admin.token_file.span()));
    }
}

fn audit(file: &File, folder: &Path, problems: &mut Vec<Problem>) {
    let path = folder.join(&file.audit.file);
    let existed = path.exists();
    if let Err(error) = OpenOptions::new().append(true).create(true).open(&path) {
        problems.push(Problem::new(
            format!(
                "the audit log {} cannot be written: {error}",
                path.display()
            ),
            "Name a file in a folder that the server's user can write: [audit] file = \"...\".",
        ));
    } else if !existed {
        // Only a probe: the server makes the file itself, with the right mode.
        let _ = fs::remove_file(&path);
    }
}
