//! Where the server stands in a network: lists of balancers hold no strangers.

use super::*;

/// [`SAFE`] behind a balancer that speaks the PROXY protocol.
fn proxy_protocol(from: &str) -> String {
    let line = format!("proxy_protocol = {{ from = [{from}] }}\ntls = {{");
    with("tls = {", &line)
}

#[test]
fn balancers_are_networks_of_ones_own_and_single_addresses() {
    let folder = Folder::new();
    for from in [
        "\"10.0.0.0/8\"",
        "\"192.168.4.0/24\", \"203.0.113.7\", \"2001:db8::7\"",
        "\"fd00:1::/32\"",
    ] {
        assert_eq!(folder.problems(&proxy_protocol(from)), [""; 0], "{from}");
    }
}

#[test]
fn a_list_of_balancers_with_strangers_in_it() {
    let folder = Folder::new();
    for (from, says) in [
        ("", "the list of balancers is empty"),
        ("\"0.0.0.0/0\"", "holds more than a network of your own"),
        ("\"::/0\"", "holds more than a network of your own"),
        (
            "\"10.0.0.0/8\", \"0.0.0.0/0\"",
            "holds more than a network of your own",
        ),
        ("\"fd00::/16\"", "holds more than a network of your own"),
        ("\"203.0.113.0/24\"", "a network of public addresses"),
        ("\"2001:db8::/64\"", "a network of public addresses"),
        ("\"::ffff:10.0.0.0/104\"", "IPv4 written as IPv6"),
        ("\"10.0.0.7/8\"", "is not a network like"),
        ("\"lb.example.com\"", "is not a network like"),
        ("\"*\"", "is not a network like"),
    ] {
        one(&folder, &proxy_protocol(from), "proxy_protocol =", says);
    }
}

#[test]
fn the_proxy_protocol_without_a_list() {
    let text = with("tls = {", "proxy_protocol = {}\ntls = {");
    one(
        &Folder::new(),
        &text,
        "proxy_protocol =",
        "`from` is missing",
    );
    let text = with("tls = {", "proxy_protocol = true\ntls = {");
    assert_eq!(Folder::new().problems(&text).len(), 1);
}
