//! The crates whose sockets are a `Stream` and a `Sink`.

use futures_util::{FutureExt as _, Sink, SinkExt as _, Stream, StreamExt as _};

use crate::{Role, Said, Tls};

const LARGEST: usize = 1 << 20;

/// When what is queued for a follower is flushed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Flush {
    /// After all of it.
    Queue,
    /// After each message, as `send` does.
    Each,
}

pub(crate) async fn tokio_websockets(tls: Tls, role: Role, flush: Flush) {
    use tokio_websockets::{Limits, Message, ServerBuilder};
    let limits = Limits::default().max_payload_len(Some(LARGEST));
    let socket = ServerBuilder::new().limits(limits).serve(tls);
    run(
        socket,
        (role, flush),
        |message: &Message| message.is_text() || message.is_binary(),
        |message| Said(message.is_text(), message.into_payload().into()),
        |Said(text, bytes)| match text {
            true => Message::text(tokio_websockets::Payload::from(bytes)),
            false => Message::binary(bytes),
        },
    )
    .await;
}

pub(crate) async fn tungstenite(tls: Tls, role: Role) {
    use tokio_tungstenite::{
        WebSocketStream,
        tungstenite::{Message, protocol},
    };
    let socket = WebSocketStream::from_raw_socket(tls, protocol::Role::Server, None).await;
    run(
        socket,
        (role, Flush::Queue),
        |message: &Message| message.is_text() || message.is_binary(),
        |message| Said(message.is_text(), message.into_data()),
        |Said(text, bytes)| match text {
            true => Message::Text(bytes.try_into().expect("it came in as text")),
            false => Message::Binary(bytes),
        },
    )
    .await;
}

pub(crate) async fn sockudo_ws(tls: Tls, role: Role) {
    use sockudo_ws::{Config, WebSocketStream, protocol::Message};
    let socket = WebSocketStream::server(tls, Config::default());
    run(
        socket,
        (role, Flush::Queue),
        |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_)),
        |message| match message {
            Message::Text(bytes) => Said(true, bytes.into()),
            Message::Binary(bytes) => Said(false, bytes),
            _ => Said(false, bytes::Bytes::new()),
        },
        |Said(text, bytes)| match text {
            true => Message::Text(bytes.into()),
            false => Message::Binary(bytes),
        },
    )
    .await;
}

/// Answers all that one read brought and flushes once, or sends what is queued.
async fn run<S, M, E>(
    mut socket: S,
    (role, flush): (Role, Flush),
    is_data: impl Fn(&M) -> bool,
    read: impl Fn(M) -> Said,
    write: impl Fn(Said) -> M,
) where
    S: Stream<Item = Result<M, E>> + Sink<M> + Unpin,
{
    match role {
        Role::Echo => {
            while let Some(Ok(message)) = socket.next().await {
                let mut next = Some(message);
                while let Some(message) = next.take() {
                    if is_data(&message) && socket.feed(message).await.is_err() {
                        return;
                    }
                    if let Some(Some(Ok(more))) = socket.next().now_or_never() {
                        next = Some(more);
                    }
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
        }
        Role::Follow(mut queue) => {
            while let Some(said) = queue.recv().await {
                let mut next = Some(said);
                while let Some(said) = next {
                    if socket.feed(write(said)).await.is_err() {
                        return;
                    }
                    next = match flush {
                        Flush::Queue => queue.try_recv().ok(),
                        Flush::Each => None,
                    };
                }
                if socket.flush().await.is_err() {
                    return;
                }
            }
        }
        Role::Publish(followers) => {
            while let Some(Ok(message)) = socket.next().await {
                if is_data(&message) {
                    followers.tell(&read(message));
                }
            }
        }
    }
}
