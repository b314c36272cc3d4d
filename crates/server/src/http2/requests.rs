//! One request of an HTTP/2 connection: made to look as one of HTTP/1.1 does, answered by the same stages, and turned into
//! a socket if that is what it asks for.

use std::{
    future::{Future as _, poll_fn},
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use h2::{Reason as Error, RecvStream, SendStream, ext::Protocol, server::SendResponse};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use tokio::time::{Instant, timeout_at};
use wardwire_admission::{
    admit::{Trail, Transport},
    caps::{Accepted, ConnectionSlot, Place},
    fields, head,
    refusal::{Reason, Refusal, Stage},
};

use super::{
    life::{Busy, Life},
    stream::Stream,
    watched::Watch,
};
use crate::{
    handshake::{self, Entrant},
    http::{self as ordinary, Asked, Connection},
    server::Server,
    shard::{Arrival, Carrier, Handle},
};

/// What the requests of a connection share.
pub(super) struct Shared {
    pub(super) server: Arc<Server>,
    /// Names the connection in the audit log.
    pub(super) number: u64,
    pub(super) transport: Transport,
    pub(super) shard: Arc<Handle>,
    /// Why it may ask for nothing.
    pub(super) turned: Option<Refusal>,
    pub(super) life: Arc<Life>,
    pub(super) watch: Arc<Watch>,
}

/// What a request asked for.
enum Answer {
    Response(Response<Bytes>),
    /// A socket, which lives on what else the client sends.
    Socket(Response<Bytes>, Entrant, RecvStream),
}

/// Answers a request within its time, unless the client takes it back.
pub(super) async fn respond(
    shared: Arc<Shared>,
    _busy: Busy,
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
) {
    let deadline = Instant::now() + shared.server.terms().handshake;
    let is_head = request.method() == Method::HEAD;
    let answer = {
        let mut asked = pin!(ask(&shared, request, deadline));
        poll_fn(|cx| match reply.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => asked.as_mut().poll(cx).map(Some),
        })
        .await
    };
    match answer {
        // Dropping what was begun gives back what it holds.
        None => {}
        Some(Answer::Response(response)) => {
            let (head, mut body) = presentable(response).into_parts();
            if is_head {
                body.clear();
            }
            let head = Response::from_parts(head, ());
            let Ok(mut stream) = reply.send_response(head, body.is_empty()) else {
                return;
            };
            if timeout_at(deadline, send(&mut stream, body)).await.is_err() {
                stream.send_reset(Error::CANCEL);
            }
        }
        Some(Answer::Socket(response, entrant, received)) => {
            open(&shared, &mut reply, response, entrant, received);
        }
    }
}

/// The answer to an extended CONNECT has left: its stream is a socket from now on.
fn open(
    shared: &Shared,
    reply: &mut SendResponse<Bytes>,
    response: Response<Bytes>,
    entrant: Entrant,
    received: RecvStream,
) {
    let Entrant { session, principal } = entrant;
    let head = response.map(drop);
    shared.watch.opened();
    let Ok(sending) = reply.send_response(head, false) else {
        return session.failed("the 200 was not written");
    };
    let stream = Stream::new(received, sending, shared.life.carry());
    // Where its connection is, whose frames are all read there.
    shared.shard.adopt(Arrival {
        session,
        principal,
        carrier: Carrier::Stream(stream),
    });
}

async fn ask(shared: &Shared, request: Request<RecvStream>, deadline: Instant) -> Answer {
    let (mut head, mut received) = request.into_parts();
    let protocol = head.extensions.remove::<Protocol>();
    let protocol = protocol.as_ref().map(Protocol::as_str);
    let mut trail = Trail::begin(shared.number, shared.transport.peer, &head);
    trail.balancer = shared.transport.balancer;
    trail.stream = Some(received.stream_id().as_u32());
    let asked = Asked::of(&head.method, &head.uri, &head.headers);
    let outcome = judge(shared, &mut head, protocol, &mut received, &mut trail);
    let late = || Refusal::new(Stage::Head, Reason::HandshakeTimeout);
    let outcome = timeout_at(deadline, outcome).await;
    let (response, entrant) = match outcome.unwrap_or_else(|_| Err(late())) {
        Ok((response, entrant)) => (Ok(response), entrant),
        Err(refusal) => {
            shared.watch.refused();
            (Err(refusal), None)
        }
    };
    let response = ordinary::concluded(&shared.server, response, &trail, &asked);
    match entrant {
        Some(entrant) => Answer::Socket(response, entrant, received),
        None => Answer::Response(response),
    }
}

async fn judge(
    shared: &Shared,
    head: &mut request::Parts,
    protocol: Option<&str>,
    received: &mut RecvStream,
    trail: &mut Trail,
) -> Result<(Response<Bytes>, Option<Entrant>), Refusal> {
    fields::canonical(head, protocol)?;
    let (place, turned) = place(shared)?;
    let server = shared.server.clone();
    let connection = Connection::of_stream(
        server,
        shared.number,
        shared.transport.clone(),
        place,
        turned.or_else(|| shared.turned.clone()),
        shared.shard.clone(),
    );
    connection.enter().await?;
    let rules = shared.server.gate.rules();
    if rules.routes.find(head.uri.path()).is_none() {
        let target = head.uri.path_and_query().map_or("", |it| it.as_str());
        let most = head::largest_body(target.as_bytes());
        let body = async {
            // What a tunnel brings is no body, and has no end (RFC 8441 §5).
            match protocol {
                Some(_) => Ok(Bytes::new()),
                None => collect(received, most).await,
            }
        };
        let response = ordinary::ordinary(&connection, head, body, trail).await?;
        return Ok((response, None));
    }
    if protocol.is_some() {
        nothing_early(received)?;
    }
    let (response, entrant) = handshake::admit(&connection, head, trail).await?;
    if let Err(early) = nothing_early(received) {
        entrant.session.failed("bytes before the 200");
        return Err(early);
    }
    Ok((response, Some(entrant)))
}

/// A request's place, beside that of its connection: its head and its body are held as long as those of a connection of
/// HTTP/1.1, so that a connection with a hundred of them counts as a hundred. A socket keeps it.
fn place(shared: &Shared) -> Result<(Place, Option<Refusal>), Refusal> {
    let counted = |slot: ConnectionSlot| Place::new(slot);
    match shared.server.gate.caps().accept(shared.transport.peer) {
        Accepted::Welcome(slot) => Ok((counted(slot), None)),
        Accepted::Turned(slot, refusal) => Ok((counted(slot), Some(refusal))),
        Accepted::Dropped => Err(Refusal::new(Stage::Accept, Reason::PoolFull)),
    }
}

/// What comes before the answer is of nobody who was admitted.
fn nothing_early(received: &mut RecvStream) -> Result<(), Refusal> {
    let refuse =
        |detail: &str| Err(Refusal::new(Stage::Head, Reason::UpgradeWithBody).because(detail));
    let mut cx = Context::from_waker(Waker::noop());
    match received.poll_data(&mut cx) {
        Poll::Pending => Ok(()),
        Poll::Ready(None) => refuse("the stream ends with its request"),
        Poll::Ready(Some(_)) => refuse("bytes behind the handshake request"),
    }
}

/// The body of an ordinary request.
async fn collect(received: &mut RecvStream, largest: usize) -> Result<Bytes, Refusal> {
    let mut body = BytesMut::new();
    while let Some(piece) = poll_fn(|cx| received.poll_data(cx)).await {
        let cut =
            |_| Refusal::new(Stage::Head, Reason::MalformedHead).because("the body was cut short");
        let piece = piece.map_err(cut)?;
        if body.len() + piece.len() > largest {
            return Err(Refusal::new(Stage::Head, Reason::BodyTooLarge));
        }
        body.extend_from_slice(&piece);
        // More than came is never released.
        let _ = received.flow_control().release_capacity(piece.len());
    }
    Ok(body.freeze())
}

/// A response without what HTTP/2 forbids (RFC 9113 §8.2.2): a refusal ends its stream, and not the connection.
fn presentable(mut response: Response<Bytes>) -> Response<Bytes> {
    let is_method = response.status() == StatusCode::METHOD_NOT_ALLOWED;
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.remove(header::CONNECTION);
    headers.remove(header::UPGRADE);
    if is_method && headers.get(header::ALLOW).is_some_and(|it| it == "GET") {
        headers.insert(
            header::ALLOW,
            HeaderValue::from_static(Method::CONNECT.as_str()),
        );
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// Sends a body as the client takes it.
async fn send(stream: &mut SendStream<Bytes>, mut body: Bytes) {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let mut room = stream.capacity();
        while room == 0 {
            match poll_fn(|cx| stream.poll_capacity(cx)).await {
                Some(Ok(more)) => room = more,
                // It was taken back.
                _ => return,
            }
        }
        let piece = body.split_to(room.min(body.len()));
        if stream.send_data(piece, body.is_empty()).is_err() {
            return;
        }
    }
}
