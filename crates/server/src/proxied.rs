//! Connections that a balancer brings: it says whom they are from before their first byte (the PROXY protocol), or with each
//! of their requests where it has ended TLS.

use std::{io, net::IpAddr};

use http::HeaderMap;
use tokio::net::TcpStream;
use wardwire_admission::{
    proxy::{
        TrustedProxies, Vouched, forwarded,
        header::{self, Header, LONGEST},
    },
    refusal::{Reason, Refusal, Stage},
};

use crate::{listen::Door, server::Server};

/// Who brings a connection, as far as that matters.
pub(crate) struct Bringer {
    /// Begins it with a PROXY protocol header.
    pub(crate) introduces: Option<Vouched>,
    pub(crate) tls: TlsEnd,
}

/// Where a connection's TLS ends.
pub(crate) enum TlsEnd {
    /// Here, by the settings of the listener that it comes by.
    Here(Door),
    /// At the balancer that brings it.
    Balancer(Vouched),
}

impl Bringer {
    /// Who this peer is, if it may connect.
    ///
    /// # Errors
    /// It is none of those who may.
    pub(crate) fn of(peer: IpAddr, server: &Server, door: Door) -> Result<Self, Refusal> {
        if door == Door::ClientCertificates {
            // Nobody stands between: a balancer could not show its client's certificate.
            return Ok(Self {
                introduces: None,
                tls: TlsEnd::Here(door),
            });
        }
        let vouch = |list: &TrustedProxies| {
            let untrusted = || Refusal::new(Stage::Proxy, Reason::ProxyUntrusted);
            list.vouch(peer).ok_or_else(untrusted)
        };
        let balancers = &server.gate.rules().balancers;
        Ok(Self {
            introduces: balancers.introducing.as_ref().map(vouch).transpose()?,
            tls: match &balancers.ending_tls {
                None => TlsEnd::Here(door),
                Some(balancers) => TlsEnd::Balancer(vouch(balancers)?),
            },
        })
    }

    /// Whether the client is somebody else, who is not known yet.
    pub(crate) fn is_balancer(&self) -> bool {
        self.introduces.is_some() || matches!(self.tls, TlsEnd::Balancer(_))
    }
}

/// That a balancer ended a connection's TLS, and what it said of the connection as a whole.
pub struct EndedBy {
    pub(crate) header: Option<Header>,
}

impl EndedBy {
    /// Whom a request is from. None if that was said of the whole connection.
    pub(crate) fn client(
        &self,
        balancer: &Vouched,
        headers: &HeaderMap,
    ) -> Result<Option<IpAddr>, Refusal> {
        match self.header {
            Some(_) => Ok(None),
            None => balancer.client(headers).map(Some),
        }
    }

    /// Whether the client came over TLS. Where there is a header, that alone is asked, also when it says nothing: a balancer
    /// that speaks the PROXY protocol need not know HTTP, and would pass on the field that its client wrote.
    pub(crate) fn check_tls(&self, balancer: &Vouched, headers: &HeaderMap) -> Result<(), Refusal> {
        match self.header.map(|it| it.over_tls) {
            Some(Some(true)) => Ok(()),
            Some(Some(false)) => Err(forwarded::plain("the PROXY protocol header says so")),
            Some(None) => Err(forwarded::plain("the PROXY protocol header does not say")),
            None => balancer.check_tls(headers),
        }
    }
}

/// What a balancer said, and what came behind it: the connection's own first bytes.
pub(crate) struct Introduction {
    pub(crate) header: Header,
    pub(crate) early: Vec<u8>,
}

/// Reads a PROXY protocol header of a balancer. The caller sets the deadline.
///
/// # Errors
/// There is none, or it breaks its specification.
pub(crate) async fn introduction(
    tcp: &TcpStream,
    _balancer: &Vouched,
) -> Result<Introduction, Refusal> {
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
