//! `POST /.wardwire/logout`: out here, and then out at the provider. A form is sent on (303); a script that asks for JSON is
//! told where to send the browser.

use bytes::Bytes;
use http::{Response, StatusCode, header, request};
use serde_json::json;
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    credential::COOKIE,
    oidc::{Leave, Shown},
    refusal::{Reason, Refusal, Stage},
};

use super::answer;
use crate::{
    audit::Event,
    http::{json_response, media::require_form, require_json},
    server::Server,
};

pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    body: &Bytes,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let is_form = require_form(head).is_ok();
    let leave = match is_form {
        true => Leave::of_form(body)?,
        false => {
            require_json(head)?;
            let malformed = |_| Refusal::new(Stage::Head, Reason::BadBody);
            serde_json::from_slice(body).map_err(malformed)?
        }
    };
    let out = server.gate.log_out(checked, &leave, trail).await?;
    if let Some(ended) = out.ended {
        let mut event = Event::new("sign-out").about(trail);
        let detail = |sessions| format!("everywhere; sessions: {sessions}").into();
        event.outcome.detail = out.sessions.map(detail);
        event.outcome.ended = Some(ended);
        server.audit.record(event);
    }
    let shown = match is_form {
        true => Shown::ToBrowser,
        false => Shown::ToScript,
    };
    let mut response = match (is_form, out.location(shown).await) {
        (true, Some(location)) => answer::redirect(&location)?,
        // The page that it was posted from: an origin that was judged.
        (true, None) => {
            let home = checked.origin.as_ref();
            let home = home.ok_or_else(|| Refusal::new(Stage::Origin, Reason::OriginMissing))?;
            answer::redirect(&format!("{home}/"))?
        }
        (false, location) => {
            let ended = out.ended.unwrap_or(0);
            let answer = match out.sessions {
                None => json!({ "ended": ended, "continue": location }),
                Some(sessions) => {
                    json!({ "ended": ended, "sessions": sessions, "continue": location })
                }
            };
            answer::quiet(json_response(StatusCode::OK, &answer))
        }
    };
    if head.headers.contains_key(header::COOKIE) {
        answer::forget(&mut response, COOKIE);
    }
    Ok(response)
}
