//! `wardwire check --explain --as FILE`: what a user with these claims may do. The claims are judged by admission and the rights
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
use wardwire_hub::rights::ask::{Allowed, decide, overview};
use wardwire_protocol::channel::ChannelName;

use super::whence;
use crate::config::{Config, Issuer, routes, rules, supposed};

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
    if let Some(first) = config.file.issuer.first() {
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
    let mut out = String::from("Channels\n");
    let mut tell = |it: &Allowed| {
        let at = whence(config, path, &format!("channel.{}.name", it.rule));
        let may = match (it.subscribe, it.publish) {
            (true, true) => "may follow and publish",
            (true, false) => "may follow",
            (false, true) => "may publish",
            (false, false) => "nothing",
        };
        let _ = writeln!(out, "  {}: {may} ({at})", it.channel);
    };
    if channels.is_empty() {
        overview(&rules, principal).iter().for_each(tell);
        out.push_str("  every other channel: nothing\n");
        return Ok(out);
    }
    let mut unknown = Vec::new();
    for name in channels {
        let channel = ChannelName::parse(name).map_err(|_| {
            format!("--channel {name:?} is not a channel name, such as \"chat/lobby\"")
        })?;
        match decide(&rules, principal, &channel) {
            Some(allowed) => tell(&allowed),
            None => unknown.push(name),
        }
    }
    for name in unknown {
        let _ = writeln!(out, "  {name}: nothing, no [[channel]] fits");
    }
    Ok(out)
}
