//! Finding the credential of a request: one that is found stands there exactly once, and a second is an error, never a choice.
//!
//! An input is header lines; a line `>query` is judged as the query of a URL.

use http::{HeaderMap, HeaderValue, header};
use wardwire_admission::{
    credential::{COOKIE, Credential, TICKET_PREFIX, TOKEN, check_query},
    refusal::{Reason, Refusal},
};

/// A credential of each kind that no input holds by accident.
const OTHER: &str = "fuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuzzfuA";

/// True if a credential was found.
pub fn check(input: &[u8]) -> bool {
    for line in input.split(|&byte| byte == b'\n').take(8) {
        if let Some(query) = line
            .strip_prefix(b">")
            .and_then(|it| std::str::from_utf8(it).ok())
        {
            queries(query);
        }
    }
    let headers = crate::header_lines(input);
    let subprotocols = subprotocols(&headers);
    match Credential::find(&headers, &subprotocols) {
        Ok(found) => {
            stands_once(&found, &headers, &subprotocols);
            second_is_refused(&found, &headers, &subprotocols);
            !matches!(found, Credential::Missing)
        }
        Err(refusal) => {
            documented(&refusal);
            assert!(
                count(&headers, &subprotocols)
                    .iter()
                    .any(|&count| count > 0)
            );
            false
        }
    }
}

fn subprotocols(headers: &HeaderMap) -> Vec<Box<str>> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let texts = lines.filter_map(|line| line.to_str().ok());
    texts
        .flat_map(|line| line.split(','))
        .map(|name| name.trim().into())
        .take(16)
        .collect()
}

/// How many there are of each: `Authorization`, session cookies, tickets.
fn count(headers: &HeaderMap, subprotocols: &[Box<str>]) -> [usize; 3] {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .map(HeaderValue::as_bytes);
    let pairs = cookies.flat_map(|line| line.split(|&byte| byte == b';'));
    let prefix = format!("{COOKIE}=");
    [
        headers.get_all(header::AUTHORIZATION).iter().count(),
        pairs
            .filter(|pair| pair.trim_ascii().starts_with(prefix.as_bytes()))
            .count(),
        subprotocols
            .iter()
            .filter(|name| name.starts_with(TICKET_PREFIX))
            .count(),
    ]
}

/// What was found is what stands there, once, in its only spelling.
fn stands_once(found: &Credential, headers: &HeaderMap, subprotocols: &[Box<str>]) {
    let (expected, automatic) = match found {
        Credential::Missing => ([0, 0, 0], false),
        Credential::Bearer(token) => {
            let value = headers[header::AUTHORIZATION].to_str().expect("ASCII");
            assert!(value[..7].eq_ignore_ascii_case("bearer ") && value[7..] == **token);
            assert!((1..=TOKEN).contains(&token.len()));
            ([1, 0, 0], false)
        }
        Credential::Session(session) => {
            assert!(in_a_cookie(headers, &session.reveal()));
            ([0, 1, 0], true)
        }
        Credential::Application(_) => unreachable!("nothing is asked about"),
        Credential::Ticket {
            ticket, session, ..
        } => {
            let name = format!("{TICKET_PREFIX}{}", ticket.reveal());
            assert!(subprotocols.iter().any(|it| **it == *name));
            if let Some(session) = session {
                assert!(in_a_cookie(headers, &session.reveal()));
            }
            ([0, usize::from(session.is_some()), 1], session.is_some())
        }
    };
    assert_eq!(count(headers, subprotocols), expected);
    assert_eq!(found.is_ambient(), automatic);
}

fn in_a_cookie(headers: &HeaderMap, secret: &str) -> bool {
    let pair = format!("{COOKIE}={secret}");
    let mut cookies = headers.get_all(header::COOKIE).iter();
    cookies.any(|line| {
        line.as_bytes()
            .split(|&byte| byte == b';')
            .any(|it| it.trim_ascii() == pair.as_bytes())
    })
}

/// Whatever is found, another of any kind beside it is a conflict, but for a ticket beside a cookie.
fn second_is_refused(found: &Credential, headers: &HeaderMap, subprotocols: &[Box<str>]) {
    let [bearers, sessions, tickets] = count(headers, subprotocols);
    let reason = |headers: &HeaderMap, subprotocols: &[Box<str>]| {
        Credential::find(headers, subprotocols)
            .err()
            .map(|refusal| refusal.reason)
    };
    let conflict = |is: bool| is.then_some(Reason::CredentialConflict);

    let mut more = headers.clone();
    more.append(
        header::AUTHORIZATION,
        HeaderValue::from_static("Bearer another"),
    );
    let missing = matches!(found, Credential::Missing);
    assert_eq!(reason(&more, subprotocols), conflict(!missing));

    let mut more = headers.clone();
    let cookie = HeaderValue::try_from(format!("a=b; {COOKIE}={OTHER}")).unwrap();
    more.append(header::COOKIE, cookie);
    assert_eq!(
        reason(&more, subprotocols),
        conflict(bearers + sessions > 0)
    );

    let mut offered = subprotocols.to_vec();
    offered.push(format!("{TICKET_PREFIX}{OTHER}").into());
    assert_eq!(reason(headers, &offered), conflict(bearers + tickets > 0));
}

fn documented(refusal: &Refusal) {
    let allowed = [
        Reason::CredentialConflict,
        Reason::CredentialMalformed,
        Reason::TokenTooLarge,
    ];
    assert!(allowed.contains(&refusal.reason), "{refusal:?}");
}

/// A credential in a URL is found behind any other parameter, and however its letters are escaped.
fn queries(query: &str) {
    let refused = check_query(query).is_err();
    assert!(check_query(&format!("{query}&access_token=x")).is_err());
    assert_eq!(
        check_query(&format!("room=1&{query}&v=2")).is_err(),
        refused
    );
    if let Err(refusal) = check_query(query) {
        assert_eq!(
            (refusal.reason, &*refusal.detail),
            (Reason::CredentialInUrl, "")
        );
    }
    if !query.contains('%') {
        let mut escaped = String::new();
        for character in query.chars() {
            match character {
                letter if letter.is_ascii_alphanumeric() => {
                    escaped.push_str(&format!("%{:02x}", u32::from(letter)));
                }
                other => escaped.push(other),
            }
        }
        assert_eq!(check_query(&escaped).is_err(), refused, "{escaped}");
    }
}
