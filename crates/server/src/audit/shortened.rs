//! Addresses that name a network, and nobody in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Without its last 8 bits in IPv4, its last 80 in IPv6: what is left are a /24 and a /48.
pub(super) fn shortened(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(it) => Ipv4Addr::from(u32::from(it) >> 8 << 8).into(),
        IpAddr::V6(it) => Ipv6Addr::from(u128::from(it) >> 80 << 80).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_an_address_is_its_network() {
        for (whole, left) in [
            ("203.0.113.77", "203.0.113.0"),
            ("255.255.255.255", "255.255.255.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            (
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "ffff:ffff:ffff::",
            ),
            // One that carries an IPv4 address is that.
            ("::ffff:203.0.113.77", "203.0.113.0"),
            ("::1", "::"),
        ] {
            let address: IpAddr = whole.parse().unwrap();
            assert_eq!(shortened(address).to_string(), left, "{whole}");
        }
    }
}
