//! What a request brings to prove who sent it. There is one credential, or it is an error: never a choice.

use http::{HeaderMap, header};

use crate::{
    presented::{Presented, Selection},
    refusal::{Reason, Refusal, Stage},
    secret::Secret,
};

/// The session cookie: `__Host-` binds it to this host and to TLS (RFC 6265bis §4.1.3).
pub const COOKIE: &str = "__Host-wardwire";
/// A ticket is offered as a subprotocol with this prefix; it is never selected and so never echoed.
pub const TICKET_PREFIX: &str = "wardwire.ticket.";
/// The largest token, in bytes.
pub const TOKEN: usize = 8 * 1024;

/// The one credential of a request.
pub enum Credential {
    /// None at all.
    Missing,
    /// `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer(Box<str>),
    /// The session cookie.
    Session(Secret),
    /// Cookies of the application's, which it is asked about.
    Application(Presented),
    /// A one-time ticket. A browser sends its cookie along; then both must name the same session.
    Ticket {
        /// The ticket.
        ticket: Secret,
        /// The cookie beside it.
        session: Option<Secret>,
        /// The application's cookies beside it, in place of ours.
        application: Option<Presented>,
    },
}

impl Credential {
    /// Finds the credential among the headers and the offered subprotocols, and among the application's cookies where that is
    /// asked about any.
    ///
    /// # Errors
    /// Two credentials, or one that cannot be read.
    pub fn find_any(
        headers: &HeaderMap,
        subprotocols: &[Box<str>],
        selection: Option<&Selection>,
    ) -> Result<Self, Refusal> {
        let own = Self::find(headers, subprotocols)?;
        let presented = selection.map(|it| it.find(headers)).transpose()?;
        match (own, presented.flatten()) {
            (own, None) => Ok(own),
            (Self::Missing, Some(presented)) => Ok(Self::Application(presented)),
            (
                Self::Ticket {
                    ticket,
                    session: None,
                    ..
                },
                application,
            ) => Ok(Self::Ticket {
                ticket,
                session: None,
                application,
            }),
            (_, Some(_)) => Err(refuse(
                Reason::CredentialConflict,
                "the application's cookie beside another",
            )),
        }
    }

    /// The same of our own kinds alone.
    ///
    /// # Errors
    /// As above.
    pub fn find(headers: &HeaderMap, subprotocols: &[Box<str>]) -> Result<Self, Refusal> {
        let bearer = bearer(headers)?;
        let session = session(headers)?;
        let ticket = ticket(subprotocols)?;
        match (bearer, session, ticket) {
            (None, None, None) => Ok(Self::Missing),
            (Some(token), None, None) => Ok(Self::Bearer(token)),
            (None, Some(session), None) => Ok(Self::Session(session)),
            (None, session, Some(ticket)) => Ok(Self::Ticket {
                ticket,
                session,
                application: None,
            }),
            (Some(_), _, _) => Err(refuse(
                Reason::CredentialConflict,
                "Authorization beside another",
            )),
        }
    }

    /// How the audit log names its kind. None for none.
    #[must_use]
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Missing => None,
            Self::Bearer(_) => Some("bearer"),
            Self::Session(_) => Some("cookie"),
            Self::Application(_) => Some("forward_auth"),
            Self::Ticket { .. } => Some("ticket"),
        }
    }

    /// Whether it is a session's cookie, with nothing beside it.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(self, Self::Session(_) | Self::Application(_))
    }

    /// Whether the browser attached it by itself, so that only the Origin tells who asked.
    #[must_use]
    pub fn is_ambient(&self) -> bool {
        matches!(
            self,
            Self::Session(_)
                | Self::Application(_)
                | Self::Ticket {
                    session: Some(_),
                    ..
                }
                | Self::Ticket {
                    application: Some(_),
                    ..
                }
        )
    }
}

fn bearer(headers: &HeaderMap) -> Result<Option<Box<str>>, Refusal> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(refuse(Reason::CredentialConflict, "Authorization twice"));
    }
    let malformed = || {
        refuse(
            Reason::CredentialMalformed,
            "Authorization is not one Bearer token",
        )
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(malformed)?;
    if token.len() > TOKEN {
        return Err(refuse(Reason::TokenTooLarge, ""));
    }
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    if is_bearer && is_b64token(token) {
        Ok(Some(token.into()))
    } else {
        Err(malformed())
    }
}

/// `b64token` of RFC 6750 §2.1.
pub(crate) fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(allowed)
}

fn session(headers: &HeaderMap) -> Result<Option<Secret>, Refusal> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        // Other applications on this host may write what they like into theirs.
        for pair in line.as_bytes().split(|&byte| byte == b';') {
            let pair = pair.trim_ascii();
            let Some(value) = pair
                .strip_prefix(COOKIE.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
            else {
                continue;
            };
            if found.is_some() {
                return Err(refuse(
                    Reason::CredentialConflict,
                    "the session cookie twice",
                ));
            }
            let secret = std::str::from_utf8(value).ok().and_then(Secret::parse);
            let secret = secret.ok_or_else(|| {
                refuse(Reason::CredentialMalformed, "not a session cookie of ours")
            })?;
            found = Some(secret);
        }
    }
    Ok(found)
}

fn ticket(subprotocols: &[Box<str>]) -> Result<Option<Secret>, Refusal> {
    let mut tickets = subprotocols
        .iter()
        .filter_map(|name| name.strip_prefix(TICKET_PREFIX));
    let Some(text) = tickets.next() else {
        return Ok(None);
    };
    if tickets.next().is_some() {
        return Err(refuse(Reason::CredentialConflict, "two tickets"));
    }
    Secret::parse(text)
        .map(Some)
        .ok_or_else(|| refuse(Reason::CredentialMalformed, "not a ticket of ours"))
}

fn refuse(reason: Reason, detail: &str) -> Refusal {
    Refusal::new(Stage::Identity, reason).because(detail)
}

/// Refuses a credential in a URL: URLs are written into logs, histories and Referer headers (RFC 6750 §5.3).
///
/// # Errors
/// A parameter that is named like a credential, or a value that looks like a signed token. Neither is repeated anywhere.
pub fn check_query(query: &str) -> Result<(), Refusal> {
    const NAMES: [&str; 12] = [
        "access_token",
        "id_token",
        "refresh_token",
        "token",
        "ticket",
        "jwt",
        "auth",
        "authorization",
        "bearer",
        "session",
        "api_key",
        "apikey",
    ];
    for pair in query.split(['&', ';']) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // `token[]` and `token[0]` are the same name to many readers.
        let decoded = percent_decoded(name);
        let plain = decoded.split('[').next().unwrap_or_default();
        let plain = plain.trim_matches([' ', '+']);
        let named = NAMES.iter().any(|known| plain.eq_ignore_ascii_case(known));
        if named || looks_signed(name) || looks_signed(value) {
            return Err(Refusal::new(Stage::Head, Reason::CredentialInUrl));
        }
    }
    Ok(())
}

/// A compact JWS begins with a JSON object in base64url and has three parts (RFC 7515 §7.1).
pub(crate) fn looks_signed(text: &str) -> bool {
    let value = percent_decoded(text);
    let value = value.trim_start_matches([' ', '+']);
    value.starts_with("eyJ") && value.matches('.').count() == 2
}

fn percent_decoded(text: &str) -> String {
    let mut rest = text.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if let (b'%', [high, low, after @ ..]) = (byte, rest)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high * 16 + low);
            rest = after;
        } else {
            out.push(byte);
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn find(headers: &[(&str, &str)], protocols: &[&str]) -> Result<Credential, Reason> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::try_from(*value).unwrap(),
            );
        }
        let protocols: Vec<Box<str>> = protocols.iter().map(|&it| it.into()).collect();
        Credential::find(&map, &protocols).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn each_kind_is_found_where_it_belongs() {
        let cookie = format!("a=b; {COOKIE}={A}");
        let ticket = format!("{TICKET_PREFIX}{A}");
        assert!(matches!(
            find(&[], &["wardwire.v1"]),
            Ok(Credential::Missing)
        ));
        assert!(matches!(
            find(&[("authorization", "bearer abc.def")], &[]),
            Ok(Credential::Bearer(_))
        ));
        assert!(matches!(
            find(&[("cookie", &cookie)], &[]),
            Ok(Credential::Session(_))
        ));
        assert!(matches!(
            find(&[("cookie", &cookie)], &[&ticket]),
            Ok(Credential::Ticket {
                session: Some(_),
                ..
            })
        ));
    }

    #[test]
    fn another_applications_cookie_shuts_nobody_out() {
        let mut map = HeaderMap::new();
        let line = [b"theirs=\xc3\xa9; ", COOKIE.as_bytes(), b"=", A.as_bytes()].concat();
        map.append("cookie", HeaderValue::from_bytes(&line).unwrap());
        assert!(matches!(
            Credential::find(&map, &[]),
            Ok(Credential::Session(_))
        ));
    }

    #[test]
    fn two_credentials_are_an_error_and_never_a_choice() {
        let cookie = format!("{COOKIE}={A}");
        let ticket = format!("{TICKET_PREFIX}{A}");
        let other = format!("{TICKET_PREFIX}B{}", &A[1..]);
        let bearer = ("authorization", "Bearer abc");
        let twice = format!("{cookie}; {cookie}");
        let conflicts = [
            find(&[bearer, bearer], &[]),
            find(&[bearer, ("cookie", &cookie)], &[]),
            find(&[bearer], &[&ticket]),
            find(&[], &[&ticket, &other]),
            find(&[("cookie", &cookie), ("cookie", &cookie)], &[]),
            find(&[("cookie", &twice)], &[]),
        ];
        for outcome in conflicts {
            assert_eq!(outcome.err(), Some(Reason::CredentialConflict));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for value in [
            "Basic abc",
            "Bearer",
            "Bearer a b",
            "Bearer \u{e9}",
            "Bearer ",
            "DPoP abc",
        ] {
            assert_eq!(
                find(&[("authorization", value)], &[]).err(),
                Some(Reason::CredentialMalformed),
                "{value}"
            );
        }
        let long = format!("Bearer {}", "a".repeat(TOKEN + 1));
        assert_eq!(
            find(&[("authorization", &long)], &[]).err(),
            Some(Reason::TokenTooLarge)
        );
        let cookie = format!("{COOKIE}=x");
        assert_eq!(
            find(&[("cookie", &cookie)], &[]).err(),
            Some(Reason::CredentialMalformed)
        );
    }

    #[test]
    fn credentials_in_urls_are_seen_through_encodings() {
        for query in [
            "access_token=x",
            "a=b&TOKEN=x",
            "%74oken=x",
            "x=eyJh.eyJz.c2ln",
            "x=%65yJh.eyJz.c2ln",
            "a;jwt=1",
            "eyJh.eyJz.c2ln",
            "token%5B%5D=x",
            "+token=x",
        ] {
            assert!(check_query(query).is_err(), "{query}");
        }
        for query in ["", "room=lobby", "v=1.2.3", "tokens=none"] {
            assert!(check_query(query).is_ok(), "{query}");
        }
    }
}
