//! The upgrade: takes an [`Admitted`] by value, answers, and hands what carries the socket to a session.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, request};
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
    shard::{Arrival, Carrier, Handle, emptiest},
    tls::Parts,
};

/// A socket that was admitted, and is nowhere yet.
pub struct Entrant {
    /// What it stands on.
    pub session: Session,
    /// Whose it is.
    pub principal: Principal,
}

/// A socket between the answer to its handshake and its shard.
pub struct Departure {
    entrant: Entrant,
    upgrade: OnUpgrade,
}

/// Answers a handshake, over whichever HTTP it comes. Without an admission there is neither `101` nor `200`.
///
/// # Errors
/// The first question that was not answered.
pub async fn admit(
    connection: &Connection,
    head: &request::Parts,
    trail: &mut Trail,
) -> Result<(Response<Bytes>, Entrant), Refusal> {
    let server = &connection.server;
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    let Connection {
        transport, place, ..
    } = connection;
    let admitted = server.gate.admit(head, transport, place, trail).await?;
    Ok(switch(server, admitted, trail))
}

/// The same for HTTP/1.1: the socket takes all of its connection.
///
/// # Errors
/// As above.
pub async fn upgrade(
    connection: &Connection,
    head: &request::Parts,
    upgrade: OnUpgrade,
    trail: &mut Trail,
) -> Result<Response<Bytes>, Refusal> {
    let (response, entrant) = admit(connection, head, trail).await?;
    connection.depart(Departure { entrant, upgrade });
    Ok(response)
}

fn switch(server: &Arc<Server>, admitted: Admitted, trail: &Trail) -> (Response<Bytes>, Entrant) {
    let admission = admitted.into_admission();
    let status = admission.offer.status();
    server.audit.record(Event::admission(trail, status));
    server.metrics.admissions.inc();
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    let deflate = admission.deflate();
    *response.headers_mut() = admission.offer.answer(admission.subprotocol, deflate);
    let (session, principal) = Session::new(server.clone(), admission, trail.clone());
    (response, Entrant { session, principal })
}

impl Departure {
    /// Moves the socket into a shard, once HTTP has let go of it: the one at which it came in, unless that has many more
    /// than another.
    pub async fn arrive(self, here: &Arc<Handle>) {
        let Entrant { session, principal } = self.entrant;
        match upgraded(self.upgrade).await {
            Ok(parts) => emptiest(&session.server.shards.clone(), here).adopt(Arrival {
                session,
                principal,
                carrier: Carrier::Tcp(parts),
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
