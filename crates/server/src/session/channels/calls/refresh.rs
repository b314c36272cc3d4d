//! `refresh`: puts a fresh token in the place of the one that a socket stands on.

use wardwire_admission::{
    admit::Trail,
    gate::{RefreshError, Renewed},
    principal::Principal,
};
use wardwire_protocol::{
    close::{Close, CloseCode},
    rpc::{
        self, Call, RpcError,
        wire::{RefreshParams, RefreshResult},
    },
};

use super::{Method, Outcome, Reply, result};
use crate::{
    audit::Event,
    session::{
        Scope, Session,
        channels::{
            Channels,
            pending::{Conclusion, Finish},
        },
    },
};

const NAME: &str = "refresh";

pub(super) const METHOD: Method = Method {
    name: NAME,
    waits: true,
    reads: None,
    call: refresh,
};

/// One at a time: it may fetch keys.
fn refresh(channels: &mut Channels, call: &Call<'_>, scope: &mut Scope<'_>) -> Outcome {
    let RefreshParams { token } = rpc::params(call)?;
    let token = token.into_owned();
    if channels.pending.has(NAME) {
        return Err(RpcError::RATE);
    }
    let Session { server, lease, .. } = scope.session;
    let (server, lease) = (server.clone(), lease.clone());
    Ok(Reply::Later(Box::pin(async move {
        let outcome = server.gate.refresh(&lease, &token).await;
        let finish: Finish = Box::new(|channels, scope| finish(outcome, channels, scope));
        finish
    })))
}

fn finish(
    outcome: Result<Renewed, RefreshError>,
    channels: &mut Channels,
    scope: &mut Scope<'_>,
) -> Conclusion {
    let Session { server, trail, .. } = scope.session;
    match outcome {
        Ok(Renewed { identity, until }) => {
            let principal = Principal::User(identity);
            let expires_at = until.as_secs();
            channels.renew(principal, scope);
            let by_token = Trail {
                credential: Some("bearer"),
                ..Trail::clone(trail)
            };
            server.audit.record(Event::refresh(&by_token));
            result(&RefreshResult { expires_at }).map_or_else(Conclusion::Error, Conclusion::Result)
        }
        Err(RefreshError::Refused(refusal)) => {
            server.refused(trail, &refusal);
            channels.count_error(&RpcError::TOKEN, scope);
            Conclusion::Error(RpcError::TOKEN)
        }
        Err(RefreshError::OtherSubject) => {
            server.audit.record(Event::other_subject(trail));
            Conclusion::Close(Close::new(CloseCode::FORBIDDEN, "subject"))
        }
    }
}
