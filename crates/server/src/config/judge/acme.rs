//! `[server.acme]`: what is asked of an authority, and where its answers are kept.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use wardwire_admission::host::{HostName, Hosts};
use zeroize::Zeroizing;

use super::{
    super::{
        certificate::is_shared,
        file::{Acme, Challenge, ExternalAccount},
        path::{self, FilePath},
    },
    Judge,
};
use crate::{
    acme::{Binding, Settings, Storage},
    outbound,
};

/// Names in one certificate that Let's Encrypt takes; others take fewer.
const MOST_HOSTS: usize = 100;
/// The longest name in DNS, in bytes (RFC 1035 §2.3.4).
const LONGEST_HOST: usize = 253;
/// What an authority takes as a key: HS256 (RFC 8555 §7.3.4) with at least its own length (RFC 7518 §3.2).
const LEAST_KEY: usize = 32;

/// Judges the table. None if anything in it was refused.
pub(super) fn judge(judge: &mut Judge<'_>, acme: &Acme) -> Option<Arc<Settings>> {
    let before = judge.problems.len();
    if !acme.terms_of_service_agreed {
        judge.refuse(
            "server.acme.terms_of_service_agreed",
            "nobody has agreed to the authority's terms of service",
            "Read them, and set terms_of_service_agreed = true. The directory names them under meta.termsOfService.",
        );
    }
    let hosts = hosts(judge, acme);
    contact(judge, acme);
    directory(judge, acme);
    challenge(judge, acme);
    let storage = storage(judge, &acme.storage);
    let authority = acme.ca.as_ref().map(|ca| authority(judge, ca));
    let bound = acme.external_account.as_ref();
    let binding = bound.map(|account| binding(judge, account));
    if judge.problems.len() > before {
        return None;
    }
    Some(Arc::new(Settings {
        directory: acme.directory.clone(),
        contact: acme.contact.clone(),
        hosts,
        storage: storage?,
        challenge: acme.challenge,
        authority: authority.flatten(),
        binding: binding.flatten(),
    }))
}

fn hosts(judge: &mut Judge<'_>, acme: &Acme) -> Vec<String> {
    let place = "server.acme.hosts";
    if acme.hosts.is_empty() {
        let remedy = "Write hosts = [\"live.example.com\"] under [server.acme].";
        judge.refuse(place, "a certificate for no host", remedy);
    }
    if acme.hosts.len() > MOST_HOSTS {
        let message = format!("more than {MOST_HOSTS} names in one certificate");
        judge.refuse(place, message, "No authority signs that. Name fewer hosts.");
    }
    let own = &judge.file.server.hosts;
    let answered = Hosts::new(own.iter().map(String::as_str)).ok();
    let mut hosts: Vec<String> = Vec::new();
    for (index, written) in acme.hosts.iter().enumerate() {
        let place = format!("server.acme.hosts.{index}");
        let host = written.to_ascii_lowercase();
        if let Err((message, remedy)) = certifiable(&host) {
            judge.refuse(&place, format!("{written:?} {message}"), remedy);
        } else if hosts.contains(&host) {
            judge.refuse(&place, format!("{written:?} stands twice"), "Drop one.");
        } else if let Some(answered) = answered.as_ref().filter(|_| !own.is_empty())
            && !HostName::parse(&host).is_some_and(|host| answered.holds(&host))
        {
            judge.refuse(
                &place,
                format!("a certificate for {written:?}, which server.hosts does not list"),
                "Add it to server.hosts, or drop server.hosts: then it answers to the hosts here.",
            );
        }
        hosts.push(host);
    }
    hosts
}

/// Whether an authority can see by its challenges that a host is ours.
fn certifiable(host: &str) -> Result<(), (&'static str, &'static str)> {
    if host.contains('*') {
        return Err((
            "is no single host: that is shown by DNS alone, which this server does not write",
            "Name each host, or use `tls` with a certificate from elsewhere.",
        ));
    }
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return Err((
            "is an address: these challenges are for names",
            "Write a name that leads to this server.",
        ));
    }
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(letters)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match host.len() <= LONGEST_HOST && host.split('.').all(label) {
        true => Ok(()),
        false => Err((
            "is not the name of a host",
            "Write it as in DNS, without a port or a dot at its end; a name in other letters as xn--...",
        )),
    }
}

fn contact(judge: &mut Judge<'_>, acme: &Acme) {
    for (index, written) in acme.contact.iter().enumerate() {
        let address = written
            .strip_prefix("mailto:")
            .and_then(|it| it.split_once('@'));
        let is_plain = |part: &str| {
            !part.is_empty()
                && !part.contains([',', '?', '@'])
                && part.chars().all(|it| it.is_ascii_graphic())
        };
        // RFC 8555 §7.3: one address, and nothing about the mail.
        if !address.is_some_and(|(who, host)| is_plain(who) && is_plain(host)) {
            judge.refuse(
                &format!("server.acme.contact.{index}"),
                format!("{written:?} is not written like \"mailto:ops@example.com\""),
                "Write one address for each contact, or leave `contact` out.",
            );
        }
    }
}

fn directory(judge: &mut Judge<'_>, acme: &Acme) {
    if !outbound::is_fetchable(&acme.directory) {
        judge.refuse(
            "server.acme.directory",
            format!("{:?} is not an https URL", acme.directory),
            "Leave it out for Let's Encrypt, or write the URL that the authority gives.",
        );
    }
}

fn challenge(judge: &mut Judge<'_>, acme: &Acme) {
    if acme.challenge == Challenge::Http01 && judge.file.server.redirect.is_none() {
        judge.refuse(
            "server.acme.challenge",
            "challenge = \"http-01\" is answered on the port of server.redirect, which is missing",
            "Add redirect = \"0.0.0.0:80\" under [server], or leave `challenge` out.",
        );
    }
}

fn storage(judge: &mut Judge<'_>, storage: &FilePath) -> Option<PathBuf> {
    let place = "server.acme.storage";
    if let FilePath::Credential(_) = storage {
        let remedy = "Name a folder, as storage = \"/var/lib/wardwire/acme\".";
        judge.refuse(place, "credentials are not written to", remedy);
        return None;
    }
    let folder = judge.find(place, storage)?;
    if let Err(error) = Storage::examine(&folder) {
        judge.refuse(
            place,
            format!("{}: {error}", folder.display()),
            "Run `chmod 700` on the folder and `chown` it to the server's user; if others could read it, delete what is in it.",
        );
    }
    Some(folder)
}

fn authority(judge: &mut Judge<'_>, ca: &FilePath) -> Option<Vec<u8>> {
    let place = "server.acme.ca";
    let pem = path::read(&judge.find(place, ca)?).map_err(|error| error.to_string());
    let usable = pem.and_then(|pem| {
        let trusted = outbound::Outbound::new(Vec::new(), std::slice::from_ref(&pem));
        trusted.map(|_| pem).map_err(|error| error.to_string())
    });
    usable
        .map_err(|error| {
            let remedy = "Name a PEM file with the authority's root certificate.";
            judge.refuse(place, format!("{ca}: {error}"), remedy);
        })
        .ok()
}

fn binding(judge: &mut Judge<'_>, account: &ExternalAccount) -> Option<Binding> {
    let place = "server.acme.external_account.key_file";
    let path = judge.find(place, &account.key_file)?;
    if is_shared(&path) {
        let message = format!("{} can be read by others", path.display());
        let remedy = "Run `chmod 600` on it; if others could read it, ask for another key.";
        judge.refuse(place, message, remedy);
    }
    match key(&path) {
        Ok(key) => Some(Binding {
            kid: account.kid.clone(),
            key,
        }),
        Err(why) => {
            judge.refuse(
                place,
                format!("{}: {why}", path.display()),
                "Write the key into it as the authority gave it, in base64url, and nothing else.",
            );
            None
        }
    }
}

fn key(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = Zeroizing::new(path::read(path).map_err(|error| error.to_string())?);
    let text = std::str::from_utf8(&text).map_err(|_| "it is not text")?;
    let text = text.trim().trim_end_matches('=');
    let key = BASE64_URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new);
    // The error of the decoder would show a part of the key.
    let key = key.map_err(|_| "it is not base64url")?;
    match key.len() >= LEAST_KEY {
        true => Ok(key),
        false => Err(format!("the key is shorter than {LEAST_KEY} bytes")),
    }
}
