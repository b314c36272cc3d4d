//! A browser as far as a sign-in needs one: it follows redirects and keeps cookies, one jar for each host and port.

use std::collections::BTreeMap;

use super::Provider;
use crate::harness::{Handshake, ORIGIN, Response, Server};

/// The session's cookie.
pub(crate) const SESSION: &str = "__Host-wardwire";
/// What the cookies of attempts begin with.
pub(crate) const ATTEMPT: &str = "__Host-wardwire-login-";

pub(crate) struct Browser<'a> {
    pub(crate) server: &'a Server,
    pub(crate) provider: &'a Provider,
    /// At the server under test.
    pub(crate) cookies: BTreeMap<String, String>,
    at_provider: BTreeMap<String, String>,
    /// Who is before it: what an interaction is asked with.
    pub(crate) user: String,
    /// Every answer of the server under test, for what must not stand in any.
    pub(crate) answers: Vec<Response>,
}

impl<'a> Browser<'a> {
    pub(crate) fn of(user: &str, server: &'a Server, provider: &'a Provider) -> Self {
        Self {
            server,
            provider,
            cookies: BTreeMap::new(),
            at_provider: BTreeMap::new(),
            user: format!("account={user}"),
            answers: Vec::new(),
        }
    }

    /// Signs in, and gives the address of the page where that leads.
    pub(crate) fn sign_in(&mut self) -> String {
        let response = self.follow("https://localhost/.wardwire/login?return_to=/chat");
        assert_eq!(response.status, 303, "{response:?}");
        response.header("location").to_owned()
    }

    /// Goes to an address and on until nobody sends it on, or to a page. Gives the last answer.
    pub(crate) fn follow(&mut self, address: &str) -> Response {
        let response = self.get(address);
        match self.next(&response) {
            Some(next) => self.follow(&next),
            None => response,
        }
    }

    /// As far as the provider's own answer: the address of the callback, which is not gone to.
    pub(crate) fn up_to_callback(&mut self, login: &str) -> String {
        let mut next = login.to_owned();
        loop {
            let response = self.get(&next);
            next = self
                .next(&response)
                .unwrap_or_else(|| panic!("{next}: {response:?}"));
            if next.starts_with("https://localhost/.wardwire/callback") {
                return next;
            }
        }
    }

    /// Where it is sent, unless that is a page.
    pub(crate) fn next(&self, response: &Response) -> Option<String> {
        let location = response.header("location");
        if !(300..400).contains(&response.status) || location.starts_with(ORIGIN) {
            return None;
        }
        // Only the provider writes paths alone.
        let absolute = match location.starts_with('/') {
            true => format!("{}{location}", self.provider.issuer),
            false => location.to_owned(),
        };
        match absolute.contains("/interaction/") {
            true => Some(format!("{absolute}?{}", self.user)),
            false => Some(absolute),
        }
    }

    pub(crate) fn get(&mut self, address: &str) -> Response {
        self.ask("GET", address, "", "")
    }

    /// Posts to the server under test as a page of ours does.
    pub(crate) fn post(&mut self, path: &str, media: &str, body: &str) -> Response {
        let fields = format!("Origin: {ORIGIN}\r\nContent-Type: {media}\r\n");
        self.ask("POST", &format!("https://localhost{path}"), &fields, body)
    }

    pub(crate) fn ask(
        &mut self,
        method: &str,
        address: &str,
        fields: &str,
        body: &str,
    ) -> Response {
        let to_provider = address.strip_prefix(&self.provider.issuer);
        let own = address.strip_prefix("https://localhost/");
        let path = match (to_provider, own) {
            (Some(path), _) => path.to_owned(),
            (None, Some(path)) => format!("/{path}"),
            (None, None) => panic!("not an address of this test: {address}"),
        };
        let (jar, host) = match to_provider {
            Some(_) => (
                &self.at_provider,
                format!("localhost:{}", self.provider.port),
            ),
            None => (&self.cookies, "localhost".to_owned()),
        };
        let pairs: Vec<_> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = match &*pairs {
            [] => String::new(),
            pairs => format!("Cookie: {}\r\n", pairs.join("; ")),
        };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{cookies}{fields}Content-Length: {length}\r\n\r\n{body}"
        );
        let response = match to_provider {
            Some(_) => self.provider.ask(self.server, &request),
            None => {
                let mut connection = self.server.connect();
                connection.send(request.as_bytes());
                connection.response()
            }
        };
        let jar = match to_provider {
            Some(_) => &mut self.at_provider,
            None => &mut self.cookies,
        };
        for line in response.header("set-cookie").lines() {
            keep(jar, line);
        }
        if to_provider.is_none() {
            self.answers.push(response.clone());
        }
        response
    }

    /// Signs out at the provider, which asks once more. Gives its last answer.
    pub(crate) fn sign_out_there(&mut self, address: &str) -> Response {
        let asked = self.get(address);
        assert_eq!(asked.status, 200, "{asked:?}");
        let secret = asked.body.split_once("name=\"xsrf\" value=\"").unwrap().1;
        let secret = secret.split('"').next().unwrap().to_owned();
        let issuer = self.provider.issuer.clone();
        let fields =
            format!("Origin: {issuer}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        let body = format!("xsrf={secret}&logout=yes");
        self.ask(
            "POST",
            &format!("{issuer}/session/end/confirm"),
            &fields,
            &body,
        )
    }

    /// The cookie of its session.
    pub(crate) fn session(&self) -> String {
        self.cookies.get(SESSION).cloned().unwrap_or_default()
    }

    /// A tab's handshake.
    pub(crate) fn live(&self) -> Handshake {
        live(&self.session())
    }

    pub(crate) fn who(&mut self) -> Response {
        let fields = format!("Origin: {ORIGIN}\r\n");
        self.ask("GET", "https://localhost/.wardwire/session", &fields, "")
    }
}

/// A handshake with this session.
pub(crate) fn live(session: &str) -> Handshake {
    let cookie = format!("{SESSION}={session}");
    Handshake::new("/live")
        .origin(ORIGIN)
        .with("Cookie", &cookie)
}

fn keep(jar: &mut BTreeMap<String, String>, line: &str) {
    let (pair, rest) = line.split_once(';').unwrap_or((line, ""));
    let (name, value) = pair.split_once('=').unwrap();
    let gone =
        value.is_empty() || rest.contains("Max-Age=0") || rest.contains("expires=Thu, 01 Jan 1970");
    match gone {
        true => drop(jar.remove(name)),
        false => drop(jar.insert(name.to_owned(), value.to_owned())),
    }
}
