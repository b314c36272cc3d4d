//! The endpoints of signing in and out. Browsers come to [`login`] and are sent to a provider, which sends them back to
//! [`callback`]; [`logout`] and [`backchannel`] end what that opened. None of them is for scripts of other origins to read, so
//! none says anything of CORS.

mod answer;
mod backchannel;
mod callback;
mod login;
mod logout;
pub(super) mod page;

use bytes::Bytes;
use http::{Method, Response, request};
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    oidc::CALLBACK,
    refusal::{Reason, Refusal, Stage},
};

use crate::server::Server;

/// `GET` to be sent to a provider: `?provider=..&return_to=..&acr_values=..&max_age=..`.
const LOGIN: &str = "/.wardwire/login";
/// `POST` from a page to sign out here, and then there.
const LOGOUT: &str = "/.wardwire/logout";
/// `POST` from a provider to sign somebody out.
const BACKCHANNEL: &str = "/.wardwire/backchannel-logout";

/// Whether a path is one of these.
pub(super) fn is_ours(path: &str) -> bool {
    matches!(path, LOGIN | CALLBACK | LOGOUT | BACKCHANNEL)
}

/// What one of these takes.
pub(super) fn methods(path: &str) -> Option<&'static str> {
    match path {
        LOGIN | CALLBACK => Some("GET"),
        LOGOUT | BACKCHANNEL => Some("POST"),
        _ => None,
    }
}

/// Answers a request to one of them.
pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    body: &Bytes,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    match (&head.method, head.uri.path()) {
        (&Method::GET, LOGIN) => login::respond(server, head, checked, trail).await,
        (&Method::GET, CALLBACK) => callback::respond(server, head, checked, trail).await,
        (&Method::POST, LOGOUT) => logout::respond(server, head, checked, body, trail).await,
        (&Method::POST, BACKCHANNEL) => {
            backchannel::respond(server, head, checked, body, trail).await
        }
        _ => Err(Refusal::new(Stage::Head, Reason::MethodNotAllowed)),
    }
}
