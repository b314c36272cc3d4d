//! Which addresses a fetch may reach: public ones, and those that the configuration lists.
//!
//! The registries are IANA's of special-purpose addresses (RFC 6890). IPv6 addresses that carry an IPv4 address inside
//! are not public: whoever translates them would connect to something that nobody has looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const SPECIAL_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10), // carriers' NAT
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16), // link-local, and every cloud's metadata service
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// All that is public in IPv6. Loopback, mapped and compatible IPv4, NAT64, unique-local, link-local and multicast lie outside.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);

const SPECIAL_V6: [Ipv6Net; 5] = [
    v6([0x2001, 0], 23), // Teredo and others
    v6([0x2001, 0xdb8], 32),
    v6([0x2002, 0], 16), // 6to4
    v6([0x3fff, 0], 20),
    v6([0x3ffe, 0], 16), // the old 6bone
];

/// Whether a fetch may connect to this address.
pub(super) fn may_reach(address: IpAddr, allow: &[IpNet]) -> bool {
    // An IPv4-mapped address reaches the IPv4 one, so it is judged as that.
    let address = address.to_canonical();
    is_public(address) || allow.iter().any(|net| net.contains(&address))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address) && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        }
    }
}

const fn v4([a, b, c, d]: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6([a, b]: [u16; 2], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: [&str; 32] = [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.19.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
    ];

    #[test]
    fn special_addresses_are_out_of_reach_unless_listed() {
        for text in PRIVATE {
            let address: IpAddr = text.parse().unwrap();
            assert!(!may_reach(address, &[]), "{text}");
            assert!(may_reach(address, &[IpNet::from(address.to_canonical())]));
        }
    }

    #[test]
    fn public_addresses_are_within_reach() {
        for text in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "2606:4700::1111",
            "2a00:1450:4001::1",
        ] {
            assert!(may_reach(text.parse().unwrap(), &[]), "{text}");
        }
    }

    #[test]
    fn a_listed_range_opens_nothing_beside_it() {
        let allow = [
            "127.0.0.1/32".parse().unwrap(),
            "fd00::/64".parse().unwrap(),
        ];
        assert!(may_reach("::ffff:127.0.0.1".parse().unwrap(), &allow));
        assert!(may_reach("fd00::5".parse().unwrap(), &allow));
        assert!(!may_reach("127.0.0.2".parse().unwrap(), &allow));
        assert!(!may_reach("::1".parse().unwrap(), &allow));
        assert!(!may_reach("fd00:0:0:1::5".parse().unwrap(), &allow));
    }
}
