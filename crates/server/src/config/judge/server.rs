//! `[server]`: the certificate, the pages that may come, the hosts it answers to.

use std::{collections::HashSet, net::IpAddr, path::Path};

use wardwire_admission::{host::Hosts, origin::Origin};

use super::{
    super::{
        Certificates, Security,
        certificate::{self, Certificate, Part},
    },
    Judge, acme, network,
};

pub(super) fn tls(judge: &mut Judge<'_>) -> Option<Security> {
    let file = judge.file;
    let tls = match (&file.server.tls, &file.server.acme) {
        (Some(tls), None) => tls,
        (None, Some(acme)) => {
            if !judge.file.server.certificates.is_empty() {
                judge.refuse(
                    "server.certificates",
                    "there are server.certificates beside `acme`: which certificate is shown would be chance",
                    "Drop them and list their names in acme.hosts, or write `tls` in the place of `acme`.",
                );
            }
            return acme::judge(judge, acme).map(Security::Acme);
        }
        (Some(_), Some(_)) => {
            judge.refuse(
                "server.acme",
                "[server] has `tls` and `acme`: which certificate is shown would be chance",
                "Drop `tls` to let the server obtain its certificate, or drop `acme`.",
            );
            return None;
        }
        (None, None) => {
            judge.refuse(
                "server.tls",
                "[server] has no `tls`: nothing is ever served without TLS",
                "Add tls = { cert = \"cert.pem\", key = \"key.pem\" } or [server.acme]. `wardwire demo` makes a local certificate.",
            );
            return None;
        }
    };
    let missing = |judge: &mut Judge<'_>, key: &str| {
        let remedy = "Write tls = { cert = \"cert.pem\", key = \"key.pem\" }.";
        judge.refuse("server.tls", format!("`{key}` is missing"), remedy);
        None
    };
    match (&tls.cert, &tls.key, &tls.terminated_by) {
        (Some(cert), Some(key), None) => {
            let (cert, key) = (
                judge.find("server.tls.cert", cert),
                judge.find("server.tls.key", key),
            );
            let first = certificate(judge, "server.tls", &cert?, &key?);
            certificates(judge, first).map(Security::Tls)
        }
        (None, None, Some(balancers)) => {
            if !judge.file.server.certificates.is_empty() {
                judge.refuse(
                    "server.certificates",
                    "there are server.certificates, but TLS ends at a balancer",
                    "Drop them, or `terminated_by`.",
                );
            }
            let place = "server.tls.terminated_by";
            network::balancers(judge, place, balancers).map(Security::EndedBy)
        }
        (_, _, Some(_)) => {
            judge.refuse(
                "server.tls.terminated_by",
                "TLS ends at a balancer or here, not both",
                "Drop `cert` and `key`, or `terminated_by`.",
            );
            None
        }
        (None, _, None) => missing(judge, "cert"),
        (Some(_), None, None) => missing(judge, "key"),
    }
}

/// The first, and what stands in `[[server.certificates]]`.
fn certificates(judge: &mut Judge<'_>, first: Option<Certificate>) -> Option<Certificates> {
    let mut all: Vec<Certificate> = first.iter().cloned().collect();
    let mut sound = true;
    for (index, files) in judge.file.server.certificates.iter().enumerate() {
        let place = format!("server.certificates.{index}");
        let cert = judge.find(&format!("{place}.cert"), &files.cert);
        let key = judge.find(&format!("{place}.key"), &files.key);
        let loaded = cert.zip(key);
        let loaded = loaded.and_then(|(cert, key)| certificate(judge, &place, &cert, &key));
        let Some(certificate) = loaded else {
            sound = false;
            continue;
        };
        let clash = all.iter().find_map(|other| certificate.clash(other));
        if let Some(name) = clash {
            judge.refuse(
                &format!("{place}.cert"),
                format!("an earlier certificate is for {name:?} too, with a key of the same kind"),
                "Keep one of them, or make one of the two an ECDSA and the other an RSA key.",
            );
        }
        all.push(certificate);
    }
    let mut all = all.into_iter();
    let first = first.and_then(|_| all.next())?;
    sound.then(|| Certificates {
        first,
        more: all.collect(),
    })
}

fn certificate(judge: &mut Judge<'_>, place: &str, cert: &Path, key: &Path) -> Option<Certificate> {
    match certificate::load(cert, key) {
        Ok(certificate) => Some(certificate),
        Err(faults) => {
            for fault in faults {
                let key = match fault.part {
                    Part::Certificate => "cert",
                    Part::Key => "key",
                };
                judge.refuse(&format!("{place}.{key}"), fault.message, fault.remedy);
            }
            None
        }
    }
}

pub(super) fn origins(judge: &mut Judge<'_>) {
    if judge.file.development.any_origin {
        judge.warn(
            "development.any_origin",
            "development.any_origin is on: every page on the web may reach this server",
            "Never in production. List the pages in server.origins.",
        );
    } else if judge.file.server.origins.is_empty() {
        judge.refuse(
            "server.origins",
            "[server] has no `origins`: no page could reach it",
            "Add origins = [\"https://app.example.com\"].",
        );
    }
    for (index, origin) in judge.file.server.origins.iter().enumerate() {
        let place = format!("server.origins.{index}");
        let written = origin;
        match Origin::parse(written) {
            Some(parsed) if parsed.is_secure() => {}
            Some(_) => judge.refuse(
                &place,
                format!("the origin {written:?} is not https: whoever is on its network could speak for it"),
                "Serve the page over https.",
            ),
            None if written.contains('*') => judge.refuse(
                &place,
                format!("the origin {written:?} stands for pages nobody listed"),
                "List each page. For development only: development.any_origin = true.",
            ),
            None if written == "null" => judge.refuse(
                &place,
                "the origin \"null\" is that of every sandboxed frame, whoever made it",
                "Serve the page from an https origin of its own, and list that.",
            ),
            None => judge.refuse(
                &place,
                format!("{written:?} is not an origin"),
                "Write scheme, host and port, and nothing after them: \"https://app.example.com\".",
            ),
        }
    }
}

pub(super) fn hosts(judge: &mut Judge<'_>, security: Option<&Security>) {
    let file = judge.file;
    for (index, host) in file.server.hosts.iter().enumerate() {
        let written = host;
        let place = format!("server.hosts.{index}");
        if Hosts::new([written.as_str()]).is_err() {
            judge.refuse(
                &place,
                format!("{written:?} is not a host"),
                "Write a name, \"*.example.com\", or an address; no port, and never \"*\".",
            );
        } else if is_wide(written) {
            judge.refuse(
                &place,
                format!("{written:?} stands for hosts of strangers: DNS rebinding would pass"),
                "Put the star below a name of your own: \"*.example.com\".",
            );
        }
    }
    let Some(security) = security else {
        return;
    };
    let certified: Vec<&str> = match security {
        _ if !file.server.hosts.is_empty() => Vec::new(),
        Security::Tls(certificates) => certificates.names().collect(),
        Security::Acme(acme) => acme.hosts.iter().map(String::as_str).collect(),
        Security::EndedBy(_) => Vec::new(),
    };
    let named = file.server.hosts.iter().map(String::as_str);
    let sound = certified
        .into_iter()
        .filter(|name| Hosts::new([*name]).is_ok());
    let named: Vec<&str> = named.chain(sound).collect();
    if named.is_empty() {
        let message = match security {
            Security::Tls(_) | Security::Acme(_) => {
                "the certificate names no host, and server.hosts is missing"
            }
            Security::EndedBy(_) => {
                "server.hosts is missing: there is no certificate here that names hosts"
            }
        };
        let remedy = match security {
            Security::Tls(_) | Security::Acme(_) => {
                "Use a certificate with subject alternative names, or set server.hosts."
            }
            Security::EndedBy(_) => "Set server.hosts to the names in the balancer's certificate.",
        };
        judge.refuse("server.hosts", message, remedy);
    }
    cookies(judge, &named.into_iter().map(site).collect());
}

/// Warns of pages whose requests bring no session cookie (`SameSite=Lax`).
fn cookies(judge: &mut Judge<'_>, sites: &HashSet<String>) {
    for (index, origin) in judge.file.server.origins.iter().enumerate() {
        let Some(origin) = Origin::parse(origin) else {
            continue;
        };
        if !sites.contains(&site(origin.host())) {
            judge.warn(
                &format!("server.origins.{index}"),
                format!("{origin} is not on the site of any of this server's hosts"),
                "Its pages cannot use the session cookie; they need a token for the ticket.",
            );
        }
    }
}

/// Whether a star stands directly below a top-level domain, or before an address.
fn is_wide(host: &str) -> bool {
    host.strip_prefix("*.").is_some_and(|parent| {
        let parent = parent.strip_suffix('.').unwrap_or(parent);
        parent.parse::<IpAddr>().is_ok()
            || (!parent.contains('.') && !parent.eq_ignore_ascii_case("localhost"))
    })
}

/// A host's registrable domain, by rule of thumb: its last two labels. Enough for a warning.
fn site(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.parse::<IpAddr>().is_ok() {
        return host.to_owned();
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}
