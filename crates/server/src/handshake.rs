//! The upgrade: takes an [`Admitted`] by value, writes the `101`, and hands the stream to a session.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, request};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use wardwire_admission::{
    admit::{Admitted, Trail},
    principal::Principal,
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

/// A socket between the answer to its handshake and its shard.
pub struct Departure {
    session: Session,
    principal: Principal,
    upgrade: OnUpgrade,
}

/// Answers a handshake. Without an admission there is no `101`.
///
/// # Errors
/// The first question that was not answered.
pub async fn upgrade(
    connection: &Connection,
    head: &request::Parts,
    upgrade: OnUpgrade,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let server = &connection.server;
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    let Connection {
        transport, place, ..
    } = connection;
    let admitted = server.gate.admit(head, transport, place, trail).await?;
    let (response, departure) = switch(server, admitted, upgrade, trail);
    connection.depart(departure);
    Ok(response)
}

fn switch(
    server: &Arc<Server>,
    admitted: Admitted,
    upgrade: OnUpgrade,
    trail: &Trail,
) -> (Response<Bytes>, Departure) {
    let admission = admitted.into_admission();
    server.audit.record(Event::admission(trail));
    server.metrics.admissions.inc();
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let deflate = admission.deflate();
    *response.headers_mut() = admission.offer.answer(admission.subprotocol, deflate);
    let (session, principal) = Session::new(server.clone(), admission, trail.clone());
    let departure = Departure {
        session,
        principal,
        upgrade,
    };
    (response, departure)
}

impl Departure {
    /// Moves the socket into a shard, once HTTP has let go of it: the one at which it came in, unless that has many more
    /// than another.
    pub async fn arrive(self, here: &Arc<Handle>) {
        let Self {
            session,
            principal,
            upgrade,
        } = self;
        match upgraded(upgrade).await {
            Ok(parts) => emptiest(&session.server.shards.clone(), here).adopt(Arrival {
                session,
                principal,
                parts,
            }),
            Err(why) => session.failed(why),
        }
    }
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
