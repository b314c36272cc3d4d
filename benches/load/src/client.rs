//! A client socket: TLS, the handshake, and frames by the project's own protocol crate.

use std::{sync::Arc, time::Instant};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use wardwire_protocol::{
    connection::{Action, Connection, Limits},
    handshake,
    message::Message,
};

use crate::{Failure, server::Server};

/// Opens sockets.
pub(crate) struct Clients {
    tls: TlsConnector,
    address: String,
    token: String,
    limits: Arc<Limits>,
}

/// An open socket.
pub(crate) struct Client {
    stream: TlsStream<TcpStream>,
    frames: Connection,
}

impl Clients {
    /// Of this server, with this token.
    pub(crate) fn new(server: &Server, token: String) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(server.authority())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self {
            tls,
            address: server.address.clone(),
            token,
            limits: Arc::new(Limits::default()),
        })
    }

    /// Opens a socket on `/live`.
    pub(crate) async fn open(&self) -> Result<Client, Failure> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let mut stream = self.tls.connect(name, tcp).await?;
        let bearer = format!("Bearer {}", self.token);
        let fields = [
            ("Sec-WebSocket-Protocol", "wardwire.v1"),
            ("Authorization", &*bearer),
        ];
        let head = handshake::request_head("localhost", "/live", random(), &fields);
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await?);
        }
        if !answer.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&answer).into());
        }
        Ok(Client {
            stream,
            frames: Connection::client(self.limits.clone(), random, Instant::now()),
        })
    }
}

impl Client {
    /// Sends a text and waits for the next one.
    pub(crate) async fn ask(&mut self, text: &str) -> Result<String, Failure> {
        let mut out = Vec::new();
        self.frames.send(&Message::Text(text.into()), &mut out);
        self.stream.write_all(&out).await?;
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let count = self.stream.read(&mut buffer).await?;
            let mut rest = buffer
                .get_mut(..count)
                .filter(|read| !read.is_empty())
                .ok_or("closed")?;
            while !rest.is_empty() {
                let step = self.frames.receive(rest, Instant::now(), &mut out);
                let consumed = step.consumed;
                if let Action::Deliver(Message::Text(text)) = step.action {
                    return Ok(text.into_owned());
                }
                rest = rest.get_mut(consumed..).unwrap_or_default();
            }
        }
    }
}

/// Fresh random bytes.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // A load generator's masks protect nobody; zeros would do.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes
}
