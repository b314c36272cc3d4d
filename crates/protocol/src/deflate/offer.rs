//! The negotiation (RFC 7692 §5 and §7.1): what a client offers, what a server answers.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, header};

use super::Window;

/// What both ends agree on, beside that neither keeps a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The server's window, where the client asked for one: that one, or the next below.
    within: Option<Window>,
}

/// `Sec-WebSocket-Extensions` is no list of extensions (RFC 6455 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What a client of ours offers: it keeps no context and asks the server for the same.
pub const CLIENT_OFFER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

const NAME: &str = "permessage-deflate";
/// Header heads are bounded, and this bounds what is made of them.
const EXTENSIONS: usize = 16;
const PARAMETERS: usize = 16;

/// A parameter, with its value.
type Parameter<'a> = (&'a str, Option<Cow<'a, str>>);

impl Terms {
    /// The window of what the server sends.
    #[must_use]
    pub fn server_window(self) -> Window {
        self.within.unwrap_or(Window::LARGEST)
    }

    /// `Sec-WebSocket-Extensions` of the `101`.
    ///
    /// Both ends forgo their context, asked or not (§7.1.1.1, §7.1.1.2). The client's window is left to the client: ours
    /// reads any.
    #[must_use]
    pub fn answer(self) -> HeaderValue {
        let mut answer = String::from(CLIENT_OFFER);
        if let Some(Window(bits)) = self.within {
            answer.push_str(&format!("; server_max_window_bits={bits}"));
        }
        HeaderValue::try_from(answer).unwrap_or_else(|_| HeaderValue::from_static(CLIENT_OFFER))
    }
}

/// The first of the client's offers that can be met. What is unknown or out of bounds declines the offer it stands in, and
/// no more than that (§7.1).
pub(crate) fn choose(headers: &HeaderMap) -> Result<Option<Terms>, Malformed> {
    let mut chosen = None;
    let mut count = 0;
    for line in headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS) {
        let line = line.to_str().map_err(|_| Malformed)?;
        for extension in split(line) {
            let (name, parameters) = parse(extension)?;
            count += 1;
            if count > EXTENSIONS {
                return Err(Malformed);
            }
            if chosen.is_none() && name.eq_ignore_ascii_case(NAME) {
                chosen = meet(&parameters);
            }
        }
    }
    Ok(chosen)
}

/// What a server answered to [`CLIENT_OFFER`]: whether messages may be deflated from now on.
///
/// # Errors
/// It answers what was not asked, and the client must fail the connection (RFC 7692 §7.1).
pub fn accepted(answer: &str) -> Result<bool, &'static str> {
    const BAD: &str = "the server answers an extension that was not offered";
    let mut extensions = split(answer);
    let Some(only) = extensions.next() else {
        return Ok(false);
    };
    if extensions.next().is_some() {
        return Err(BAD);
    }
    let (name, parameters) = parse(only).map_err(|Malformed| BAD)?;
    let known = |(name, value): &Parameter<'_>| match (*name, value.as_deref()) {
        ("server_no_context_takeover" | "client_no_context_takeover", None) => true,
        // Any window of the server's can be read.
        ("server_max_window_bits", Some(value)) => bits(value).is_some(),
        _ => false,
    };
    let keeps_none = parameters
        .iter()
        .any(|(name, _)| *name == "server_no_context_takeover");
    let good = name == NAME && keeps_none && parameters.iter().all(known) && !repeats(&parameters);
    good.then_some(true).ok_or(BAD)
}

/// The terms on which an offer can be met. None declines it.
fn meet(parameters: &[Parameter<'_>]) -> Option<Terms> {
    if repeats(parameters) {
        return None;
    }
    let mut terms = Terms { within: None };
    for (name, value) in parameters {
        match (*name, value.as_deref()) {
            ("server_no_context_takeover" | "client_no_context_takeover", None) => {}
            // With 8 the server cannot deflate.
            ("server_max_window_bits", Some(value)) => {
                terms.within = Some(Window::within(bits(value)?)?);
            }
            ("client_max_window_bits", None) => {}
            // A hint: the client will look back no further. That needs no answer.
            ("client_max_window_bits", Some(value)) => {
                bits(value)?;
            }
            _ => return None,
        }
    }
    Some(terms)
}

/// 8 to 15, without leading zeros (§7.1.2).
fn bits(value: &str) -> Option<u8> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    let bits = value.parse().ok().filter(|_| plain)?;
    (8..=15).contains(&bits).then_some(bits)
}

fn repeats(parameters: &[Parameter<'_>]) -> bool {
    let mut rest = parameters;
    while let Some(((name, _), after)) = rest.split_first() {
        if after.iter().any(|(other, _)| other == name) {
            return true;
        }
        rest = after;
    }
    false
}

/// `name; parameter; parameter=value; parameter="value"`
fn parse(extension: &str) -> Result<(&str, Vec<Parameter<'_>>), Malformed> {
    let mut parts = extension.split(';').map(trim);
    let name = token(parts.next().unwrap_or_default())?;
    let mut parameters = Vec::new();
    for part in parts {
        if parameters.len() == PARAMETERS {
            return Err(Malformed);
        }
        parameters.push(match part.split_once('=') {
            None => (token(part)?, None),
            Some((name, value)) => (token(trim(name))?, Some(unquote(trim(value))?)),
        });
    }
    Ok((name, parameters))
}

/// What a list holds. Nothing between two commas is nothing (RFC 9110 §5.6.1.2).
///
/// A quoted value is a token once unquoted (RFC 6455 §9.1), so no comma and no semicolon can hide in one.
fn split(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(trim).filter(|item| !item.is_empty())
}

/// A token, or a quoted string that is one (RFC 9110 §5.6.4).
fn unquote(value: &str) -> Result<Cow<'_, str>, Malformed> {
    let Some(rest) = value.strip_prefix('"') else {
        return token(value).map(Cow::Borrowed);
    };
    let quoted = rest.strip_suffix('"').ok_or(Malformed)?;
    // No token holds a backslash, so one that stands behind another, or last, leaves no token.
    let plain = quoted.replace('\\', "");
    let escaped = quoted.contains("\\\\") || quoted.ends_with('\\');
    match escaped {
        false => token(&plain).map(|plain| Cow::Owned(plain.to_owned())),
        true => Err(Malformed),
    }
}

fn token(text: &str) -> Result<&str, Malformed> {
    crate::handshake::is_token(text)
        .then_some(text)
        .ok_or(Malformed)
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}
