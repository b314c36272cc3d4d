//! The attacker's own origin: another port, on which his page is served. It knows nothing of the server it attacks.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};

use super::{Ports, pages};
use crate::tls;

/// Connections at once; more wait.
const CONNECTIONS: usize = 32;
/// From accepting a connection to its end.
const TIME: Duration = Duration::from_secs(10);

/// A port that was bound, and is not served yet.
pub(super) struct Origin {
    listener: std::net::TcpListener,
    tls: Arc<ServerConfig>,
    ports: Ports,
}

impl Origin {
    pub(super) fn bind(
        address: SocketAddr,
        tls: Arc<ServerConfig>,
        ports: Ports,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("{address}, for the hostile page: {error}"),
            )
        })?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            tls,
            ports,
        })
    }

    /// Serves until the runtime ends.
    pub(super) fn serve(self) {
        tokio::spawn(async move {
            if let Err(error) = self.run().await {
                tracing::error!(%error, "the hostile page cannot be served");
            }
        });
    }

    async fn run(self) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return Ok(());
            };
            match listener.accept().await {
                Ok((tcp, _)) => {
                    let (tls, ports) = (self.tls.clone(), self.ports);
                    tokio::spawn(async move {
                        if timeout(TIME, connection(tcp, tls, ports)).await.is_err() {
                            tracing::debug!("a connection to the hostile page took too long");
                        }
                        drop(place);
                    });
                }
                // Out of descriptors, most likely.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

async fn connection(tcp: TcpStream, tls: Arc<ServerConfig>, ports: Ports) {
    let mut said = tls::Said::default();
    let Ok(stream) = tls::accept(tcp, tls, Vec::new(), &mut said).await else {
        return;
    };
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(respond(&request, ports).map(Full::new))
    });
    let served = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the hostile page ended");
    }
}

fn respond(request: &Request<Incoming>, ports: Ports) -> Response<Bytes> {
    let host = request.headers().get(header::HOST);
    let port = ports.hostile;
    let is_ours = |host: &http::HeaderValue| {
        *host == format!("127.0.0.1:{port}") || *host == format!("localhost:{port}")
    };
    let page = if request.method() == Method::GET && host.is_some_and(is_ours) {
        pages::hostile(request.uri().path(), ports)
    } else {
        None
    };
    page.unwrap_or_else(|| {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    })
}
