//! The PROXY protocol, versions 1 and 2 (HAProxy's specification, `proxy-protocol.txt`): what a balancer says of a
//! connection before the connection's own first byte.
//!
//! Pure and strict: what the specification does not allow is refused as soon as it can be told, and no more is read than a
//! header can be long.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::refusal::{Reason, Refusal, Stage};

/// The longest header that is read, in bytes: 107 of version 1, or version 2 with what it says beyond addresses. A
/// version 2 header may claim 64 KiB; the largest that balancers send hold a few hundred bytes.
pub const LONGEST: usize = 2048;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the header itself, in bytes; what follows is the connection's own.
    pub length: usize,
    /// Whom the connection is from.
    pub source: Source,
    /// Whether the client came over TLS, where the balancer says (`PP2_TYPE_SSL`).
    pub over_tls: Option<bool>,
}

/// Whom a connection is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client.
    Client(IpAddr),
    /// The balancer itself, for a look at its server's health (`LOCAL`, `UNKNOWN`).
    Balancer,
}

/// §2.1: the longest line, with its CRLF.
const LINE: usize = 107;
const V1: &[u8] = b"PROXY ";
/// §2.2.
const V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const FIXED: usize = 16;
/// Two IPv4 addresses and ports; the same of IPv6.
const ADDRESSES: (usize, usize) = (12, 36);
/// §2.2.6: `PP2_TYPE_SSL`, of which the first byte's lowest bit says that the client came over TLS.
const TYPE_SSL: u8 = 0x20;
const CLIENT_SSL: u8 = 0x01;

/// Reads the header that `received` begins with. None while it is cut short and may still be right.
///
/// # Errors
/// The first rule it breaks.
pub fn parse(received: &[u8]) -> Result<Option<Header>, Refusal> {
    if begins(received, V1) {
        line(received)
    } else if begins(received, V2) {
        binary(received)
    } else {
        Err(broken("no PROXY protocol header"))
    }
}

/// Whether it begins with this, as far as it has come.
fn begins(received: &[u8], with: &[u8]) -> bool {
    received.iter().zip(with).all(|(one, other)| one == other)
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n`
fn line(received: &[u8]) -> Result<Option<Header>, Refusal> {
    let window = received.get(..LINE).unwrap_or(received);
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        // A CR alone ends no line, and what follows one is not a line's.
        let stray = window.iter().position(|&byte| byte == b'\r');
        return match stray {
            Some(at) if at + 1 < window.len() => Err(broken("a bare CR in the line")),
            _ if window.len() == LINE => Err(broken("a line of over 107 bytes")),
            _ => Ok(None),
        };
    };
    let text = window
        .get(..end)
        .and_then(|line| line.strip_suffix(b"\r"))
        .filter(|line| !line.contains(&b'\r'))
        .ok_or_else(|| broken("a bare CR or LF in the line"))?;
    let text = std::str::from_utf8(text).map_err(|_| broken("a line that is not ASCII"))?;
    let mut words = text.split(' ').skip(1);
    let source = match words.next() {
        // What follows is ignored, as §2.1 says.
        Some("UNKNOWN") => Source::Balancer,
        Some("TCP4") => Source::Client(addresses::<Ipv4Addr>(words)?.into()),
        Some("TCP6") => Source::Client(addresses::<Ipv6Addr>(words)?.into()),
        _ => return Err(broken("a protocol that is not TCP4, TCP6 or UNKNOWN")),
    };
    Ok(Some(Header {
        length: end + 1,
        source: source.canonical(),
        over_tls: None,
    }))
}

/// Two addresses and two ports, and nothing after them. The first address is the client's.
fn addresses<'a, A: std::str::FromStr>(
    mut words: impl Iterator<Item = &'a str>,
) -> Result<A, Refusal> {
    let mut address = || words.next().and_then(|word| word.parse::<A>().ok());
    let (source, destination) = (address(), address());
    let (Some(source), Some(_)) = (source, destination) else {
        return Err(broken("an address that is not one of its protocol"));
    };
    let ports = [words.next(), words.next()];
    if !ports.iter().all(|word| word.is_some_and(is_port)) || words.next().is_some() {
        return Err(broken("not two ports behind the addresses"));
    }
    Ok(source)
}

/// Decimal, without heading zeroes.
fn is_port(word: &str) -> bool {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    digits && (word == "0" || !word.starts_with('0')) && word.parse::<u16>().is_ok()
}

fn binary(received: &[u8]) -> Result<Option<Header>, Refusal> {
    let mut head = received.iter().copied().skip(V2.len());
    let Some(command) = head.next() else {
        return Ok(None);
    };
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(broken("an unknown version or command")),
    };
    let Some(family) = head.next() else {
        return Ok(None);
    };
    let addresses = match family {
        // §2.2: a LOCAL connection's family is ignored.
        _ if is_local => 0,
        0x11 => ADDRESSES.0,
        0x21 => ADDRESSES.1,
        _ => return Err(broken("a client that did not come by TCP over IP")),
    };
    let (Some(high), Some(low)) = (head.next(), head.next()) else {
        return Ok(None);
    };
    let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST {
        return Err(broken("a header of over 2048 bytes"));
    }
    if length < FIXED + addresses {
        return Err(broken("a header too short for its addresses"));
    }
    let Some(body) = received.get(FIXED..length) else {
        return Ok(None);
    };
    if is_local {
        return Ok(Some(Header {
            length,
            source: Source::Balancer,
            over_tls: None,
        }));
    }
    let (addresses, extensions) = body.split_at(addresses);
    Ok(Some(Header {
        length,
        source: client(addresses)?,
        over_tls: over_tls(extensions)?,
    }))
}

/// The first address of the block.
fn client(addresses: &[u8]) -> Result<Source, Refusal> {
    let address = if addresses.len() == ADDRESSES.0 {
        addresses.first_chunk::<4>().map(|it| IpAddr::from(*it))
    } else {
        addresses.first_chunk::<16>().map(|it| IpAddr::from(*it))
    };
    let address = address.ok_or_else(|| broken("a header too short for its addresses"))?;
    Ok(Source::Client(address).canonical())
}

/// Walks type, length and value until nothing is left over.
fn over_tls(mut extensions: &[u8]) -> Result<Option<bool>, Refusal> {
    let mut over_tls = None;
    while !extensions.is_empty() {
        let cut = || broken("an extension that is cut short");
        let ([kind, high, low], rest) = extensions.split_first_chunk::<3>().ok_or_else(cut)?;
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        if *kind == TYPE_SSL {
            if over_tls.is_some() {
                return Err(broken("two words about TLS"));
            }
            // Flags, and the outcome of verifying a certificate; more of the same kind may follow.
            let ([flags, ..], _) = value.split_first_chunk::<5>().ok_or_else(cut)?;
            over_tls = Some(flags & CLIENT_SSL != 0);
        }
        extensions = rest;
    }
    Ok(over_tls)
}

impl Source {
    /// IPv4 in the clothes of IPv6 is IPv4.
    fn canonical(self) -> Self {
        match self {
            Self::Client(address) => Self::Client(address.to_canonical()),
            Self::Balancer => Self::Balancer,
        }
    }
}

fn broken(detail: &str) -> Refusal {
    Refusal::new(Stage::Proxy, Reason::ProxyHeader).because(detail)
}

#[cfg(test)]
mod tests;
