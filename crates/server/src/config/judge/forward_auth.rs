//! `[forward_auth]`: what the application is shown, and over which line.

use std::net::IpAddr;

use wardwire_admission::token;

use super::{
    super::{
        certificate::is_anybodys,
        file::{File, ForwardAuth},
    },
    Judge,
};
use crate::outbound;

pub(super) fn judge(judge: &mut Judge<'_>) {
    let file = judge.file;
    let Some(asked) = &file.forward_auth else {
        return;
    };
    if !token::is_name(&asked.name) {
        judge.refuse(
            "forward_auth.name",
            format!("{:?} is no name for an application", asked.name),
            "Write 1 to 32 of a-z, 0-9, - and _.",
        );
    }
    if file
        .issuer
        .iter()
        .any(|it| it.name.as_ref() == Some(&asked.name))
    {
        judge.refuse(
            "forward_auth.name",
            "an issuer has this name: their users could pass for one another",
            "Give each a name of its own.",
        );
    }
    if file.issuer.iter().any(|it| it.issuer == asked.url) {
        judge.refuse(
            "forward_auth.url",
            "an issuer is called so: their users could pass for one another",
            "Ask the application at another URL.",
        );
    }
    if let Err(cause) = asked.selection() {
        judge.refuse(
            "forward_auth.cookies",
            cause,
            "Name the cookies that are the application's session, and headers that no proxy and no browser uses to say who somebody is: cookies = [\"sid\"].",
        );
    }
    line(judge, file, asked);
    if let Some(ca) = &asked.ca
        && let Some(path) = judge.find("forward_auth.ca", ca)
        && is_anybodys(&path)
    {
        judge.refuse(
            "forward_auth.ca",
            "the ca can be written by everybody",
            "Run `chmod o-w` on it, and look who is in it.",
        );
    }
}

fn line(judge: &mut Judge<'_>, file: &File, asked: &ForwardAuth) {
    if !outbound::is_askable(&asked.url) {
        judge.refuse(
            "forward_auth.url",
            "the url is neither https nor a loopback address, or no URL: cookies would travel over an open line",
            "Write https://, without a user in it, or http:// and an address of this machine, such as http://127.0.0.1:3000/whoami.",
        );
        return;
    }
    let Some(address) = address(&asked.url).filter(IpAddr::is_loopback) else {
        return;
    };
    if !file.outbound.allow.iter().any(|it| it.contains(&address)) {
        judge.refuse(
            "forward_auth.url",
            format!("{address} is not public, and outbound.allow does not list it: nobody would be asked"),
            format!("Write under [outbound]: allow = [\"{address}\"]"),
        );
    }
}

fn address(url: &str) -> Option<IpAddr> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?;
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}
