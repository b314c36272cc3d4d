//! `POST /.wardwire/backchannel-logout`: a provider signs somebody out (OpenID Connect Back-Channel Logout §2.5 to §2.8).

use bytes::Bytes;
use http::{Response, StatusCode, request};
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    refusal::Refusal,
};

use super::answer;
use crate::{audit::Event, http::media::require_form, server::Server};

pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    body: &Bytes,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    require_form(head)?;
    let told = server
        .gate
        .back_channel_logout(checked, body, trail)
        .await?;
    let mut event = Event::new("back-channel-logout").about(trail);
    let what = match &told.session {
        Some(session) => format!("session {session}"),
        None => "every session".to_owned(),
    };
    let sessions = told.sessions;
    event.outcome.detail = Some(format!("{what}; sessions here: {sessions}").into());
    event.outcome.ended = Some(told.sockets);
    server.audit.record(event);
    let mut response = answer::quiet(Response::new(Bytes::new()));
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}
