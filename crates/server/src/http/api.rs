//! Wardwire's own endpoints: tickets, and the session a browser is in.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request};
use serde::Deserialize;
use serde_json::json;
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    credential::{COOKIE, TICKET_PREFIX},
    refusal::{Reason, Refusal, Stage},
};

use super::{cors, json_response, require_json};
use crate::{audit::Event, server::Server};

/// `POST` a route, get a ticket for it.
pub(super) const TICKETS: &str = "/.wardwire/tickets";
/// `GET` who one is; `DELETE` to sign out.
pub(super) const SESSION: &str = "/.wardwire/session";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketRequest {
    route: String,
}

/// Answers a request to one of our endpoints.
pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    body: &Bytes,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let origin = trail.origin.clone();
    let mut response = match (&head.method, head.uri.path()) {
        (&Method::OPTIONS, _) if checked.origin.is_some() => {
            return Ok(cors::preflight(server, origin.as_deref()));
        }
        (&Method::POST, TICKETS) => ticket(server, head, checked, body, trail).await?,
        (&Method::GET, SESSION) => session(server, checked, trail).await?,
        (&Method::DELETE, SESSION) => sign_out(server, checked, trail).await?,
        _ => return Err(Refusal::new(Stage::Head, Reason::MethodNotAllowed)),
    };
    cors::allow(server, origin.as_deref(), &mut response);
    Ok(response)
}

async fn ticket(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    body: &Bytes,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    // A form of a foreign page cannot send this type without a preflight.
    require_json(head)?;
    let malformed = |_| Refusal::new(Stage::Head, Reason::BadBody);
    let TicketRequest { route } = serde_json::from_slice(body).map_err(malformed)?;
    let issued = server.gate.issue_ticket(checked, &route, trail).await?;
    server.audit.record(Event::ticket(trail, &route));
    let ticket = issued.ticket.reveal();
    let subprotocol = format!("{TICKET_PREFIX}{ticket}");
    let answer = json!({
        "ticket": ticket,
        "subprotocol": subprotocol,
        "expires_in": issued.lifetime.as_secs(),
        // So that a client that comes back as somebody else forgets what the one before left.
        "handle": issued.handle,
    });
    Ok(json_response(StatusCode::CREATED, &answer))
}

async fn session(
    server: &Server,
    checked: &OriginChecked<'_>,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let identity = checked.authenticate(&server.gate, trail).await?;
    let answer = json!({
        "issuer": identity.issuer,
        "subject": identity.subject,
        "handle": identity.handle(),
        "expires_at": identity.expires_at.as_secs(),
        "acr": identity.authentication.acr,
        "amr": identity.authentication.amr,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

async fn sign_out(
    server: &Server,
    checked: &OriginChecked<'_>,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let ended = server.gate.end_session(checked, trail).await?;
    let mut event = Event::new("sign-out").about(trail);
    event.outcome.ended = Some(ended);
    server.audit.record(event);
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let gone = format!("{COOKIE}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax");
    if let Ok(gone) = HeaderValue::try_from(gone) {
        response.headers_mut().insert(header::SET_COOKIE, gone);
    }
    Ok(response)
}
