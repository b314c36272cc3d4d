use super::{live, refused};
use crate::harness::{Handshake, ORIGIN, Server};

fn from(server: &Server, origin: &str, reason: &str) {
    let token = server.issuer.token("alice").mint();
    refused(server, &live(&token).origin(origin), 403, reason);
}

#[test]
fn attack_017_null() {
    from(&Server::start(), "null", "origin-malformed");
}

#[test]
fn attack_018_names_that_only_look_like_ours() {
    let server = Server::start();
    for origin in [
        "https://app.localhost.evil.test",
        "https://evilapp.localhost",
        "https://app.localhostx",
        "https://app-localhost",
        "https://localhost",
    ] {
        from(&server, origin, "origin-not-allowed");
    }
    for origin in [
        "https://app.localhost@evil.test",
        "https://app.localhost/",
        "https://app.localhost,https://evil.test",
        "https://app.localhost https://evil.test",
        "*",
    ] {
        from(&server, origin, "origin-malformed");
    }
}

#[test]
fn attack_019_another_port_or_scheme() {
    let server = Server::start();
    from(&server, "https://app.localhost:8443", "origin-not-allowed");
    from(&server, "http://app.localhost", "origin-not-allowed");
    from(&server, "wss://app.localhost", "origin-malformed");
}

#[test]
fn attack_020_look_alikes_and_normal_forms() {
    let server = Server::start();
    from(
        &server,
        "https://xn--pp-eka.localhost",
        "origin-not-allowed",
    );
    let token = server.issuer.token("alice").mint();
    for same in [
        "HTTPS://APP.localhost",
        "https://app.localhost.",
        "https://app.localhost:443",
    ] {
        server.open(live(&token).origin(same));
    }
}

#[test]
fn attack_021_no_origin() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    let bearer = Handshake::new("/live").bearer(&token);
    refused(&server, &bearer, 403, "origin-missing");
    server.open(Handshake::new("/native").bearer(&token));
    // A cookie never goes without one, on whatever route.
    let cookie = format!("__Host-wardwire={}", "A".repeat(43));
    let ambient = Handshake::new("/native").with("Cookie", &cookie);
    refused(&server, &ambient, 403, "origin-missing");
}

#[test]
fn attack_021_two_origins() {
    let server = Server::start();
    let token = server.issuer.token("alice").mint();
    refused(
        &server,
        &live(&token).with("Origin", ORIGIN),
        403,
        "origin-malformed",
    );
}

#[test]
fn attack_022_a_sibling_whose_requests_bring_the_cookie() {
    let server = Server::start();
    let cookie = format!("__Host-wardwire={}", "A".repeat(43));
    for origin in [
        "https://sub.app.localhost",
        "https://sibling.localhost",
        "https://localhost:8444",
    ] {
        let handshake = Handshake::new("/live")
            .origin(origin)
            .with("Cookie", &cookie);
        refused(&server, &handshake, 403, "origin-not-allowed");
    }
}

crate::harness::over_http2![
    attack_017_null,
    attack_018_names_that_only_look_like_ours,
    attack_019_another_port_or_scheme,
    attack_020_look_alikes_and_normal_forms,
    attack_021_no_origin,
    attack_021_two_origins,
    attack_022_a_sibling_whose_requests_bring_the_cookie,
];
