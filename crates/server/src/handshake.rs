//! The upgrade: takes an [`Admitted`] by value, writes the `101`, and hands the stream to a session.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, request};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use wardwire_admission::{
    admit::{Admitted, Trail},
    refusal::{Reason, Refusal, Stage},
};

use crate::{
    audit::Event,
    http::{Connection, Guarded},
    server::Server,
    session::Session,
    shard::{Arrival, Handle, emptiest},
    tls::Parts,
};

/// Answers a handshake. Without an admission there is no `101`.
///
/// # Errors
/// The first question that was not answered.
pub async fn upgrade(
    connection: &Arc<Connection>,
    head: &request::Parts,
    upgrade: OnUpgrade,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let server = &connection.server;
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    let Connection {
        transport,
        place,
        shard,
        ..
    } = &**connection;
    let admitted = server.gate.admit(head, transport, place, trail).await?;
    Ok(switch(server, shard, admitted, upgrade, trail))
}

fn switch(
    server: &Arc<Server>,
    shard: &Arc<Handle>,
    admitted: Admitted,
    upgrade: OnUpgrade,
    trail: &Trail,
) -> Response<Bytes> {
    let admission = admitted.into_admission();
    server.audit.record(Event::admission(trail));
    server.metrics.admissions.inc();
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = admission.offer.answer(admission.subprotocol);
    let (session, principal) = Session::new(server.clone(), admission, trail.clone());
    let shard = shard.clone();
    tokio::spawn(Box::pin(async move {
        match upgraded(upgrade).await {
            Ok(parts) => emptiest(&session.server.shards.clone(), &shard).adopt(Arrival {
                session,
                principal,
                parts,
            }),
            Err(why) => session.failed(why),
        }
    }));
    response
}

/// The stream behind an upgrade.
async fn upgraded(upgrade: OnUpgrade) -> Result<Parts, &'static str> {
    let upgraded = upgrade.await.map_err(|_| "the 101 was not written")?;
    let parts = upgraded
        .downcast::<TokioIo<Guarded>>()
        .map_err(|_| "not a stream of ours")?;
    if !parts.read_buf.is_empty() {
        return Err("bytes before the 101");
    }
    let stream = parts
        .io
        .into_inner()
        .into_upgraded()
        .map_err(|_| "bytes before the 101")?;
    let parts = stream.into_parts().map_err(|_| "no socket")?;
    if parts.plain.is_empty() {
        Ok(parts)
    } else {
        Err("bytes before the 101")
    }
}
