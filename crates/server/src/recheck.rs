//! Asks issuers again about the opaque tokens of open sockets, and writes down whom that ended.

use std::sync::Arc;

use wardwire_admission::recheck::{Lapsed, Rechecks};

use crate::{audit::Event, server::Server};

/// Until the server stops. A panic costs one round: the next begins with what sockets know themselves.
pub(crate) async fn run(server: Arc<Server>) {
    loop {
        let rounds = tokio::spawn(rounds(server.clone()));
        if rounds.await.is_ok() {
            return;
        }
    }
}

async fn rounds(server: Arc<Server>) {
    let mut known = Rechecks::default();
    while !server.gate.is_draining() {
        let told = |lapsed| server.audit.record(written(lapsed));
        server.gate.recheck(&mut known, told).await;
    }
}

fn written(lapsed: Lapsed) -> Event {
    let Lapsed {
        identity,
        refusal,
        ended,
    } = lapsed;
    let mut event = Event::new("lapse");
    event.trail.issuer = Some(identity.issuer.clone());
    event.trail.subject = Some(identity.subject.clone());
    event.outcome.reason = Some(refusal.reason.code().into());
    event.outcome.detail = (!refusal.detail.is_empty()).then(|| refusal.detail.into());
    event.outcome.ended = Some(ended);
    event
}
