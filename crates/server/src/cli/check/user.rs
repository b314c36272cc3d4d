//! `wardwire check --as FILE`: what a user with these claims may do. The claims are judged by admission and the rights
//! by the hub, as for a socket; only the signature is not asked for.

use std::{
    fmt::Write as _,
    fs::File,
    io::Read as _,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use wardwire_admission::{
    clock::{Clock as _, SystemClock},
    principal::Principal,
};
use wardwire_hub::rights::{
    Action, Standing,
    ask::{Allowed, decide, overview},
    explain::{Because, explain},
};
use wardwire_protocol::channel::ChannelName;

use super::whence;
use crate::config::{Config, Issuer, Presence, Seen, routes, rules, supposed};

pub(super) type Claims = Map<String, Value>;

/// The largest file of claims.
const LONGEST: u64 = 64 * 1024;
/// How long claims without `exp` are taken to hold, in seconds, if their issuer's may.
const HOUR: u64 = 3600;

/// The claims in a file: JSON, or those of a JWT.
pub(super) fn claims_of(file: &Path) -> Result<Claims, String> {
    let explain = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut text = String::new();
    File::open(file)
        .and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text))
        .map_err(|error| explain(&error))?;
    if text.len() as u64 > LONGEST {
        return Err(explain(&"it is longer than 64 KiB"));
    }
    parse(&text).map_err(|error| explain(&error))
}

/// Claims as JSON, or as a JWT has them. An error shows nothing of what may be a token.
pub(super) fn parse(text: &str) -> Result<Claims, String> {
    let text = text.trim();
    let mut parts = text.split('.');
    let json = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(payload), Some(_), None) if !text.starts_with('{') => URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| "it is neither claims nor a JWT".to_owned())?,
        _ => text.as_bytes().to_vec(),
    };
    serde_json::from_slice(&json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("no claims in JSON, such as {{\"sub\":\"alice\"}} (line {line}, column {column})")
    })
}

/// What a user with these claims may do.
pub(super) fn answer(
    config: &Config,
    path: &Path,
    mut claims: Claims,
    channels: &[String],
) -> Result<String, String> {
    let assumed = complete(config, &mut claims);
    let issuers = supposed(config).map_err(|error| error.to_string())?;
    let mut out = String::new();
    if !assumed.is_empty() {
        let _ = writeln!(
            out,
            "Taken for granted, as the claims do not say it: {}",
            assumed.join(", ")
        );
    }
    let supposed = match issuers.suppose(claims) {
        Ok(supposed) => supposed,
        Err(refusal) => {
            let reason = refusal.reason;
            let _ = writeln!(
                out,
                "Such a token is refused with {}: {} {}",
                reason.status().as_u16(),
                reason.code(),
                refusal.detail
            );
            return Ok(out);
        }
    };
    let principal = supposed.as_principal();
    if let Some(identity) = principal.identity() {
        let _ = writeln!(
            out,
            "{:?} of {:?}, if its signature holds, which was not asked\n",
            identity.subject, identity.issuer
        );
        if let Some(thumbprint) = &identity.bound_to {
            let _ = writeln!(
                out,
                "Only over a connection with the client certificate whose SHA-256 is {thumbprint}\n"
            );
        }
    }
    out.push_str(&entries(config, path, principal));
    out.push_str(&rights(config, path, principal, channels)?);
    Ok(out)
}

/// Adds what every token says and nobody wants to write for a question.
fn complete(config: &Config, claims: &mut Claims) -> Vec<String> {
    let mut assumed = Vec::new();
    let mut assume = |claims: &mut Claims, name: &str, value: Value| {
        if !claims.contains_key(name) {
            assumed.push(format!("{name} {value}"));
            claims.insert(name.to_owned(), value);
        }
    };
    if let Some(first) = config.file.issuer.iter().find(|it| it.has_users()) {
        assume(claims, "iss", json!(first.issuer));
    }
    let named = claims.get("iss").cloned();
    let own = |it: &&Issuer| named.as_ref().and_then(Value::as_str) == Some(&*it.issuer);
    if let Some(issuer) = config.file.issuer.iter().find(own) {
        assume(claims, "aud", json!(issuer.audience));
        if let Some(told_by) = &issuer.discriminator {
            assume(claims, &told_by.claim, json!(told_by.equals));
        }
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut expires = now.as_secs().saturating_add(HOUR);
    if let Some(issuer) = config.file.issuer.iter().find(own) {
        // No issuer that is set up well would sign for longer.
        let issued = claims.get("iat").and_then(Value::as_u64);
        let most = issuer.max_token_lifetime.0.as_secs();
        expires = expires.min(issued.unwrap_or(now.as_secs()).saturating_add(most));
    }
    assume(claims, "exp", json!(expires));
    assumed
}

fn entries(config: &Config, path: &Path, principal: &Principal) -> String {
    let mut out = String::from("Routes\n");
    let now = SystemClock.now();
    for (index, route) in routes(&config.file).iter().enumerate() {
        let at = whence(config, path, &format!("route.{index}.path"));
        let verdict = match route.permit(principal, now) {
            Ok(()) if route.require.client_certificate => {
                "may enter, with a client certificate".to_owned()
            }
            Ok(()) => "may enter".to_owned(),
            Err(refusal) => {
                let reason = refusal.reason;
                let status = reason.status().as_u16();
                format!(
                    "refused with {status}: {} {}",
                    reason.code(),
                    refusal.detail
                )
            }
        };
        let _ = writeln!(out, "  {}: {verdict} ({at})", route.path);
    }
    out.push('\n');
    out
}

fn rights(
    config: &Config,
    path: &Path,
    principal: &Principal,
    channels: &[String],
) -> Result<String, String> {
    let rules = rules(config).map_err(|error| error.to_string())?;
    let standing = Standing::from(principal.clone());
    let at = |rule: usize, key: &str| whence(config, path, &format!("channel.{rule}.{key}"));
    let mut out = String::from("Channels\n");
    let line = |it: &Allowed| format!("  {}: {} ({})\n", it.channel, may(it), at(it.rule, "name"));
    if channels.is_empty() {
        out.extend(overview(&rules, &standing).iter().map(line));
        out.push_str("  every other channel: nothing\n");
        return Ok(out);
    }
    for name in channels {
        let channel = ChannelName::parse(name).map_err(|_| {
            format!("--channel {name:?} is not a channel name, such as \"chat/lobby\"")
        })?;
        let Some(allowed) = decide(&rules, &standing, &channel) else {
            let _ = writeln!(out, "  {name}: nothing, no [[channel]] fits");
            continue;
        };
        out.push_str(&line(&allowed));
        for action in Action::ALL {
            let Some(because) = explain(&rules, &standing, &channel, action) else {
                continue;
            };
            let at = at(allowed.rule, key(config, allowed.rule, action));
            let (name, verdict) = (action.name(), verdict(&because));
            let _ = writeln!(out, "    {name}: {verdict} ({at})");
            parts(&mut out, &because, 3);
        }
    }
    Ok(out)
}

/// What they may, in words.
fn may(allowed: &Allowed) -> String {
    let word = |action| match action {
        Action::Subscribe => "follow",
        Action::Publish => "publish",
        Action::History => "read what is kept",
        Action::Presence => "see who follows",
    };
    let words: Vec<_> = allowed.may.iter().map(word).collect();
    match &*words {
        [] => "nothing".to_owned(),
        [only] => format!("may {only}"),
        [before @ .., last] => format!("may {} and {last}", before.join(", ")),
    }
}

/// Where a right is written: it may be that to follow, too.
fn key(config: &Config, rule: usize, action: Action) -> &'static str {
    let channel = config.file.channel.get(rule);
    let read = channel.and_then(|it| it.history.as_ref()?.read.as_ref());
    match action {
        Action::Publish => "publish",
        Action::History if read.is_some() => "history.read",
        Action::Presence => match channel.map(|it| &it.presence) {
            Some(Presence::Tuned(Seen { see: Some(_), .. })) => "presence.see",
            Some(Presence::Tuned(_) | Presence::Switch(true)) => "subscribe",
            Some(Presence::Switch(false)) | None => "presence",
        },
        Action::History | Action::Subscribe => "subscribe",
    }
}

fn verdict(because: &Because) -> String {
    let word = if because.held { "yes" } else { "no" };
    format!("{word}: {}", because.words)
}

fn parts(out: &mut String, because: &Because, depth: usize) {
    for part in &because.parts {
        let _ = writeln!(out, "{:width$}{}", "", verdict(part), width = depth * 2);
        parts(out, part, depth + 1);
    }
}
