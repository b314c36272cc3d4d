//! Where the server stands in a network: whose word about clients is taken.

use toml::Spanned;
use wardwire_admission::proxy::{TrustedProxies, Untrustworthy};

use super::{super::units::Network, Judge};

pub(super) fn judge(judge: &mut Judge<'_>) {
    if let Some(proxy_protocol) = &judge.file.server.proxy_protocol {
        balancers(judge, "server.proxy_protocol.from", &proxy_protocol.from);
    }
}

/// A list of balancers holds no strangers.
fn balancers(judge: &mut Judge<'_>, place: &str, listed: &Spanned<Vec<Network>>) {
    let Err(error) = TrustedProxies::new(listed.get_ref().iter().map(|it| it.0)) else {
        return;
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
}
