//! A client of HTTP/2, by the `h2` crate: requests, and sockets by extended CONNECT (RFC 8441).
//!
//! [`Translator`] lets every test that speaks HTTP/1.1 speak HTTP/2 instead: it takes the text of a request, sends what
//! says the same in HTTP/2, and gives the answer as HTTP/1.1 would have. So the same tests demand the same verdicts.

use std::{
    cell::Cell,
    future::poll_fn,
    io::{self, Read, Write},
    sync::Arc,
};

use bytes::{Buf as _, Bytes};
use h2::{
    RecvStream, SendStream,
    client::{Builder, SendRequest},
    ext::Protocol,
};
use http::{Method, Request, Version};
use rustls::pki_types::ServerName;
use tokio::{
    runtime::Runtime,
    sync::watch,
    time::{error::Elapsed, timeout},
};
use tokio_rustls::TlsConnector;

use super::{Server, client::tls, server::PATIENCE};

/// Which HTTP a server's clients speak in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Http1,
    Http2,
}

thread_local! {
    static OVER: Cell<Over> = const { Cell::new(Over::Http1) };
}

impl Over {
    /// As this test wants it.
    pub(crate) fn chosen() -> Self {
        OVER.get()
    }

    /// What a socket on a connection of its own counts for: over HTTP/2 the connection is counted beside it.
    pub(crate) fn places(self) -> u32 {
        match self {
            Self::Http1 => 1,
            Self::Http2 => 2,
        }
    }
}

/// Runs a test with servers whose clients speak HTTP/2.
pub(crate) fn run_over_http2(test: fn()) {
    OVER.set(Over::Http2);
    test();
}

/// Tests that are run over HTTP/2 too.
macro_rules! over_http2 {
    ($($test:ident),* $(,)?) => {
        mod over_http2 {
            $(#[test]
            fn $test() {
                crate::harness::run_over_http2(super::$test);
            })*
        }
    };
}
pub(crate) use over_http2;

/// A connection to a server.
pub(crate) struct Http2 {
    runtime: Arc<Runtime>,
    requests: SendRequest<Bytes>,
    /// How it ended, once it has: None without an error.
    ended: watch::Receiver<Option<Option<h2::Reason>>>,
}

/// What a request was answered with.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: RecvStream,
    pub(crate) sending: SendStream<Bytes>,
}

impl Http2 {
    pub(crate) fn connect(server: &Server) -> Self {
        Self::connect_with(server, "localhost", &Builder::new())
    }

    pub(crate) fn connect_with(server: &Server, name: &str, builder: &Builder) -> Self {
        Self::try_connect(server, name, builder).unwrap()
    }

    fn try_connect(server: &Server, name: &str, builder: &Builder) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut config = tls(server);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let (tell, ended) = watch::channel(None);
        let requests = runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(server.address).await?;
            tcp.set_nodelay(true)?;
            let tls = TlsConnector::from(Arc::new(config))
                .connect(name, tcp)
                .await?;
            assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let (requests, mut connection) =
                builder.handshake(tls).await.map_err(io::Error::other)?;
            let mut pings = connection.ping_pong().unwrap();
            tokio::spawn(async move {
                let reason = connection.await.err().and_then(|error| error.reason());
                let _ = tell.send(Some(reason));
            });
            // Once that is answered, the server has said what it speaks.
            let _ = within(pings.ping(h2::Ping::opaque())).await;
            io::Result::Ok(requests)
        })?;
        Ok(Self {
            runtime: Arc::new(runtime),
            requests,
            ended,
        })
    }

    /// Whether the server takes WebSockets.
    pub(crate) fn has_extended_connect(&self) -> bool {
        self.requests.is_extended_connect_protocol_enabled()
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) fn send(
        &mut self,
        request: Request<()>,
        body: Option<&[u8]>,
    ) -> Result<Answer, h2::Error> {
        let stays_open = request.method() == Method::CONNECT;
        let body = body.map(Bytes::copy_from_slice).unwrap_or_default();
        let requests = self.requests.clone();
        let asked = async {
            self.requests = requests.ready().await?;
            let ends = body.is_empty() && !stays_open;
            let (response, mut sending) = self.requests.send_request(request, ends)?;
            if !body.is_empty() {
                // The server may have answered without it, and have reset the rest (RFC 9113 §8.1): the answer counts.
                let _ = sending.send_data(body, !stays_open);
            }
            let (head, body) = response.await?.into_parts();
            Ok(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
                sending,
            })
        };
        self.runtime
            .block_on(within(asked))
            .expect("the server answers in time")
    }

    /// A stream as bytes to and from the server.
    pub(crate) fn tunnel(&self, answer: Answer) -> Tunnel {
        Tunnel {
            runtime: self.runtime.clone(),
            received: answer.body,
            sending: answer.sending,
            rest: Bytes::new(),
        }
    }

    /// All of an answer's body.
    pub(crate) fn body(&self, answer: &mut Answer) -> Result<Vec<u8>, h2::Error> {
        let collect = async {
            let mut all = Vec::new();
            while let Some(piece) = answer.body.data().await {
                let piece = piece?;
                let _ = answer.body.flow_control().release_capacity(piece.len());
                all.extend_from_slice(&piece);
            }
            Ok(all)
        };
        self.runtime.block_on(within(collect)).unwrap()
    }

    /// Waits for the connection's end, and tells the server's reason if it had one.
    pub(crate) fn ended(&mut self) -> Option<h2::Reason> {
        let ended = self.ended.wait_for(Option::is_some);
        let ended = self.runtime.block_on(within(ended));
        let ended = ended.expect("the server hangs up").unwrap();
        ended.flatten()
    }
}

async fn within<F: Future>(future: F) -> Result<F::Output, Elapsed> {
    timeout(PATIENCE, future).await
}

/// A socket's stream. Hanging up resets it.
pub(crate) struct Tunnel {
    runtime: Arc<Runtime>,
    received: RecvStream,
    sending: SendStream<Bytes>,
    rest: Bytes,
}

impl Tunnel {
    /// Ends our half.
    pub(crate) fn finish(&mut self) {
        self.sending.send_data(Bytes::new(), true).unwrap();
    }

    pub(crate) fn reset(&mut self, reason: h2::Reason) {
        self.sending.send_reset(reason);
    }

    /// Waits for the end of the server's half: None if that is `END_STREAM`, else why it was reset. Drops what still comes.
    pub(crate) fn end(&mut self) -> Option<h2::Reason> {
        let end = async {
            loop {
                match self.received.data().await {
                    None => return None,
                    Some(Err(error)) => return error.reason(),
                    Some(Ok(piece)) => {
                        let _ = self.received.flow_control().release_capacity(piece.len());
                    }
                }
            }
        };
        self.runtime.block_on(within(end)).expect("the stream ends")
    }

    /// Waits for the server to reset the stream.
    pub(crate) fn is_reset(&mut self) -> h2::Reason {
        let reset = poll_fn(|cx| self.sending.poll_reset(cx));
        self.runtime.block_on(within(reset)).unwrap().unwrap()
    }
}

impl Read for Tunnel {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            let piece = within(self.received.data());
            match self.runtime.block_on(piece) {
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(None) => return Ok(0),
                Ok(Some(Err(error))) => return Err(io::Error::other(error)),
                Ok(Some(Ok(piece))) => self.rest = piece,
            }
        }
        let count = to.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut to[..count]);
        let _ = self.received.flow_control().release_capacity(count);
        Ok(count)
    }
}

impl Write for Tunnel {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if from.is_empty() {
            return Ok(0);
        }
        self.sending.reserve_capacity(from.len());
        let sending = &mut self.sending;
        let room = async {
            loop {
                match sending.capacity() {
                    0 => {}
                    room => return Ok(room),
                }
                match poll_fn(|cx| sending.poll_capacity(cx)).await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(io::Error::other(error)),
                    None => return Err(io::ErrorKind::BrokenPipe.into()),
                }
            }
        };
        let room = self.runtime.block_on(within(room));
        let room = room.map_err(|_| io::ErrorKind::TimedOut)??;
        let count = room.min(from.len());
        let piece = Bytes::copy_from_slice(&from[..count]);
        self.sending
            .send_data(piece, false)
            .map_err(io::Error::other)?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the text of HTTP/1.1 requests, and sends what says the same in HTTP/2.
pub(super) struct Translator {
    client: Http2,
    written: Vec<u8>,
    answer: Vec<u8>,
    tunnel: Option<Tunnel>,
    over: bool,
}

impl Translator {
    pub(super) fn connect(server: &Server, name: &str) -> io::Result<Self> {
        let client = Http2::try_connect(server, name, &Builder::new())?;
        Ok(Self {
            client,
            written: Vec::new(),
            answer: Vec::new(),
            tunnel: None,
            over: false,
        })
    }

    fn exchange(&mut self, head: &str, body: &[u8]) {
        let request = translated(head);
        let is_handshake = request.extensions().get::<Protocol>().is_some();
        let body = (!body.is_empty()).then_some(body);
        let Ok(mut answer) = self.client.send(request, body) else {
            self.over = true;
            return;
        };
        let opened = is_handshake && answer.status == 200;
        let status = if opened { 101 } else { answer.status };
        let mut text = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in &answer.headers {
            if name != "content-length" {
                text += &format!("{name}: {}\r\n", value.to_str().unwrap());
            }
        }
        let body = match opened {
            true => Vec::new(),
            false => self.client.body(&mut answer).unwrap(),
        };
        if !opened {
            text += &format!("content-length: {}\r\n", body.len());
        }
        self.answer = [text.as_bytes(), b"\r\n", &body].concat();
        // HTTP/1.1 closes the connection of a refusal.
        self.over = !opened && status >= 400;
        if opened {
            self.tunnel = Some(self.client.tunnel(answer));
        }
    }
}

/// A browser splits its cookies (RFC 9113 §8.2.3), and so does this.
fn translated(head: &str) -> Request<()> {
    let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
    let line: Vec<&str> = lines.next().unwrap().split(' ').collect();
    let fields: Vec<(&str, &str)> = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let has = |wanted: &str| {
        fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    let is_handshake = line[0] == "GET" && has("upgrade");
    let mut authority = None;
    let mut request = Request::builder().version(Version::HTTP_2);
    for (name, value) in &fields {
        match name.to_ascii_lowercase().as_str() {
            "host" if authority.is_none() => authority = Some(*value),
            "upgrade" | "connection" | "sec-websocket-key" => {}
            "cookie" => {
                for crumb in value.split("; ") {
                    request = request.header("cookie", crumb);
                }
            }
            name => request = request.header(name, *value),
        }
    }
    let authority = authority.expect("a Host");
    request = request.uri(format!("https://{authority}{}", line[1]));
    if is_handshake {
        request = request
            .method(Method::CONNECT)
            .extension(Protocol::from_static("websocket"));
    } else {
        request = request.method(line[0]);
    }
    request.body(()).unwrap()
}

impl Write for Translator {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        if let Some(tunnel) = &mut self.tunnel {
            return tunnel.write(from);
        }
        self.written.extend_from_slice(from);
        let whole = |written: &[u8]| {
            let end = written.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
            let head = std::str::from_utf8(&written[..end]).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().unwrap())
            });
            let body = written.get(end..end + length.unwrap_or(0))?;
            Some((head.to_owned(), body.to_vec()))
        };
        if let Some((head, body)) = whole(&self.written) {
            assert_eq!(
                self.written.len(),
                head.len() + body.len(),
                "nothing behind it"
            );
            self.written.clear();
            self.exchange(&head, &body);
        }
        Ok(from.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Translator {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if !self.answer.is_empty() {
            let count = to.len().min(self.answer.len());
            to[..count].copy_from_slice(&self.answer[..count]);
            self.answer.drain(..count);
            return Ok(count);
        }
        match &mut self.tunnel {
            Some(tunnel) => tunnel.read(to),
            None if self.over => Ok(0),
            None => {
                self.client.ended();
                Ok(0)
            }
        }
    }
}
