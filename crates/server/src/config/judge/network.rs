//! Where the server stands in a network: whose word about clients is taken.

use wardwire_admission::proxy::{TrustedProxies, Untrustworthy};

use super::{super::units::Network, Judge};

pub(super) fn judge(judge: &mut Judge<'_>) {
    if let Some(proxy_protocol) = &judge.file.server.proxy_protocol {
        let place = "server.proxy_protocol.from";
        balancers(judge, place, proxy_protocol.from.get_ref());
    }
}

/// A list of balancers holds no strangers.
pub(super) fn balancers(
    judge: &mut Judge<'_>,
    place: &str,
    listed: &[Network],
) -> Option<TrustedProxies> {
    let error = match TrustedProxies::new(listed.iter().map(|it| it.0)) {
        Ok(balancers) => return Some(balancers),
        Err(error) => error,
    };
    let remedy = match error {
        Untrustworthy::Nobody => "List the addresses that your balancers connect from.",
        Untrustworthy::TooWide(_) => {
            "List the balancers' own subnets: nothing wider than /8 (IPv4) or /32 (IPv6)."
        }
        Untrustworthy::Public(_) => {
            "List public addresses one by one (/32, /128); networks only of private addresses."
        }
        Untrustworthy::Mapped(_) => "Write it as IPv4.",
    };
    judge.refuse(place, error.to_string(), remedy);
    None
}
