//! Where the server stands in a network: whose word about clients is taken.

use wardwire_admission::proxy::{TrustedProxies, Untrustworthy};

use super::{super::units::Network, Judge};

pub(super) fn judge(judge: &mut Judge<'_>) {
    if let Some(proxy_protocol) = &judge.file.server.proxy_protocol {
        let place = "server.proxy_protocol.from";
        balancers(judge, place, &proxy_protocol.from);
    }
    redirect(judge);
    http2(judge);
}

/// What a balancer passes on in the clear is HTTP/1.1: h2c is agreed on by nobody, and told apart by a guess.
fn http2(judge: &mut Judge<'_>) {
    let tls = judge.file.server.tls.as_ref();
    let ended = tls.is_some_and(|tls| tls.terminated_by.is_some());
    if judge.file.http2.websockets && ended {
        judge.refuse(
            "http2.websockets",
            "http2.websockets behind a balancer that ends TLS: HTTP/2 is spoken only where TLS ends here",
            "Let the balancer speak HTTP/1.1 to this server, or pass TLS through (server.proxy_protocol).",
        );
    }
}

fn redirect(judge: &mut Judge<'_>) {
    let server = &judge.file.server;
    if server.redirect_port.is_some() && server.redirect.is_none() {
        judge.refuse(
            "server.redirect_port",
            "server.redirect_port without server.redirect: there is nothing that redirects",
            "Set redirect = \"0.0.0.0:80\", or drop it.",
        );
    }
    let Some(redirect) = &server.redirect else {
        return;
    };
    let ended = server
        .tls
        .as_ref()
        .is_some_and(|tls| tls.terminated_by.is_some());
    if ended || server.proxy_protocol.is_some() {
        judge.refuse(
            "server.redirect",
            "server.redirect behind a balancer: all its clients would count as one",
            "Let the balancer redirect, which has port 80.",
        );
    }
    if *redirect == server.listen && server.listen.port() != 0 {
        judge.refuse(
            "server.redirect",
            "server.redirect is the address of server.listen",
            "Write redirect = \"0.0.0.0:80\".",
        );
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
