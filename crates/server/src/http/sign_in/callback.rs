//! `GET /.wardwire/callback`: back from the provider.

use bytes::Bytes;
use http::{Response, request};
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    credential::COOKIE,
    oidc::{Callback, Outcome},
    refusal::{Reason, Refusal, Stage},
};

use super::answer;
use crate::{audit::Event, http::Asked, server::Server};

pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    let callback = Callback::parse(head.uri.query().unwrap_or_default())?;
    let attempt = callback.cookie_name();
    let outcome = server.gate.finish_sign_in(checked, callback, trail).await;
    let answered = outcome.and_then(|outcome| answered(server, outcome, trail));
    // Whatever came of it, the attempt is over for this browser.
    let mut response = match answered {
        Ok(response) => response,
        Err(refusal) => {
            server.refused(trail, &refusal);
            answer::quiet(Asked::of(&head.method, &head.uri, &head.headers).shown(server, &refusal))
        }
    };
    answer::forget(&mut response, &attempt);
    Ok(response)
}

fn answered(server: &Server, outcome: Outcome, trail: &Trail) -> Result<Response<Bytes>, Refusal> {
    match outcome {
        Outcome::SignedIn(signed_in) => {
            let mut event = Event::new("sign-in").about(trail);
            let surplus = signed_in.surplus;
            let detail = || format!("older sessions ended: {surplus}").into();
            event.outcome.detail = (surplus > 0).then(detail);
            event.outcome.ended = (signed_in.ended > 0).then_some(signed_in.ended);
            server.audit.record(event);
            if let Some(gave_way) = &signed_in.gave_way {
                server.audit.record(Event::eviction(gave_way));
            }
            let mut response = answer::redirect(&signed_in.location)?;
            let secret = signed_in.secret.reveal();
            answer::set(&mut response, (COOKIE, &secret), None);
            Ok(response)
        }
        Outcome::Declined { location, refusal } => {
            server.refused(trail, &refusal);
            answer::redirect(&location)
        }
    }
}
