//! `GET /.wardwire/login`: to the provider.

use bytes::Bytes;
use http::{Response, request};
use wardwire_admission::{
    admit::{OriginChecked, Trail},
    oidc::Login,
    refusal::{Reason, Refusal, Stage},
};

use super::answer;
use crate::server::Server;

pub(super) async fn respond(
    server: &Server,
    head: &request::Parts,
    checked: &OriginChecked<'_>,
    _: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    // Whoever cannot be written down is not let in, so is not sent away for it either.
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    let login = Login::parse(head.uri.query().unwrap_or_default())?;
    let begun = server.gate.begin_sign_in(checked, &login).await?;
    let mut response = answer::redirect(&begun.location)?;
    for name in &begun.forget {
        answer::forget(&mut response, name);
    }
    let (name, value) = &begun.cookie;
    answer::set(&mut response, (name, value), Some(begun.lifetime.as_secs()));
    Ok(response)
}
