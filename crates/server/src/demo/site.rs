//! The demo's endpoints: signing in, and looking up what the audit log says of an attempt.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use wardwire_admission::{
    clock::Timestamp,
    credential::COOKIE,
    refusal::{Reason, Refusal, Stage},
};

use super::{
    Ports,
    identity::{Account, DemoIssuer, LIFETIME},
    pages,
};
use crate::{
    audit::Event,
    http::{Site, SiteRequest, json_response, require_json},
    server::Server,
};

const ENDPOINTS: &str = "/.wardwire/demo/";
/// How long a token holds that is to be seen ending.
const SHORT: Duration = Duration::from_secs(8);

/// Pages and endpoints of the demo.
pub(super) struct DemoSite {
    issuer: DemoIssuer,
    ports: Ports,
}

type Answer = Result<Response<Bytes>, Refusal>;

impl Site for DemoSite {
    fn respond(&self, server: &Server, request: &SiteRequest<'_>) -> Option<Answer> {
        let path = request.head.uri.path();
        let method = &request.head.method;
        let Some(endpoint) = path.strip_prefix(ENDPOINTS) else {
            let page = pages::ours(path, self.ports)?;
            let reads = matches!(*method, Method::GET | Method::HEAD);
            return Some(if reads { Ok(page) } else { Err(wrong_method()) });
        };
        // Where a provider says who somebody is, nobody picks an account, and our own issuer is not trusted.
        let picks = matches!(endpoint, "sign-in" | "short-token" | "expired-token");
        if picks && self.ports.provider.is_some() {
            return None;
        }
        let answer = match (method, endpoint) {
            (&Method::POST, "sign-in") => self.sign_in(server, request),
            (&Method::POST, "expired-token") => self.expired_token(server, request),
            (&Method::POST, "short-token") => self.short_token(server, request),
            (&Method::GET, "audit") => Ok(audit(server, request)),
            (&Method::GET, "info") => Ok(self.info()),
            (_, "sign-in" | "expired-token" | "short-token" | "audit" | "info") => {
                Err(wrong_method())
            }
            _ => return None,
        };
        Some(answer)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    account: String,
}

/// The account that a page of ours names.
fn account(request: &SiteRequest<'_>) -> Result<Account, Refusal> {
    from_our_page(request)?;
    require_json(request.head)?;
    let refuse = |detail: &str| Refusal::new(Stage::Head, Reason::BadBody).because(detail);
    let Named { account } =
        serde_json::from_slice(request.body).map_err(|_| refuse("not {\"account\": NAME}"))?;
    Account::named(&account).ok_or_else(|| refuse("no such account"))
}

impl DemoSite {
    pub(super) fn new(issuer: DemoIssuer, ports: Ports) -> Self {
        Self { issuer, ports }
    }

    /// Opens a session, always a new one: the one the browser had ends, so that none can be planted (attack 41).
    fn sign_in(&self, server: &Server, request: &SiteRequest<'_>) -> Answer {
        let account = account(request)?;
        let mut trail = request.trail.clone();
        // A browser without a session, or with one that has ended, signs in all the same.
        let _ = server.gate.forget_session(request.checked);
        let now = server.gate.now();
        let identity = self.issuer.identity(account, now);
        trail.issuer = Some(identity.issuer.clone());
        trail.subject = Some(identity.subject.clone());
        let (secret, session) = server.gate.open_session(identity)?;
        let token = self.issuer.token(account, Some(&session), now);
        let answer = json!({
            "subject": account.name(),
            "access_token": token.map_err(cannot_sign)?,
            "expires_in": LIFETIME.as_secs(),
        });
        let mut response = json_response(StatusCode::OK, &answer);
        let cookie = format!(
            "{COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax",
            secret.reveal()
        );
        if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
            cookie.set_sensitive(true);
            response
                .headers_mut()
                .insert(http::header::SET_COOKIE, cookie);
        }
        server.audit.record(Event::new("sign-in").about(&trail));
        Ok(response)
    }

    /// A token of alice's that ended a minute ago, for the page to try.
    fn expired_token(&self, server: &Server, request: &SiteRequest<'_>) -> Answer {
        from_our_page(request)?;
        let alice = Account::named("alice").ok_or_else(wrong_method)?;
        let ended = server.gate.now().as_secs().saturating_sub(60);
        self.token_until(alice, ended)
    }

    /// A token that ends in a moment, for a socket to stand on.
    fn short_token(&self, server: &Server, request: &SiteRequest<'_>) -> Answer {
        let account = account(request)?;
        self.token_until(account, server.gate.now().as_secs() + SHORT.as_secs())
    }

    fn token_until(&self, account: Account, ends: u64) -> Answer {
        let issued = Timestamp::from_secs(ends.saturating_sub(LIFETIME.as_secs()));
        let token = self.issuer.token(account, None, issued);
        let answer = json!({ "access_token": token.map_err(cannot_sign)? });
        Ok(json_response(StatusCode::OK, &answer))
    }

    fn info(&self) -> Response<Bytes> {
        let port = self.ports.hostile;
        let answer = json!({
            "hostile": format!("https://127.0.0.1:{port}"),
            "hostile_same_site": format!("https://localhost:{port}"),
            "provider": self.ports.provider(),
        });
        json_response(StatusCode::OK, &answer)
    }
}

/// The audit lines of the attempt that named itself. Its name is long and random, and only its page knows it.
fn audit(server: &Server, request: &SiteRequest<'_>) -> Response<Bytes> {
    let query = request.head.uri.query().unwrap_or_default();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let trace = query
        .strip_prefix("trace=")
        .filter(|trace| (8..=64).contains(&trace.len()) && trace.bytes().all(allowed));
    let lines = trace.map(|trace| server.audit.of_trace(trace));
    let lines = lines.unwrap_or_default().join(",");
    let mut response = json_response(StatusCode::OK, &json!([]));
    *response.body_mut() = Bytes::from(format!("[{lines}]"));
    response
}

/// What changes something has to come from a page of ours, and say so (attack 82). Which pages those are was judged.
fn from_our_page(request: &SiteRequest<'_>) -> Result<(), Refusal> {
    match request.checked.origin {
        Some(_) => Ok(()),
        None => Err(Refusal::new(Stage::Origin, Reason::OriginMissing)),
    }
}

fn wrong_method() -> Refusal {
    Refusal::new(Stage::Head, Reason::MethodNotAllowed)
}

fn cannot_sign(error: io::Error) -> Refusal {
    Refusal::new(Stage::Identity, Reason::KeysUnavailable).because(error)
}
