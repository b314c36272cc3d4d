//! Who may stand between a client and this server, and what is believed of them.
//!
//! [`header`] reads the PROXY protocol, by which a balancer says whom a connection is from; [`forwarded`] reads the fields
//! by which one that ended TLS says it of each request. Neither is read from anybody that [`TrustedProxies`] does not
//! vouch for: a peer that is not on the list never names its own address.

pub mod forwarded;
pub mod header;

use std::{fmt, net::IpAddr, sync::Arc};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The addresses of balancers whose word is taken. Never empty and never wide; cloning shares it.
#[derive(Clone, Debug)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// Proof that a peer is on a list. Only [`TrustedProxies::vouch`] makes one.
#[derive(Clone, Debug)]
pub struct Vouched(TrustedProxies);

/// Who brings connections of others, each where there is a list: then nobody else may connect.
#[derive(Clone, Debug, Default)]
pub struct Balancers {
    /// They say whom a connection is from before its first byte.
    pub introducing: Option<TrustedProxies>,
    /// They end TLS, and say of each request whom it is from.
    pub ending_tls: Option<TrustedProxies>,
}

impl Balancers {
    /// Whether whoever is at the other end of a connection may bring it.
    #[must_use]
    pub fn admit(&self, connected: IpAddr) -> bool {
        let lists = [&self.introducing, &self.ending_tls];
        lists.into_iter().flatten().all(|it| it.hold(connected))
    }
}

/// Why a list is no list of balancers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrustworthy {
    /// It is empty.
    #[error("the list of balancers is empty")]
    Nobody,
    /// It covers everybody, or more than one network of one's own.
    #[error(
        "{0} holds more than a network of your own: a stranger in it could claim to be anybody"
    )]
    TooWide(IpNet),
    /// It is a network of public addresses.
    #[error(
        "{0} is a network of public addresses, not all of them yours for ever: a stranger in it could claim to be anybody"
    )]
    Public(IpNet),
    /// It is IPv4 in the clothes of IPv6, which peers are never compared as.
    #[error("{0} is IPv4 written as IPv6")]
    Mapped(IpNet),
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, network) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{network}")?;
        }
        Ok(())
    }
}

/// What nobody owns on the internet, so that who is there is the operator's own affair: private (RFC 1918), shared
/// (RFC 6598), loopback and link-local.
const PRIVATE_V4: [Ipv4Net; 6] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
];
/// The same in IPv6: unique local (RFC 4193) and link-local.
const PRIVATE_V6: [Ipv6Net; 2] = [v6(0xfc00, 7), v6(0xfe80, 10)];
/// The widest networks of one's own: 10.0.0.0/8 whole, and what a site gets of IPv6 with room to spare.
const WIDEST: (u8, u8) = (8, 32);

impl TrustedProxies {
    /// A list of networks that are the operator's own, or of single addresses.
    ///
    /// # Errors
    /// It is empty, or a network is one in which strangers can be: wider than /8 (IPv4) or /32 (IPv6), or of public
    /// addresses and not a single one.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Result<Self, Untrustworthy> {
        let networks: Arc<[IpNet]> = networks.into_iter().collect();
        if networks.is_empty() {
            return Err(Untrustworthy::Nobody);
        }
        for network in networks.iter() {
            judge(network)?;
        }
        Ok(Self(networks))
    }

    /// Whether a peer is on the list.
    #[must_use]
    pub fn vouch(&self, peer: IpAddr) -> Option<Vouched> {
        self.hold(peer).then(|| Vouched(self.clone()))
    }

    fn hold(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn judge(network: &IpNet) -> Result<(), Untrustworthy> {
    let (widest, single, private) = match network {
        IpNet::V4(net) => (WIDEST.0, 32, PRIVATE_V4.iter().any(|it| it.contains(net))),
        IpNet::V6(net) if net.addr().to_ipv4_mapped().is_some() => {
            return Err(Untrustworthy::Mapped(*network));
        }
        IpNet::V6(net) => (WIDEST.1, 128, PRIVATE_V6.iter().any(|it| it.contains(net))),
    };
    match network.prefix_len() {
        prefix if prefix < widest => Err(Untrustworthy::TooWide(*network)),
        prefix if prefix < single && !private => Err(Untrustworthy::Public(*network)),
        _ => Ok(()),
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(std::net::Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(networks: &[&str]) -> Result<TrustedProxies, Untrustworthy> {
        TrustedProxies::new(networks.iter().map(|it| it.parse().unwrap()))
    }

    #[test]
    fn a_list_holds_networks_of_ones_own_and_single_addresses() {
        for network in [
            "10.0.0.0/8",
            "10.1.2.0/24",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "127.0.0.1/32",
            "203.0.113.7/32",
            "fd12:3456::/32",
            "fe80::/64",
            "::1/128",
            "2001:db8::7/128",
        ] {
            assert!(list(&[network]).is_ok(), "{network}");
        }
    }

    #[test]
    fn a_list_never_holds_strangers() {
        assert_eq!(list(&[]).unwrap_err(), Untrustworthy::Nobody);
        for network in [
            "0.0.0.0/0",
            "::/0",
            "0.0.0.0/7",
            "10.0.0.0/7",
            "fc00::/7",
            "fd00::/31",
        ] {
            let network: IpNet = network.parse().unwrap();
            assert_eq!(judge(&network), Err(Untrustworthy::TooWide(network)));
        }
        for network in [
            "203.0.113.0/24",
            "203.0.113.6/31",
            "11.0.0.0/8",
            "172.0.0.0/8",
            "2001:db8::/64",
            "2001:db8::6/127",
        ] {
            let network: IpNet = network.parse().unwrap();
            assert_eq!(judge(&network), Err(Untrustworthy::Public(network)));
        }
        let mapped: IpNet = "::ffff:10.0.0.0/104".parse().unwrap();
        assert_eq!(judge(&mapped), Err(Untrustworthy::Mapped(mapped)));
        assert!(
            list(&["10.0.0.0/8", "0.0.0.0/0"]).is_err(),
            "each is judged"
        );
    }

    #[test]
    fn only_who_is_on_the_list_is_vouched_for() {
        let list = list(&["10.1.0.0/16", "fd00:1::/64"]).unwrap();
        for peer in ["10.1.0.1", "::ffff:10.1.255.255", "fd00:1::5"] {
            assert!(list.vouch(peer.parse().unwrap()).is_some(), "{peer}");
        }
        for peer in ["10.2.0.1", "203.0.113.1", "fd00:1:0:1::5", "::1"] {
            assert!(list.vouch(peer.parse().unwrap()).is_none(), "{peer}");
        }
    }
}
