//! Connections that a balancer brings: before their first byte it says whom they are from (the PROXY protocol).

use std::io;

use tokio::net::TcpStream;
use wardwire_admission::{
    proxy::header::{self, Header, LONGEST},
    refusal::{Reason, Refusal, Stage},
};

/// What a balancer said, and what came behind it: the connection's own first bytes.
pub(crate) struct Introduction {
    pub(crate) header: Header,
    pub(crate) early: Vec<u8>,
}

/// Reads a PROXY protocol header. The caller sets the deadline, and has found the peer to be a balancer.
///
/// # Errors
/// There is none, or it breaks its specification.
pub(crate) async fn introduction(tcp: &TcpStream) -> Result<Introduction, Refusal> {
    let mut received = Vec::new();
    loop {
        tcp.readable().await.map_err(|error| broken(&error))?;
        match take_in(tcp, &mut received) {
            Ok(0) => return Err(broken(&"the connection ended before its header")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(broken(&error)),
        }
        if let Some(header) = header::parse(&received)? {
            let early = received.split_off(header.length.min(received.len()));
            return Ok(Introduction { header, early });
        }
    }
}

/// Reads once, and no more than a header can still be long.
fn take_in(tcp: &TcpStream, received: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; LONGEST];
    let room = chunk.get_mut(received.len()..).unwrap_or_default();
    let came = tcp.try_read(room)?;
    received.extend_from_slice(room.get(..came).unwrap_or_default());
    Ok(came)
}

/// A refusal of the connection as a whole.
pub(crate) fn broken(why: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(Stage::Proxy, Reason::ProxyHeader).because(why)
}
