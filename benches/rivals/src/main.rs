//! WebSocket crates as servers that Wardwire is measured against: `wardwire-rivals CRATE --cert FILE --key FILE`.
//!
//! One thread, TLS, no session tickets. `/echo` says everything back, `/follow` hears what comes in on `/publish`. Each does
//! what its crate allows best: what one read brought is answered in one flush, and a follower's whole queue goes out in one
//! flush; `tokio-websockets-send` does what is written first with a crate instead, a `send` a message. TLS and the handshake's head are the same code for all, so that only the crates differ.

mod fast;
mod streams;

use std::{cell::RefCell, error::Error, rc::Rc, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{LocalSet, spawn_local},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use streams::Flush;

type Failure = Box<dyn Error>;
type Tls = TlsStream<TcpStream>;

/// A message: whether it is text, and its bytes.
#[derive(Clone)]
struct Said(bool, Bytes);

/// What a socket is for.
enum Role {
    Echo,
    Follow(UnboundedReceiver<Said>),
    Publish(Rc<Followers>),
}

#[derive(Default)]
struct Followers(RefCell<Vec<UnboundedSender<Said>>>);

impl Followers {
    fn join(&self) -> UnboundedReceiver<Said> {
        let (sender, receiver) = unbounded_channel();
        self.0.borrow_mut().push(sender);
        receiver
    }

    /// Hands a message to every follower; those that are gone are forgotten.
    fn tell(&self, said: &Said) {
        self.0
            .borrow_mut()
            .retain(|follower| follower.send(said.clone()).is_ok());
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, cert_flag, cert, key_flag, key] = &arguments[..] else {
        return Err("usage: wardwire-rivals CRATE --cert FILE --key FILE".into());
    };
    if cert_flag != "--cert" || key_flag != "--key" {
        return Err("usage: wardwire-rivals CRATE --cert FILE --key FILE".into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, serve(name.clone(), acceptor(cert, key)?))
}

fn acceptor(cert: &str, key: &str) -> Result<TlsAcceptor, Failure> {
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve(name: String, acceptor: TlsAcceptor) -> Result<(), Failure> {
    let run: fn(Tls, Role) -> std::pin::Pin<Box<dyn Future<Output = ()>>> = match name.as_str() {
        "tokio-websockets" => {
            |tls, role| Box::pin(streams::tokio_websockets(tls, role, Flush::Queue))
        }
        "tokio-websockets-send" => {
            |tls, role| Box::pin(streams::tokio_websockets(tls, role, Flush::Each))
        }
        "tungstenite" => |tls, role| Box::pin(streams::tungstenite(tls, role)),
        "sockudo-ws" => |tls, role| Box::pin(streams::sockudo_ws(tls, role)),
        "fastwebsockets" => |tls, role| Box::pin(fast::run(tls, role)),
        other => return Err(format!("there is no rival {other}").into()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?.port());
    let followers = Rc::new(Followers::default());
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let (acceptor, followers) = (acceptor.clone(), followers.clone());
        spawn_local(async move {
            if let Ok((tls, role)) = upgrade(tcp, acceptor, followers).await {
                run(tls, role).await;
            }
        });
    }
}

/// TLS and the `101`. The head is read as a benchmark's client writes it.
async fn upgrade(
    tcp: TcpStream,
    acceptor: TlsAcceptor,
    followers: Rc<Followers>,
) -> Result<(Tls, Role), Failure> {
    let mut tls = acceptor.accept(tcp).await?;
    let mut head = Vec::with_capacity(1024);
    while !head.ends_with(b"\r\n\r\n") {
        if tls.read_buf(&mut head).await? == 0 {
            return Err("gone".into());
        }
    }
    let head = String::from_utf8(head)?;
    let role = match head.split(' ').nth(1) {
        Some("/echo") => Role::Echo,
        Some("/follow") => Role::Follow(followers.join()),
        Some("/publish") => Role::Publish(followers),
        _ => return Err("no such path".into()),
    };
    let key = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .ok_or("no key")?
        .1;
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n",
        BASE64_STANDARD.encode(digest)
    );
    tls.write_all(answer.as_bytes()).await?;
    tls.flush().await?;
    Ok((tls, role))
}
