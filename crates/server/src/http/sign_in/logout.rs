//! `POST /.wardwire/logout`: out here, and then out at the provider. A form is sent on (303); a script that asks for JSON is
//! told where to send the browser.

use bytes::Bytes;
use http::{Response, StatusCode, header, request};
use serde::Deserialize;
use serde_json::json;
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    credential::COOKIE,
    oidc::Shown,
    refusal::{Reason, Refusal, Stage},
};

use super::answer;
use crate::{
    audit::Event,
    http::{api, json_response},
    server::Server,
};

/// What a script may give along.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    state: Option<String>,
}

pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    body: &Bytes,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let is_form = answer::require_form(head).is_ok();
    let asked = match is_form {
        // A form has nothing to say: where it leads is configured.
        true => Asked::default(),
        false => {
            api::require_json(head)?;
            let malformed = |_| Refusal::new(Stage::Head, Reason::BadBody);
            serde_json::from_slice(body).map_err(malformed)?
        }
    };
    let state = asked.state.as_deref();
    let out = server.gate.log_out(checked, state, trail)?;
    if let Some(ended) = out.ended {
        let mut event = Event::new("sign-out").about(trail);
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
            let answer = json!({ "ended": out.ended.unwrap_or(0), "continue": location });
            answer::quiet(json_response(StatusCode::OK, &answer))
        }
    };
    if head.headers.contains_key(header::COOKIE) {
        answer::forget(&mut response, COOKIE);
    }
    Ok(response)
}
