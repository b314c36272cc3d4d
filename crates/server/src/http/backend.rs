//! `POST /.wardwire/backend`: the application's own backend, which holds no socket. It shows a token of its own and says
//! JSON-RPC 2.0, the same calls with the same answers as a socket's.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header, request};
use serde_json::value::RawValue;
use wardwire_admission::{
    admit::Trail,
    refusal::{Reason, Refusal, Stage},
};
use wardwire_hub::{
    Backend, HubError, Published,
    engine::{Answer, Limit, Page, Placed, Present},
};
use wardwire_protocol::{
    channel::ChannelName,
    rpc::{self, Call, Entry, Incoming, RpcError, wire::PublishParams},
};

use super::{Connection, json_text, require_json};
use crate::{
    bearer, revocations,
    server::Server,
    session::channels::{
        calls::{self, history, presence, publish},
        errors,
    },
};

/// Whether a request may say anything here, asked before its body is read.
pub(super) fn judge(
    server: &Server,
    head: &request::Parts,
    trail: &mut Trail,
) -> Result<(), Refusal> {
    let terms = server.terms();
    if terms.backend.is_empty() {
        return Err(Refusal::new(Stage::Head, Reason::NotFound));
    }
    if head.method != Method::POST {
        return Err(Refusal::new(Stage::Head, Reason::MethodNotAllowed));
    }
    trail.credential = Some("backend");
    from_no_page(&head.headers)?;
    let unproved = |reason| Refusal::new(Stage::Identity, reason);
    bearer::judge(&head.headers, &terms.backend).map_err(unproved)?;
    if !server.audit.is_healthy() {
        return Err(Refusal::new(Stage::Accept, Reason::AuditUnavailable));
    }
    require_json(head)
}

/// A browser says where its request comes from; no page has any business here, an allowed one neither.
fn from_no_page(headers: &HeaderMap) -> Result<(), Refusal> {
    let site = headers.get("sec-fetch-site");
    if headers.contains_key(header::ORIGIN) || site.is_some_and(|site| site != "none") {
        return Err(Refusal::new(Stage::Origin, Reason::OriginNotAllowed).because("a page's"));
    }
    Ok(())
}

/// Answers what a backend that was [judged](judge) says.
pub(super) async fn respond(
    connection: &Connection,
    body: &Bytes,
    trail: &Trail,
) -> Result<Response<Bytes>, Refusal> {
    let unreadable = |_| Refusal::new(Stage::Head, Reason::BadBody).because("it is not UTF-8");
    let text = str::from_utf8(body).map_err(unreadable)?;
    let mut caller = Caller {
        connection,
        trail,
        hub: connection.server.hub.backend(),
        room: ROOM,
    };
    let answer = match rpc::read(text) {
        Ok(Incoming::One(entry)) => caller.begin(entry).await.wait(&caller).await,
        Ok(Incoming::Batch(entries)) => {
            // All are begun before any is waited for: what they do, they do in their order.
            let mut begun = Vec::new();
            for entry in entries {
                begun.push(caller.begin(entry).await);
            }
            let mut answers = Vec::new();
            for one in begun {
                answers.extend(one.wait(&caller).await);
            }
            (!answers.is_empty()).then(|| rpc::batch(&answers))
        }
        Err(why) => {
            let (call, error) = errors::unreadable(why);
            caller.note(&error, call.as_ref());
            Some(rpc::error(call.as_ref().map(|it| it.id), &error))
        }
    };
    Ok(match answer {
        Some(answer) => json_text(StatusCode::OK, answer),
        None => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    })
}

/// Bytes of history and of members that one request may be answered with, give or take one publication.
const ROOM: usize = 2 * history::BYTES;

/// Who calls.
struct Caller<'a> {
    connection: &'a Connection,
    trail: &'a Trail,
    hub: Backend,
    /// Bytes that may still be answered.
    room: usize,
}

/// A call that was begun.
enum Begun<'a> {
    /// It has no answer.
    Silent,
    /// What was no call.
    Invalid,
    Call(Call<'a>, Result<Doing, RpcError>),
}

/// What is being done.
enum Doing {
    Done(Box<RawValue>),
    Publishing(ChannelName, Answer<Result<Published, HubError>>),
    Reading(Answer<Result<Page, HubError>>, usize),
    Looking(Answer<Result<Present, HubError>>, usize),
}

impl Caller<'_> {
    async fn begin<'a>(&mut self, entry: Entry<'a>) -> Begun<'a> {
        match entry {
            Entry::Ignored => Begun::Silent,
            Entry::Invalid => Begun::Invalid,
            Entry::Call(call) => {
                let doing = self.call(&call).await;
                Begun::Call(call, doing)
            }
        }
    }

    async fn call(&mut self, call: &Call<'_>) -> Result<Doing, RpcError> {
        match &*call.method {
            "publish" => {
                let wanted: PublishParams<'_> = rpc::params(call)?;
                // There is no socket to which it could come back.
                if wanted.no_echo {
                    return Err(RpcError::parameter("noEcho"));
                }
                let name = calls::name(&wanted.channel)?;
                let (payload, id) = (publish::payload(&wanted)?, publish::id(&wanted)?);
                let published = self.hub.publish(&name, payload, id);
                Ok(Doing::Publishing(name, published))
            }
            "history" => {
                let (name, range, count) = history::wanted(call)?;
                let bytes = self.room.min(history::BYTES);
                let limit = Limit { count, bytes };
                let page = self.hub.history(&name, range, limit);
                let size = |it: &Placed| it.publication.size();
                let taken = match &page {
                    Answer::Now(Ok(page)) => page.publications.iter().map(size).sum(),
                    Answer::Now(Err(_)) => 0,
                    // As much as it may be.
                    Answer::Later(_) => bytes,
                };
                self.room = self.room.saturating_sub(taken);
                Ok(Doing::Reading(page, bytes))
            }
            "presence" => {
                let (name, most) = presence::wanted(call)?;
                let bytes = self.room.min(presence::BYTES);
                match self.hub.presence(&name, most) {
                    Answer::Now(present) => {
                        let result = presence::answer(present, bytes)?;
                        self.room = self.room.saturating_sub(result.get().len());
                        Ok(Doing::Done(result))
                    }
                    // As much as it may be.
                    later @ Answer::Later(_) => {
                        self.room -= bytes;
                        Ok(Doing::Looking(later, bytes))
                    }
                }
            }
            "revoke" => {
                let asked = call.params.map_or("", RawValue::get).as_bytes();
                let ended = revocations::revoke(&self.connection.server, asked, self.trail);
                let ended = ended.await.map_err(|_| RpcError::PARAMS.at(""))?;
                let result = serde_json::json!({ "ended": ended });
                calls::result(&result).map(Doing::Done)
            }
            _ => Err(RpcError::METHOD),
        }
    }

    /// What came of it.
    async fn done(&self, doing: Doing) -> Result<Box<RawValue>, RpcError> {
        let server = &self.connection.server;
        let metrics = &self.connection.shard.metrics;
        match doing {
            Doing::Done(result) => Ok(result),
            Doing::Publishing(name, published) => {
                let published = published.wait().await;
                publish::finish(&name, published, (server, metrics, self.trail))
            }
            Doing::Reading(page, bytes) => {
                let mut page = page.wait().await.map_err(errors::refused)?;
                history::fit(&mut page, bytes);
                let publications = page.publications.iter().map(calls::result);
                let publications: Vec<_> = publications.collect::<Result<_, _>>()?;
                history::answer(&page, &publications)
            }
            Doing::Looking(present, bytes) => presence::answer(present.wait().await, bytes),
        }
    }

    /// Writes down that a call failed.
    fn note(&self, error: &RpcError, call: Option<&Call<'_>>) {
        let about = || call.and_then(errors::attempt);
        let server: &Arc<Server> = &self.connection.server;
        server.audit.call_refused(self.trail, error.word, about);
        self.connection.shard.metrics.errors.add(1);
    }
}

impl Begun<'_> {
    /// Its answer, if it has one.
    async fn wait(self, caller: &Caller<'_>) -> Option<String> {
        let (call, doing) = match self {
            Self::Silent => return None,
            Self::Invalid => {
                caller.note(&RpcError::REQUEST, None);
                return Some(rpc::error(None, &RpcError::REQUEST));
            }
            Self::Call(call, doing) => (call, doing),
        };
        let result = match doing {
            Ok(doing) => caller.done(doing).await,
            Err(error) => Err(error),
        };
        Some(match result {
            Ok(result) => rpc::result(call.id, result),
            Err(error) => {
                caller.note(&error, Some(&call));
                rpc::error(Some(call.id), &error)
            }
        })
    }
}
