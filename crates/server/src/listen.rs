//! The accept loop: counts every connection in, and starts its clock.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    time::Instant,
};
use wardwire_admission::{
    admit::{Trail, Transport},
    caps::{Accepted, ConnectionSlot},
    refusal::Refusal,
};

use crate::{http, server::Server, tls};

/// Accepts connections until the task is dropped.
pub async fn run(server: Arc<Server>, listener: TcpListener) {
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((tcp, peer)) => {
                number += 1;
                welcome(&server, tcp, peer, number);
            }
            Err(error) => {
                // Out of descriptors, most likely: those that are open must end before others can begin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn welcome(server: &Arc<Server>, tcp: TcpStream, peer: SocketAddr, number: u64) {
    server.metrics.accepted.inc();
    let ip = peer.ip().to_canonical();
    let (slot, turned) = match server.gate.caps().accept(ip) {
        Accepted::Welcome(slot) => (slot, None),
        Accepted::Turned(slot, refusal) => (slot, Some(refusal)),
        Accepted::Dropped => {
            server.metrics.dropped.inc();
            return;
        }
    };
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    // Boxed: the handshake is large and short, and what comes after it is small and long.
    let connection = Box::pin(serve(server.clone(), tcp, peer, number, slot, turned));
    tokio::spawn(connection);
}

async fn serve(
    server: Arc<Server>,
    tcp: TcpStream,
    peer: SocketAddr,
    number: u64,
    slot: ConnectionSlot,
    turned: Option<Refusal>,
) {
    let deadline = Instant::now() + server.handshake;
    let ip = peer.ip().to_canonical();
    match tokio::time::timeout_at(deadline, tls::accept(tcp, server.tls.clone())).await {
        Ok(Ok((stream, server_name))) => {
            let transport = Transport {
                peer: ip,
                server_name,
            };
            let connection = http::Connection::new(server, number, transport, slot, turned);
            http::serve(connection, stream, deadline).await;
        }
        Ok(Err(error)) => tls_failed(&server, number, ip, &error.to_string()),
        Err(_) => tls_failed(&server, number, ip, "not finished in time"),
    }
}

fn tls_failed(server: &Server, number: u64, peer: std::net::IpAddr, why: &str) {
    use wardwire_admission::refusal::{Reason, Stage};
    server.metrics.tls_failures.inc();
    let trail = Trail {
        connection: number,
        peer: Some(peer),
        ..Trail::default()
    };
    server.refused(
        &trail,
        &Refusal::new(Stage::Tls, Reason::TlsFailed).because(why),
    );
}
